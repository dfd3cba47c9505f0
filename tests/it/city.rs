//! The demo city's mapping: it loads, translates every dirt form without a read error, and fills what the national schema asks for.

use qianyi::fixture::Defects;
use qianyi::national::Mandatory;

use crate::support::mapped::{MappedCity, loaded};

#[test]
fn the_demo_citys_mapping_loads_without_a_mistake() {
    let (_, city) = loaded();
    assert_eq!(city.id, "baicheng");
}

/// What the national schema asks of single tables, as SQL: (what, SQL that answers the number of rows that break it).
fn demands(made: &MappedCity) -> Vec<(String, String)> {
    let mut asked = Vec::new();
    for mapping in &made.city.tables {
        let table = made.national.table(&mapping.table).unwrap();
        let keys = mapping.key.iter().map(|k| format!("\"{k}\"")).collect::<Vec<_>>().join(", ");
        asked.push((
            format!("{}: key twice", table.name),
            format!(
                "SELECT count(*) FROM (SELECT 1 FROM {} GROUP BY {keys} HAVING count(*) > 1)",
                table.name
            ),
        ));
        for parent in &table.parents {
            let to = &made.national.table(&parent.table).unwrap().key;
            let on: Vec<String> =
                parent.columns.iter().zip(to).map(|(c, p)| format!("t.\"{c}\" = p.\"{p}\"")).collect();
            let when = parent.when.as_deref().unwrap_or("true");
            asked.push((
                format!("{}: no parent in {}", table.name, parent.table),
                format!(
                    "SELECT count(*) FROM (SELECT * FROM {} WHERE ({when}) AND \"{}\" IS NOT NULL) AS t LEFT ANTI JOIN {} AS p ON {}",
                    table.name, parent.columns[0], parent.table, on.join(" AND ")
                ),
            ));
        }
        for branch in &mapping.branches {
            let absent = branch.absent_columns();
            let source = made.city.view(&branch.from.view).unwrap();
            let from: Vec<String> = made
                .held
                .iter()
                .filter(|l| source.matches(&l.name))
                .map(|l| format!("'{}'", l.label()))
                .collect();
            let of = format!("FROM {} WHERE \"_source\" IN ({})", table.name, from.join(", "));
            for column in &table.columns {
                let code = &column.code;
                let what = |w: &str| format!("{} ({}): {code} {w}", table.name, branch.name);
                let count = |when: &str| format!("SELECT count(*) {of} AND {when}");
                if absent.contains(&code.as_str()) {
                    continue;
                }
                if column.mandatory != Mandatory::No {
                    asked.push((what("empty"), count(&format!("\"{code}\" IS NULL"))));
                }
                if let Some(when) = &column.when {
                    asked.push((
                        what("empty, conditional"),
                        count(&format!("({when}) AND \"{code}\" IS NULL")),
                    ));
                }
                if let Some(list) = &column.codes {
                    asked.push((what("no code"), count(&format!("NOT in_code('{list}', \"{code}\")"))));
                }
                if let qianyi::national::Kind::Text(n) = column.kind {
                    asked.push((what("too long"), count(&format!("character_length(\"{code}\") > {n}"))));
                }
            }
        }
    }
    asked
}

fn broken(made: &MappedCity) -> Vec<String> {
    demands(made)
        .into_iter()
        .filter_map(|(what, sql)| {
            let rows = made.ask(&sql).concat();
            (rows != "0").then(|| format!("{what}: {rows}"))
        })
        .collect()
}

#[test]
fn a_city_without_defects_gives_no_note_and_breaks_nothing() {
    let made = MappedCity::make(300, 7, Defects::None);
    let read_errors: Vec<_> = made
        .layer1
        .iter()
        .filter(|(_, r)| !r.read_error_counts.is_empty())
        .map(|(t, r)| (t, &r.read_error_counts))
        .collect();
    assert!(read_errors.is_empty(), "{read_errors:#?}");
    assert_eq!(broken(&made), Vec::<String>::new());
}
