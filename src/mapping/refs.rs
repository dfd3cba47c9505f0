//! What a piece of mapping SQL refers to: columns by alias, functions, literals in their first argument. By the parser, never by text.
//!
//! Must not know: what the names mean.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments,
    Ident, OrderByExpr, Value, visit_expressions, visit_expressions_mut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

use super::file::ColumnRef;

/// A function call: name in lower case, and its arguments where they are text literals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Called {
    pub(super) name: String,
    pub(super) literals: Vec<Option<String>>,
    /// The columns anywhere inside its arguments.
    pub(super) columns: Vec<ColumnRef>,
}

impl Called {
    /// An argument that is a text literal.
    pub(super) fn literal(&self, at: usize) -> Option<&str> {
        self.literals.get(at)?.as_deref()
    }
}

/// What an expression refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct References {
    pub(super) columns: Vec<ColumnRef>,
    pub(super) functions: Vec<Called>,
    /// Names without an alias, other than `_occ`.
    pub(super) bare: Vec<String>,
    /// A sub-query, which no mapping needs.
    pub(super) subquery: bool,
}

/// Parses one SQL expression, to its last character.
pub(super) fn parse(sql: &str) -> Result<Expr, ParserError> {
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(sql)?;
    let expression = parser.parse_expr()?;
    parser.expect_token(&Token::EOF)?;
    Ok(expression)
}

fn columns_of(expression: &Expr) -> (Vec<ColumnRef>, Vec<String>, bool) {
    let (mut columns, mut bare, mut subquery) = (Vec::new(), Vec::new(), false);
    let _ = visit_expressions(expression, |e| {
        match e {
            Expr::CompoundIdentifier(parts) if parts.len() == 2 => {
                let column = ColumnRef { alias: parts[0].value.clone(), column: parts[1].value.clone() };
                if !columns.contains(&column) {
                    columns.push(column);
                }
            }
            Expr::Identifier(name) if name.value != "_occ" => bare.push(name.value.clone()),
            Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => subquery = true,
            _ => {}
        }
        ControlFlow::<()>::Continue(())
    });
    (columns, bare, subquery)
}

pub(super) fn arguments(arguments: &FunctionArguments) -> Vec<&Expr> {
    let FunctionArguments::List(list) = arguments else { return Vec::new() };
    list.args
        .iter()
        .filter_map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => Some(e),
            _ => None,
        })
        .collect()
}

pub(super) fn literal(e: &Expr) -> Option<String> {
    match e {
        Expr::Value(v) => match &v.value {
            Value::SingleQuotedString(text) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// Everything that an expression refers to.
pub(super) fn references(expression: &Expr) -> References {
    let (columns, bare, subquery) = columns_of(expression);
    let mut functions = Vec::new();
    let _ = visit_expressions(expression, |e| {
        if let Expr::Function(f) = e {
            let args = arguments(&f.args);
            let inside = args.iter().flat_map(|a| columns_of(a).0).collect();
            functions.push(Called {
                name: f.name.to_string().to_lowercase(),
                literals: args.iter().map(|a| literal(a)).collect(),
                columns: inside,
            });
        }
        ControlFlow::<()>::Continue(())
    });
    References { columns, functions, bare, subquery }
}

/// The plain column that an expression is, if it is nothing else.
pub(super) fn plain(expression: &Expr) -> Option<ColumnRef> {
    match expression {
        Expr::CompoundIdentifier(parts) if parts.len() == 2 => {
            Some(ColumnRef { alias: parts[0].value.clone(), column: parts[1].value.clone() })
        }
        Expr::Nested(inner) => plain(inner),
        _ => None,
    }
}

/// What an expression may give: itself, or what it passes on as it stands.
pub(super) fn values(expression: &Expr) -> Vec<&Expr> {
    match expression {
        Expr::Nested(inner) => values(inner),
        Expr::Case { conditions, else_result, .. } => {
            let results = conditions.iter().map(|when| &when.result);
            results.chain(else_result.as_deref()).flat_map(values).collect()
        }
        Expr::Function(f) => {
            let given = arguments(&f.args);
            match f.name.to_string().to_lowercase().as_str() {
                "coalesce" => given.into_iter().flat_map(values).collect(),
                "nullif" | "min" | "max" | "first_value" | "last_value" => {
                    given.into_iter().take(1).flat_map(values).collect()
                }
                _ => vec![expression],
            }
        }
        _ => vec![expression],
    }
}

/// The columns of `alias` that a join's ON compares by `=`; `None` when the ON is anything but such comparisons with AND between.
pub(super) fn joined_columns(on: &Expr, alias: &str) -> Option<Vec<String>> {
    match on {
        Expr::Nested(inner) => joined_columns(inner, alias),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            let mut columns = joined_columns(left, alias)?;
            columns.extend(joined_columns(right, alias)?);
            Some(columns)
        }
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
            let own = |e: &Expr| plain(e).filter(|c| c.alias == alias).map(|c| c.column);
            let free = |e: &Expr| columns_of(e).0.iter().all(|c| c.alias != alias);
            match (own(left), own(right)) {
                (Some(column), None) if free(right) => Some(vec![column]),
                (None, Some(column)) if free(left) => Some(vec![column]),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The same SQL with every ordered aggregate ordered to the end: `<alias>._skey` tells rows apart that are equal before.
pub(super) fn normalized(expression: &mut Expr, alias: &str) -> String {
    let _ = visit_expressions_mut(expression, |e| {
        if let Expr::Function(Function { args: FunctionArguments::List(list), .. }) = e {
            for clause in &mut list.clauses {
                if let FunctionArgumentClause::OrderBy(by) = clause {
                    let parts = vec![Ident::new(alias), Ident::with_quote('"', "_skey")];
                    let mut last = OrderByExpr::from(Ident::new("_skey"));
                    last.expr = Expr::CompoundIdentifier(parts);
                    by.push(last);
                }
            }
        }
        ControlFlow::<()>::Continue(())
    });
    expression.to_string()
}

/// Aggregates whose value depends on the order of rows, called without one.
pub(super) fn unordered(expression: &Expr) -> Option<String> {
    let mut found = None;
    let _ = visit_expressions(expression, |e| {
        if let Expr::Function(f) = e
            && let FunctionArguments::List(list) = &f.args
        {
            let name = f.name.to_string().to_lowercase();
            let ordered = list.clauses.iter().any(|c| matches!(c, FunctionArgumentClause::OrderBy(_)));
            let wants = ["first_value", "last_value", "nth_value", "array_agg", "string_agg"];
            if wants.contains(&name.as_str()) && !ordered {
                found = Some(name);
            }
        }
        ControlFlow::<()>::Continue(())
    });
    found
}

/// Whether an aggregate in it has an ORDER BY.
pub(super) fn ordered(expression: &Expr) -> bool {
    let found = visit_expressions(expression, |e| match e {
        Expr::Function(Function { args: FunctionArguments::List(list), .. })
            if list.clauses.iter().any(|c| matches!(c, FunctionArgumentClause::OrderBy(_))) =>
        {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}
