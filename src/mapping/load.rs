//! A city's folder → [`City`].
//!
//! Always: either everything in it is right, or every mistake is shown. The digest covers every file, in name order.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::NaiveDate;
use sha2::{Digest, Sha256};

use super::branches::{self, CheckContext};
use super::fault::{MappingErrors, MappingFault, Mistake};
use super::file::{City, SourceView, TableMapping};
use super::national_codes;
use super::planner::Planner;
use super::sources::{self, Broken, Given, files, stem};
use crate::durable::hex;
use crate::folder;
use crate::functions::{CodeList, Codes, FunctionSettings, registry};
use crate::national::National;
use crate::phrase;

/// Loads and checks `mappings/<city>/`.
///
/// # Errors
/// [`MappingErrors`] with every mistake of every file (`MAP-001` … `MAP-017`).
pub fn load(dir: &Path, national: &National) -> Result<City, MappingErrors> {
    let mut faults = Vec::new();
    let mut broken = Broken::default();
    let head = sources::head(dir, &mut broken, &mut faults);
    let (mut lists, sheets) = sources::code_lists(dir, &mut broken, &mut faults);
    lists.extend(crosswalks(national));
    let members = |list: &crate::national::CodeList| Arc::new(list.codes.keys().cloned().collect());
    let codes = Codes {
        variants: national.name_variants.clone(),
        lists,
        national: national.codes.iter().map(|(n, l)| (n.clone(), members(l))).collect(),
        names: code_names(national),
    };
    let settings = FunctionSettings {
        domains: Arc::new(head.domains.clone()),
        codes: Arc::new(codes),
        as_of: NaiveDate::default(),
    };
    let functions = registry(&settings);
    let planner = match Planner::new(&functions, &settings.codes) {
        Ok(planner) => planner,
        Err(e) => {
            faults.push(at_start(dir, Mistake::File, phrase!("mapping.planner", e)));
            return Err(MappingErrors { faults });
        }
    };
    let broken = RefCell::new(broken);
    let given = Given { head: &head, lists: &settings.codes.lists, planner: &planner, broken: &broken };
    let views: Vec<SourceView> = files(&dir.join("sources"), "toml", &mut faults)
        .iter()
        .filter_map(|path| sources::source(path, &given, &mut faults))
        .collect();
    overlaps(&views, &mut faults);
    let broken = broken.into_inner();
    let context = CheckContext {
        national,
        views: &views,
        planner: &planner,
        functions: &functions,
        settings: &settings,
        broken: &broken,
    };
    let tables = tables(dir, &context, &mut faults);
    national_codes::check(&context, &tables, &sheets, &mut faults);
    fed_all_the_same(&views, &tables, &mut faults);
    let digest = digest(dir, &mut faults);
    if !faults.is_empty() {
        return Err(MappingErrors { faults });
    }
    let sources::Head { id, name, source_ids, ignore, font, .. } = head;
    let FunctionSettings { domains, codes, .. } = settings;
    let font = Arc::new(font);
    Ok(City { id, name, source_ids, sources: views, tables, ignore, domains, font, codes, digest })
}

/// What the codes of the national lists are called.
fn code_names(national: &National) -> BTreeSet<String> {
    national.codes.values().flat_map(|list| list.codes.values().map(|code| code.name.clone())).collect()
}

fn at_start(path: &Path, mistake: Mistake, message: String) -> MappingFault {
    MappingFault::new(mistake, path, "", 0..0, message)
}

fn crosswalks(national: &National) -> BTreeMap<String, Arc<CodeList>> {
    let list = |pairs: &BTreeMap<String, String>| {
        // Keys of a map are unique after trimming too: the national loader has checked them.
        CodeList::new(pairs.iter().map(|(l, c)| (l.clone(), c.clone()))).unwrap_or_default()
    };
    national.crosswalks.iter().map(|(name, walk)| (name.clone(), Arc::new(list(&walk.codes)))).collect()
}

/// Layer 2 in load order of the national tables.
fn tables(dir: &Path, context: &CheckContext<'_>, faults: &mut Vec<MappingFault>) -> Vec<TableMapping> {
    let paths = files(dir, "toml", faults).into_iter().filter(|p| stem(p) != "city");
    let mut tables: Vec<TableMapping> =
        paths.filter_map(|path| branches::table(&path, context, faults)).collect();
    let place = |t: &TableMapping| context.national.tables.iter().position(|n| n.name == t.table);
    tables.sort_by_key(place);
    tables
}

/// Two views must not read one table; only plain names can be compared without a database.
fn overlaps(views: &[SourceView], faults: &mut Vec<MappingFault>) {
    for (i, view) in views.iter().enumerate() {
        let name = view.tables.to_string();
        let rival =
            views.iter().enumerate().find(|(j, v)| *j != i && v.source == view.source && v.matches(&name));
        if let Some((_, rival)) = rival {
            let message = phrase!("mapping.read_twice", name, file = rival.path.display());
            faults.push(at_start(&view.path, Mistake::Twice, message));
        }
    }
}

/// An amount that is said to feed no measure feeds none.
fn fed_all_the_same(views: &[SourceView], tables: &[TableMapping], faults: &mut Vec<MappingFault>) {
    for view in views {
        for amount in view.measures.iter().flat_map(|m| m.not_mapped.keys()) {
            let mut from = tables
                .iter()
                .filter(|t| t.branches.iter().any(|b| b.from.view == view.name && b.carries(view, amount)));
            if let Some(table) = from.next() {
                let message = phrase!("mapping.not_mapped_fed", amount, table = table.table);
                faults.push(at_start(&view.path, Mistake::Twice, message));
            }
        }
    }
}

fn digest(dir: &Path, faults: &mut Vec<MappingFault>) -> String {
    // A folder that cannot be listed is a mistake already.
    let files = |dir: &Path, ending: &str| folder::with_ending(dir, ending).unwrap_or_default();
    let mut paths: Vec<PathBuf> = files(dir, "toml");
    paths.extend(files(dir, "csv"));
    paths.extend(files(&dir.join("sources"), "toml"));
    paths.extend(files(&dir.join("codes"), "csv"));
    let mut hash = Sha256::new();
    for path in paths {
        match std::fs::read(&path) {
            Ok(bytes) => {
                let name = path.strip_prefix(dir).unwrap_or(&path).to_string_lossy().into_owned();
                hash.update((name.len() as u64).to_le_bytes());
                hash.update(name.as_bytes());
                hash.update((bytes.len() as u64).to_le_bytes());
                hash.update(&bytes);
            }
            // A file that is read, and cannot be, has its mistake already.
            Err(e) if faults.is_empty() => {
                faults.push(at_start(&path, Mistake::File, phrase!("mapping.unread", e)));
            }
            Err(_) => {}
        }
    }
    hex(&hash.finalize())
}
