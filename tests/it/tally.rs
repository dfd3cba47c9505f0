//! Counting: the content digest stays what it is, and sums are exact or refused.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::{DataType, Field, Schema};
use proptest::prelude::*;
use qianyi::engine::{Engine, EngineSettings};
use qianyi::mapping;
use qianyi::national;
use qianyi::tally::{
    ContentDigest, Counted, MAX_CELLS, Measure, RawSide, TallyError, border, count, raw_side, read_measures,
    side, write_measures,
};

use crate::support::demo::{as_of, folder};
use crate::support::rows::part;

/// Rows of text, money, date and number: (key, name, fen, days, months).
type Person = (String, Option<String>, Option<i64>, Option<i32>, Option<i32>);

fn batch(rows: &[Person]) -> RecordBatch {
    let schema = Schema::new(vec![
        Field::new("_key", DataType::Utf8, true),
        Field::new("AAC003", DataType::Utf8, true),
        Field::new("AAE020", DataType::Decimal128(16, 2), true),
        Field::new("AAC006", DataType::Date32, true),
        Field::new("AAE201", DataType::Int32, true),
    ]);
    let money: Decimal128Array = rows.iter().map(|r| r.2.map(i128::from)).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|r| Some(r.0.clone())).collect::<StringArray>()),
        Arc::new(rows.iter().map(|r| r.1.clone()).collect::<StringArray>()),
        Arc::new(money.with_precision_and_scale(16, 2).unwrap()),
        Arc::new(rows.iter().map(|r| r.3).collect::<Date32Array>()),
        Arc::new(rows.iter().map(|r| r.4).collect::<Int32Array>()),
    ];
    RecordBatch::try_new(Arc::new(schema), columns).unwrap()
}

fn digest(batches: &[RecordBatch]) -> ContentDigest {
    let mut digest = ContentDigest::default();
    batches.iter().for_each(|b| digest.add(b).unwrap());
    digest
}

/// A change of the canonical form is a new version of every package: it must not happen by accident.
#[test]
fn the_content_digest_is_the_one_that_packages_carry() {
    let rows = vec![
        ("1".to_owned(), Some("张三".to_owned()), Some(12_345), Some(18_778), Some(12)),
        ("2".to_owned(), None, Some(-1), None, None),
    ];
    let digest = digest(&[batch(&rows)]);
    assert_eq!(digest.rows(), 2);
    insta::assert_snapshot!("content_digest", digest.hex());
}

#[test]
fn a_new_column_that_is_empty_changes_nothing_and_lineage_is_no_content() {
    let rows = vec![("1".to_owned(), Some("张三".to_owned()), None, None, None)];
    let wide = batch(&rows);
    let narrow = wide.project(&[0, 1]).unwrap();
    assert_eq!(digest(std::slice::from_ref(&wide)).hex(), digest(&[narrow]).hex());
    let mut fields: Vec<Field> = wide.schema().fields().iter().map(|f| f.as_ref().clone()).collect();
    fields.push(Field::new("_source", DataType::Utf8, true));
    let mut columns = wide.columns().to_vec();
    columns.push(Arc::new(StringArray::from(vec!["ylbx.GRJBXX"])));
    let traced = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    assert_eq!(digest(&[wide]).hex(), digest(&[traced]).hex());
}

fn person() -> impl Strategy<Value = Person> {
    (
        "[0-9]{1,4}",
        proptest::option::of("[a-z张三]{0,4}"),
        proptest::option::of(any::<i32>()),
        proptest::option::of(0..30_000_i32),
        proptest::option::of(0..900_i32),
    )
        .prop_map(|(k, n, f, d, m)| (k, n, f.map(i64::from), d, m))
}

proptest! {
    #[test]
    fn the_content_digest_knows_no_order_and_no_parts(mut rows in proptest::collection::vec(person(), 0..40), cut in 0..40_usize) {
        let whole = digest(&[batch(&rows)]);
        rows.reverse();
        let cut = cut.min(rows.len());
        let (a, b) = rows.split_at(cut);
        let mut merged = digest(&[batch(a)]);
        merged.merge(&digest(&[batch(b)]));
        prop_assert_eq!(whole.hex(), merged.hex());
    }

    #[test]
    fn any_change_of_a_value_changes_the_content_digest(rows in proptest::collection::vec(person(), 1..20), at in 0..20_usize) {
        let mut other = rows.clone();
        let at = at.min(rows.len() - 1);
        other[at].2 = Some(other[at].2.unwrap_or(0) + 1);
        prop_assert_ne!(digest(&[batch(&rows)]).hex(), digest(&[batch(&other)]).hex());
    }

    #[test]
    fn measures_read_back_as_written_and_sorted(values in proptest::collection::vec(("[a-z]{1,3}", any::<i64>()), 0..20)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.parquet");
        let mut measures: Vec<Measure> = values.into_iter().map(|(table, value)| Measure {
            border: border::SOURCE_RAW.to_owned(), side: side::RAW.to_owned(), table, measure: "rows".to_owned(),
            insurance: String::new(), period: String::new(), bucket: String::new(), value,
        }).collect();
        write_measures(&path, &measures).unwrap();
        measures.sort();
        prop_assert_eq!(read_measures(&path).unwrap(), measures);
    }
}

#[test]
fn rows_and_fen_are_summed_by_cell_and_what_is_null_has_a_cell_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let national = national::load(&folder("national")).unwrap();
    let city = mapping::load(&folder("baicheng"), &national).unwrap();
    let spill = dir.path().join("spill");
    let engine =
        Engine::start(EngineSettings { memory: 1 << 28, spill, partitions: 2 }, city.functions(as_of()))
            .unwrap();
    let table = national.table("AC43").unwrap();
    let path = part(
        &dir.path().join("AC43/1.parquet"),
        &table.mapped_schema(),
        &[
            &[("AAE140", "110"), ("AAE003", "200101"), ("AAE020", "0.01"), ("_source", "s.T")],
            &[("AAE140", "110"), ("AAE003", "200101"), ("AAE020", "99999999999999.98"), ("_source", "s.T")],
            &[("AAE140", "110"), ("AAE020", "-5.00"), ("_source", "s.T")],
        ],
    );
    let of = Counted {
        border: border::MAPPED_FATES,
        side: side::MAPPED,
        table: "AC43",
        parts: &[path],
        bucket: None,
        insurance: Some("AAE140"),
        period: Some("AAE003"),
        amounts: &["AAE020".to_owned()],
    };
    let mut shown: Vec<String> = count(&engine, &of)
        .unwrap()
        .iter()
        .map(|m| format!("{} {} {} {}", m.measure, m.insurance, m.period, m.value))
        .collect();
    shown.sort();
    assert_eq!(
        shown,
        [
            "fen:AAE020 110 (none) -500",
            "fen:AAE020 110 200101 9999999999999999",
            "rows 110 (none) 1",
            "rows 110 200101 2"
        ]
    );
}

#[test]
fn a_sum_that_does_not_fit_and_too_many_cells_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, field: Field, column: ArrayRef| {
        let schema = Arc::new(Schema::new(vec![field]));
        let path = dir.path().join(name);
        let mut writer = qianyi::dataset::PartWriter::create(&path, schema.clone()).unwrap();
        writer.write(&RecordBatch::try_new(schema, vec![column]).unwrap()).unwrap();
        writer.finish().unwrap();
        path
    };
    let side = |parts: &[std::path::PathBuf], by: &[String], amounts: &[String]| {
        raw_side(&RawSide { table: "s.T", parts, by, amounts })
    };
    let huge = write(
        "huge.parquet",
        Field::new("N", DataType::Int64, true),
        Arc::new(Int64Array::from(vec![i64::MAX, 1])),
    );
    let error = side(&[huge], &[], &["N".to_owned()]).unwrap_err();
    assert!(matches!(error, TallyError::Overflow { .. }), "{error}");
    let many: Vec<i64> = (0..=i64::try_from(MAX_CELLS).unwrap()).collect();
    let many =
        write("many.parquet", Field::new("N", DataType::Int64, true), Arc::new(Int64Array::from(many)));
    let error = side(&[many], &["N".to_owned()], &[]).unwrap_err();
    assert!(matches!(error, TallyError::TooManyCells { .. }), "{error}");
}
