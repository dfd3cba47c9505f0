//! Mapping cases as text: one file holds the national tables, the city's files, the raw rows and what must come out.
//!
//! Sections start with `=== name`. Given: `national.toml`, `city.toml`, `sources/….toml`, `codes/….csv`, `<NATIONAL>.toml`, `raw/<TABLE>.csv`
//! (the header has `name:type`, `∅` is NULL, `x'hex'` are bytes that did not decode, a line `---` begins the next part). Expected: `expect/…`.
//! With QIANYI_REWRITE_CASES=1 the expected sections are written again, for a person to read.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BinaryArray, Decimal128Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono_tz::Tz;
use qianyi::dataset;
use qianyi::encoding::{ENCODING_KEY, TIME_ZONE_KEY};
use qianyi::engine::{Engine, EngineSettings};
use qianyi::mapping::{self, City, Layer1Out, LegacyTable, MappedOut, TypedTables};
use qianyi::national::{
    CodeList, Column, Crosswalk, GateFile, Kind, LengthIn, Mandatory, Mask, National, Table, Trap,
};
use qianyi::source::LegacyType;
use serde::Deserialize;

use super::write_part;

/// Sections by name, in the order of the file.
struct Case {
    path: PathBuf,
    head: String,
    sections: Vec<(String, String)>,
}

impl Case {
    fn read(path: &Path) -> Self {
        Self::parse(path, &std::fs::read_to_string(path).unwrap())
    }

    fn parse(path: &Path, text: &str) -> Self {
        let mut pieces = text.split("\n=== ");
        let head = pieces.next().unwrap().to_owned();
        let section = |piece: &str| {
            let (name, body) = piece.split_once('\n').unwrap_or((piece, ""));
            let body = body.trim_end_matches('\n');
            let body = if body.is_empty() { String::new() } else { format!("{body}\n") };
            (name.trim().to_owned(), body)
        };
        Self { path: path.to_owned(), head, sections: pieces.map(section).collect() }
    }

    fn under(&self, prefix: &str) -> BTreeMap<String, String> {
        let own = self.sections.iter().filter_map(|(n, body)| Some((n.strip_prefix(prefix)?, body)));
        own.map(|(n, body)| (n.to_owned(), body.clone())).collect()
    }

    fn rewrite(&self, found: &BTreeMap<String, String>) {
        let mut text = self.head.clone();
        for (name, body) in self.sections.iter().filter(|(n, _)| !n.starts_with("expect/")) {
            let _ = write!(text, "\n=== {name}\n{body}");
        }
        for (name, body) in found {
            let _ = write!(text, "\n=== expect/{name}\n{body}");
        }
        std::fs::write(&self.path, text).unwrap();
    }
}

/// Bytes of a case's engine.
const MEMORY: u64 = 1 << 30;

/// What a case that a test wrote comes to in so many bytes of memory.
pub fn found(text: &str, memory: u64) -> BTreeMap<String, String> {
    outcome(&Case::parse(Path::new("written by a test"), text), 7, memory).0
}

/// Runs a case with 1 and with 7 partitions: the same bytes, and what the case expects.
pub fn check(path: &Path) {
    let case = Case::read(path);
    let (one, bytes) = outcome(&case, 1, MEMORY);
    let (seven, again) = outcome(&case, 7, MEMORY);
    assert_eq!(bytes, again, "{}: 1 and 7 partitions give different bytes", path.display());
    assert_eq!(one, seven, "{}", path.display());
    if std::env::var_os("QIANYI_REWRITE_CASES").is_some() {
        case.rewrite(&one);
        return;
    }
    let expected = case.under("expect/");
    for name in one.keys().chain(expected.keys()) {
        assert_eq!(one.get(name), expected.get(name), "{}: {name}", path.display());
    }
}

/// Every case of a folder.
pub fn check_all(folder: &str) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases").join(folder);
    let mut paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "case"));
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        check(&path);
    }
}

fn outcome(case: &Case, partitions: usize, memory: u64) -> (BTreeMap<String, String>, Vec<String>) {
    let work = tempfile::tempdir().unwrap();
    let city_dir = work.path().join("city");
    for (name, body) in
        case.sections.iter().filter(|(n, _)| !n.starts_with("expect/") && !n.starts_with("raw/"))
    {
        let path = city_dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        if name != "national.toml" {
            std::fs::write(path, body).unwrap();
        }
    }
    let national = national(&case.under("")["national.toml"]);
    let mut found = BTreeMap::new();
    match mapping::load(&city_dir, &national) {
        Err(errors) => {
            let root = format!("{}/", city_dir.display());
            let line = |f: &mapping::MappingFault| {
                let hint = f.hint.as_ref().map(|h| format!("\n  hint: {h}")).unwrap_or_default();
                format!("{} {}:{} {}{hint}\n", f.mistake.code(), f.file.replace(&root, ""), f.line, f.message)
            };
            found.insert("faults".to_owned(), errors.faults.iter().map(line).collect());
            (found, Vec::new())
        }
        Ok(city) => {
            let raw = raw(case, &work.path().join("raw"));
            let settings = EngineSettings { memory, spill: work.path().join("spill"), partitions };
            let bytes = run(&city, &national, &raw, work.path(), settings, &mut found);
            (found, bytes)
        }
    }
}

fn run(
    city: &City,
    national: &National,
    raw: &[LegacyTable],
    work: &Path,
    settings: EngineSettings,
    found: &mut BTreeMap<String, String>,
) -> Vec<String> {
    let as_of = chrono::NaiveDate::from_ymd_opt(2021, 5, 31).unwrap();
    let engine = Engine::start(settings, city.functions(as_of)).unwrap();
    let mut digests = Vec::new();
    let mut typed = TypedTables::default();
    for legacy in raw {
        let view = city.view_of(&legacy.source_id, &legacy.name).unwrap();
        let out = Layer1Out {
            typed: work.join("typed").join(&legacy.name),
            read_errors: work.join("read_errors").join(&legacy.name),
        };
        match mapping::read_layer1(&engine, city, view, legacy, &out) {
            Ok(report) => {
                digests.extend(report.typed.iter().chain(&report.read_errors).map(|p| p.sha256.clone()));
                found.insert(format!("typed/{}.csv", legacy.name), csv_of(&out.typed));
                found.insert(format!("read_errors/{}.csv", legacy.name), csv_of(&out.read_errors));
                if !report.rounding.is_empty() {
                    let line = |(c, r): (&String, &mapping::Rounding)| {
                        format!("{c}: {} rows, {}\n", r.rows, r.shift)
                    };
                    found.insert(
                        format!("rounding/{}", legacy.name),
                        report.rounding.iter().map(line).collect(),
                    );
                }
                typed.add(legacy, out.typed);
            }
            Err(e) => {
                found.insert(format!("typed/{}.error", legacy.name), format!("{e}\n"));
            }
        }
    }
    for table in &city.tables {
        for branch in &table.branches {
            let view = city.view(&branch.from.view).unwrap();
            let name = format!("{}.{}", table.table, branch.name);
            let dir = |kind: &str| work.join(kind).join(&table.table).join(&branch.name);
            let out = MappedOut {
                mapped: dir("mapped"),
                lineage: dir("lineage"),
                read_errors: dir("read_errors/mapped"),
            };
            let mut counts = String::new();
            for legacy in raw.iter().filter(|l| view.matches(&l.name)) {
                let result =
                    mapping::translate(&engine, city, national, table, branch, &legacy.name, &typed, &out);
                match result {
                    Ok(r) => {
                        digests.extend(
                            r.parts.iter().chain(&r.lineage).chain(&r.read_errors).map(|p| p.sha256.clone()),
                        );
                        let _ = write!(
                            counts,
                            "{}: {} rows, {} used, {} mapped",
                            legacy.name, r.total, r.used, r.rows
                        );
                        for (reason, n) in &r.left_out {
                            let _ = write!(counts, ", {n} {}", reason.name());
                        }
                        counts.push('\n');
                    }
                    Err(e) => {
                        let _ = writeln!(counts, "{}: {e}", legacy.name);
                    }
                }
            }
            found.insert(format!("mapped/{name}.counts"), counts);
            found.insert(format!("mapped/{name}.csv"), csv_of(&out.mapped));
            if out.read_errors.exists() {
                found.insert(format!("read_errors/{name}.csv"), csv_of(&out.read_errors));
            }
            if out.lineage.exists() {
                found.insert(format!("lineage/{name}.csv"), csv_of(&out.lineage));
            }
        }
    }
    digests
}

/// The rows of a dataset as CSV, columns that are NULL throughout left out; NULL is `∅`.
fn csv_of(dir: &Path) -> String {
    let Ok(parts) = dataset::parts(dir) else { return String::new() };
    let mut columns: Vec<(String, Vec<String>)> = Vec::new();
    for part in &parts {
        for batch in dataset::read_part(part).unwrap() {
            let batch = batch.unwrap();
            let options = FormatOptions::default().with_null("∅");
            for (i, field) in batch.schema().fields().iter().enumerate() {
                let array = batch.column(i);
                let formatter = ArrayFormatter::try_new(array.as_ref(), &options).unwrap();
                let cell = |row| match array.data_type() {
                    DataType::Binary => String::from_utf8(array.as_binary::<i32>().value(row).to_vec())
                        .unwrap_or_else(|_| formatter.value(row).to_string()),
                    _ => formatter.value(row).to_string(),
                };
                if columns.len() <= i {
                    columns.push((field.name().clone(), Vec::new()));
                }
                columns[i].1.extend((0..batch.num_rows()).map(cell));
            }
        }
    }
    columns.retain(|(_, values)| values.iter().any(|v| v != "∅"));
    let mut out = csv::WriterBuilder::new().from_writer(Vec::new());
    if columns.is_empty() {
        return String::new();
    }
    out.write_record(columns.iter().map(|(n, _)| n)).unwrap();
    for row in 0..columns[0].1.len() {
        out.write_record(columns.iter().map(|(_, v)| &v[row])).unwrap();
    }
    String::from_utf8(out.into_inner().unwrap()).unwrap()
}

/// The raw parts of a case.
fn raw(case: &Case, dir: &Path) -> Vec<LegacyTable> {
    let mut tables = Vec::new();
    for (name, body) in case.under("raw/") {
        let table = name.trim_end_matches(".csv").to_owned();
        let folder = dir.join(&table);
        std::fs::create_dir_all(&folder).unwrap();
        let (header, rows) = body.split_once('\n').unwrap();
        let mut parts = Vec::new();
        for (no, rows) in rows.split("---\n").enumerate() {
            let batch = batch(&format!("{header}\n{rows}"));
            // As an increment leaves them: parts of several extracts have the same names.
            let path = folder.join(format!("e{no:04}")).join("000001.parquet");
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            write_part(&path, &batch);
            parts.push(path);
        }
        tables.push(LegacyTable { source_id: "ylbx".to_owned(), name: table, parts });
    }
    tables
}

/// A column of a raw table in a case: `NAME:type`, with `!` where values that do not fit may stand beside it (`~infinity`), and
/// `@encoding` of its bytes; `@` alone: the encoding is not said.
struct RawColumn {
    name: String,
    kind: LegacyType,
    encoding: Option<String>,
}

impl RawColumn {
    fn read(text: &str) -> Self {
        let (name, declared) = text.split_once(':').unwrap();
        let (declared, encoding) = match declared.split_once('@') {
            Some((declared, encoding)) => (declared, Some(encoding.to_owned())),
            None => (declared, None),
        };
        let (declared, loose) = declared.strip_suffix('!').map_or((declared, false), |d| (d, true));
        let zone = Tz::Asia__Shanghai;
        let kind = match declared {
            "instant" => LegacyType::Instant(zone),
            _ if declared.contains(";-") => {
                let (precision, scale) =
                    declared["numeric(".len()..].trim_end_matches(')').split_once(';').unwrap();
                LegacyType::Numeric { precision: precision.parse().unwrap(), scale: scale.parse().unwrap() }
            }
            _ => LegacyType::parse(&declared.replace(';', ","), zone).unwrap(),
        };
        let default = kind.is_text().then(|| "gb18030".to_owned()).or(loose.then(|| "utf-8".to_owned()));
        Self { name: name.to_owned(), kind, encoding: encoding.or(default) }
    }
}

fn batch(csv: &str) -> RecordBatch {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().unwrap().clone();
    let records: Vec<_> = reader.records().map(|r| r.unwrap()).collect();
    let (mut fields, mut arrays): (Vec<Field>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
    for (i, column) in header.iter().enumerate() {
        let RawColumn { name, kind, encoding } = RawColumn::read(column);
        let cells: Vec<Option<&str>> = records.iter().map(|r| Some(&r[i]).filter(|c| *c != "∅")).collect();
        let bytes: Vec<Option<Vec<u8>>> = cells.iter().map(|c| c.and_then(beside)).collect();
        let text: StringArray = cells.iter().zip(&bytes).map(|(c, b)| c.filter(|_| b.is_none())).collect();
        arrays.push(values(&text, kind));
        let field = Field::new(&name, kind.arrow(), true);
        fields.push(match kind {
            LegacyType::Offset(zone) => {
                field.with_metadata([(TIME_ZONE_KEY.to_owned(), zone.name().to_owned())].into())
            }
            _ => field,
        });
        if let Some(encoding) = encoding {
            arrays.push(Arc::new(BinaryArray::from_iter(bytes)));
            let said = (!encoding.is_empty()).then(|| (ENCODING_KEY.to_owned(), encoding));
            let bytes = Field::new(format!("{name}__b"), DataType::Binary, true);
            fields.push(bytes.with_metadata(said.into_iter().collect()));
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

fn values(text: &StringArray, kind: LegacyType) -> ArrayRef {
    match kind {
        LegacyType::Numeric { precision, scale } if scale < 0 => {
            let unscaled = text
                .iter()
                .map(|t| t.map(|t| t.parse::<i128>().unwrap() / 10_i128.pow(scale.unsigned_abs().into())));
            let numbers: Decimal128Array = unscaled.collect();
            Arc::new(numbers.with_precision_and_scale(precision, scale).unwrap())
        }
        _ => cast(text, &kind.arrow()).unwrap(),
    }
}

/// What stands in the companion of a column.
fn beside(cell: &str) -> Option<Vec<u8>> {
    cell.strip_prefix('~').map(|written| written.as_bytes().to_vec()).or_else(|| hexed(cell))
}

fn hexed(cell: &str) -> Option<Vec<u8>> {
    let hex = cell.strip_prefix("x'")?.strip_suffix('\'')?;
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).ok()).collect()
}

#[derive(Deserialize)]
struct NationalText {
    table: BTreeMap<String, TableText>,
    #[serde(default)]
    crosswalk: BTreeMap<String, BTreeMap<String, String>>,
    #[serde(default)]
    codes: BTreeMap<String, Vec<String>>,
    /// code, G2, G3, remedy
    #[serde(default)]
    traps: Vec<[String; 4]>,
}

#[derive(Deserialize)]
struct TableText {
    key: Vec<String>,
    /// `CODE type degree [measure] [codes]`; `codes`: of the code list of its name
    columns: Vec<String>,
}

/// The national tables of a case.
pub fn national(text: &str) -> National {
    let text: NationalText = toml::from_str(text).unwrap();
    let tables = text.table.into_iter().map(|(name, t)| {
        let columns = t.columns.iter().map(|c| column(c)).collect();
        Table {
            name,
            title: String::new(),
            section: "T00".to_owned(),
            standing: "seen".to_owned(),
            natural: Vec::new(),
            key: t.key,
            upload: true,
            scope: None,
            insurance: None,
            period: None,
            parents: Vec::new(),
            columns,
        }
    });
    let list = |codes: Vec<String>| CodeList {
        codes: codes
            .into_iter()
            .map(|c| {
                let [name, source, standing] = [(); 3].map(|()| String::new());
                (c, qianyi::national::Code { name, source, standing })
            })
            .collect(),
    };
    National {
        tables: tables.collect(),
        codes: text.codes.into_iter().map(|(n, c)| (n, list(c))).collect(),
        gate: GateFile::default(),
        rules: BTreeMap::new(),
        traps: text.traps.into_iter().map(|[code, g2, g3, remedy]| Trap { code, g2, g3, remedy }).collect(),
        crosswalks: text
            .crosswalk
            .into_iter()
            .map(|(n, codes)| (format!("G2/{n}"), Crosswalk { codes }))
            .collect(),
        length_in: LengthIn::Characters,
        units: Vec::new(),
        figures: Vec::new(),
        name_variants: BTreeMap::new(),
        digest: String::new(),
    }
}

fn column(text: &str) -> Column {
    let words: Vec<&str> = text.split_whitespace().collect();
    let kind = match words[1] {
        "id" => Kind::Id,
        "date" => Kind::Date,
        "period" => Kind::Period,
        "time" => Kind::Time,
        "money" => Kind::Money,
        "rate" => Kind::Rate { precision: 6, scale: 4 },
        "int" => Kind::Int(9),
        _ => Kind::Text(60),
    };
    let mandatory = match words[2] {
        "hard" => Mandatory::Hard,
        "soft" => Mandatory::Soft,
        _ => Mandatory::No,
    };
    let text = String::new;
    Column {
        code: words[0].to_owned(),
        title: "某项".to_owned(),
        kind,
        mandatory,
        when: None,
        empty: None,
        codes: words.contains(&"codes").then(|| words[0].to_owned()),
        measure: words.contains(&"measure"),
        unit: None,
        mask: Mask::None,
        source: text(),
        standing: text(),
    }
}
