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
