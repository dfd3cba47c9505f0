//! Every scalar function of ours, one file a theme, and the one registry.
//!
//! Always: a function is pure, vectorised and exact: the same arguments give the same value on every machine and in every partition;
//! no floating point takes part in money. What does not fit is NULL (`*_of`), an answer (`id_check`) or a read error (readers).
//! Must not know: tables, mappings, cities; a city's key domains, code lists and font table come in as data.

mod citizen;
mod code;
mod date;
mod json;
mod key;
mod money;
mod orgcode;
mod period;
mod raw;
mod read;
mod read_errors;
mod scalar;
mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::SessionContext;

pub use code::{CodeList, Codes};
pub use date::{Century, DateForm};
pub use json::JsonPath;
pub use key::{Domain, Domains, digests, key_text};
pub use money::{Unit, kept_fen};
pub use period::PeriodForm;
pub use raw::{RawKind, Zone, refusal, zone_of};
pub use read::{Font, NullTokens, Read, Reader, reader, spelled_key};
pub use read_errors::{Notice, Refused, noting};

/// What the functions of one city stand on.
#[derive(Debug, Clone, Default)]
pub struct FunctionSettings {
    /// Key domains and their normalisers.
    pub domains: Arc<Domains>,
    /// Code lists by name.
    pub codes: Arc<Codes>,
    /// Stands for today (FORMS 8): no birth lies after it.
    pub as_of: NaiveDate,
}

/// Who may call a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Mappings and rules.
    Anyone,
    /// Rules only: it changes what a value says, and only rules leave a change (FORMS 2).
    Rules,
}

/// The one list of our functions.
#[derive(Debug, Clone)]
pub struct FunctionRegistry {
    functions: BTreeMap<String, (Arc<ScalarUDF>, Caller)>,
}

impl FunctionRegistry {
    /// Names of all functions of ours, ascending.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.functions.keys().map(String::as_str)
    }

    /// The function of that name (lower case).
    pub fn get(&self, name: &str) -> Option<&Arc<ScalarUDF>> {
        self.functions.get(name).map(|(f, _)| f)
    }

    /// Who may call it; `None`: not ours.
    pub fn caller(&self, name: &str) -> Option<Caller> {
        self.functions.get(name).map(|(_, caller)| *caller)
    }

    /// Makes all of them known to a session.
    pub fn register(&self, session: &SessionContext) {
        for (function, _) in self.functions.values() {
            session.register_udf(function.as_ref().clone());
        }
    }
}

/// Builds the functions over a city's data.
pub fn registry(settings: &FunctionSettings) -> FunctionRegistry {
    let anyone = [
        key::id(settings.domains.clone()),
        key::key_text_function(),
        key::row_digest(),
        key::row_hash(),
        key::with_occurrence(),
        citizen::id_check(settings.as_of),
        citizen::id_valid(settings.as_of),
        citizen::id_sex(settings.as_of),
        citizen::id_birth(settings.as_of),
        orgcode::uscc_valid(),
        orgcode::uscc_orgcode(),
        orgcode::orgcode_valid(),
        date::date_of(),
        period::period_of(),
        period::period_date(),
        period::date_period(),
        period::period_add(),
        money::money_of(),
        code::code_of(settings.codes.clone()),
        code::in_code(settings.codes.clone()),
        text::pad(),
        json::json_text(),
    ];
    let rules = [
        citizen::id18(settings.as_of, "id18"),
        citizen::id18(settings.as_of, "id15_to_18"),
        citizen::residence_card(settings.as_of),
        citizen::id_apart(),
        date::as_of(settings.as_of),
        period::months(),
        period::retire_month(),
        text::name_clean(),
        text::name_key(settings.codes.clone()),
        text::name_sound(settings.codes.clone()),
        text::half_width_function(),
    ];
    let entry = |caller| move |f: ScalarUDF| (f.name().to_owned(), (Arc::new(f), caller));
    let functions = anyone
        .into_iter()
        .map(entry(Caller::Anyone))
        .chain(rules.into_iter().map(entry(Caller::Rules)))
        .collect();
    FunctionRegistry { functions }
}
