//! The files of `sql/rules/`, `sql/models/`, reference tables and outside data → checked rules (RULES 1 and 2, docs/rules.md).
//!
//! Always: every mistake of every file is told at once, before anything runs. What is handed out plans over the national schema, proposes
//! values only for columns that it may touch, holds no float and no function that differs from run to run.
//! Must not know: any city, where tables lie.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use sha2::{Digest, Sha256};

use super::check;
use super::external::{External, externals};
use super::fault::{RuleFault, RuleFaults};
use super::fields::merge_fields;
use super::header::{Header, header};
use super::invariant::{Invariant, invariants, untouchable};
use super::kind::{Department, Effect, FieldMerge, Item, Repair, Severity};
use super::sql::{self, Parsed};
use super::total::{Total, totals};
use super::trail::{Trail, trails};
use super::typed;
use crate::durable::hex;
use crate::folder;
use crate::functions::FunctionRegistry;
use crate::national::National;
use crate::nearest::nearest;
use crate::phrase;
use crate::text_file::{self, Unreadable};

/// The keys of a rule's header.
const RULE_KEYS: [&str; 16] = [
    "id",
    "title",
    "advice",
    "severity",
    "repair",
    "department",
    "evidence",
    "basis",
    "table",
    "column",
    "touches",
    "effect",
    "adds",
    "among",
    "needs",
    "decided",
];
/// Those that may be left out, and `params`.
const OPTIONAL: [&str; 7] = ["evidence", "touches", "adds", "among", "needs", "decided", "params"];
/// What `decided` says of a rule about which people decide twice.
const TWICE: &str = "twice";

/// Text in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bilingual {
    pub zh: String,
    pub en: String,
}

/// One rule file.
#[derive(Debug, Clone)]
pub struct Rule {
    /// `FIX-04`; several files may share it, each for a table or a source of evidence.
    pub id: String,
    /// The file's name without ending: `FIX-12_AC02`.
    pub name: String,
    pub item: Item,
    pub title: Bilingual,
    pub advice: Bilingual,
    pub severity: Severity,
    pub repair: Repair,
    pub department: Department,
    pub evidence: String,
    pub basis: String,
    /// The table whose rows it finds.
    pub table: String,
    /// What a finding names where no value is proposed; `*`: the row.
    pub column: String,
    pub touches: Vec<String>,
    pub effect: Effect,
    /// The table of new rows.
    pub adds: Option<String>,
    /// SQL: the rows that it is about; `true`: all.
    pub among: String,
    /// `ext_…` tables without which it does not run.
    pub needs: Vec<String>,
    /// Three people decide, and then three others alike (双改).
    pub decided_twice: bool,
    /// Everything in FROM.
    pub reads: BTreeSet<String>,
    /// A row rule: one table, no join, aggregate, window or sub-query.
    pub is_row_rule: bool,
    /// The SELECT with its parameters put in.
    pub sql: String,
    /// Names of its columns, in order.
    pub gives: Vec<String>,
    pub path: PathBuf,
}

/// A SELECT that several rules share.
#[derive(Debug, Clone)]
pub struct Model {
    pub name: String,
    /// What one row is.
    pub row: String,
    pub reads: BTreeSet<String>,
    pub sql: String,
}

/// Everything that cleaning stands on.
#[derive(Debug, Clone)]
pub struct RuleBook {
    /// By work item, id and file.
    pub rules: Vec<Rule>,
    /// In an order in which each comes after those that it reads.
    pub models: Vec<Model>,
    /// By id.
    pub invariants: Vec<Invariant>,
    /// By id.
    pub totals: Vec<Total>,
    /// By table.
    pub trails: Vec<Trail>,
    /// Columns that no rule may change: table (or `*`) and column.
    pub untouchable: BTreeSet<(String, String)>,
    /// By table: which columns of merged rows are merged, and how.
    pub merge_fields: BTreeMap<String, Vec<(String, FieldMerge)>>,
    /// `ref_<name>` → its rows.
    pub references: BTreeMap<String, RecordBatch>,
    /// By `ext_<name>`.
    pub externals: BTreeMap<String, External>,
    /// SHA-256 over every file, and the parameters that were set.
    pub digest: String,
}

impl RuleBook {
    /// The rules of a work item.
    pub fn of(&self, item: Item) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(move |r| r.item == item)
    }

    /// Whether what a rule says about a table is about whole rows, not about fields.
    pub fn is_of_rows(&self, rule: &str, table: &str) -> bool {
        self.rules.iter().any(|r| r.id == rule && r.table == table && r.effect.is_of_rows())
    }

    /// Whether people decide twice about what a rule finds.
    pub fn decided_twice(&self, rule: &str) -> bool {
        self.rules.iter().any(|r| r.id == rule && r.decided_twice)
    }

    /// The models that these names stand on, directly or through other models, in their order.
    pub fn models_for<'n>(&self, names: impl IntoIterator<Item = &'n String>) -> Vec<&Model> {
        let mut wanted: BTreeSet<&str> = names.into_iter().map(String::as_str).collect();
        for model in self.models.iter().rev() {
            if wanted.contains(model.name.as_str()) {
                wanted.extend(model.reads.iter().map(String::as_str));
            }
        }
        self.models.iter().filter(|m| wanted.contains(m.name.as_str())).collect()
    }
}

/// A file that was read.
pub(super) struct Text {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// Reads files and keeps their mistakes.
pub(super) struct Reader {
    pub(super) faults: Vec<RuleFault>,
    pub(super) digest: Sha256,
}

impl Reader {
    pub(super) fn fault(&mut self, text: &Text, span: Range<usize>, message: impl Into<String>) {
        self.faults.push(RuleFault::new(&text.path, &text.text, span, message));
    }

    pub(super) fn files(&mut self, dir: &Path, ending: &str) -> Vec<PathBuf> {
        folder::with_ending(dir, ending).unwrap_or_else(|e| {
            let text = Text { path: dir.to_owned(), text: String::new() };
            self.fault(&text, 0..0, phrase!("rules.folder", e));
            Vec::new()
        })
    }

    pub(super) fn text(&mut self, path: &Path) -> Option<Text> {
        let read = std::fs::read(path);
        self.digest.update(stem(path).as_bytes());
        self.digest.update(read.as_deref().unwrap_or_default());
        let unread = |e| Unreadable(phrase!("file.unread", e));
        let text = |text| Text { path: path.to_owned(), text };
        match read.map_err(unread).and_then(|bytes| text_file::decode(&bytes)) {
            Ok(found) => Some(text(found)),
            Err(Unreadable(why)) => {
                self.fault(&text(String::new()), 0..0, phrase!("file.the_file", why));
                None
            }
        }
    }
}

pub(super) fn stem(path: &Path) -> String {
    path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}

/// What rules are loaded from.
#[derive(Debug, Clone, Copy)]
pub struct RuleFiles<'a> {
    /// `sql/`, with rules/ and models/.
    pub sql: &'a Path,
    /// `mappings/national`, with tables/ and external/.
    pub national: &'a Path,
    /// Parameters that the configuration sets: rule → name → SQL literal.
    pub params: &'a BTreeMap<String, BTreeMap<String, String>>,
}

/// Loads and checks everything; without a folder of rules there are none.
///
/// # Errors
/// `RUL-000` with every mistake of every file.
pub fn load(
    files: &RuleFiles<'_>,
    national: &National,
    functions: &FunctionRegistry,
) -> Result<RuleBook, RuleFaults> {
    let mut reader = Reader { faults: Vec::new(), digest: Sha256::new() };
    let references = references(&mut reader, &files.national.join("tables"));
    let externals = externals(&mut reader, &files.national.join("external"));
    let untouchable = untouchable(&mut reader, &files.national.join("untouchable.csv"), national);
    let merge_fields = merge_fields(&mut reader, files.national, national, &untouchable);
    let mut drafts = Vec::new();
    for item in Item::ALL {
        for path in reader.files(&files.sql.join("rules").join(item.text()), "sql") {
            if let Some(text) = reader.text(&path) {
                drafts.extend(draft(&mut reader, text, *item, files.params));
            }
        }
    }
    let mut models = Vec::new();
    for path in reader.files(&files.sql.join("models"), "sql") {
        if let Some(text) = reader.text(&path) {
            models.extend(model(&mut reader, text));
        }
    }
    for rule in files.params.keys() {
        if !drafts.iter().any(|d: &Draft| d.rule.id == *rule) {
            let ids: Vec<&str> = drafts.iter().map(|d| d.rule.id.as_str()).collect();
            let text = Text { path: PathBuf::from("the configuration"), text: String::new() };
            let message = phrase!("rules.no_rule", rule, nearest = nearest(rule, ids));
            reader.fault(&text, 0..0, message);
        }
    }
    let context = check::Context {
        national,
        functions,
        references: &references,
        externals: &externals,
        untouchable: &untouchable,
    };
    let (rules, models) = check::all(&mut reader, &context, drafts, models);
    let mut listed = |name: &str| reader.files(&files.sql.join(name), "sql");
    let (of_invariants, of_totals, of_trails) = (listed("invariants"), listed("totals"), listed("trail"));
    let invariants = invariants(&mut reader, of_invariants, &context);
    let totals = totals(&mut reader, of_totals, &context);
    let trails = trails(&mut reader, of_trails, &context);
    if !reader.faults.is_empty() {
        return Err(RuleFaults { faults: reader.faults });
    }
    reader.digest.update(format!("{:?}", files.params));
    Ok(RuleBook {
        rules,
        models,
        invariants,
        totals,
        trails,
        untouchable,
        merge_fields,
        references,
        externals,
        digest: hex(&reader.digest.finalize()),
    })
}

/// A rule whose SELECT has not been planned yet.
pub(super) struct Draft {
    pub(super) rule: Rule,
    pub(super) text: Text,
    pub(super) sql: Range<usize>,
    pub(super) parsed: Parsed,
    pub(super) spans: BTreeMap<String, Range<usize>>,
}

fn draft(
    reader: &mut Reader,
    text: Text,
    item: Item,
    set: &BTreeMap<String, BTreeMap<String, String>>,
) -> Option<Draft> {
    let before = reader.faults.len();
    let head = header(&text.text);
    let (values, spans) = values(reader, &text, &head, &RULE_KEYS);
    let get = |key: &str| values.get(key).cloned().unwrap_or_default();
    let name = stem(&text.path);
    whole(reader, &text, &values, &spans, &name);
    let list = |key: &str| -> Vec<String> {
        get(key).split(',').map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()).collect()
    };
    let (title, advice) =
        (both(reader, &text, &values, &spans, "title"), both(reader, &text, &values, &spans, "advice"));
    let parsed = select(reader, &text, &head, &values, &spans, set);
    if reader.faults.len() > before {
        return None;
    }
    let parsed = parsed?;
    let rule = Rule {
        id: get("id"),
        name,
        item,
        title,
        advice,
        severity: Severity::named(&get("severity"))?,
        repair: Repair::named(&get("repair"))?,
        department: Department::named(&get("department"))?,
        evidence: get("evidence"),
        basis: get("basis"),
        table: get("table"),
        column: get("column"),
        touches: list("touches"),
        effect: Effect::named(&get("effect"))?,
        adds: values.get("adds").cloned(),
        among: values.get("among").cloned().unwrap_or_else(|| "true".to_owned()),
        needs: list("needs"),
        decided_twice: values.contains_key("decided"),
        reads: parsed.reads.clone(),
        is_row_rule: false,
        sql: parsed.text(),
        gives: Vec::new(),
        path: text.path.clone(),
    };
    Some(Draft { rule, text, sql: head.sql, parsed, spans })
}

/// Every key is there, the id is that of the file, and words are known ones.
fn whole(reader: &mut Reader, text: &Text, values: &Values, spans: &Spans, name: &str) {
    let at = |key: &str| spans.get(key).cloned().unwrap_or(0..0);
    for key in RULE_KEYS.iter().filter(|k| !OPTIONAL.contains(k) && !values.contains_key(**k)) {
        reader.fault(text, 0..0, phrase!("rules.no_header_key", key));
    }
    if let Some(id) = values.get("id")
        && name != id
        && !name.starts_with(&format!("{id}_"))
    {
        let message = phrase!("rules.file_name", name);
        reader.fault(text, at("id"), message);
    }
    let mut word = |key: &str, known: Vec<&str>| {
        if let Some(found) = values.get(key).filter(|v| !known.contains(&v.as_str())) {
            reader.fault(text, at(key), phrase!("rules.one_of", key, known = known.join(", "), found));
        }
    };
    word("severity", Severity::ALL.iter().map(|w| w.text()).collect());
    word("repair", Repair::ALL.iter().map(|w| w.text()).collect());
    word("effect", Effect::ALL.iter().map(|w| w.text()).collect());
    word("department", Department::ALL.iter().map(|w| w.text()).collect());
    word("decided", vec![TWICE]);
}

/// The SELECT with its parameters put in.
fn select(
    reader: &mut Reader,
    text: &Text,
    head: &Header,
    values: &Values,
    spans: &Spans,
    set: &BTreeMap<String, BTreeMap<String, String>>,
) -> Option<Parsed> {
    let get = |key: &str| values.get(key).map_or("", String::as_str);
    let at = spans.get("params").cloned().unwrap_or(0..0);
    let params = sql::params(get("params")).unwrap_or_else(|why| {
        reader.fault(text, at.clone(), phrase!("rules.params", why));
        BTreeMap::new()
    });
    let given = with_set(reader, text, get("id"), params, set);
    match sql::parse(&text.text[head.sql.clone()]) {
        Ok(parsed) => {
            for name in given.keys().filter(|n| !parsed.params.contains(*n)) {
                reader.fault(text, at.clone(), phrase!("rules.parameter_unused", name));
            }
            parsed.with(&given).map_err(|why| reader.fault(text, head.sql.clone(), why)).ok()
        }
        Err(why) => {
            reader.fault(text, head.sql.clone(), why);
            None
        }
    }
}

/// The declared parameters with what the configuration sets.
fn with_set(
    reader: &mut Reader,
    text: &Text,
    id: &str,
    mut params: BTreeMap<String, String>,
    set: &BTreeMap<String, BTreeMap<String, String>>,
) -> BTreeMap<String, String> {
    for (name, value) in set.get(id).into_iter().flatten() {
        match params.get_mut(name) {
            Some(known) => known.clone_from(value),
            // Another file of the same rule may have it.
            None if text.text.contains(&format!("${name}")) => {
                reader.fault(text, 0..0, phrase!("rules.parameter_undeclared", name));
            }
            None => {}
        }
    }
    params
}

pub(super) type Values = BTreeMap<String, String>;
pub(super) type Spans = BTreeMap<String, Range<usize>>;

/// The keys of a header; what is none of `keys`, or comes twice, is told.
pub(super) fn values(reader: &mut Reader, text: &Text, head: &Header, keys: &[&str]) -> (Values, Spans) {
    let (mut values, mut spans) = (Values::new(), Spans::new());
    for stray in &head.strays {
        reader.fault(text, stray.clone(), phrase!("rules.header_line"));
    }
    for entry in &head.entries {
        if !keys.contains(&entry.key.as_str()) && entry.key != "params" {
            let message = phrase!("rules.unknown_key", key = entry.key, nearest = nearest(&entry.key, keys));
            reader.fault(text, entry.span.clone(), message);
        } else if values.insert(entry.key.clone(), entry.value.clone()).is_some() {
            reader.fault(text, entry.span.clone(), phrase!("rules.key_twice", key = entry.key));
        }
        spans.insert(entry.key.clone(), entry.span.clone());
    }
    (values, spans)
}

pub(super) fn both(reader: &mut Reader, text: &Text, values: &Values, spans: &Spans, key: &str) -> Bilingual {
    let value = values.get(key).cloned().unwrap_or_default();
    match value.split_once(" / ") {
        Some((zh, en)) if !zh.trim().is_empty() && !en.trim().is_empty() => {
            Bilingual { zh: zh.trim().to_owned(), en: en.trim().to_owned() }
        }
        _ => {
            if values.contains_key(key) {
                let span = spans.get(key).cloned().unwrap_or(0..0);
                reader.fault(text, span, phrase!("rules.both", key));
            }
            Bilingual { zh: value.clone(), en: value }
        }
    }
}

/// A model whose SELECT has not been planned yet.
pub(super) struct ModelDraft {
    pub(super) model: Model,
    pub(super) text: Text,
    pub(super) sql: Range<usize>,
    pub(super) parsed: Parsed,
}

fn model(reader: &mut Reader, text: Text) -> Option<ModelDraft> {
    let head = header(&text.text);
    let (values, spans) = values(reader, &text, &head, &["row", "key"]);
    let params = sql::params(values.get("params").map_or("", String::as_str)).unwrap_or_else(|why| {
        reader.fault(&text, spans.get("params").cloned().unwrap_or(0..0), phrase!("rules.params", why));
        BTreeMap::new()
    });
    let parsed = sql::parse(&text.text[head.sql.clone()]).and_then(|p| p.with(&params));
    if !values.contains_key("row") {
        reader.fault(&text, 0..0, phrase!("rules.no_row"));
    }
    match parsed {
        Ok(parsed) => {
            let row = values.get("row").cloned().unwrap_or_default();
            let model =
                Model { name: stem(&text.path), row, reads: parsed.reads.clone(), sql: parsed.text() };
            Some(ModelDraft { model, text, sql: head.sql, parsed })
        }
        Err(why) => {
            reader.fault(&text, head.sql, why);
            None
        }
    }
}

/// `tables/<name>.csv` → `ref_<name>`: its first line names columns and types.
fn references(reader: &mut Reader, dir: &Path) -> BTreeMap<String, RecordBatch> {
    let mut all = BTreeMap::new();
    for path in reader.files(dir, "csv") {
        let Some(text) = reader.text(&path) else { continue };
        let mut csv =
            csv::ReaderBuilder::new().from_reader(text.text.trim_start_matches('\u{feff}').as_bytes());
        let head: Vec<String> =
            csv.headers().map(|h| h.iter().map(str::to_owned).collect()).unwrap_or_default();
        let mut columns: Vec<(String, DataType)> = Vec::new();
        for name in &head {
            let (name, kind) = name.split_once(':').unwrap_or((name, "text"));
            match typed::declared(kind) {
                Some(kind) => columns.push((name.trim().to_owned(), kind)),
                None => reader.fault(&text, 0..0, phrase!("rules.unknown_type", name, kind)),
            }
        }
        let records: Result<Vec<csv::StringRecord>, csv::Error> = csv.records().collect();
        let records = match records {
            Ok(records) => records,
            Err(e) => {
                let line = e.position().map_or(1, csv::Position::line);
                reader.fault(&text, line_span(&text.text, line), phrase!("rules.line", e));
                continue;
            }
        };
        let rows: Vec<Vec<Option<&str>>> =
            records.iter().map(|r| r.iter().map(typed::cell).collect()).collect();
        match typed::batch(&columns, &rows) {
            Ok(batch) => {
                all.insert(format!("ref_{}", stem(&path)), batch);
            }
            Err(unfit) => {
                let line = records.get(unfit.row).and_then(|r| r.position()).map_or(1, csv::Position::line);
                let message = phrase!("rules.unfit", column = unfit.column, value = unfit.value);
                reader.fault(&text, line_span(&text.text, line), message);
            }
        }
    }
    all
}

pub(super) fn line_span(text: &str, line: u64) -> Range<usize> {
    let before = usize::try_from(line.saturating_sub(1)).unwrap_or(0);
    let start = text.split_inclusive('\n').take(before).map(str::len).sum();
    start..start
}

/// Shares a batch as a table.
pub(super) fn memory(
    batch: &RecordBatch,
) -> Result<Arc<datafusion::datasource::MemTable>, datafusion::error::DataFusionError> {
    Ok(Arc::new(datafusion::datasource::MemTable::try_new(batch.schema(), vec![vec![batch.clone()]])?))
}
