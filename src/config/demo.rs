//! The demo's layer: config/demo.toml over the database that was generated, and the same as a file beside it.
//!
//! Must not know: how a city is generated.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use super::error::ConfigError;
use super::file;

/// As errors name it.
pub(super) const FILE: &str = "config/demo.toml";
const TEXT: &str = include_str!("../../config/demo.toml");
/// Where that file sees the work directory.
const WORK: &str = "../work/";
/// What stands over the settings in the file of a work directory.
const HEAD: &str = "\
# The demo city of this work directory; `qianyi demo` writes this file each time. Settings of your own go into a further file:
# 本工作目录中模拟城市的配置，每次 `qianyi demo` 都会重写。自己的设置请写在另一个文件里：
#   qianyi --workdir DIR --config DIR/demo.toml --config own.toml run
";

/// The demo's database, in place of the one that config/demo.toml names.
#[derive(Debug, Clone)]
pub struct DemoLayer {
    pub database: PathBuf,
}

/// The settings of the demo as a file of its work directory, in which the database lies where `demo` makes it. It names no mappings: those of
/// the binary are meant, or a folder that is there.
#[must_use]
pub fn demo_file() -> String {
    let is_setting = |line: &&str| !line.starts_with("mappings");
    let settings = TEXT.lines().skip_while(|line| line.starts_with('#')).filter(is_setting);
    let text: String = settings.map(|line| format!("{line}\n")).collect();
    format!("{HEAD}{}", text.replace(WORK, ""))
}

/// The day that stands for today in the demo's city, and in every other that is generated.
///
/// # Errors
/// `CFG-…` when config/demo.toml, a part of the program, has none.
pub fn demo_as_of() -> Result<NaiveDate, ConfigError> {
    let table = file::read(FILE, TEXT, Path::new(""))?;
    let day = table.get("as_of").and_then(toml::Value::as_str).and_then(|t| t.parse().ok());
    day.ok_or(ConfigError::Absent { key: "as_of" })
}

/// The demo's settings over its database.
pub(super) fn layer(of: &DemoLayer) -> Result<toml::Table, ConfigError> {
    let mut table = file::read(FILE, TEXT, Path::new("config"))?;
    table.remove("mappings");
    if let Some(path) = table.get_mut("sources").and_then(|s| s.get_mut(0)).and_then(|s| s.get_mut("path")) {
        *path = toml::Value::String(of.database.display().to_string());
    }
    beside(&mut table, &of.database);
    Ok(table)
}

/// Outside data of the demo lies in a folder beside its database, wherever that is.
fn beside(table: &mut toml::Table, database: &Path) {
    let mut folder = database.as_os_str().to_owned();
    folder.push(".outside");
    let Some(toml::Value::Table(files)) = table.get_mut("references") else { return };
    for (_, path) in files.iter_mut() {
        let name = path.as_str().and_then(|p| Path::new(p).file_name()).unwrap_or_default();
        *path = toml::Value::String(Path::new(&folder).join(name).display().to_string());
    }
}
