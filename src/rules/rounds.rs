//! The findings of a round beside the ledger of the round before → the ledger of this round (RULES 4; docs/rounds.md).
//!
//! Always: one line for every finding that any round had, sorted by rule, column, table and key. A finding is fixed only when its rule
//! looked at its table in this round and did not find it: what did not run, or is not mapped, leaves its state as it was.
//! Must not know: where ledgers lie.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use xxhash_rust::xxh3::xxh3_128;

use super::fault::RuleError;
use super::kind::{Department, FindingState};
use crate::artifacts::RoundRow;
use crate::dataset::{PartInfo, PartWriter, register};
use crate::durable;
use crate::engine::{Engine, Joins};
use crate::phrase;

/// Columns of a ledger, in their order.
const COLUMNS: [&str; 11] =
    ["id", "rule", "table", "_key", "column", "item", "department", "state", "first", "last", "since"];

/// Columns of a ledger: `id` (digest of rule, table, `_key` and column, 32 hex digits), `rule`, national `table`, `_key`, `column`, `item`,
/// `department`, `state` (new, open, fixed, reopened, waived), `first` and `last` round that had it, `since` (the round of its state).
pub fn ledger_schema() -> SchemaRef {
    let text = |name: &&str| Field::new(*name, DataType::Utf8, false);
    Arc::new(Schema::new(COLUMNS.iter().map(text).collect::<Vec<_>>()))
}

/// The key by which a finding is known again, as an expression over the findings `alias`: a row without one is known by its legacy row.
pub fn finding_key(alias: &str) -> String {
    format!("coalesce({alias}._key, concat('∅', {alias}._source, '/', coalesce({alias}._skey, '')))")
}

/// What a round looked at: it tells what is fixed from what was not looked for.
#[derive(Debug, Default)]
pub struct LookedAt {
    /// National tables that are mapped and checked.
    pub tables: BTreeSet<String>,
    /// Table, rule and column that the structural check answers for, and whether it could.
    pub checked: BTreeMap<[String; 3], bool>,
    /// Rules of the structural check.
    pub structural: BTreeSet<String>,
    /// Rule and table of every rule file, and the outside data that some of its files lacked; none: it did not run.
    pub ran: BTreeMap<[String; 2], Option<BTreeSet<String>>>,
    /// What they lacked in the round before.
    pub lacked_before: BTreeMap<[String; 2], BTreeSet<String>>,
    /// The round before.
    pub before: Option<String>,
}

impl LookedAt {
    /// Whether a finding that `last` had would have been found again.
    fn has(&self, rule: &str, table: &str, column: &str, last: &str) -> bool {
        if !self.tables.contains(table) {
            return false;
        }
        let [rule, table, column] = [rule, table, column].map(str::to_owned);
        if let Some(could) = self.checked.get(&[table.clone(), rule.clone(), column]) {
            return *could;
        }
        let structural = self.structural.contains(&rule);
        let place = [rule, table];
        match self.ran.get(&place) {
            None => structural,
            Some(None) => false,
            Some(Some(lacking)) if lacking.is_empty() => true,
            // Some of its files did not run: only what a round with as little outside data had can be gone.
            Some(Some(lacking)) => {
                let had_less = self.lacked_before.get(&place).is_some_and(|b| b.is_superset(lacking));
                had_less && self.before.as_deref() == Some(last)
            }
        }
    }
}

/// Where batches that were undone since the round before had done something: what is found there again has not come back by itself.
#[derive(Debug, Default)]
pub struct Undone {
    /// Rows that they changed, added, merged or excluded ([`row_digest`]).
    pub rows: HashSet<u128>,
    /// Rule, table and column that find a missing parent in a table to which they had added rows.
    pub orphans: BTreeSet<[String; 3]>,
}

impl Undone {
    fn has(&self, rule: &str, table: &str, column: &str, key: &str) -> bool {
        let place = || [rule, table, column].map(str::to_owned);
        self.rows.contains(&row_digest(table, key))
            || (!self.orphans.is_empty() && self.orphans.contains(&place()))
    }
}

/// A round to be closed.
pub struct RoundOf<'a> {
    pub engine: &'a Engine,
    /// The run, for example `r0007`.
    pub run: &'a str,
    /// Open findings of every table.
    pub findings: &'a [PathBuf],
    /// The ledger of the round before.
    pub before: Option<&'a Path>,
    pub looked_at: &'a LookedAt,
    /// Work item and department of each rule that a file names.
    pub rules: &'a BTreeMap<String, (String, String)>,
    /// Findings (by their id) with a waiver that holds.
    pub waived: &'a BTreeSet<String>,
    /// What people undid since the round before.
    pub undone: &'a Undone,
    /// The part to be written.
    pub ledger: &'a Path,
}

/// Writes the ledger of a round; the part, and what stands in it by rule.
///
/// # Errors
/// `ENG-…`, `DAT-…`, `DUR-001`.
pub fn next_ledger(of: &RoundOf<'_>) -> Result<(PartInfo, Vec<RoundRow>), RuleError> {
    if let Some(folder) = of.ledger.parent() {
        durable::create_dir_all(folder)?;
    }
    let mut writer = PartWriter::create(of.ledger, ledger_schema())?;
    let mut counted: BTreeMap<String, RoundRow> = BTreeMap::new();
    let session = of.engine.session(of.engine.partitions(), Joins::Large);
    if let Some(before) = of.before {
        register(&session, "before", &[before.to_owned()])?;
    }
    if !of.findings.is_empty() {
        register(&session, "findings", of.findings)?;
    }
    if let Some(sql) = joined(of.before.is_some(), !of.findings.is_empty()) {
        let what = || phrase!("work.round", run = of.run);
        of.engine.block_on(async {
            let stream = async { session.sql(&sql).await?.execute_stream().await };
            let mut stream: SendableRecordBatchStream =
                stream.await.map_err(|e| of.engine.error(what(), e))?;
            while let Some(batch) = stream.next().await {
                let batch = batch.map_err(|e| of.engine.error(what(), e))?;
                writer.write(&lines(of, &batch, &mut counted)?)?;
            }
            Ok::<(), RuleError>(())
        })?;
    }
    Ok((writer.finish()?, in_order(counted)))
}

/// Every finding of this round or an earlier one, once, in order.
fn joined(before: bool, findings: bool) -> Option<String> {
    let now = format!(
        "SELECT DISTINCT rule, \"table\", \"column\", {} AS _key FROM findings AS f",
        finding_key("f")
    );
    let own = "id, item, department, state, \"first\", \"last\", since";
    let nothing =
        "NULL AS item, NULL AS department, NULL AS state, NULL AS \"first\", NULL AS \"last\", NULL AS since";
    let sql = match (before, findings) {
        (false, false) => return None,
        (false, true) => {
            format!("SELECT rule, \"table\", \"column\", _key, true AS found, {nothing} FROM ({now})")
        }
        (true, false) => {
            format!("SELECT rule, \"table\", \"column\", _key, false AS found, {own} FROM before")
        }
        (true, true) => format!(
            "SELECT coalesce(n.rule, b.rule) AS rule, coalesce(n.\"table\", b.\"table\") AS \"table\", \
               coalesce(n.\"column\", b.\"column\") AS \"column\", coalesce(n._key, b._key) AS _key, n.rule IS NOT NULL AS found, {own} \
             FROM ({now}) AS n FULL JOIN before AS b \
               ON n.rule = b.rule AND n.\"table\" = b.\"table\" AND n.\"column\" = b.\"column\" AND n._key = b._key"
        ),
    };
    Some(format!("SELECT * FROM ({sql}) ORDER BY rule, \"column\", \"table\", _key"))
}

/// How the round before left a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Was<'a> {
    state: FindingState,
    first: &'a str,
    last: &'a str,
    since: &'a str,
}

/// What a round says of a finding.
#[derive(Debug, Clone, Copy)]
struct Seen {
    found: bool,
    /// Its rule looked at its table.
    looked_for: bool,
    /// A waiver holds.
    waived: bool,
    /// What had been done to its row was undone by people.
    undone: bool,
}

/// How this round leaves it.
fn next<'a>(was: Option<Was<'a>>, seen: Seen, run: &'a str) -> Was<'a> {
    use FindingState::{Fixed, New, Open, Reopened, Waived};
    let Seen { found, looked_for, waived, undone } = seen;
    let Some(was) = was else {
        return Was { state: if waived { Waived } else { New }, first: run, last: run, since: run };
    };
    let state = match (was.state, found, looked_for) {
        (New | Open | Fixed | Reopened | Waived, true, _) if waived => Waived,
        (Fixed, true, _) if undone => Open,
        (Fixed | Reopened, true, _) => Reopened,
        (New | Open | Waived, true, _) => Open,
        (Fixed, false, _) | (New | Open | Reopened | Waived, false, true) => Fixed,
        (Reopened, false, false) => Reopened,
        (Waived, false, false) => Waived,
        (New | Open, false, false) => Open,
    };
    let last = if found { run } else { was.last };
    let since = if state == was.state { was.since } else { run };
    Was { state, last, since, ..was }
}

fn lines(
    of: &RoundOf<'_>,
    batch: &RecordBatch,
    counted: &mut BTreeMap<String, RoundRow>,
) -> Result<RecordBatch, RuleError> {
    let impossible =
        |e: &dyn std::fmt::Display| RuleError::Round { run: of.run.to_owned(), what: e.to_string() };
    let text = |name: &str| -> Result<StringArray, RuleError> {
        let column = batch.column_by_name(name).ok_or_else(|| impossible(&name))?;
        let column = arrow::compute::cast(column, &DataType::Utf8).map_err(|e| impossible(&e))?;
        Ok(column.as_string::<i32>().clone())
    };
    let [rule, table, column, key] = ["rule", "table", "column", "_key"].map(text);
    let (rule, table, column, key) = (rule?, table?, column?, key?);
    let [item, department, state] = ["item", "department", "state"].map(text);
    let (item, department, state) = (item?, department?, state?);
    let [first, last, since] = ["first", "last", "since"].map(text);
    let (first, last, since) = (first?, last?, since?);
    let found: &BooleanArray =
        batch.column_by_name("found").and_then(|c| c.as_boolean_opt()).ok_or_else(|| impossible(&"found"))?;
    let mut out: [StringBuilder; COLUMNS.len()] = Default::default();
    for row in 0..batch.num_rows() {
        let was = match state.is_valid(row).then(|| state.value(row)) {
            None => None,
            Some(name) => Some(Was {
                state: FindingState::named(name).ok_or_else(|| impossible(&name))?,
                first: first.value(row),
                last: last.value(row),
                since: since.value(row),
            }),
        };
        let (rule, table, column, key) =
            (rule.value(row), table.value(row), column.value(row), key.value(row));
        let found = found.value(row);
        let looked_for = found || was.is_some_and(|w| of.looked_at.has(rule, table, column, w.last));
        let id = finding_id(rule, table, key, column);
        let waived = of.waived.contains(&id);
        let undone = of.undone.has(rule, table, column, key);
        let now = next(was, Seen { found, looked_for, waived, undone }, of.run);
        let known = of.rules.get(rule).map(|(i, d)| (i.as_str(), d.as_str()));
        let before = was.is_some().then(|| (item.value(row), department.value(row)));
        // What only the structural check knows lies with those who map and extract.
        let (item, department) = known.or(before).unwrap_or(("check", Department::Information.text()));
        count(counted, (item, rule, department), &now, of.run);
        let cells = [
            id.as_str(),
            rule,
            table,
            key,
            column,
            item,
            department,
            now.state.text(),
            now.first,
            now.last,
            now.since,
        ];
        out.iter_mut().zip(cells).for_each(|(builder, cell)| builder.append_value(cell));
    }
    let columns: Vec<ArrayRef> = out.iter_mut().map(|b| Arc::new(b.finish()) as ArrayRef).collect();
    RecordBatch::try_new(ledger_schema(), columns).map_err(|e| impossible(&e))
}

/// The digest of a row of a national table by its key.
pub fn row_digest(table: &str, key: &str) -> u128 {
    xxh3_128(format!("{table}\u{1f}{key}").as_bytes())
}

/// The identity of a finding (RULES 4): it is the same in every run.
pub fn finding_id(rule: &str, table: &str, key: &str, column: &str) -> String {
    let text: String = [rule, table, key, column].iter().map(|p| format!("{}:{p}", p.len())).collect();
    format!("{:032x}", xxh3_128(text.as_bytes()))
}

fn count(
    counted: &mut BTreeMap<String, RoundRow>,
    (item, rule, department): (&str, &str, &str),
    now: &Was<'_>,
    run: &str,
) {
    if !counted.contains_key(rule) {
        let [item, rule, department] = [item, rule, department].map(str::to_owned);
        counted.insert(rule.clone(), RoundRow { item, rule, department, ..RoundRow::default() });
    }
    let Some(row) = counted.get_mut(rule) else { return };
    match now.state {
        FindingState::New => row.new += 1,
        FindingState::Open => row.open += 1,
        FindingState::Reopened => row.reopened += 1,
        FindingState::Waived => row.waived += 1,
        // What was fixed in an earlier round was counted there.
        FindingState::Fixed if now.since == run => row.fixed += 1,
        FindingState::Fixed => {}
    }
}

/// By work item, in the order in which they run, the structural check last; rules of which nothing is said are left out.
fn in_order(counted: BTreeMap<String, RoundRow>) -> Vec<RoundRow> {
    let mut rows: Vec<RoundRow> =
        counted.into_values().filter(|r| r.standing() + r.fixed + r.waived > 0).collect();
    let place = |item: &str| super::Item::named(item).map_or(usize::MAX, |i| i as usize);
    rows.sort_by(|a, b| (place(&a.item), &a.rule).cmp(&(place(&b.item), &b.rule)));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use FindingState::{Fixed, New, Open, Reopened, Waived};

    fn was(state: FindingState) -> Option<Was<'static>> {
        Some(Was { state, first: "r0001", last: "r0002", since: "r0002" })
    }

    #[test]
    fn a_finding_goes_from_state_to_state() {
        for (before, found, looked_for, after) in [
            (New, true, true, Open),
            (Open, true, true, Open),
            (Fixed, true, true, Reopened),
            (Reopened, true, true, Reopened),
            (New, false, true, Fixed),
            (Open, false, true, Fixed),
            (Fixed, false, true, Fixed),
            (Reopened, false, true, Fixed),
            (New, false, false, Open),
            (Open, false, false, Open),
            (Fixed, false, false, Fixed),
            (Reopened, false, false, Reopened),
        ] {
            let now = next(was(before), Seen { found, looked_for, waived: false, undone: false }, "r0003");
            assert_eq!(now.state, after, "{before:?} {found} {looked_for}");
            assert_eq!(now.first, "r0001");
            assert_eq!(now.last, if found { "r0003" } else { "r0002" });
            assert_eq!(now.since, if before == after { "r0002" } else { "r0003" });
        }
        let seen = |found, looked_for, waived| Seen { found, looked_for, waived, undone: false };
        let undone = Seen { undone: true, ..seen(true, true, false) };
        assert_eq!(
            next(was(Fixed), undone, "r0003").state,
            Open,
            "what people undid has not come back by itself"
        );
        assert_eq!(next(was(Reopened), undone, "r0003").state, Reopened);
        let new = next(None, seen(true, true, false), "r0003");
        assert_eq!((new.state, new.first, new.last, new.since), (New, "r0003", "r0003", "r0003"));
        // While a waiver holds, what is found is waived; behind its last day it is open again.
        for state in FindingState::ALL {
            assert_eq!(next(was(*state), seen(true, true, true), "r0003").state, Waived);
        }
        assert_eq!(next(None, seen(true, true, true), "r0003").state, Waived);
        for (found, looked_for, after) in [(true, true, Open), (false, true, Fixed), (false, false, Waived)] {
            assert_eq!(next(was(Waived), seen(found, looked_for, false), "r0003").state, after);
        }
    }

    #[test]
    fn what_did_not_run_is_not_looked_for() {
        let set = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<BTreeSet<_>>();
        let place = |rule: &str| [rule, "AC01"].map(str::to_owned);
        let of = LookedAt {
            tables: set(&["AC01"]),
            checked: BTreeMap::from([
                (["AC01", "FIL-02", "AAC147"].map(str::to_owned), true),
                (["AC01", "STR-05", "AAC001"].map(str::to_owned), false),
            ]),
            structural: set(&["STR-01", "STR-05", "FIL-02"]),
            ran: BTreeMap::from([
                (place("FIX-02"), Some(set(&[]))),
                (place("GAR-05"), None),
                (place("FIX-04"), Some(set(&["ext_police"]))),
                (place("FIX-05"), Some(set(&["ext_police"]))),
            ]),
            lacked_before: BTreeMap::from([(place("FIX-04"), set(&["ext_police"]))]),
            before: Some("r0002".to_owned()),
        };
        for (rule, table, column, last, looked_for) in [
            ("FIX-02", "AC01", "AAC147", "r0001", true),
            ("FIX-02", "AC02", "AAC147", "r0002", false),
            ("GAR-05", "AC01", "*", "r0002", false),
            ("FIX-04", "AC01", "AAC004", "r0002", true),
            ("FIX-04", "AC01", "AAC004", "r0001", false),
            ("FIX-05", "AC01", "AAC006", "r0002", false),
            ("FIL-02", "AC01", "AAC147", "r0002", true),
            ("STR-05", "AC01", "AAC001", "r0002", false),
            ("STR-01", "AC01", "AAC006", "r0002", true),
            ("OLD-01", "AC01", "AAC006", "r0002", false),
        ] {
            assert_eq!(of.has(rule, table, column, last), looked_for, "{rule} {table} {column} {last}");
        }
    }
}
