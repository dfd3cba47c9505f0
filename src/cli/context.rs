//! What every command starts from: the global options as meant.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::NaiveDate;
use chrono_tz::Tz;
use qianyi::config::{self, DemoLayer, Layers, Settings, load, time_zone};
use qianyi::engine::{Engine, EngineSettings};
use qianyi::mapping::{self, City};
use qianyi::messages;
use qianyi::national::{self, National};
use qianyi::pipeline::RunSettings;
use qianyi::progress::Progress;
use qianyi::report::{Lang, Words};
use qianyi::state::{State, StateError};
use qianyi::stop::Stop;

use super::args::{Global, LangArg};
use super::failure::{Failure, Usage};
use super::watch::Watch;
use super::{built_in, log, signals};

/// The global options.
#[derive(Clone)]
pub struct Context {
    pub workdir: PathBuf,
    pub lang: Lang,
    pub json: bool,
    quiet: bool,
    layers: Layers,
}

impl Context {
    pub fn new(global: Global) -> Self {
        let environment: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(n, v)| Some((n.into_string().ok()?, v.to_string_lossy().into_owned())))
            .collect();
        let (files, memory) = (global.config, global.memory);
        let installed = config::installed(&environment);
        let layers = Layers { demo: None, built_in: None, installed, files, environment, memory };
        let lang = match global.lang {
            Some(LangArg::Zh) => Lang::Zh,
            Some(LangArg::En) => Lang::En,
            None => config::lang(&layers).unwrap_or_else(locale),
        };
        messages::speak(lang);
        Self { workdir: global.workdir, lang, json: global.json, quiet: global.quiet, layers }
    }

    /// The checked settings.
    pub fn settings(&self) -> Result<Settings, Failure> {
        Ok(load(&self.layers()?)?)
    }

    /// Where the settings come from. Where no folder of mappings is named or here, the binary's own is unpacked first.
    pub fn layers(&self) -> Result<Layers, Failure> {
        self.with_data(self.layers.clone())
    }

    fn with_data(&self, layers: Layers) -> Result<Layers, Failure> {
        let lacks = config::lacks_mappings(&layers)?;
        let built_in = if lacks { Some(built_in::unpacked(&self.workdir)?) } else { None };
        Ok(Layers { built_in, ..layers })
    }

    /// The configuration files: of the machine, of the account, and those that were named; lowest first.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.layers.all_files()
    }

    /// The options that make another process start from the same, with absolute paths; the work directory is not among them.
    pub fn options(&self) -> Vec<PathBuf> {
        let mut options = Vec::new();
        for file in self.layers.all_files() {
            options.extend([PathBuf::from("--config"), absolute(file)]);
        }
        if let Some(memory) = &self.layers.memory {
            options.extend(["--memory".into(), memory.into()]);
        }
        let lang = match self.lang {
            Lang::Zh => "zh",
            Lang::En => "en",
        };
        options.extend(["--lang".into(), lang.into()]);
        options
    }

    /// The checked settings over the demo's layer; those of machine and account are of another city.
    pub fn demo_settings(&self, database: PathBuf) -> Result<Settings, Failure> {
        let demo = Some(DemoLayer { database });
        let layers = Layers { demo, installed: Vec::new(), ..self.layers.clone() };
        Ok(load(&self.with_data(layers)?)?)
    }

    /// What a walk is given.
    pub fn run_settings(&self, settings: &Settings, command: &str) -> RunSettings {
        RunSettings {
            workdir: self.workdir.clone(),
            national: settings.national(),
            city: settings.city_folder(),
            rules: settings.rules.clone(),
            sources: settings.sources.clone(),
            memory: settings.memory,
            partitions: settings.partitions,
            as_of: settings.as_of,
            time_zone: settings.time_zone,
            config_digest: settings.digest.clone(),
            lang: self.lang,
            full_refresh: std::collections::BTreeSet::new(),
            held: Vec::new(),
            command: command.to_owned(),
            expected: settings.expected.clone(),
            standing: settings.standing.clone(),
            stop: Stop::new(),
        }
    }

    /// Lets SIGTERM and Ctrl-C stop a walk at its next boundary.
    pub fn listen(&self, of: &RunSettings) -> Result<(), Failure> {
        signals::listen(&of.stop, self.words()?.say("schedule", "stopping"))
    }

    /// The words of the language.
    pub fn words(&self) -> Result<Words, Failure> {
        Ok(Words::of(self.lang)?)
    }

    /// The day that stands for today in a generated city.
    pub fn fixture_as_of(&self) -> Result<NaiveDate, Failure> {
        Ok(qianyi::config::demo_as_of()?)
    }

    /// Opens the log of a command that writes.
    pub fn log(&self, command: &str) -> Result<(), Failure> {
        log::open(&self.workdir, command, self.zone()?)
    }

    /// In which times are shown.
    pub fn zone(&self) -> Result<Tz, Failure> {
        Ok(time_zone(&self.layers)?)
    }

    /// What was extracted and run before, for a command that only looks; `None`: nothing yet.
    pub fn state(&self) -> Result<Option<State>, Failure> {
        match State::open_readonly(&self.workdir) {
            Ok(state) => Ok(Some(state)),
            Err(StateError::Missing { .. }) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Who watches the work.
    pub fn progress(&self) -> Arc<dyn Progress> {
        Arc::new(Watch::new(self.quiet))
    }

    /// The engine of a command that only looks.
    pub fn engine(&self, settings: &Settings, city: &City, as_of: NaiveDate) -> Result<Engine, Failure> {
        let spill = self.workdir.join("spill");
        let engine = EngineSettings { memory: settings.memory, spill, partitions: settings.partitions };
        Ok(Engine::start(engine, city.functions(as_of))?)
    }
}

/// The national schema and the city's mapping.
pub fn mappings(settings: &Settings) -> Result<(National, City), Failure> {
    let national = national::load(&settings.national())?;
    let city = mapping::load(&settings.city_folder(), &national)?;
    Ok((national, city))
}

/// The path from the root; where the current folder is gone, as it was given.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Runs a future of the source side to its end.
pub fn block_on<F: Future>(future: F) -> Result<F::Output, Failure> {
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let threads = threads.map_err(|e| qianyi::engine::EngineError::Start { source: Box::new(e) })?;
    Ok(threads.block_on(future))
}

/// Refuses what is none of the rules.
pub fn known_rule<'r>(given: &str, all: impl Iterator<Item = &'r String>) -> Result<(), Usage> {
    let all: Vec<&String> = all.collect();
    if all.iter().any(|rule| *rule == given) {
        return Ok(());
    }
    Err(Usage::NoRule { given: given.to_owned(), nearest: qianyi::nearest::nearest(given, all) })
}

/// Refuses what is no national table.
pub fn known_table(national: &National, given: &str) -> Result<(), Usage> {
    if national.table(given).is_some() {
        return Ok(());
    }
    let nearest = qianyi::nearest::nearest(given, national.tables.iter().map(|t| &t.name));
    Err(Usage::NoTable { given: given.to_owned(), nearest })
}

pub fn locale() -> Lang {
    let set = |name| std::env::var(name).ok().filter(|v| !v.is_empty());
    let named = set("LC_ALL").or_else(|| set("LC_MESSAGES")).or_else(|| set("LANG")).unwrap_or_default();
    if named.starts_with("zh") { Lang::Zh } else { Lang::En }
}
