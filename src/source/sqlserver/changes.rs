//! What changed in a table since an earlier extract: change tracking, a rowversion column, or a column that every change sets.
//!
//! Always: never fewer rows than changed. A rowversion is given when a statement runs, not when it commits: only what is below every
//! open transaction counts as seen (`MIN_ACTIVE_ROWVERSION`). A stamp is given before it is committed: a watermark stays behind the
//! begin of the oldest open transaction that has written. Watermarks are the server's own typed values, compared by the server; each
//! belongs to one history of one database.

use std::sync::Arc;

use super::super::{ChangeMethod, ChunkStream, Column, SourceError, Table, TableSettings};
use super::decode::expression;
use super::literal::{quote, unicode};
use super::read::{by_key, select, stream};
use super::session::Writers;
use super::{Inner, Way, answer};
use crate::phrase;

/// Between a watermark and the database in whose history it counts.
const OF: &str = " of ";
/// The watermark of a table without a stamp: everything is later.
const NOTHING: &str = "nothing";
const CURRENT: &str = "SELECT CAST(CHANGE_TRACKING_CURRENT_VERSION() AS varchar(20))";

/// A watermark that counts in this database's own history.
///
/// # Errors
/// `SRC-023` for one of another database, or of a history that was restored away.
fn counted<'s>(source: &Inner, table: &Table, since: &'s str) -> Result<&'s str, SourceError> {
    of_history(source, table, since, &source.history)
}

fn of_history<'s>(source: &Inner, table: &Table, since: &'s str, now: &str) -> Result<&'s str, SourceError> {
    let (value, history) = since.split_once(OF).unwrap_or((since, ""));
    if history == now { Ok(value) } else { Err(expired(source, table, since, now)) }
}

/// A rowversion that the database has given out already: a server that was set back to an older state has not.
async fn given_out<'s>(source: &Inner, table: &Table, since: &'s str) -> Result<&'s str, SourceError> {
    let value = counted(source, table, since)?;
    let sql = "SELECT CONVERT(varchar(18), CAST(@@DBTS AS binary(8)), 1)";
    let newest = source.probe(sql).await?.and_then(|rows| rows.first().and_then(|r| answer::text(r, 0)));
    match newest {
        Some(newest) if newest.to_ascii_lowercase() < value.to_ascii_lowercase() => {
            Err(expired(source, table, since, &format!("a state of which the newest is {newest}")))
        }
        Some(_) | None => Ok(value),
    }
}

fn expired(source: &Inner, table: &Table, since: &str, oldest: &str) -> SourceError {
    SourceError::Expired {
        id: source.id.clone(),
        table: table.name.clone(),
        since: since.to_owned(),
        oldest: oldest.to_owned(),
    }
}

fn no_method(source: &Inner, table: &Table, how: &TableSettings) -> SourceError {
    SourceError::NoMethod { id: source.id.clone(), table: table.name.clone(), method: how.changes.text() }
}

/// The column of the method, which must be of a type that it can follow.
fn column<'t>(
    source: &Inner,
    table: &'t Table,
    how: &TableSettings,
    fits: impl Fn(&Column) -> bool,
) -> Result<&'t Column, SourceError> {
    let name = how.column.as_ref().or(table.change_column.as_ref());
    let column = name.and_then(|name| table.column(name)).filter(|c| fits(c));
    column.ok_or_else(|| no_method(source, table, how))
}

fn timed(column: &Column) -> bool {
    let base = column.declared.split('(').next().unwrap_or_default();
    matches!(base, "datetime" | "smalldatetime" | "datetime2" | "date")
}

fn versioned(column: &Column) -> bool {
    matches!(column.declared.as_str(), "timestamp" | "rowversion")
}

async fn one(source: &Inner, table: &Table, sql: &str) -> Result<Option<String>, SourceError> {
    let what = phrase!("source.how_far", table = table.name);
    let rows = source.reader().await?.ask(&source.id, what, sql).await?;
    Ok(rows.first().and_then(|row| answer::text(row, 0)))
}

/// How far the changes have come at this point.
pub(super) async fn watermark(
    source: &Inner,
    table: &Table,
    how: &TableSettings,
) -> Result<Option<String>, SourceError> {
    let counted = |mark: Option<String>| {
        let mark = mark.map(|mark| format!("{mark}{OF}{}", source.history));
        mark.map(Some).ok_or_else(|| no_method(source, table, how))
    };
    match how.changes {
        ChangeMethod::Full | ChangeMethod::Compare => Ok(None),
        // A secondary sees neither.
        ChangeMethod::ChangeTracking | ChangeMethod::Rowversion if source.secondary => {
            Err(no_method(source, table, how))
        }
        ChangeMethod::ChangeTracking => counted(one(source, table, CURRENT).await?),
        ChangeMethod::Rowversion => {
            column(source, table, how, versioned)?;
            let mark = match source.way {
                // Transactions that were open when the copy was made were undone in it, and may have committed since in the original.
                Way::Still => None,
                Way::OneSession => source.holder.lock().await.rowversion.clone(),
                Way::Fuzzy => {
                    one(source, table, "SELECT CONVERT(varchar(18), CAST(CAST(MIN_ACTIVE_ROWVERSION() AS bigint) - 1 AS binary(8)), 1)").await?
                }
            };
            counted(mark)
        }
        ChangeMethod::Timestamp => {
            let column = column(source, table, how, timed)?;
            let (name, kind) = (quote(&column.name), &column.declared);
            // Stamps of the future must not hide what is stamped after this point and before them, nor what is seen what is not.
            let holder = source.holder.lock().await;
            let until = match &holder.writers {
                Writers::Since(begun) if *begun < holder.taken => begun.clone(),
                Writers::Since(_) | Writers::None | Writers::Unseen | Writers::Undone => holder.taken.clone(),
            };
            drop(holder);
            let sql = format!(
                "SELECT CONVERT(varchar(40), MAX(t.{name}), 126) FROM {} AS t
                 WHERE t.{name} <= CAST(CAST('{until}' AS datetime2(7)) AS {kind})",
                source.named(&table.name)
            );
            // An empty table has come as far as nothing.
            let stamp = one(source, table, &sql).await?.unwrap_or_else(|| NOTHING.to_owned());
            Ok(Some(format!("{stamp}{OF}{}", source.stamps)))
        }
    }
}

/// `CHANGETABLE` of a table since a version that the server still knows.
async fn changetable(source: &Inner, table: &Table, since: &str) -> Result<String, SourceError> {
    let since = counted(source, table, since)?;
    let named = source.named(&table.name);
    let sql = format!(
        "SELECT CAST(CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID({})) AS varchar(20))",
        unicode(&named)
    );
    let oldest = one(source, table, &sql).await?;
    let known: Option<i64> = oldest.as_ref().and_then(|v| v.parse().ok());
    let newest: Option<i64> = one(source, table, CURRENT).await?.and_then(|v| v.parse().ok());
    match (known, newest, since.parse::<i64>()) {
        (Some(oldest), Some(newest), Ok(since)) if (oldest..=newest).contains(&since) => {
            Ok(format!("CHANGETABLE(CHANGES {named}, {since}) AS c"))
        }
        _ => {
            let oldest = oldest
                .unwrap_or_else(|| "nothing: it is not tracked, or the login may not see that".to_owned());
            Err(expired(source, table, since, &oldest))
        }
    }
}

/// The rows that changed after `since`.
pub(super) async fn changed(
    source: &Arc<Inner>,
    table: &Table,
    how: &TableSettings,
    since: &str,
) -> Result<ChunkStream, SourceError> {
    let condition = match how.changes {
        ChangeMethod::Full | ChangeMethod::Compare => return Err(no_method(source, table, how)),
        ChangeMethod::ChangeTracking => {
            let changes = changetable(source, table, since).await?;
            let same: Vec<String> = table.key.iter().map(|k| format!("c.{0} = t.{0}", quote(k))).collect();
            format!(
                " WHERE EXISTS (SELECT 1 FROM {changes} WHERE {} AND c.SYS_CHANGE_OPERATION <> N'D')",
                same.join(" AND ")
            )
        }
        ChangeMethod::Rowversion => {
            let column = column(source, table, how, versioned)?;
            let hex = given_out(source, table, since).await?;
            let hex =
                hex.strip_prefix("0x").filter(|h| h.len() == 16 && h.chars().all(|c| c.is_ascii_hexdigit()));
            let hex = hex.ok_or_else(|| no_method(source, table, how))?;
            format!(" WHERE t.{} > 0x{hex}", quote(&column.name))
        }
        ChangeMethod::Timestamp => {
            let column = column(source, table, how, timed)?;
            let since = of_history(source, table, since, &source.stamps)?;
            if since == NOTHING {
                return stream(source, table, &by_key(table)).await;
            }
            let (name, kind) = (quote(&column.name), &column.declared);
            let since = since.replace('\'', "''");
            // A row without a stamp may have changed at any time; a date counts whole days.
            let from = if kind == "date" {
                let days = how.overlap_seconds.div_ceil(86_400);
                format!("DATEADD(day, -{days}, CAST('{since}' AS date))")
            } else {
                format!("DATEADD(second, -{}, CAST('{since}' AS {kind}))", how.overlap_seconds)
            };
            format!(" WHERE (t.{name} >= {from} OR t.{name} IS NULL)")
        }
    };
    stream(source, table, &format!("{condition}{}", by_key(table))).await
}

/// The keys that change tracking saw deleted after `since`; no other method sees deletes.
pub(super) async fn deleted(
    source: &Arc<Inner>,
    table: &Table,
    how: &TableSettings,
    since: &str,
) -> Result<Option<ChunkStream>, SourceError> {
    if how.changes != ChangeMethod::ChangeTracking {
        return Ok(None);
    }
    let changes = changetable(source, table, since).await?.replace(" AS c", " AS t");
    let keys = table.keys_only();
    let list: Vec<String> = keys.columns.iter().map(|c| expression(c, source.unicode)).collect();
    let sql = format!(
        "SELECT {} FROM {changes} WHERE t.SYS_CHANGE_OPERATION = N'D'{}{}",
        list.join(", "),
        by_key(&keys),
        source.hint
    );
    select(source, &keys, sql).await.map(Some)
}
