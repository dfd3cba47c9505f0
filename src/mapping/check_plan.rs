//! What the planner says of a branch: its joins and conditions, the types of its columns, and the form in which it runs.
//!
//! Always: a condition with a mistake has it once, at its own line; an expression is planned alone only when the branch does not plan as
//! a whole, to find the one at fault.

use std::ops::Range;

use arrow::datatypes::{DataType, TimeUnit};

use super::check::Check;
use super::fault::Mistake;
use super::file::{Branch, Content, Mapped, Shape};
use super::guard;
use super::planner::Refusal;
use super::sql::{self, FROM, Order, join_name};
use crate::phrase;

/// Columns of a query and their types.
type Types = Vec<(String, DataType)>;

impl Check<'_> {
    /// Empty tables under the names that the branch's SQL uses.
    pub(super) fn tables(&self) -> bool {
        let joined = self.branch.joins.iter().map(|j| j.legacy.alias.as_str()).enumerate();
        let mut tables = vec![(FROM.to_owned(), self.branch.from.alias.as_str())];
        tables.extend(joined.map(|(i, alias)| (join_name(i), alias)));
        for (name, alias) in tables {
            let Some(view) = self.views.get(alias) else { return false };
            if let Err(message) = self.context.planner.table(&name, view.typed_schema()) {
                self.doc.fault(Mistake::Sql, self.places.whole.clone(), message);
                return false;
            }
        }
        true
    }

    /// Joins, filter, parts' conditions and what a group is formed by, each planned alone; a filter or condition is true or false.
    pub(super) fn predicates(&self) -> bool {
        let branch = self.branch;
        for (i, span) in self.places.joins.iter().enumerate() {
            if self.plans(i + 1, "1", span, &branch.joins[i].on).is_none() {
                return false;
            }
        }
        let grouped = matches!(branch.shape, Shape::Group(_));
        let joined = if grouped { 0 } else { branch.joins.len() };
        let mut good = true;
        if let Some(filter) = &branch.filter {
            good &= self.is_condition("where", joined, &filter.sql, &self.places.filter);
        }
        match &branch.shape {
            Shape::Row => {}
            Shape::Split(parts) => {
                for (part, span) in parts.iter().zip(&self.places.whens) {
                    good &= self.is_condition("when", joined, &part.when, span);
                }
            }
            Shape::Group(group) => {
                for by in group.by.iter().chain(&group.occurrence) {
                    good &= self.plans(0, by, &self.places.group, by).is_some();
                }
            }
        }
        good
    }

    /// The types of an expression after so many joins, if it plans; `written` is the SQL that stands at the place.
    fn plans(&self, joined: usize, sql: &str, span: &Range<usize>, written: &str) -> Option<Types> {
        let planner = self.context.planner;
        let quiet = |sql: &str| guard::tried(sql);
        let mut tried = self.branch.clone();
        tried.joins.iter_mut().for_each(|join| join.on = quiet(&join.on));
        let planned = planner.types(&sql::probe(self.branch, joined, sql)).and_then(|types| {
            planner.check_types(&sql::probe(&tried, joined, &quiet(sql)))?;
            Ok(types)
        });
        match planned {
            Ok(types) => Some(types),
            Err(refusal) => {
                self.refused(refusal, span, Some(written));
                None
            }
        }
    }

    /// Whether a condition plans, and is one.
    fn is_condition(&self, what: &str, joined: usize, sql: &str, span: &Range<usize>) -> bool {
        let Some(types) = self.plans(joined, sql, span, sql) else { return false };
        match types.first() {
            Some((_, DataType::Boolean)) | None => true,
            Some((_, found)) => {
                let message = phrase!("mapping.condition", what, found);
                let hint = phrase!("mapping.condition_hint");
                self.doc.hinted(Mistake::Type, span.clone(), message, hint);
                false
            }
        }
    }

    /// Plans the branch as a whole; column by column where it is split, has other mistakes, or does not plan.
    pub(super) fn types(&self, columns: &[(&Mapped, Range<usize>)], incomplete: bool) {
        let planner = self.context.planner;
        // As it runs it has the types of what is written: one plan, unless there is a mistake to be placed.
        if !incomplete
            && let Shape::Row | Shape::Group(_) = &self.branch.shape
            && let Ok(types) = planner.checked_types(&self.guarded(self.branch, &self.national.key))
        {
            self.all_fit(columns, &types);
            return;
        }
        let whole = (!incomplete)
            .then(|| self.context.planner.types(&sql::rows(self.branch, &self.national.key, Order::ByKey)));
        if let (Some(Ok(types)), Shape::Row | Shape::Group(_)) = (&whole, &self.branch.shape) {
            self.all_fit(columns, types);
            self.check_types(columns);
            return;
        }
        let mut found = false;
        for (mapped, span) in columns {
            found |= self.alone(mapped, span);
        }
        match (whole, found) {
            (Some(Err(refusal)), false) => self.refused(refusal, &self.places.whole, None),
            (Some(Ok(_)), false) => self.check_types(columns),
            (Some(_), true) | (None, _) => {}
        }
    }

    fn all_fit(&self, columns: &[(&Mapped, Range<usize>)], types: &[(String, DataType)]) {
        for (mapped, span) in columns {
            if let Some((_, found)) = types.iter().find(|(n, _)| *n == mapped.column) {
                self.fits(mapped, found, span);
            }
        }
    }

    /// The SELECT of a branch as it runs.
    fn guarded(&self, branch: &Branch, key: &[String]) -> String {
        let planner = self.context.planner;
        let guarded = guard::guarded(&self.national.name, branch, &|name| planner.aggregates(name));
        sql::rows(&guarded.rows, key, Order::ByKey)
    }

    /// The branch as it runs, with its casts reporting: it plans, and no value is cast in silence.
    fn check_types(&self, columns: &[(&Mapped, Range<usize>)]) {
        let runs =
            |branch: &Branch, key: &[String]| self.context.planner.check_types(&self.guarded(branch, key));
        let Err(whole) = runs(self.branch, &self.national.key) else { return };
        let mut found = false;
        for (mapped, span) in columns {
            let Content::Sql { sql, .. } = &mapped.content else { continue };
            if let Err(refusal) = runs(&self.only(mapped), &[]) {
                self.refused(refusal, span, Some(sql));
                found = true;
            }
        }
        if !found {
            self.refused(whole, &self.places.whole, None);
        }
    }

    /// The branch with that column alone.
    fn only(&self, mapped: &Mapped) -> Branch {
        let mut one = self.branch.clone();
        one.columns = vec![mapped.clone()];
        if let Shape::Split(_) = one.shape {
            one.shape = Shape::Row;
        }
        one
    }

    /// Plans one column alone; whether it was at fault.
    fn alone(&self, mapped: &Mapped, span: &Range<usize>) -> bool {
        match self.context.planner.types(&sql::rows(&self.only(mapped), &[], Order::AsItComes)) {
            Ok(types) => types.first().is_some_and(|(_, found)| !self.fits(mapped, found, span)),
            Err(refusal) => {
                self.refused(refusal, span, None);
                true
            }
        }
    }

    /// `written` is the SQL at the place, where it is one expression.
    fn refused(&self, refusal: Refusal, span: &Range<usize>, written: Option<&str>) {
        match refusal {
            Refusal::Cast(from, to) => {
                let message = match written {
                    Some(sql) => phrase!("mapping.cast_in", from, to, sql),
                    None => phrase!("mapping.cast", from, to),
                };
                let hint = phrase!("mapping.cast_hint");
                self.doc.hinted(Mistake::Type, span.clone(), message, hint);
            }
            Refusal::Sql(message) => self.doc.fault(Mistake::Sql, span.clone(), message),
            Refusal::Float(e) => {
                let hint = phrase!("mapping.float_hint");
                self.doc.hinted(Mistake::Float, span.clone(), phrase!("mapping.float", e), hint);
            }
        }
    }

    fn fits(&self, mapped: &Mapped, found: &DataType, span: &Range<usize>) -> bool {
        let Some(column) = self.national.column(&mapped.column) else { return true };
        let wanted = column.kind.arrow();
        let good = lossless(found, &wanted);
        if !good {
            let message = phrase!("mapping.type", column = mapped.column, wanted, found);
            let hint = phrase!("mapping.type_hint");
            self.doc.hinted(Mistake::Type, span.clone(), message, hint);
        }
        good
    }
}

/// Whether every value of `found` that fits at all can be stored as `wanted` without changing; what does not fit is an error at run.
fn lossless(found: &DataType, wanted: &DataType) -> bool {
    match (found, wanted) {
        (found, wanted) if found == wanted => true,
        (DataType::Utf8View | DataType::LargeUtf8, DataType::Utf8) => true,
        (found, DataType::Int32 | DataType::Int64) => found.is_integer(),
        (DataType::Decimal128(_, from), DataType::Decimal128(_, to)) => from <= to,
        (found, DataType::Decimal128(_, _)) => found.is_integer(),
        (DataType::Date32, DataType::Timestamp(TimeUnit::Microsecond, None)) => true,
        _ => false,
    }
}
