//! Folders of any name: paths are paths, never patterns; what cannot be listed or is missing is an error, never nothing.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use datafusion::prelude::SessionContext;
use qianyi::artifacts::Status;
use qianyi::dataset::{self, DatasetError};

use crate::support::demo::{city, ran, run_settings};
use crate::support::write_part;

const NAMES: [&str; 9] = ["白城[2021]", "a*b?", "{a,b}", "a b", "%41", "#1", "file:x", "..x", "a\\b"];

fn part(path: &Path, values: &[i64]) {
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true)]));
    let column = Arc::new(Int64Array::from_iter_values(values.iter().copied()));
    write_part(path, &RecordBatch::try_new(schema, vec![column]).unwrap());
}

async fn sum(dir: &Path) -> Result<i64, DatasetError> {
    let session = SessionContext::new();
    dataset::register(&session, "t", &dataset::parts(dir)?)?;
    let found = session.sql("SELECT sum(n) FROM t").await.unwrap().collect().await.unwrap();
    Ok(found[0].column(0).as_primitive::<Int64Type>().value(0))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parts_of_a_folder_are_read_whatever_its_name() {
    let work = tempfile::tempdir().unwrap();
    // What a pattern or a half-decoded path would find instead.
    for decoy in ["白城2", "a-b-", "a", "b", "A"] {
        std::fs::create_dir(work.path().join(decoy)).unwrap();
        part(&work.path().join(decoy).join("000001.parquet"), &[1000]);
    }
    for name in NAMES {
        let dir = work.path().join(name);
        std::fs::create_dir(&dir).unwrap();
        part(&dir.join("000001.parquet"), &[1, 2]);
        part(&dir.join("[2]*-000002.parquet"), &[4]);
        assert_eq!(sum(&dir).await.unwrap(), 7, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_gone_and_a_folder_that_is_none_are_errors() {
    let work = tempfile::tempdir().unwrap();
    let paths = ["000001.parquet", "000002.parquet"].map(|n| work.path().join(n));
    paths.iter().for_each(|p| part(p, &[1]));
    std::fs::remove_file(&paths[1]).unwrap();
    let session = SessionContext::new();
    let error = dataset::register(&session, "t", &paths).unwrap_err();
    assert!(error.to_string().ends_with("000002.parquet cannot be read as a Parquet part"), "{error}");
    let error = dataset::parts(&paths[0]).unwrap_err();
    assert!(error.to_string().ends_with("000001.parquet cannot be listed"), "{error}");
    let error = dataset::parts(&work.path().join("none")).unwrap_err();
    assert!(error.to_string().ends_with("none holds no Parquet part"), "{error}");
}

#[test]
fn a_run_is_done_in_a_work_directory_of_any_name() {
    let dir = tempfile::tempdir().unwrap();
    let database = city(&dir.path().join("legacy {a,b}"), 200, 7);
    let whole = ran(&run_settings(&database, &dir.path().join("plain"), 2));
    let odd = ran(&run_settings(&database, &dir.path().join("白城[2021] a*b?{a,b}%41#"), 2));
    assert_eq!((odd.status, odd.unexplained_rows, odd.unexplained_fen), (Status::Done, 0, 0));
    assert_eq!(odd.tables, whole.tables);
}
