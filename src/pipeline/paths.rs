//! Where a run keeps what (DESIGN.md, "Files of a work directory").

use std::path::{Path, PathBuf};

use crate::folder;
use crate::state::RunId;

/// The folder of one run.
#[derive(Debug, Clone)]
pub struct RunDir(PathBuf);

impl RunDir {
    /// The folder of a run in a work directory.
    pub fn of(workdir: &Path, run: RunId) -> Self {
        Self(workdir.join("runs").join(run.to_string()))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Layer 1 of a legacy table (`ylbx.GRJBXX`); scratch, removed when the run is done.
    pub fn typed(&self, legacy: &str) -> PathBuf {
        self.0.join("typed").join(folder::name(legacy))
    }

    /// Read errors of a legacy table.
    pub fn read_errors(&self, legacy: &str) -> PathBuf {
        self.0.join("read_errors").join(folder::name(legacy))
    }

    /// Read errors of one branch: what its SQL refused.
    pub fn branch_read_errors(&self, table: &str, branch: &str) -> PathBuf {
        self.0.join("read_errors").join("mapped").join(table).join(branch)
    }

    /// Mapped rows of one branch.
    pub fn mapped(&self, table: &str, branch: &str) -> PathBuf {
        self.branches(table).join(folder::name(branch))
    }

    /// A folder of mapped rows for each branch of a table.
    pub fn branches(&self, table: &str) -> PathBuf {
        self.0.join("mapped").join(table)
    }

    /// Which legacy rows a `group` branch's rows came from.
    pub fn lineage(&self, table: &str, branch: &str) -> PathBuf {
        self.0.join("lineage").join(table).join(folder::name(branch))
    }

    /// What is in between while a stage works; empty afterwards.
    pub fn scratch(&self, stage: &str) -> PathBuf {
        self.0.join("scratch").join(stage)
    }

    /// What the rules of a work item found.
    pub fn found(&self, item: &str) -> PathBuf {
        self.0.join("found").join(item)
    }

    /// Rows of a national table that rules exclude.
    pub fn excluded(&self, table: &str) -> PathBuf {
        self.0.join("excluded").join(table)
    }

    /// Change records of a work item, one part a table.
    pub fn changes(&self, item: &str) -> PathBuf {
        self.0.join("changes").join(item)
    }

    /// Parts that a work item wrote again.
    pub fn cleaned(&self, item: &str) -> PathBuf {
        self.0.join("cleaned").join(item)
    }

    /// Key maps of what a work item merged, one part a table.
    pub fn merged(&self, item: &str) -> PathBuf {
        self.0.join("merged").join(item)
    }

    /// Why rows and money differ after a work item.
    pub fn reasons(&self, item: &str) -> PathBuf {
        self.0.join("reasons").join(format!("{item}.parquet"))
    }

    /// Change records as rows of a national table.
    pub fn trail(&self, table: &str) -> PathBuf {
        self.0.join("trail").join(table)
    }

    /// Open findings of the rules about a national table.
    pub fn open_findings(&self, table: &str) -> PathBuf {
        self.0.join("findings").join("rules").join(table)
    }

    /// Findings of a national table.
    pub fn findings(&self, table: &str) -> PathBuf {
        self.0.join("findings").join(table)
    }

    /// Rows of a national table that were not accepted, and why.
    pub fn dispositions(&self, table: &str) -> PathBuf {
        self.0.join("dispositions").join(table)
    }

    /// Accepted rows of a national table.
    pub fn staged(&self, table: &str) -> PathBuf {
        self.0.join("staged").join(table)
    }

    /// Rows that were not accepted.
    pub fn rejected(&self, table: &str) -> PathBuf {
        self.0.join("rejected").join(table)
    }

    /// One piece of the run's measures, for example `national.AC43`.
    pub fn measures(&self, name: &str) -> PathBuf {
        self.0.join("measures").join(format!("{}.parquet", folder::name(name)))
    }

    /// Rows of a national table that are not behind the gate as they were before it.
    pub fn differing(&self, table: &str) -> PathBuf {
        self.0.join("differing").join(format!("{table}.parquet"))
    }

    /// The ledger of the round that the run is: beside the runs, since it outlives their folders.
    pub fn round(&self) -> PathBuf {
        let workdir = self.0.ancestors().nth(2).unwrap_or(&self.0);
        workdir.join("rounds").join(self.0.file_name().unwrap_or_default())
    }

    /// The page for people.
    pub fn page(&self) -> PathBuf {
        self.0.join("report").join("index.html")
    }

    /// How the rehearsal of its load went.
    pub fn rehearsal(&self) -> PathBuf {
        self.0.join("rehearsal.json")
    }

    /// A file of the run's own folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}
