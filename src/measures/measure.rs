//! The one form of a measure, and its dataset.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Decimal128Type, Field, Schema, SchemaRef};

use super::MeasureError;
use crate::dataset::{PartInfo, PartWriter, read_part};

/// The cell of an insurance or a period that is NULL or did not parse, in national terms.
pub const NONE: &str = "(none)";
/// The cell of what is not told apart by insurance or period.
pub const ALL: &str = "";

/// The largest sum that a measure holds, with either sign.
pub const LARGEST_SUM: i128 = 10_i128.pow(38) - 1;
/// Of a value: as many digits as [`LARGEST_SUM`] has.
const VALUE: DataType = DataType::Decimal128(38, 0);

/// The measure of rows that are behind the gate as they were before it.
pub const CONTENT: &str = "content";
/// The measure of money that stands at the rows where it stood: `placed:<columns>`.
pub const PLACED: &str = "placed";

/// Where two sides meet.
pub mod boundary {
    /// Each legacy table: what the source says, what raw holds; in the source's own spelling.
    pub const SOURCE_RAW: &str = "source-raw";
    /// Each edge (`ylbx.GRJFMX→AC43`): raw rows in national terms, mapped rows. Also each legacy table as a whole: raw amounts as
    /// they stand, and as layer 1 reads them.
    pub const RAW_MAPPED: &str = "raw-mapped";
    /// Each national table: mapped rows, and the rows of each disposition.
    pub const MAPPED_DISPOSITIONS: &str = "mapped-dispositions";
    /// Each national table: staged rows, and the package's.
    pub const STAGED_PACKAGE: &str = "staged-package";
    /// Each national table: staged rows, and those that the staging database holds after a rehearsal.
    pub const STAGED_DATABASE: &str = "staged-database";
    /// No boundary of conservation: payment details and unit ledgers by year, which shows a wrongly declared unit of money.
    pub const DETAILS_LEDGERS: &str = "details-ledgers";
    /// No boundary either: amounts of national tables against what is plausible, by legacy table, insurance and year.
    pub const PLAUSIBLE: &str = "plausible";
    /// No boundary either: different keys of a national table, as mapped and as staged, by insurance.
    pub const FIGURES: &str = "figures";
}

/// Who says it.
pub mod side {
    pub const SOURCE: &str = "source";
    pub const RAW: &str = "raw";
    pub const MAPPED: &str = "mapped";
    pub const DISPOSITIONS: &str = "dispositions";
    pub const STAGED: &str = "staged";
    pub const PACKAGE: &str = "package";
    pub const DATABASE: &str = "database";
    pub const DETAILS: &str = "details";
    pub const LEDGERS: &str = "ledgers";
    pub const AMOUNTS: &str = "amounts";
}

/// One number of one side. What `measure` may be is in docs/measures.md: `rows`, `fen:<column>`, …
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Measure {
    pub boundary: String,
    pub side: String,
    /// Legacy table, edge, or national table.
    pub table: String,
    pub measure: String,
    /// [`ALL`] where not told apart, [`NONE`] where NULL.
    pub insurance: String,
    /// As `insurance`.
    pub period: String,
    /// Empty for what goes on; else the reason why the rows do not (a left-out reason, a disposition).
    pub bucket: String,
    /// Rows, fen, or what the measure's name says.
    pub value: i128,
}

/// In which unit an exact column of so many digits after the point is summed: its last digit. Whole numbers are `int` (a negative scale
/// too: 1200 counts as 1200), two digits `fen`, others `e` and their number. What a number means (yuan or fen) is not known to the
/// source.
pub fn last_digit(digits: u32) -> &'static str {
    const UNITS: [&str; 39] = [
        "int", "e1", "fen", "e3", "e4", "e5", "e6", "e7", "e8", "e9", "e10", "e11", "e12", "e13", "e14",
        "e15", "e16", "e17", "e18", "e19", "e20", "e21", "e22", "e23", "e24", "e25", "e26", "e27", "e28",
        "e29", "e30", "e31", "e32", "e33", "e34", "e35", "e36", "e37", "e38",
    ];
    // No decimal has more digits than its precision, which is at most 38.
    usize::try_from(digits).ok().and_then(|d| UNITS.get(d)).copied().unwrap_or("int")
}

/// How many digits after the point a measure's unit stands for: `fen` 2, `e6` 6; none for what is no sum of an exact or float column.
pub fn unit_digits(unit: &str) -> Option<u32> {
    match unit {
        "fen" => Some(2),
        "int" => Some(0),
        _ => unit.strip_prefix('e')?.parse().ok().filter(|d| *d <= 38),
    }
}

/// The columns of a measures dataset.
pub fn measures_schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    Arc::new(Schema::new(vec![
        text("boundary"),
        text("side"),
        text("table"),
        text("measure"),
        text("insurance"),
        text("period"),
        text("bucket"),
        Field::new("value", VALUE, false),
    ]))
}

fn batch(measures: &[Measure]) -> Result<RecordBatch, arrow::error::ArrowError> {
    let column = |of: &dyn Fn(&Measure) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(measures.iter().map(of)))
    };
    RecordBatch::try_new(
        measures_schema(),
        vec![
            column(&|m| &m.boundary),
            column(&|m| &m.side),
            column(&|m| &m.table),
            column(&|m| &m.measure),
            column(&|m| &m.insurance),
            column(&|m| &m.period),
            column(&|m| &m.bucket),
            Arc::new(
                Decimal128Array::from_iter_values(measures.iter().map(|m| m.value)).with_data_type(VALUE),
            ),
        ],
    )
}

/// Writes measures as one part, sorted; the folder must exist.
///
/// # Errors
/// `DAT-002`, `DAT-003`; `MEA-004` for a value beyond [`LARGEST_SUM`].
pub fn write_measures(path: &Path, measures: &[Measure]) -> Result<PartInfo, MeasureError> {
    if let Some(m) = measures.iter().find(|m| m.value.unsigned_abs() > LARGEST_SUM.unsigned_abs()) {
        return Err(MeasureError::Overflow { what: format!("{} {}", m.table, m.measure) });
    }
    let mut sorted = measures.to_vec();
    sorted.sort_unstable();
    let mut writer = PartWriter::create(path, measures_schema())?;
    writer.write(&batch(&sorted).map_err(|e| MeasureError::impossible("a batch of measures", e))?)?;
    Ok(writer.finish()?)
}

/// Reads a part of measures.
///
/// # Errors
/// `DAT-001`, `MEA-002` when it has other columns.
pub fn read_measures(path: &Path) -> Result<Vec<Measure>, MeasureError> {
    let mut out = Vec::new();
    for batch in read_part(path)? {
        let batch = batch?;
        if batch.schema().fields() != measures_schema().fields() {
            return Err(MeasureError::NotMeasures { path: path.display().to_string() });
        }
        let text = |at: usize, row: usize| batch.column(at).as_string::<i32>().value(row).to_owned();
        let values = batch.column(7).as_primitive::<Decimal128Type>();
        out.extend((0..batch.num_rows()).map(|row| Measure {
            boundary: text(0, row),
            side: text(1, row),
            table: text(2, row),
            measure: text(3, row),
            insurance: text(4, row),
            period: text(5, row),
            bucket: text(6, row),
            value: values.value(row),
        }));
        debug_assert_eq!(values.null_count(), 0);
    }
    Ok(out)
}
