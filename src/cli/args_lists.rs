//! Arguments of the commands that list: findings and the lists of an office.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use qianyi::report::CsvEncoding;

/// `findings`.
#[derive(Debug, Args)]
pub struct FindingsArgs {
    /// The run, for example r0001; default: the newest finished one.
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    /// Of this rule only.
    #[arg(long, value_name = "RULE")]
    pub rule: Option<String>,
    /// Of this national table only.
    #[arg(long, value_name = "TABLE")]
    pub table: Option<String>,
    /// Of this department only: 综合, 养老, 失业, 经办, 信息 or 审计.
    #[arg(long, value_name = "DEPARTMENT")]
    pub department: Option<String>,
    /// In this state only: new since the round before, still open, reopened (fixed once, found again), or waived (it is so, and stays).
    #[arg(long, value_enum)]
    pub state: Option<StateArg>,
    /// Of this unit only, by its legacy number.
    #[arg(long, value_name = "NUMBER")]
    pub unit: Option<String>,
    /// Of units of this county only, by its region code, for example 229901.
    #[arg(long, value_name = "CODE")]
    pub county: Option<String>,
    #[command(flatten)]
    pub file: FileArgs,
}

/// `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Which, for example merges; default: show which there are.
    #[arg(value_name = "LIST")]
    pub list: Option<String>,
    /// The run, for example r0001; default: the newest finished one.
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    /// A parameter of the list, for example seed=7.
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    #[command(flatten)]
    pub file: FileArgs,
    /// Show values in clear; takes an account of [[people]], and is recorded.
    #[arg(long)]
    pub reveal: bool,
}

/// The file that a list goes to; none: the terminal.
#[derive(Debug, Args)]
pub struct FileArgs {
    /// Write all of it to this file as CSV.
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Write all of it to this file as a workbook.
    #[arg(long, value_name = "FILE", conflicts_with = "csv")]
    pub xlsx: Option<PathBuf>,
    /// Encoding of the CSV file.
    #[arg(long, value_enum, default_value = "utf-8")]
    pub encoding: Encoding,
}

/// State of an open finding over the rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StateArg {
    New,
    Open,
    Reopened,
    Waived,
}

/// Encoding of a CSV file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Encoding {
    /// With a byte order mark, as spreadsheets want it.
    #[value(name = "utf-8")]
    Utf8,
    #[value(name = "gb18030")]
    Gb18030,
}

impl From<Encoding> for CsvEncoding {
    fn from(of: Encoding) -> Self {
        match of {
            Encoding::Utf8 => Self::Utf8,
            Encoding::Gb18030 => Self::Gb18030,
        }
    }
}
