//! What can refuse a value in the SQL of a branch (CAST, a division, code_of 'refuse', json_text) → NULL and a read error of its row.
//!
//! Always: the result of every row whose values do not fail is what the SQL as written gives. Which rows are reported follows from the
//! SQL alone: behind AND, OR, CASE and coalesce a place counts only for rows that come to it. TRY_CAST stays: NULL without a word, on
//! purpose.
//! Must not know: how reports are kept.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, FunctionArguments, UnaryOperator, Value, VisitMut, VisitorMut,
};

use super::file::{Branch, Content, Mapped, Shape};
use super::refs;

/// A place that can refuse a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Site {
    /// `AC01.AAC003`, or `AC01.where`, `AC01.join r`, `AC01.group`, `AC01.when base`.
    pub(super) column: String,
    /// The piece of SQL, as it was written.
    pub(super) expression: String,
}

/// A branch whose SQL reports what it refuses.
pub(super) struct Guarded {
    pub(super) rows: Branch,
    /// Of a group branch: every expression over one row, for the lineage.
    pub(super) lineage: Branch,
    pub(super) sites: Vec<Site>,
}

/// `table` is the national table; `aggregates` says which functions combine rows.
pub(super) fn guarded(table: &str, branch: &Branch, aggregates: &dyn Fn(&str) -> bool) -> Guarded {
    let mut guard = Guard { table, branch, aggregates, sites: Vec::new() };
    let mut rows = branch.clone();
    for join in &mut rows.joins {
        join.on = guard.sql(&format!("join {}", join.legacy.alias), &join.on, None);
    }
    if let Some(filter) = &mut rows.filter {
        filter.sql = guard.sql("where", &filter.sql, None);
    }
    let mut lineage = rows.clone();
    match &mut rows.shape {
        Shape::Row => rows.columns = guard.columns(&branch.columns, None),
        Shape::Split(parts) => {
            rows.columns = guard.columns(&branch.columns, None);
            for part in parts {
                part.when = guard.sql(&format!("when {}", part.name), &part.when, None);
                part.columns = guard.columns(&part.columns, None);
            }
        }
        Shape::Group(group) => {
            let written = group.by.clone();
            group.by = written.iter().map(|by| guard.sql("group", by, None)).collect();
            group.occurrence = group.occurrence.iter().map(|by| guard.sql("group", by, None)).collect();
            let pair =
                |(a, b): (&String, &String)| Some((refs::parse(a).ok()?.to_string(), refs::parse(b).ok()?));
            let by: Vec<(String, Expr)> = written.iter().zip(&group.by).filter_map(pair).collect();
            lineage.shape = Shape::Group(group.clone());
            lineage.columns = guard.columns(&branch.columns, None);
            rows.columns = guard.columns(&branch.columns, Some(&by));
        }
    }
    Guarded { rows, lineage, sites: guard.sites }
}

/// An expression that never refuses a value: NULL instead, and nobody hears of it.
pub fn tried(sql: &str) -> String {
    let Ok(mut expression) = refs::parse(sql) else { return sql.to_owned() };
    quiet(&mut expression, &[]);
    expression.to_string()
}

struct Guard<'a> {
    table: &'a str,
    branch: &'a Branch,
    aggregates: &'a dyn Fn(&str) -> bool,
    sites: Vec<Site>,
}

/// What a group is formed by, as written and as it stands in GROUP BY.
type By<'a> = Option<&'a [(String, Expr)]>;

impl Guard<'_> {
    fn columns(&mut self, columns: &[Mapped], by: By<'_>) -> Vec<Mapped> {
        let mut columns = columns.to_vec();
        for mapped in &mut columns {
            if let Content::Sql { sql, .. } = &mut mapped.content {
                *sql = self.sql(&mapped.column, sql, by);
            }
        }
        columns
    }

    /// The same SQL, reporting; as it was where nothing in it can refuse a value.
    fn sql(&mut self, column: &str, sql: &str, by: By<'_>) -> String {
        let Ok(mut expression) = refs::parse(sql) else { return sql.to_owned() };
        let alias = &self.branch.from.alias;
        let mut walk = Walk {
            column: format!("{}.{column}", self.table),
            row: format!("{alias}.\"_skey\""),
            by,
            aggregates: self.aggregates,
            sites: Some(&mut self.sites),
            open: Vec::new(),
            changed: false,
        };
        let _ = VisitMut::visit(&mut expression, &mut walk);
        if walk.changed { expression.to_string() } else { sql.to_owned() }
    }
}

/// The same expression, refusing nothing, without reports.
fn quiet(expression: &mut Expr, by: &[(String, Expr)]) {
    let mut walk = Walk {
        column: String::new(),
        row: String::new(),
        by: Some(by),
        aggregates: &|_| false,
        sites: None,
        open: Vec::new(),
        changed: false,
    };
    let _ = VisitMut::visit(expression, &mut walk);
}

/// A walk through an expression, outside in; what refuses is replaced on the way back.
struct Walk<'w> {
    column: String,
    /// SQL of the row's key.
    row: String,
    by: By<'w>,
    aggregates: &'w dyn Fn(&str) -> bool,
    /// `None`: nobody hears.
    sites: Option<&'w mut Vec<Site>>,
    open: Vec<Open>,
    changed: bool,
}

/// An expression whose inside is being walked.
#[derive(Default)]
struct Open {
    /// SQL of what must be true for the row to come here.
    guards: Vec<String>,
    /// What each child needs besides; children without one need nothing.
    children: Vec<Option<String>>,
    next: usize,
    /// Inside an aggregate, every row counts by itself.
    aggregate: bool,
    /// Replaced as a whole: its inside is finished.
    finished: bool,
    text: String,
}

impl VisitorMut for Walk<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, e: &mut Expr) -> ControlFlow<()> {
        let mut open = Open::default();
        if let Some(outer) = self.open.last_mut() {
            open.guards.clone_from(&outer.guards);
            open.guards.extend(outer.children.get(outer.next).cloned().flatten());
            outer.next += 1;
            open.aggregate = outer.aggregate;
            open.finished = outer.finished;
        }
        if !open.finished && !open.aggregate {
            let text = e.to_string();
            let own = self.by.and_then(|by| by.iter().find(|(written, _)| *written == text));
            if let Some((_, stands)) = own {
                *e = stands.clone();
                open.finished = true;
                self.changed = true;
            }
        }
        if !open.finished {
            if self.sites.is_some() {
                open.children = conditions(e, self.by.unwrap_or_default());
            }
            if let Expr::Function(f) = e {
                open.aggregate |= (self.aggregates)(&f.name.to_string().to_lowercase());
            }
            open.text = e.to_string();
        }
        self.open.push(open);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, e: &mut Expr) -> ControlFlow<()> {
        let Some(open) = self.open.pop().filter(|o| !o.finished) else { return ControlFlow::Continue(()) };
        let Some((value, result)) = refusing(e) else { return ControlFlow::Continue(()) };
        let sql = match &mut self.sites {
            None => result,
            Some(sites) => {
                let one_row = self.by.is_none() || open.aggregate;
                let row = if one_row { self.row.clone() } else { format!("min({})", self.row) };
                let guard = match open.guards.as_slice() {
                    [] => "true".to_owned(),
                    guards => guards.iter().map(|g| format!("({g})")).collect::<Vec<_>>().join(" AND "),
                };
                sites.push(Site { column: self.column.clone(), expression: open.text });
                format!("_read_error({}, {value}, {result}, {row}, {guard})", sites.len() - 1)
            }
        };
        // What is put together from pieces that parsed does parse.
        if let Ok(replaced) = refs::parse(&sql) {
            *e = replaced;
            self.changed = true;
        }
        ControlFlow::Continue(())
    }
}

/// SQL of what must be true of a row before each child of an expression counts.
fn conditions(e: &Expr, by: &[(String, Expr)]) -> Vec<Option<String>> {
    let plain = |e: &Expr| {
        let mut e = e.clone();
        quiet(&mut e, by);
        e.to_string()
    };
    match e {
        Expr::BinaryOp { left, op: BinaryOperator::And, .. } => {
            vec![None, Some(format!("({}) IS NOT FALSE", plain(left)))]
        }
        Expr::BinaryOp { left, op: BinaryOperator::Or, .. } => {
            vec![None, Some(format!("({}) IS NOT TRUE", plain(left)))]
        }
        Expr::Case { operand, conditions, .. } => {
            let mut children = Vec::new();
            children.extend(operand.as_ref().map(|_| None));
            let mut before: Vec<String> = Vec::new();
            let all = |before: &[String]| (!before.is_empty()).then(|| before.join(" AND "));
            for when in conditions {
                let met = match operand {
                    None => format!("({})", plain(&when.condition)),
                    Some(operand) => format!("(({}) = ({}))", plain(operand), plain(&when.condition)),
                };
                children.push(all(&before));
                let mut here = before.clone();
                here.push(format!("{met} IS TRUE"));
                children.push(all(&here));
                before.push(format!("{met} IS NOT TRUE"));
            }
            children.push(all(&before));
            children
        }
        Expr::Function(f) if f.name.to_string().eq_ignore_ascii_case("coalesce") => {
            let mut before: Vec<String> = Vec::new();
            let mut children = Vec::new();
            for argument in refs::arguments(&f.args) {
                children.push((!before.is_empty()).then(|| before.join(" AND ")));
                before.push(format!("({}) IS NULL", plain(argument)));
            }
            children
        }
        _ => Vec::new(),
    }
}

/// Of an expression that can refuse a value: SQL of the value, and of the result, NULL where it is refused.
fn refusing(e: &Expr) -> Option<(String, String)> {
    match e {
        Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr, data_type, .. }
            if !is_text(data_type) && !is_literal(expr) =>
        {
            Some((expr.to_string(), format!("TRY_CAST({expr} AS {data_type})")))
        }
        Expr::BinaryOp { left, op: op @ (BinaryOperator::Divide | BinaryOperator::Modulo), right }
            if !is_literal(right) =>
        {
            let value = format!(
                "CASE WHEN ({right}) = 0 AND ({left}) IS NOT NULL THEN CAST(({right}) AS VARCHAR) END"
            );
            Some((value, format!("CASE WHEN ({right}) <> 0 THEN ({left}) {op} ({right}) END")))
        }
        Expr::Function(f) => {
            let FunctionArguments::List(_) = &f.args else { return None };
            let args = refs::arguments(&f.args);
            match (f.name.to_string().to_lowercase().as_str(), args.as_slice()) {
                ("code_of", [list, text, mode]) if refs::literal(mode).as_deref() == Some("refuse") => {
                    Some((format!("_unmapped({list}, {text})"), format!("code_of({list}, {text}, 'null')")))
                }
                ("json_text", [text, path]) => Some((format!("_not_json({text}, {path})"), e.to_string())),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Casts to text refuse nothing.
fn is_text(t: &DataType) -> bool {
    matches!(
        t,
        DataType::Varchar(_)
            | DataType::Text
            | DataType::Char(_)
            | DataType::Character(_)
            | DataType::CharacterVarying(_)
            | DataType::CharVarying(_)
            | DataType::Nvarchar(_)
            | DataType::String(_)
    )
}

/// A literal is the same for every row: what it cannot be, it cannot be at loading.
fn is_literal(e: &Expr) -> bool {
    match e {
        Expr::Value(v) => !matches!(v.value, Value::Placeholder(_)),
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr } => is_literal(expr),
        Expr::Nested(inner) => is_literal(inner),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Guard, quiet, refs};
    use crate::mapping::file::{Branch, Legacy, Shape};

    fn branch() -> Branch {
        Branch {
            name: "b".to_owned(),
            from: Legacy { view: "D".to_owned(), alias: "d".to_owned() },
            joins: Vec::new(),
            filter: None,
            shape: Shape::Row,
            columns: Vec::new(),
        }
    }

    #[test]
    fn a_place_counts_only_for_rows_that_come_to_it() {
        let branch = branch();
        for (written, guarded) in [
            ("d.x", "d.x"),
            ("CAST(d.x AS VARCHAR)", "CAST(d.x AS VARCHAR)"),
            ("TRY_CAST(d.x AS INT)", "TRY_CAST(d.x AS INT)"),
            ("CAST('1' AS INT)", "CAST('1' AS INT)"),
            ("d.x / 2", "d.x / 2"),
            ("CAST(d.x AS INT)", "_read_error(0, d.x, TRY_CAST(d.x AS INT), d.\"_skey\", true)"),
            (
                "d.y AND CAST(d.x AS INT) > 5",
                "d.y AND _read_error(0, d.x, TRY_CAST(d.x AS INT), d.\"_skey\", ((d.y) IS NOT FALSE)) > 5",
            ),
            (
                "CASE WHEN d.y THEN 1 ELSE CAST(d.x AS INT) END",
                "CASE WHEN d.y THEN 1 ELSE _read_error(0, d.x, TRY_CAST(d.x AS INT), d.\"_skey\", ((d.y) IS NOT TRUE)) END",
            ),
            (
                "coalesce(d.y, code_of('l', d.x, 'refuse'))",
                "coalesce(d.y, _read_error(0, _unmapped('l', d.x), code_of('l', d.x, 'null'), d.\"_skey\", ((d.y) IS NULL)))",
            ),
        ] {
            let mut guard =
                Guard { table: "T", branch: &branch, aggregates: &|f| f == "sum", sites: Vec::new() };
            assert_eq!(guard.sql("C", written, None), guarded);
        }
    }

    #[test]
    fn a_group_reports_one_of_its_rows_and_keeps_what_it_is_formed_by() {
        let branch = branch();
        let mut guard = Guard { table: "T", branch: &branch, aggregates: &|f| f == "sum", sites: Vec::new() };
        let by = guard.sql("group", "CAST(d.k AS INT)", None);
        let pair = [("CAST(d.k AS INT)".to_owned(), refs::parse(&by).unwrap())];
        assert_eq!(guard.sql("C", "id('p', CAST(d.k AS INT))", Some(&pair)), format!("id('p', {by})"));
        let inside = guard.sql("C", "sum(CAST(d.x AS INT))", Some(&pair));
        assert_eq!(inside, "sum(_read_error(1, d.x, TRY_CAST(d.x AS INT), d.\"_skey\", true))");
        let outside = guard.sql("C", "CAST(sum(d.x) AS INT)", Some(&pair));
        assert_eq!(outside, "_read_error(2, sum(d.x), TRY_CAST(sum(d.x) AS INT), min(d.\"_skey\"), true)");
        let mut division = refs::parse("d.a / d.b").unwrap();
        quiet(&mut division, &[]);
        assert_eq!(division.to_string(), "CASE WHEN (d.b) <> 0 THEN (d.a) / (d.b) END");
    }
}
