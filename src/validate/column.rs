//! What a column asks of its own row: one expression a column, in one streaming pass over each mapped part.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::util::display::array_value_to_string;
use datafusion::common::DFSchema;
use datafusion::physical_plan::PhysicalExpr;
use datafusion::prelude::SessionContext;

use super::{Check, CheckedBranch, ValidateError};
use crate::artifacts::{FindingSink, RowAt, RuleGate, shown};
use crate::dataset::{read_part, schema_of};
use crate::engine::{Engine, Joins};
use crate::national::{Column, Kind, LengthIn, Mandatory};
use crate::phrase;
use crate::sql_ident::{literal, quote};

/// Rules that this pass names beside those under `empty`.
const EMPTY: &str = "STR-03";
const CONDITIONAL: &str = "STR-04";
const TOO_LONG: &str = "STR-02";
const NO_CODE: &str = "FIX-10";

/// The checks of one column.
pub(super) struct ColumnCheck {
    pub column: Column,
    /// NULL or a rule.
    pub sql: String,
    pub rules: Vec<RuleGate>,
}

impl ColumnCheck {
    /// Rules and column.
    pub(super) fn asked(&self) -> Vec<(String, String)> {
        self.rules.iter().map(|v| (v.rule.clone(), v.column.clone())).collect()
    }
}

/// The checks of every column that has any.
pub(super) fn checks(of: &Check<'_>, branch: &CheckedBranch) -> Vec<ColumnCheck> {
    of.table.columns.iter().filter_map(|column| one(of, branch, column)).collect()
}

fn one(of: &Check<'_>, branch: &CheckedBranch, column: &Column) -> Option<ColumnCheck> {
    let name = quote(&column.code);
    let mut whens = Vec::new();
    let mut rules = Vec::new();
    let empty = match column.kind {
        Kind::Text(_) => format!("{name} IS NULL OR btrim({name}, ' 　') = ''"),
        Kind::Id
        | Kind::Date
        | Kind::Period
        | Kind::Time
        | Kind::Money
        | Kind::Rate { .. }
        | Kind::Int(_) => {
            format!("{name} IS NULL")
        }
    };
    let emptiness = if branch.absent.contains(&column.code) { None } else { emptiness(column) };
    if let Some((rule, sql)) = emptiness {
        whens.push(format!("WHEN {empty} THEN {sql}"));
        rules.push(rule);
    }
    let list = column.codes.as_ref().and_then(|c| of.national.codes.get(c));
    if let Some(list) = list {
        let codes: Vec<String> = list.codes.keys().map(|c| literal(c)).collect();
        whens.push(format!("WHEN {name} NOT IN ({}) THEN '{NO_CODE}'", codes.join(", ")));
        rules.push(NO_CODE.to_owned());
    } else if let Some(long) = too_long(column, of.national.length_in) {
        whens.push(format!("WHEN {long} THEN '{TOO_LONG}'"));
        rules.push(TOO_LONG.to_owned());
    }
    if whens.is_empty() {
        return None;
    }
    let rules = rules.iter().map(|r| RuleGate::new(of.national, r, column)).collect();
    Some(ColumnCheck { column: column.clone(), sql: format!("CASE {} END", whens.join(" ")), rules })
}

/// The rule of the column's emptiness, and the SQL that names it where it is one.
fn emptiness(column: &Column) -> Option<(String, String)> {
    let named = |otherwise: &str| column.empty.clone().unwrap_or_else(|| otherwise.to_owned());
    match (column.mandatory, &column.when) {
        (Mandatory::Hard | Mandatory::Soft, _) => {
            let rule = named(EMPTY);
            let sql = literal(&rule);
            Some((rule, sql))
        }
        (Mandatory::No, Some(when)) => {
            let rule = named(CONDITIONAL);
            let sql = format!("CASE WHEN {when} THEN {} END", literal(&rule));
            Some((rule, sql))
        }
        (Mandatory::No, None) => None,
    }
}

fn too_long(column: &Column, length_in: LengthIn) -> Option<String> {
    let name = quote(&column.code);
    match (column.kind, length_in) {
        (Kind::Text(n), LengthIn::Characters) => Some(format!("character_length({name}) > {n}")),
        (Kind::Text(n), LengthIn::Bytes) => Some(format!("octet_length({name}) > {n}")),
        (Kind::Int(n), LengthIn::Characters | LengthIn::Bytes) if n < 10 => {
            let limit = 10_i64.pow(n);
            Some(format!("({name} >= {limit} OR {name} <= -{limit})"))
        }
        (
            Kind::Int(_)
            | Kind::Id
            | Kind::Date
            | Kind::Period
            | Kind::Time
            | Kind::Money
            | Kind::Rate { .. },
            LengthIn::Characters | LengthIn::Bytes,
        ) => None,
    }
}

/// SQL over one table's columns as an expression on its batches.
pub(super) fn compile(
    session: &SessionContext,
    schema: &DFSchema,
    at: (&str, &str),
    sql: &str,
) -> Result<Arc<dyn PhysicalExpr>, ValidateError> {
    let expression =
        session.parse_sql_expr(sql, schema).and_then(|e| session.create_physical_expr(e, schema));
    expression.map_err(|e| ValidateError::Predicate {
        table: at.0.to_owned(),
        column: at.1.to_owned(),
        sql: sql.to_owned(),
        source: Box::new(e),
    })
}

struct Pass<'a> {
    of: &'a Check<'a>,
    engine: &'a Engine,
    schema: SchemaRef,
    scope: Option<Arc<dyn PhysicalExpr>>,
    checks: Vec<(&'a ColumnCheck, usize, Arc<dyn PhysicalExpr>)>,
}

/// Checks every part of a branch, as many at once as the engine has partitions; returns the scratch parts.
pub(super) fn stream(
    engine: &Engine,
    of: &Check<'_>,
    branch: &CheckedBranch,
    checks: &[ColumnCheck],
) -> Result<Vec<PathBuf>, ValidateError> {
    let schema = of.table.mapped_schema();
    let plan = DFSchema::try_from(schema.as_ref().clone())
        .map_err(|e| ValidateError::Impossible { what: format!("the schema of {}: {e}", of.table.name) })?;
    let session = engine.session(1, Joins::OneSmall);
    let compiled = |column: &str, sql: &str| compile(&session, &plan, (&of.table.name, column), sql);
    let pass = Pass {
        of,
        engine,
        scope: of.table.scope.as_ref().map(|sql| compiled("scope", sql)).transpose()?,
        checks: checks
            .iter()
            .map(|c| {
                let at = schema.index_of(&c.column.code);
                let at = at.map_err(|e| ValidateError::Impossible { what: e.to_string() })?;
                Ok((c, at, compiled(&c.column.code, &c.sql)?))
            })
            .collect::<Result<_, ValidateError>>()?,
        schema,
    };
    let outputs: Vec<PathBuf> = (1..=branch.mapped.len())
        .map(|n| of.scratch.join(format!("{}.{n:06}.parquet", branch.name)))
        .collect();
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), ValidateError> {
        while let Some((part, out)) = {
            let at = next.fetch_add(1, Ordering::Relaxed);
            branch.mapped.get(at).zip(outputs.get(at))
        } {
            pass.part(part, out)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..engine.partitions().min(branch.mapped.len())).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|t| {
                t.join().unwrap_or_else(|_| {
                    Err(ValidateError::Impossible { what: "a check that stopped".to_owned() })
                })
            })
            .collect::<Result<Vec<()>, _>>()
    })?;
    Ok(outputs)
}

impl Pass<'_> {
    fn part(&self, part: &Path, out: &Path) -> Result<(), ValidateError> {
        let found = schema_of(part)?;
        let same = found.fields().len() == self.schema.fields().len()
            && found
                .fields()
                .iter()
                .zip(self.schema.fields())
                .all(|(a, b)| a.name() == b.name() && a.data_type() == b.data_type());
        if !same {
            let (path, table) = (part.display().to_string(), self.of.table.name.clone());
            return Err(ValidateError::Columns { path, table });
        }
        let mut sink = FindingSink::create(out, &self.of.table.name)?;
        for batch in read_part(part)? {
            let batch = batch?;
            let batch = RecordBatch::try_new(self.schema.clone(), batch.columns().to_vec())
                .map_err(|e| ValidateError::Impossible { what: e.to_string() })?;
            self.batch(&batch, &mut sink)?;
        }
        sink.finish()?;
        Ok(())
    }

    fn evaluate(
        &self,
        expression: &Arc<dyn PhysicalExpr>,
        batch: &RecordBatch,
    ) -> Result<ArrayRef, ValidateError> {
        let value = expression.evaluate(batch).and_then(|v| v.into_array(batch.num_rows()));
        Ok(value.map_err(|e| self.engine.error(phrase!("work.check", table = self.of.table.name), e))?)
    }

    fn batch(&self, batch: &RecordBatch, sink: &mut FindingSink) -> Result<(), ValidateError> {
        let scope = self.scope.as_ref().map(|s| self.evaluate(s, batch)).transpose()?;
        let outside =
            |row: usize| scope.as_ref().is_some_and(|s| s.is_valid(row) && !s.as_boolean().value(row));
        let last = batch.num_columns();
        let text = |at: usize| batch.column(at).as_string::<i32>();
        let (keys, sources, skeys) = (text(last - 3), text(last - 2), text(last - 1));
        for (check, at, expression) in &self.checks {
            let broken = self.evaluate(expression, batch)?;
            if broken.null_count() == broken.len() || broken.data_type() == &DataType::Null {
                continue;
            }
            let broken = broken.as_string_opt::<i32>().ok_or_else(|| ValidateError::Impossible {
                what: format!("the check of {} gives {}", check.column.code, broken.data_type()),
            })?;
            let value = batch.column(*at);
            for row in (0..batch.num_rows()).filter(|row| broken.is_valid(*row) && !outside(*row)) {
                let verdict = check.rules.iter().find(|v| v.rule == broken.value(row));
                let verdict = verdict.ok_or_else(|| ValidateError::Impossible {
                    what: format!("rule {} on {}", broken.value(row), check.column.code),
                })?;
                let row_at = RowAt {
                    key: keys.is_valid(row).then(|| keys.value(row)),
                    source: sources.value(row),
                    skey: skeys.is_valid(row).then(|| skeys.value(row)),
                };
                let seen = value.is_valid(row).then(|| array_value_to_string(value, row).unwrap_or_default());
                let seen = seen.filter(|v| !v.trim().is_empty());
                sink.add(verdict, row_at, seen.map(|v| shown(&check.column, &v)).as_deref())?;
            }
        }
        Ok(())
    }
}
