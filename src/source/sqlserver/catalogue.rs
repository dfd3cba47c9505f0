//! The catalogue of a SQL Server schema: tables, columns with their exact types and collations, keys, sizes, ways to find changes.
//!
//! Always: types are known by name, since other servers of the protocol number them otherwise; what the catalogue says, and never a
//! result's own description, decides how a value is read.

use std::collections::BTreeMap;

use encoding_rs::Encoding;

use super::super::{ChangeMethod, Column, LegacyType, SourceError, Table, differs_in_case};
use super::{Inner, Way, answer, literal};
use crate::encoding::TextEncoding;
use crate::phrase;

const TABLES: &str = "SELECT CAST(o.object_id AS bigint), CAST(o.name AS nvarchar(128)), CAST(CASE WHEN o.type = 'V' THEN 1 ELSE 0 END AS int),
    CONVERT(varchar(33), o.create_date, 126)
  FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id
  WHERE s.name = {schema} AND o.type IN ('U', 'V') AND o.is_ms_shipped = 0";
const COLUMNS: &str = "SELECT CAST(c.object_id AS bigint), CAST(c.name AS nvarchar(128)),
    CAST(COALESCE(b.name, t.name) AS nvarchar(128)), CAST(c.max_length AS int), CAST(c.precision AS int),
    CAST(c.scale AS int), CAST(c.is_nullable AS int), CAST(c.collation_name AS nvarchar(128)),
    CAST(o.name AS nvarchar(128))
  FROM sys.columns AS c JOIN sys.objects AS o ON o.object_id = c.object_id
  JOIN sys.schemas AS s ON s.schema_id = o.schema_id
  JOIN sys.types AS t ON t.user_type_id = c.user_type_id
  LEFT JOIN sys.types AS b ON b.user_type_id = t.system_type_id AND t.is_user_defined = 1
  WHERE s.name = {schema} AND o.type IN ('U', 'V') ORDER BY c.object_id, c.column_id";
/// Unique indexes over whole tables, the primary key first; index names may carry suffixes and are not looked at.
const KEYS: &str = "SELECT CAST(i.object_id AS bigint), CAST(i.index_id AS bigint), CAST(i.is_primary_key AS int), CAST(c.name AS nvarchar(128))
  FROM sys.indexes AS i JOIN sys.objects AS o ON o.object_id = i.object_id
  JOIN sys.schemas AS s ON s.schema_id = o.schema_id
  JOIN sys.index_columns AS k ON k.object_id = i.object_id AND k.index_id = i.index_id
  JOIN sys.columns AS c ON c.object_id = k.object_id AND c.column_id = k.column_id
  WHERE s.name = {schema} AND i.is_unique = 1 AND i.is_disabled = 0 AND i.has_filter = 0 AND i.is_hypothetical = 0
    AND k.is_included_column = 0
  ORDER BY i.object_id, i.is_primary_key DESC, i.index_id, k.key_ordinal";
const ROWS: &str = "SELECT CAST(p.object_id AS bigint), SUM(CAST(p.rows AS bigint))
  FROM sys.partitions AS p WHERE p.index_id IN (0, 1) GROUP BY p.object_id";
/// Pages of 8 KiB that hold what does not fit into rows.
const LOBS: &str = "SELECT CAST(p.object_id AS bigint), SUM(CAST(a.used_pages AS bigint)) * 8192
  FROM sys.partitions AS p JOIN sys.allocation_units AS a ON a.container_id = p.partition_id
  WHERE a.type = 2 GROUP BY p.object_id";
const TRACKED: &str = "SELECT CAST(t.object_id AS bigint) FROM sys.change_tracking_tables AS t";
const COLLATIONS: &str = "SELECT DISTINCT CAST(c.collation_name AS nvarchar(128)),
    CAST(COLLATIONPROPERTY(c.collation_name, 'CodePage') AS int)
  FROM sys.columns AS c WHERE c.collation_name IS NOT NULL";

/// The code pages that legacy text comes in; `None` for one that is not known.
pub(super) fn encoding(code_page: i64) -> Option<&'static Encoding> {
    Some(match code_page {
        936 => encoding_rs::GBK,
        54936 => encoding_rs::GB18030,
        950 => encoding_rs::BIG5,
        932 => encoding_rs::SHIFT_JIS,
        949 => encoding_rs::EUC_KR,
        874 => encoding_rs::WINDOWS_874,
        1250 => encoding_rs::WINDOWS_1250,
        1251 => encoding_rs::WINDOWS_1251,
        1252 => encoding_rs::WINDOWS_1252,
        65001 => encoding_rs::UTF_8,
        _ => return None,
    })
}

/// The code page of every collation that occurs.
pub(super) async fn collations(source: &Inner) -> Result<BTreeMap<String, i64>, SourceError> {
    let rows = source.plain().await?.ask(&source.id, phrase!("source.code_pages"), COLLATIONS).await?;
    Ok(rows.iter().filter_map(|r| Some((answer::text(r, 0)?, answer::int(r, 1)?))).collect())
}

/// Every table and view of the schema, by name.
pub(super) async fn tables(source: &Inner) -> Result<Vec<Table>, SourceError> {
    let collations = collations(source).await?;
    let mut columns: BTreeMap<i64, Vec<Column>> = BTreeMap::new();
    for row in source.catalogue(COLUMNS).await? {
        let Some(table) = answer::int(&row, 0) else { continue };
        let name = answer::text(&row, 8).unwrap_or_default();
        columns.entry(table).or_default().push(column(source, &row, &collations, &name));
    }
    let mut keys: BTreeMap<i64, Vec<Key>> = BTreeMap::new();
    for row in source.catalogue(KEYS).await? {
        let (Some(table), Some(index), Some(name)) =
            (answer::int(&row, 0), answer::int(&row, 1), answer::text(&row, 3))
        else {
            continue;
        };
        let of = keys.entry(table).or_default();
        match of.last_mut() {
            Some(key) if key.index == index => key.columns.push(name),
            _ => of.push(Key { index, primary: answer::int(&row, 2) == Some(1), columns: vec![name] }),
        }
    }
    let rows: BTreeMap<i64, i64> = source
        .catalogue(ROWS)
        .await?
        .iter()
        .filter_map(|r| Some((answer::int(r, 0)?, answer::int(r, 1)?)))
        .collect();
    let sizes = source.probe(LOBS).await?.unwrap_or_default();
    let lobs: BTreeMap<i64, i64> =
        sizes.iter().filter_map(|r| Some((answer::int(r, 0)?, answer::int(r, 1)?))).collect();
    // A server without change tracking does not know the view.
    let tracked = source.probe(TRACKED).await?.unwrap_or_default();
    let tracked: Vec<i64> = tracked.iter().filter_map(|r| answer::int(r, 0)).collect();
    let mut found = Vec::new();
    for row in source.catalogue(TABLES).await? {
        let (Some(id), Some(name)) = (answer::int(&row, 0), answer::text(&row, 1)) else { continue };
        let table = Table {
            name,
            view: answer::int(&row, 2) == Some(1),
            identity: answer::text(&row, 3).map(|created| format!("object {id} created {created}")),
            columns: columns.remove(&id).unwrap_or_default(),
            estimated_rows: rows.get(&id).and_then(|n| u64::try_from(*n).ok()).unwrap_or(0),
            lob_bytes: lobs.get(&id).and_then(|n| u64::try_from(*n).ok()).unwrap_or(0),
            ..Table::default()
        };
        found.push(finished(source, table, keys.remove(&id).unwrap_or_default(), tracked.contains(&id))?);
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// A unique index.
struct Key {
    index: i64,
    primary: bool,
    columns: Vec<String>,
}

/// A column as T-SQL would declare it; the collation where it is not the database's.
fn column(source: &Inner, row: &tiberius::Row, collations: &BTreeMap<String, i64>, table: &str) -> Column {
    let text = |at| answer::text(row, at).unwrap_or_default();
    let number = |at| answer::int(row, at).unwrap_or(0);
    let (name, base, length) = (text(1), text(2).to_ascii_lowercase(), number(3));
    let sized = |unit: i64| if length < 0 { "(max)".to_owned() } else { format!("({})", length / unit) };
    let mut declared = match base.as_str() {
        "char" | "varchar" | "binary" | "varbinary" => format!("{base}{}", sized(1)),
        "nchar" | "nvarchar" => format!("{base}{}", sized(2)),
        "sysname" => format!("nvarchar{}", sized(2)),
        "decimal" | "numeric" => format!("{base}({},{})", number(4), number(5)),
        "datetime2" | "time" | "datetimeoffset" => format!("{base}({})", number(5)),
        _ => base,
    };
    let collation = answer::text(row, 7);
    let mut kind = LegacyType::parse(&declared, source.settings.time_zone);
    // Both are exactly what the server writes of them.
    if matches!(declared.as_str(), "xml" | "hierarchyid") {
        kind = Some(LegacyType::Unicode);
    }
    let set = source.settings.encoding_of(table, &name);
    let mut page = set.unwrap_or_else(|| TextEncoding::code_page(source.code_page));
    if let Some(collation) = collation.filter(|_| kind.is_some_and(LegacyType::is_text)) {
        let of = collations.get(&collation).copied().and_then(encoding).map(TextEncoding::code_page);
        let known = set.or(of);
        page = known.unwrap_or(page);
        if kind == Some(LegacyType::CodePageText) && known.is_none() {
            kind = None;
        }
        if collation != source.collation || kind.is_none() {
            declared = format!("{declared} COLLATE {collation}");
        }
    }
    let encoding = match kind {
        Some(LegacyType::CodePageText) => Some(page),
        Some(LegacyType::Unicode) => Some(TextEncoding::Utf16),
        _ => None,
    };
    Column { name, declared, kind, nullable: number(6) == 1, encoding, loose: false }
}

/// Chooses the key, and says how changes could be found.
fn finished(source: &Inner, mut table: Table, keys: Vec<Key>, tracked: bool) -> Result<Table, SourceError> {
    let solid = |names: &[String]| names.iter().all(|n| table.column(n).is_some_and(|c| !c.nullable));
    let primary = keys.iter().find(|k| k.primary).map(|k| k.columns.clone());
    let wanted = source.settings.table(&table.name).key;
    // A view has no index; that its key is one is proved when its rows are compared.
    let own = table.view && wanted.iter().all(|name| table.column(name).is_some());
    let key = if own && !wanted.is_empty() {
        wanted
    } else if wanted.is_empty() {
        keys.into_iter().map(|k| k.columns).find(|names| solid(names)).unwrap_or_default()
    } else if keys.iter().any(|k| k.columns == wanted) && solid(&wanted) {
        wanted
    } else {
        let hint = table.differing_in_case(&wanted);
        let what = format!("unique index over {} ({}) without NULLs{hint}", table.name, wanted.join(", "));
        return Err(SourceError::Unknown { id: source.id.clone(), what });
    };
    refuse_settings(source, &table)?;
    let mut changes = Vec::new();
    // Change tracking tells deletes by the primary key.
    if tracked && !source.secondary && primary.as_ref() == Some(&key) {
        changes.push(ChangeMethod::ChangeTracking);
    }
    let version = table.columns.iter().find(|c| matches!(c.declared.as_str(), "timestamp" | "rowversion"));
    if let Some(version) = version
        && !key.is_empty()
    {
        // In a copy, transactions that were open are undone; a secondary does not see them.
        if source.way != Way::Still && !source.secondary {
            changes.push(ChangeMethod::Rowversion);
        }
        table.change_column = Some(version.name.clone());
    }
    table.key = key;
    changes.extend(table.plain_changes());
    table.changes = changes;
    Ok(table)
}

/// Encodings are set for columns that are there, and that have a code page.
fn refuse_settings(source: &Inner, table: &Table) -> Result<(), SourceError> {
    let settings = source.settings.table(&table.name);
    for (name, _) in settings.columns.iter().filter(|(_, of)| of.encoding.is_some()) {
        let column = table.column(name);
        let what = match column.map(|c| (c.kind, &c.declared)) {
            Some((Some(LegacyType::CodePageText), _)) => continue,
            Some((_, declared)) => format!("code page to set for {}.{name}: it is {declared}", table.name),
            None => {
                let hint = differs_in_case(name, table.columns.iter().map(|c| c.name.as_str()));
                format!("column {}.{name}, which an encoding is set for{hint}", table.name)
            }
        };
        return Err(SourceError::Unknown { id: source.id.clone(), what });
    }
    Ok(())
}

impl Inner {
    /// A question to the catalogue, of this schema.
    async fn catalogue(&self, sql: &str) -> Result<Vec<tiberius::Row>, SourceError> {
        let sql = sql.replace("{schema}", &literal::unicode(&self.schema));
        self.reader().await?.ask(&self.id, phrase!("source.catalogue"), &sql).await
    }
}
