//! The engine: which side of a join is held in memory, and how much of a window.

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use datafusion::prelude::SessionContext;
use qianyi::dataset;
use qianyi::engine::{Engine, EngineSettings, Joins};
use qianyi::{mapping, national};

use crate::support::demo::{as_of, folder};
use crate::support::write_part;

/// Ids spread over all numbers, as hashed ones are: between their bounds there is room for any number of distinct ones.
const SPREAD: i64 = 9_000_000_000_007;

/// Rows with a key that repeats after `distinct` and a text of 400 bytes.
fn part(path: &Path, rows: i64, distinct: i64) {
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values((0..rows).map(|row| row % distinct * SPREAD)));
    let text: ArrayRef = Arc::new(StringArray::from_iter_values((0..rows).map(|row| format!("{row:0>400}"))));
    let batch = RecordBatch::try_from_iter([("k", keys), ("text", text)]).unwrap();
    write_part(path, &batch);
}

/// The demo city's engine in little memory.
fn engine(dir: &Path) -> Engine {
    let settings = EngineSettings { memory: 64 << 20, spill: dir.join("spill"), partitions: 2 };
    let national = national::load(&folder("national")).unwrap();
    let city = mapping::load(&folder("baicheng"), &national).unwrap();
    Engine::start(settings, city.functions(as_of())).unwrap()
}

/// Payments whose unit and whose person exist: two small tables, a large one. Before, the second join held the large one in memory (the
/// estimate of the first was the rows of the small table), and a city of 60,000 persons did not get through 1 GiB.
#[test]
fn a_chain_of_joins_holds_its_small_sides() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(dir.path());
    let session = engine.session(2, Joins::OneSmall);
    for (name, rows, distinct) in [("payment", 400_000, 300), ("unit", 200, 200), ("person", 1_000, 1_000)] {
        let path = dir.path().join(format!("{name}.parquet"));
        part(&path, rows, distinct);
        dataset::register(&session, name, &[path]).unwrap();
    }
    let of = |test: &str| {
        let sql = format!("SELECT count(*), sum(character_length(d.text)) FROM {test}");
        let rows = engine.block_on(async { session.sql(&sql).await?.collect().await }).unwrap();
        let column = |i: usize| rows[0].column(i).as_any().downcast_ref::<Int64Array>().unwrap().value(0);
        (column(0), column(1))
    };
    // 400,000 rows over keys 0 to 299: 1,333 whole turns, and the keys 0 to 99 once more.
    let (rows, bytes) = (1_333 * 200 + 100, (1_333 * 200 + 100) * 400);
    let exists = "payment d WHERE EXISTS (SELECT 1 FROM unit u WHERE u.k = d.k) AND EXISTS (SELECT 1 FROM person p WHERE p.k = d.k)";
    assert_eq!(of(exists), (rows, bytes));
    let inner = "payment d JOIN unit u ON u.k = d.k JOIN person p ON p.k = d.k";
    assert_eq!(of(inner), (rows, bytes));
}

/// A window over groups gives batches, not its table as one; what it gives is what DataFusion's own operator gives.
#[test]
fn a_window_holds_a_few_groups() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(dir.path());
    let session = engine.session(2, Joins::Large);
    for (name, distinct) in [("small", 90_000), ("large", 7), ("one", 1)] {
        let path = dir.path().join(format!("{name}.parquet"));
        part(&path, 200_000, distinct);
        let keys = SessionContext::new();
        dataset::register(&session, name, std::slice::from_ref(&path)).unwrap();
        dataset::register(&keys, name, &[path]).unwrap();
        let sql = format!(
            "SELECT k, count(*) OVER (PARTITION BY k) AS n, \
               first_value(row) OVER (PARTITION BY k ORDER BY row DESC ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS last \
             FROM (SELECT k, CAST(text AS BIGINT) AS row FROM {name})"
        );
        let batches = |session: &SessionContext, sql: String| {
            engine.block_on(async { session.sql(&sql).await?.collect().await }).unwrap()
        };
        let found = batches(&session, sql.clone());
        if name == "small" {
            let largest = found.iter().map(RecordBatch::num_rows).max().unwrap();
            assert!(largest < 20_000, "{largest} rows in a batch");
        }
        let summed = |session: &SessionContext| {
            let all = format!("SELECT count(*), sum(n), sum(k / {SPREAD} * last), min(last) FROM ({sql})");
            datafusion::arrow::util::pretty::pretty_format_batches(&batches(session, all))
                .unwrap()
                .to_string()
        };
        assert_eq!(summed(&session), summed(&keys), "{name}");
        assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), 200_000);
    }
}
