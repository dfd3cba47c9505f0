//! A view as a base of its own: the same rows in the same order, every part in one folder; and the digest that proves it.
//!
//! Always: what a view stands on is not touched. A part that is large enough is not read, it gets a second name.
//! Must not know: which extract a view is of.

use std::path::{Path, PathBuf};

use super::RawError;
use super::merge::{digest_rows, join, named};
use crate::dataset::{DatasetError, PartInfo, read_part, schema_of};
use crate::durable;

/// The parts of a view in `folder`, which must exist, as `c000001.parquet` and so on: those of half `part_rows` or more under a second
/// name (a copy where the file system has no hard links), smaller neighbours joined.
///
/// # Errors
/// `DAT-001`, `DAT-002`, `DUR-001`.
pub fn gather(parts: &[PartInfo], part_rows: u64, folder: &Path) -> Result<Vec<PartInfo>, RawError> {
    let is_small = |part: &PartInfo| part.rows < part_rows.div_ceil(2);
    let mut made = Vec::new();
    for together in parts.chunk_by(|a, b| is_small(a) && is_small(b)) {
        match together {
            [one] => made.push(second_name(one, named(folder, made.len()))?),
            several => {
                let before = made.len();
                made.extend(join(several, part_rows, |n| named(folder, before + n))?);
            }
        }
    }
    // A dataset has at least one part, of no rows if need be.
    match parts.first().filter(|_| made.is_empty()) {
        Some(first) => Ok(vec![second_name(first, named(folder, 0))?]),
        None => Ok(made),
    }
}

fn second_name(part: &PartInfo, path: PathBuf) -> Result<PartInfo, RawError> {
    let linked = durable::link(&part.path, &path);
    linked.or_else(|_| durable::copy(&part.path, &path).map(drop)).map_err(DatasetError::from)?;
    Ok(PartInfo { path, ..part.clone() })
}

/// Number and digest of the rows of some parts in their order, however they are cut into parts.
///
/// # Errors
/// `DAT-001`.
pub fn content(parts: &[PartInfo]) -> Result<(u64, u128), RawError> {
    // Odd, and as good as random: a row counts by its place.
    const STEP: u128 = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835;
    let (mut rows, mut digest) = (0, 0_u128);
    for part in parts {
        let schema = schema_of(&part.path)?;
        let columns: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
        for batch in read_part(&part.path)? {
            for row in digest_rows(&batch?, &columns, &part.path)? {
                rows += 1;
                digest = digest.wrapping_mul(STEP).wrapping_add(row);
            }
        }
    }
    Ok((rows, digest))
}
