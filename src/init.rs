//! A new city's folder from a template: configuration, national schema, rules, and a first reading of every legacy table that its sources
//! show.
//!
//! Always: a file that is there is never written again, so that the same call completes what was interrupted. What is written can be
//! loaded: `plan` over it says what is next. Of the source only the catalogue is read.
//! Must not know: what any column means; every guess says that it is one.

use std::path::{Path, PathBuf};

use miette::Diagnostic;
use serde::Serialize;
use thiserror::Error;

use crate::durable::{self, DurableError};
use crate::error::{Consequence, RetryClass};
use crate::folder;
use crate::source::{Column, LegacyType, Table};
use crate::{hint, said};

const CONFIG: &str = include_str!("../config/template/qianyi.toml");
const SOURCE: &str = include_str!("../config/template/source.toml");
const CITY: &str = include_str!("../config/template/city.toml");
const NATIONAL: &str = include_str!("../config/template/national.toml.example");
/// Folders of rules that a city needs; what a DBA runs and what cannot be generated comes along.
const RULES: &str = "sql";

/// What can go wrong with a new city.
#[derive(Debug, Error, Diagnostic)]
pub enum InitError {
    #[error("{}", said!("INI-001", given))]
    #[diagnostic(code("INI-001"), help("{}", hint!("INI-001")))]
    Id { given: String },
    #[error("{}", said!("INI-002", path))]
    #[diagnostic(code("INI-002"), help("{}", hint!("INI-002")))]
    Unreadable { path: String, source: std::io::Error },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Durable(#[from] DurableError),
}

impl Consequence for InitError {
    fn retry_class(&self) -> RetryClass {
        match self {
            Self::Id { .. } | Self::Unreadable { .. } => RetryClass::Usage,
            Self::Durable(e) => e.retry_class(),
        }
    }
}

/// What a city is made of.
#[derive(Debug, Clone)]
pub struct NewCity {
    /// The folder that is made.
    pub folder: PathBuf,
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// `mappings/` and `sql/` of this installation.
    pub mappings: PathBuf,
    pub rules: PathBuf,
    /// The sources as text of a configuration; none: those of the template.
    pub sources: Option<String>,
    /// The tables of each source, by its id.
    pub tables: Vec<(String, Vec<Table>)>,
}

/// What came of it, in paths relative to the folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Made {
    pub version: u32,
    pub folder: PathBuf,
    /// Files that were written, but those that were copied.
    pub written: Vec<String>,
    /// Files that were copied from this installation.
    pub copied: u64,
    /// Files that were there before, and are as they were.
    pub kept: Vec<String>,
}

/// Writes the folder of a new city.
///
/// # Errors
/// `INI-001`, `INI-002`, `DUR-001`; whatever failed, the same call goes on.
pub fn init(of: &NewCity) -> Result<Made, InitError> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    if of.id.is_empty() || of.id == "national" || !of.id.bytes().all(plain) {
        return Err(InitError::Id { given: of.id.clone() });
    }
    let mut made = Made { version: 1, folder: of.folder.clone(), ..Made::default() };
    copy(&of.mappings.join("national"), &of.folder.join("mappings/national"), &mut made)?;
    copy(&of.rules, &of.folder.join(RULES), &mut made)?;
    let city = format!("mappings/{}", of.id);
    let ids: Vec<String> = match of.tables.is_empty() {
        true => vec!["ylbx".to_owned()],
        false => of.tables.iter().map(|(id, _)| id.clone()).collect(),
    };
    let ids: Vec<String> = ids.iter().map(|id| quoted(id)).collect();
    // A name stands in comments and between quotation marks.
    let name: String = of.name.chars().filter(|c| !c.is_control() && !['"', '\\'].contains(c)).collect();
    let filled = |text: &str| {
        text.replace("@SOURCES@", of.sources.as_deref().unwrap_or(SOURCE))
            .replace("@IDS@", &ids.join(", "))
            .replace("@CITY@", &of.id)
            .replace("@NAME@", &name)
    };
    write(of, "qianyi.toml", &filled(CONFIG), &mut made)?;
    write(of, &format!("{city}/city.toml"), &filled(CITY), &mut made)?;
    write(of, &format!("{city}/AC01.toml.example"), NATIONAL, &mut made)?;
    for (source, tables) in &of.tables {
        for table in tables.iter().filter(|t| !t.view && t.columns.iter().any(|c| !is_skipped(c))) {
            let file = format!("{city}/sources/{}.toml", folder::name(&table.name));
            write(of, &file, &view(source, table), &mut made)?;
        }
    }
    Ok(made)
}

/// Writes a file that is not there.
fn write(of: &NewCity, file: &str, text: &str, made: &mut Made) -> Result<(), InitError> {
    let path = of.folder.join(file);
    if path.exists() {
        made.kept.push(file.to_owned());
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        durable::create_dir_all(folder)?;
    }
    durable::write(&path, text.as_bytes())?;
    made.written.push(file.to_owned());
    Ok(())
}

/// Copies a folder of this installation, but what is there.
fn copy(from: &Path, to: &Path, made: &mut Made) -> Result<(), InitError> {
    let unread = |path: &Path| {
        let path = path.display().to_string();
        move |source| InitError::Unreadable { path, source }
    };
    if !from.is_dir() {
        return Err(unread(from)(std::io::ErrorKind::NotFound.into()));
    }
    durable::create_dir_all(to)?;
    for path in folder::entries(from).map_err(unread(from))? {
        let Some(name) = path.file_name() else { continue };
        let target = to.join(name);
        if path.is_dir() {
            copy(&path, &target, made)?;
        } else if !target.exists() {
            durable::copy(&path, &target)?;
            made.copied += 1;
        }
    }
    Ok(())
}

/// Text between quotation marks: what JSON escapes, TOML reads.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// Bytes, and types that are not known, are decided about by people.
fn is_skipped(column: &Column) -> bool {
    matches!(column.kind, None | Some(LegacyType::Binary))
}

/// A first reading of a legacy table: what nobody has looked at yet is text.
fn view(source: &str, table: &Table) -> String {
    let read: Vec<&Column> = table.columns.iter().filter(|c| !is_skipped(c)).collect();
    let keyed = !table.key.is_empty() && table.key.iter().all(|k| read.iter().any(|c| c.name == *k));
    let key: Vec<String> = match (keyed, read.first()) {
        (true, _) => table.key.iter().map(|k| quoted(k)).collect(),
        (false, first) => first.iter().map(|c| quoted(&c.name)).collect(),
    };
    let mut text = format!(
        "# {}: about {} rows. A first reading: decide about every column (docs/mapping.md).\n\
         # 约 {} 行。初稿：请逐列确定解析方式（见 docs/mapping.md）。\n\
         match = {}\nsource = {}\nkey = [{}]\n",
        crate::mask::visible(&table.name),
        table.estimated_rows,
        table.estimated_rows,
        quoted(&table.name),
        quoted(source),
        key.join(", ")
    );
    if !keyed {
        text.push_str("unique = false                  # no unique key is known 源库未声明唯一键\n");
    }
    text.push_str(
        "generation = \"G1\"               # G1 self-made, G2 core platform 2, G3 core platform 3 数据字典版本\n\n[columns]\n",
    );
    let names: Vec<String> = table.columns.iter().map(|c| key_of(&c.name)).collect();
    let width = names.iter().map(|n| n.chars().count()).max().unwrap_or(0);
    for (name, column) in names.iter().zip(&table.columns) {
        let pad = " ".repeat(width - name.chars().count());
        let (reading, hint) = reading(column);
        let declared = crate::mask::visible(&column.declared).replace('\n', " ");
        text.push_str(&format!("{name}{pad} = {reading:<24} # {declared}{hint}\n"));
    }
    text
}

/// A bare key where TOML takes one.
fn key_of(name: &str) -> String {
    let bare = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if !name.is_empty() && name.bytes().all(bare) { name.to_owned() } else { quoted(name) }
}

/// How a column is read at first, and what it may be.
fn reading(column: &Column) -> (&'static str, &'static str) {
    const TEXT: &str = "{ parse = \"text\" }";
    match column.kind {
        None => ("{ skip = \"type not read 类型无法读取\" }", ""),
        Some(LegacyType::Binary) => ("{ skip = \"binary 二进制\" }", ""),
        Some(LegacyType::Date) => ("{ parse = \"date\" }", ""),
        Some(LegacyType::DateTime | LegacyType::Instant(_) | LegacyType::Offset(_)) => {
            (TEXT, "; { parse = \"time\" } or { parse = \"date\" }?")
        }
        Some(LegacyType::Money | LegacyType::SmallMoney | LegacyType::Float) => {
            (TEXT, "; { money = \"yuan\" }?")
        }
        Some(LegacyType::Numeric { scale, .. }) if scale > 0 => {
            (TEXT, "; { money = \"yuan\" } or { rate = \"percent\", scale = 4 }?")
        }
        Some(
            LegacyType::Numeric { .. }
            | LegacyType::BigInt
            | LegacyType::Int
            | LegacyType::SmallInt
            | LegacyType::TinyInt
            | LegacyType::Bit,
        ) => (TEXT, "; { parse = \"int\" }, { parse = \"period\" } or { code = \"…\" }?"),
        Some(LegacyType::CodePageText | LegacyType::Unicode) => (
            TEXT,
            "; a date, period, code, money? mask = \"name\", \"id\", \"phone\", \"account\", \"address\"?",
        ),
        Some(LegacyType::Spelled) => (TEXT, ""),
    }
}
