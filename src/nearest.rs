//! The name that somebody may have meant.

/// The name that is most like the one that was given: one that looks the same (`O` for `0`, `l` for `1`) before all others; `none` where
/// there are no names.
pub fn nearest(wanted: &str, names: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let looks = |name: &str| name.to_uppercase().replace('O', "0").replace(['I', 'L'], "1");
    let shape = looks(wanted);
    let like = |name: &str| (looks(name) == shape, strsim::jaro_winkler(wanted, name));
    let names = names.into_iter().map(|name| (like(name.as_ref()), name));
    let closest = names.max_by(|(a, _), (b, _)| a.0.cmp(&b.0).then_with(|| a.1.total_cmp(&b.1)));
    closest.map_or_else(|| "none".to_owned(), |(_, name)| name.as_ref().to_owned())
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_name_is_the_one_that_looks_the_same() {
        let names = ["AAC040", "AAC041", "AAC04", "AAC049", "AAE180"];
        for (wanted, expected) in [("AAC04O", "AAC040"), ("AAC04l", "AAC041"), ("aae180", "AAE180")] {
            assert_eq!(nearest(wanted, names), expected, "{wanted}");
        }
        assert_eq!(nearest("AAC040", [""; 0]), "none");
    }
}
