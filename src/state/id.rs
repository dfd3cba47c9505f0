//! The ids that people see: `e0001` for an extract, `r0001` for a run.
//!
//! Always: counted up within one work directory, never used twice.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One consistent reading of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExtractId(pub(super) i64);

/// One run over extracts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunId(pub(super) i64);

impl FromStr for ExtractId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_prefix('e').filter(|n| n.bytes().all(|b| b.is_ascii_digit()));
        let id = number.and_then(|n| n.parse().ok()).map(Self);
        id.ok_or_else(|| format!("`{text}` is no extract such as e0007"))
    }
}

impl fmt::Display for ExtractId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{:04}", self.0)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{:04}", self.0)
    }
}
