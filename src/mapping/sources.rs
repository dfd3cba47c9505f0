//! city.toml, its code lists and font table, and sources/*.toml → checked structs.
//!
//! Always: every mistake of every file is noted; what could not be made sense of is left out, and the load fails at its end.
//! Must not know: national tables.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::DataType;
use toml::de::DeValue;

use super::csv::Sheet;
use super::fault::{MappingFault, Mistake};
use super::file::{Generation, Ignore, LayerOne, MeasureSpec, Reading, SourceView, Viewed};
use super::guard;
use super::pattern::Pattern;
use super::planner::{Planner, Refusal};
use super::text::{At, Doc, Entry, Table, twice};
use crate::folder;
use crate::functions::{
    Century, CodeList, DateForm, Domain, Domains, Font, NullTokens, PeriodForm, Read, Unit,
};
use crate::nearest::nearest;
use crate::phrase;

/// What city.toml says.
#[derive(Default)]
pub(super) struct Head {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) source_ids: Vec<String>,
    pub(super) nulls: Vec<String>,
    pub(super) domains: Domains,
    pub(super) ignore: Vec<Ignore>,
    pub(super) font: Font,
}

/// What has mistakes of its own: what refers to it says nothing more.
#[derive(Debug, Default)]
pub(super) struct Broken {
    /// city.toml makes no sense at all.
    pub(super) city: bool,
    pub(super) lists: BTreeSet<String>,
    /// Files under sources/ by name.
    pub(super) views: BTreeSet<String>,
    /// (view, column)
    pub(super) columns: BTreeSet<(String, String)>,
}

impl Broken {
    fn column(&self, view: &str, column: &str) -> bool {
        self.columns.contains(&(view.to_owned(), column.to_owned()))
    }

    /// Whether a column of that view has a mistake.
    fn any_column(&self, view: &str) -> bool {
        self.columns.iter().any(|(v, _)| v == view)
    }

    /// Whether what a branch says about a column of a view cannot be told to be wrong.
    pub(super) fn hides(&self, view: &str, column: &str) -> bool {
        self.views.contains(view) || self.column(view, column)
    }
}

fn texts(found: Vec<At<String>>) -> Vec<String> {
    found.into_iter().map(|t| t.value).collect()
}

/// Reads city.toml and its font table.
pub(super) fn head(dir: &Path, broken: &mut Broken, faults: &mut Vec<MappingFault>) -> Head {
    let doc = Doc::open(&dir.join("city.toml"));
    let parsed = doc.parse();
    if doc.senseless() {
        drop(parsed);
        faults.extend(doc.finish());
        broken.city = true;
        return Head::default();
    }
    let known = ["id", "name", "sources", "font", "null", "domain", "ignore"];
    let table = Table::open(&doc, &parsed, 0..0, &known);
    let ignore = table.tables("ignore", &["table", "reason"]).iter().filter_map(ignored).collect();
    let font = table.text("font").map(|file| font(&dir.join(file.value), faults)).unwrap_or_default();
    let head = Head {
        id: table.required("id").map_or_else(String::new, |t| t.value),
        name: table.required("name").map_or_else(String::new, |t| t.value),
        source_ids: texts(table.texts("sources")),
        nulls: texts(table.texts("null")),
        domains: domains_of(&table),
        ignore,
        font,
    };
    if head.source_ids.is_empty() {
        doc.fault(Mistake::Form, table.span_of("sources"), phrase!("mapping.no_sources"));
    }
    drop(parsed);
    faults.extend(doc.finish());
    head
}

fn domains_of(table: &Table<'_>) -> Domains {
    let mut domains = Domains::new();
    for (name, value) in table.entries("domain") {
        let DeValue::Table(inner) = value.get_ref() else {
            table.doc.fault(Mistake::Form, name.span, phrase!("mapping.domain_form"));
            continue;
        };
        let inner = Table::open(table.doc, inner, value.span(), &["pad"]);
        domains.insert(name.value, Domain { pad: inner.number("pad").map(usize::from) });
    }
    domains
}

fn pattern(doc: &Doc, text: &At<String>) -> Option<Pattern> {
    let pattern = Pattern::parse(&text.value);
    if pattern.is_none() {
        doc.hinted(
            Mistake::Form,
            text.span.clone(),
            phrase!("mapping.pattern", pattern = text.value),
            phrase!("mapping.pattern_hint"),
        );
    }
    pattern
}

fn ignored(table: &Table<'_>) -> Option<Ignore> {
    let (name, reason) = (table.required("table"), table.required("reason"));
    let name = name?;
    let place = table.doc.place(&name.span);
    Some(Ignore { table: pattern(table.doc, &name)?, reason: reason?.value, place })
}

fn font(path: &Path, faults: &mut Vec<MappingFault>) -> Font {
    let mut characters = HashMap::new();
    let Some(sheet) = Sheet::read(path, &["private", "character"], faults) else { return Font::default() };
    for (line, row) in &sheet.rows {
        let private = u32::from_str_radix(row[0].trim(), 16).ok().and_then(char::from_u32);
        let mut real = row[1].chars();
        let message = match (private, real.next(), real.next()) {
            (Some(from), Some(to), None) => match characters.insert(from, to) {
                Some(before) if before != to => phrase!("mapping.font_twice", code = row[0]),
                Some(_) | None => continue,
            },
            _ => phrase!("mapping.font_form"),
        };
        faults.push(sheet.fault(Mistake::Form, *line, message));
    }
    Font(characters)
}

/// Reads codes/*.csv of the city: the lists, and their files for mistakes that are found later.
pub(super) fn code_lists(
    dir: &Path,
    broken: &mut Broken,
    faults: &mut Vec<MappingFault>,
) -> (BTreeMap<String, Arc<CodeList>>, BTreeMap<String, Sheet>) {
    let (mut lists, mut sheets) = (BTreeMap::new(), BTreeMap::new());
    for path in files(&dir.join("codes"), "csv", faults) {
        let list = Sheet::read(&path, &["legacy", "code"], faults).and_then(|sheet| {
            if sheet.rows.is_empty() {
                let fault = sheet.fault(Mistake::CodeList, 1, phrase!("mapping.empty_list"));
                faults.push(fault.hint(phrase!("mapping.empty_list_hint")));
                return None;
            }
            let pairs = sheet.rows.iter().map(|(_, row)| (row[0].clone(), row[1].clone()));
            let twice = match CodeList::new(pairs) {
                Ok(list) => return Some((list, sheet)),
                Err(twice) => twice,
            };
            let own = |(_, row): &&(usize, Vec<String>)| twice.first().is_some_and(|t| row[0].trim() == t);
            let line = sheet.rows.iter().filter(own).nth(1).map_or(1, |(line, _)| *line);
            let message = phrase!("mapping.code_twice", codes = twice.join(", "));
            faults.push(sheet.fault(Mistake::Twice, line, message));
            None
        });
        match list {
            Some((list, sheet)) => {
                lists.insert(stem(&path), Arc::new(list));
                sheets.insert(stem(&path), sheet);
            }
            None => {
                broken.lists.insert(stem(&path));
            }
        }
    }
    (lists, sheets)
}

/// The files of a folder with that ending, in name order.
pub(super) fn files(dir: &Path, ending: &str, faults: &mut Vec<MappingFault>) -> Vec<std::path::PathBuf> {
    folder::with_ending(dir, ending).unwrap_or_else(|e| {
        let message = phrase!("mapping.folder", e);
        faults.push(MappingFault::new(Mistake::File, dir, "", 0..0, message));
        Vec::new()
    })
}

/// The name of a file without its ending.
pub(super) fn stem(path: &Path) -> String {
    path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}

/// What a source file is read with.
pub(super) struct Given<'a> {
    pub(super) head: &'a Head,
    pub(super) lists: &'a BTreeMap<String, Arc<CodeList>>,
    pub(super) planner: &'a Planner,
    pub(super) broken: &'a RefCell<Broken>,
}

const FILE_KEYS: [&str; 8] =
    ["match", "source", "key", "unique", "generation", "null", "columns", "measures"];
const COLUMN_KEYS: [&str; 12] =
    ["parse", "money", "rate", "code", "skip", "from", "pad", "forms", "century", "null", "scale", "mask"];
/// Columns that our datasets add to those of a legacy table, as far as SQL of a mapping may name them.
const OWN_NAMES: [&str; 4] = ["_source", "_skey", "_key", "_occ"];
/// How a rate is written, and of which power of ten it is so many.
const RATES: [(&str, u8); 4] = [("percent", 2), ("fraction", 0), ("per_1000", 3), ("per_10000", 4)];
const MASKS: [&str; 6] = ["name", "id", "phone", "account", "address", "none"];

/// Reads one sources/*.toml.
pub(super) fn source(path: &Path, given: &Given<'_>, faults: &mut Vec<MappingFault>) -> Option<SourceView> {
    let doc = Doc::open(path);
    let parsed = doc.parse();
    let view = if doc.senseless() {
        None
    } else {
        view(&doc, &Table::open(&doc, &parsed, 0..0, &FILE_KEYS), path, given)
    };
    if view.is_none() {
        given.broken.borrow_mut().views.insert(stem(path));
    }
    drop(parsed);
    faults.extend(doc.finish());
    view
}

fn view(doc: &Doc, table: &Table<'_>, path: &Path, given: &Given<'_>) -> Option<SourceView> {
    let view = stem(path);
    let tables = match table.text("match") {
        Some(text) => pattern(doc, &text),
        None => Pattern::parse(&view),
    };
    let source = table.required("source");
    let known = |s: &&At<String>| given.broken.borrow().city || given.head.source_ids.contains(&s.value);
    if let Some(id) = source.as_ref().filter(|s| !known(s)) {
        let near = nearest(&id.value, given.head.source_ids.iter().map(String::as_str));
        let message = phrase!("mapping.no_source", id = id.value);
        doc.hinted(Mistake::View, id.span.clone(), message, phrase!("mapping.meant", near));
    }
    let generation = table.required("generation").and_then(|g| {
        let known = Generation::named(&g.value);
        if known.is_none() {
            doc.fault(Mistake::Form, g.span, phrase!("mapping.generation"));
        }
        known
    });
    let nulls: Vec<String> = given.head.nulls.iter().cloned().chain(texts(table.texts("null"))).collect();
    let entries = columns_of(table)?;
    let mut columns = Vec::new();
    for (name, value) in &entries {
        let read = match value.get_ref() {
            DeValue::Table(inner) => {
                column(name, &Table::open(doc, inner, value.span(), &COLUMN_KEYS), &nulls, given)
            }
            _ => {
                doc.fault(Mistake::Form, value.span(), phrase!("mapping.layer_column"));
                None
            }
        };
        if read.is_none() {
            given.broken.borrow_mut().columns.insert((view.clone(), name.value.clone()));
        }
        columns.extend(read);
    }
    let key = key(doc, table, &columns, &|column| given.broken.borrow().column(&view, column));
    let spec = table.table("measures", &["by", "insurance", "period", "amounts", "not_mapped"]);
    let mut view = SourceView {
        name: view,
        source: source?.value,
        tables: tables?,
        key,
        unique: table.flag("unique").unwrap_or(true),
        generation: generation?,
        columns,
        measures: None,
        path: path.to_owned(),
    };
    view.measures = spec.map(|m| measures(doc, &m, &view, given));
    Some(view)
}

/// The entries of `[columns]`; `None` where there is no such table.
fn columns_of<'d>(table: &Table<'d>) -> Option<Vec<Entry<'d>>> {
    if !table.has("columns") {
        // Where a key is not known, that is the mistake: `[column]`.
        if !table.strange {
            table.doc.fault(Mistake::Form, table.span.clone(), phrase!("mapping.missing", key = "[columns]"));
        }
        return None;
    }
    let entries = table.entries("columns");
    for name in twice(entries.iter().map(|(k, _)| k)) {
        table.doc.fault(
            Mistake::Twice,
            name.span.clone(),
            phrase!("mapping.stands_twice", name = name.value),
        );
    }
    Some(entries)
}

/// Plans a measure's expression over the view, and looks at its type.
fn expression(
    doc: &Doc,
    view: &SourceView,
    planner: &Planner,
    sql: &At<String>,
    wanted: &str,
    fits: fn(&DataType) -> bool,
) {
    if let Err(message) = planner.table("_view", view.typed_schema()) {
        doc.fault(Mistake::Sql, sql.span.clone(), message);
        return;
    }
    match planner.types(&format!("SELECT {} AS x FROM _view", sql.value)) {
        Ok(types) if types.iter().all(|(_, t)| fits(t)) => {}
        Ok(types) => {
            let found = types.first().map(|(_, t)| t.to_string()).unwrap_or_default();
            doc.fault(Mistake::Type, sql.span.clone(), phrase!("mapping.not_wanted", found, wanted));
        }
        Err(Refusal::Sql(message)) => doc.fault(Mistake::Sql, sql.span.clone(), message),
        Err(Refusal::Float(e)) => doc.fault(Mistake::Float, sql.span.clone(), phrase!("mapping.float", e)),
        Err(Refusal::Cast(from, to)) => {
            doc.fault(Mistake::Type, sql.span.clone(), phrase!("mapping.cast", from, to));
        }
    }
}

fn key(doc: &Doc, table: &Table<'_>, columns: &[LayerOne], broken: &dyn Fn(&str) -> bool) -> Vec<String> {
    let key = table.texts("key");
    if key.is_empty() {
        doc.fault(Mistake::Form, table.span_of("key"), phrase!("mapping.no_key"));
    }
    for part in key.iter().filter(|k| !broken(&k.value)) {
        match columns.iter().find(|c| c.name == part.value).map(|c| &c.reading) {
            Some(Reading::Viewed(_)) => {}
            Some(Reading::Skip(_)) => {
                let message = phrase!("mapping.key_skipped", column = part.value);
                doc.fault(Mistake::LegacyColumn, part.span.clone(), message);
            }
            None => unknown_column(doc, part, columns),
        }
    }
    texts(key)
}

fn unknown_column(doc: &Doc, name: &At<String>, columns: &[LayerOne]) {
    let near = nearest(&name.value, columns.iter().map(|c| c.name.as_str()));
    let message = phrase!("mapping.no_layer_column", column = name.value);
    doc.hinted(Mistake::LegacyColumn, name.span.clone(), message, phrase!("mapping.meant", near));
}

fn measures(doc: &Doc, table: &Table<'_>, view: &SourceView, given: &Given<'_>) -> MeasureSpec {
    let columns = &view.columns;
    let (by, amounts) = (table.texts("by"), table.texts("amounts"));
    // What a column with a mistake reads, and what an expression makes of it, is not known.
    let whole = !given.broken.borrow().any_column(&view.name);
    let read = |c: &LayerOne| matches!(c.reading, Reading::Viewed(_));
    for name in by.iter().filter(|b| whole && !columns.iter().any(|c| c.from == b.value && read(c))) {
        if columns.iter().any(|c| c.from == name.value) {
            let message = phrase!("mapping.by_skipped", column = name.value);
            doc.fault(Mistake::LegacyColumn, name.span.clone(), message);
        } else {
            unknown_column(doc, name, columns);
        }
    }
    let money = |name: &str| {
        let found = columns.iter().find(|c| c.name == name);
        found.is_some_and(|c| matches!(&c.reading, Reading::Viewed(v) if matches!(v.read, Read::Money(_))))
    };
    let broken = |name: &str| given.broken.borrow().column(&view.name, name);
    for name in amounts.iter().filter(|a| !money(&a.value) && !broken(&a.value)) {
        if columns.iter().any(|c| c.name == name.value) {
            doc.fault(
                Mistake::LegacyColumn,
                name.span.clone(),
                phrase!("mapping.not_money", column = name.value),
            );
        } else {
            unknown_column(doc, name, columns);
        }
    }
    let not_mapped = not_mapped(doc, table, &amounts);
    let (insurance, period) = (table.text("insurance"), table.text("period"));
    if let Some(sql) = insurance.as_ref().filter(|_| whole) {
        expression(doc, view, given.planner, sql, &phrase!("mapping.a_text"), |t| *t == DataType::Utf8);
    }
    if let Some(sql) = period.as_ref().filter(|_| whole) {
        expression(doc, view, given.planner, sql, &phrase!("mapping.a_period"), DataType::is_integer);
    }
    MeasureSpec {
        by: texts(by),
        // What a value cannot be, it is not counted under: the branches note it.
        insurance: insurance.map(|t| guard::tried(&t.value)),
        period: period.map(|t| guard::tried(&t.value)),
        amounts: texts(amounts),
        not_mapped,
    }
}

/// Amounts that feed no national measure, each with its reason.
fn not_mapped(doc: &Doc, table: &Table<'_>, amounts: &[At<String>]) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (name, value) in table.entries("not_mapped") {
        let reason = value.get_ref().as_str().unwrap_or_default().trim();
        if !amounts.iter().any(|a| a.value == name.value) {
            let near = nearest(&name.value, amounts.iter().map(|a| a.value.as_str()));
            let message = phrase!("mapping.not_amount", column = name.value);
            doc.hinted(Mistake::LegacyColumn, name.span.clone(), message, phrase!("mapping.meant", near));
        } else if reason.is_empty() {
            doc.fault(Mistake::Form, value.span(), phrase!("mapping.not_mapped_why"));
        } else {
            found.insert(name.value, reason.to_owned());
        }
    }
    found
}

fn column(name: &At<String>, table: &Table<'_>, nulls: &[String], given: &Given<'_>) -> Option<LayerOne> {
    let doc = table.doc;
    let ways = ["parse", "money", "rate", "code", "skip"].iter().filter(|k| table.has(k)).count();
    if ways != 1 {
        let message = phrase!("mapping.one_way");
        doc.fault(Mistake::Form, table.span.clone(), message);
        return None;
    }
    let mask = table.text("mask").and_then(|m| {
        if MASKS.contains(&m.value.as_str()) {
            return Some(m.value);
        }
        doc.fault(Mistake::Form, m.span, phrase!("mapping.mask", known = MASKS.join(", ")));
        None
    });
    let reading = match table.text("skip") {
        Some(reason) => Reading::Skip(reason.value),
        None => {
            let codes = table.text("code").map(|c| c.value);
            let own = texts(table.texts("null"));
            let nulls = NullTokens::new(nulls.iter().chain(&own).map(String::as_str));
            Reading::Viewed(Viewed { read: read(table, given)?, nulls, codes })
        }
    };
    let from = table.text("from").map_or_else(|| name.value.clone(), |f| f.value);
    let read = matches!(reading, Reading::Viewed(_));
    if let Some(own) = OWN_NAMES.iter().find(|own| read && (name.value == **own || from == **own)) {
        let hint =
            if from == **own { phrase!("mapping.own_name_from") } else { phrase!("mapping.own_name_here") };
        doc.hinted(Mistake::Form, name.span.clone(), phrase!("mapping.own_name", own), hint);
        return None;
    }
    Some(LayerOne { name: name.value.clone(), from, reading, mask })
}

fn read(table: &Table<'_>, given: &Given<'_>) -> Option<Read> {
    let doc = table.doc;
    if let Some(list) = table.text("code") {
        let Some(codes) = given.lists.get(&list.value) else {
            if given.broken.borrow().lists.contains(&list.value) {
                return None;
            }
            let near = nearest(&list.value, given.lists.keys().map(String::as_str));
            let message = phrase!("mapping.no_code_list", list = list.value);
            doc.hinted(Mistake::CodeList, list.span, message, phrase!("mapping.meant", near));
            return None;
        };
        return Some(Read::Code(codes.clone()));
    }
    if let Some(unit) = table.text("money") {
        let known = Unit::named(&unit.value);
        if known.is_none() {
            doc.fault(Mistake::Form, unit.span, phrase!("mapping.money_unit"));
        }
        return known.map(Read::Money);
    }
    if let Some(rate) = table.text("rate") {
        let scale = i8::try_from(table.number("scale").unwrap_or(4).min(8)).unwrap_or(4);
        let Some((_, places)) = RATES.into_iter().find(|(name, _)| *name == rate.value) else {
            let names = RATES.map(|(name, _)| name).join(", ");
            doc.fault(Mistake::Form, rate.span, phrase!("mapping.rate", names));
            return None;
        };
        return Some(Read::Rate { places, scale });
    }
    let parse = table.text("parse")?;
    match parse.value.as_str() {
        "text" => Some(Read::Text { pad: table.number("pad").map(usize::from) }),
        "date" => Some(Read::Date { century: century(table)?, forms: forms(table, &DateForm::ALL)? }),
        "period" => Some(Read::Period { forms: forms(table, &PeriodForm::ALL)? }),
        "int" => Some(Read::Int),
        "time" => Some(Read::Time),
        other => {
            let near = nearest(other, ["text", "date", "period", "int", "time"]);
            let message = phrase!("mapping.no_parse", other);
            doc.hinted(Mistake::Form, parse.span, message, phrase!("mapping.meant", near));
            None
        }
    }
}

fn century(table: &Table<'_>) -> Option<Century> {
    match table.text("century") {
        None => Some(Century::Other),
        Some(c) if c.value == "birth" => Some(Century::Birth),
        Some(c) if c.value == "other" => Some(Century::Other),
        Some(c) => {
            table.doc.fault(Mistake::Form, c.span, phrase!("mapping.century"));
            None
        }
    }
}

fn forms<F: Copy>(table: &Table<'_>, all: &[(&'static str, F)]) -> Option<Vec<F>> {
    if !table.has("forms") {
        return Some(all.iter().map(|(_, f)| *f).collect());
    }
    let mut forms = Vec::new();
    for name in table.texts("forms") {
        let Some((_, form)) = all.iter().find(|(n, _)| *n == name.value) else {
            let near = nearest(&name.value, all.iter().map(|(n, _)| *n));
            let message = phrase!("mapping.no_form", form = name.value);
            table.doc.hinted(Mistake::Form, name.span, message, phrase!("mapping.meant", near));
            return None;
        };
        forms.push(*form);
    }
    Some(forms)
}
