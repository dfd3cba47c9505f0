//! Which table shows which rows: parents with their partitions and what inherits from them. Every row is read, and read once.
//!
//! Always: the rows of a part come with its parent where only the parent is read, and by themselves where all parts are; what is
//! between is refused, naming both.

use std::collections::{BTreeMap, BTreeSet};

use crate::artifacts::LeftAlone;
use crate::source::{SourceError, Table};

/// The parts of every table of a source by name.
pub(super) struct Parts(BTreeMap<String, (Vec<String>, bool)>);

impl Parts {
    pub(super) fn of(catalogue: &[Table]) -> Self {
        let parts = |t: &Table| (t.name.clone(), (t.parts.clone(), t.partitioned));
        Self(catalogue.iter().map(parts).collect())
    }

    /// Everything below a table, however deep.
    fn below<'p>(&'p self, table: &'p str) -> BTreeSet<&'p str> {
        let mut found = BTreeSet::new();
        let mut open = vec![table];
        while let Some(next) = open.pop() {
            let (parts, _) = self.0.get(next).map_or((&[][..], false), |(parts, p)| (parts.as_slice(), *p));
            open.extend(parts.iter().map(String::as_str).filter(|part| found.insert(*part)));
        }
        found
    }

    /// Sees to it that every row of the tables that are read is read once: a parent all of whose parts are read is read without them.
    /// Otherwise the problems: `SRC-027` naming a parent and its part.
    pub(super) fn once(&self, source: &str, read: &mut [Table]) -> Vec<SourceError> {
        let names: BTreeSet<String> = read.iter().map(|t| t.name.clone()).collect();
        let mut problems = Vec::new();
        for table in read {
            let below = self.below(&table.name);
            let Some(part) = below.iter().find(|part| names.contains(**part)) else { continue };
            if table.partitioned || !below.iter().all(|part| names.contains(*part)) {
                let (id, part) = (source.to_owned(), (*part).to_owned());
                problems.push(SourceError::Twice { id, table: table.name.clone(), part });
                continue;
            }
            table.only = true;
            table.identity = table.identity.take().map(|identity| format!("{identity} only"));
        }
        problems
    }

    /// Why a table that nothing reads may be left alone: another one shows its rows, or is the one to decide about.
    pub(super) fn explain<'l>(&self, read: &[Table], left: impl Iterator<Item = &'l mut LeftAlone>) {
        for alone in left.filter(|alone| !alone.mapped) {
            let shows = |parent: &str| self.below(parent).contains(alone.table.as_str());
            let reads = read.iter().find(|t| !t.only && shows(&t.name));
            let partitioned = self.0.iter().find(|(name, (_, partitioned))| *partitioned && shows(name));
            if let Some(parent) = reads {
                (alone.reason, alone.mapped) = (format!("its rows are read with {}", parent.name), true);
            } else if let Some((parent, _)) = partitioned {
                (alone.reason, alone.mapped) = (format!("a part of {parent}"), true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Parts;
    use crate::artifacts::LeftAlone;
    use crate::source::{SourceError, Table};

    fn table(name: &str, parts: &[&str], partitioned: bool) -> Table {
        let parts = parts.iter().map(|p| (*p).to_owned()).collect();
        Table {
            name: name.to_owned(),
            parts,
            partitioned,
            identity: Some("1".to_owned()),
            ..Table::default()
        }
    }

    /// What is read of `jfmx` with `jf1999` and `jf2000`, of which `jf2000` has `jf2000a`: `only` the parents so read, or who is named.
    fn once(partitioned: bool, names: &[&str]) -> Result<Vec<String>, (String, String)> {
        let catalogue = [
            table("jfmx", &["jf1999", "jf2000"], partitioned),
            table("jf1999", &[], false),
            table("jf2000", &["jf2000a"], partitioned),
            table("jf2000a", &[], false),
        ];
        let mut read: Vec<Table> =
            catalogue.iter().filter(|t| names.contains(&t.name.as_str())).cloned().collect();
        match Parts::of(&catalogue).once("ylbx", &mut read).into_iter().next() {
            None => Ok(read.into_iter().filter(|t| t.only).map(|t| t.name).collect()),
            Some(SourceError::Twice { table, part, .. }) => Err((table, part)),
            Some(other) => panic!("{other}"),
        }
    }

    #[test]
    fn every_row_is_read_once_or_parent_and_part_are_named() {
        let named = |table: &str, part: &str| Err((table.to_owned(), part.to_owned()));
        assert_eq!(once(false, &["jfmx"]), Ok(vec![]), "with everything below it");
        assert_eq!(once(false, &["jf1999", "jf2000"]), Ok(vec![]), "without their parent");
        let all = ["jfmx", "jf1999", "jf2000", "jf2000a"];
        assert_eq!(once(false, &all), Ok(vec!["jfmx".to_owned(), "jf2000".to_owned()]));
        assert_eq!(once(false, &["jfmx", "jf2000a"]), named("jfmx", "jf2000a"));
        assert_eq!(once(true, &all), named("jfmx", "jf1999"));
        assert_eq!(once(true, &["jf1999", "jf2000"]), Ok(vec![]));
        assert_eq!(once(true, &["jf2000", "jf2000a"]), named("jf2000", "jf2000a"));
    }

    #[test]
    fn what_nothing_reads_by_its_name_is_not_for_that_unread() {
        let catalogue = [table("p", &["p1"], true), table("p1", &[], false), table("q", &["q1"], false)];
        let alone = |name: &str| LeftAlone {
            source: "ylbx".to_owned(),
            table: name.to_owned(),
            reason: "nothing".to_owned(),
            mapped: false,
        };
        let mut left = [alone("p1"), alone("q1"), alone("x")];
        let parts = Parts::of(&catalogue);
        parts.explain(&catalogue[2..], left.iter_mut());
        let told: Vec<(&str, bool)> = left.iter().map(|l| (l.reason.as_str(), l.mapped)).collect();
        assert_eq!(told, [("a part of p", true), ("its rows are read with q", true), ("nothing", false)]);
    }
}
