//! The tag files of a bag as text (RFC 8493).

use crate::phrase;
use std::collections::BTreeMap;

/// `bagit.txt`.
pub(super) const DECLARATION: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
pub(super) const MANIFEST: &str = "manifest-sha256.txt";
pub(super) const TAG_MANIFEST: &str = "tagmanifest-sha256.txt";

/// A manifest: path in the bag → SHA-256 in lower-case hex, by path.
pub(super) fn manifest(files: &BTreeMap<String, String>) -> String {
    files.iter().map(|(path, sha)| format!("{sha}  {}\n", escaped(path))).collect()
}

/// Reads a manifest; lines that are none are returned apart.
pub(super) fn read_manifest(text: &str) -> (BTreeMap<String, String>, Vec<String>) {
    let (mut files, mut strange) = (BTreeMap::new(), Vec::new());
    for line in text.lines().filter(|l| !l.trim().is_empty()) {
        let parts =
            line.split_once([' ', '\t']).map(|(sha, path)| (sha, path.trim_start_matches([' ', '\t', '*'])));
        match parts {
            Some((sha, path)) if sha.len() == 64 && sha.bytes().all(|b| b.is_ascii_hexdigit()) => {
                let path = unescaped(path);
                if files.insert(path.clone(), sha.to_ascii_lowercase()).is_some() {
                    strange.push(phrase!("package.listed_twice", path));
                }
            }
            Some(_) | None => strange.push(phrase!("package.no_line", bytes = line.len())),
        }
    }
    (files, strange)
}

/// RFC 8493, 2.1.3: line breaks and percent signs in a path are encoded.
fn escaped(path: &str) -> String {
    path.replace('%', "%25").replace('\n', "%0A").replace('\r', "%0D")
}

fn unescaped(path: &str) -> String {
    let lower = path.replace("%0a", "%0A").replace("%0d", "%0D");
    lower.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")
}

/// `bag-info.txt`: label and value, one a line.
pub(super) fn info(fields: &[(&str, String)]) -> String {
    // A value never breaks a line: the name of a city comes from a file that people write.
    fields.iter().map(|(label, value)| format!("{label}: {}\n", value.replace(['\n', '\r'], " "))).collect()
}

/// The value of a label of `bag-info.txt`.
pub(super) fn field<'t>(text: &'t str, label: &str) -> Option<&'t str> {
    text.lines().find_map(|l| l.strip_prefix(label)?.strip_prefix(':').map(str::trim))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_manifest_reads_back_as_written(paths in proptest::collection::btree_set("data/[a-z%\n\r 中]{1,12}x", 0..8)) {
            let files: BTreeMap<String, String> = paths.into_iter().map(|p| (p, "ab".repeat(32))).collect();
            let (read, strange) = read_manifest(&manifest(&files));
            prop_assert_eq!(strange, Vec::<String>::new());
            prop_assert_eq!(read, files);
        }
    }
}
