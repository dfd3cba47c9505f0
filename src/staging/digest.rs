//! Digests of rows in buckets, on both sides, and the rows behind buckets that differ.
//!
//! Always: the full population, in no order, in bounded memory: buckets that differ are gone through in groups of so many rows as fit.
//! Must not know: what the columns mean.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::load::{Rows, key, origin_of};
use super::server::Server;
use super::{Shared, StagingError, ddl, row};
use crate::artifacts::{RehearsalKind, RehearsalProblem, RehearsalRow};
use crate::measures::ContentDigest;

/// Rows of differing buckets that are looked at in one pass over both sides: 80 bytes each.
const PASS_ROWS: u64 = 1_000_000;
/// Rows of a kind that are named in a problem; all are counted.
const NAMED: usize = 1_000;

/// Counts a binary row, whose key stands in these fields.
pub(super) fn count(of: &mut ContentDigest, row: &[u8], key: &[usize]) {
    // What is no row has a digest as well, which no row has.
    let (key, digest) = row::digests(row, key).unwrap_or((0, 1));
    of.count(bucket(key), digest);
}

fn bucket(key: u128) -> usize {
    usize::from(key.to_be_bytes()[0])
}

/// The query of all rows of a table, in the national columns' order.
fn all_rows(of: &Shared, table: usize) -> String {
    let table = &of.tables[table];
    let columns: Vec<String> = table.columns.iter().map(|c| ddl::name(&c.code)).collect();
    format!("SELECT {} FROM {}", columns.join(", "), ddl::qualified(&of.shadow, &table.name))
}

/// The digests of a table as the server gives its rows back.
async fn given_back(of: &Shared, server: &Server, table: usize) -> Result<ContentDigest, StagingError> {
    let session = server.session().await?;
    let mut found = ContentDigest::default();
    let what = format!("reading {} back", of.tables[table].name);
    session
        .copy_out(&what, &all_rows(of, table), |row| {
            count(&mut found, row, of.key(table));
            Ok(())
        })
        .await?;
    Ok(found)
}

/// Reads tables back from the queue until none is left.
pub(super) async fn work(
    of: Arc<Shared>,
    server: Server,
    queue: Arc<Mutex<VecDeque<usize>>>,
    done: tokio::sync::mpsc::UnboundedSender<(usize, ContentDigest)>,
) -> Result<(), StagingError> {
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    while let Some(table) = next() {
        let found = given_back(&of, &server, table).await;
        let found = found.inspect_err(|_| queue.lock().unwrap_or_else(PoisonError::into_inner).clear())?;
        if done.send((table, found)).is_err() {
            break;
        }
    }
    Ok(())
}

/// Rows of one key on both sides: how many, and the sum of their digests.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
struct Pair {
    staged: (u64, u128),
    given: (u64, u128),
}

/// The rows behind buckets that differ, as problems: missing, extra, changed.
pub(super) async fn differences(
    of: &Shared,
    server: &Server,
    table: usize,
    parts: &[PathBuf],
    sent: &ContentDigest,
    given: &ContentDigest,
) -> Result<Vec<RehearsalProblem>, StagingError> {
    let mut kinds: BTreeMap<RehearsalKind, (u64, Vec<RehearsalRow>)> = BTreeMap::new();
    for group in sent.differing(given, PASS_ROWS) {
        let wanted = |key: u128| group.contains(&bucket(key));
        let mut pairs: HashMap<u128, Pair> = HashMap::new();
        staged_rows(of, table, parts, |row, _| {
            let (key, digest) = row::digests(row, of.key(table)).unwrap_or((0, 1));
            if wanted(key) {
                let side = &mut pairs.entry(key).or_default().staged;
                *side = (side.0 + 1, side.1.wrapping_add(digest));
            }
            Ok(())
        })?;
        let session = server.session().await?;
        session
            .copy_out("reading differing rows back", &all_rows(of, table), |row| {
                let (key, digest) = row::digests(row, of.key(table)).unwrap_or((0, 1));
                if wanted(key) {
                    let side = &mut pairs.entry(key).or_default().given;
                    *side = (side.0 + 1, side.1.wrapping_add(digest));
                }
                Ok(())
            })
            .await?;
        pairs.retain(|_, pair| pair.staged != pair.given);
        name(of, server, table, parts, &pairs, &mut kinds).await?;
    }
    let problem = |(kind, (rows, mut samples)): (RehearsalKind, (u64, Vec<RehearsalRow>))| {
        samples.sort_unstable();
        let mut columns: Vec<String> = samples.iter().flat_map(|s| s.columns.clone()).collect();
        columns.sort_unstable();
        columns.dedup();
        RehearsalProblem {
            kind,
            table: of.tables[table].name.clone(),
            columns,
            what: String::new(),
            rows,
            samples,
        }
    };
    Ok(kinds.into_iter().map(problem).collect())
}

fn staged_rows(
    of: &Shared,
    table: usize,
    parts: &[PathBuf],
    mut each: impl FnMut(&[u8], &dyn Fn() -> Result<RehearsalRow, StagingError>) -> Result<(), StagingError>,
) -> Result<(), StagingError> {
    let table = &of.tables[table];
    let mut bytes = Vec::new();
    for part in parts {
        let mut rows = Rows::open(table, part, 0, u64::MAX)?;
        while rows.batch(|batch, at| {
            bytes.clear();
            row::append(table, batch, at, &mut bytes)?;
            each(&bytes, &|| origin_of(table, batch, at))
        })? {}
    }
    Ok(())
}

/// Fills in where staged rows of these keys came from.
pub(super) fn origins(
    of: &Shared,
    table: usize,
    parts: &[PathBuf],
    wanted: &mut HashMap<u128, RehearsalRow>,
) -> Result<(), StagingError> {
    let place = of.key(table);
    staged_rows(of, table, parts, |row, origin| {
        if let Some(found) = row::digests(row, place).and_then(|(key, _)| wanted.get_mut(&key)) {
            *found = origin()?;
        }
        Ok(())
    })
}

fn kind(pair: &Pair) -> RehearsalKind {
    match (pair.staged.0, pair.given.0) {
        (staged, given) if given < staged => RehearsalKind::Missing,
        (staged, given) if given > staged => RehearsalKind::Extra,
        _ => RehearsalKind::Changed,
    }
}

/// Counts the rows of each kind, and names the first of them: keys, origins, columns.
async fn name(
    of: &Shared,
    server: &Server,
    table: usize,
    parts: &[PathBuf],
    pairs: &HashMap<u128, Pair>,
    kinds: &mut BTreeMap<RehearsalKind, (u64, Vec<RehearsalRow>)>,
) -> Result<(), StagingError> {
    let mut keys: Vec<(&u128, &Pair)> = pairs.iter().collect();
    keys.sort_unstable_by_key(|(key, _)| **key);
    // Key → kind, the staged row, the row that came back.
    let mut shown: HashMap<u128, (RehearsalKind, Vec<u8>, Vec<u8>, RehearsalRow)> = HashMap::new();
    for (key, pair) in keys {
        let entry = kinds.entry(kind(pair)).or_default();
        entry.0 += pair.staged.0.abs_diff(pair.given.0).max(1);
        let open = shown.values().filter(|s| s.0 == kind(pair)).count();
        if entry.1.len() + open < NAMED {
            shown.insert(*key, (kind(pair), Vec::new(), Vec::new(), RehearsalRow::default()));
        }
    }
    let place = of.key(table);
    staged_rows(of, table, parts, |row, origin| {
        if let Some(found) = row::digests(row, place).and_then(|(key, _)| shown.get_mut(&key)) {
            (found.1, found.3) = (row.to_vec(), origin()?);
        }
        Ok(())
    })?;
    let session = server.session().await?;
    session
        .copy_out("reading differing rows back", &all_rows(of, table), |row| {
            if let Some(found) = row::digests(row, place).and_then(|(key, _)| shown.get_mut(&key)) {
                found.2 = row.to_vec();
            }
            Ok(())
        })
        .await?;
    let national = &of.tables[table];
    for (kind, staged, given, mut origin) in shown.into_values() {
        if staged.is_empty() {
            origin.key = key(national, &given);
        }
        if let (RehearsalKind::Changed, Some(a), Some(b)) = (kind, row::fields(&staged), row::fields(&given))
        {
            let differs = |(at, column): (usize, &crate::national::Column)| {
                (a.get(at) != b.get(at)).then(|| column.code.clone())
            };
            origin.columns = national.columns.iter().enumerate().filter_map(differs).collect();
        }
        kinds.entry(kind).or_default().1.push(origin);
    }
    Ok(())
}
