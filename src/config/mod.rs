//! Layers of settings, merged and checked once: built-in default → files of machine and account ([`installed`]) → files (later wins) →
//! environment `QIANYI_*` → options.
//!
//! Always: an unknown key is an error that names file, line and the nearest known key; what is handed out needs no further check.
//! Paths in a file are relative to that file, those of the environment and of options to the current folder. A later `sources`
//! replaces an earlier one as a whole.
//! Must not know: what a run does with the settings.

mod cutover;
mod demo;
mod error;
mod expected;
mod file;
mod installed;
mod jobs;
mod keep;
mod known;
mod people;
mod rules;
mod shown;
mod staging;
mod standing;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ::config::{Config, File, FileFormat};
use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::Deserialize;
use sha2::{Digest, Sha256};

pub use demo::{DemoLayer, demo_as_of, demo_file};
pub use error::{ConfigError, Mistake};
pub use installed::installed;
pub use people::{Person, Role};

use crate::cutover::CutoverSettings;
use crate::durable::hex;
use crate::folder;
use crate::nearest::nearest;
use crate::phrase;
use crate::pipeline::{Acknowledgement, Expected, KeepSettings, RuleSettings, StagingSettings, Standing};
use crate::report::Lang;
use crate::schedule::{JobSettings, NotifySettings};
use crate::source::SourceSettings;

/// The built-in layer.
const DEFAULT: &str = include_str!("../../config/default.toml");
/// Settings that the environment may give: `QIANYI_MEMORY` and so on.
const VARIABLES: &[(&str, &str)] = &[
    ("QIANYI_MAPPINGS", "mappings"),
    ("QIANYI_RULES", "rules"),
    ("QIANYI_CITY", "city"),
    ("QIANYI_AS_OF", "as_of"),
    ("QIANYI_TIME_ZONE", "time_zone"),
    ("QIANYI_MEMORY", "memory"),
    ("QIANYI_PARTITIONS", "partitions"),
];
/// Variables that are no settings: options of the command line, and switches of tests (failpoint.rs, durable.rs, clock.rs).
const OTHERS: &[&str] = &[
    "QIANYI_LANG",
    "QIANYI_WORKDIR",
    "QIANYI_FAILPOINT",
    "QIANYI_DISK_FAULT",
    "QIANYI_CLOCK",
    "QIANYI_FUZZ",
];
/// Memory for each parallel stream that nobody asked for. Measured on 20 million rows with 1 GiB: 950 MiB resident with two streams,
/// 1350 MiB with four.
const STREAM_MEMORY: u64 = 384 << 20;
/// Less than this and not even the smallest sort can start.
const LEAST_MEMORY: u64 = 128 << 20;

/// Where the layers come from.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    /// The layer right above the built-in default: the demo's.
    pub demo: Option<DemoLayer>,
    /// A folder that stands in for the default `mappings` (and `sql` beside it) where the current folder has none.
    pub built_in: Option<PathBuf>,
    /// Files of the machine and of the account, later wins: those of [`installed`].
    pub installed: Vec<PathBuf>,
    /// Files that were named, later wins.
    pub files: Vec<PathBuf>,
    /// The environment; only names that begin with `QIANYI_` are looked at.
    pub environment: Vec<(String, String)>,
    /// `--memory`.
    pub memory: Option<String>,
}

impl Layers {
    /// Every file, lowest first.
    pub fn all_files(&self) -> impl DoubleEndedIterator<Item = &PathBuf> {
        self.installed.iter().chain(&self.files)
    }
}

/// The checked settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder with `national/` and a folder a city.
    pub mappings: PathBuf,
    pub city: String,
    /// Who may do what.
    pub people: Vec<Person>,
    /// What a run approves by itself.
    pub standing: Vec<Standing>,
    /// Rules and what the city gives them; `None`: there is no folder of rules.
    pub rules: Option<RuleSettings>,
    /// The day that stands for today; `None`: the day of the extract point in `time_zone`.
    pub as_of: Option<NaiveDate>,
    /// In which times are shown, the schedule is due, and the day of an extract point is told. Each source has its own, by default this.
    pub time_zone: Tz,
    /// Bytes for the whole process.
    pub memory: u64,
    /// Parallel streams.
    pub partitions: usize,
    pub sources: Vec<SourceSettings>,
    /// Where a dry run loads to; `None`: nowhere.
    pub staging: Option<StagingSettings>,
    /// What `qianyi prune` leaves.
    pub keep: KeepSettings,
    /// What has to hold before cutover.
    pub cutover: CutoverSettings,
    /// Jobs of `qianyi schedule`.
    pub schedule: Vec<JobSettings>,
    pub notify: Option<NotifySettings>,
    /// Where the schedule's metrics go.
    pub metrics: Option<PathBuf>,
    /// What would block a run, what of it is acknowledged, and which differences are known.
    pub expected: Expected,
    /// Months for which a waiver holds at most, and where nobody wrote until when.
    pub waiver_months: u32,
    /// SHA-256 of what can change a result: city, `as_of` where it is set, what is expected, acknowledged and known, and per source its id, kind,
    /// code page, time zone and chunk size. Folders, memory and partitions are left out; mappings have a digest of their own.
    pub digest: String,
}

impl Settings {
    /// `mappings/national`.
    pub fn national(&self) -> PathBuf {
        self.mappings.join("national")
    }

    /// `mappings/<city>`.
    pub fn city_folder(&self) -> PathBuf {
        self.mappings.join(&self.city)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Merged {
    mappings: PathBuf,
    rules: Option<PathBuf>,
    #[serde(default)]
    people: Vec<Person>,
    #[serde(default)]
    standing: Vec<standing::Written>,
    #[serde(default)]
    references: BTreeMap<String, PathBuf>,
    #[serde(default)]
    parameters: BTreeMap<String, BTreeMap<String, String>>,
    city: Option<String>,
    as_of: Option<String>,
    time_zone: Tz,
    lang: Option<Lang>,
    memory: String,
    partitions: Option<String>,
    #[serde(default)]
    sources: Vec<SourceSettings>,
    staging: Option<StagingSettings>,
    #[serde(default)]
    keep: KeepSettings,
    #[serde(default)]
    cutover: CutoverSettings,
    #[serde(default)]
    schedule: Vec<JobSettings>,
    notify: Option<NotifySettings>,
    metrics: Option<PathBuf>,
    limits: LimitSettings,
    #[serde(default)]
    acknowledged: Vec<Acknowledgement>,
    #[serde(default)]
    known_difference: Vec<known::Written>,
}

/// `[limits]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitSettings {
    accepted_min: u8,
    waiver_months: u32,
}

/// Reads, merges and checks the layers.
///
/// # Errors
/// `CFG-…`; each names file, variable or option, and the key.
pub fn load(layers: &Layers) -> Result<Settings, ConfigError> {
    let (merged, origins) = merge(layers)?;
    let origin = |key: &str| {
        origins
            .iter()
            .rfind(|(_, keys)| keys.contains(key))
            .map_or("config/default.toml", |(o, _)| o.as_str())
    };
    let memory = memory(layers, &merged, &origin)?;
    let as_of = as_of(&merged, &origin)?;
    let partitions = partitions(&merged, memory, &origin)?;
    each_once(&merged.sources, origin("sources"))?;
    let city = merged.city.clone().ok_or(ConfigError::Absent { key: "city" })?;
    folders(&merged.mappings, &city, origin("mappings"), origin("city"))?;
    let Merged {
        people,
        standing,
        mappings,
        rules,
        references,
        parameters,
        time_zone,
        sources,
        staging,
        keep,
        cutover,
        schedule,
        notify,
        metrics,
        limits,
        acknowledged,
        known_difference,
        ..
    } = merged;
    let known = known::resolve(known_difference, &people, origin("known_difference"))?;
    let expected = Expected { accepted_min: limits.accepted_min, acknowledged, known };
    let standing = standing::resolve(standing, &people, origin("standing"))?;
    cutover::approvers(&cutover, &people, origin("cutover"))?;
    let digest = digest(&city, as_of, &sources, &expected);
    let rules = rules::settings(rules, &mappings, parameters, references);
    Ok(Settings {
        people,
        standing,
        mappings,
        rules,
        city,
        as_of,
        time_zone,
        memory,
        partitions,
        sources,
        staging,
        keep,
        cutover,
        schedule,
        notify,
        metrics,
        expected,
        waiver_months: limits.waiver_months,
        digest,
    })
}

/// Every source has an id of its own.
fn each_once(sources: &[SourceSettings], origin: &str) -> Result<(), ConfigError> {
    let mut ids = BTreeSet::new();
    match sources.iter().find(|s| !ids.insert(s.id.as_str())) {
        Some(twice) => Err(ConfigError::SourceTwice { origin: origin.to_owned(), id: twice.id.clone() }),
        None => Ok(()),
    }
}

/// Bytes for the whole process.
fn memory<'o>(
    layers: &Layers,
    merged: &Merged,
    origin: &impl Fn(&str) -> &'o str,
) -> Result<u64, ConfigError> {
    let from = if layers.memory.is_some() { "--memory" } else { origin("memory") };
    let memory = layers.memory.as_deref().unwrap_or(&merged.memory);
    bytes(memory).filter(|m| *m >= LEAST_MEMORY).ok_or_else(|| ConfigError::Value {
        origin: from.to_owned(),
        key: "memory",
        value: memory.to_owned(),
        expected: phrase!("config.expected_memory"),
        example: "1GiB, 768MiB",
    })
}

/// The day that stands for today.
fn as_of<'o>(merged: &Merged, origin: &impl Fn(&str) -> &'o str) -> Result<Option<NaiveDate>, ConfigError> {
    let date = |text: &String| {
        text.parse::<NaiveDate>().map_err(|_| ConfigError::Value {
            origin: origin("as_of").to_owned(),
            key: "as_of",
            value: text.clone(),
            expected: phrase!("config.expected_date"),
            example: "2021-05-31",
        })
    };
    merged.as_of.as_ref().map(date).transpose()
}

/// Parallel streams: as configured, else as many as memory and processors are for.
fn partitions<'o>(
    merged: &Merged,
    memory: u64,
    origin: &impl Fn(&str) -> &'o str,
) -> Result<usize, ConfigError> {
    let Some(text) = &merged.partitions else {
        return Ok(streams(memory, std::thread::available_parallelism().map_or(1, usize::from)));
    };
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| ConfigError::Value {
        origin: origin("partitions").to_owned(),
        key: "partitions",
        value: text.clone(),
        expected: phrase!("config.form_from_1"),
        example: "4",
    })
}

/// True when the settings name no folder of mappings, and the default one is not here.
///
/// # Errors
/// `CFG-001` to `CFG-004`.
pub fn lacks_mappings(layers: &Layers) -> Result<bool, ConfigError> {
    let (merged, origins) = merge(layers)?;
    let named = origins.iter().skip(1).any(|(_, keys)| keys.contains("mappings"));
    Ok(!named && !merged.mappings.join("national").is_dir())
}

/// The time zone alone, for commands that need nothing else of the settings.
///
/// # Errors
/// `CFG-001` to `CFG-004`.
pub fn time_zone(layers: &Layers) -> Result<Tz, ConfigError> {
    Ok(merge(layers)?.0.time_zone)
}

/// What a new city is made from: the folders of this installation, and the sources that the configuration has.
#[derive(Debug, Clone)]
pub struct Given {
    pub mappings: PathBuf,
    pub rules: PathBuf,
    pub sources: Vec<SourceSettings>,
    /// The sources as text of a configuration, with absolute paths; none where there are none.
    pub text: Option<String>,
}

/// What the layers say without a city.
///
/// # Errors
/// `CFG-001` to `CFG-004`.
pub fn given(layers: &Layers) -> Result<Given, ConfigError> {
    let (merged, _) = merge(layers)?;
    let mut text = None;
    for path in layers.all_files().rev() {
        let name = path.display().to_string();
        let read = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: name.clone(), source })?;
        let folder = std::path::absolute(path.parent().unwrap_or(Path::new("")));
        let folder = folder.unwrap_or_else(|_| path.parent().unwrap_or(Path::new("")).to_owned());
        let mut table = file::read(&name, &read, &folder)?;
        if let Some(sources) = table.remove("sources") {
            text = Some(toml::Table::from_iter([("sources".to_owned(), sources)]).to_string());
            break;
        }
    }
    let rules = merged.rules.unwrap_or_else(|| merged.mappings.with_file_name("sql"));
    Ok(Given { mappings: merged.mappings, rules, sources: merged.sources, text })
}

/// A source that is a SQLite file, and the same as text of a configuration.
///
/// # Errors
/// `CFG-002` where the path cannot be written there.
pub fn sqlite(id: &str, path: &Path) -> Result<(SourceSettings, String), ConfigError> {
    let mut source = toml::Table::new();
    for (key, value) in
        [("id", id.to_owned()), ("kind", "sqlite".to_owned()), ("path", path.display().to_string())]
    {
        source.insert(key.to_owned(), toml::Value::String(value));
    }
    source.insert("encoding".to_owned(), toml::Value::String("gbk".to_owned()));
    let all = toml::Value::Array(vec![toml::Value::Table(source)]);
    let text = toml::Table::from_iter([("sources".to_owned(), all)]).to_string();
    file::read("--database", &text, Path::new(""))?;
    Ok((SourceSettings::sqlite(id, path.to_owned()), text))
}

/// The language that the configuration names; `None` where it names none, or cannot be read (another call says why).
pub fn lang(layers: &Layers) -> Option<Lang> {
    merge(layers).ok()?.0.lang
}

/// Which layer set which keys, lowest first.
type Origins = Vec<(String, BTreeSet<String>)>;

fn merge(layers: &Layers) -> Result<(Merged, Origins), ConfigError> {
    let here = Path::new("");
    let mut default = file::read("config/default.toml", DEFAULT, here)?;
    if let Some(folder) = &layers.built_in {
        let mappings = folder.join("mappings").display().to_string();
        default.insert("mappings".to_owned(), toml::Value::String(mappings));
    }
    let mut tables = vec![(phrase!("config.default_layer"), default)];
    if let Some(demo) = &layers.demo {
        tables.push((demo::FILE.to_owned(), demo::layer(demo)?));
    }
    for path in layers.all_files() {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: name.clone(), source })?;
        let table = file::read(&name, &text, path.parent().unwrap_or(here))?;
        tables.push((name, table));
    }
    for (name, value) in layers.environment.iter().filter(|(n, _)| n.starts_with("QIANYI_")) {
        if let Some((_, key)) = VARIABLES.iter().find(|(v, _)| v == name) {
            if *key == "time_zone" && value.parse::<Tz>().is_err() {
                return Err(ConfigError::Value {
                    origin: name.clone(),
                    key: "time_zone",
                    value: value.clone(),
                    expected: phrase!("config.expected_zone"),
                    example: "Asia/Shanghai",
                });
            }
            let table = toml::Table::from_iter([((*key).to_owned(), toml::Value::String(value.clone()))]);
            tables.push((name.clone(), table));
        } else if !OTHERS.contains(&name.as_str()) {
            let nearest = nearest(name, VARIABLES.iter().map(|(v, _)| *v));
            return Err(ConfigError::Variable { variable: name.clone(), nearest });
        }
    }
    hand_down_zone(&mut tables);
    let bug = |source| ConfigError::Merge { source: Box::new(source) };
    let mut builder = Config::builder();
    let mut origins = Vec::new();
    for (name, table) in tables {
        builder = builder.add_source(File::from_str(&table.to_string(), FileFormat::Toml));
        origins.push((name, table.keys().cloned().collect()));
    }
    let merged = builder.build().and_then(Config::try_deserialize).map_err(bug)?;
    Ok((merged, origins))
}

/// Sources that set no time zone have that of the configuration.
fn hand_down_zone(tables: &mut [(String, toml::Table)]) {
    let Some(zone) = tables.iter().rev().find_map(|(_, t)| t.get("time_zone")).cloned() else { return };
    let all = tables.iter_mut().filter_map(|(_, t)| t.get_mut("sources")?.as_array_mut()).flatten();
    for source in all.filter_map(toml::Value::as_table_mut) {
        source.entry("time_zone").or_insert_with(|| zone.clone());
    }
}

/// As many streams as there are processors, and as memory is for.
fn streams(memory: u64, processors: usize) -> usize {
    usize::try_from(memory / STREAM_MEMORY).unwrap_or(usize::MAX).clamp(1, processors.max(1))
}

/// `1GiB`, `768MiB`, `2G`, `512m` or plain bytes.
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

fn folders(mappings: &Path, city: &str, mappings_from: &str, city_from: &str) -> Result<(), ConfigError> {
    if !mappings.join("national").is_dir() {
        return Err(ConfigError::NoMappings {
            origin: mappings_from.to_owned(),
            path: mappings.join("national").display().to_string(),
            nearest: String::new(),
            cities: String::new(),
        });
    }
    let folder = mappings.join(city);
    if city.is_empty() || city == "national" || !folder.join("city.toml").is_file() {
        let cities = cities(mappings)?;
        return Err(ConfigError::NoMappings {
            origin: city_from.to_owned(),
            path: folder.display().to_string(),
            nearest: nearest(city, &cities).to_owned(),
            cities: cities.join(", "),
        });
    }
    Ok(())
}

fn cities(mappings: &Path) -> Result<Vec<String>, ConfigError> {
    let listed = folder::entries(mappings)
        .map_err(|source| ConfigError::Unlisted { path: mappings.display().to_string(), source })?;
    let cities = listed.iter().filter(|path| path.join("city.toml").is_file());
    Ok(cities.filter_map(|path| path.file_name()).map(|n| n.to_string_lossy().into_owned()).collect())
}

fn digest(city: &str, as_of: Option<NaiveDate>, sources: &[SourceSettings], expected: &Expected) -> String {
    let mut sha = Sha256::new();
    let as_of = as_of.map_or("of the extract point".to_owned(), |day| day.to_string());
    sha.update(format!("qianyi config 2\ncity {city}\nas_of {as_of}\n"));
    for s in sources {
        sha.update(format!("source {} {:?} {} {}\n", s.id, s.kind, s.spellings(), s.chunk_rows));
    }
    sha.update(format!("accepted_min {}\n", expected.accepted_min));
    for a in &expected.acknowledged {
        sha.update(format!("acknowledged {} {:?} {:?} {:?}\n", a.what.name(), a.name, a.by, a.reason));
    }
    for k in &expected.known {
        sha.update(format!("known {k:?}\n"));
    }
    hex(&sha.finalize())
}
