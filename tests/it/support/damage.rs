//! Damages of a part: what a bad disk, a bad hand or a bad program may do to a row. Seeded: the same seed damages the same.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt64Array};
use arrow::array::{Date32Array, Decimal128Array, Int32Array};
use arrow::compute::{concat_batches, take, take_record_batch};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int32Type};
use qianyi::dataset;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

/// What happens to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// One fen more.
    Fen,
    /// Another last character.
    Character,
    /// The day after; of a date written as text another last digit.
    Day,
    /// Two rows change places.
    Moved,
    Lost,
    Doubled,
    /// An empty text for NULL, or NULL for it.
    NullForEmpty,
    /// A full-width character for an ASCII one.
    FullWidth,
    /// Two digits of a year change places.
    SwappedYear,
    /// Two rows change a value.
    SwappedPersons,
}

impl Kind {
    pub const ALL: [Self; 10] = [
        Self::Fen,
        Self::Character,
        Self::Day,
        Self::Moved,
        Self::Lost,
        Self::Doubled,
        Self::NullForEmpty,
        Self::FullWidth,
        Self::SwappedYear,
        Self::SwappedPersons,
    ];
}

/// A part with a damage: its rows, which of the old ones were touched, and the column.
pub struct Damaged {
    pub batch: RecordBatch,
    pub rows: Vec<usize>,
    pub column: Option<String>,
}

/// Every row of a part.
pub fn whole(part: &Path) -> RecordBatch {
    let schema = dataset::schema_of(part).unwrap();
    let batches: Vec<RecordBatch> = dataset::read_part(part).unwrap().map(Result::unwrap).collect();
    concat_batches(&schema, &batches).unwrap()
}

/// Writes a batch as a Parquet file of any writer in place of a part, which may have other names; nothing is synced.
pub fn put(part: &Path, batch: &RecordBatch) {
    let _ = std::fs::remove_file(part);
    let file = std::fs::File::create_new(part).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    usize::try_from(rng.next_u64() % n as u64).unwrap()
}

/// Damages a row of a batch that is not among the spared ones, in one of the columns asked for; none where no row has a value for it.
pub fn damage(
    batch: &RecordBatch,
    kind: Kind,
    rng: &mut ChaCha8Rng,
    spared: &BTreeSet<usize>,
    columns: &dyn Fn(&str) -> bool,
) -> Option<Damaged> {
    let n = batch.num_rows();
    if n == 0 {
        return None;
    }
    let first = below(rng, n);
    let rows: Vec<usize> = (0..n).map(|k| (first + k) % n).filter(|row| !spared.contains(row)).collect();
    match kind {
        Kind::Lost | Kind::Doubled | Kind::Moved => of_rows(batch, kind, &rows),
        Kind::SwappedPersons => swapped(batch, rng, &rows, columns),
        Kind::Fen
        | Kind::Character
        | Kind::Day
        | Kind::NullForEmpty
        | Kind::FullWidth
        | Kind::SwappedYear => of_value(batch, kind, rng, &rows, columns),
    }
}

fn picked(batch: &RecordBatch, rows: impl IntoIterator<Item = usize>) -> RecordBatch {
    let rows: UInt64Array = rows.into_iter().map(|row| row as u64).collect();
    take_record_batch(batch, &rows).unwrap()
}

fn of_rows(batch: &RecordBatch, kind: Kind, rows: &[usize]) -> Option<Damaged> {
    let (n, row) = (batch.num_rows(), *rows.first()?);
    let one = |batch: RecordBatch| Some(Damaged { batch, rows: vec![row], column: None });
    match kind {
        Kind::Lost => one(picked(batch, (0..n).filter(|at| *at != row))),
        Kind::Doubled => {
            one(picked(batch, (0..n).flat_map(|at| std::iter::repeat_n(at, 1 + usize::from(at == row)))))
        }
        _ => {
            let other = *rows.iter().find(|at| batch.slice(**at, 1) != batch.slice(row, 1))?;
            let place = |at: usize| {
                if at == row {
                    other
                } else if at == other {
                    row
                } else {
                    at
                }
            };
            let batch = picked(batch, (0..n).map(place));
            Some(Damaged { batch, rows: vec![row, other], column: None })
        }
    }
}

/// The columns of a batch that are asked for, from a place drawn by chance.
fn drawn(batch: &RecordBatch, rng: &mut ChaCha8Rng, columns: &dyn Fn(&str) -> bool) -> Vec<usize> {
    let n = batch.num_columns();
    let first = below(rng, n);
    (0..n).map(|k| (first + k) % n).filter(|at| columns(batch.schema_ref().field(*at).name())).collect()
}

fn swapped(
    batch: &RecordBatch,
    rng: &mut ChaCha8Rng,
    rows: &[usize],
    columns: &dyn Fn(&str) -> bool,
) -> Option<Damaged> {
    for at in drawn(batch, rng, columns) {
        let values = batch.column(at);
        let kind = values.data_type();
        if !matches!(kind, DataType::Utf8 | DataType::Decimal128(_, _) | DataType::Date32) {
            continue;
        }
        for pair in rows.chunks_exact(2).filter(|p| p.iter().all(|row| values.is_valid(*row))) {
            let [row, other] = [pair[0], pair[1]];
            if values.slice(row, 1).as_ref() == values.slice(other, 1).as_ref() {
                continue;
            }
            let place = |at: usize| {
                (if at == row {
                    other
                } else if at == other {
                    row
                } else {
                    at
                }) as u64
            };
            let places: UInt64Array = (0..batch.num_rows()).map(place).collect();
            let batch = with(batch, at, take(values, &places, None).unwrap())?;
            let column = Some(batch.schema_ref().field(at).name().clone());
            return Some(Damaged { batch, rows: vec![row, other], column });
        }
    }
    None
}

fn with(batch: &RecordBatch, at: usize, values: ArrayRef) -> Option<RecordBatch> {
    let mut columns = batch.columns().to_vec();
    columns[at] = values;
    RecordBatch::try_new(batch.schema(), columns).ok()
}

fn of_value(
    batch: &RecordBatch,
    kind: Kind,
    rng: &mut ChaCha8Rng,
    rows: &[usize],
    columns: &dyn Fn(&str) -> bool,
) -> Option<Damaged> {
    for at in drawn(batch, rng, columns) {
        for row in rows {
            let Some(values) = changed(batch.column(at), *row, kind) else { continue };
            let Some(batch) = with(batch, at, values) else { continue };
            let column = Some(batch.schema_ref().field(at).name().clone());
            return Some(Damaged { batch, rows: vec![*row], column });
        }
    }
    None
}

/// A column with the value of a row changed; none where that kind of damage does not fit the value.
fn changed(column: &ArrayRef, row: usize, kind: Kind) -> Option<ArrayRef> {
    match (column.data_type(), kind) {
        (DataType::Decimal128(precision, scale @ 1..), Kind::Fen) if column.is_valid(row) => {
            let mut values: Vec<Option<i128>> = column.as_primitive::<Decimal128Type>().iter().collect();
            values[row] =
                values[row].map(|n| n + 10_i128.pow(u32::from(scale.unsigned_abs()).saturating_sub(2)));
            let values = Decimal128Array::from(values).with_precision_and_scale(*precision, *scale);
            Some(Arc::new(values.unwrap()))
        }
        (DataType::Date32, Kind::Day) if column.is_valid(row) => {
            let mut values: Vec<Option<i32>> = column.as_primitive::<Date32Type>().iter().collect();
            values[row] = values[row].map(|n| n + 1);
            Some(Arc::new(Date32Array::from(values)))
        }
        (DataType::Int32, Kind::SwappedYear) if column.is_valid(row) => {
            let own = column.as_primitive::<Int32Type>();
            let other = turned(&own.value(row).to_string())?.parse().unwrap();
            let value =
                |at: usize| if at == row { Some(other) } else { own.is_valid(at).then(|| own.value(at)) };
            Some(Arc::new((0..own.len()).map(value).collect::<Int32Array>()))
        }
        (DataType::Utf8, _) => {
            let own = column.as_string::<i32>();
            let other = text(own.is_valid(row).then(|| own.value(row)), kind)?;
            let value = |at: usize| match at == row {
                true => other.as_deref(),
                false => own.is_valid(at).then(|| own.value(at)),
            };
            Some(Arc::new((0..own.len()).map(value).collect::<StringArray>()))
        }
        _ => None,
    }
}

/// `200307` → `203007`, `19980101` → `19890101`.
fn turned(digits: &str) -> Option<String> {
    let period = [4, 6, 8].contains(&digits.len()) && ["19", "20"].iter().any(|c| digits.starts_with(c));
    if !period || !digits.bytes().all(|b| b.is_ascii_digit()) || digits[2..3] == digits[3..4] {
        return None;
    }
    Some(format!("{}{}{}{}", &digits[..2], &digits[3..4], &digits[2..3], &digits[4..]))
}

#[allow(clippy::option_option)]
fn text(value: Option<&str>, kind: Kind) -> Option<Option<String>> {
    let end =
        |value: &str, c: char| value.chars().take(value.chars().count() - 1).chain([c]).collect::<String>();
    match (kind, value) {
        (Kind::NullForEmpty, None) => Some(Some(String::new())),
        (Kind::NullForEmpty, Some("")) => Some(None),
        (Kind::Character, Some(value)) if !value.is_empty() => {
            Some(Some(end(value, if value.ends_with('旷') { '口' } else { '旷' })))
        }
        (Kind::Day, Some(value)) if value.len() == 8 && value.bytes().all(|b| b.is_ascii_digit()) => {
            Some(Some(end(value, if value.ends_with('1') { '2' } else { '1' })))
        }
        (Kind::FullWidth, Some(value)) => {
            let at = value.find(|c: char| c.is_ascii_alphanumeric())?;
            let wide = char::from_u32(u32::from(value.as_bytes()[at]) + 0xFEE0)?;
            Some(Some(format!("{}{wide}{}", &value[..at], &value[at + 1..])))
        }
        (Kind::SwappedYear, Some(value)) => Some(Some(turned(value)?)),
        _ => None,
    }
}
