//! The mapping: cases as text, each with 1 and with 7 partitions.

use std::path::Path;

use crate::support::cases;

#[test]
fn every_mapping_case_gives_its_rows_with_1_and_with_7_partitions() {
    cases::check_all("mapping");
}

#[test]
fn a_value_of_two_generations_maps_to_two_national_values_and_the_naive_mapping_is_refused() {
    cases::check_all("traps");
}

/// Twelve months in one row; far more than the engine's pool holds at a time.
#[test]
fn a_split_of_many_parts_needs_no_more_memory_than_one_of_few() {
    use std::fmt::Write;
    const ROWS: usize = 20_000;
    let mut case = "twelve parts

=== national.toml
[table.AC43]
key = [\"AAZ223\", \"AAE002\"]
columns = [\"AAZ223 id hard\", \"AAE002 int hard\", \"AAE020 money hard measure\"]

=== city.toml
id = \"town\"
name = \"town\"
sources = [\"ylbx\"]
null = [\"\"]
[domain.payment]

=== sources/JF.toml
source = \"ylbx\"
key = [\"BH\"]
generation = \"G3\"
[columns]
BH = { parse = \"text\" }
"
    .to_owned();
    for month in 1..=12 {
        let _ = writeln!(case, "M{month} = {{ money = \"fen\" }}");
    }
    case.push_str(
        "
=== AC43.toml
[[branch]]
name = \"jf\"
from = \"JF AS d\"
shape = \"split\"
[branch.columns]
AAZ223 = \"id('payment', d.BH)\"
",
    );
    for month in 1..=12 {
        let _ = write!(
            case,
            "[[branch.part]]\nname = \"m{month}\"\nwhen = \"d.M{month} <> 0\"\ncolumns = {{ AAE002 = \"{month}\", AAE020 = \"d.M{month}\" }}\n"
        );
    }
    case.push_str("\n=== raw/JF.csv\nBH:char(10)");
    for month in 1..=12 {
        let _ = write!(case, ",M{month}:int");
    }
    for row in 0..ROWS {
        let _ = write!(case, "\nB{row:08}");
        for month in 0..12 {
            let _ = write!(case, ",{}", if row % 12 == month { 0 } else { row + month });
        }
    }
    let found = cases::found(&case, 64 << 20);
    let counts = &found["mapped/AC43.jf.counts"];
    // In row 0 of month 0 lies 0 twice over.
    let mapped = ROWS * 11;
    assert_eq!(*counts, format!("JF: {ROWS} rows, {ROWS} used, {mapped} mapped\n"));
}

/// mappings/national/traps.csv is the list; every line of it has its two cases.
#[test]
fn every_trap_of_the_national_schema_has_its_cases() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let traps = std::fs::read_to_string(root.join("mappings/national/traps.csv")).unwrap();
    let mut seen = 0;
    for code in traps.lines().skip(1).filter_map(|l| l.split(',').next()) {
        for name in [format!("{code}.case"), format!("{code}_naive.case")] {
            assert!(root.join("tests/it/cases/traps").join(&name).exists(), "{name} is missing");
        }
        seen += 1;
    }
    assert!(seen >= 14, "{seen}");
}
