//! SELECT as SQLite's SQL: tables, joins, groups, order.
//!
//! Always: output columns are `c1`, `c2`, … and tables have numbered aliases, so no name of the user reaches SQLite.

use super::super::value::{SqlError, SqlType};
use super::ast::{Expr, From, Item, Join, Query, Source};
use super::call::is_aggregate;
use super::convert::CAST;
use super::error::{fail, near, no_object, unwrap};
use super::generate::{Binding, Bound, Code, Generator, Grouping, Strength};
use super::{changes, sysviews, types};

/// A column of a query's result.
#[derive(Debug, Clone)]
pub struct Output {
    pub name: Option<String>,
    pub kind: SqlType,
    pub nullable: bool,
    pub strength: Strength,
}

/// A query in SQLite's SQL.
pub struct Made {
    pub sql: String,
    pub columns: Vec<Output>,
}

impl Generator<'_> {
    /// A query inside of another: groups outside do not bind it.
    pub fn subquery(&mut self, query: &Query) -> Result<Made, SqlError> {
        let grouping = self.grouping.take();
        let made = self.query(query);
        self.grouping = grouping;
        made
    }

    pub fn query(&mut self, query: &Query) -> Result<Made, SqlError> {
        if query.more.is_empty() {
            return self.one(query, &query.order);
        }
        self.union(query)
    }

    /// UNION ALL: every part's columns in the types in which they meet.
    fn union(&mut self, query: &Query) -> Result<Made, SqlError> {
        let first = Query { more: vec![], order: vec![], offset: None, fetch: None, ..query.clone() };
        let mut parts = vec![self.one(&first, &[])?];
        for more in &query.more {
            parts.push(self.one(more, &[])?);
        }
        let width = parts[0].columns.len();
        if parts.iter().any(|part| part.columns.len() != width) {
            return Err(fail(
                205,
                "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal \
                    number of expressions in their target lists.",
            ));
        }
        let mut columns = Vec::new();
        let mut cells = vec![Vec::new(); parts.len()];
        for at in 0..width {
            let codes = parts.iter().map(|part| {
                let column = &part.columns[at];
                let code = Code::new(format!("u.c{}", at + 1), column.kind.clone(), column.nullable);
                Code { strength: column.strength, ..code }
            });
            let codes = self.unify_all(codes.collect())?;
            let nullable = codes.iter().any(|code| code.nullable);
            let name = parts[0].columns[at].name.clone();
            columns.push(Output { name, nullable, kind: codes[0].kind.clone(), strength: codes[0].strength });
            for (cells, code) in cells.iter_mut().zip(codes) {
                cells.push(format!("{} AS c{}", code.sql, at + 1));
            }
        }
        let selects: Vec<String> = parts
            .iter()
            .zip(cells)
            .map(|(part, cells)| format!("SELECT {} FROM ({}) AS u", cells.join(", "), part.sql))
            .collect();
        let mut sql = format!("SELECT * FROM ({}) AS v", selects.join(" UNION ALL "));
        let outputs: Vec<Code> = columns
            .iter()
            .enumerate()
            .map(|(at, column)| Code {
                name: column.name.clone(),
                ..Code::new(format!("v.c{}", at + 1), column.kind.clone(), column.nullable)
            })
            .collect();
        let mut keys = Vec::new();
        for (key, descending) in &query.order {
            let Some(at) = ordinal(key, &outputs)? else {
                return Err(fail(
                    104,
                    "ORDER BY items must appear in the select list if the statement contains a UNION, \
                        INTERSECT or EXCEPT operator.",
                ));
            };
            keys.push(format!("{}{}", self.sort_key(&outputs[at])?, if *descending { " DESC" } else { "" }));
        }
        if !keys.is_empty() {
            sql.push_str(&format!(" ORDER BY {}", keys.join(", ")));
        }
        self.limit(query, &mut sql)?;
        Ok(Made { sql, columns })
    }

    fn one(&mut self, query: &Query, order: &[(Expr, bool)]) -> Result<Made, SqlError> {
        self.scopes.push(Vec::new());
        let grouping = self.grouping.take();
        let made = self.scoped(query, order);
        self.grouping = grouping;
        self.scopes.pop();
        made
    }

    fn scoped(&mut self, query: &Query, order: &[(Expr, bool)]) -> Result<Made, SqlError> {
        let mut tail = String::new();
        if !query.from.is_empty() {
            tail.push_str(&format!(" FROM {}", self.from(&query.from)?));
        }
        if let Some(filter) = &query.filter {
            tail.push_str(&format!(" WHERE {}", self.condition(filter)?));
        }
        let mut group = Vec::new();
        let mut keys = Vec::new();
        for key in &query.group {
            let code = self.value(key)?;
            group.push(self.sort_key(&code)?);
            keys.push(code.sql);
        }
        let items = query.items.iter().any(|item| matches!(item, Item::Expr(expr, _) if aggregates(expr)));
        let grouped = !group.is_empty()
            || items
            || query.having.is_some()
            || order.iter().any(|(key, _)| aggregates(key));
        if grouped {
            self.grouping = Some(Grouping { depth: self.scopes.len(), keys });
        }
        let outputs = self.items(&query.items)?;
        if query.distinct {
            if grouped || outputs.iter().any(|code| code.sql.contains(" OVER (")) {
                return Err(fail(50000, "The test engine knows no DISTINCT with groups or windows."));
            }
            group = outputs.iter().map(|code| self.sort_key(code)).collect::<Result<_, _>>()?;
        }
        if !group.is_empty() {
            tail.push_str(&format!(" GROUP BY {}", group.join(", ")));
        }
        if let Some(having) = &query.having {
            // Without keys the whole table is one group.
            if group.is_empty() {
                tail.push_str(" GROUP BY 'x'");
            }
            tail.push_str(&format!(" HAVING {}", self.condition(having)?));
        }
        let sorted = self.order(order, &outputs, query.distinct)?;
        if !sorted.is_empty() {
            tail.push_str(&format!(" ORDER BY {}", sorted.join(", ")));
        }
        self.limit(query, &mut tail)?;
        let cells: Vec<String> =
            outputs.iter().enumerate().map(|(at, code)| format!("{} AS c{}", code.sql, at + 1)).collect();
        let columns = outputs.into_iter().map(|code| Output {
            name: code.name,
            kind: code.kind,
            nullable: code.nullable,
            strength: code.strength,
        });
        Ok(Made { sql: format!("SELECT {}{tail}", cells.join(", ")), columns: columns.collect() })
    }

    fn items(&mut self, items: &[Item]) -> Result<Vec<Code>, SqlError> {
        let mut outputs = Vec::new();
        for item in items {
            match item {
                Item::Expr(expr, alias) => {
                    let code = self.value(expr)?;
                    let own = if let Expr::Name(_) = expr { code.name.clone() } else { None };
                    outputs.push(Code { name: alias.clone().or(own), ..code });
                }
                Item::All(table) => {
                    let scope = self.scopes.last().cloned().unwrap_or_default();
                    let wanted = |binding: &&Binding| {
                        table.as_ref().is_none_or(|table| binding.names.last() == Some(&table.to_lowercase()))
                    };
                    let before = outputs.len();
                    for binding in scope.iter().filter(wanted) {
                        for column in &binding.columns {
                            // By its full name, so that the rules of groups are kept.
                            let mut path = binding.names.clone();
                            path.push(column.name.clone());
                            outputs.push(self.column(&path)?);
                        }
                    }
                    if before == outputs.len() {
                        return Err(match table {
                            Some(table) => {
                                let message = format!(
                                    "The column prefix '{table}' does not match with a table name or \
                                        alias name used in the query."
                                );
                                fail(107, message)
                            }
                            None => fail(263, "Must specify table to select from."),
                        });
                    }
                }
            }
        }
        Ok(outputs)
    }

    fn order(
        &mut self,
        order: &[(Expr, bool)],
        outputs: &[Code],
        distinct: bool,
    ) -> Result<Vec<String>, SqlError> {
        let mut sorted = Vec::new();
        for (key, descending) in order {
            let code = match ordinal(key, outputs)? {
                Some(at) => outputs[at].clone(),
                None => self.value(key)?,
            };
            if distinct && !outputs.iter().any(|output| output.sql == code.sql) {
                return Err(fail(
                    145,
                    "ORDER BY items must appear in the select list if SELECT DISTINCT is specified.",
                ));
            }
            sorted.push(format!("{}{}", self.sort_key(&code)?, if *descending { " DESC" } else { "" }));
        }
        Ok(sorted)
    }

    fn limit(&mut self, query: &Query, sql: &mut String) -> Result<(), SqlError> {
        let mut count = |expr: &Expr| -> Result<i64, SqlError> {
            let code = self.value(expr)?;
            let code = self.convert(code, &SqlType::BigInt, CAST, false)?;
            code.integer()
                .filter(|n| *n >= 0)
                .ok_or_else(|| fail(1060, "The number of rows provided must be an integer."))
        };
        let top = query.top.as_deref().or(query.fetch.as_deref()).map(&mut count).transpose()?;
        let offset = query.offset.as_deref().map(&mut count).transpose()?;
        match (top, offset) {
            (None, None) => {}
            (top, offset) => {
                sql.push_str(&format!(" LIMIT {} OFFSET {}", top.unwrap_or(-1), offset.unwrap_or(0)))
            }
        }
        Ok(())
    }

    fn from(&mut self, tables: &[From]) -> Result<String, SqlError> {
        let mut sql = String::new();
        for (at, table) in tables.iter().enumerate() {
            let (source, mut binding) = self.source(table)?;
            if table.join == Join::Left {
                binding.columns.iter_mut().for_each(|column| column.nullable = true);
            }
            let scope = self.scopes.last_mut().ok_or_else(|| near("FROM"))?;
            if scope.iter().any(|other| other.names == binding.names) {
                let message = format!(
                    "The correlation name '{}' is specified multiple times in a FROM clause.",
                    binding.names.join(".")
                );
                return Err(fail(1011, message));
            }
            scope.push(binding);
            if at > 0 {
                sql.push_str(match table.join {
                    Join::Left => " LEFT JOIN ",
                    _ => " JOIN ",
                });
            }
            sql.push_str(&source);
            if let Some(on) = &table.on {
                sql.push_str(&format!(" ON {}", self.condition(on)?));
            }
        }
        Ok(sql)
    }

    fn source(&mut self, table: &From) -> Result<(String, Binding), SqlError> {
        let alias = self.alias();
        let named = |own: Vec<String>| match &table.alias {
            Some(name) => vec![name.to_lowercase()],
            None => own.iter().map(|part| part.to_lowercase()).collect(),
        };
        match &table.source {
            Source::Query(query) => {
                if !query.order.is_empty() && query.top.is_none() && query.offset.is_none() {
                    let message = "The ORDER BY clause is invalid in views, inline functions, derived \
                        tables, subqueries, and common table expressions, unless TOP, OFFSET or FOR \
                        XML is also specified.";
                    return Err(fail(1033, message));
                }
                // A derived table sees nothing of the tables beside it.
                let scope = self.scopes.pop();
                let made = self.subquery(query);
                self.scopes.extend(scope);
                let made = made?;
                let names = named(vec![]);
                let columns = derived(&made, &alias, names.first().map_or("", String::as_str))?;
                Ok((format!("({}) AS {alias}", made.sql), Binding { names, columns }))
            }
            Source::Changes(path, since) => {
                let since = self.value(since)?;
                let since = self.convert(since, &SqlType::BigInt, CAST, false)?;
                let (source, columns) = changes::table(self, path, &since, &alias)?;
                Ok((format!("{source} AS {alias}"), Binding { names: named(vec![]), columns }))
            }
            Source::Table(path) => {
                let [.., schema, name] = path.as_slice() else {
                    return self.user_table(path, &alias, named(path.clone()));
                };
                if schema.eq_ignore_ascii_case("sys") {
                    let shown = format!("{schema}.{name}");
                    let (source, columns) = self.system_view(path, name, &shown, &alias)?;
                    return Ok((
                        format!("{source} AS {alias}"),
                        Binding { names: named(vec![schema.clone(), name.clone()]), columns },
                    ));
                }
                let own =
                    if schema.is_empty() { vec![name.clone()] } else { vec![schema.clone(), name.clone()] };
                self.user_table(path, &alias, named(own))
            }
        }
    }

    fn user_table(
        &mut self,
        path: &[String],
        alias: &str,
        names: Vec<String>,
    ) -> Result<(String, Binding), SqlError> {
        let shown = path.join(".");
        let table = self.session.table(path)?.ok_or_else(|| no_object(&shown))?;
        if !self.within_view {
            self.session.need("SELECT", (&table.schema, &table.name))?;
        }
        self.session.need_snapshots()?;
        self.session.need_unchanged(&table)?;
        if let Some(query) = self.shown_by(&table)? {
            let made = self.within(&table, &query)?;
            let columns = derived(&made, alias, &table.name)?;
            return Ok((format!("({}) AS {alias}", made.sql), Binding { names, columns }));
        }
        let columns = table.columns.iter().map(|column| Bound {
            name: column.name.clone(),
            sql: self.unmasked(&table, column, format!("{alias}.c{}", column.id)),
            kind: column.kind.clone(),
            nullable: column.nullable,
        });
        Ok((format!("t{} AS {alias}", table.id), Binding { names, columns: columns.collect() }))
    }

    /// A catalogue view, laid out as a temporary table for this statement.
    fn system_view(
        &mut self,
        path: &[String],
        name: &str,
        shown: &str,
        alias: &str,
    ) -> Result<(String, Vec<Bound>), SqlError> {
        let other = if path.len() > 2 {
            Some(path[path.len() - 3].as_str()).filter(|name| !name.is_empty())
        } else {
            None
        };
        let view = sysviews::read(self.session, other, name)?.ok_or_else(|| no_object(shown))?;
        let temporary = format!("s_{}_{}", self.session.id, self.temporary.len());
        let connection = &self.session.connection;
        let cells = (1..=view.columns.len()).map(|at| format!("c{at}")).collect::<Vec<_>>().join(", ");
        let run = || -> rusqlite::Result<()> {
            connection.execute_batch(&format!("CREATE TEMP TABLE {temporary}({cells})"))?;
            let marks = (1..=view.columns.len()).map(|at| format!("?{at}")).collect::<Vec<_>>().join(", ");
            let mut insert = connection.prepare(&format!("INSERT INTO temp.{temporary} VALUES ({marks})"))?;
            for row in &view.rows {
                insert.execute(rusqlite::params_from_iter(row.iter().map(super::store::encode)))?;
            }
            Ok(())
        };
        run().map_err(|error| unwrap(&error))?;
        self.temporary.push(temporary.clone());
        let columns = view.columns.iter().enumerate().map(|(at, (name, kind))| Bound {
            name: (*name).to_owned(),
            sql: format!("{alias}.c{}", at + 1),
            kind: types::collated(kind, &self.collation()),
            nullable: true,
        });
        Ok((format!("temp.{temporary}"), columns.collect()))
    }
}

fn derived(made: &Made, alias: &str, shown: &str) -> Result<Vec<Bound>, SqlError> {
    let mut columns: Vec<Bound> = Vec::new();
    for (at, column) in made.columns.iter().enumerate() {
        let Some(name) = &column.name else {
            return Err(fail(
                8155,
                format!("No column name was specified for column {} of '{shown}'.", at + 1),
            ));
        };
        if columns.iter().any(|other| other.name.to_lowercase() == name.to_lowercase()) {
            return Err(fail(
                8156,
                format!("The column '{name}' was specified multiple times for '{shown}'."),
            ));
        }
        columns.push(Bound {
            name: name.clone(),
            sql: format!("{alias}.c{}", at + 1),
            kind: column.kind.clone(),
            nullable: column.nullable,
        });
    }
    Ok(columns)
}

/// The output column that an ORDER BY item means by its number or its alias.
fn ordinal(key: &Expr, outputs: &[Code]) -> Result<Option<usize>, SqlError> {
    match key {
        Expr::Number(text) => {
            let at = text.parse::<usize>().ok().filter(|at| (1..=outputs.len()).contains(at));
            at.map(|at| Some(at - 1)).ok_or_else(|| {
                fail(
                    108,
                    format!(
                        "The ORDER BY position number {text} is out of range of the number \
                    of items in the select list."
                    ),
                )
            })
        }
        Expr::Name(path) if path.len() == 1 => {
            let sought = path[0].to_lowercase();
            Ok(outputs
                .iter()
                .position(|code| code.name.as_ref().is_some_and(|name| name.to_lowercase() == sought)))
        }
        _ => Ok(None),
    }
}

/// Whether an expression has an aggregate in it that belongs to this query.
fn aggregates(expr: &Expr) -> bool {
    match expr {
        Expr::Call { name, over, arguments, .. } => {
            (is_aggregate(name) && over.is_none()) || arguments.iter().any(aggregates)
        }
        Expr::Negative(a) | Expr::Inverse(a) | Expr::Not(a) | Expr::IsNull(a, _) | Expr::Collate(a, _) => {
            aggregates(a)
        }
        Expr::Cast { value, .. } | Expr::InQuery(value, ..) => aggregates(value),
        Expr::Arithmetic(_, a, b)
        | Expr::Compare(_, a, b)
        | Expr::And(a, b)
        | Expr::Or(a, b)
        | Expr::Like(a, b, ..) => aggregates(a) || aggregates(b),
        Expr::InList(a, list, _) => aggregates(a) || list.iter().any(aggregates),
        Expr::Between(a, b, c, _) => aggregates(a) || aggregates(b) || aggregates(c),
        Expr::Case { operand, arms, other } => {
            operand.iter().chain(other).any(|part| aggregates(part))
                || arms.iter().any(|(when, then)| aggregates(when) || aggregates(then))
        }
        _ => false,
    }
}
