//! `manifest.json`: what a run stood on and what it made, file by file (docs/run.md).
//!
//! Always: paths are relative to the work directory; no times, so that the same work gives the same manifest but for what the
//! source itself says.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::documents;
use super::runner::StageRunner;
use super::{RunError, RunSettings};
use crate::dataset::PartInfo;
use crate::raw::RawView;
use crate::state::Output;

/// The whole document; `version` is that of this form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub version: u32,
    pub run: String,
    /// Version of qianyi.
    pub qianyi: String,
    pub city: String,
    /// The day that stands for today (yyyy-mm-dd).
    pub as_of: String,
    /// SHA-256 of the settings, the national schema and the city's mapping.
    pub config_digest: String,
    pub national_digest: String,
    pub mapping_digest: String,
    pub inputs: Vec<Input>,
    pub outputs: Vec<Made>,
}

/// The raw parts of one legacy table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    pub source: String,
    pub extract: String,
    pub table: String,
    pub parts: Vec<ManifestPart>,
}

/// What one stage made for one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    pub stage: String,
    pub table: String,
    pub parts: Vec<ManifestPart>,
}

/// One Parquet file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestPart {
    /// Relative to the work directory, with `/`.
    pub file: String,
    pub rows: u64,
    pub bytes: u64,
    pub sha256: String,
}

fn part(workdir: &Path, of: &PartInfo) -> ManifestPart {
    let path = of.path.strip_prefix(workdir).unwrap_or(&of.path);
    let names: Vec<_> = path.components().map(|c| c.as_os_str().to_string_lossy().into_owned()).collect();
    ManifestPart { file: names.join("/"), rows: of.rows, bytes: of.bytes, sha256: of.sha256.clone() }
}

/// The manifest of a run whose stages are all recorded. Scratch is not in it.
pub(super) fn manifest(
    runner: &StageRunner<'_>,
    settings: &RunSettings,
    raw: &BTreeMap<String, RawView>,
) -> Result<Manifest, RunError> {
    let workdir = runner.state.workdir();
    let scratch = runner.dir.path().join("typed");
    let inputs = raw.iter().flat_map(|(source, view)| {
        view.tables.iter().map(|(table, held)| Input {
            source: source.clone(),
            extract: view.extract.to_string(),
            table: table.clone(),
            parts: held.parts.iter().map(|p| part(workdir, p)).collect(),
        })
    });
    let made = |o: Output| Made {
        parts: o.parts.iter().filter(|p| !p.path.starts_with(&scratch)).map(|p| part(workdir, p)).collect(),
        stage: o.stage,
        table: o.table,
    };
    let outputs = runner.state.outputs(runner.run)?;
    Ok(Manifest {
        version: 1,
        run: runner.run.to_string(),
        qianyi: env!("CARGO_PKG_VERSION").to_owned(),
        city: runner.city.id.clone(),
        as_of: runner.as_of.to_string(),
        config_digest: settings.config_digest.clone(),
        national_digest: runner.national.digest.clone(),
        mapping_digest: runner.city.digest.clone(),
        inputs: inputs.collect(),
        outputs: outputs.into_iter().filter(|o| !documents::is_documents(o)).map(made).collect(),
    })
}
