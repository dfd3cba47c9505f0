//! The national schema: what ships loads, and what does not fit together is refused with file and line.

use std::path::Path;

use qianyi::national;

#[test]
fn the_shipped_schema_is_consistent() {
    let national = national::load(Path::new("mappings/national")).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(national.tables.len(), 49);
}
