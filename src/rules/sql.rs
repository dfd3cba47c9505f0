//! The SELECT of a rule or model, parsed: parameters put in, what it reads, whether it is a row rule. By the parser, never by text.
//!
//! Must not know: what tables and columns there are.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use crate::phrase;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Ident, ObjectNamePart, Query, Select, SelectItem, SetExpr, Statement,
    TableFactor, Value, visit_expressions, visit_expressions_mut, visit_relations, visit_relations_mut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// Functions that are not the same in every run.
const UNSTEADY: [&str; 7] =
    ["now", "current_date", "current_time", "current_timestamp", "random", "uuid", "today"];

/// A SELECT taken apart.
#[derive(Debug, Clone)]
pub(super) struct Parsed {
    query: Box<Query>,
    /// Names in FROM that are not its own CTEs.
    pub(super) reads: BTreeSet<String>,
    /// Names after `$`.
    pub(super) params: BTreeSet<String>,
    /// Functions, in lower case.
    pub(super) functions: BTreeSet<String>,
}

/// Parses one query, to its last character.
pub(super) fn parse(sql: &str) -> Result<Parsed, String> {
    let mut statements =
        Parser::parse_sql(&GenericDialect {}, sql).map_err(|e| phrase!("rules.sql", why = e))?;
    let (Some(Statement::Query(query)), true) = (statements.pop(), statements.is_empty()) else {
        return Err(phrase!("rules.one_select"));
    };
    let mut own: BTreeSet<String> = BTreeSet::new();
    ctes(&query, &mut own);
    let mut reads = BTreeSet::new();
    let _ = visit_relations(&query, |name| {
        let last = name.0.last().and_then(|part| part.as_ident()).map(|i| i.value.clone());
        reads.extend(last.filter(|n| !own.contains(n)));
        ControlFlow::<()>::Continue(())
    });
    let (mut params, mut functions) = (BTreeSet::new(), BTreeSet::new());
    let _ = visit_expressions(&query, |e| {
        match e {
            Expr::Value(v) => {
                if let Value::Placeholder(name) = &v.value {
                    params.insert(name.trim_start_matches('$').to_owned());
                }
            }
            Expr::Function(f) => {
                functions.insert(f.name.to_string().to_lowercase());
            }
            _ => {}
        }
        ControlFlow::<()>::Continue(())
    });
    Ok(Parsed { query, reads, params, functions })
}

fn ctes(query: &Query, own: &mut BTreeSet<String>) {
    for cte in query.with.iter().flat_map(|w| &w.cte_tables) {
        own.insert(cte.alias.name.value.clone());
        ctes(&cte.query, own);
    }
}

impl Parsed {
    /// A function that would make runs differ.
    pub(super) fn unsteady(&self) -> Option<&str> {
        self.functions.iter().map(String::as_str).find(|f| UNSTEADY.contains(f))
    }

    /// The same query with its parameters put in. Every one must have a value.
    pub(super) fn with(&self, params: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut query = self.query.clone();
        let mut failed = None;
        let _ = visit_expressions_mut(&mut query, |e| {
            let Expr::Value(v) = e else { return ControlFlow::<()>::Continue(()) };
            let Value::Placeholder(name) = &v.value else { return ControlFlow::Continue(()) };
            let name = name.trim_start_matches('$');
            match params
                .get(name)
                .ok_or_else(|| phrase!("rules.parameter_undeclared_sql", name))
                .and_then(|p| expression(p))
            {
                Ok(value) => *e = value,
                Err(why) => failed = Some(why),
            }
            ControlFlow::Continue(())
        });
        match failed {
            Some(why) => Err(why),
            None => Ok(Self { query, ..self.clone() }),
        }
    }

    /// The same query over other tables: every name in FROM that is not its own becomes the given one.
    pub(super) fn over(&self, of: &dyn Fn(&str) -> String) -> Self {
        let mut query = self.query.clone();
        let mut reads = BTreeSet::new();
        let _ = visit_relations_mut(&mut query, |name| {
            let last = name.0.last().and_then(|part| part.as_ident()).map(|i| i.value.clone());
            if let Some(known) = last.filter(|n| self.reads.contains(n)) {
                let other = of(&known);
                name.0 = vec![ObjectNamePart::Identifier(Ident::new(&other))];
                reads.insert(other);
            }
            ControlFlow::<()>::Continue(())
        });
        Self { query, reads, ..self.clone() }
    }

    /// The alias of the one table that a row rule reads: no join, no aggregate, no window, no sub-query. None: a set rule.
    pub(super) fn row_alias(&self, aggregates: &dyn Fn(&str) -> bool) -> Option<String> {
        let select = self.select()?;
        let [from] = select.from.as_slice() else { return None };
        let TableFactor::Table { name, alias, .. } = &from.relation else { return None };
        let plain = self.query.with.is_none()
            && self.query.order_by.is_none()
            && self.query.limit_clause.is_none()
            && from.joins.is_empty()
            && select.distinct.is_none()
            && select.having.is_none()
            && select.qualify.is_none()
            && matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty());
        let mut rows = plain;
        let _ = visit_expressions(&self.query, |e| {
            match e {
                Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => rows = false,
                Expr::Function(f) => {
                    rows &= f.over.is_none() && !aggregates(&f.name.to_string().to_lowercase());
                }
                _ => {}
            }
            ControlFlow::<()>::Continue(())
        });
        let alias = alias.as_ref().map(|a| a.name.value.clone());
        rows.then(|| alias.unwrap_or_else(|| name.to_string()))
    }

    fn select(&self) -> Option<&Select> {
        match self.query.body.as_ref() {
            SetExpr::Select(select) => Some(select),
            _ => None,
        }
    }

    /// The first name after FROM: the table whose rows are found.
    pub(super) fn first_table(&self) -> Option<String> {
        let TableFactor::Table { name, .. } = &self.select()?.from.first()?.relation else { return None };
        Some(name.to_string())
    }

    /// The SELECT of a row rule with further columns: expression and name.
    pub(super) fn with_columns(&self, more: &[(String, &str)]) -> Option<String> {
        let mut query = self.query.clone();
        let SetExpr::Select(select) = query.body.as_mut() else { return None };
        for (sql, name) in more {
            let alias = Ident::with_quote('"', *name);
            select.projection.push(SelectItem::ExprWithAlias { expr: expression(sql).ok()?, alias });
        }
        Some(query.to_string())
    }

    /// As SQL.
    pub(super) fn text(&self) -> String {
        self.query.to_string()
    }
}

/// One SQL expression, to its last character.
fn expression(sql: &str) -> Result<Expr, String> {
    let mut parser =
        Parser::new(&GenericDialect {}).try_with_sql(sql).map_err(|e| phrase!("rules.sql", why = e))?;
    parser.parse_expr().map_err(|e| phrase!("rules.sql", why = e))
}

/// `limit = 0.05, name = 'x'`.
pub(super) fn params(text: &str) -> Result<BTreeMap<String, String>, String> {
    if text.trim().is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut parser =
        Parser::new(&GenericDialect {}).try_with_sql(text).map_err(|e| phrase!("rules.sql", why = e))?;
    let all = parser.parse_comma_separated(Parser::parse_expr).map_err(|e| phrase!("rules.sql", why = e))?;
    let one = |e: Expr| match e {
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => Ok((left.to_string(), right.to_string())),
        other => Err(phrase!("rules.name_value", other)),
    };
    all.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::{params, parse};

    #[test]
    fn a_row_rule_is_told_by_its_shape() {
        for (sql, row) in [
            ("SELECT p._key FROM T AS p WHERE p.A > $x", Some("p")),
            ("SELECT _key FROM T", Some("T")),
            ("SELECT p._key FROM T AS p JOIN U AS u ON u.A = p.A", None),
            ("SELECT p._key FROM T AS p WHERE p.A IN (SELECT A FROM U)", None),
            ("SELECT min(p._key) AS _key FROM T AS p GROUP BY p.A", None),
            ("SELECT p._key, row_number() OVER (ORDER BY A) FROM T AS p", None),
            ("SELECT DISTINCT _key FROM T", None),
            ("SELECT _key FROM T UNION ALL SELECT _key FROM U", None),
        ] {
            let found = parse(sql).unwrap().row_alias(&|name| name == "min");
            assert_eq!(found.as_deref(), row, "{sql}");
        }
    }

    #[test]
    fn parameters_are_put_in_and_ctes_are_not_read() {
        let parsed =
            parse("WITH w AS (SELECT A FROM U) SELECT _key FROM T, w WHERE A > $limit AND N = $name")
                .unwrap();
        assert_eq!(parsed.reads.iter().collect::<Vec<_>>(), ["T", "U"]);
        let given = params("limit = 0.05, name = 'o''k'").unwrap();
        let whole = parsed.with(&given).unwrap().text();
        assert!(whole.ends_with("WHERE A > 0.05 AND N = 'o''k'"), "{whole}");
        assert!(parsed.with(&params("limit = 1").unwrap()).unwrap_err().contains("$name"));
        assert!(params("limit").is_err());
    }
}
