//! A city's mapping, checked: what text.rs, sources.rs and branches.rs make of the files, and what everything later reads.
//!
//! Always: every name in it exists (views, columns, national columns, functions, code lists, key domains, reasons), every expression
//! plans and has the type of its national column, no plan holds a float. Nothing later looks at the text again.
//! Must not know: how plans are run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::NaiveDate;

use super::pattern::Pattern;
use crate::functions::{
    Codes, Domains, Font, FunctionRegistry, FunctionSettings, NullTokens, Read, registry,
};

/// Why rows of a legacy table are not used by a branch: the closed list, with what each means.
pub const REASONS: &[(&str, &str)] = &[
    ("not_this_table", "the row belongs to another national table or branch, which maps it"),
    ("summary_row", "a total over other rows of the same table"),
    ("soft_deleted", "deleted in the legacy system: a flag says so, the row stayed"),
    ("superseded", "an older version of a row that the same table holds too"),
    ("not_migrated", "of an insurance, region or time that does not move to the national system"),
    ("decoy", "a test row, a copy or a remnant"),
    ("no_national_code", "an entry of the code table that no national code corresponds to"),
    ("no_part", "no part of a split branch has anything to say about the row"),
];

/// A reason from [`REASONS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Reason(pub(super) &'static str);

impl<'de> serde::Deserialize<'de> for Reason {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        Self::named(&name).ok_or_else(|| serde::de::Error::custom(format!("there is no reason {name}")))
    }
}

impl Reason {
    /// Rows of a split branch without any part.
    pub const NO_PART: Self = Self("no_part");
    /// Rows that another branch is to take.
    pub const NOT_THIS_TABLE: Self = Self("not_this_table");

    /// The reason of that name.
    pub fn named(name: &str) -> Option<Self> {
        REASONS.iter().find(|(n, _)| *n == name).map(|(n, _)| Self(n))
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.0
    }
}

/// Everything that is particular to one city.
#[derive(Debug, Clone)]
pub struct City {
    pub id: String,
    pub name: String,
    /// Ids of its legacy databases.
    pub source_ids: Vec<String>,
    /// Layer 1.
    pub sources: Vec<SourceView>,
    /// Layer 2, in load order of the national tables.
    pub tables: Vec<TableMapping>,
    pub ignore: Vec<Ignore>,
    pub domains: Arc<Domains>,
    pub font: Arc<Font>,
    pub codes: Arc<Codes>,
    /// SHA-256 over every file of the folder, names and bytes, in name order.
    pub digest: String,
}

impl City {
    /// The functions over this city's data; `as_of` stands for today.
    pub fn functions(&self, as_of: NaiveDate) -> FunctionRegistry {
        registry(&FunctionSettings { domains: self.domains.clone(), codes: self.codes.clone(), as_of })
    }

    /// The layer-1 view of that name.
    pub fn view(&self, name: &str) -> Option<&SourceView> {
        self.sources.iter().find(|v| v.name == name)
    }

    /// The layer-1 view that reads a legacy table.
    pub fn view_of(&self, source_id: &str, legacy_table: &str) -> Option<&SourceView> {
        self.sources.iter().find(|v| v.source == source_id && v.matches(legacy_table))
    }

    /// Whether any list, of the city or the national schema, holds a value.
    pub fn knows_code(&self, value: &str) -> bool {
        let value = value.trim();
        let held = |list: &Arc<crate::functions::CodeList>| list.translate(value).is_some();
        self.codes.lists.values().any(held)
            || self.codes.national.values().any(|codes| codes.contains(value))
            || self.codes.names.contains(value)
    }

    /// Why a legacy table is not mapped at all.
    pub fn ignored(&self, legacy_table: &str) -> Option<&Ignore> {
        self.ignore.iter().find(|i| i.table.matches(legacy_table))
    }
}

/// Legacy tables that are not mapped.
#[derive(Debug, Clone)]
pub struct Ignore {
    pub table: Pattern,
    pub reason: String,
    /// Where it is written: `mappings/baicheng/city.toml:12`.
    pub place: String,
}

/// Which data dictionary a legacy table follows (reference 0.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    G1,
    G2,
    G3,
}

impl Generation {
    /// The generation of that name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "G1" => Some(Self::G1),
            "G2" => Some(Self::G2),
            "G3" => Some(Self::G3),
            _ => None,
        }
    }
}

/// Layer 1 of one legacy table or family.
#[derive(Debug, Clone)]
pub struct SourceView {
    /// The file's stem, by which layer 2 names it.
    pub name: String,
    /// Id of the legacy database.
    pub source: String,
    pub tables: Pattern,
    /// Layer-1 columns of the legacy key.
    pub key: Vec<String>,
    /// Whether that key names one row; else `_skey` gets an occurrence.
    pub unique: bool,
    pub generation: Generation,
    /// In file order.
    pub columns: Vec<LayerOne>,
    pub measures: Option<MeasureSpec>,
    pub path: PathBuf,
}

impl SourceView {
    /// Whether it reads that legacy table.
    pub fn matches(&self, legacy_table: &str) -> bool {
        self.tables.matches(legacy_table)
    }

    /// The layer-1 column of that name, skipped ones too.
    pub fn column(&self, name: &str) -> Option<&LayerOne> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// The columns that are read.
    pub fn read_columns(&self) -> impl Iterator<Item = (&LayerOne, &Viewed)> {
        self.columns.iter().filter_map(|c| match &c.reading {
            Reading::Viewed(viewed) => Some((c, viewed)),
            Reading::Skip(_) => None,
        })
    }

    /// `_source`, `_skey`, and the columns that are read, in file order: what layer 2 sees.
    pub fn typed_schema(&self) -> SchemaRef {
        let mut fields =
            vec![Field::new("_source", DataType::Utf8, false), Field::new("_skey", DataType::Utf8, false)];
        fields.extend(self.read_columns().map(|(c, v)| Field::new(&c.name, v.read.gives(), true)));
        Arc::new(Schema::new(fields))
    }
}

/// One layer-1 column.
#[derive(Debug, Clone)]
pub struct LayerOne {
    pub name: String,
    /// The legacy column that it reads; by default of the same name.
    pub from: String,
    pub reading: Reading,
    /// How its values are masked where people look: name, id, phone, account, address, none.
    pub mask: Option<String>,
}

/// What happens to a legacy column.
#[derive(Debug, Clone)]
pub enum Reading {
    Viewed(Viewed),
    /// Not read, and why.
    Skip(String),
}

/// How a legacy column is read.
#[derive(Debug, Clone)]
pub struct Viewed {
    pub read: Read,
    /// The city's, the table's and the column's null tokens.
    pub nulls: NullTokens,
    /// The code list by name, where it is read through one.
    pub codes: Option<String>,
}

/// What is summed of a legacy table.
#[derive(Debug, Clone)]
pub struct MeasureSpec {
    /// Legacy columns, in the source's own spelling: asked of the source by SQL.
    pub by: Vec<String>,
    /// SQL over layer-1 columns, national terms.
    pub insurance: Option<String>,
    /// SQL over layer-1 columns, yyyymm.
    pub period: Option<String>,
    /// Layer-1 columns that are money.
    pub amounts: Vec<String>,
    /// Those of them that feed no national measure, and why.
    pub not_mapped: BTreeMap<String, String>,
}

/// Layer 2 of one national table.
#[derive(Debug, Clone)]
pub struct TableMapping {
    /// The national table.
    pub table: String,
    /// Its key columns, in order.
    pub key: Vec<String>,
    pub branches: Vec<Branch>,
    pub path: PathBuf,
}

/// A view under an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Legacy {
    pub view: String,
    pub alias: String,
}

/// A declared n:1 left join: `alias.column = expression` for each pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    pub legacy: Legacy,
    /// SQL after ON.
    pub on: String,
    /// Columns of the joined view that the ON compares: its rows must be unique by them.
    pub columns: Vec<String>,
}

/// Rows that a branch leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// SQL: rows for which it is not true are left out.
    pub sql: String,
    pub reason: Reason,
}

/// One way from a legacy table (or family) to a national table.
#[derive(Debug, Clone)]
pub struct Branch {
    /// Folder name, unique in its file.
    pub name: String,
    /// The first alias: it drives the lineage.
    pub from: Legacy,
    pub joins: Vec<Join>,
    pub filter: Option<LeftOut>,
    pub shape: Shape,
    pub columns: Vec<Mapped>,
}

/// The grain of a branch.
#[derive(Debug, Clone)]
pub enum Shape {
    /// One row from one row.
    Row,
    /// A row from each part that is true of a row.
    Split(Vec<Part>),
    /// One row from several.
    Group(Group),
}

/// A part of a split branch.
#[derive(Debug, Clone)]
pub struct Part {
    pub name: String,
    /// SQL: the part is empty where not true.
    pub when: String,
    pub columns: Vec<Mapped>,
}

/// What a group branch groups by.
#[derive(Debug, Clone)]
pub struct Group {
    pub by: Vec<String>,
    /// A second row of the same group and occurrence opens a second group.
    pub occurrence: Vec<String>,
}

/// One national column of a branch.
#[derive(Debug, Clone)]
pub struct Mapped {
    pub column: String,
    pub content: Content,
    /// Whether the national column is a measure.
    pub measure: bool,
    /// The layer-1 columns that its expression refers to.
    pub refers: Vec<ColumnRef>,
}

/// Where a national column comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// SQL over the branch's aliases; `basis` where it derives.
    Sql { sql: String, basis: Option<String> },
    /// The city does not have it, and why.
    Absent(String),
}

/// A column of a view, by alias.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ColumnRef {
    pub alias: String,
    pub column: String,
}

/// Source amounts and national measures that belong together: Σ amounts = Σ measures over the rows used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmountComponent {
    /// Layer-1 columns of the first alias, ascending.
    pub amounts: Vec<String>,
    /// National columns, ascending.
    pub measures: Vec<String>,
}

impl Branch {
    /// Every mapped column: the branch's, then each part's.
    pub fn all_columns(&self) -> impl Iterator<Item = &Mapped> {
        let parts = match &self.shape {
            Shape::Split(parts) => parts.as_slice(),
            Shape::Row | Shape::Group(_) => &[],
        };
        self.columns.iter().chain(parts.iter().flat_map(|p| &p.columns))
    }

    /// National columns that this branch declares absent.
    pub fn absent_columns(&self) -> Vec<&str> {
        let absent = self.all_columns().filter(|c| matches!(c.content, Content::Absent(_)));
        absent.map(|c| c.column.as_str()).collect()
    }

    fn takes(&self, mapped: &Mapped, layer_one: &str) -> bool {
        mapped.refers.iter().any(|r| r.alias == self.from.alias && r.column == layer_one)
    }

    /// Whether money of a declared amount arrives in a national measure of this branch.
    pub fn carries(&self, view: &SourceView, amount: &str) -> bool {
        self.amount_components(view).iter().any(|c| c.amounts.iter().any(|a| a == amount))
    }

    /// Whether a row that it does not take is its own decision: every row is taken, or left out for another reason than that another
    /// branch maps it.
    pub fn decides_all_rows(&self) -> bool {
        self.filter.as_ref().is_none_or(|f| f.reason != Reason::NOT_THIS_TABLE)
    }

    /// The national columns on which a read error about a layer-1 column becomes a finding: those that refer to it through the first
    /// alias. Ascending, each once.
    pub fn read_error_columns(&self, layer_one: &str) -> Vec<&str> {
        let taking = self.all_columns().filter(|m| self.takes(m, layer_one));
        taking.map(|m| m.column.as_str()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The national columns on which a read error of layer 2 becomes a finding, by what the read error calls its column: `TABLE.COLUMN` is that
    /// column, `TABLE.join r` every column that refers to `r`. What a condition refused left its row out: it has none.
    pub fn own_columns(&self, table: &str) -> BTreeMap<String, Vec<String>> {
        let mut own: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for mapped in self.all_columns() {
            own.entry(format!("{table}.{}", mapped.column)).or_default().insert(mapped.column.clone());
            for join in &self.joins {
                if mapped.refers.iter().any(|r| r.alias == join.legacy.alias) {
                    let name = format!("{table}.join {}", join.legacy.alias);
                    own.entry(name).or_default().insert(mapped.column.clone());
                }
            }
        }
        own.into_iter().map(|(name, columns)| (name, columns.into_iter().collect())).collect()
    }

    /// Connected components of {`amounts`: the view's money columns} ↔ {national measures of this branch}. An amount that feeds no
    /// measure, and a measure that no amount feeds, are in none.
    pub fn amount_components(&self, view: &SourceView) -> Vec<AmountComponent> {
        let amounts = view.measures.as_ref().map_or(&[][..], |m| m.amounts.as_slice());
        let mut feeds: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for mapped in self.all_columns().filter(|m| m.measure) {
            let from = amounts.iter().filter(|a| self.takes(mapped, a)).map(String::as_str);
            feeds.entry(&mapped.column).or_default().extend(from);
        }
        let mut components: Vec<(BTreeSet<&str>, BTreeSet<&str>)> = Vec::new();
        for (measure, from) in feeds.into_iter().filter(|(_, from)| !from.is_empty()) {
            let (touching, mut apart): (Vec<_>, Vec<_>) =
                components.into_iter().partition(|(amounts, _)| !amounts.is_disjoint(&from));
            let mut joined = (from, BTreeSet::from([measure]));
            for (amounts, measures) in touching {
                joined.0.extend(amounts);
                joined.1.extend(measures);
            }
            apart.push(joined);
            components = apart;
        }
        components.sort();
        let names = |set: BTreeSet<&str>| set.into_iter().map(str::to_owned).collect();
        components
            .into_iter()
            .map(|(a, m)| AmountComponent { amounts: names(a), measures: names(m) })
            .collect()
    }
}
