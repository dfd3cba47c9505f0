//! city.toml, its code lists and font table, and sources/*.toml → checked structs.
//!
//! Always: every mistake of every file is noted; what could not be made sense of is left out, and the load fails at its end.
//! Must not know: national tables.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::DataType;
use encoding_rs::{Encoding, GB18030};
use toml::de::DeValue;

use super::error::nearest;
use super::fault::{MappingFault, Mistake};
use super::file::{Generation, Ignore, LayerOne, MeasureSpec, Reading, SourceView, Viewed};
use super::pattern::Pattern;
use super::planner::{Planner, Refusal};
use super::text::{At, Doc, Table, twice};
use crate::functions::{
    Century, CodeList, DateForm, Domain, Domains, Font, NullTokens, PeriodForm, Read, Unit, code_page,
};

/// What city.toml says.
pub(super) struct Head {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) source_ids: Vec<String>,
    pub(super) nulls: Vec<String>,
    pub(super) domains: Domains,
    pub(super) ignore: Vec<Ignore>,
    pub(super) font: Font,
    pub(super) code_page: &'static Encoding,
}

fn texts(found: Vec<At<String>>) -> Vec<String> {
    found.into_iter().map(|t| t.value).collect()
}

/// Reads city.toml and its font table.
pub(super) fn head(dir: &Path, faults: &mut Vec<MappingFault>) -> Head {
    let doc = Doc::open(&dir.join("city.toml"));
    let parsed = doc.parse();
    let known = ["id", "name", "sources", "font", "null", "code_page", "domain", "ignore"];
    let table = Table::open(&doc, &parsed, 0..0, &known);
    let ignore = table.tables("ignore", &["table", "reason"]).iter().filter_map(ignored).collect();
    let code_page = match table.text("code_page") {
        None => GB18030,
        Some(name) => code_page(&name.value).unwrap_or_else(|| {
            doc.fault(Mistake::Form, name.span, format!("there is no code page `{}`", name.value));
            GB18030
        }),
    };
    let font = table.text("font").map(|file| font(&dir.join(file.value), faults)).unwrap_or_default();
    let head = Head {
        id: table.required("id").map_or_else(String::new, |t| t.value),
        name: table.required("name").map_or_else(String::new, |t| t.value),
        source_ids: texts(table.texts("sources")),
        nulls: texts(table.texts("null")),
        domains: domains_of(&table),
        ignore,
        font,
        code_page,
    };
    if head.source_ids.is_empty() {
        doc.fault(Mistake::Form, table.span_of("sources"), "`sources` names no legacy database");
    }
    drop(parsed);
    faults.extend(doc.finish());
    head
}

fn domains_of(table: &Table<'_>) -> Domains {
    let mut domains = Domains::new();
    for (name, value) in table.entries("domain") {
        let DeValue::Table(inner) = value.get_ref() else {
            table.doc.fault(Mistake::Form, name.span, "a key domain is a table: [domain.unit]");
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
            format!("`{}` is no pattern of table names", text.value),
            "write a name, a family `T_{1998..2005}`, or a wildcard `T_*`",
        );
    }
    pattern
}

fn ignored(table: &Table<'_>) -> Option<Ignore> {
    let (name, reason) = (table.required("table"), table.required("reason"));
    Some(Ignore { table: pattern(table.doc, &name?)?, reason: reason?.value })
}

/// Rows of a CSV file with a header, with the line of each.
pub(super) fn csv_rows(
    path: &Path,
    columns: &[&str],
    faults: &mut Vec<MappingFault>,
) -> Vec<(usize, Vec<String>)> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let plain = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut fault = |line: usize, message: String| {
        let start = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>();
        faults.push(MappingFault::new(Mistake::File, path, &text, start..start, message));
    };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(plain.as_bytes());
    let header = reader.headers().cloned().unwrap_or_default();
    let places: Vec<Option<usize>> = columns.iter().map(|c| header.iter().position(|h| h == *c)).collect();
    if places.iter().any(Option::is_none) {
        fault(1, format!("the file must have the columns {}", columns.join(", ")));
        return Vec::new();
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        match record {
            Ok(record) => {
                let line = record.position().map_or(0, |p| usize::try_from(p.line()).unwrap_or(0));
                let field =
                    |place: &Option<usize>| place.and_then(|p| record.get(p)).unwrap_or("").to_owned();
                rows.push((line, places.iter().map(field).collect()));
            }
            Err(e) => fault(1, format!("this is no CSV: {e}")),
        }
    }
    rows
}

fn font(path: &Path, faults: &mut Vec<MappingFault>) -> Font {
    let mut characters = HashMap::new();
    let text = std::fs::read_to_string(path).unwrap_or_default();
    for (line, row) in csv_rows(path, &["private", "character"], faults) {
        let private = u32::from_str_radix(&row[0], 16).ok().and_then(char::from_u32);
        let mut real = row[1].chars();
        match (private, real.next(), real.next()) {
            (Some(from), Some(to), None) => {
                characters.insert(from, to);
            }
            _ => {
                let start =
                    text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>();
                let message = "a line is a code point in hexadecimal and one character";
                faults.push(MappingFault::new(Mistake::Form, path, &text, start..start, message));
            }
        }
    }
    Font(characters)
}

/// Reads codes/*.csv of the city.
pub(super) fn code_lists(dir: &Path, faults: &mut Vec<MappingFault>) -> BTreeMap<String, Arc<CodeList>> {
    let mut lists = BTreeMap::new();
    for path in files(&dir.join("codes"), "csv") {
        let rows = csv_rows(&path, &["legacy", "code"], faults);
        let pairs = rows.iter().map(|(_, row)| (row[0].clone(), row[1].clone()));
        match CodeList::new(pairs) {
            Ok(list) => {
                lists.insert(stem(&path), Arc::new(list));
            }
            Err(twice) => {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                let message = format!("{} has two national codes", twice.join(", "));
                faults.push(MappingFault::new(Mistake::Twice, &path, &text, 0..0, message));
            }
        }
    }
    lists
}

/// The files of a folder with that ending, in name order.
pub(super) fn files(dir: &Path, ending: &str) -> Vec<std::path::PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .map(|entries| entries.filter_map(Result::ok).map(|e| e.path()).collect())
        .unwrap_or_default();
    found.retain(|p: &std::path::PathBuf| p.extension().is_some_and(|e| e == ending));
    found.sort();
    found
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
}

const FILE_KEYS: [&str; 8] =
    ["match", "source", "key", "unique", "generation", "null", "columns", "measures"];
const COLUMN_KEYS: [&str; 12] =
    ["parse", "money", "rate", "code", "skip", "from", "pad", "forms", "century", "null", "scale", "mask"];
const MASKS: [&str; 6] = ["name", "id", "phone", "account", "address", "none"];

/// Reads one sources/*.toml.
pub(super) fn source(path: &Path, given: &Given<'_>, faults: &mut Vec<MappingFault>) -> Option<SourceView> {
    let doc = Doc::open(path);
    let parsed = doc.parse();
    let view = view(&doc, &Table::open(&doc, &parsed, 0..0, &FILE_KEYS), path, given);
    drop(parsed);
    faults.extend(doc.finish());
    view
}

fn view(doc: &Doc, table: &Table<'_>, path: &Path, given: &Given<'_>) -> Option<SourceView> {
    let name = stem(path);
    let tables = match table.text("match") {
        Some(text) => pattern(doc, &text),
        None => Pattern::parse(&name),
    };
    let source = table.required("source");
    if let Some(id) = source.as_ref().filter(|s| !given.head.source_ids.contains(&s.value)) {
        let near = nearest(&id.value, given.head.source_ids.iter().map(String::as_str));
        let message = format!("city.toml names no source `{}`", id.value);
        doc.hinted(Mistake::View, id.span.clone(), message, format!("the nearest is `{near}`"));
    }
    let generation = table.required("generation").and_then(|g| {
        let known = Generation::named(&g.value);
        if known.is_none() {
            doc.fault(Mistake::Form, g.span, "the generation is G1, G2 or G3 (reference 0.3)");
        }
        known
    });
    let nulls: Vec<String> = given.head.nulls.iter().cloned().chain(texts(table.texts("null"))).collect();
    let entries = table.entries("columns");
    for name in twice(entries.iter().map(|(k, _)| k)) {
        doc.fault(Mistake::Twice, name.span.clone(), format!("`{}` stands here twice", name.value));
    }
    let mut columns = Vec::new();
    for (name, value) in &entries {
        let DeValue::Table(inner) = value.get_ref() else {
            doc.fault(Mistake::Form, value.span(), "a column is a table: { parse = \"text\" }");
            continue;
        };
        let inner = Table::open(doc, inner, value.span(), &COLUMN_KEYS);
        columns.extend(column(name, &inner, &nulls, given));
    }
    let key = key(doc, table, &columns);
    let spec = table.table("measures", &["by", "insurance", "period", "amounts", "not_mapped"]);
    let mut view = SourceView {
        name,
        source: source?.value,
        tables: tables?,
        key,
        unique: table.flag("unique").unwrap_or(true),
        generation: generation?,
        columns,
        measures: None,
        path: path.to_owned(),
    };
    view.measures = spec.map(|m| measures(doc, &m, &view, given.planner));
    Some(view)
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
            doc.fault(Mistake::Type, sql.span.clone(), format!("this is {found}, not {wanted}"));
        }
        Err(Refusal::Sql(message)) => doc.fault(Mistake::Sql, sql.span.clone(), message),
        Err(Refusal::Float(e)) => doc.fault(Mistake::Float, sql.span.clone(), format!("{e} is a float")),
    }
}

fn key(doc: &Doc, table: &Table<'_>, columns: &[LayerOne]) -> Vec<String> {
    let key = table.texts("key");
    if key.is_empty() {
        doc.fault(Mistake::Form, table.span_of("key"), "`key` names no column");
    }
    for part in key.iter().filter(|k| !columns.iter().any(|c| c.name == k.value)) {
        unknown_column(doc, part, columns);
    }
    texts(key)
}

fn unknown_column(doc: &Doc, name: &At<String>, columns: &[LayerOne]) {
    let near = nearest(&name.value, columns.iter().map(|c| c.name.as_str()));
    let message = format!("there is no column `{}` under [columns]", name.value);
    doc.hinted(Mistake::LegacyColumn, name.span.clone(), message, format!("the nearest is `{near}`"));
}

fn measures(doc: &Doc, table: &Table<'_>, view: &SourceView, planner: &Planner) -> MeasureSpec {
    let columns = &view.columns;
    let (by, amounts) = (table.texts("by"), table.texts("amounts"));
    for name in by.iter().filter(|b| !columns.iter().any(|c| c.from == b.value)) {
        unknown_column(doc, name, columns);
    }
    let skipped = |b: &str| {
        let mut readings = columns.iter().filter(|c| c.from == b).map(|c| &c.reading).peekable();
        readings.peek().is_some() && readings.all(|r| matches!(r, Reading::Skip(_)))
    };
    for name in by.iter().filter(|b| skipped(&b.value)) {
        let message = format!("`{}` is skipped: raw has no such column to sum by", name.value);
        doc.fault(Mistake::LegacyColumn, name.span.clone(), message);
    }
    let money = |name: &str| {
        let found = columns.iter().find(|c| c.name == name);
        found.is_some_and(|c| matches!(&c.reading, Reading::Viewed(v) if matches!(v.read, Read::Money(_))))
    };
    for name in amounts.iter().filter(|a| !money(&a.value)) {
        if columns.iter().any(|c| c.name == name.value) {
            doc.fault(
                Mistake::LegacyColumn,
                name.span.clone(),
                format!("`{}` is not read as money", name.value),
            );
        } else {
            unknown_column(doc, name, columns);
        }
    }
    let not_mapped = not_mapped(doc, table, &amounts);
    let (insurance, period) = (table.text("insurance"), table.text("period"));
    if let Some(sql) = &insurance {
        expression(doc, view, planner, sql, "text", |t| *t == DataType::Utf8);
    }
    if let Some(sql) = &period {
        expression(doc, view, planner, sql, "a period", DataType::is_integer);
    }
    MeasureSpec {
        by: texts(by),
        insurance: insurance.map(|t| t.value),
        period: period.map(|t| t.value),
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
            let message = format!("`{}` is not under `amounts`", name.value);
            doc.hinted(Mistake::LegacyColumn, name.span.clone(), message, format!("the nearest is `{near}`"));
        } else if reason.is_empty() {
            doc.fault(Mistake::Form, value.span(), "say why this amount feeds no national measure");
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
        let message = "a column has exactly one of parse, money, rate, code, skip";
        doc.fault(Mistake::Form, table.span.clone(), message);
        return None;
    }
    let mask = table.text("mask").and_then(|m| {
        if MASKS.contains(&m.value.as_str()) {
            return Some(m.value);
        }
        doc.fault(Mistake::Form, m.span, format!("a mask is one of {}", MASKS.join(", ")));
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
    Some(LayerOne { name: name.value.clone(), from, reading, mask })
}

fn read(table: &Table<'_>, given: &Given<'_>) -> Option<Read> {
    let doc = table.doc;
    if let Some(list) = table.text("code") {
        let Some(codes) = given.lists.get(&list.value) else {
            let near = nearest(&list.value, given.lists.keys().map(String::as_str));
            let message = format!("there is no code list `{}`", list.value);
            doc.hinted(Mistake::CodeList, list.span, message, format!("the nearest is `{near}`"));
            return None;
        };
        return Some(Read::Code(codes.clone()));
    }
    if let Some(unit) = table.text("money") {
        let known = Unit::named(&unit.value);
        if known.is_none() {
            doc.fault(Mistake::Form, unit.span, "the unit of money is yuan or fen");
        }
        return known.map(Read::Money);
    }
    if let Some(rate) = table.text("rate") {
        let scale = i8::try_from(table.number("scale").unwrap_or(4).min(8)).unwrap_or(4);
        match rate.value.as_str() {
            "percent" => return Some(Read::Rate { percent: true, scale }),
            "fraction" => return Some(Read::Rate { percent: false, scale }),
            _ => doc.fault(Mistake::Form, rate.span, "a rate is percent or fraction"),
        }
        return None;
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
            let message = format!("nothing parses as `{other}`");
            doc.hinted(Mistake::Form, parse.span, message, format!("the nearest is `{near}`"));
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
            table.doc.fault(Mistake::Form, c.span, "the century is birth (1920-2019) or other (1950-2049)");
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
            let message = format!("there is no form `{}`", name.value);
            table.doc.hinted(Mistake::Form, name.span, message, format!("the nearest is `{near}`"));
            return None;
        };
        forms.push(*form);
    }
    Some(forms)
}
