//! What the SQL of a branch means: names, functions, types, traps, mandatory columns.
//!
//! Always: checked by the parser, never by text; what the planner says is in check_plan.rs.

use std::collections::BTreeMap;
use std::ops::Range;

use datafusion::sql::sqlparser::ast::Expr;

use super::branches::{CheckContext, Places};
use super::fault::Mistake;
use super::file::{Branch, ColumnRef, Content, Generation, Mapped, Reading, Shape, SourceView};
use super::planner::Known;
use super::refs::{self, Called, References};
use super::text::Doc;
use crate::functions::{Caller, DateForm, JsonPath, Read};
use crate::national::{self, Mandatory};
use crate::nearest::nearest;
use crate::phrase;

/// One branch under examination.
pub(super) struct Check<'a> {
    pub(super) doc: &'a Doc,
    pub(super) branch: &'a Branch,
    pub(super) places: &'a Places,
    pub(super) national: &'a national::Table,
    pub(super) context: &'a CheckContext<'a>,
    pub(super) views: BTreeMap<&'a str, &'a SourceView>,
}

/// Notes every mistake of a branch.
pub(super) fn branch(
    doc: &Doc,
    branch: &Branch,
    places: &Places,
    national: &national::Table,
    context: &CheckContext<'_>,
) {
    let mut check = Check { doc, branch, places, national, context, views: BTreeMap::new() };
    if !check.aliases() {
        return;
    }
    if !places.strange {
        check.mandatory();
    }
    let framed = check.conditions();
    let (mut good, mut bad) = (Vec::new(), 0);
    for (mapped, span) in check.columns() {
        let Content::Sql { sql, .. } = &mapped.content else { continue };
        if let Some(expression) = check.expression(sql, &span) {
            check.trap(mapped, &expression, &span);
            good.push((mapped, span));
        } else {
            bad += 1;
        }
    }
    check.group_key();
    // A condition with a mistake has it once, at its own line: the columns are not planned around it.
    if framed && check.tables() && check.predicates() {
        check.types(&good, bad > 0);
    }
}

/// Fills in what the columns refer to, and makes every ordered aggregate's order complete.
pub(super) fn finished(mut branch: Branch) -> Branch {
    let alias = branch.from.alias.clone();
    let finish = |mapped: &mut Mapped| {
        let Content::Sql { sql, .. } = &mut mapped.content else { return };
        let Ok(mut expression) = refs::parse(sql) else { return };
        mapped.refers = refs::references(&expression).columns;
        if refs::ordered(&expression) {
            *sql = refs::normalized(&mut expression, &alias);
        }
    };
    branch.columns.iter_mut().for_each(finish);
    if let Shape::Split(parts) = &mut branch.shape {
        parts.iter_mut().flat_map(|p| &mut p.columns).for_each(finish);
    }
    branch
}

impl<'a> Check<'a> {
    /// Resolves the aliases to views; false when one is unknown.
    fn aliases(&mut self) -> bool {
        let joined = self.branch.joins.iter().map(|j| &j.legacy).zip(&self.places.joins);
        let all = std::iter::once((&self.branch.from, &self.places.from)).chain(joined);
        let mut good = true;
        for (legacy, span) in all {
            let Some(view) = self.context.views.iter().find(|v| v.name == legacy.view) else {
                good = false;
                if self.context.broken.views.contains(&legacy.view) {
                    continue;
                }
                let near = nearest(&legacy.view, self.context.views.iter().map(|v| v.name.as_str()));
                let message = phrase!("mapping.no_view", view = legacy.view);
                self.doc.hinted(Mistake::View, span.clone(), message, phrase!("mapping.nearest", near));
                continue;
            };
            if self.views.insert(&legacy.alias, view).is_some() {
                let message = phrase!("mapping.alias_twice", alias = legacy.alias);
                self.doc.fault(Mistake::Twice, span.clone(), message);
                good = false;
            }
        }
        good
    }

    /// Every mapped column with the place of its value.
    fn columns(&self) -> Vec<(&'a Mapped, Range<usize>)> {
        let spans = self.places.columns.iter().flatten().map(|at| at.span.clone());
        self.branch.all_columns().zip(spans).collect()
    }

    /// Joins, filter, parts' conditions, group expressions.
    fn conditions(&self) -> bool {
        let mut good = true;
        for (join, span) in self.branch.joins.iter().zip(&self.places.joins) {
            good &= self.expression(&join.on, span).is_some();
        }
        if let Some(filter) = &self.branch.filter {
            good &= self.expression(&filter.sql, &self.places.filter).is_some();
        }
        match &self.branch.shape {
            Shape::Row => {}
            Shape::Split(parts) => {
                for (part, span) in parts.iter().zip(&self.places.whens) {
                    good &= self.expression(&part.when, span).is_some();
                }
            }
            Shape::Group(group) => {
                for by in group.by.iter().chain(&group.occurrence) {
                    good &= self.driving_only(by, &self.places.group);
                }
                if let Some(filter) = &self.branch.filter {
                    good &= self.driving_only(&filter.sql, &self.places.filter);
                }
            }
        }
        good
    }

    /// In a group branch rows are numbered before joins, so group, occurrence and filter know the first alias only.
    fn driving_only(&self, sql: &str, span: &Range<usize>) -> bool {
        let Some(expression) = self.expression(sql, span) else { return false };
        let first = &self.branch.from.alias;
        let other = refs::references(&expression).columns.into_iter().find(|c| c.alias != *first);
        if let Some(other) = &other {
            let message = phrase!("mapping.group_joined", alias = other.alias, column = other.column, first);
            self.doc.fault(Mistake::Sql, span.clone(), message);
        }
        other.is_none()
    }

    /// Parses an expression and checks every name in it.
    fn expression(&self, sql: &str, span: &Range<usize>) -> Option<Expr> {
        let expression = match refs::parse(sql) {
            Ok(expression) => expression,
            Err(e) => {
                self.doc.fault(Mistake::Sql, span.clone(), phrase!("mapping.sql", e));
                return None;
            }
        };
        let References { columns, functions, bare, subquery } = refs::references(&expression);
        let mut good = true;
        if subquery {
            self.doc.fault(Mistake::Forbidden, span.clone(), phrase!("mapping.subquery"));
            good = false;
        }
        for name in bare {
            let message = phrase!("mapping.no_alias_given", name);
            let hint = phrase!("mapping.alias_hint", alias = self.branch.from.alias, name);
            self.doc.hinted(Mistake::LegacyColumn, span.clone(), message, hint);
            good = false;
        }
        if let Some(name) = refs::unordered(&expression) {
            let message = phrase!("mapping.order_by", name);
            self.doc.fault(Mistake::Forbidden, span.clone(), message);
            good = false;
        }
        for column in &columns {
            good &= self.column(column, span);
        }
        for called in &functions {
            good &= self.function(called, span);
        }
        good.then_some(expression)
    }

    fn column(&self, found: &ColumnRef, span: &Range<usize>) -> bool {
        let Some(view) = self.views.get(found.alias.as_str()) else {
            let near = nearest(&found.alias, self.views.keys().copied());
            let message = phrase!("mapping.no_alias", alias = found.alias);
            self.doc.hinted(Mistake::LegacyColumn, span.clone(), message, phrase!("mapping.meant", near));
            return false;
        };
        let schema = view.typed_schema();
        if schema.column_with_name(&found.column).is_some() {
            return true;
        }
        if self.context.broken.hides(&view.name, &found.column) {
            return false;
        }
        let skipped = view.column(&found.column).and_then(|c| match &c.reading {
            Reading::Skip(reason) => Some(reason),
            Reading::Viewed(_) => None,
        });
        let (message, hint) = match skipped {
            Some(reason) => (
                phrase!("mapping.skipped", view = view.name, column = found.column, reason),
                phrase!("mapping.skipped_hint"),
            ),
            None => {
                let near = nearest(&found.column, schema.fields().iter().map(|f| f.name().as_str()));
                (
                    phrase!("mapping.no_column", table = view.name, column = found.column),
                    phrase!("mapping.meant", near),
                )
            }
        };
        self.doc.hinted(Mistake::LegacyColumn, span.clone(), message, hint);
        false
    }

    fn function(&self, called: &Called, span: &Range<usize>) -> bool {
        let name = called.name.as_str();
        let planner = self.context.planner;
        if self.context.functions.caller(name) == Some(Caller::Rules) {
            let message = phrase!("mapping.rules_only", name);
            let hint = phrase!("mapping.rules_only_hint");
            self.doc.hinted(Mistake::Forbidden, span.clone(), message, hint);
            return false;
        }
        match planner.function(name) {
            Known::Steady => {}
            Known::Unsteady => {
                let message = phrase!("mapping.unsteady", name);
                self.doc.fault(Mistake::Forbidden, span.clone(), message);
                return false;
            }
            Known::Unknown => {
                let names = planner.function_names();
                let near = nearest(name, names.iter().map(String::as_str));
                let message = phrase!("mapping.no_function", name);
                self.doc.hinted(Mistake::Function, span.clone(), message, phrase!("mapping.nearest", near));
                return false;
            }
        }
        let settings = self.context.settings;
        let broken = self.context.broken;
        match name {
            "id" if broken.city => false,
            "id" => self.named(
                called,
                span,
                Mistake::Domain,
                &phrase!("mapping.key_domain"),
                settings.domains.keys(),
            ),
            "code_of" if called.literal(0).is_some_and(|list| broken.lists.contains(list)) => false,
            "code_of" => {
                self.named(
                    called,
                    span,
                    Mistake::CodeList,
                    &phrase!("mapping.code_list"),
                    settings.codes.lists.keys(),
                ) && self.one_of(called, span, 2, &["refuse", "null", "keep"])
            }
            "in_code" => self.named(
                called,
                span,
                Mistake::CodeList,
                &phrase!("mapping.code_table"),
                settings.codes.national.keys(),
            ),
            "money_of" => self.one_of(called, span, 1, &["yuan", "fen"]),
            "date_of" => {
                let mut known: Vec<&str> = DateForm::ALL.iter().map(|(name, _)| *name).collect();
                known.push("birth");
                (1..called.literals.len()).all(|at| self.one_of(called, span, at, &known))
            }
            "json_text" => self.json_path(called, span),
            _ => true,
        }
    }

    /// The second argument must be a path.
    fn json_path(&self, called: &Called, span: &Range<usize>) -> bool {
        let good = called.literal(1).is_some_and(|path| JsonPath::parse(path).is_some());
        if !good {
            self.doc.fault(Mistake::Sql, span.clone(), phrase!("mapping.json_path"));
        }
        good
    }

    /// An argument must be one of these words.
    fn one_of(&self, called: &Called, span: &Range<usize>, at: usize, words: &[&str]) -> bool {
        let found = called.literal(at);
        let good = found.is_some_and(|word| words.contains(&word));
        if !good && at < called.literals.len() {
            let message = phrase!("mapping.argument", at = at + 1, function = called.name);
            let hint = phrase!("mapping.argument_hint", words = words.join("', '"));
            self.doc.hinted(Mistake::Sql, span.clone(), message, hint);
        }
        good || at >= called.literals.len()
    }

    /// The first argument must be a literal that names one of `names`.
    fn named<'n>(
        &self,
        called: &Called,
        span: &Range<usize>,
        mistake: Mistake,
        what: &str,
        names: impl Iterator<Item = &'n String>,
    ) -> bool {
        let names: Vec<&str> = names.map(String::as_str).collect();
        let Some(first) = called.literal(0) else {
            let message = phrase!("mapping.first_argument", function = called.name, what);
            self.doc.fault(mistake, span.clone(), message);
            return false;
        };
        if names.contains(&first) {
            return true;
        }
        let near = nearest(first, names.iter().copied());
        let message = phrase!("mapping.no_named", what, first);
        self.doc.hinted(mistake, span.clone(), message, phrase!("mapping.meant", near));
        false
    }

    /// Hard columns are computed, soft ones computed or absent, in every part.
    fn mandatory(&self) {
        let empty: &[super::file::Part] = &[];
        let parts = match &self.branch.shape {
            Shape::Split(parts) => parts.as_slice(),
            Shape::Row | Shape::Group(_) => empty,
        };
        for (i, one) in self.places.columns.iter().enumerate().skip(1) {
            for name in one.iter().filter(|n| self.branch.columns.iter().any(|m| m.column == n.value)) {
                let part = &parts[i - 1].name;
                let message = phrase!("mapping.column_both", column = name.value, part);
                self.doc.fault(Mistake::Twice, name.span.clone(), message);
            }
        }
        for column in self.national.columns.iter().filter(|c| c.mandatory != Mandatory::No) {
            let own = |columns: &'a [Mapped]| columns.iter().find(|m| m.column == column.code);
            let found: Vec<Option<&Mapped>> = match own(&self.branch.columns) {
                Some(mapped) => vec![Some(mapped)],
                None if parts.is_empty() => vec![None],
                None => parts.iter().map(|p| own(&p.columns)).collect(),
            };
            self.mandatory_column(column, &found);
        }
    }

    fn mandatory_column(&self, column: &national::Column, found: &[Option<&Mapped>]) {
        let (code, title) = (&column.code, &column.title);
        if found.iter().any(Option::is_none) {
            let message = phrase!("mapping.mandatory", code, title);
            let hint = match column.mandatory {
                Mandatory::Hard => phrase!("mapping.hard_hint"),
                Mandatory::Soft | Mandatory::No => phrase!("mapping.soft_hint", code),
            };
            self.doc.hinted(Mistake::Mandatory, self.places.whole.clone(), message, hint);
        }
        let absent = found.iter().flatten().any(|m| matches!(m.content, Content::Absent(_)));
        if absent && column.mandatory == Mandatory::Hard {
            let span = self.columns().into_iter().find(|(m, _)| m.column == *code).map(|(_, s)| s);
            let message = phrase!("mapping.hard", code, title);
            self.doc.fault(Mistake::Mandatory, span.unwrap_or_else(|| self.places.whole.clone()), message);
        }
    }

    /// Reference 0.3: a G2 column under the same name means something else.
    fn trap(&self, mapped: &Mapped, expression: &Expr, span: &Range<usize>) {
        let Some(trap) = self.context.national.traps.iter().find(|t| t.code == mapped.column) else { return };
        let references = refs::references(expression);
        let translated: Vec<&ColumnRef> =
            references.functions.iter().filter(|f| f.name == "code_of").flat_map(|f| &f.columns).collect();
        let taken = references.columns.iter().find(|c| {
            let Some(view) = self.views.get(c.alias.as_str()) else { return false };
            let Some(column) = view.column(&c.column) else { return false };
            let coded = match &column.reading {
                Reading::Viewed(viewed) => matches!(viewed.read, Read::Code(_)),
                Reading::Skip(_) => false,
            };
            view.generation == Generation::G2
                && column.from.eq_ignore_ascii_case(&mapped.column)
                && !coded
                && !translated.contains(c)
        });
        if let Some(column) = taken {
            let view = self.views.get(column.alias.as_str()).map_or("", |v| v.name.as_str());
            let message = phrase!("mapping.trap", code = trap.code, view, g2 = trap.g2, g3 = trap.g3);
            self.doc.hinted(Mistake::Trap, span.clone(), message, remedy(&trap.remedy, &trap.code));
        }
    }

    /// The key of a group row must be known of each of its source rows.
    fn group_key(&self) {
        if !matches!(self.branch.shape, Shape::Group(_)) {
            return;
        }
        for (mapped, span) in self.columns() {
            let Content::Sql { sql, .. } = &mapped.content else { continue };
            if !self.national.key.contains(&mapped.column) {
                continue;
            }
            let Ok(expression) = refs::parse(sql) else { continue };
            let references = refs::references(&expression);
            let aggregate = references.functions.iter().find(|f| self.context.planner.aggregates(&f.name));
            let joined = references.columns.iter().find(|c| c.alias != self.branch.from.alias);
            if let Some(culprit) = aggregate.map(|f| f.name.clone()).or(joined.map(|c| c.alias.clone())) {
                let message = phrase!("mapping.group_key", column = mapped.column, culprit);
                self.doc.fault(Mistake::GroupKey, span, message);
            }
        }
    }
}

fn remedy(remedy: &str, code: &str) -> String {
    match remedy.split_once(':') {
        Some(("swap", other)) => phrase!("mapping.remedy_swap", other),
        Some(("rename", other)) => phrase!("mapping.remedy_rename", other),
        Some(_) | None => {
            phrase!("mapping.remedy_code", code)
        }
    }
}
