//! The national schema and its code lists, loaded from `mappings/national/` and checked.
//!
//! Always: what is handed out is consistent: every key, parent, code list and rule that is named exists, parents come before
//! children, predicates name columns of their table. Nothing later looks at the files again.
//! Must not know: any city.

mod check;
mod fault;
mod figures;
mod file;
mod units;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

pub use fault::{NationalError, NationalFault};
pub use file::load;

/// The national schema.
#[derive(Debug, Clone)]
pub struct National {
    /// In load order.
    pub tables: Vec<Table>,
    /// Code lists by name (`AAC004`).
    pub codes: BTreeMap<String, CodeList>,
    pub gate: GateFile,
    /// Rules that the structural check names, by id.
    pub rules: BTreeMap<String, Rule>,
    pub traps: Vec<Trap>,
    /// Common lists by name (`G2/AAC008`).
    pub crosswalks: BTreeMap<String, Crosswalk>,
    pub length_in: LengthIn,
    /// Plausible amounts, by which yuan and fen are told apart.
    pub units: Vec<UnitCheck>,
    /// What the first screen of a run's page counts by insurance.
    pub figures: Vec<Figure>,
    /// Variants of characters in names (`tables/name_variants.csv`): variant and character.
    pub name_variants: BTreeMap<char, char>,
    /// SHA-256 over every file of the folder.
    pub digest: String,
}

/// What a length counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LengthIn {
    Characters,
    Bytes,
}

/// One national table.
#[derive(Debug, Clone)]
pub struct Table {
    pub name: String,
    /// Chinese name.
    pub title: String,
    /// Section of the reference (`T05`).
    pub section: String,
    pub standing: String,
    pub key: Vec<String>,
    /// By what people tell its rows apart, besides person and unit; where the file does not say: what of the key is no id.
    pub natural: Vec<String>,
    /// Working tables (`W_…`) are not uploaded.
    pub upload: bool,
    /// SQL, true or false; rows outside are excluded at the gate. A row with a code that its national list does not have is inside.
    pub scope: Option<String>,
    /// Columns by which measures are summed.
    pub insurance: Option<String>,
    pub period: Option<String>,
    pub parents: Vec<Parent>,
    /// In file order, then the common ones.
    pub columns: Vec<Column>,
}

/// A foreign key (reference 9.9).
#[derive(Debug, Clone)]
pub struct Parent {
    pub columns: Vec<String>,
    pub table: String,
    /// MIS-01 (person), MIS-02 (unit), STR-06 (other).
    pub rule: String,
    /// SQL: rows that it holds for.
    pub when: Option<String>,
}

/// How firmly a column must be filled (reference 9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mandatory {
    Hard,
    Soft,
    No,
}

/// How a value is masked wherever people look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mask {
    Name,
    Id,
    Phone,
    Account,
    Address,
    /// Any other text of people: wholly.
    Text,
    None,
}

/// The type of a national column (FORMS 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Id,
    Text(u32),
    Date,
    Period,
    Time,
    Money,
    Rate {
        precision: u8,
        scale: i8,
    },
    /// Digits.
    Int(u32),
}

impl Kind {
    /// The type of that spelling: `money`, `text(18)`.
    pub fn named(text: &str) -> Option<Self> {
        file::kind(text)
    }

    /// Its Arrow type.
    pub fn arrow(self) -> DataType {
        match self {
            Self::Id => DataType::Int64,
            Self::Text(_) => DataType::Utf8,
            Self::Date => DataType::Date32,
            Self::Period | Self::Int(_) => DataType::Int32,
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Money => DataType::Decimal128(16, 2),
            Self::Rate { precision, scale } => DataType::Decimal128(precision, scale),
        }
    }
}

/// One national column.
#[derive(Debug, Clone)]
pub struct Column {
    pub code: String,
    /// Chinese name.
    pub title: String,
    pub kind: Kind,
    pub mandatory: Mandatory,
    /// SQL: mandatory where it holds (STR-04).
    pub when: Option<String>,
    /// The rule that names its emptiness, where it is not STR-03.
    pub empty: Option<String>,
    pub codes: Option<String>,
    /// Money that is reconciled.
    pub measure: bool,
    pub unit: Option<String>,
    pub mask: Mask,
    pub source: String,
    pub standing: String,
}

/// A national code list: code → name, source, standing.
#[derive(Debug, Clone, Default)]
pub struct CodeList {
    pub codes: BTreeMap<String, Code>,
}

/// One code.
#[derive(Debug, Clone)]
pub struct Code {
    pub name: String,
    pub source: String,
    pub standing: String,
}

/// A common list from an older generation: legacy value → national code (empty: declared to mean nothing).
#[derive(Debug, Clone, Default)]
pub struct Crosswalk {
    pub codes: BTreeMap<String, String>,
}

/// A rule's title and severity.
#[derive(Debug, Clone)]
pub struct Rule {
    /// B, E, W or I.
    pub severity: String,
    pub title_zh: String,
    pub title_en: String,
}

/// A code that means different things in two generations (reference 0.3).
#[derive(Debug, Clone)]
pub struct Trap {
    pub code: String,
    pub g2: String,
    pub g3: String,
    pub remedy: String,
}

/// A plausible range of amounts, row by row: of their sum in yuan, or of its share in other amounts of the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitCheck {
    pub table: String,
    /// Money columns that are added up.
    pub amounts: Vec<String>,
    /// Money columns that they are divided by; none: yuan.
    pub per: Vec<String>,
    /// How often `per` (or one yuan) counts: months where it is of one month, heads where it is of one; NULL and 0 are one.
    pub times: Option<String>,
    /// By year; they do not overlap.
    pub ranges: Vec<UnitRange>,
}

/// The range of some years, both ends inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitRange {
    pub from: i32,
    pub to: i32,
    /// In 1/10000.
    pub min: i64,
    /// In 1/10000; less than 100 × `min`.
    pub max: i64,
}

impl UnitCheck {
    /// `AC43.AAE022/AAE180`.
    pub fn name(&self) -> String {
        let per = if self.per.is_empty() { String::new() } else { format!("/{}", self.per.join("+")) };
        format!("{}.{}{per}", self.table, self.amounts.join("+"))
    }
}

/// A figure of the first screen: a number of different keys, or a sum of money, by insurance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// `persons`, `contributions`.
    pub id: String,
    pub table: String,
    pub insurance: FigureInsurance,
    /// One key, or measures that are added up.
    pub columns: Vec<String>,
    /// Whether they are money.
    pub money: bool,
    pub title_zh: String,
    pub title_en: String,
}

/// Where the insurance of a figure stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FigureInsurance {
    Column(String),
    /// The same for every row.
    Code(String),
}

/// How firm the column of a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Degree {
    Hard,
    Soft,
    Any,
}

impl Degree {
    /// As written in gate.csv and findings.
    pub fn text(self) -> &'static str {
        match self {
            Self::Hard => "hard",
            Self::Soft => "soft",
            Self::Any => "*",
        }
    }
}

/// What an open finding does to its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    Block,
    Mark,
    Count,
}

impl Gate {
    /// As written in gate.csv and findings.
    pub fn text(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Mark => "mark",
            Self::Count => "count",
        }
    }
}

/// gate.csv: what blocks is data (reference 9.1).
#[derive(Debug, Clone, Default)]
pub struct GateFile {
    lines: BTreeMap<(String, &'static str), Gate>,
}

impl GateFile {
    /// The rules that it names.
    pub fn rules(&self) -> impl Iterator<Item = &str> {
        self.lines.keys().map(|(rule, _)| rule.as_str())
    }

    /// What a finding of `rule` on a column of that degree does; None where gate.csv does not say.
    pub fn decide(&self, rule: &str, degree: Degree) -> Option<Gate> {
        let line = |degree: &'static str| self.lines.get(&(rule.to_owned(), degree)).copied();
        line(degree.text()).or_else(|| line(Degree::Any.text()))
    }
}

impl National {
    /// The table of that name.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|t| t.name == name)
    }

    /// Whether the gate lets no row through in which the column is empty (where its condition holds).
    pub fn is_required(&self, column: &Column) -> bool {
        let hard = column.mandatory == Mandatory::Hard;
        match (&column.when, &column.empty) {
            (Some(_), _) => self.blocks("STR-04"),
            (None, Some(rule)) => hard && self.blocks(rule),
            (None, None) => hard && self.blocks("STR-03"),
        }
    }

    /// Columns of a table that no accepted row leaves empty, whatever the reason: not filled, not read, not translated.
    pub fn filled(&self, table: &Table) -> Vec<String> {
        let all = self.blocks("STR-01") && self.blocks("FIX-10");
        let columns = table.columns.iter().filter(|c| all && c.when.is_none() && self.is_required(c));
        columns.map(|c| c.code.clone()).collect()
    }

    fn blocks(&self, rule: &str) -> bool {
        self.gate.decide(rule, Degree::Hard) == Some(Gate::Block)
    }
}

impl Table {
    /// The column of that code.
    pub fn column(&self, code: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.code == code)
    }

    /// A part's columns with what they mean, for whoever opens it without qianyi: Chinese `name`, `unit`, code list (`codes`). Those that are
    /// `filled` are never NULL.
    pub fn described(&self, schema: &Schema, filled: &[String]) -> SchemaRef {
        let field = |field: &Arc<Field>| {
            let Some(column) = self.column(field.name()) else { return field.clone() };
            let told = [
                ("name", Some(&column.title)),
                ("unit", column.unit.as_ref()),
                ("codes", column.codes.as_ref()),
            ];
            let told = told.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.clone())));
            let nullable = field.is_nullable() && !filled.contains(&column.code);
            Arc::new(field.as_ref().clone().with_metadata(told.collect()).with_nullable(nullable))
        };
        Arc::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
    }

    /// The columns of a mapped row: the national ones in order, all nullable, then `_key`, `_source`, `_skey`.
    pub fn mapped_schema(&self) -> SchemaRef {
        let mut fields: Vec<Field> =
            self.columns.iter().map(|c| Field::new(&c.code, c.kind.arrow(), true)).collect();
        fields.push(Field::new("_key", DataType::Utf8, true));
        fields.push(Field::new("_source", DataType::Utf8, false));
        fields.push(Field::new("_skey", DataType::Utf8, true));
        Arc::new(Schema::new(fields))
    }
}
