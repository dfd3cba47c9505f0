//! Calls of functions: aggregates, windows, and the scalar functions over values. Those that ask the server are in
//! `properties`.
//!
//! Always: an unknown name is error 195, a wrong number of arguments 174.

use super::super::value::{Datum, SqlError, SqlType};
use super::ast::{Expr, Over};
use super::convert::CAST;
use super::error::{fail, near, no_function};
use super::generate::{Code, Generator, Strength};
use super::types::{self, Family};
use super::{catalog, server, store, strings};

/// 174: as many arguments as the function has.
pub fn need_arguments(
    name: &str,
    arguments: &[Expr],
    count: std::ops::RangeInclusive<usize>,
) -> Result<(), SqlError> {
    if count.contains(&arguments.len()) {
        return Ok(());
    }
    let message = format!("The {} function requires {} argument(s).", name.to_lowercase(), count.start());
    Err(SqlError { class: 15, ..fail(174, message) })
}

pub fn is_aggregate(name: &str) -> bool {
    matches!(name, "COUNT" | "COUNT_BIG" | "SUM" | "MIN" | "MAX" | "AVG")
}

impl Generator<'_> {
    pub fn call(&mut self, expr: &Expr) -> Result<Code, SqlError> {
        let Expr::Call { name, arguments, distinct, star, over } = expr else { return Err(near("(")) };
        if is_aggregate(name) {
            // What is inside of an aggregate is not bound to the keys of the group; one over a window still is.
            let grouping = if over.is_none() { self.grouping.take() } else { None };
            let code = self.aggregate(name, arguments, *distinct, *star, over.as_ref());
            if over.is_none() {
                self.grouping = grouping;
            }
            return code;
        }
        if *star || *distinct {
            return Err(near(if *star { "*" } else { "DISTINCT" }));
        }
        match (name.as_str(), over) {
            ("ROW_NUMBER", Some(over)) => {
                need_arguments(name, arguments, 0..=0)?;
                if over.order.is_empty() {
                    return Err(fail(
                        4112,
                        "The function 'ROW_NUMBER' must have an OVER clause with ORDER BY.",
                    ));
                }
                let window = self.window(over)?;
                Ok(Code::new(format!("row_number(){window}"), SqlType::BigInt, true))
            }
            ("ROW_NUMBER", None) => Err(SqlError {
                class: 15,
                ..fail(10753, "The function 'ROW_NUMBER' must have an OVER clause.")
            }),
            (_, Some(_)) => Err(near("OVER")),
            (_, None) => self.scalar_function(name, arguments),
        }
    }

    fn window(&mut self, over: &Over) -> Result<String, SqlError> {
        let mut parts = Vec::new();
        if !over.partition.is_empty() {
            let mut keys = Vec::new();
            for key in &over.partition {
                let code = self.value(key)?;
                keys.push(self.sort_key(&code)?);
            }
            parts.push(format!("PARTITION BY {}", keys.join(", ")));
        }
        if !over.order.is_empty() {
            let mut keys = Vec::new();
            for (key, descending) in &over.order {
                let code = self.value(key)?;
                keys.push(format!("{}{}", self.sort_key(&code)?, if *descending { " DESC" } else { "" }));
            }
            parts.push(format!("ORDER BY {}", keys.join(", ")));
        }
        Ok(format!(" OVER ({})", parts.join(" ")))
    }

    fn aggregate(
        &mut self,
        name: &str,
        arguments: &[Expr],
        distinct: bool,
        star: bool,
        over: Option<&Over>,
    ) -> Result<Code, SqlError> {
        let counting = matches!(name, "COUNT" | "COUNT_BIG");
        if over.is_some() && (!counting || distinct) {
            return Err(near("OVER"));
        }
        let window = over.map(|over| self.window(over)).transpose()?.unwrap_or_default();
        let count = if name == "COUNT" { SqlType::Int } else { SqlType::BigInt };
        if star {
            return if counting {
                Ok(Code::new(format!("count(*){window}"), count, true))
            } else {
                Err(near("*"))
            };
        }
        need_arguments(name, arguments, 1..=1)?;
        let value = self.value(&arguments[0])?;
        if counting {
            let inner = if distinct { format!("DISTINCT {}", self.sort_key(&value)?) } else { value.sql };
            return Ok(Code::new(format!("count({inner}){window}"), count, true));
        }
        match name {
            "MIN" | "MAX" => self.extreme(name, &value),
            _ if distinct => Err(fail(50000, "The test engine knows no DISTINCT in SUM and AVG.")),
            "SUM" => self.sum(value),
            _ => self.average(value),
        }
    }

    fn extreme(&self, name: &str, value: &Code) -> Result<Code, SqlError> {
        if value.kind == SqlType::Bit {
            return Err(fail(
                8117,
                format!("Operand data type bit is invalid for {} operator.", name.to_lowercase()),
            ));
        }
        self.sort_key(value)?;
        let key = catalog::key_form(&value.sql, &value.kind);
        let lower = name.to_lowercase();
        let sql = if key == value.sql {
            format!("{lower}({key})")
        } else {
            format!("k{lower}({}, {key})", value.sql)
        };
        Ok(Code { strength: value.strength, ..Code::new(sql, value.kind.clone(), true) })
    }

    fn sum(&self, value: Code) -> Result<Code, SqlError> {
        match value.kind {
            SqlType::Decimal { scale, .. } => {
                Ok(Code::new(format!("dsum({})", value.sql), SqlType::Decimal { precision: 38, scale }, true))
            }
            SqlType::Money | SqlType::SmallMoney => {
                let wide = SqlType::Decimal { precision: 38, scale: 4 };
                self.convert(
                    Code::new(format!("dsum({})", value.sql), wide, true),
                    &SqlType::Money,
                    CAST,
                    true,
                )
            }
            SqlType::BigInt => Ok(Code::new(format!("isum({})", value.sql), SqlType::BigInt, true)),
            SqlType::Int | SqlType::SmallInt | SqlType::TinyInt => self.convert(
                Code::new(format!("isum({})", value.sql), SqlType::BigInt, true),
                &SqlType::Int,
                CAST,
                true,
            ),
            SqlType::Float | SqlType::Real => {
                Ok(Code::new(format!("sum({})", value.sql), SqlType::Float, true))
            }
            other => Err(fail(
                8117,
                format!("Operand data type {} is invalid for sum operator.", types::name(&other)),
            )),
        }
    }

    fn average(&mut self, value: Code) -> Result<Code, SqlError> {
        if matches!(value.kind, SqlType::Float | SqlType::Real) {
            return Ok(Code::new(format!("avg({})", value.sql), SqlType::Float, true));
        }
        let count = Code::new(format!("count({})", value.sql), SqlType::BigInt, true);
        let sum = self.sum(value)?;
        let kind = match sum.kind {
            SqlType::Decimal { scale, .. } => SqlType::Decimal { precision: 38, scale: scale.max(6) },
            ref kind => kind.clone(),
        };
        let count = match sum.kind {
            SqlType::Decimal { .. } => {
                self.convert(count, &SqlType::Decimal { precision: 19, scale: 0 }, CAST, true)?
            }
            SqlType::Money => self.convert(count, &SqlType::Money, CAST, true)?,
            _ => count,
        };
        let (left, right, into) =
            (types::describe(&sum.kind), types::describe(&count.kind), types::describe(&kind));
        // Of no rows there is no sum, so nothing is divided by zero.
        let sql = format!(
            "CASE WHEN {0} IS NULL THEN NULL ELSE ar('/', {0}, {1}, '{left}', '{right}', '{into}') END",
            sum.sql, count.sql
        );
        Ok(Code::new(sql, kind, true))
    }

    fn scalar_function(&mut self, name: &str, arguments: &[Expr]) -> Result<Code, SqlError> {
        let lower = name.to_lowercase();
        if let Some((least, most)) = strings::arity(&lower) {
            need_arguments(name, arguments, least..=most)?;
            return self.string_function(&lower, arguments);
        }
        match name {
            "ISNULL" => {
                need_arguments(name, arguments, 2..=2)?;
                let (value, other) = (self.value(&arguments[0])?, self.value(&arguments[1])?);
                if value.untyped {
                    return Ok(other);
                }
                let other = self.convert(other, &value.kind, CAST, false)?;
                Ok(Code {
                    strength: value.strength,
                    ..Code::new(
                        format!("ifnull({}, {})", value.sql, other.sql),
                        value.kind,
                        value.nullable && other.nullable,
                    )
                })
            }
            "COALESCE" => {
                need_arguments(name, arguments, 2..=64)?;
                let values =
                    arguments.iter().map(|value| self.value(value)).collect::<Result<Vec<_>, _>>()?;
                let values = self.unify_all(values)?;
                let sql: Vec<&str> = values.iter().map(|value| value.sql.as_str()).collect();
                let strength = values.iter().map(|value| value.strength).max().unwrap_or(Strength::Weak);
                let nullable = values.iter().all(|value| value.nullable);
                let kind = values[0].kind.clone();
                Ok(Code { strength, ..Code::new(format!("coalesce({})", sql.join(", ")), kind, nullable) })
            }
            "NULLIF" | "IIF" => self.shorthand(name, arguments),
            "DATALENGTH" => {
                need_arguments(name, arguments, 1..=1)?;
                let value = self.value(&arguments[0])?;
                data_length(&value)
            }
            "ABS" => self.absolute(arguments),
            "DATEADD" => self.date_add(arguments),
            "NEWID" => {
                need_arguments(name, arguments, 0..=0)?;
                Ok(Code::new("newid()".to_owned(), SqlType::UniqueIdentifier, false))
            }
            "SYSUTCDATETIME" | "SYSDATETIME" => now(name, arguments, &SqlType::DateTime2 { scale: 7 }),
            "SYSDATETIMEOFFSET" => now(name, arguments, &SqlType::DateTimeOffset { scale: 7 }),
            "GETDATE" | "GETUTCDATE" | "CURRENT_TIMESTAMP" => now(name, arguments, &SqlType::DateTime),
            _ => self.property(name, arguments)?.ok_or_else(|| no_function(&lower)),
        }
    }

    fn absolute(&mut self, arguments: &[Expr]) -> Result<Code, SqlError> {
        need_arguments("ABS", arguments, 1..=1)?;
        let value = self.value(&arguments[0])?;
        let zero = self.convert(Code::constant(Datum::Int(0), SqlType::Int), &value.kind, CAST, false)?;
        let kind = value.kind.clone();
        let negative = self.arithmetic('-', zero.clone(), value.clone())?;
        let negative = self.convert(negative, &kind, CAST, true)?;
        let sql = format!("CASE WHEN {0} < {1} THEN {2} ELSE {0} END", value.sql, zero.sql, negative.sql);
        Ok(Code::new(sql, kind, value.nullable))
    }

    /// NULLIF and IIF are CASE in other words.
    fn shorthand(&mut self, name: &str, arguments: &[Expr]) -> Result<Code, SqlError> {
        match (name, arguments) {
            ("NULLIF", [a, b]) => {
                let equal = Expr::Compare("=", Box::new(a.clone()), Box::new(b.clone()));
                self.value(&Expr::Case {
                    operand: None,
                    arms: vec![(equal, Expr::Null)],
                    other: Some(Box::new(a.clone())),
                })
            }
            ("IIF", [condition, yes, no]) => self.value(&Expr::Case {
                operand: None,
                arms: vec![(condition.clone(), yes.clone())],
                other: Some(Box::new(no.clone())),
            }),
            _ => need_arguments(name, &[], 2..=3).map(|()| Code::null()),
        }
    }

    fn date_add(&mut self, arguments: &[Expr]) -> Result<Code, SqlError> {
        need_arguments("DATEADD", arguments, 3..=3)?;
        let part = match &arguments[0] {
            Expr::Name(path) if path.len() == 1 => path[0].to_lowercase(),
            _ => return Err(fail(1023, "Invalid parameter 1 specified for dateadd.")),
        };
        let (number, value) = (self.value(&arguments[1])?, self.value(&arguments[2])?);
        let number = self.convert(number, &SqlType::Int, CAST, false)?;
        // Text counts as datetime here.
        let kind = if value.is_string() { SqlType::DateTime } else { value.kind.clone() };
        let value = self.convert(value, &kind, CAST, false)?;
        if let (Some(n), Some(moment)) = (number.integer(), &value.constant)
            && *moment != Datum::Null
        {
            return Ok(Code::constant(strings::date_add(&part, n, moment, &kind)?, kind));
        }
        let sql = format!("da('{part}', {}, {}, '{}')", number.sql, value.sql, types::describe(&kind));
        Ok(Code::new(sql, kind, true))
    }

    /// A function over text: computed in UTF-16, given back in the first argument's family.
    fn string_function(&mut self, name: &str, arguments: &[Expr]) -> Result<Code, SqlError> {
        let mut sql = vec![format!("'{name}'")];
        let mut first: Option<Code> = None;
        let mut nullable = name != "concat";
        for (at, argument) in arguments.iter().enumerate() {
            let mut code = self.value(argument)?;
            if strings::takes_number(name, at) {
                sql.push(self.convert(code, &SqlType::BigInt, CAST, false)?.sql);
                continue;
            }
            if types::is_old_lob(&code.kind) {
                let message = format!(
                    "Argument data type {} is invalid for argument {} of {name} function.",
                    types::name(&code.kind),
                    at + 1
                );
                return Err(fail(8116, message));
            }
            if !code.is_string() {
                let text = SqlType::VarChar { bytes: Some(48), collation: self.collation() };
                code = self.convert(code, &text, CAST, false)?;
            }
            let collation = types::collation(&code.kind).cloned().unwrap_or_else(|| self.collation());
            let wide = SqlType::NVarChar { chars: None, collation };
            sql.push(self.convert(code.clone(), &wide, CAST, false)?.sql);
            nullable = nullable && code.nullable;
            // CONCAT and REPLACE are of the n-family as soon as one argument is.
            let wider = types::family(&code.kind) == Family::NChar && matches!(name, "concat" | "replace");
            first = Some(first.filter(|_| !wider).unwrap_or(code));
        }
        let made = format!("str({})", sql.join(", "));
        if matches!(name, "len" | "charindex") {
            return Ok(Code::new(made, SqlType::Int, nullable));
        }
        let Some(first) = first else { return Err(no_function(name)) };
        let collation = types::collation(&first.kind).cloned().unwrap_or_else(|| self.collation());
        let grows = matches!(name, "concat" | "replace" | "replicate" | "quotename");
        let wide = SqlType::NVarChar { chars: None, collation: collation.clone() };
        let narrow = types::family(&first.kind) == Family::Char && name != "quotename";
        let kind = match (name, narrow) {
            ("quotename", _) => SqlType::NVarChar { chars: Some(258), collation },
            (_, true) => {
                let bytes = if grows { Some(8000) } else { types::length(&first.kind) };
                SqlType::VarChar { bytes, collation }
            }
            (_, false) => {
                let chars = if grows { Some(4000) } else { types::length(&first.kind) };
                SqlType::NVarChar { chars, collation }
            }
        };
        let made = self.convert(Code::new(made, wide, nullable || name != "concat"), &kind, CAST, true)?;
        Ok(Code { strength: first.strength, ..made })
    }
}

fn now(name: &str, arguments: &[Expr], kind: &SqlType) -> Result<Code, SqlError> {
    need_arguments(name, arguments, 0..=0)?;
    let moment = server::now().stored(kind);
    moment.map(|moment| Code::constant(moment, kind.clone())).ok_or_else(|| no_function(name))
}

fn data_length(value: &Code) -> Result<Code, SqlError> {
    let kind = if types::length(&value.kind).is_none() { SqlType::BigInt } else { SqlType::Int };
    let sql = match types::family(&value.kind) {
        Family::Char | Family::NChar | Family::Binary => format!("length({})", value.sql),
        Family::Variant => return Err(fail(50000, "The test engine knows no DATALENGTH of sql_variant.")),
        _ => {
            let bytes = types::catalogue_sizes(&value.kind).0;
            format!("CASE WHEN {} IS NOT NULL THEN {bytes} END", value.sql)
        }
    };
    if let Some(constant) = &value.constant {
        let bytes = match store::encode(constant) {
            rusqlite::types::Value::Null => Datum::Null,
            rusqlite::types::Value::Blob(bytes)
                if value.is_string() || types::family(&value.kind) == Family::Binary =>
            {
                Datum::Int(i64::try_from(bytes.len()).unwrap_or(0))
            }
            _ => Datum::Int(i64::from(types::catalogue_sizes(&value.kind).0)),
        };
        return Ok(Code::constant(bytes, kind));
    }
    Ok(Code::new(sql, kind, value.nullable))
}
