//! TOML with spans: a small reader that reports every mistake of form and goes on.
//!
//! Always: a table says which keys it knows, and every other key is a mistake that names the nearest known one.
//! Must not know: what the keys mean.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{MappingFault, Mistake};
use crate::nearest::nearest;
use crate::phrase;
use crate::text_file::{self, Unreadable};

/// A file of the mapping, and the mistakes found in it so far.
pub(super) struct Doc {
    pub(super) path: PathBuf,
    pub(super) text: String,
    faults: RefCell<Vec<MappingFault>>,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

impl Doc {
    /// Reads a file; one that cannot be read is empty, with a mistake.
    pub(super) fn open(path: &Path) -> Self {
        let doc = |text| Self { path: path.to_owned(), text, faults: RefCell::default() };
        match text_file::read(path) {
            Ok(text) => doc(text),
            Err(Unreadable(why)) => {
                let empty = doc(String::new());
                empty.fault(Mistake::File, 0..0, phrase!("file.the_file", why));
                empty
            }
        }
    }

    /// Whether the file as a whole makes no sense: nothing but that is said about it then.
    pub(super) fn senseless(&self) -> bool {
        self.faults.borrow().iter().any(|f| f.mistake == Mistake::File)
    }

    /// Notes a mistake.
    pub(super) fn fault(&self, mistake: Mistake, span: Range<usize>, message: impl Into<String>) {
        self.add(MappingFault::new(mistake, &self.path, &self.text, span, message));
    }

    /// Notes a mistake with a hint.
    pub(super) fn hinted(
        &self,
        mistake: Mistake,
        span: Range<usize>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.add(MappingFault::new(mistake, &self.path, &self.text, span, message).hint(hint));
    }

    fn add(&self, fault: MappingFault) {
        self.faults.borrow_mut().push(fault);
    }

    /// Parses the file; of the mistakes of syntax in a line the first is noted: the others follow from it.
    pub(super) fn parse(&self) -> DeTable<'_> {
        let (table, errors) = DeTable::parse_recoverable(&self.text);
        for e in errors {
            let span = e.span().unwrap_or(0..0);
            let fault = MappingFault::new(
                Mistake::File,
                &self.path,
                &self.text,
                span,
                phrase!("mapping.toml", why = e.message()),
            );
            if !self.faults.borrow().iter().any(|f| f.line == fault.line) {
                self.add(fault);
            }
        }
        table.into_inner()
    }

    /// File and line of a place.
    pub(super) fn place(&self, span: &Range<usize>) -> String {
        let fault = MappingFault::new(Mistake::Form, &self.path, &self.text, span.clone(), "");
        format!("{}:{}", fault.file, fault.line)
    }

    /// How many mistakes are noted so far.
    pub(super) fn noted(&self) -> usize {
        self.faults.borrow().len()
    }

    /// Drops those of the mistakes after the first `before` that stand at one of `shared` and were noted there earlier: of what several
    /// branches share, a mistake is told once, with the names of the others.
    pub(super) fn once(&self, before: usize, shared: &[Range<usize>], branch: &str) {
        let mut faults = self.faults.borrow_mut();
        let later = faults.split_off(before);
        for fault in later {
            let told = faults[..before].iter_mut().find(|f| {
                f.mistake == fault.mistake && f.is_at(&fault) && shared.iter().any(|s| f.stands_at(s))
            });
            match told {
                Some(told) if told.message == fault.message => {}
                Some(told) => told.also_in(branch),
                None => faults.push(fault),
            }
        }
    }

    /// The mistakes, in the order of the file; one that several branches share is one.
    pub(super) fn finish(self) -> Vec<MappingFault> {
        let mut faults = self.faults.into_inner();
        faults.sort_by_key(|f| f.line);
        let mut once: Vec<MappingFault> = Vec::with_capacity(faults.len());
        for fault in faults {
            if !once.iter().any(|f| f.same(&fault)) {
                once.push(fault);
            }
        }
        once
    }
}

/// A key that earlier versions had: encodings are settings of the source now.
const MOVED: &str = "code_page";

/// A TOML table of which some keys are known.
pub(super) struct Table<'d> {
    pub(super) doc: &'d Doc,
    table: &'d DeTable<'d>,
    pub(super) span: Range<usize>,
    /// Whether it has keys that are not known: what is missing may stand under one of them.
    pub(super) strange: bool,
}

/// A name and what stands under it.
pub(super) type Entry<'d> = (At<String>, &'d Spanned<DeValue<'d>>);

fn kind(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(_) => phrase!("mapping.a_text"),
        DeValue::Integer(_) => phrase!("mapping.an_integer"),
        DeValue::Float(_) => phrase!("mapping.a_number"),
        DeValue::Boolean(_) => phrase!("mapping.a_flag"),
        DeValue::Datetime(_) => phrase!("mapping.a_date"),
        DeValue::Array(_) => phrase!("mapping.a_list"),
        DeValue::Table(_) => phrase!("mapping.a_table"),
    }
}

impl<'d> Table<'d> {
    /// Opens a table; keys that are not `known` are mistakes.
    pub(super) fn open(doc: &'d Doc, table: &'d DeTable<'d>, span: Range<usize>, known: &[&str]) -> Self {
        let mut strange = false;
        for (key, value) in table.iter().filter(|(k, _)| !known.contains(&k.get_ref().as_ref())) {
            strange = true;
            let near = nearest(key.get_ref(), known.iter().copied());
            let hint = match key.get_ref().as_ref() {
                MOVED => phrase!("mapping.moved_code_page"),
                _ if matches!(value.get_ref(), DeValue::Table(_)) => {
                    phrase!("mapping.meant_table", near, known = known.join(", "))
                }
                _ => phrase!("mapping.meant_key", near, known = known.join(", ")),
            };
            let message = phrase!("mapping.no_key_here", key = key.get_ref());
            doc.hinted(Mistake::Form, key.span(), message, hint);
        }
        Self { doc, table, span, strange }
    }

    fn get(&self, key: &str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.table.iter().find(|(k, _)| k.get_ref() == key).map(|(_, v)| v)
    }

    fn wrong(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let found = kind(value.get_ref());
        self.doc.fault(Mistake::Form, value.span(), phrase!("mapping.must_be", key, wanted, found));
    }

    /// Whether the key stands here.
    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Where the key's value stands; the table's own place when it does not.
    pub(super) fn span_of(&self, key: &str) -> Range<usize> {
        self.get(key).map_or_else(|| self.span.clone(), Spanned::span)
    }

    /// A text.
    pub(super) fn text(&self, key: &str) -> Option<At<String>> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::String(s) => Some(At { value: s.to_string(), span: value.span() }),
            _ => {
                self.wrong(key, value, &phrase!("mapping.a_text"));
                None
            }
        }
    }

    /// A text that must be there.
    pub(super) fn required(&self, key: &str) -> Option<At<String>> {
        if !self.has(key) {
            self.doc.fault(Mistake::Form, self.span.clone(), phrase!("mapping.missing", key));
        }
        self.text(key)
    }

    /// true or false.
    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Boolean(b) => Some(*b),
            _ => {
                self.wrong(key, value, &phrase!("mapping.a_flag"));
                None
            }
        }
    }

    /// A small whole number.
    pub(super) fn number(&self, key: &str) -> Option<u8> {
        let value = self.get(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(n) => n.as_str().parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.wrong(key, value, &phrase!("mapping.a_small"));
        }
        number
    }

    /// A list of texts; empty when it is not there.
    pub(super) fn texts(&self, key: &str) -> Vec<At<String>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong(key, value, &phrase!("mapping.a_texts"));
            return Vec::new();
        };
        let text = |item: &Spanned<DeValue<'_>>| match item.get_ref() {
            DeValue::String(s) => Some(At { value: s.to_string(), span: item.span() }),
            _ => {
                self.wrong(key, item, &phrase!("mapping.a_texts"));
                None
            }
        };
        items.iter().filter_map(text).collect()
    }

    /// A table under a key, with its known keys; `None` when it is not there.
    pub(super) fn table(&self, key: &str, known: &[&str]) -> Option<Table<'d>> {
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(Table::open(self.doc, table, value.span(), known)),
            _ => {
                self.wrong(key, value, &phrase!("mapping.a_table"));
                None
            }
        }
    }

    /// A list of tables, each with its known keys; empty when it is not there.
    pub(super) fn tables(&self, key: &str, known: &[&str]) -> Vec<Table<'d>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong(key, value, &phrase!("mapping.a_tables"));
            return Vec::new();
        };
        let open = |item: &'d Spanned<DeValue<'d>>| match item.get_ref() {
            DeValue::Table(table) => Some(Table::open(self.doc, table, item.span(), known)),
            _ => {
                self.wrong(key, item, "a table");
                None
            }
        };
        items.iter().filter_map(open).collect()
    }

    /// The entries of a table whose keys are names, in the order of the file.
    pub(super) fn entries(&self, key: &str) -> Vec<Entry<'d>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong(key, value, &phrase!("mapping.a_table"));
            return Vec::new();
        };
        let mut entries: Vec<_> =
            table.iter().map(|(k, v)| (At { value: k.get_ref().to_string(), span: k.span() }, v)).collect();
        entries.sort_by_key(|(k, _)| k.span.start);
        entries
    }
}

/// Names that occur more than once.
pub(super) fn twice<'a>(names: impl IntoIterator<Item = &'a At<String>>) -> Vec<&'a At<String>> {
    let mut seen: BTreeMap<&str, ()> = BTreeMap::new();
    names.into_iter().filter(|n| seen.insert(n.value.as_str(), ()).is_some()).collect()
}
