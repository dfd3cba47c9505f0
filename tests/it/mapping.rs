//! The mapping: cases as text, each with 1 and with 7 partitions; files as Excel and editors save them.

use std::path::{Path, PathBuf};

use arrow::datatypes::{DataType, TimeUnit};
use qianyi::functions::{RawKind, Read, Unit, refusal};
use qianyi::mapping::{self, MappingErrors};
use qianyi::national::National;

use crate::support::demo::{city, folder, ran, run_settings};
use crate::support::{cases, copy_folder};

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

#[test]
fn every_raw_type_is_read_as_something_or_refused_with_a_reason() {
    let micros = |zone: Option<&str>| DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
    let types = [
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt8,
        DataType::Boolean,
        DataType::Decimal128(38, 10),
        DataType::Decimal128(5, -2),
        DataType::Float64,
        DataType::Utf8,
        DataType::Date32,
        micros(None),
        micros(Some("Asia/Shanghai")),
        DataType::Binary,
    ];
    let reads = [
        Read::Text { pad: None },
        Read::Date { century: Default::default(), forms: Vec::new() },
        Read::Period { forms: Vec::new() },
        Read::Int,
        Read::Money(Unit::Yuan),
        Read::Rate { places: 2, scale: 4 },
        Read::Time,
        Read::Code(Default::default()),
    ];
    let table: Vec<String> = types
        .iter()
        .map(|t| {
            assert!(RawKind::of(t).is_some(), "{t}");
            let cell = |read: &Read| if refusal(read, t).is_none() { 'x' } else { '.' };
            format!("{} {t}", reads.iter().map(cell).collect::<String>())
        })
        .collect();
    let expected = [
        "xxxxxxxx Int8",
        "xxxxxxxx Int16",
        "xxxxxxxx Int32",
        "xxxxxxxx Int64",
        "xxxxxxxx UInt8",
        "x..x...x Boolean",
        "xxxxxxxx Decimal128(38, 10)",
        "xxxxxxxx Decimal128(5, -2)",
        "xxxxxxxx Float64",
        "xxxxxxxx Utf8",
        "xxx...x. Date32",
        "xxx...x. Timestamp(µs)",
        "xxx...x. Timestamp(µs, \"Asia/Shanghai\")",
        "........ Binary",
    ];
    assert_eq!(table, expected);
    for (read, found, said) in [
        (&reads[4], DataType::Date32, "a date is not read as money"),
        (&reads[0], DataType::LargeUtf8, "raw holds no columns of type LargeUtf8"),
        (&reads[1], micros(Some("Asia/Nowhere")), "there is no time zone Asia/Nowhere"),
    ] {
        assert_eq!(refusal(read, &found).as_deref(), Some(said));
    }
}

const CITY: &[(&str, &str)] = &[
    ("city.toml", "id = \"town\"\nname = \"白城\"\nsources = [\"ylbx\"]\nnull = [\"无\"]\n[domain.person]\n"),
    ("codes/sex.csv", "legacy,code,name\n男,1,男性\n女,2,女性\n"),
    (
        "sources/P.toml",
        "source = \"ylbx\" # 人员\nkey = [\"K\"]\ngeneration = \"G1\"\n[columns]\nK = { parse = \"text\" }\nXB = { code = \"sex\" }\n",
    ),
    (
        "AC01.toml",
        "[[branch]] # 人员\nname = \"p\"\nfrom = \"P AS p\"\nshape = \"row\"\n[branch.columns]\nAAC001 = \"id('person', p.K)\"\nAAC004 = \"p.XB\"\n",
    ),
];

fn small_national() -> National {
    cases::national("[table.AC01]\nkey = [\"AAC001\"]\ncolumns = [\"AAC001 id hard\", \"AAC004 text no\"]\n")
}

/// The small city, each file as `saved` saves it.
fn saved(saved: impl Fn(&str) -> Vec<u8>) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let city = dir.path().join("town");
    for (name, text) in CITY {
        let path = city.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, saved(text)).unwrap();
    }
    (dir, city)
}

fn refused(city: &Path) -> MappingErrors {
    mapping::load(city, &small_national()).unwrap_err()
}

#[test]
fn files_are_read_as_excel_and_notepad_save_them() {
    let utf16 = |big: bool| {
        move |text: &str| {
            let unit = |u: u16| if big { u.to_be_bytes() } else { u.to_le_bytes() };
            std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(unit).collect::<Vec<u8>>()
        }
    };
    type Way = Box<dyn Fn(&str) -> Vec<u8>>;
    let ways: [(&str, Way); 5] = [
        ("UTF-8", Box::new(|t| t.as_bytes().to_vec())),
        ("UTF-8 with BOM", Box::new(|t| format!("\u{feff}{t}").replace('\n', "\r\n").into_bytes())),
        ("GB 18030", Box::new(|t| encoding_rs::GB18030.encode(t).0.into_owned())),
        ("UTF-16", Box::new(utf16(false))),
        ("UTF-16, big end first", Box::new(utf16(true))),
    ];
    for (name, way) in &ways {
        let (_dir, city) = saved(way);
        let city = mapping::load(&city, &small_national()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(city.name, "白城", "{name}");
        assert_eq!(city.codes.lists["sex"].translate("女"), Some(Some("2")), "{name}");
    }
}

#[test]
fn a_file_in_no_certain_encoding_is_named_with_the_encodings_and_is_the_only_mistake() {
    let (_dir, city) = saved(|t| t.as_bytes().to_vec());
    // 一 in GBK is also a Cyrillic letter in UTF-8; half a UTF-16 file has no mark; 0x80 is no text in either.
    for (bytes, said) in [
        (&b"legacy,code\n1,\xd2\xbb\n"[..], "can be read as UTF-8 and as GB 18030"),
        (&b"l\0e\0g\0a\0c\0y\0"[..], "looks like UTF-16 without a byte order mark"),
        (&b"legacy,code\n\xff,1\n"[..], "is neither UTF-8 nor GB 18030"),
    ] {
        std::fs::write(city.join("codes/sex.csv"), bytes).unwrap();
        let errors = refused(&city);
        let [fault] = errors.faults.as_slice() else { panic!("{errors}") };
        assert!(fault.file.ends_with("codes/sex.csv") && fault.message.contains(said), "{fault}");
        assert_eq!(fault.mistake.code(), "MAP-001");
    }
}

#[test]
fn a_file_of_the_city_that_cannot_be_read_is_the_only_mistake() {
    let (_dir, city) = saved(|t| t.as_bytes().to_vec());
    for (name, text) in CITY {
        std::fs::write(city.join(name), b"\xff\xff").unwrap();
        let errors = refused(&city);
        assert_eq!(errors.faults.len(), 1, "{name}: {errors}");
        assert!(errors.faults[0].file.ends_with(name), "{errors}");
        std::fs::write(city.join(name), text).unwrap();
    }
    std::fs::remove_dir_all(city.join("sources")).unwrap();
    std::fs::write(city.join("sources"), "no folder").unwrap();
    assert!(refused(&city).to_string().contains("the folder cannot be listed"));
}

#[test]
fn what_an_expression_refuses_is_a_finding_of_its_row_and_the_run_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let database = city(dir.path(), 60, 3);
    let mapped = dir.path().join("town");
    copy_folder(&folder("baicheng"), &mapped);
    let path = mapped.join("AC01.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let line = text.lines().find(|l| l.starts_with("AAC007")).unwrap();
    std::fs::write(&path, text.replacen(line, "AAC007 = \"CAST(d.XM AS DATE)\"", 1)).unwrap();
    // Conditions, too: the row is none of that part.
    let path = mapped.join("AC61.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let condition = "when = \"CAST(d.GRBH AS SMALLINT) > 0 OR d.JCYLJ <> 0\"";
    std::fs::write(&path, text.replacen("when = \"d.JCYLJ <> 0\"", condition, 1)).unwrap();
    let mut of = run_settings(&database, &dir.path().join("work"), 2);
    of.city = mapped;
    let summary = ran(&of);
    assert_eq!(summary.unexplained_rows, 0, "{:?}", summary.blocked_by);
    let read_errors: Vec<_> = summary.read_errors.iter().filter(|n| n.column == "AC01.AAC007").collect();
    let [read_errors] = read_errors.as_slice() else { panic!("{read_errors:?}") };
    assert_eq!(
        (read_errors.code.as_str(), read_errors.table.as_str()),
        ("CAST(d.XM AS DATE)", "ylbx.GRJBXX")
    );
    let found = |f: &&qianyi::artifacts::FindingRow| f.rule == "STR-01" && f.column == "AAC007";
    let rows: u64 = summary.findings.iter().filter(found).map(|f| f.rows).sum();
    assert!(read_errors.rows > 30, "{read_errors:?}");
    // The county counter's persons have findings of their own there.
    assert!(rows >= read_errors.rows, "{rows} of {read_errors:?}");
}
