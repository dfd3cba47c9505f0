//! The SQLite functions that the rewritten statements call: conversion, sort keys, arithmetic, exact sums.
//!
//! Always: all but `rv` and `newid` are deterministic, so SQLite may use them in indexes and compute constants once.

use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Result};

use super::super::value::{Datum, SqlError, SqlType};
use super::collate;
use super::convert::{self, How};
use super::error::{fail, overflow, wrap};
use super::{decimal, store, strings, types};

fn pure() -> FunctionFlags {
    FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS
}

/// Gives a connection all functions that need no session.
pub fn register(connection: &Connection) -> Result<()> {
    connection.create_scalar_function("cv", 5, pure(), cast)?;
    connection.create_scalar_function("skc", 2, pure(), |context| key(context, true))?;
    connection.create_scalar_function("skn", 2, pure(), |context| key(context, false))?;
    connection.create_scalar_function("skb", 1, pure(), |context| {
        Ok(blob(context, 0)?.map(|bytes| {
            let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            bytes[..end].to_vec()
        }))
    })?;
    connection.create_scalar_function("ar", 6, pure(), arithmetic)?;
    connection.create_scalar_function("lk", 4, pure(), like)?;
    connection.create_scalar_function("da", 4, pure(), date_add)?;
    connection.create_scalar_function("u16", 1, pure(), |context| {
        let text = context.get::<Option<String>>(0)?;
        Ok(text.map(|text| store::utf16_bytes(&text.encode_utf16().collect::<Vec<_>>())))
    })?;
    connection.create_scalar_function("objkey", 1, pure(), |context| {
        Ok(blob(context, 0)?
            .map(|bytes| super::catalog::key_of(&String::from_utf16_lossy(&store::utf16_units(&bytes)))))
    })?;
    connection.create_scalar_function("str", -1, pure(), |context| {
        let name = context.get::<String>(0)?;
        let values = (1..context.len()).map(|at| context.get::<Value>(at)).collect::<Result<Vec<_>>>()?;
        strings::call(&name, &values).map_err(wrap)
    })?;
    connection.create_scalar_function("codepage", 1, pure(), |context| {
        let name = blob(context, 0)?.map(|bytes| String::from_utf16_lossy(&store::utf16_units(&bytes)));
        Ok(name.and_then(|name| collate::named(&name)).map(|collation| collation.code_page))
    })?;
    connection.create_scalar_function("nn", 2, pure(), |context| match context.get::<Value>(0)? {
        Value::Null => Err(wrap(fail(515, context.get::<String>(1)?))),
        value => Ok(value),
    })?;
    connection.create_scalar_function("newid", 0, FunctionFlags::SQLITE_UTF8, |_| Ok(fresh_guid()))?;
    connection.create_aggregate_function("isum", 1, pure(), Sum { integers: true })?;
    connection.create_aggregate_function("dsum", 1, pure(), Sum { integers: false })?;
    connection.create_aggregate_function("kmin", 2, pure(), Extreme { greatest: false })?;
    connection.create_aggregate_function("kmax", 2, pure(), Extreme { greatest: true })
}

/// A guid that no other call gives: the time, a counter, and the process' own random keys.
pub fn fresh_guid() -> Vec<u8> {
    use std::hash::{BuildHasher, RandomState};
    let half = |seed: u8| RandomState::new().hash_one((seed, std::time::SystemTime::now())).to_be_bytes();
    let mut bytes = [half(1), half(2)].concat();
    bytes[7] = bytes[7] & 0x0F | 0x40;
    bytes
}

fn blob(context: &Context<'_>, at: usize) -> Result<Option<Vec<u8>>> {
    match context.get_raw(at) {
        ValueRef::Null => Ok(None),
        ValueRef::Blob(bytes) | ValueRef::Text(bytes) => Ok(Some(bytes.to_vec())),
        _ => Err(wrap(fail(8114, "A number stands where bytes should."))),
    }
}

fn kind_of(context: &Context<'_>, at: i32) -> Result<std::sync::Arc<SqlType>> {
    context.get_or_create_aux(at, |value| {
        let text = value.as_str().unwrap_or_default();
        types::described(text).map_err(|error| wrap(error).to_string())
    })
}

fn misfit(kind: &SqlType) -> rusqlite::Error {
    wrap(fail(50000, format!("The test engine stored a value that is no {}.", types::name(kind))))
}

/// `cv(value, from, to, style, assign)`.
fn cast(context: &mut Context<'_>) -> Result<Value> {
    if context.get_raw(0) == ValueRef::Null {
        return Ok(Value::Null);
    }
    let (from, to) = (kind_of(context, 1)?, kind_of(context, 2)?);
    let value = store::decode(context.get_raw(0), &from).ok_or_else(|| misfit(&from))?;
    let how = How { style: context.get::<Option<i32>>(3)?, assign: context.get::<bool>(4)? };
    convert::convert(&value, &from, &to, how).map(|value| store::encode(&value)).map_err(wrap)
}

/// `skc(bytes, collation)` and `skn(utf16, collation)`.
fn key(context: &Context<'_>, narrow: bool) -> Result<Option<Vec<u8>>> {
    let ValueRef::Blob(bytes) = context.get_raw(0) else { return Ok(None) };
    let name = context.get_raw(1);
    let order = collate::order(name.as_str().unwrap_or_default());
    let (order, page) = &*order;
    Ok(Some(if narrow { order.key_of_bytes(bytes, *page) } else { order.key(&store::utf16_units(bytes)) }))
}

/// `lk(utf16, pattern, escape, collation)`.
fn like(context: &mut Context<'_>) -> Result<Option<bool>> {
    let (Some(text), Some(pattern)) = (blob(context, 0)?, blob(context, 1)?) else { return Ok(None) };
    let order = collate::order(&context.get::<String>(3)?);
    let order = &order.0;
    let folded = |bytes: &[u8]| order.folded(&store::utf16_units(bytes));
    let escape = blob(context, 2)?.and_then(|bytes| folded(&bytes).first().copied());
    Ok(Some(collate::like(&folded(&text), &folded(&pattern), escape)))
}

/// `ar(op, a, b, type of a, type of b, type of the result)`; both operands are of the result's family.
fn arithmetic(context: &mut Context<'_>) -> Result<Value> {
    if context.get_raw(1) == ValueRef::Null || context.get_raw(2) == ValueRef::Null {
        return Ok(Value::Null);
    }
    let op = context.get::<String>(0)?.chars().next().unwrap_or('+');
    let (left, right, result) = (kind_of(context, 3)?, kind_of(context, 4)?, kind_of(context, 5)?);
    let a = store::decode(context.get_raw(1), &left).ok_or_else(|| misfit(&left))?;
    let b = store::decode(context.get_raw(2), &right).ok_or_else(|| misfit(&right))?;
    compute(op, (&a, &left), (&b, &right), &result).map(|value| store::encode(&value)).map_err(wrap)
}

/// One operation on two values that are not null.
pub fn compute(
    op: char,
    (a, left): (&Datum, &SqlType),
    (b, right): (&Datum, &SqlType),
    result: &SqlType,
) -> std::result::Result<Datum, SqlError> {
    let by_zero = || fail(8134, "Divide by zero error encountered.");
    match (a, b) {
        (Datum::Int(a), Datum::Int(b)) => {
            if matches!(op, '/' | '%') && *b == 0 {
                return Err(by_zero());
            }
            let (a, b) = (i128::from(*a), i128::from(*b));
            convert::ranged(
                match op {
                    '+' => a + b,
                    '-' => a - b,
                    '*' => a * b,
                    '/' => a / b,
                    '%' => a % b,
                    '&' => a & b,
                    '|' => a | b,
                    _ => a ^ b,
                },
                result,
            )
            .map_err(|_| overflow(types::name(result)))
        }
        (Datum::Float(a), Datum::Float(b)) => {
            let value = match op {
                '+' => a + b,
                '-' => a - b,
                '*' => a * b,
                '/' if *b == 0.0 => return Err(by_zero()),
                '/' => a / b,
                _ => {
                    return Err(fail(
                        402,
                        "The data types float and float are incompatible in this operator.",
                    ));
                }
            };
            if value.is_finite() { Ok(Datum::Float(value)) } else { Err(overflow("float")) }
        }
        (Datum::Decimal(a), Datum::Decimal(b)) => {
            let sizes = |kind: &SqlType| types::exact(kind).unwrap_or((38, 0));
            let (precision, scale) = sizes(result);
            let scales = [sizes(left).1, sizes(right).1, scale];
            decimal::arithmetic(op, *a, *b, scales, precision).map(Datum::Decimal)
        }
        _ => Err(fail(8117, "Operand data type is invalid for this operator.")),
    }
}

/// `da(part, number, value, type)`: DATEADD.
fn date_add(context: &mut Context<'_>) -> Result<Value> {
    let kind = kind_of(context, 3)?;
    let value = store::decode(context.get_raw(2), &kind).ok_or_else(|| misfit(&kind))?;
    let (part, number) = (context.get::<String>(0)?, context.get::<Option<i64>>(1)?);
    match number {
        Some(number) if value != Datum::Null => {
            strings::date_add(&part, number, &value, &kind).map(|value| store::encode(&value)).map_err(wrap)
        }
        _ => Ok(Value::Null),
    }
}

/// SUM of integers (as INTEGER) or of decimals (in their stored form).
struct Sum {
    integers: bool,
}

impl Aggregate<Option<i128>, Value> for Sum {
    fn init(&self, _: &mut Context<'_>) -> Result<Option<i128>> {
        Ok(None)
    }

    fn step(&self, context: &mut Context<'_>, sum: &mut Option<i128>) -> Result<()> {
        let next = match context.get_raw(0) {
            ValueRef::Integer(n) => i128::from(n),
            ValueRef::Blob(bytes) => store::decimal_of(bytes).unwrap_or_default(),
            _ => return Ok(()),
        };
        let total = sum.unwrap_or(0).checked_add(next).ok_or_else(|| wrap(overflow("numeric")))?;
        *sum = Some(total);
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, sum: Option<Option<i128>>) -> Result<Value> {
        let Some(total) = sum.flatten() else { return Ok(Value::Null) };
        if self.integers {
            return i64::try_from(total).map(Value::Integer).map_err(|_| wrap(overflow("bigint")));
        }
        decimal::fit(total, 38).map(|total| store::encode(&Datum::Decimal(total))).map_err(wrap)
    }
}

/// MIN and MAX of a value by a key beside it.
struct Extreme {
    greatest: bool,
}

impl Aggregate<Option<(Vec<u8>, Value)>, Value> for Extreme {
    fn init(&self, _: &mut Context<'_>) -> Result<Option<(Vec<u8>, Value)>> {
        Ok(None)
    }

    fn step(&self, context: &mut Context<'_>, best: &mut Option<(Vec<u8>, Value)>) -> Result<()> {
        let Some(key) = blob(context, 1)? else { return Ok(()) };
        let better = best.as_ref().is_none_or(|(old, _)| if self.greatest { key > *old } else { key < *old });
        if better {
            *best = Some((key, context.get::<Value>(0)?));
        }
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, best: Option<Option<(Vec<u8>, Value)>>) -> Result<Value> {
        Ok(best.flatten().map_or(Value::Null, |(_, value)| value))
    }
}
