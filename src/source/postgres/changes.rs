//! What changed in a table since an earlier extract: by the transaction that wrote each row, or by a column that every change sets.
//!
//! Always: never fewer rows than changed; deletes are not seen (the caller compares keys). Every row of PostgreSQL carries the
//! number of its transaction (xmin, 32 bits); counted back from the snapshot's own 64-bit number it says exactly which rows are
//! younger than an earlier snapshot, as long as fewer than 2³¹ transactions lie between, and it is the same cluster and timeline. A
//! cluster whose files were put back while it was down looks the same, and its numbers go on over others: so a number is trusted only
//! as long as the server runs on.

use super::super::{ChangeMethod, SourceError, Table, TableSettings};
use super::session::rows;
use super::{Inner, quote};
use crate::phrase;

/// Between a transaction's number and the cluster whose it is.
const OF: &str = " of ";
/// Between a stamp and the number of the transaction that was the oldest then.
const AFTER: &str = " after ";
/// Between the cluster and the time when its server was started.
const RUNNING: &str = " running since ";
/// Transactions that a 32-bit number can be counted back over.
const HORIZON: i64 = 1 << 31;

fn no_method(source: &Inner, table: &Table, how: &TableSettings) -> SourceError {
    SourceError::NoMethod { id: source.id.clone(), table: table.name.clone(), method: how.changes.text() }
}

/// The column of the timestamp method: its name and type in SQL.
fn stamp(source: &Inner, table: &Table, how: &TableSettings) -> Result<(String, String), SourceError> {
    let column = how.column.as_ref().and_then(|name| table.any_column(name));
    let column = column.ok_or_else(|| no_method(source, table, how))?;
    let timed = column.declared.starts_with("timestamp") || column.declared == "date";
    if timed {
        Ok((quote(&column.name), column.declared.clone()))
    } else {
        Err(no_method(source, table, how))
    }
}

/// The one answer to a question at the point; about a table's rows where it is named.
async fn one(source: &Inner, table: &Table, sql: &str) -> Result<Option<String>, SourceError> {
    let reader = source.reader_of(table).await?;
    let found = rows(reader.client()?, sql, &[]).await;
    let found = found.map_err(source.failed(phrase!("source.how_far", table = table.name)))?;
    reader.release().await;
    Ok(found.first().and_then(|row| row.get(0)))
}

/// How far the changes have come at this point.
pub(super) async fn watermark(
    source: &Inner,
    table: &Table,
    how: &TableSettings,
) -> Result<Option<String>, SourceError> {
    match how.changes {
        ChangeMethod::Full | ChangeMethod::Compare => Ok(None),
        ChangeMethod::ChangeTracking => Err(no_method(source, table, how)),
        // Rows of a view do not say which transaction wrote them.
        _ if table.view => Err(no_method(source, table, how)),
        ChangeMethod::Rowversion if !source.keeps_xmin() => Err(no_method(source, table, how)),
        ChangeMethod::Rowversion => decided(source, table).await.map(Some),
        ChangeMethod::Timestamp => {
            let stamp = stamped(source, table, how).await?;
            if !source.keeps_xmin() {
                return Ok(stamp);
            }
            let decided = decided(source, table).await?;
            Ok(stamp.map(|stamp| format!("{stamp}{AFTER}{decided}")))
        }
    }
}

/// Whether the server has run on since a watermark was taken: otherwise its files may have been put back, and other transactions
/// have the numbers that were seen.
pub(super) fn goes_on(source: &Inner, since: &str) -> bool {
    let running = since.split_once(RUNNING).map(|(_, started)| started);
    // What has no number of a transaction tells nothing about the server.
    running == Some(source.started.as_str()) || !since.contains(OF)
}

/// The transaction below which every one was decided when the snapshot was taken, and whose number it is.
async fn decided(source: &Inner, table: &Table) -> Result<String, SourceError> {
    let oldest = one(source, table, "SELECT txid_snapshot_xmin(txid_current_snapshot())::text").await?;
    Ok(format!("{}{OF}{}{RUNNING}{}", oldest.unwrap_or_default(), source.cluster, source.started))
}

/// The last stamp that is not of the future, before whatever may still be stamped: a transaction that is open now stamps with the
/// time of its beginning, and is seen later.
async fn stamped(source: &Inner, table: &Table, how: &TableSettings) -> Result<Option<String>, SourceError> {
    let (column, declared) = stamp(source, table, how)?;
    let from = source.from(table);
    let (taken, open) = {
        let holder = source.holder.lock().await;
        (holder.taken.clone(), holder.open_since.clone())
    };
    // A stamp without a zone is a wall clock: that of the server or of the source, whichever is earlier.
    let moment = |at: &str| match declared.ends_with("with time zone") {
        true => format!("'{at}'::timestamptz"),
        false => format!(
            "least('{at}'::timestamptz AT TIME ZONE '{}', '{at}'::timestamptz AT TIME ZONE '{}')::{declared}",
            source.zone.replace('\'', "''"),
            source.settings.time_zone
        ),
    };
    // Stamps of the future must not hide what is stamped after this point and before them.
    let point = moment(&taken.unwrap_or_else(|| "now".to_owned()));
    let first = open.map_or_else(|| point.clone(), |at| format!("least({point}, {})", moment(&at)));
    // An empty table has come as far as nothing.
    let sql = format!(
        "SELECT least(coalesce(max({column}), '-infinity'::{declared}), {first})::text FROM {from} WHERE {column} <= {point}"
    );
    one(source, table, &sql).await
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
        ChangeMethod::Rowversion => Ok(format!(" WHERE {}", younger(source, table, since, since).await?)),
        ChangeMethod::Timestamp => {
            let (column, declared) = stamp(source, table, how)?;
            // Stamps may be older than the transaction that writes them: whatever was not decided then is read as well.
            let (stamp, undecided) = match since.split_once(AFTER) {
                Some((stamp, number)) => {
                    (stamp, format!(" OR {}", younger(source, table, number, since).await?))
                }
                None => (since, String::new()),
            };
            let stamp = stamp.replace('\'', "''");
            // A row without a stamp may have changed at any time.
            Ok(format!(
                " WHERE {column} >= '{stamp}'::{declared} - interval '{} seconds' OR {column} IS NULL{undecided}",
                how.overlap_seconds
            ))
        }
    }
}

/// What is true of rows that a transaction wrote which was not decided at `number`.
async fn younger(source: &Inner, table: &Table, number: &str, since: &str) -> Result<String, SourceError> {
    let expired = |oldest: String| SourceError::Expired {
        id: source.id.clone(),
        table: table.name.clone(),
        since: since.to_owned(),
        oldest,
    };
    let (number, cluster) = number.split_once(OF).unwrap_or((number, ""));
    let cluster = cluster.split_once(RUNNING).map_or(cluster, |(cluster, _)| cluster);
    if cluster != source.cluster {
        return Err(expired(format!("its own beginning{OF}{}", source.cluster)));
    }
    let since: i64 = number.parse().map_err(|_| expired("a transaction number".to_owned()))?;
    let now = one(source, table, "SELECT txid_snapshot_xmax(txid_current_snapshot())::text").await?;
    let now: i64 = now.and_then(|n| n.parse().ok()).unwrap_or(i64::MAX);
    let back = now.saturating_sub(since);
    // A number that is still to come: the server was set back to an older state.
    if !(0..HORIZON).contains(&back) {
        return Err(expired((now.saturating_sub(HORIZON)).to_string()));
    }
    // How many transactions ago the row was written, modulo 2³²; frozen rows of old servers carry 2 and count as old.
    let ago = format!("(({now} - xmin::text::bigint) & 4294967295)");
    Ok(format!("({ago} <= {back} AND xmin::text <> '2')"))
}
