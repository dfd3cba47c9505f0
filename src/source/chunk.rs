//! Ranges of keys, and the stream of one range's rows.
//!
//! Always: ranges are half-open (after `after`, up to and with `upto`), so that they neither overlap nor leave a gap. A stream that
//! ends without its end mark was cut off and yields an error, never a short chunk.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    UInt8Type,
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::SourceError;
use crate::durable::hex;
use crate::encoding::bytes_column;

/// Batches that wait between two threads: bounds memory, keeps both busy.
pub(super) const QUEUE: usize = 2;

/// One part of a key, in the source's storage class; state.db keeps it as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyValue {
    Int(i64),
    /// In JSON the shortest decimal that reads back as the same float: a number there may come back as its neighbour.
    #[serde(with = "digits")]
    Real(f64),
    Text(String),
    /// Text of a database that stores bytes as text which are none. Hex, lower case.
    Untext(String),
    /// Hex, lower case.
    Bytes(String),
}

mod digits {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&value.to_string())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// Rows with keys after `after`, up to and with `upto`; `None`: no bound on that side.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Bounds {
    pub after: Option<Vec<KeyValue>>,
    pub upto: Option<Vec<KeyValue>>,
}

/// The value of a column in a row of a batch, as a part of a bound; `None` where it is NULL, or of a type that bounds no range.
pub(super) fn key_value(batch: &RecordBatch, column: &str, at: usize) -> Option<KeyValue> {
    let array = batch.column_by_name(column)?;
    if array.is_null(at) {
        // Text that did not decode lies beside.
        let bytes = batch.column_by_name(&bytes_column(column))?;
        return bytes.is_valid(at).then(|| KeyValue::Bytes(hex(bytes.as_binary::<i32>().value(at))));
    }
    match array.data_type() {
        DataType::Int64 => Some(KeyValue::Int(array.as_primitive::<Int64Type>().value(at))),
        DataType::Int32 => Some(KeyValue::Int(array.as_primitive::<Int32Type>().value(at).into())),
        DataType::Int16 => Some(KeyValue::Int(array.as_primitive::<Int16Type>().value(at).into())),
        DataType::UInt8 => Some(KeyValue::Int(array.as_primitive::<UInt8Type>().value(at).into())),
        DataType::Decimal128(_, _) => {
            Some(KeyValue::Text(array.as_primitive::<Decimal128Type>().value_as_string(at)))
        }
        DataType::Date32 => {
            let day = array.as_primitive::<Date32Type>().value_as_date(at)?;
            Some(KeyValue::Text(day.format("%Y-%m-%d").to_string()))
        }
        DataType::Timestamp(_, _) => {
            let time = array.as_primitive::<TimestampMicrosecondType>().value_as_datetime(at)?;
            Some(KeyValue::Text(time.format("%Y-%m-%dT%H:%M:%S%.f").to_string()))
        }
        DataType::Utf8 => Some(KeyValue::Text(array.as_string::<i32>().value(at).to_owned())),
        DataType::Binary => Some(KeyValue::Bytes(hex(array.as_binary::<i32>().value(at)))),
        _ => None,
    }
}

/// What a reading thread sends.
pub(super) enum Piece {
    Rows(RecordBatch),
    End,
}

/// The batches of one range, in key order. Blocks while it waits: use it on a blocking thread.
pub struct ChunkStream {
    id: String,
    table: String,
    pieces: mpsc::Receiver<Result<Piece, SourceError>>,
    over: bool,
}

impl ChunkStream {
    pub(super) fn new(id: &str, table: &str, pieces: mpsc::Receiver<Result<Piece, SourceError>>) -> Self {
        Self { id: id.to_owned(), table: table.to_owned(), pieces, over: false }
    }
}

impl Iterator for ChunkStream {
    type Item = Result<RecordBatch, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        match self.pieces.blocking_recv() {
            Some(Ok(Piece::Rows(batch))) => return Some(Ok(batch)),
            Some(Ok(Piece::End)) => self.over = true,
            Some(Err(e)) => {
                self.over = true;
                return Some(Err(e));
            }
            None => {
                self.over = true;
                let (id, table) = (self.id.clone(), self.table.clone());
                return Some(Err(SourceError::Interrupted { id, table }));
            }
        }
        None
    }
}
