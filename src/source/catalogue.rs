//! What a legacy database holds: tables, columns, keys, and the exact Arrow type of each legacy type.
//!
//! Always: a type that is not known stays unknown until its table is read; then it is an error that names the column.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use chrono_tz::Tz;

use super::{ChangeMethod, SourceError};
use crate::encoding::{ENCODING_KEY, TIME_ZONE_KEY, TextEncoding, bytes_column};
use crate::phrase;

/// A legacy type, as far as it decides how a value is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegacyType {
    BigInt,
    Int,
    SmallInt,
    TinyInt,
    Bit,
    Numeric {
        precision: u8,
        scale: i8,
    },
    Money,
    SmallMoney,
    Float,
    /// char, varchar, text: bytes in the source's code page.
    CodePageText,
    /// nchar, nvarchar, ntext.
    Unicode,
    /// A wall clock.
    DateTime,
    /// A moment, shown as the wall clock of this zone.
    Instant(Tz),
    Date,
    /// binary, varbinary, image, rowversion.
    Binary,
    /// What the database itself writes as text, because no Arrow type holds it exactly: datetime2(7), time, uniqueidentifier, numeric
    /// without a precision.
    Spelled,
    /// A time with its own distance from UTC, as the database writes it (`2020-01-31 18:00:00.1234567 +00:00`); read as the wall clock
    /// of this zone.
    Offset(Tz),
}

impl LegacyType {
    /// Reads a declaration (`varchar(20)`, `numeric(10,2)`, any case); `None` for a type that is not known. `zone`: that of the source.
    pub fn parse(declared: &str, zone: Tz) -> Option<Self> {
        let (name, arguments) = match declared.split_once('(') {
            Some((name, rest)) => (name, rest.trim_end().strip_suffix(')')?),
            None => (declared, ""),
        };
        match name.trim().to_ascii_lowercase().as_str() {
            "bigint" => Some(Self::BigInt),
            "int" | "integer" => Some(Self::Int),
            "smallint" => Some(Self::SmallInt),
            "tinyint" => Some(Self::TinyInt),
            "bit" => Some(Self::Bit),
            "numeric" | "decimal" => numeric(arguments),
            "money" => Some(Self::Money),
            "smallmoney" => Some(Self::SmallMoney),
            "float" | "real" => Some(Self::Float),
            "char" | "varchar" | "text" => Some(Self::CodePageText),
            "nchar" | "nvarchar" | "ntext" => Some(Self::Unicode),
            "datetime" | "smalldatetime" => Some(Self::DateTime),
            "datetime2" if matches!(arguments, "" | "7") => Some(Self::Spelled),
            "datetime2" => Some(Self::DateTime),
            "date" => Some(Self::Date),
            "datetimeoffset" => Some(Self::Offset(zone)),
            "time" | "uniqueidentifier" => Some(Self::Spelled),
            "binary" | "varbinary" | "image" | "rowversion" | "timestamp" => Some(Self::Binary),
            _ => None,
        }
    }

    /// The Arrow type in raw; text has a second, Binary column beside it (FORMS 1).
    pub fn arrow(self) -> DataType {
        match self {
            Self::BigInt => DataType::Int64,
            Self::Int => DataType::Int32,
            Self::SmallInt => DataType::Int16,
            Self::TinyInt => DataType::UInt8,
            Self::Bit => DataType::Boolean,
            Self::Numeric { precision, scale } => DataType::Decimal128(precision, scale),
            Self::Money => DataType::Decimal128(19, 4),
            Self::SmallMoney => DataType::Decimal128(10, 4),
            Self::Float => DataType::Float64,
            Self::CodePageText | Self::Unicode | Self::Spelled | Self::Offset(_) => DataType::Utf8,
            Self::Date => DataType::Date32,
            Self::DateTime => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Instant(zone) => DataType::Timestamp(TimeUnit::Microsecond, Some(zone.name().into())),
            Self::Binary => DataType::Binary,
        }
    }

    /// Text keeps what does not decode strictly in a second column.
    pub fn is_text(self) -> bool {
        matches!(self, Self::CodePageText | Self::Unicode)
    }
}

fn numeric(arguments: &str) -> Option<LegacyType> {
    let mut parts = arguments.split(',').map(str::trim);
    let precision = match parts.next() {
        None | Some("") => 18,
        Some(p) => p.parse().ok()?,
    };
    let scale = parts.next().map_or(Some(0), |s| s.parse().ok())?;
    let fits = (1..=38).contains(&precision) && (0..=i8::try_from(precision).ok()?).contains(&scale);
    (fits && parts.next().is_none()).then_some(LegacyType::Numeric { precision, scale })
}

/// A legacy column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    /// As the source declares it.
    pub declared: String,
    /// `None`: not known; the table cannot be read.
    pub kind: Option<LegacyType>,
    pub nullable: bool,
    /// In which encoding the bytes of its text are; `None` where it is no text.
    pub encoding: Option<TextEncoding>,
    /// The database may hold values that do not fit the type. Raw then has NULL, and the value as the database writes it in `c__b`.
    pub loose: bool,
}

impl Column {
    /// The encoding of its bytes in raw: of text that did not decode, or of values that do not fit; `None`: there are none.
    pub fn bytes_encoding(&self) -> Option<TextEncoding> {
        if self.kind.is_some_and(LegacyType::is_text) {
            return Some(self.encoding.unwrap_or(TextEncoding::Utf8));
        }
        self.loose.then_some(TextEncoding::Utf8)
    }
}

/// A legacy table or view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    pub name: String,
    pub view: bool,
    /// What tells this table from another one of its name; `None` where the database does not say.
    pub identity: Option<String>,
    /// Tables whose rows it shows as well: its partitions, or what inherits from it.
    pub parts: Vec<String>,
    /// It has no rows of its own beside those of its parts.
    pub partitioned: bool,
    /// Its own rows are read, without those of its parts.
    pub only: bool,
    /// The columns that are read.
    pub columns: Vec<Column>,
    /// Columns that the mapping skips: they are never selected, and their types need not be known.
    pub unread: Vec<Column>,
    /// Columns of the chosen unique key, else of the primary key, in key order; empty where there is none.
    pub key: Vec<String>,
    /// About how many rows; exact numbers come from [`super::Source::count`].
    pub estimated_rows: u64,
    /// About how many bytes of large values lie beside its rows; 0 where the server does not say.
    pub lob_bytes: u64,
    /// Ways to find what changed, best first; always ends with those that need nothing of the source.
    pub changes: Vec<ChangeMethod>,
    /// The column of the rowversion or timestamp method.
    pub change_column: Option<String>,
}

impl Table {
    /// The same table with only the columns of its key, to read keys.
    pub fn keys_only(&self) -> Self {
        let key = |c: &&Column| self.key.contains(&c.name);
        Self { columns: self.columns.iter().filter(key).cloned().collect(), ..self.clone() }
    }

    /// The hints of [`differs_in_case`] for columns that somebody names.
    pub fn differing_in_case(&self, wanted: &[String]) -> String {
        let known = || self.columns.iter().chain(&self.unread).map(|c| c.name.as_str());
        let missing = wanted.iter().filter(|name| self.any_column(name).is_none());
        missing.map(|name| differs_in_case(name, known())).collect()
    }

    /// How its changes could be found without anything of the source.
    pub(super) fn plain_changes(&self) -> Vec<ChangeMethod> {
        if self.key.is_empty() {
            vec![ChangeMethod::Full]
        } else {
            vec![ChangeMethod::Compare, ChangeMethod::Full]
        }
    }
}

/// Names of columns that our own datasets add to those of a legacy table.
const OWN_NAMES: &[&str] = &[
    "_source",
    "_skey",
    "_key",
    "_occ",
    "__skey",
    "__digest",
    "__occurrence",
    "__i",
    "__p",
    "__b",
    "__n",
    "__ci",
    "__cp",
];

/// The name that differs from the wanted one only in case, as a hint; empty where there is none.
pub fn differs_in_case<'n>(wanted: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    let found =
        known.into_iter().find(|name| *name != wanted && name.to_lowercase() == wanted.to_lowercase());
    found.map(|name| phrase!("source.other_case", name)).unwrap_or_default()
}

impl Table {
    /// The column of that name (exact case).
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// A column by name, read or not.
    pub fn any_column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().chain(&self.unread).find(|c| c.name == name)
    }

    /// The same table without the columns that are not `wanted`; those of its key are always read.
    pub fn reading_only(mut self, wanted: impl Fn(&str) -> bool) -> Self {
        let key = self.key.clone();
        let (read, unread): (Vec<_>, Vec<_>) =
            self.columns.into_iter().partition(|c| wanted(&c.name) || key.contains(&c.name));
        self.columns = read;
        self.unread.extend(unread);
        self
    }

    /// No column that is read has the name of one that we add.
    fn names_are_free(&self, source: &str) -> Result<(), SourceError> {
        let refused = |column: &str, taken_for: String| SourceError::Reserved {
            id: source.to_owned(),
            table: self.name.clone(),
            column: column.to_owned(),
            taken_for,
        };
        for column in &self.columns {
            if OWN_NAMES.contains(&column.name.as_str()) {
                return Err(refused(&column.name, "columns of its own".to_owned()));
            }
            let bytes = column.bytes_encoding().map(|_| bytes_column(&column.name));
            if let Some(taken) = bytes.filter(|b| self.column(b).is_some()) {
                return Err(refused(&taken, format!("the bytes of {}", column.name)));
            }
        }
        Ok(())
    }

    /// The columns of raw, in declared order: `c`, and `c__b` after it for text and for what may hold more than its type does; all
    /// nullable. The metadata of `c__b` names the encoding of its bytes. `source` is named in the error.
    ///
    /// # Errors
    /// `SRC-007` naming the first column of an unknown type, `SRC-050` a column with the name of one of ours.
    pub fn schema(&self, source: &str) -> Result<SchemaRef, SourceError> {
        self.names_are_free(source)?;
        let mut fields = Vec::with_capacity(self.columns.len() * 2);
        for column in &self.columns {
            let kind = column.kind.ok_or_else(|| SourceError::UnknownType {
                id: source.to_owned(),
                table: self.name.clone(),
                column: column.name.clone(),
                declared: column.declared.clone(),
            })?;
            let field = Field::new(&column.name, kind.arrow(), true);
            fields.push(match kind {
                LegacyType::Offset(zone) => {
                    field.with_metadata([(TIME_ZONE_KEY.into(), zone.name().into())].into())
                }
                _ => field,
            });
            if let Some(encoding) = column.bytes_encoding() {
                let bytes = Field::new(bytes_column(&column.name), DataType::Binary, true);
                fields.push(bytes.with_metadata([(ENCODING_KEY.into(), encoding.label())].into()));
            }
        }
        Ok(Arc::new(Schema::new(fields)))
    }
}
