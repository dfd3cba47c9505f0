//! `<NATIONAL>.toml` → branches: form, names, shapes. What their SQL means is checked in check.rs.
//!
//! Always: every mistake is noted with its place; a branch with a mistake of form is still checked as far as it can be.

use std::path::Path;

use toml::Spanned;
use toml::de::DeValue;

use super::check;
use super::fault::{MappingFault, Mistake};
use super::file::{
    Branch, Content, Group, Join, LeftOut, Legacy, Mapped, Part, REASONS, Reason, Shape, SourceView,
    TableMapping,
};
use super::planner::Planner;
use super::refs;
use super::sources::{Broken, stem};
use super::text::{At, Doc, Table, twice};
use crate::functions::{FunctionRegistry, FunctionSettings};
use crate::national::{self, National};
use crate::nearest::nearest;
use crate::phrase;

/// What a branch is checked against.
pub(super) struct CheckContext<'a> {
    pub(super) national: &'a National,
    pub(super) views: &'a [SourceView],
    pub(super) planner: &'a Planner,
    pub(super) functions: &'a FunctionRegistry,
    pub(super) settings: &'a FunctionSettings,
    /// What mistakes elsewhere hide.
    pub(super) broken: &'a Broken,
}

/// Where the pieces of a branch stand, beside the branch itself.
pub(super) struct Places {
    pub(super) whole: std::ops::Range<usize>,
    pub(super) from: std::ops::Range<usize>,
    pub(super) filter: std::ops::Range<usize>,
    pub(super) group: std::ops::Range<usize>,
    pub(super) joins: Vec<std::ops::Range<usize>>,
    /// Of the branch's columns, then of each part's: name and value.
    pub(super) columns: Vec<Vec<At<String>>>,
    /// Of each part's `when`.
    pub(super) whens: Vec<std::ops::Range<usize>>,
    /// A key that is not known stands where columns may: none is said to be missing.
    pub(super) strange: bool,
}

const BRANCH_KEYS: [&str; 10] =
    ["name", "from", "join", "where", "reason", "shape", "group", "occurrence", "columns", "part"];

/// Reads one file of layer 2.
pub(super) fn table(
    path: &Path,
    context: &CheckContext<'_>,
    faults: &mut Vec<MappingFault>,
) -> Option<TableMapping> {
    let doc = Doc::open(path);
    let parsed = doc.parse();
    let mapping = if doc.senseless() {
        None
    } else {
        mapping(&doc, &Table::open(&doc, &parsed, 0..0, &["columns", "branch"]), path, context)
    };
    drop(parsed);
    faults.extend(doc.finish());
    mapping
}

fn mapping(doc: &Doc, table: &Table<'_>, path: &Path, context: &CheckContext<'_>) -> Option<TableMapping> {
    let name = stem(path);
    let Some(national) = context.national.table(&name) else {
        let near = nearest(&name, context.national.tables.iter().map(|t| t.name.as_str()));
        let message = phrase!("mapping.no_national", name);
        doc.hinted(Mistake::National, 0..0, message, phrase!("mapping.no_national_hint", near));
        return None;
    };
    let found = table.tables("branch", &BRANCH_KEYS);
    if found.is_empty() {
        doc.fault(Mistake::Form, 0..0, phrase!("mapping.no_branch"));
    }
    let names: Vec<At<String>> = found.iter().filter_map(|b| b.text("name")).collect();
    for name in twice(&names) {
        doc.fault(Mistake::Twice, name.span.clone(), phrase!("mapping.branch_twice", name = name.value));
    }
    let common = mapped(doc, table, national);
    let shared: Vec<std::ops::Range<usize>> = common.1.iter().map(|place| place.span.clone()).collect();
    let mut branches = Vec::new();
    for one in &found {
        if let Some((mut branch, mut places)) = branch(doc, one, national) {
            share(&common, &mut branch, &mut places);
            places.strange |= table.strange;
            let before = doc.noted();
            check::branch(doc, &branch, &places, national, context);
            doc.once(before, &shared, &branch.name);
            branches.push(check::finished(branch));
        }
    }
    Some(TableMapping { table: name, key: national.key.clone(), branches, path: path.to_owned() })
}

fn branch(doc: &Doc, table: &Table<'_>, national: &national::Table) -> Option<(Branch, Places)> {
    let name = table.required("name").filter(|n| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let good = !n.value.is_empty() && n.value.chars().all(plain);
        if !good {
            doc.fault(Mistake::Form, n.span.clone(), phrase!("mapping.branch_name"));
        }
        good
    });
    let from = table.required("from").and_then(|f| aliased(doc, &f));
    let joins: Vec<(Join, std::ops::Range<usize>)> =
        table.texts("join").iter().filter_map(|j| join(doc, j)).collect();
    let filter = filter(doc, table);
    let mut columns = vec![Vec::new()];
    let (own, places) = mapped(doc, table, national);
    columns[0] = places;
    let (shape, whens) = shape(doc, table, national, &mut columns)?;
    let places = Places {
        whole: table.span.clone(),
        from: table.span_of("from"),
        filter: table.span_of("where"),
        group: table.span_of("group"),
        joins: joins.iter().map(|(_, span)| span.clone()).collect(),
        columns,
        whens,
        strange: table.strange,
    };
    let joins = joins.into_iter().map(|(j, _)| j).collect();
    Some((Branch { name: name?.value, from: from?, joins, filter, shape, columns: own }, places))
}

type Columns = (Vec<Mapped>, Vec<At<String>>);

/// Gives a branch the columns common to all branches that neither it nor its parts have; a column that some parts have goes to the
/// others.
fn share(common: &Columns, branch: &mut Branch, places: &mut Places) {
    for (mapped, place) in common.0.iter().zip(&common.1) {
        let has = |columns: &[Mapped]| columns.iter().any(|m| m.column == mapped.column);
        if has(&branch.columns) {
            continue;
        }
        match &mut branch.shape {
            Shape::Split(parts) if parts.iter().any(|p| has(&p.columns)) => {
                for (i, part) in parts.iter_mut().enumerate().filter(|(_, p)| !has(&p.columns)) {
                    part.columns.push(mapped.clone());
                    places.columns[i + 1].push(place.clone());
                }
            }
            Shape::Row | Shape::Split(_) | Shape::Group(_) => {
                branch.columns.push(mapped.clone());
                places.columns[0].push(place.clone());
            }
        }
    }
}

/// `VIEW AS alias`.
fn aliased(doc: &Doc, text: &At<String>) -> Option<Legacy> {
    let words: Vec<&str> = text.value.split_whitespace().collect();
    match words.as_slice() {
        [view, by, alias] if by.eq_ignore_ascii_case("as") => {
            Some(Legacy { view: (*view).to_owned(), alias: (*alias).to_owned() })
        }
        _ => {
            doc.fault(Mistake::Form, text.span.clone(), phrase!("mapping.from_form"));
            None
        }
    }
}

/// `VIEW AS alias ON alias.column = expression [AND …]`.
fn join(doc: &Doc, text: &At<String>) -> Option<(Join, std::ops::Range<usize>)> {
    let upper = text.value.to_ascii_uppercase();
    let Some(at) = upper.find(" ON ") else {
        doc.fault(Mistake::Form, text.span.clone(), phrase!("mapping.join_form"));
        return None;
    };
    let head = At { value: text.value[..at].to_owned(), span: text.span.clone() };
    let legacy = aliased(doc, &head)?;
    let on = text.value[at + 4..].trim().to_owned();
    let columns = match refs::parse(&on) {
        Ok(parsed) => refs::joined_columns(&parsed, &legacy.alias),
        Err(e) => {
            doc.fault(Mistake::Sql, text.span.clone(), phrase!("mapping.on_sql", e));
            return None;
        }
    };
    let Some(columns) = columns else {
        let message = phrase!("mapping.join_compare", alias = legacy.alias);
        doc.fault(Mistake::Form, text.span.clone(), message);
        return None;
    };
    Some((Join { legacy, on, columns }, text.span.clone()))
}

fn filter(doc: &Doc, table: &Table<'_>) -> Option<LeftOut> {
    let (sql, reason) = (table.text("where"), table.text("reason"));
    let names: Vec<&str> = REASONS.iter().map(|(n, _)| *n).collect();
    match (sql, reason) {
        (Some(sql), Some(reason)) => {
            let known = Reason::named(&reason.value);
            if known.is_none() {
                let near = nearest(&reason.value, names.iter().copied());
                let message = phrase!("mapping.no_reason", reason = reason.value);
                let hint = phrase!("mapping.no_reason_hint", near, known = names.join(", "));
                doc.hinted(Mistake::Reason, reason.span, message, hint);
            }
            Some(LeftOut { sql: sql.value, reason: known? })
        }
        (Some(sql), None) => {
            let hint = phrase!("mapping.reason_needed_hint", known = names.join(", "));
            doc.hinted(Mistake::Reason, sql.span, phrase!("mapping.reason_needed"), hint);
            None
        }
        (None, Some(reason)) => {
            doc.fault(Mistake::Form, reason.span, phrase!("mapping.reason_alone"));
            None
        }
        (None, None) => None,
    }
}

fn shape(
    doc: &Doc,
    table: &Table<'_>,
    national: &national::Table,
    columns: &mut Vec<Vec<At<String>>>,
) -> Option<(Shape, Vec<std::ops::Range<usize>>)> {
    let name = table.required("shape")?;
    let parts = table.tables("part", &["name", "when", "columns"]);
    let by: Vec<String> = table.texts("group").into_iter().map(|t| t.value).collect();
    let occurrence = table.texts("occurrence").into_iter().map(|t| t.value).collect();
    let misplaced = |key: &str, of: &str| {
        if table.has(key) {
            let message = phrase!("mapping.misplaced", key, of);
            doc.fault(Mistake::Form, table.span_of(key), message);
        }
    };
    if name.value != "split" {
        misplaced("part", "split");
    }
    if name.value != "group" {
        misplaced("group", "group");
        misplaced("occurrence", "group");
    }
    match name.value.as_str() {
        "row" => Some((Shape::Row, Vec::new())),
        "split" if !parts.is_empty() => {
            let mut whens = Vec::new();
            let mut read = Vec::new();
            for part in &parts {
                let (name, when) = (part.required("name"), part.required("when"));
                let (own, places) = mapped(doc, part, national);
                columns.push(places);
                whens.push(part.span_of("when"));
                read.push(Part { name: name?.value, when: when?.value, columns: own });
            }
            Some((Shape::Split(read), whens))
        }
        "group" if !by.is_empty() => Some((Shape::Group(Group { by, occurrence }), Vec::new())),
        "split" => {
            doc.fault(Mistake::Form, name.span, phrase!("mapping.split"));
            None
        }
        "group" => {
            doc.fault(Mistake::Form, name.span, phrase!("mapping.group"));
            None
        }
        other => {
            let near = nearest(other, ["row", "split", "group"]);
            let message = phrase!("mapping.no_shape", other);
            doc.hinted(Mistake::Form, name.span, message, phrase!("mapping.meant", near));
            None
        }
    }
}

/// The columns of a branch or part, and where their values stand.
fn mapped(doc: &Doc, table: &Table<'_>, national: &national::Table) -> Columns {
    let (mut columns, mut places) = (Vec::new(), Vec::new());
    for (name, value) in table.entries("columns") {
        let Some(column) = national.column(&name.value) else {
            let near = nearest(&name.value, national.columns.iter().map(|c| c.code.as_str()));
            let message = phrase!("mapping.no_column", table = national.name, column = name.value);
            doc.hinted(Mistake::National, name.span.clone(), message, phrase!("mapping.meant", near));
            continue;
        };
        if let Some(content) = content(doc, value) {
            places.push(At { value: name.value.clone(), span: value.span() });
            columns.push(Mapped { column: name.value, content, measure: column.measure, refers: Vec::new() });
        }
    }
    (columns, places)
}

fn content(doc: &Doc, value: &Spanned<DeValue<'_>>) -> Option<Content> {
    match value.get_ref() {
        DeValue::String(sql) => Some(Content::Sql { sql: sql.to_string(), basis: None }),
        DeValue::Table(inner) => {
            let inner = Table::open(doc, inner, value.span(), &["sql", "basis", "absent"]);
            match (inner.text("sql"), inner.text("absent")) {
                (Some(sql), None) => {
                    Some(Content::Sql { sql: sql.value, basis: inner.text("basis").map(|b| b.value) })
                }
                (None, Some(reason)) => Some(Content::Absent(reason.value)),
                (Some(_), Some(_)) | (None, None) => {
                    doc.fault(Mistake::Form, value.span(), phrase!("mapping.column_sql"));
                    None
                }
            }
        }
        _ => {
            doc.fault(Mistake::Form, value.span(), phrase!("mapping.column_form"));
            None
        }
    }
}
