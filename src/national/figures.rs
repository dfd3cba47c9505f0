//! `tables/figures.csv`: what the first screen of a run's page counts, by insurance: units, persons, accounts, yuan.
//!
//! Always: a figure is a number of different keys (one column) or a sum of money (columns that are all measures); every table and column
//! that is named exists. An insurance is a column, or one code for the whole table (`=110`).

use std::ops::Range;
use std::path::Path;

use super::file::{Reader, Text, unknown};
use super::{Figure, FigureInsurance, Kind, Table};
use crate::phrase;

/// Reads the file.
pub(super) fn read(reader: &mut Reader, dir: &Path, tables: &[Table]) -> Vec<Figure> {
    let head = ["figure", "table", "insurance", "columns", "title_zh", "title_en", "basis"];
    let (text, rows) = reader.csv(&dir.join("tables").join("figures.csv"), head);
    let mut all: Vec<Figure> = Vec::new();
    for ([id, table, insurance, columns, title_zh, title_en, _], span) in rows {
        if id.is_empty() || all.iter().any(|f| f.id == id) {
            reader.fault(&text, span.clone(), phrase!("national.figure_twice", id));
            continue;
        }
        let Some(of) = tables.iter().find(|t| t.name == table) else {
            if !reader.unread.contains(&table) {
                let message = unknown(phrase!("national.table"), &table, tables.iter().map(|t| &t.name));
                reader.fault(&text, span, message);
            }
            continue;
        };
        let columns: Vec<String> = columns.split('+').filter(|c| !c.is_empty()).map(str::to_owned).collect();
        let insurance = match insurance.strip_prefix('=') {
            Some(code) => FigureInsurance::Code(code.to_owned()),
            None => FigureInsurance::Column(insurance),
        };
        let money = money(reader, &text, &span, of, &insurance, &columns);
        all.push(Figure { id, table, insurance, columns, money, title_zh, title_en });
    }
    all
}

/// Whether the columns are money that is summed; what does not exist or does not fit is a fault.
fn money(
    reader: &mut Reader,
    text: &Text,
    span: &Range<usize>,
    of: &Table,
    insurance: &FigureInsurance,
    columns: &[String],
) -> bool {
    let told = match insurance {
        FigureInsurance::Column(column) => Some(column),
        FigureInsurance::Code(_) => None,
    };
    for name in columns.iter().chain(told).filter(|name| of.column(name).is_none()) {
        let message = unknown(phrase!("national.column"), name, of.columns.iter().map(|c| &c.code));
        reader.fault(text, span.clone(), message);
    }
    let measures = columns.iter().filter_map(|c| of.column(c)).filter(|c| c.measure && c.kind == Kind::Money);
    let measures = measures.count();
    if measures == 0 && columns.len() != 1 {
        reader.fault(text, span.clone(), phrase!("national.figure_columns"));
    } else if measures > 0 && measures != columns.len() {
        reader.fault(text, span.clone(), phrase!("national.figure_mixed"));
    } else if measures > 0 && told.is_some_and(|c| of.insurance.as_ref() != Some(c)) {
        let message = phrase!("national.figure_insurance");
        reader.fault(text, span.clone(), message);
    }
    measures > 0
}
