//! Values and conditions of T-SQL as SQLite's SQL.
//!
//! Always: a condition where a value belongs, and the other way round, is an error, as on SQL Server.

use super::super::value::{Datum, SqlError, SqlType};
use super::ast::{Expr, Query};
use super::convert::{CAST, How};
use super::error::{fail, near};
use super::generate::{Code, Generator, Strength};
use super::types::{self, Family, Written};
use super::{collate, convert, decimal, functions};

impl Generator<'_> {
    /// A value. In a grouped query a key counts as one, whatever stands in it.
    pub fn value(&mut self, expr: &Expr) -> Result<Code, SqlError> {
        if let Some(grouping) = self.grouping.take_if(|grouping| grouping.depth == self.scopes.len()) {
            let whole = self.ungrouped(expr);
            self.grouping = Some(grouping.clone());
            if let Ok(code) = whole
                && (grouping.keys.contains(&code.sql) || code.constant.is_some())
            {
                return Ok(code);
            }
        }
        self.ungrouped(expr)
    }

    fn ungrouped(&mut self, expr: &Expr) -> Result<Code, SqlError> {
        match expr {
            Expr::Null => Ok(Code::null()),
            Expr::Number(text) => number(text),
            Expr::Float(n) => Ok(Code::constant(Datum::Float(*n), SqlType::Float)),
            Expr::Money(text) => {
                let money = Code::constant(Datum::Utf16(text.encode_utf16().collect()), self.national(text));
                self.convert(money, &SqlType::Money, CAST, true)
            }
            Expr::Text(text) => Ok(self.narrow(text)),
            Expr::National(text) => {
                Ok(Code::constant(Datum::Utf16(text.encode_utf16().collect()), self.national(text)))
            }
            Expr::Hex(bytes) => {
                let length = u16::try_from(bytes.len().max(1)).ok().filter(|length| *length <= 8000);
                Ok(Code::constant(Datum::Bytes(bytes.clone()), SqlType::VarBinary { bytes: length }))
            }
            Expr::Name(path) => self.column(path),
            Expr::Global(name) => self.global(name),
            Expr::Negative(inner) => self.negative(inner),
            Expr::Inverse(inner) => {
                let code = self.value(inner)?;
                match types::family(&code.kind) {
                    Family::Integer if code.kind != SqlType::TinyInt && code.kind != SqlType::Bit => {
                        Ok(Code::new(format!("(~{})", code.sql), code.kind, code.nullable))
                    }
                    _ => Err(invalid(&code.kind, "'~'")),
                }
            }
            Expr::Arithmetic(op, a, b) => {
                let (a, b) = (self.value(a)?, self.value(b)?);
                self.arithmetic(*op, a, b)
            }
            Expr::Case { operand, arms, other } => self.case(operand.as_deref(), arms, other.as_deref()),
            Expr::Cast { value, to, style, attempt } => self.cast(value, to, style.as_deref(), *attempt),
            Expr::Collate(inner, name) => self.collated(inner, name),
            Expr::Call { .. } => self.call(expr),
            Expr::Scalar(query) => self.scalar(query),
            Expr::Compare(op, ..) => Err(near(op)),
            Expr::And(..)
            | Expr::Or(..)
            | Expr::Not(_)
            | Expr::IsNull(..)
            | Expr::InList(..)
            | Expr::InQuery(..)
            | Expr::Between(..)
            | Expr::Like(..)
            | Expr::Exists(_) => Err(near(")")),
        }
    }

    fn national(&self, text: &str) -> SqlType {
        let length = u16::try_from(text.encode_utf16().count().max(1)).ok().filter(|length| *length <= 4000);
        SqlType::NVarChar { chars: length, collation: self.collation() }
    }

    /// A literal without N: in the code page of the database, whatever the column is.
    pub fn narrow(&self, text: &str) -> Code {
        let collation = self.collation();
        let bytes = collate::encode(&text.encode_utf16().collect::<Vec<_>>(), collation.code_page);
        let length = u16::try_from(bytes.len().max(1)).ok().filter(|length| *length <= 8000);
        Code::constant(Datum::Bytes(bytes), SqlType::VarChar { bytes: length, collation })
    }

    fn negative(&mut self, inner: &Expr) -> Result<Code, SqlError> {
        // -2147483648 is an int although 2147483648 is not.
        if let Expr::Number(text) = inner {
            return number(&format!("-{text}"));
        }
        let code = self.value(inner)?;
        match (&code.constant, types::family(&code.kind)) {
            (Some(Datum::Float(n)), _) => Ok(Code::constant(Datum::Float(-n), code.kind)),
            (Some(Datum::Decimal(n)), _) => Ok(Code::constant(Datum::Decimal(-n), code.kind)),
            (_, Family::Integer | Family::Decimal | Family::Float) => {
                let zero = self.convert(number("0")?, &code.kind, CAST, false)?;
                let kind = code.kind.clone();
                let difference = self.arithmetic('-', zero, code)?;
                self.convert(difference, &kind, CAST, false)
            }
            _ => Err(invalid(&code.kind, "minus")),
        }
    }

    /// `+ - * / %` and the operators on bits.
    pub fn arithmetic(&mut self, op: char, a: Code, b: Code) -> Result<Code, SqlError> {
        if a.untyped && b.untyped {
            return Ok(Code::null());
        }
        let textual = |code: &Code| code.is_string() || types::family(&code.kind) == Family::Binary;
        if op == '+' && (textual(&a) || a.untyped) && (textual(&b) || b.untyped) {
            return self.concatenate(a, b);
        }
        let (kind, left, right) = operands(op, &a, &b)?;
        let (a, b) = (self.convert(a, &left, CAST, false)?, self.convert(b, &right, CAST, false)?);
        let nullable = a.nullable || b.nullable;
        if let (Some(x), Some(y)) = (&a.constant, &b.constant) {
            if *x == Datum::Null || *y == Datum::Null {
                return Ok(Code::constant(Datum::Null, kind));
            }
            if let Ok(value) = functions::compute(op, (x, &left), (y, &right), &kind) {
                return Ok(Code::constant(value, kind));
            }
        }
        let (l, r, t) = (types::describe(&left), types::describe(&right), types::describe(&kind));
        Ok(Code::new(format!("ar('{op}', {}, {}, '{l}', '{r}', '{t}')", a.sql, b.sql), kind, nullable))
    }

    fn concatenate(&self, a: Code, b: Code) -> Result<Code, SqlError> {
        let length = |code: &Code| types::length(&code.kind).map(u32::from);
        let sum = length(&a).zip(length(&b)).map(|(a, b)| a + b);
        let (a, b) = (as_varying(a), as_varying(b));
        let (a, b) = self.unify(a, b)?;
        let sized = |most: u32| sum.map(|sum| u16::try_from(sum.min(most)).unwrap_or(8000));
        let kind = match a.kind.clone() {
            SqlType::VarChar { collation, .. } => SqlType::VarChar { bytes: sized(8000), collation },
            SqlType::NVarChar { collation, .. } => SqlType::NVarChar { chars: sized(4000), collation },
            SqlType::VarBinary { .. } => SqlType::VarBinary { bytes: sized(8000) },
            other => return Err(invalid(&other, "add")),
        };
        let strength = a.strength.max(b.strength);
        let joined = match (&a.constant, &b.constant) {
            (Some(Datum::Bytes(x)), Some(Datum::Bytes(y))) => {
                Some(Datum::Bytes([x.clone(), y.clone()].concat()))
            }
            (Some(Datum::Utf16(x)), Some(Datum::Utf16(y))) => {
                Some(Datum::Utf16([x.clone(), y.clone()].concat()))
            }
            _ => None,
        };
        if let Some(value) = joined {
            return Ok(Code { strength, ..Code::constant(value, kind) });
        }
        let sql = format!("CAST(({} || {}) AS BLOB)", a.sql, b.sql);
        Ok(Code { strength, ..Code::new(sql, kind, a.nullable || b.nullable) })
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        arms: &[(Expr, Expr)],
        other: Option<&Expr>,
    ) -> Result<Code, SqlError> {
        let mut conditions = Vec::new();
        let mut values = Vec::new();
        for (when, then) in arms {
            conditions.push(match operand {
                Some(operand) => {
                    self.condition(&Expr::Compare("=", Box::new(operand.clone()), Box::new(when.clone())))?
                }
                None => self.condition(when)?,
            });
            values.push(self.value(then)?);
        }
        values.push(other.map_or_else(|| Ok(Code::null()), |other| self.value(other))?);
        let values = self.unify_all(values)?;
        let mut sql = "CASE".to_owned();
        for (condition, value) in conditions.iter().zip(&values) {
            sql.push_str(&format!(" WHEN {condition} THEN {}", value.sql));
        }
        let last = &values[values.len() - 1];
        sql.push_str(&format!(" ELSE {} END", last.sql));
        let nullable = values.iter().any(|value| value.nullable);
        let strength = values.iter().map(|value| value.strength).max().unwrap_or(Strength::Weak);
        Ok(Code { strength, ..Code::new(sql, last.kind.clone(), nullable) })
    }

    /// All values as the one type in which they meet.
    pub fn unify_all(&self, values: Vec<Code>) -> Result<Vec<Code>, SqlError> {
        let mut meeting: Option<Code> = None;
        for value in values.iter().filter(|value| !value.untyped) {
            meeting = Some(match meeting {
                Some(so_far) => self.unify(so_far, value.clone())?.0,
                None => value.clone(),
            });
        }
        let Some(meeting) = meeting else { return Ok(values) };
        values.into_iter().map(|value| self.convert(value, &meeting.kind, CAST, false)).collect()
    }

    fn cast(
        &mut self,
        value: &Expr,
        to: &Written,
        style: Option<&Expr>,
        attempt: bool,
    ) -> Result<Code, SqlError> {
        let code = self.value(value)?;
        let own = types::collation(&code.kind).cloned().unwrap_or_else(|| self.collation());
        let kind = types::resolve(to, &own, true)?;
        let style = match style.map(|style| self.value(style)).transpose()? {
            Some(style) => Some(i32::try_from(style.integer().ok_or_else(|| near("CONVERT"))?).unwrap_or(-1)),
            None => None,
        };
        let how = How { style, assign: false };
        if attempt {
            return self.attempt(code, &kind, how);
        }
        let binary = types::family(&kind) == Family::Binary;
        let quirks = self.session.server.quirks();
        let char = matches!(code.kind, SqlType::Char { .. }) && quirks.wrong_char_code_page;
        if binary && types::family(&code.kind) == Family::Char && (char || quirks.wrong_varbinary_code_page) {
            let wrong = types::collated(&code.kind, &collate::default());
            let code = self.convert(code, &wrong, CAST, true)?;
            return self.convert(code, &kind, how, true);
        }
        self.convert(code, &kind, how, true)
    }

    /// TRY_CAST: only of constants, where the answer is known here.
    fn attempt(&mut self, code: Code, kind: &SqlType, how: How) -> Result<Code, SqlError> {
        convert::check(&code.kind, kind, true)?;
        let Some(value) = &code.constant else {
            return Err(fail(50000, "The test engine knows TRY_CAST of constants only."));
        };
        let value = convert::convert(value, &code.kind, kind, how).unwrap_or(Datum::Null);
        Ok(Code::constant(value, kind.clone()))
    }

    fn collated(&mut self, inner: &Expr, name: &str) -> Result<Code, SqlError> {
        let code = self.value(inner)?;
        let collation = match name.to_lowercase().as_str() {
            "database_default" => self.collation(),
            _ => collate::named(name).ok_or_else(|| fail(448, format!("Invalid collation '{name}'.")))?,
        };
        if !code.is_string() {
            return Err(fail(
                447,
                format!("Expression type {} is invalid for COLLATE clause.", types::name(&code.kind)),
            ));
        }
        // A literal without N keeps its bytes where the new code page is another: SQL Server converts them.
        let kind = types::collated(&code.kind, &collation);
        let code = self.convert(code, &kind, CAST, true)?;
        Ok(Code { strength: Strength::Explicit, ..code })
    }

    fn scalar(&mut self, query: &Query) -> Result<Code, SqlError> {
        let made = self.subquery(query)?;
        let [column] = made.columns.as_slice() else {
            return Err(fail(
                116,
                "Only one expression can be specified in the select list when the subquery is not \
                    introduced with EXISTS.",
            ));
        };
        Ok(Code {
            strength: column.strength,
            ..Code::new(format!("({})", made.sql), column.kind.clone(), true)
        })
    }

    /// A condition.
    pub fn condition(&mut self, expr: &Expr) -> Result<String, SqlError> {
        match expr {
            Expr::And(..) | Expr::Or(..) => {
                let mut parts = Vec::new();
                for part in chain(expr) {
                    parts.push(self.condition(part)?);
                }
                Ok(balanced(&parts, if let Expr::And(..) = expr { "AND" } else { "OR" }))
            }
            Expr::Not(inner) => Ok(format!("(NOT {})", self.condition(inner)?)),
            Expr::Compare(op, a, b) => {
                let (a, b) = (self.value(a)?, self.value(b)?);
                let (a, b) = self.comparable(a, b)?;
                Ok(format!("({a} {op} {b})"))
            }
            Expr::IsNull(inner, negated) => {
                let code = self.value(inner)?;
                Ok(format!("({} IS {}NULL)", code.sql, if *negated { "NOT " } else { "" }))
            }
            Expr::Between(value, low, high, negated) => {
                let value = self.value(value)?;
                let (low, high) = (self.value(low)?, self.value(high)?);
                let (a, low) = self.comparable(value.clone(), low)?;
                let (b, high) = self.comparable(value, high)?;
                Ok(format!("({}({a} >= {low} AND {b} <= {high}))", if *negated { "NOT " } else { "" }))
            }
            Expr::InList(value, list, negated) => {
                let value = self.value(value)?;
                let mut pairs = Vec::new();
                for item in list {
                    let item = self.value(item)?;
                    pairs.push(self.comparable(value.clone(), item)?);
                }
                let not = if *negated { "NOT " } else { "" };
                let left = pairs[0].0.clone();
                if pairs.iter().all(|(a, _)| *a == left) {
                    let items: Vec<String> = pairs.into_iter().map(|(_, b)| b).collect();
                    return Ok(format!("({left} {not}IN ({}))", items.join(", ")));
                }
                let parts: Vec<String> = pairs.into_iter().map(|(a, b)| format!("{a} = {b}")).collect();
                Ok(format!("({not}{})", balanced(&parts, "OR")))
            }
            Expr::InQuery(value, query, negated) => self.in_query(value, query, *negated),
            Expr::Like(value, pattern, escape, negated) => {
                let like = self.like(value, pattern, escape.as_deref())?;
                Ok(format!("({}{like})", if *negated { "NOT " } else { "" }))
            }
            Expr::Exists(query) => Ok(format!("EXISTS ({})", self.subquery(query)?.sql)),
            other => {
                self.value(other)?;
                Err(fail(
                    4145,
                    "An expression of non-boolean type specified in a context where a condition is expected.",
                ))
            }
        }
    }

    fn in_query(&mut self, value: &Expr, query: &Query, negated: bool) -> Result<String, SqlError> {
        let value = self.value(value)?;
        let made = self.subquery(query)?;
        let [column] = made.columns.as_slice() else {
            return Err(fail(
                116,
                "Only one expression can be specified in the select list when the subquery is not \
                    introduced with EXISTS.",
            ));
        };
        let alias = self.alias();
        let inner = Code {
            strength: column.strength,
            ..Code::new(format!("{alias}.c1"), column.kind.clone(), column.nullable)
        };
        let (a, b) = self.comparable(value, inner)?;
        let not = if negated { "NOT " } else { "" };
        Ok(format!("({a} {not}IN (SELECT {b} FROM ({}) AS {alias}))", made.sql))
    }

    fn like(&mut self, value: &Expr, pattern: &Expr, escape: Option<&Expr>) -> Result<String, SqlError> {
        let (value, pattern) = (self.value(value)?, self.value(pattern)?);
        let collation = self.meet(&value, &pattern)?;
        let wide = SqlType::NVarChar { chars: None, collation: collation.clone() };
        let escape = match escape {
            Some(escape) => {
                let escape = self.value(escape)?;
                self.convert(escape, &wide, CAST, false)?.sql
            }
            None => "NULL".to_owned(),
        };
        let (value, pattern) =
            (self.convert(value, &wide, CAST, true)?, self.convert(pattern, &wide, CAST, false)?);
        Ok(format!("lk({}, {}, {escape}, '{}')", value.sql, pattern.sql, collation.name))
    }
}

/// The operands of a chain of ANDs, or of ORs, from left to right.
fn chain(expr: &Expr) -> Vec<&Expr> {
    let mut operands = Vec::new();
    let mut rest = expr;
    loop {
        match (expr, rest) {
            (Expr::And(..), Expr::And(left, right)) | (Expr::Or(..), Expr::Or(left, right)) => {
                operands.push(right.as_ref());
                rest = left;
            }
            _ => {
                operands.push(rest);
                operands.reverse();
                return operands;
            }
        }
    }
}

/// Conditions joined as a tree of little depth, since SQLite refuses one deeper than a thousand.
fn balanced(parts: &[String], word: &str) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        _ => {
            let (left, right) = parts.split_at(parts.len() / 2);
            format!("({} {word} {})", balanced(left, word), balanced(right, word))
        }
    }
}

fn invalid(kind: &SqlType, operator: &str) -> SqlError {
    fail(8117, format!("Operand data type {} is invalid for {operator} operator.", types::name(kind)))
}

/// A varying type for a fixed one, since what is joined to a string has no fixed length.
fn as_varying(code: Code) -> Code {
    let kind = match &code.kind {
        SqlType::Char { bytes, collation } => {
            SqlType::VarChar { bytes: Some(*bytes), collation: collation.clone() }
        }
        SqlType::NChar { chars, collation } => {
            SqlType::NVarChar { chars: Some(*chars), collation: collation.clone() }
        }
        SqlType::Binary { bytes } => SqlType::VarBinary { bytes: Some(*bytes) },
        SqlType::RowVersion => SqlType::VarBinary { bytes: Some(8) },
        other => other.clone(),
    };
    Code { kind, ..code }
}

/// The type of an operation's result, and those that its operands take first.
fn operands(op: char, a: &Code, b: &Code) -> Result<(SqlType, SqlType, SqlType), SqlError> {
    let left = if a.untyped { b.kind.clone() } else { a.kind.clone() };
    let right = if b.untyped { a.kind.clone() } else { b.kind.clone() };
    let common = types::common(&left, &right);
    match types::family(&common) {
        Family::Integer if common == SqlType::Bit => Err(invalid(&common, "add")),
        Family::Integer => Ok((common.clone(), common.clone(), common)),
        _ if matches!(op, '&' | '|' | '^') => Err(invalid(&common, "bitwise")),
        Family::Float if op == '%' => Err(invalid(&common, "modulo")),
        Family::Float => Ok((common.clone(), common.clone(), common)),
        Family::Decimal => {
            let whole = |kind: &SqlType| match (types::exact(kind), kind) {
                (_, SqlType::Money | SqlType::SmallMoney) => common.clone(),
                (Some((precision, scale)), _) => SqlType::Decimal { precision, scale },
                _ => common.clone(),
            };
            let (mut left, mut right) = (whole(&left), whole(&right));
            // An int literal counts with its own digits only.
            for (side, code) in [(&mut left, a), (&mut right, b)] {
                if let (Some(n), SqlType::Int) = (code.integer(), &code.kind) {
                    let digits = u8::try_from(n.unsigned_abs().to_string().len()).unwrap_or(10);
                    *side = SqlType::Decimal { precision: digits, scale: 0 };
                }
            }
            let sizes = |kind: &SqlType| types::exact(kind).unwrap_or((38, 0));
            if let SqlType::Money | SqlType::SmallMoney = common {
                return Ok((common.clone(), common.clone(), common));
            }
            let (precision, scale) = decimal::result(op, sizes(&left), sizes(&right));
            Ok((SqlType::Decimal { precision, scale }, left, right))
        }
        _ => Err(invalid(&common, "arithmetic")),
    }
}

/// A number as written: an int if it fits, a decimal otherwise.
fn number(text: &str) -> Result<Code, SqlError> {
    if !text.contains('.')
        && let Ok(n) = text.parse::<i32>()
    {
        return Ok(Code::constant(Datum::Int(i64::from(n)), SqlType::Int));
    }
    let (n, precision, scale) = decimal::parse(text).ok_or_else(|| {
        fail(
            1007,
            format!(
                "The number '{text}' is out of the range for numeric representation (maximum precision 38)."
            ),
        )
    })?;
    Ok(Code::constant(Datum::Decimal(n), SqlType::Decimal { precision: precision.max(scale).max(1), scale }))
}
