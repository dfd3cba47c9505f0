//! What the engine hands to the wire: types as SQL Server declares them, values, result sets, errors.
//!
//! Always: exact. Char-family values are bytes in the collation's code page; nchar-family values are UTF-16 code units.

/// A collation, by name (`Chinese_PRC_CI_AS`), with what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collation {
    pub name: String,
    /// 936, 950, 1252, 65001.
    pub code_page: u32,
}

/// A SQL Server type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SqlType {
    Bit,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Decimal {
        precision: u8,
        scale: u8,
    },
    Money,
    SmallMoney,
    Real,
    Float,
    Char {
        bytes: u16,
        collation: Collation,
    },
    /// `None`: max.
    VarChar {
        bytes: Option<u16>,
        collation: Collation,
    },
    Text {
        collation: Collation,
    },
    NChar {
        chars: u16,
        collation: Collation,
    },
    NVarChar {
        chars: Option<u16>,
        collation: Collation,
    },
    NText {
        collation: Collation,
    },
    Xml,
    Binary {
        bytes: u16,
    },
    VarBinary {
        bytes: Option<u16>,
    },
    Image,
    RowVersion,
    Date,
    Time {
        scale: u8,
    },
    DateTime,
    SmallDateTime,
    DateTime2 {
        scale: u8,
    },
    DateTimeOffset {
        scale: u8,
    },
    UniqueIdentifier,
    /// sql_variant: the catalogue knows it, qianyi does not.
    Variant,
}

/// A value; which variant belongs to which type is said beside it.
#[derive(Debug, Clone, PartialEq)]
pub enum Datum {
    Null,
    /// bit (0, 1) and every integer.
    Int(i64),
    /// decimal at its scale; money and smallmoney at scale 4: the unscaled integer.
    Decimal(i128),
    /// real, float.
    Float(f64),
    /// char, varchar, text (in the code page); binary, varbinary, image, rowversion (8 bytes).
    Bytes(Vec<u8>),
    /// nchar, nvarchar, ntext, xml.
    Utf16(Vec<u16>),
    /// Days since 0001-01-01.
    Date(u32),
    /// Units of 100 ns since midnight.
    Time(u64),
    /// Days since 1900-01-01, 1/300 s since midnight.
    DateTime {
        days: i32,
        ticks: u32,
    },
    SmallDateTime {
        days: u16,
        minutes: u16,
    },
    /// Days since 0001-01-01, units of 100 ns since midnight.
    DateTime2 {
        days: u32,
        time: u64,
    },
    /// In UTC as datetime2, and the offset in minutes.
    DateTimeOffset {
        days: u32,
        time: u64,
        offset: i16,
    },
    /// In the order of its text form.
    Guid([u8; 16]),
}

#[derive(Debug, Clone, PartialEq)]
pub struct ResultColumn {
    /// Empty where the query gives none.
    pub name: String,
    pub kind: SqlType,
    pub nullable: bool,
}

/// One statement's answer.
pub enum Answer {
    Rows {
        columns: Vec<ResultColumn>,
        rows: Vec<Vec<Datum>>,
    },
    /// Rows affected.
    Done(u64),
}

/// An error as SQL Server numbers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError {
    pub number: u32,
    pub state: u8,
    pub class: u8,
    pub message: String,
}

/// One logged-in session. The wire calls it for each SQL batch (and each sp_executesql with its parameters already substituted
/// as literals), on a blocking thread.
pub trait Session: Send {
    /// Runs the statements of a batch in turn; stops after the first error. Each answer goes out as soon as it is there.
    fn run(&mut self, batch: &str, answer: &mut dyn FnMut(Result<Answer, SqlError>));
    /// What the login's database is called now.
    fn database(&self) -> String;
}

/// Opens sessions; checks the login.
pub trait Backend: Send + Sync {
    /// # Errors
    /// 18456 (login failed), 4060 (no such database).
    fn login(
        &self,
        user: &str,
        password: &str,
        database: &str,
        application: &str,
    ) -> Result<Box<dyn Session>, SqlError>;
}
