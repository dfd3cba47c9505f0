//! Plans every rule and model over the national schema: what they name must exist, what they propose must fit.
//!
//! Always: planned with the settings and functions of a run; nothing is executed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::DataFusionError;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use futures::executor::block_on;

use super::external::External;
use super::fields::criteria;
use super::file::{Draft, Model, ModelDraft, Reader, Rule};
use super::kind::Effect;
use super::merged;
use crate::engine::{EngineError, Joins, refuse_floats, session_config};
use crate::functions::FunctionRegistry;
use crate::national::{National, Table};
use crate::nearest::nearest;
use crate::phrase;

/// Columns of a rule that are not proposals, with their types.
const OWN: [(&str, DataType); 7] = [
    ("_key", DataType::Utf8),
    ("_repair", DataType::Utf8),
    ("_severity", DataType::Utf8),
    ("_evidence", DataType::Utf8),
    ("_group", DataType::Utf8),
    ("_score", DataType::Int64),
    ("_after_key", DataType::Utf8),
];

/// What files are checked against.
pub(super) struct Context<'a> {
    pub(super) national: &'a National,
    pub(super) functions: &'a FunctionRegistry,
    pub(super) references: &'a BTreeMap<String, RecordBatch>,
    pub(super) externals: &'a BTreeMap<String, External>,
    /// Table (or `*`) and column.
    pub(super) untouchable: &'a BTreeSet<(String, String)>,
}

/// A session that knows every table, empty.
pub(super) struct Planner {
    /// Its catalogue is that of every plan.
    state: SessionState,
    names: BTreeSet<String>,
}

impl Planner {
    pub(super) fn new(of: &Context<'_>) -> Self {
        let session = SessionContext::new_with_config(session_config(1, Joins::Large));
        of.functions.register(&session);
        let mut planner = Self { state: session.state(), names: BTreeSet::new() };
        for table in &of.national.tables {
            planner.know(&table.name, table.mapped_schema());
        }
        for (name, batch) in of.references {
            planner.know(name, batch.schema());
        }
        for external in of.externals.values() {
            planner.know(&external.name, external.schema());
        }
        for name in merged::names(of.national) {
            if let Some(schema) = merged::schema(of.national, &name) {
                planner.know(&name, schema);
            }
        }
        planner
    }

    pub(super) fn know(&mut self, name: &str, schema: SchemaRef) {
        let reference = datafusion::common::TableReference::bare(name);
        // A name that is known already keeps its first meaning; the caller tells of it.
        let table = Arc::new(EmptyTable::new(schema));
        let schema = self.state.schema_for_ref(reference);
        if schema.is_ok_and(|schema| schema.register_table(name.to_owned(), table).is_ok()) {
            self.names.insert(name.to_owned());
        }
    }

    /// Models under their names; they are planned already.
    pub(super) fn know_models(&mut self, models: &[Model]) {
        for model in models {
            if let Ok(plan) = self.plan(&model.sql) {
                self.know(&model.name, Arc::new(plan.schema().as_arrow().clone()));
            }
        }
    }

    fn plan(&self, sql: &str) -> Result<LogicalPlan, DataFusionError> {
        let state = &self.state;
        let plan = block_on(state.create_logical_plan(sql))?;
        state.analyzer().execute_and_check(plan, &state.config_options().clone(), |_, _| {})
    }

    fn aggregates(&self, name: &str) -> bool {
        let state = &self.state;
        state.aggregate_functions().contains_key(name) && !state.scalar_functions().contains_key(name)
    }
}

impl External {
    /// The columns of its rows.
    pub fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(
            self.columns.iter().map(|c| Field::new(&c.code, c.kind.clone(), true)).collect::<Vec<_>>(),
        ))
    }
}

/// Plans models, then rules; what is sound, in the order in which it runs.
pub(super) fn all(
    reader: &mut Reader,
    of: &Context<'_>,
    drafts: Vec<Draft>,
    models: Vec<ModelDraft>,
) -> (Vec<Rule>, Vec<Model>) {
    let mut planner = Planner::new(of);
    criteria(reader, of.references.get("ref_survivor"), &models);
    let models = plan_models(reader, &mut planner, models);
    let mut rules: Vec<Rule> = Vec::new();
    for draft in drafts {
        if rules.iter().any(|r| r.name == draft.rule.name) {
            reader.fault(&draft.text, 0..0, phrase!("rules.twice", name = draft.rule.name));
        }
        if let Some(same) = rules.iter().find(|r| r.id == draft.rule.id && r.title != draft.rule.title) {
            let span = draft.spans.get("title").cloned().unwrap_or(0..0);
            reader.fault(
                &draft.text,
                span,
                phrase!("rules.other_title", id = draft.rule.id, file = same.name),
            );
        }
        rules.extend(rule(reader, of, &planner, draft));
    }
    rules.sort_by(|a, b| (a.item, &a.id, &a.name).cmp(&(b.item, &b.id, &b.name)));
    (rules, models)
}

/// Models in an order in which each comes after those that it reads.
fn plan_models(reader: &mut Reader, planner: &mut Planner, mut open: Vec<ModelDraft>) -> Vec<Model> {
    let mut done = Vec::new();
    while !open.is_empty() {
        let names: BTreeSet<String> = open.iter().map(|m| m.model.name.clone()).collect();
        let ready = open.iter().position(|m| m.parsed.reads.iter().all(|r| !names.contains(r)));
        let Some(at) = ready else {
            for model in &open {
                reader.fault(&model.text, model.sql.clone(), phrase!("rules.circle"));
            }
            break;
        };
        let draft = open.remove(at);
        if let Some(name) = draft.parsed.reads.iter().find(|n| merged::of_table(n).is_some()) {
            let message = phrase!("rules.only_rules", name);
            reader.fault(&draft.text, find(&draft.text.text, &draft.sql, name), message);
        }
        if planner.names.contains(&draft.model.name) {
            reader.fault(&draft.text, 0..0, phrase!("rules.table_already", name = draft.model.name));
            continue;
        }
        if let Some(plan) = planned(reader, planner, &draft.text, &draft.sql, &draft.parsed, &draft.model.sql)
        {
            planner.know(&draft.model.name, Arc::new(plan.schema().as_arrow().clone()));
            done.push(draft.model);
        }
    }
    done
}

/// The plan of a SELECT without floats, unknown names and functions that differ from run to run.
pub(super) fn planned(
    reader: &mut Reader,
    planner: &Planner,
    text: &super::file::Text,
    span: &Range<usize>,
    parsed: &super::sql::Parsed,
    sql: &str,
) -> Option<LogicalPlan> {
    if let Some(name) = parsed.reads.iter().find(|n| !planner.names.contains(*n)) {
        let message = phrase!("rules.no_table_meant", name, nearest = nearest(name, &planner.names));
        reader.fault(text, find(&text.text, span, name), message);
        return None;
    }
    if let Some(name) = parsed.unsteady() {
        let message = phrase!("rules.unsteady", name);
        reader.fault(text, find(&text.text, span, name), message);
        return None;
    }
    match planner.plan(sql) {
        Ok(plan) => match refuse_floats("", &plan) {
            Ok(()) => Some(plan),
            Err(EngineError::Float { expression, .. }) => {
                let message = phrase!("rules.float", expression);
                reader.fault(text, span.clone(), message);
                None
            }
            Err(e) => {
                reader.fault(text, span.clone(), e.to_string());
                None
            }
        },
        Err(e) => {
            reader.fault(text, span.clone(), phrase!("rules.sql", why = plain(&e)));
            None
        }
    }
}

/// The words of a planning error, without the names of DataFusion's own stages.
fn plain(e: &DataFusionError) -> String {
    let text = e.find_root().strip_backtrace();
    let text = text.trim_start_matches("Error during planning: ").trim_start_matches("Schema error: ");
    text.lines().next().unwrap_or_default().to_owned()
}

/// Where a word stands in the SELECT; the SELECT itself where it does not.
fn find(text: &str, within: &Range<usize>, word: &str) -> Range<usize> {
    let found = text.get(within.clone()).and_then(|sql| sql.find(word));
    found.map_or_else(|| within.clone(), |at| within.start + at..within.start + at + word.len())
}

fn rule(reader: &mut Reader, of: &Context<'_>, planner: &Planner, draft: Draft) -> Option<Rule> {
    let before = reader.faults.len();
    let Draft { mut rule, text, sql, parsed, spans } = draft;
    let at = |key: &str| spans.get(key).cloned().unwrap_or(0..0);
    let Some(table) = of.national.table(&rule.table) else {
        let names = of.national.tables.iter().map(|t| t.name.as_str());
        let message =
            phrase!("rules.no_table_meant", name = rule.table, nearest = nearest(&rule.table, names));
        reader.fault(&text, at("table"), message);
        return None;
    };
    if rule.column != "*" && table.column(&rule.column).is_none() {
        reader.fault(&text, at("column"), no_column(table, &rule.column));
    }
    let target = target(reader, of, &text, &rule, table, &spans);
    if let Some(target) = target {
        touches(reader, of, &text, &rule, target, &at("touches"));
    }
    needs(reader, of, &text, &rule, &at("needs"));
    let own = |name: &&String| merged::of_table(name) == Some(rule.table.as_str());
    if let Some(name) = rule.reads.iter().find(own).filter(|_| rule.effect == Effect::Merge) {
        let message = phrase!("rules.after_merges", name, table = rule.table);
        reader.fault(&text, find(&text.text, &sql, name), message);
    }
    let among = format!("SELECT count(*) FROM \"{}\" WHERE ({})", rule.table, rule.among);
    if let Err(e) = planner.plan(&among) {
        reader.fault(&text, at("among"), phrase!("rules.sql", why = plain(&e)));
    }
    let plan = planned(reader, planner, &text, &sql, &parsed, &rule.sql)?;
    rule.gives = plan.schema().fields().iter().map(|f| f.name().clone()).collect();
    gives(reader, &text, &sql, &rule, target, &plan);
    rule.is_row_rule = parsed.row_alias(&|name| planner.aggregates(name)).is_some();
    if parsed.first_table().is_some_and(|first| first != rule.table && !of.externals.contains_key(&first))
        && rule.is_row_rule
    {
        reader.fault(&text, at("table"), phrase!("rules.other_table", table = rule.table));
    }
    if !text.path.with_extension("case").exists() {
        reader.fault(&text, 0..0, phrase!("rules.no_cases", name = rule.name));
    }
    (reader.faults.len() == before).then_some(rule)
}

/// The table whose columns are proposed: the rule's, or that of its new rows.
fn target<'t>(
    reader: &mut Reader,
    of: &Context<'t>,
    text: &super::file::Text,
    rule: &Rule,
    table: &'t Table,
    spans: &BTreeMap<String, Range<usize>>,
) -> Option<&'t Table> {
    let at = |key: &str| spans.get(key).cloned().unwrap_or(0..0);
    match (&rule.adds, rule.effect) {
        (Some(adds), Effect::Add) => {
            let target = of.national.table(adds);
            if target.is_none() {
                reader.fault(text, at("adds"), phrase!("rules.no_table", table = adds));
            }
            target
        }
        (None, Effect::Add) | (Some(_), _) => {
            let message = phrase!("rules.adds");
            reader.fault(text, at("effect"), message);
            None
        }
        (None, _) => Some(table),
    }
}

/// Outside data that is read is named, and what is named exists.
fn needs(reader: &mut Reader, of: &Context<'_>, text: &super::file::Text, rule: &Rule, span: &Range<usize>) {
    for needed in rule.needs.iter().chain(rule.reads.iter().filter(|n| n.starts_with("ext_"))) {
        let name = needed.trim_start_matches("ext_");
        if !of.externals.contains_key(needed) {
            reader.fault(text, span.clone(), phrase!("rules.no_external", name));
        } else if !rule.needs.contains(needed) {
            reader.fault(text, span.clone(), phrase!("rules.needs", needed));
        }
    }
}

fn no_column(table: &Table, column: &str) -> String {
    let names = table.columns.iter().map(|c| c.code.as_str());
    phrase!("rules.no_column_meant", table = table.name, column, nearest = nearest(column, names))
}

/// What a rule may propose values for.
fn touches(
    reader: &mut Reader,
    of: &Context<'_>,
    text: &super::file::Text,
    rule: &Rule,
    target: &Table,
    span: &Range<usize>,
) {
    if matches!(rule.effect, Effect::Change | Effect::Add) == rule.touches.is_empty() {
        let message = phrase!("rules.touches");
        reader.fault(text, span.clone(), message);
    }
    for column in &rule.touches {
        if target.column(column).is_none() {
            reader.fault(text, span.clone(), no_column(target, column));
        }
        if rule.effect != Effect::Change {
            continue;
        }
        if target.key.contains(column) {
            reader.fault(text, span.clone(), phrase!("rules.key_column", column, table = target.name));
        }
        let forbidden = |table: &str| of.untouchable.contains(&(table.to_owned(), column.clone()));
        if forbidden(&target.name) || forbidden("*") {
            let message = phrase!("rules.untouchable", table = target.name, column);
            reader.fault(text, span.clone(), message);
        }
    }
}

/// The columns of the SELECT: known ones, each of a type that fits.
fn gives(
    reader: &mut Reader,
    text: &super::file::Text,
    span: &Range<usize>,
    rule: &Rule,
    target: Option<&Table>,
    plan: &LogicalPlan,
) {
    if !rule.gives.iter().any(|g| g == "_key") {
        reader.fault(text, span.clone(), phrase!("rules.no_key"));
    }
    if rule.effect == Effect::Merge && !rule.gives.iter().any(|g| g == "_after_key") {
        reader.fault(text, span.clone(), phrase!("rules.after_key"));
    }
    for field in plan.schema().fields() {
        let (name, found) = (field.name(), field.data_type());
        let wanted = match OWN.iter().find(|(own, _)| own == name) {
            Some((_, kind)) => Some(kind.clone()),
            None if rule.touches.contains(name) => {
                target.and_then(|t| t.column(name)).map(|c| c.kind.arrow())
            }
            None => {
                let message = phrase!("rules.not_touched", name);
                reader.fault(text, find(&text.text, span, name), message);
                None
            }
        };
        if let Some(wanted) = wanted
            && !fits(found, &wanted)
        {
            let message = phrase!("rules.type", name, found, wanted);
            reader.fault(text, find(&text.text, span, name), message);
        }
    }
}

/// Whether values of one type are those of another, or are refused one by one.
fn fits(found: &DataType, wanted: &DataType) -> bool {
    match (found, wanted) {
        (DataType::Null, _) => true,
        (a, b) if a == b => true,
        (DataType::Utf8View | DataType::LargeUtf8, DataType::Utf8) => true,
        (a, DataType::Int32 | DataType::Int64) => a.is_integer(),
        (a, DataType::Decimal128(..)) => a.is_integer() || a.is_decimal(),
        _ => false,
    }
}
