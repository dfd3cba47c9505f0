//! The catalogue of a SQLite file.
//!
//! Always: every type is known. SQLite lets any column hold any value; a declaration is a wish (its affinity). So a column is read as
//! the type that is declared where there is an exact one, else by SQLite's own rules of affinity, else as text; what a row holds
//! besides is kept as written (`c__b`). A table or view that cannot even be described (a view over a table that is gone) has no columns,
//! and is an error by name once it is read.

use chrono_tz::Tz;
use rusqlite::Connection;

use super::{Inner, quote};
use crate::encoding::TextEncoding;
use crate::phrase;
use crate::source::settings::DEFAULT_ENCODING;
use crate::source::{Column, LegacyType, SourceError, Table};

/// Every table and view but SQLite's own, by name.
pub(super) fn tables(source: &Inner) -> Result<Vec<Table>, SourceError> {
    let found = primary(source)?;
    found.into_iter().map(|table| chosen(source, table)).collect()
}

/// A table with the key that is chosen for it: one over which there is a unique index, without NULLs. A view has no index: its key is
/// proved when its rows are read.
fn chosen(source: &Inner, mut table: Table) -> Result<Table, SourceError> {
    let Some(wanted) = source
        .settings
        .tables
        .get(&table.name)
        .map(|of| &of.key)
        .filter(|k| !k.is_empty() && **k != table.key)
    else {
        return Ok(table);
    };
    let unknown = |what: String| SourceError::Unknown { id: source.id.clone(), what };
    if table.view {
        if let Some(name) = wanted.iter().find(|name| table.column(name).is_none()) {
            let hint = table.differing_in_case(wanted);
            return Err(unknown(format!("column {}.{name}{hint}", table.name)));
        }
    } else {
        let solid = wanted.iter().all(|name| table.column(name).is_some_and(|c| !c.nullable));
        let unique = unique_indexes(&source.db(), &table.name)
            .map_err(source.failed(phrase!("source.indexes", table = table.name)))?;
        if !solid || !unique.contains(wanted) {
            let (columns, hint) = (wanted.join(", "), table.differing_in_case(wanted));
            return Err(unknown(format!("unique index over {} ({columns}) without NULLs{hint}", table.name)));
        }
    }
    table.key.clone_from(wanted);
    Ok(Table { changes: table.plain_changes(), ..table })
}

/// The columns of every unique index that holds all rows.
fn unique_indexes(db: &Connection, table: &str) -> rusqlite::Result<Vec<Vec<String>>> {
    let mut query = db.prepare("SELECT name FROM pragma_index_list(?1) WHERE \"unique\" AND NOT partial")?;
    let names: Vec<String> = query.query_map([table], |r| r.get(0))?.collect::<rusqlite::Result<_>>()?;
    let columns = |index: &String| {
        let mut query = db.prepare("SELECT coalesce(name, '') FROM pragma_index_info(?1) ORDER BY seqno")?;
        query.query_map([index], |r| r.get(0))?.collect()
    };
    names.iter().map(columns).collect()
}

fn primary(source: &Inner) -> Result<Vec<Table>, SourceError> {
    let db = source.db();
    let read = || -> rusqlite::Result<Vec<(String, String)>> {
        let mut query = db.prepare(
            "SELECT name, type FROM sqlite_schema
             WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
        )?;
        query.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect()
    };
    let names = read().map_err(source.failed(phrase!("source.catalogue")))?;
    let described = |(name, kind): (String, String)| {
        let view = kind == "view";
        table(source, &db, &name, view).unwrap_or_else(|_| Table { name, view, ..Table::default() })
    };
    Ok(names.into_iter().map(described).collect())
}

/// Why a table or view that has no columns cannot be described.
pub(super) fn broken(source: &Inner, name: &str) -> Option<String> {
    let view = table(source, &source.db(), name, true).err()?;
    Some(view.to_string())
}

fn table(source: &Inner, db: &Connection, name: &str, view: bool) -> rusqlite::Result<Table> {
    // Hidden columns of virtual tables (1) are no data; generated ones (2, 3) are.
    let mut query = db.prepare_cached(
        "SELECT name, type, \"notnull\", pk FROM pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid",
    )?;
    let mut key: Vec<(u32, String)> = Vec::new();
    let mut columns = Vec::new();
    let mut rows = query.query([name])?;
    while let Some(row) = rows.next()? {
        let (column, declared, not_null, pk): (String, String, bool, u32) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        if pk > 0 {
            key.push((pk, column.clone()));
        }
        let kind = kind(&declared, source.settings.time_zone);
        let encoding = match kind {
            LegacyType::CodePageText => {
                Some(source.settings.encoding_of(name, &column).unwrap_or(DEFAULT_ENCODING))
            }
            // Unicode by its declaration, unless somebody says otherwise of this very column.
            LegacyType::Unicode => {
                let of = source.settings.tables.get(name).and_then(|t| t.columns.get(&column));
                Some(of.and_then(|c| c.encoding).unwrap_or(TextEncoding::Utf8))
            }
            _ => None,
        };
        let loose = !kind.is_text();
        columns.push(Column {
            name: column,
            declared,
            kind: Some(kind),
            nullable: !not_null,
            encoding,
            loose,
        });
    }
    key.sort_unstable();
    let key = key.into_iter().map(|(_, column)| column).collect();
    let estimated_rows = if view { 0 } else { estimate(db, name, &columns)? };
    let table = Table { name: name.to_owned(), view, columns, key, estimated_rows, ..Table::default() };
    Ok(Table { changes: table.plain_changes(), ..table })
}

/// As what a column declared so is read: exactly where the declaration says enough, else by affinity (SQLite's rules 1 to 4), else as
/// text, in which numbers are written in their digits.
pub(super) fn kind(declared: &str, zone: Tz) -> LegacyType {
    let upper = declared.to_ascii_uppercase();
    let base = upper.split('(').next().unwrap_or_default().trim();
    let has = |parts: &[&str]| parts.iter().any(|part| upper.contains(part));
    match base {
        "BOOLEAN" | "BOOL" => return LegacyType::Bit,
        // In SQLite a time; the row versions of SQL Server have the same name, and are kept as what they are: bytes.
        "TIMESTAMP" => return LegacyType::DateTime,
        // Any number whatever.
        "NUMERIC" | "DECIMAL" if !upper.contains('(') => return LegacyType::CodePageText,
        _ => {}
    }
    if has(&["INT"]) {
        return LegacyType::BigInt;
    }
    match LegacyType::parse(declared, zone) {
        Some(known) => known,
        None if has(&["CHAR", "CLOB", "TEXT"]) => LegacyType::CodePageText,
        None if has(&["BLOB"]) => LegacyType::Binary,
        None if has(&["REAL", "FLOA", "DOUB"]) => LegacyType::Float,
        None => LegacyType::CodePageText,
    }
}

/// The highest row id: cheap, exact where no row was ever deleted. A table without row ids is counted.
fn estimate(db: &Connection, name: &str, columns: &[Column]) -> rusqlite::Result<u64> {
    let table = quote(name);
    let text = match row_id(db, name, columns)? {
        Some(id) => format!("SELECT COALESCE(MAX({id}), 0) FROM {table}"),
        None => format!("SELECT COUNT(*) FROM {table}"),
    };
    db.query_row(&text, [], |r| r.get::<_, i64>(0)).map(|n| u64::try_from(n).unwrap_or(0))
}

/// The name under which the row id of a table can be read; `None` where it has none, or columns hide all its names.
pub(super) fn row_id(
    db: &Connection,
    table: &str,
    columns: &[Column],
) -> rusqlite::Result<Option<&'static str>> {
    let (kind, without): (String, bool) = db
        .prepare_cached("SELECT type, wr FROM pragma_table_list(?1) WHERE schema = 'main'")?
        .query_row([table], |r| Ok((r.get(0)?, r.get(1)?)))?;
    if without || kind == "view" {
        return Ok(None);
    }
    let free = |name: &&str| !columns.iter().any(|c| c.name.eq_ignore_ascii_case(name));
    Ok(["_rowid_", "rowid", "oid"].into_iter().find(free))
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz::Asia__Shanghai;

    use super::{LegacyType, kind};

    #[test]
    fn every_declaration_is_read_exactly_or_by_its_affinity() {
        use LegacyType::{
            BigInt, Binary, Bit, CodePageText, Date, DateTime, Float, Money, Numeric, Spelled, Unicode,
        };
        for (declared, expected) in [
            ("", CodePageText),
            ("INT", BigInt),
            ("unsigned big int", BigInt),
            ("tinyint", BigInt),
            ("FLOATING POINT", BigInt),
            ("bit", Bit),
            ("BOOLEAN", Bit),
            ("varchar(20)", CodePageText),
            ("CHARACTER VARYING(20)", CodePageText),
            ("nvarchar(20)", Unicode),
            ("CLOB", CodePageText),
            ("BLOB", Binary),
            ("varbinary(8)", Binary),
            ("DOUBLE PRECISION", Float),
            ("real", Float),
            ("numeric(10,2)", Numeric { precision: 10, scale: 2 }),
            ("NUMERIC", CodePageText),
            ("numeric(5,-2)", CodePageText),
            ("STRING", CodePageText),
            ("money", Money),
            ("date", Date),
            ("DATETIME", DateTime),
            ("TIMESTAMP", DateTime),
            ("datetime2(7)", Spelled),
        ] {
            assert_eq!(kind(declared, Asia__Shanghai), expected, "{declared}");
        }
    }
}
