//! Integers of every width, bits, floats; and bytes that are only bytes.

use super::{Misfit, Value};

/// An integer of the width of `T`.
pub(super) fn integer<T: TryFrom<i64>>(value: Value<'_>) -> Result<Option<T>, Misfit> {
    match value {
        Value::Null => Ok(None),
        Value::Int(v) => T::try_from(v).map(Some).map_err(|_| "an integer out of its range"),
        Value::Real(_) | Value::Decimal(_, _) => Err("a number with a fraction"),
        Value::Text(_) => Err("text"),
        Value::Bytes(_) => Err("bytes"),
        Value::Micros(_) | Value::Day(_) => Err("a time"),
    }
}

/// 0 or 1.
pub(super) fn bit(value: Value<'_>) -> Result<Option<bool>, Misfit> {
    match value {
        Value::Null => Ok(None),
        Value::Int(0) => Ok(Some(false)),
        Value::Int(1) => Ok(Some(true)),
        Value::Int(_) => Err("an integer other than 0 and 1"),
        Value::Real(_) | Value::Decimal(_, _) => Err("a number with a fraction"),
        Value::Text(_) => Err("text"),
        Value::Bytes(_) => Err("bytes"),
        Value::Micros(_) | Value::Day(_) => Err("a time"),
    }
}

/// A float; integers that it holds exactly, too (a database may store 5.0 as 5).
pub(super) fn float(value: Value<'_>) -> Result<Option<f64>, Misfit> {
    const EXACT: u64 = 1 << 53;
    match value {
        Value::Null => Ok(None),
        #[allow(clippy::cast_precision_loss)]
        Value::Int(v) if v.unsigned_abs() <= EXACT => Ok(Some(v as f64)),
        Value::Int(_) => Err("an integer that a float cannot hold"),
        Value::Real(v) => Ok(Some(v)),
        Value::Decimal(_, _) => Err("an exact number"),
        Value::Text(_) => Err("text"),
        Value::Bytes(_) => Err("bytes"),
        Value::Micros(_) | Value::Day(_) => Err("a time"),
    }
}

/// Bytes.
pub(super) fn binary(value: Value<'_>) -> Result<Option<&[u8]>, Misfit> {
    match value {
        Value::Null => Ok(None),
        Value::Bytes(v) => Ok(Some(v)),
        Value::Int(_) | Value::Real(_) | Value::Decimal(_, _) => Err("a number"),
        Value::Text(_) => Err("text"),
        Value::Micros(_) | Value::Day(_) => Err("a time"),
    }
}
