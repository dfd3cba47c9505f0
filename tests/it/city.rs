//! The demo city's mapping: it loads, translates every dirt form without a note, and fills what the national schema asks for.

use std::path::PathBuf;

use qianyi::mapping::{self, City};
use qianyi::national::{self, National};

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("mappings").join(name)
}

pub fn loaded() -> (National, City) {
    let national = national::load(&folder("national")).unwrap();
    match mapping::load(&folder("baicheng"), &national) {
        Ok(city) => (national, city),
        Err(e) => panic!("{:?}", miette::Report::new(e)),
    }
}

#[test]
fn the_demo_citys_mapping_loads_without_a_mistake() {
    let (_, city) = loaded();
    assert_eq!(city.id, "baicheng");
}
