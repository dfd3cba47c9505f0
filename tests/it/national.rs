//! The national schema: what ships loads and is what the reference decided; what does not fit together is refused with file and line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use qianyi::national::{self, Mandatory, National};

use crate::support::copy_folder;
use crate::support::demo::folder;

fn shipped() -> National {
    national::load(&folder("national")).unwrap_or_else(|e| panic!("{:?}", miette::Report::new(e)))
}

/// File, from, to.
type Change<'a> = (&'a str, &'a str, &'a str);

/// What loading says after these changes.
fn after(changes: &[Change<'_>]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("national");
    copy_folder(&folder("national"), &copy);
    for (file, from, to) in changes {
        let path = copy.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    }
    let error = national::load(&copy).err().unwrap_or_else(|| panic!("{changes:?} was accepted"));
    error.to_string().replace(&copy.display().to_string(), "national")
}

#[test]
fn every_inconsistency_is_refused_with_file_and_line() {
    let cases: &[(&str, &[Change<'_>])] = &[
        ("an unknown key", &[("AC01.toml", "section = \"T05\"", "section = \"T05\"\nsektion = \"T05\"")]),
        ("no TOML", &[("AC01.toml", "key = [\"AAC001\"]", "key = [\"AAC001\"")]),
        ("an unknown type", &[("AC01.toml", "type = \"text(20)\"", "type = \"string(20)\"")]),
        ("a length of 0", &[("AC01.toml", "type = \"text(20)\"", "type = \"text(0)\"")]),
        ("a column twice", &[("AC01.toml", "code = \"AAC002\"", "code = \"AAC003\"")]),
        ("a key column that is not there", &[("AC01.toml", "key = [\"AAC001\"]", "key = [\"AAC00X\"]")]),
        ("no key", &[("AC01.toml", "key = [\"AAC001\"]", "key = []")]),
        ("a key column that may be empty", &[("AC01.toml", "mandatory = \"hard\"", "mandatory = \"no\"")]),
        ("an unknown code list", &[("AC01.toml", "codes = \"AAC058\"", "codes = \"AAC059\"")]),
        (
            "a code longer than its column",
            &[(
                "AC01.toml",
                "type = \"text(2)\"\nmandatory = \"hard\"\ncodes = \"AAC058\"",
                "type = \"text(1)\"\nmandatory = \"hard\"\ncodes = \"AAC058\"",
            )],
        ),
        ("an unknown degree", &[("AC01.toml", "mandatory = \"soft\"", "mandatory = \"maybe\"")]),
        ("an unknown rule of emptiness", &[("AC01.toml", "empty = \"FIL-01\"", "empty = \"FIL-99\"")]),
        ("a parent that is no table", &[("AC43.toml", "table = \"AC02\"", "table = \"AC0X\"")]),
        (
            "a parent with another number of key columns",
            &[("AC43.toml", "columns = [\"AAZ159\"]", "columns = [\"AAZ159\", \"AAC001\"]")],
        ),
        (
            "a parent's column that is not there",
            &[("AC43.toml", "columns = [\"AAZ159\"]", "columns = [\"AAZ15X\"]")],
        ),
        ("a parent with an unknown rule", &[("AC43.toml", "rule = \"STR-06\"", "rule = \"STR-66\"")]),
        (
            "a scope that is no SQL over the table",
            &[("AC43.toml", "scope = \"AAE140 IN", "scope = \"AAE14X IN")],
        ),
        (
            "a measure that is no money",
            &[("AC43.toml", "type = \"period\"\n", "type = \"period\"\nmeasure = true\n")],
        ),
        ("a table that the order lacks", &[("schema.toml", "  \"AC43\",\n", "")]),
        (
            "an order with a table that is not there",
            &[("schema.toml", "  \"AC43\",\n", "  \"AC43\",\n  \"AC44\",\n")],
        ),
        (
            "a child before its parent",
            &[("schema.toml", "  \"AC01\",\n  \"AC02\",\n", "  \"AC02\",\n  \"AC01\",\n")],
        ),
        ("a version that nobody knows", &[("schema.toml", "version = 1", "version = 2")]),
        (
            "an unknown way to count lengths",
            &[("schema.toml", "length_in = \"characters\"", "length_in = \"letters\"")],
        ),
        ("a code twice", &[("codes/AAC004.csv", "2,女", "1,女")]),
        ("another head", &[("codes/AAC004.csv", "code,name,source,standing", "code,title,source,standing")]),
        ("an unknown degree in gate.csv", &[("gate.csv", "STR-01,hard,block", "STR-01,harsh,block")]),
        ("an unknown gate in gate.csv", &[("gate.csv", "STR-01,hard,block", "STR-01,hard,stop")]),
        ("a severity that is none", &[("rules.csv", "STR-01,E,", "STR-01,X,")]),
        (
            "a plausible range of a column that is no money",
            &[("tables/units.csv", "AC43,AAE180,,,,", "AC43,AAE140,,,,")],
        ),
        ("a plausible range as wide as a factor of 100", &[("tables/units.csv", ",30,2900,", ",30,3000,")]),
        (
            "a figure of a column that is not there",
            &[("tables/figures.csv", "AB02,AAE140,AAB001", "AB02,AAE140,AAB00X")],
        ),
        (
            "a figure of money and a key",
            &[("tables/figures.csv", "AAE140,AAE020+AAE022", "AAE140,AAE020+AAC001")],
        ),
        ("a figure that is there twice", &[("tables/figures.csv", "persons,AC02", "units,AC02")]),
        ("years that overlap", &[("tables/units.csv", "AC43,AAE180,,,2000,2009", "AC43,AAE180,,,1999,2009")]),
        (
            "times that are no number",
            &[("tables/units.csv", "AAE180,AAE201,,,0.004", "AAE180,AAE002,,,0.004")],
        ),
        ("a crosswalk to a code that is not there", &[("crosswalks/G2/AAC008.csv", "1,1,在职", "1,7,在职")]),
    ];
    let mut all = String::new();
    for (what, changes) in cases {
        all.push_str(&format!("== {what}\n{}\n", after(changes)));
    }
    insta::assert_snapshot!("refused", all);
}

#[test]
fn all_mistakes_are_shown_at_once() {
    let shown = after(&[
        ("AC01.toml", "codes = \"AAC058\"", "codes = \"AAC059\""),
        ("AC43.toml", "table = \"AC02\"", "table = \"AC0X\""),
        ("codes/AAC004.csv", "2,女", "1,女"),
    ]);
    for part in ["AC01.toml:", "AC43.toml:", "AAC004.csv:"] {
        assert!(shown.contains(part), "{part} is not shown: {shown}");
    }
}

#[test]
fn every_table_of_the_reference_is_there() {
    let national = shipped();
    assert_eq!(national.tables.len(), 49);
    let sections: BTreeSet<&str> = national.tables.iter().map(|t| t.section.as_str()).collect();
    for n in 1..=25 {
        let section = format!("T{n:02}");
        assert!(sections.contains(section.as_str()), "{section}");
    }
    // Working tables are not uploaded, and nothing else is not.
    for table in &national.tables {
        assert_eq!(table.upload, !table.name.starts_with("W_"), "{}", table.name);
    }
}

/// Reference 9.9: only these foreign keys.
#[test]
fn the_foreign_keys_are_those_of_the_reference() {
    let mut expected = BTreeSet::new();
    for (child, parents) in [
        ("AB02", "AB01"),
        ("AC02", "AC01"),
        ("AC20", "AC02 AB01"),
        ("AC04", "AC01 AB01"),
        ("AC05", "AC01 AB01"),
        ("AB07", "AB01"),
        ("AC43", "AC01 AB01 AC02"),
        ("AC50", "AC01"),
        ("AC51", "AC50"),
        ("IC10", "AC01"),
        ("AC60", "IC10"),
        ("AC61", "AC60"),
        ("AC82", "AC01"),
        ("AC83", "AC82"),
        ("AC26", "AC01"),
        ("JC20", "AC01"),
        ("AC31_GZJL", "AC01"),
        ("IC89", "AC01"),
        ("JC21", "JC20"),
        ("IC90", "IC89"),
        ("IC91", "IC89"),
        ("AD23", "AB01 AC01"),
    ] {
        expected.extend(parents.split(' ').map(|p| format!("{child}→{p}")));
    }
    let national = shipped();
    let found: BTreeSet<String> = national
        .tables
        .iter()
        .flat_map(|t| t.parents.iter().map(|p| format!("{}→{}", t.name, p.table)))
        .collect();
    assert_eq!(found, expected);
    for parent in national.tables.iter().flat_map(|t| &t.parents) {
        let rule = match parent.table.as_str() {
            "AC01" => "MIS-01",
            "AB01" => "MIS-02",
            _ => "STR-06",
        };
        assert_eq!(parent.rule, rule, "{}", parent.table);
    }
}

/// Reference 9.1: keys and foreign keys, identity, and the periods, types and amounts of T10, T12, T14, T18.
#[test]
fn the_hard_columns_are_those_of_the_reference() {
    let national = shipped();
    let named = ["AAE140", "AAC999", "AAC003", "AAC058", "AAC147", "AAC004", "AAC006", "AAB999", "AAB004"];
    let amounts: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("AB07", &["AAB150", "AAB152", "AAB156"][..]),
        ("AC43", &["AAE180", "AAE020", "AAE022"]),
        ("AC51", &["AAE252", "AAE382"]),
        ("AC82", &["AAE019"]),
    ]);
    let mut wrong = Vec::new();
    for table in national.tables.iter().filter(|t| t.upload) {
        for column in &table.columns {
            let code = column.code.as_str();
            let hard = column.mandatory == Mandatory::Hard;
            let foreign =
                table.parents.iter().any(|p| p.when.is_none() && p.columns.iter().any(|c| c == code));
            // AE29's key takes the time of handling, which every table carries and none must fill.
            let common = (table.name.as_str(), code) == ("AE29", "AAE036");
            let key = !common && table.key.iter().any(|k| k == code);
            let amount = amounts.get(table.name.as_str()).is_some_and(|a| a.contains(&code));
            // T23 is a unit's or a person's: its person may be empty (reference 9.9).
            let nobody = (table.name.as_str(), code) == ("AD23", "AAC001");
            let must = !nobody && (key || foreign || amount || (named.contains(&code) && hard));
            if must && !hard {
                wrong.push(format!("{}.{code} must be hard", table.name));
            }
            if hard && !must && !named.contains(&code) && !amounts.contains_key(table.name.as_str()) {
                wrong.push(format!("{}.{code} is hard", table.name));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    for code in named {
        let hard = national
            .tables
            .iter()
            .flat_map(|t| &t.columns)
            .any(|c| c.code == code && c.mandatory == Mandatory::Hard);
        assert!(hard, "{code} is hard nowhere");
    }
}

/// Reference 9.1: what an open finding of the structural check does.
#[test]
fn the_gate_is_that_of_the_reference() {
    let gate = shipped().gate;
    let says = |rule: &str, degree| gate.decide(rule, degree).map(national::Gate::text);
    use national::Degree::{Hard, Soft};
    for rule in ["STR-01", "STR-03", "FIX-10", "FIL-01"] {
        assert_eq!((says(rule, Hard), says(rule, Soft)), (Some("block"), Some("mark")), "{rule}");
    }
    for rule in ["STR-02", "STR-05", "STR-06", "MIS-01", "MIS-02"] {
        assert_eq!((says(rule, Hard), says(rule, Soft)), (Some("block"), Some("block")), "{rule}");
    }
    assert_eq!((says("STR-04", Hard), says("STR-04", Soft)), (Some("mark"), Some("mark")));
}

/// The code tables of section 2, by the number of their codes.
#[test]
fn the_code_lists_have_as_many_codes_as_the_reference_names() {
    let national = shipped();
    let sizes: Vec<String> =
        national.codes.iter().map(|(name, list)| format!("{name} {}", list.codes.len())).collect();
    assert_eq!(sizes.len(), 61);
    for (name, size) in [
        ("AAC004", 4),
        ("AAC005", 59),
        ("AAC008", 4),
        ("AAC031", 4),
        ("AAB051", 4),
        ("AAC009", 12),
        ("AAC084", 2),
        ("AAE140", 14),
        ("AIC161", 10),
        ("AAC064", 4),
        ("AAA119", 2),
        ("AAE121", 2),
        ("YAA115", 5),
    ] {
        assert_eq!(national.codes[name].codes.len(), size, "{name}");
    }
    // A file that Excel opens as UTF-8.
    for entry in std::fs::read_dir(Path::new(&folder("national")).join("codes")).unwrap() {
        let path = entry.unwrap().path();
        assert!(std::fs::read(&path).unwrap().starts_with(b"\xef\xbb\xbf"), "{}", path.display());
    }
}
