//! What a package's columns and codes mean, for whoever opens it without qianyi: `data/dictionary.csv`, `data/codes.csv`.
//!
//! Always: UTF-8 with a byte order mark, since spreadsheets take it for the local code page otherwise; the same schema gives the same bytes.

use super::PackageError;
use crate::national::{Kind, Mandatory, National};

/// What columns mean.
pub(super) const DICTIONARY: &str = "data/dictionary.csv";
/// What codes mean.
pub(super) const CODES: &str = "data/codes.csv";
const MARK: &[u8] = "\u{feff}".as_bytes();

/// Every column of the tables that a package may hold: table, its title, column, its title, type, whether it is mandatory, unit, code list, where it is
/// taken from and how firmly that is known.
pub(super) fn columns(national: &National) -> Result<Vec<u8>, PackageError> {
    let mut rows = Vec::new();
    for table in national.tables.iter().filter(|t| t.upload) {
        for column in &table.columns {
            let mandatory = match column.mandatory {
                Mandatory::Hard => "hard",
                Mandatory::Soft => "soft",
                Mandatory::No => "no",
            };
            let key = if table.key.contains(&column.code) { "key" } else { "" };
            rows.push(
                [
                    table.name.as_str(),
                    &table.title,
                    &column.code,
                    &column.title,
                    &kind(column.kind),
                    key,
                    mandatory,
                    column.unit.as_deref().unwrap_or_default(),
                    column.codes.as_deref().unwrap_or_default(),
                    &column.source,
                    &column.standing,
                ]
                .map(str::to_owned),
            );
        }
    }
    written(
        DICTIONARY,
        &[
            "table 表",
            "title 表名",
            "column 列",
            "name 名称",
            "type 类型",
            "key 主键",
            "mandatory 必填",
            "unit 单位",
            "codes 代码表",
            "source 来源",
            "standing 依据状态",
        ],
        rows.iter().map(|row| row.as_slice()),
    )
}

/// Every code of every list.
pub(super) fn codes(national: &National) -> Result<Vec<u8>, PackageError> {
    let mut rows = Vec::new();
    for (list, codes) in &national.codes {
        for (code, of) in &codes.codes {
            rows.push([list, code, &of.name, &of.source, &of.standing].map(Clone::clone));
        }
    }
    written(
        CODES,
        &["codes 代码表", "code 代码", "name 名称", "source 来源", "standing 依据状态"],
        rows.iter().map(|row| row.as_slice()),
    )
}

fn written<'r>(
    name: &str,
    head: &[&str],
    rows: impl Iterator<Item = &'r [String]>,
) -> Result<Vec<u8>, PackageError> {
    let failed = |e: csv::Error| PackageError::Unreadable { path: name.to_owned(), source: e.into() };
    let mut writer = csv::Writer::from_writer(MARK.to_vec());
    writer.write_record(head).map_err(failed)?;
    for row in rows {
        writer.write_record(row).map_err(failed)?;
    }
    writer.into_inner().map_err(|e| failed(csv::Error::from(e.into_error())))
}

/// The type as the national schema writes it.
fn kind(kind: Kind) -> String {
    match kind {
        Kind::Id => "id".to_owned(),
        Kind::Text(length) => format!("text({length})"),
        Kind::Date => "date".to_owned(),
        Kind::Period => "period yyyymm".to_owned(),
        Kind::Time => "time".to_owned(),
        Kind::Money => "money(16,2)".to_owned(),
        Kind::Rate { precision, scale } => format!("rate({precision},{scale})"),
        Kind::Int(digits) => format!("int({digits})"),
    }
}
