//! The files of `mappings/national/` → the checked schema.
//!
//! Always: every file is read, every mistake is told, before anything is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Spanned;

use super::fault::{NationalError, NationalFault};
use super::{
    Code, CodeList, Column, Crosswalk, Degree, Gate, GateFile, Kind, LengthIn, Mandatory, Mask, National,
    Parent, Rule, Table, Trap,
};
use crate::durable::hex;
use crate::folder;
use crate::nearest::nearest;
use crate::phrase;
use crate::sql_ident::{literal, quote};
use crate::text_file::{self, Unreadable};

/// The newest form of the files that is understood.
const VERSION: u32 = 1;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SchemaFile {
    version: Spanned<u32>,
    length_in: LengthIn,
    order: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommonFile {
    column: Vec<ColumnFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TableFile {
    pub(super) table: Spanned<String>,
    name: String,
    section: String,
    standing: String,
    pub(super) key: Vec<Spanned<String>>,
    pub(super) natural: Option<Vec<Spanned<String>>>,
    upload: bool,
    pub(super) scope: Option<Spanned<String>>,
    pub(super) insurance: Option<Spanned<String>>,
    pub(super) period: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) parent: Vec<ParentFile>,
    pub(super) column: Vec<ColumnFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ParentFile {
    pub(super) columns: Vec<Spanned<String>>,
    pub(super) table: Spanned<String>,
    pub(super) rule: Spanned<String>,
    pub(super) when: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ColumnFile {
    pub(super) code: Spanned<String>,
    name: String,
    #[serde(rename = "type")]
    pub(super) kind: Spanned<String>,
    pub(super) mandatory: Spanned<Mandatory>,
    pub(super) when: Option<Spanned<String>>,
    pub(super) empty: Option<Spanned<String>>,
    pub(super) codes: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) measure: bool,
    unit: Option<String>,
    mask: Option<Mask>,
    source: String,
    standing: String,
}

/// A file's text, for spans.
pub(super) struct Text {
    path: PathBuf,
    text: String,
}

/// Reads files, keeps their mistakes, and digests them.
pub(super) struct Reader {
    pub(super) faults: Vec<NationalFault>,
    /// Tables whose files cannot be read: nobody is told that they do not exist.
    pub(super) unread: BTreeSet<String>,
    digest: Sha256,
}

/// One line of a CSV and where it stands.
pub(super) type Record<const N: usize> = ([String; N], Range<usize>);

impl Reader {
    /// The files of a folder with an ending, by name.
    fn files(&mut self, dir: &Path, ending: &str) -> Vec<PathBuf> {
        folder::with_ending(dir, ending).unwrap_or_else(|e| {
            let text = Text { path: dir.to_owned(), text: String::new() };
            self.fault(&text, 0..0, phrase!("national.folder", e));
            Vec::new()
        })
    }

    pub(super) fn fault(&mut self, text: &Text, span: Range<usize>, message: impl Into<String>) {
        self.faults.push(NationalFault::new(&text.path, &text.text, span, message.into()));
    }

    fn text(&mut self, path: &Path) -> Text {
        let read = std::fs::read(path);
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        self.digest.update(name.as_bytes());
        self.digest.update(read.as_deref().unwrap_or_default());
        let decoded = match read {
            Ok(bytes) => text_file::decode(&bytes),
            Err(e) => Err(Unreadable(phrase!("file.unread", e))),
        };
        let (text, why) = match decoded {
            Ok(text) => (text, None),
            Err(Unreadable(why)) => (String::new(), Some(why)),
        };
        let text = Text { path: path.to_owned(), text };
        if let Some(why) = why {
            self.fault(&text, 0..0, phrase!("file.the_file", why));
        }
        text
    }

    fn toml<T: for<'de> Deserialize<'de>>(&mut self, path: &Path) -> (Text, Option<T>) {
        let text = self.text(path);
        if text.text.is_empty() {
            return (text, None);
        }
        match toml::from_str(&text.text) {
            Ok(value) => (text, Some(value)),
            Err(e) => {
                self.fault(&text, e.span().unwrap_or(0..0), e.message().to_owned());
                (text, None)
            }
        }
    }

    /// The records of a CSV with that head, each with its span.
    pub(super) fn csv<const N: usize>(&mut self, path: &Path, head: [&str; N]) -> (Text, Vec<Record<N>>) {
        let text = self.text(path);
        let body = text.text.strip_prefix('\u{feff}').unwrap_or(&text.text);
        let skipped = text.text.len() - body.len();
        let mut reader = csv::ReaderBuilder::new().from_reader(body.as_bytes());
        let found =
            reader.headers().map(|h| h.iter().map(str::to_owned).collect::<Vec<_>>()).unwrap_or_default();
        if found != head {
            let message = phrase!("national.head", head = head.join(","));
            self.fault(&text, skipped..skipped, message);
            return (text, Vec::new());
        }
        let mut rows = Vec::new();
        for record in reader.records() {
            match record {
                Ok(record) => {
                    let at = record.position().map_or(0, csv::Position::byte);
                    let at = skipped + usize::try_from(at).unwrap_or(0);
                    let cells = std::array::from_fn(|i| record.get(i).unwrap_or_default().trim().to_owned());
                    rows.push((cells, at..at + 1));
                }
                Err(e) => {
                    let at = e.position().map_or(0, csv::Position::byte);
                    let at = skipped + usize::try_from(at).unwrap_or(0);
                    self.fault(&text, at..at, phrase!("national.line", e));
                }
            }
        }
        (text, rows)
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Loads and checks the folder.
///
/// # Errors
/// `NAT-001` with all mistakes of all files.
pub fn load(dir: &Path) -> Result<National, NationalError> {
    let mut reader = Reader { faults: Vec::new(), unread: BTreeSet::new(), digest: Sha256::new() };
    let (schema_text, schema) = reader.toml::<SchemaFile>(&dir.join("schema.toml"));
    let (_, common) = reader.toml::<CommonFile>(&dir.join("common.toml"));
    let rules = read_rules(&mut reader, dir);
    let gate = read_gate(&mut reader, dir);
    let codes = read_codes(&mut reader, dir);
    let crosswalks = read_crosswalks(&mut reader, dir, &codes);
    let traps = read_traps(&mut reader, dir);
    let common = common.map(|c| c.column).unwrap_or_default();
    let mut read = Vec::new();
    for path in reader.files(dir, "toml") {
        if matches!(stem(&path).as_str(), "schema" | "common") {
            continue;
        }
        let (text, file) = reader.toml::<TableFile>(&path);
        if file.is_none() {
            reader.unread.insert(stem(&path));
        }
        if let Some(file) = file {
            if *file.table.get_ref() != stem(&path) {
                reader.fault(&text, file.table.span(), phrase!("file.called", name = stem(&path)));
            }
            read.push((text, file));
        }
    }
    let mut tables = super::check::tables(&mut reader, &read, &common, &codes, &rules, &gate);
    let mut length_in = LengthIn::Characters;
    if let Some(schema) = &schema {
        length_in = schema.length_in;
        sort(&mut reader, &schema_text, schema, &mut tables);
    }
    let units = super::units::read(&mut reader, dir, &tables);
    let figures = super::figures::read(&mut reader, dir, &tables);
    let name_variants = read_variants(&mut reader, &dir.join("tables").join("name_variants.csv"));
    if !reader.faults.is_empty() {
        return Err(NationalError { faults: reader.faults });
    }
    let digest = hex(&reader.digest.finalize());
    tables.iter_mut().for_each(|table| keep_unknown_codes(table, &codes));
    Ok(National {
        tables,
        codes,
        gate,
        rules,
        traps,
        crosswalks,
        length_in,
        units,
        figures,
        name_variants,
        digest,
    })
}

/// Brings the tables into load order.
fn sort(reader: &mut Reader, text: &Text, schema: &SchemaFile, tables: &mut [Table]) {
    if *schema.version.get_ref() != VERSION {
        reader.fault(text, schema.version.span(), phrase!("national.version", version = VERSION));
    }
    let mut place = BTreeMap::new();
    for (at, name) in schema.order.iter().enumerate() {
        if !tables.iter().any(|t| t.name == *name.get_ref()) && !reader.unread.contains(name.get_ref()) {
            reader.fault(text, name.span(), phrase!("national.no_file", name = name.get_ref()));
        }
        if place.insert(name.get_ref().as_str(), at).is_some() {
            reader.fault(text, name.span(), phrase!("national.twice", name = name.get_ref()));
        }
    }
    for table in tables.iter() {
        let Some(own) = place.get(table.name.as_str()) else {
            reader.fault(text, 0..0, phrase!("national.order", table = table.name));
            continue;
        };
        for parent in &table.parents {
            if place.get(parent.table.as_str()).is_some_and(|p| p >= own) {
                let message = phrase!("national.parent_order", table = table.name, parent = parent.table);
                let span = schema.order.get(*own).map_or(0..0, Spanned::span);
                reader.fault(text, span, message);
            }
        }
    }
    tables.sort_by_key(|t| place.get(t.name.as_str()).copied());
}

fn read_rules(reader: &mut Reader, dir: &Path) -> BTreeMap<String, Rule> {
    let (text, rows) = reader.csv(&dir.join("rules.csv"), ["rule", "severity", "title_zh", "title_en"]);
    let mut rules = BTreeMap::new();
    for ([rule, severity, title_zh, title_en], span) in rows {
        if !matches!(severity.as_str(), "B" | "E" | "W" | "I") {
            reader.fault(&text, span.clone(), phrase!("national.severity", severity));
        }
        if rules.insert(rule.clone(), Rule { severity, title_zh, title_en }).is_some() {
            reader.fault(&text, span, phrase!("national.rule_twice", rule));
        }
    }
    rules
}

fn read_gate(reader: &mut Reader, dir: &Path) -> GateFile {
    let (text, rows) = reader.csv(&dir.join("gate.csv"), ["rule", "degree", "gate", "basis"]);
    let mut lines = BTreeMap::new();
    for ([rule, degree, gate, _], span) in rows {
        let degree = [Degree::Hard, Degree::Soft, Degree::Any].into_iter().find(|d| d.text() == degree);
        let gate = [Gate::Block, Gate::Mark, Gate::Count].into_iter().find(|g| g.text() == gate);
        match (degree, gate) {
            (Some(degree), Some(gate)) => {
                if lines.insert((rule.clone(), degree.text()), gate).is_some() {
                    reader.fault(&text, span, phrase!("national.gate_twice", rule, degree = degree.text()));
                }
            }
            _ => reader.fault(&text, span, phrase!("national.gate")),
        }
    }
    GateFile { lines }
}

fn read_codes(reader: &mut Reader, dir: &Path) -> BTreeMap<String, CodeList> {
    let mut lists = BTreeMap::new();
    for path in reader.files(&dir.join("codes"), "csv") {
        let (text, rows) = reader.csv(&path, ["code", "name", "source", "standing"]);
        let mut list = CodeList::default();
        for ([code, name, source, standing], span) in rows {
            if code.is_empty() || !matches!(standing.as_str(), "seen" | "known" | "proposed") {
                reader.fault(&text, span.clone(), phrase!("national.code"));
            }
            if list.codes.insert(code.clone(), Code { name, source, standing }).is_some() {
                reader.fault(&text, span, phrase!("national.code_twice", code));
            }
        }
        lists.insert(stem(&path), list);
    }
    lists
}

fn read_crosswalks(
    reader: &mut Reader,
    dir: &Path,
    codes: &BTreeMap<String, CodeList>,
) -> BTreeMap<String, Crosswalk> {
    let mut lists = BTreeMap::new();
    for path in reader.files(&dir.join("crosswalks").join("G2"), "csv") {
        let name = stem(&path);
        let (text, rows) = reader.csv(&path, ["legacy", "code", "name", "basis"]);
        let Some(national) = codes.get(&name) else {
            reader.fault(&text, 0..0, unknown(phrase!("national.code_list"), &name, codes.keys()));
            continue;
        };
        let mut list = Crosswalk::default();
        for ([legacy, code, _, _], span) in rows {
            if !code.is_empty() && !national.codes.contains_key(&code) {
                reader.fault(&text, span.clone(), phrase!("national.not_in_codes", code, name));
            }
            if list.codes.insert(legacy.clone(), code).is_some() {
                reader.fault(&text, span, phrase!("national.legacy_twice", legacy));
            }
        }
        lists.insert(format!("G2/{name}"), list);
    }
    lists
}

/// Variants of characters in names; a schema without the file has none.
fn read_variants(reader: &mut Reader, path: &Path) -> BTreeMap<char, char> {
    let mut all = BTreeMap::new();
    if !path.exists() {
        return all;
    }
    let (text, rows) = reader.csv(path, ["variant", "character", "source", "standing"]);
    for ([variant, character, _, _], span) in rows {
        let (mut from, mut to) = (variant.chars(), character.chars());
        match (from.next(), from.next(), to.next(), to.next()) {
            (Some(from), None, Some(to), None) if from != to => {
                if all.insert(from, to).is_some() {
                    reader.fault(&text, span, phrase!("national.variant_twice", from));
                }
            }
            _ => reader.fault(&text, span, phrase!("national.variant")),
        }
    }
    all
}

fn read_traps(reader: &mut Reader, dir: &Path) -> Vec<Trap> {
    let (text, rows) = reader.csv(&dir.join("traps.csv"), ["code", "g2", "g3", "remedy"]);
    let mut seen = BTreeSet::new();
    let mut traps = Vec::new();
    for ([code, g2, g3, remedy], span) in rows {
        let known = remedy == "crosswalk" || remedy.starts_with("swap:") || remedy.starts_with("rename:");
        if !known || !seen.insert(code.clone()) {
            reader.fault(&text, span, phrase!("national.trap"));
        }
        traps.push(Trap { code, g2, g3, remedy });
    }
    traps
}

/// A code that no list has says nothing about the scope: its row stays inside, where the check finds the code, and does not pass for a row
/// of another insurance.
fn keep_unknown_codes(table: &mut Table, codes: &BTreeMap<String, CodeList>) {
    let Some(scope) = &mut table.scope else { return };
    let words: BTreeSet<&str> = scope.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let mut whole = format!("({scope}) IS NOT FALSE");
    for column in table.columns.iter().filter(|c| words.contains(c.code.as_str())) {
        let Some(list) = column.codes.as_ref().and_then(|list| codes.get(list)) else { continue };
        let known: Vec<String> = list.codes.keys().map(|code| literal(code)).collect();
        let name = quote(&column.code);
        whole.push_str(&format!(" OR ({name} IS NOT NULL AND {name} NOT IN ({}))", known.join(", ")));
    }
    *scope = whole;
}

/// "there is no …; did you mean …?"
pub(super) fn unknown<'a>(what: String, name: &str, known: impl IntoIterator<Item = &'a String>) -> String {
    let mut known = known.into_iter().peekable();
    match known.peek() {
        Some(_) => phrase!("national.unknown_meant", what, name, nearest = nearest(name, known)),
        None => phrase!("national.unknown", what, name),
    }
}

pub(super) fn kind(text: &str) -> Option<Kind> {
    let inner = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
    match text {
        "id" => return Some(Kind::Id),
        "date" => return Some(Kind::Date),
        "period" => return Some(Kind::Period),
        "time" => return Some(Kind::Time),
        "money" => return Some(Kind::Money),
        _ => {}
    }
    if let Some(length) = inner("text") {
        return length.parse().ok().filter(|n| *n > 0).map(Kind::Text);
    }
    if let Some(digits) = inner("int") {
        return digits.parse().ok().filter(|n| (1..=10).contains(n)).map(Kind::Int);
    }
    let (precision, scale) = inner("rate")?.split_once(',')?;
    let (precision, scale) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
    (precision <= 18 && scale >= 0 && scale < precision as i8).then_some(Kind::Rate { precision, scale })
}

impl TableFile {
    pub(super) fn upload(&self) -> bool {
        self.upload
    }

    /// The checked table; columns of unknown type are left out (a mistake tells of them).
    pub(super) fn table(&self, common: &[ColumnFile]) -> Table {
        let text = |s: &Spanned<String>| s.get_ref().clone();
        let parents = self.parent.iter().map(|p| Parent {
            columns: p.columns.iter().map(text).collect(),
            table: text(&p.table),
            rule: text(&p.rule),
            when: p.when.as_ref().map(text),
        });
        let columns: Vec<Column> = self.column.iter().chain(common).filter_map(ColumnFile::column).collect();
        let key: Vec<String> = self.key.iter().map(text).collect();
        let is_id = |code: &&String| columns.iter().any(|c| c.code == **code && c.kind == Kind::Id);
        let natural = match &self.natural {
            Some(named) => named.iter().map(text).collect(),
            None => key.iter().filter(|code| !is_id(code)).cloned().collect(),
        };
        Table {
            name: text(&self.table),
            title: self.name.clone(),
            section: self.section.clone(),
            standing: self.standing.clone(),
            key,
            natural,
            upload: self.upload,
            scope: self.scope.as_ref().map(text),
            insurance: self.insurance.as_ref().map(text),
            period: self.period.as_ref().map(text),
            parents: parents.collect(),
            columns,
        }
    }
}

impl ColumnFile {
    fn column(&self) -> Option<Column> {
        let text = |s: &Spanned<String>| s.get_ref().clone();
        Some(Column {
            code: text(&self.code),
            title: self.name.clone(),
            kind: kind(self.kind.get_ref())?,
            mandatory: *self.mandatory.get_ref(),
            when: self.when.as_ref().map(text),
            empty: self.empty.as_ref().map(text),
            codes: self.codes.as_ref().map(text),
            measure: self.measure,
            unit: self.unit.clone(),
            mask: self.mask.unwrap_or(match kind(self.kind.get_ref())? {
                Kind::Text(_) if self.codes.is_none() => Mask::Text,
                _ => Mask::None,
            }),
            source: self.source.clone(),
            standing: self.standing.clone(),
        })
    }
}
