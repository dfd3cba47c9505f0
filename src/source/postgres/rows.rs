//! Rows of PostgreSQL as they came → batches of Arrow, a column at a time.
//!
//! Always: a row is taken whole, or its rest is waited for; it has as many fields as the table has columns. A value that its column
//! does not hold exactly is refused, and its row named by its key.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;

use super::super::decode::{Misfit, key_text};
use super::super::{Column, SourceError, Table};
use super::{Inner, decode};
use crate::dataset::BATCH_ROWS;

/// Bytes after which a batch is handed on, however few its rows.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// The signature of binary COPY, then flags and the length of an extension, 32 bits each.
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
const HEADER: usize = SIGNATURE.len() + 8;

/// Where a field lies; of negative length: NULL.
#[derive(Clone, Copy)]
struct Span {
    start: u32,
    length: i32,
}

impl Span {
    fn of(self, data: &[u8]) -> Option<&[u8]> {
        let length = usize::try_from(self.length).ok()?;
        data.get(self.start as usize..)?.get(..length)
    }
}

/// How far a COPY has come.
#[derive(PartialEq, Eq)]
enum Copied {
    Header,
    Rows,
    Ended,
}

/// Rows on their way into a batch.
pub(super) struct Rows {
    id: String,
    table: Table,
    schema: SchemaRef,
    copy: Copied,
    /// Whole rows up to `at`, then what came of the next one.
    data: Vec<u8>,
    at: usize,
    /// Row by row.
    fields: Vec<Span>,
    rows: usize,
}

impl Rows {
    pub(super) fn new(source: &Inner, table: &Table, schema: SchemaRef) -> Self {
        Self {
            id: source.id.clone(),
            table: table.clone(),
            schema,
            copy: Copied::Header,
            data: Vec::new(),
            at: 0,
            fields: Vec::new(),
            rows: 0,
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn table(&self) -> &str {
        &self.table.name
    }

    /// Takes bytes of a binary COPY; they need not end where rows do.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
    }

    /// Whether the end mark of a COPY came.
    pub(super) fn ended(&self) -> bool {
        self.copy == Copied::Ended
    }

    /// Finds the next row of a COPY; false: more bytes are needed, or it is over.
    pub(super) fn row(&mut self) -> Result<bool, SourceError> {
        if self.copy == Copied::Header {
            if self.data.len() < HEADER {
                return Ok(false);
            }
            if !self.data.starts_with(SIGNATURE) {
                return Err(self.broken("a COPY that does not begin as one"));
            }
            (self.copy, self.at) = (Copied::Rows, HEADER);
        }
        let Some(count) = self.data.get(self.at..).and_then(|d| d.first_chunk::<2>()) else {
            return Ok(false);
        };
        match i16::from_be_bytes(*count) {
            -1 => {
                self.copy = Copied::Ended;
                Ok(false)
            }
            n if usize::try_from(n) == Ok(self.table.columns.len()) => self.fields_from(self.at + 2),
            _ => Err(self.broken("a row of more or fewer fields than columns")),
        }
    }

    /// Finds the fields of a row; false when it is not whole.
    fn fields_from(&mut self, mut at: usize) -> Result<bool, SourceError> {
        let before = self.fields.len();
        for _ in 0..self.table.columns.len() {
            let Some(length) = self.data.get(at..).and_then(|d| d.first_chunk::<4>()) else {
                self.fields.truncate(before);
                return Ok(false);
            };
            let length = i32::from_be_bytes(*length);
            if length < -1 {
                return Err(self.broken("a field of negative length"));
            }
            self.fields.push(Span { start: self.offset(at + 4)?, length });
            at += 4 + usize::try_from(length).unwrap_or(0);
        }
        if self.data.len() < at {
            self.fields.truncate(before);
            return Ok(false);
        }
        self.at = at;
        self.rows += 1;
        Ok(true)
    }

    fn offset(&self, at: usize) -> Result<u32, SourceError> {
        u32::try_from(at).map_err(|_| self.broken("a row of more than 4 GiB"))
    }

    /// Takes one field of a row that comes field by field.
    pub(super) fn field(&mut self, field: Option<&[u8]>) -> Result<(), SourceError> {
        let start = self.offset(self.data.len())?;
        let length = field.map_or(Ok(-1), |f| i32::try_from(f.len()));
        let length = length.map_err(|_| self.broken("a field of more than 2 GiB"))?;
        self.data.extend_from_slice(field.unwrap_or_default());
        self.fields.push(Span { start, length });
        Ok(())
    }

    /// Ends a row that came field by field.
    pub(super) fn end_row(&mut self) -> Result<(), SourceError> {
        self.rows += 1;
        self.at = self.data.len();
        if self.fields.len() == self.rows * self.table.columns.len() {
            Ok(())
        } else {
            Err(self.broken("a row of more or fewer fields than columns"))
        }
    }

    pub(super) fn full(&self) -> bool {
        self.rows == BATCH_ROWS || self.at >= BATCH_BYTES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    fn broken(&self, what: &str) -> SourceError {
        SourceError::Protocol { id: self.id.clone(), what: what.to_owned() }
    }

    /// The rows so far as a batch; it is empty again.
    pub(super) fn batch(&mut self) -> Result<RecordBatch, SourceError> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.schema.fields().len());
        for (at, column) in self.table.columns.iter().enumerate() {
            let rows = self.fields.chunks_exact(self.table.columns.len());
            let fields = rows.map(|row| row.get(at).and_then(|span| span.of(&self.data)));
            let decoded = decode::column(column, fields, &mut arrays);
            decoded.map_err(|(row, found)| self.misfit(row, at, found))?;
        }
        self.data.drain(..self.at);
        self.fields.clear();
        (self.at, self.rows) = (0, 0);
        RecordBatch::try_new(self.schema.clone(), arrays).map_err(|e| SourceError::Server {
            id: self.id.clone(),
            what: format!("building a batch of {}", self.table.name),
            source: Box::new(e),
        })
    }

    /// Names the row and the column.
    fn misfit(&self, row: usize, at: usize, found: Misfit) -> SourceError {
        let column = self.table.columns.get(at);
        let fields = self.fields.chunks_exact(self.table.columns.len()).nth(row).unwrap_or_default();
        let columns = self.table.columns.iter().zip(fields);
        let keys = columns.filter(|(c, _)| self.table.key.contains(&c.name));
        let value = |(c, span): (&Column, &Span)| {
            let mut arrays = Vec::new();
            let field = std::iter::once(span.of(&self.data));
            let decoded = decode::column(c, field, &mut arrays);
            (c.name.clone(), arrays.into_iter().next().filter(|_| decoded.is_ok()))
        };
        let key: Vec<_> = keys.map(value).collect();
        SourceError::Misfit {
            id: self.id.clone(),
            field: format!("{}.{}", self.table.name, column.map_or("", |c| &c.name)),
            declared: column.map(|c| c.declared.clone()).unwrap_or_default(),
            key: key_text(&key, if key.is_empty() { row } else { 0 }),
            found,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{DataType, Field, Int32Type, Schema};
    use proptest::prelude::any;

    use super::*;
    use crate::source::LegacyType;

    fn rows() -> Rows {
        let column = |name: &str, kind| Column {
            name: name.to_owned(),
            declared: String::new(),
            kind: Some(kind),
            nullable: true,
            ..Column::default()
        };
        let columns = vec![column("n", LegacyType::Int), column("b", LegacyType::Binary)];
        let fields = vec![Field::new("n", DataType::Int32, true), Field::new("b", DataType::Binary, true)];
        Rows {
            id: "s".to_owned(),
            table: Table { name: "t".to_owned(), columns, key: vec!["n".to_owned()], ..Table::default() },
            schema: Arc::new(Schema::new(fields)),
            copy: Copied::Header,
            data: Vec::new(),
            at: 0,
            fields: Vec::new(),
            rows: 0,
        }
    }

    fn copy(rows: &[(&[u8], Option<&[u8]>)]) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([0; 8]);
        for (n, b) in rows {
            bytes.extend(2_i16.to_be_bytes());
            for field in [Some(*n), *b] {
                bytes.extend(field.map_or(-1, |f| i32::try_from(f.len()).unwrap()).to_be_bytes());
                bytes.extend(field.unwrap_or_default());
            }
        }
        bytes.extend((-1_i16).to_be_bytes());
        bytes
    }

    #[test]
    fn rows_are_found_however_the_stream_is_cut() {
        let bytes = copy(&[(&[0, 0, 0, 7], None), (&[0, 0, 1, 0], Some(b"")), (&[0, 0, 0, 9], Some(b"abc"))]);
        for size in 1..bytes.len() {
            let mut rows = rows();
            for piece in bytes.chunks(size) {
                rows.take(piece);
                while rows.row().unwrap() {}
            }
            assert!(rows.ended());
            let batch = rows.batch().unwrap();
            assert_eq!(batch.column(0).as_primitive::<Int32Type>().values(), &[7, 256, 9]);
            let binary = batch.column(1).as_binary::<i32>();
            assert!(binary.is_null(0) && binary.value(1).is_empty() && binary.value(2) == b"abc");
            assert!(rows.is_empty());
        }
    }

    #[test]
    fn a_copy_of_any_bytes_is_read_or_refused() {
        let sound = copy(&[(&[0, 0, 0, 7], None), (&[0, 0, 1, 0], Some(b"")), (&[0, 0, 0, 9], Some(b"abc"))]);
        let cases = crate::source::fuzz_cases(300);
        let config = proptest::test_runner::Config { cases, failure_persistence: None, ..Default::default() };
        let change = (any::<proptest::sample::Index>(), any::<u8>());
        let of = (proptest::collection::vec(change, 1..6), 1_usize..80, 0_usize..40);
        let ran = proptest::test_runner::TestRunner::new(config).run(&of, |(changes, size, cut)| {
            let mut bytes = sound.clone();
            changes.iter().for_each(|(at, byte)| bytes[at.index(sound.len())] = *byte);
            bytes.truncate(sound.len() - cut);
            let mut rows = rows();
            for piece in bytes.chunks(size) {
                rows.take(piece);
                while let Ok(true) = rows.row() {}
            }
            let _ = rows.batch();
            Ok(())
        });
        ran.unwrap();
        println!("fuzz copy {cases}");
    }

    #[test]
    fn what_does_not_fit_names_its_row_by_key_and_a_broken_stream_is_refused() {
        let mut rows = rows();
        rows.take(&copy(&[(&[0, 0, 0, 7], None), (&[1], None)]));
        while rows.row().unwrap() {}
        let said = rows.batch().unwrap_err().to_string();
        assert!(said.contains("t.n") && said.contains("n = ***"), "{said}");
        for (at, byte) in [(0, 0), (SIGNATURE.len() + 9, 3), (SIGNATURE.len() + 10, 0x80)] {
            let mut bytes = copy(&[(&[0, 0, 0, 7], None)]);
            bytes[at] = byte;
            let mut rows = self::rows();
            rows.take(&bytes);
            assert!(rows.row().is_err(), "{at}");
        }
    }
}
