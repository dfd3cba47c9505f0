//! What changed in a table since an earlier extract: by the transaction that wrote each row, or by a column that every change sets.
//!
//! Always: never fewer rows than changed; deletes are not seen (the caller compares keys). Every row of PostgreSQL carries the
//! number of its transaction (xmin, 32 bits); counted back from the snapshot's own 64-bit number it says exactly which rows are
//! younger than an earlier snapshot, as long as fewer than 2³¹ transactions lie between, and it is the same cluster and timeline.

use super::super::{ChangeMethod, SourceError, Table, TableSettings};
use super::{Inner, quote};

/// Between a transaction's number and the cluster whose it is.
const OF: &str = " of ";
/// Transactions that a 32-bit number can be counted back over.
const HORIZON: i64 = 1 << 31;

fn no_method(source: &Inner, table: &Table, how: &TableSettings) -> SourceError {
    SourceError::NoMethod { id: source.id.clone(), table: table.name.clone(), method: how.changes.text() }
}

/// The column of the timestamp method: its name and type in SQL.
fn stamp(source: &Inner, table: &Table, how: &TableSettings) -> Result<(String, String), SourceError> {
    let column = how.column.as_ref().and_then(|name| table.column(name));
    let column = column.ok_or_else(|| no_method(source, table, how))?;
    let timed = column.declared.starts_with("timestamp") || column.declared == "date";
    if timed {
        Ok((quote(&column.name), column.declared.clone()))
    } else {
        Err(no_method(source, table, how))
    }
}

async fn one(source: &Inner, what: String, sql: &str) -> Result<Option<String>, SourceError> {
    let reader = source.reader().await?;
    let row = reader.client()?.query_one(sql, &[]).await.map_err(source.failed(what))?;
    reader.release().await;
    Ok(row.get(0))
}

/// How far the changes have come at this point.
pub(super) async fn mark(
    source: &Inner,
    table: &Table,
    how: &TableSettings,
) -> Result<Option<String>, SourceError> {
    let what = format!("asking how far {} has come", table.name);
    match how.changes {
        ChangeMethod::Full | ChangeMethod::Compare => Ok(None),
        ChangeMethod::ChangeTracking => Err(no_method(source, table, how)),
        ChangeMethod::Rowversion if !source.keeps_xmin => Err(no_method(source, table, how)),
        // Everything below it was decided when the snapshot was taken.
        ChangeMethod::Rowversion => {
            let sql = "SELECT txid_snapshot_xmin(txid_current_snapshot())::text";
            let oldest = one(source, what, sql).await?;
            Ok(oldest.map(|oldest| format!("{oldest}{OF}{}", source.cluster)))
        }
        ChangeMethod::Timestamp => {
            let (column, declared) = stamp(source, table, how)?;
            let from = source.named(&table.name);
            // Stamps of the future must not hide what is stamped after this point and before them.
            let taken = source.holder.lock().await.taken.clone();
            let point = taken.map_or("now()".to_owned(), |at| format!("'{at}'::timestamptz"));
            // An empty table has come as far as nothing.
            let sql = format!(
                "SELECT coalesce(max({column}), '-infinity'::{declared})::text FROM {from} WHERE {column} <= {point}::{declared}"
            );
            one(source, what, &sql).await
        }
    }
}

/// What follows the table's name to read the rows that changed after `since`.
pub(super) async fn condition(
    source: &Inner,
    table: &Table,
    how: &TableSettings,
    since: &str,
) -> Result<String, SourceError> {
    match how.changes {
        ChangeMethod::Full | ChangeMethod::Compare | ChangeMethod::ChangeTracking => {
            Err(no_method(source, table, how))
        }
        ChangeMethod::Rowversion => younger(source, table, since).await,
        ChangeMethod::Timestamp => {
            let (column, declared) = stamp(source, table, how)?;
            let since = since.replace('\'', "''");
            // A row without a stamp may have changed at any time.
            Ok(format!(
                " WHERE {column} >= '{since}'::{declared} - interval '{} seconds' OR {column} IS NULL",
                how.overlap_seconds
            ))
        }
    }
}

async fn younger(source: &Inner, table: &Table, since: &str) -> Result<String, SourceError> {
    let expired = |oldest: String| SourceError::Expired {
        id: source.id.clone(),
        table: table.name.clone(),
        since: since.to_owned(),
        oldest,
    };
    let (number, cluster) = since.split_once(OF).unwrap_or((since, ""));
    if cluster != source.cluster {
        return Err(expired(format!("its own beginning{OF}{}", source.cluster)));
    }
    let since: i64 = number.parse().map_err(|_| expired("a transaction number".to_owned()))?;
    let what = format!("asking how far {} has come", table.name);
    let now = one(source, what, "SELECT txid_snapshot_xmax(txid_current_snapshot())::text").await?;
    let now: i64 = now.and_then(|n| n.parse().ok()).unwrap_or(i64::MAX);
    let back = now.saturating_sub(since);
    if !(0..HORIZON).contains(&back) {
        return Err(expired((now.saturating_sub(HORIZON)).to_string()));
    }
    // How many transactions ago the row was written, modulo 2³²; frozen rows of old servers carry 2 and count as old.
    let ago = format!("(({now} - xmin::text::bigint) & 4294967295)");
    Ok(format!(" WHERE {ago} <= {back} AND xmin::text <> '2'"))
}
