//! Ranges of keys, and the stream of one range's rows.
//!
//! Always: ranges are half-open (after `after`, up to and with `upto`), so that they neither overlap nor leave a gap. A stream that
//! ends without its end mark was cut off and yields an error, never a short chunk.

use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::SourceError;

/// Batches that wait between two threads: bounds memory, keeps both busy.
pub(super) const QUEUE: usize = 2;

/// One part of a key, in the source's storage class; state.db keeps it as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyValue {
    Int(i64),
    Real(f64),
    Text(String),
    /// Hex, lower case.
    Bytes(String),
}

/// Rows with keys after `after`, up to and with `upto`; `None`: no bound on that side.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Bounds {
    pub after: Option<Vec<KeyValue>>,
    pub upto: Option<Vec<KeyValue>>,
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
