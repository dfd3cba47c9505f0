//! Counting: the content digest stays what it is, and sums are exact or refused.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use arrow::datatypes::{DataType, Field, Schema};
use proptest::prelude::*;
use qianyi::engine::{Engine, EngineSettings};
use qianyi::mapping;
use qianyi::measures::{
    ContentDigest, Counted, MAX_CELLS, Measure, MeasureError, RawSide, ReadAmount, RowOrder, boundary, count,
    layer1_measures, raw_side, read_measures, side, write_measures,
};
use qianyi::national;
use qianyi::reconcile::{Sides, reconcile};

use crate::support::demo::{as_of, folder};
use crate::support::rows::part;
use crate::support::write_part;

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
    fn measures_read_back_as_written_and_sorted(values in proptest::collection::vec(("[a-z]{1,3}", -(10_i128.pow(38) - 1)..10_i128.pow(38)), 0..20)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.parquet");
        let mut measures: Vec<Measure> = values.into_iter().map(|(table, value)| Measure {
            boundary: boundary::SOURCE_RAW.to_owned(), side: side::RAW.to_owned(), table, measure: "rows".to_owned(),
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
        boundary: boundary::MAPPED_DISPOSITIONS,
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
    let side = |parts: &[std::path::PathBuf], by: &[String], amounts: &[String]| {
        raw_side(&RawSide { table: "s.T", parts, by, amounts })
    };
    let beyond = raw(
        &dir.path().join("beyond.parquet"),
        vec![(Field::new("N", DataType::Int64, true), Arc::new(Int64Array::from(vec![i64::MAX, i64::MAX])))],
    );
    let measures = side(&[beyond], &[], &["N".to_owned()]).unwrap();
    assert_eq!(measures[1].value, 2 * i128::from(i64::MAX), "64 bits are no limit");
    let most = 10_i128.pow(38) - 1;
    let huge = raw(&dir.path().join("huge.parquet"), vec![decimals("N", 38, 0, &[Some(most), Some(1)])]);
    let error = side(&[huge], &[], &["N".to_owned()]).unwrap_err();
    assert!(matches!(error, MeasureError::Overflow { .. }), "{error}");
    assert_eq!(error.to_string(), "a sum over s.T N has more than 38 digits");
    let many: Vec<i64> = (0..=i64::try_from(MAX_CELLS).unwrap()).collect();
    let many = raw(
        &dir.path().join("many.parquet"),
        vec![(Field::new("N", DataType::Int64, true), Arc::new(Int64Array::from(many)))],
    );
    let error = side(&[many], &["N".to_owned()], &[]).unwrap_err();
    assert!(matches!(error, MeasureError::TooManyCells { .. }), "{error}");
}

/// A raw part of one or more columns.
fn raw(path: &std::path::Path, columns: Vec<(Field, ArrayRef)>) -> std::path::PathBuf {
    let (fields, arrays): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    let schema = Arc::new(Schema::new(fields));
    write_part(path, &RecordBatch::try_new(schema, arrays).unwrap());
    path.to_owned()
}

fn decimals(name: &str, precision: u8, scale: i8, values: &[Option<i128>]) -> (Field, ArrayRef) {
    let array: Decimal128Array = values.iter().copied().collect();
    let array = array.with_precision_and_scale(precision, scale).unwrap();
    (Field::new(name, DataType::Decimal128(precision, scale), true), Arc::new(array))
}

fn shown(measures: &[Measure]) -> Vec<String> {
    let mut shown: Vec<String> = measures
        .iter()
        .map(|m| format!("{} {} {}{}{}", m.side, m.measure, m.period, m.bucket, m.value))
        .collect();
    shown.sort();
    shown
}

#[test]
fn exact_columns_of_any_scale_are_summed_in_their_last_digit_and_months_may_be_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let part = raw(
        &dir.path().join("p.parquet"),
        vec![
            decimals("NY", 6, 0, &[Some(202_101), Some(202_101), None]),
            decimals("J10", 38, 10, &[Some(12_345_678_901), Some(-1), None]),
            decimals("J6", 18, 6, &[Some(1_500_000), Some(1), Some(2)]),
            decimals("J3", 9, 3, &[Some(1), None, None]),
        ],
    );
    let names = |of: &[&str]| of.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let (by, amounts) = (names(&["NY"]), names(&["J10", "J6", "J3"]));
    let measures = raw_side(&RawSide { table: "s.T", parts: &[part], by: &by, amounts: &amounts }).unwrap();
    let expected = [
        "raw e10:J10 20210112345678900",
        "raw e10:J10 ∅0",
        "raw e3:J3 2021011",
        "raw e3:J3 ∅0",
        "raw e6:J6 2021011500001",
        "raw e6:J6 ∅2",
        "raw rows 2021012",
        "raw rows ∅1",
    ];
    assert_eq!(shown(&measures), expected);
}

#[test]
fn values_that_no_sum_holds_are_counted_and_plain_numbers_written_as_text_are_summed() {
    let dir = tempfile::tempdir().unwrap();
    let text = |name: &str, values: &[Option<&str>]| -> (Field, ArrayRef) {
        (Field::new(name, DataType::Utf8, true), Arc::new(values.iter().copied().collect::<StringArray>()))
    };
    let bytes = |name: &str, values: &[Option<&[u8]>]| -> (Field, ArrayRef) {
        let encoding = [("encoding".to_owned(), "utf-8".to_owned())].into();
        let array: arrow::array::BinaryArray = values.iter().copied().collect();
        (Field::new(name, DataType::Binary, true).with_metadata(encoding), Arc::new(array))
    };
    let floats: arrow::array::Float64Array = [Some(1.25), None, Some(f64::INFINITY)].into_iter().collect();
    let part = raw(
        &dir.path().join("p.parquet"),
        vec![
            text("N", &[Some("12.5"), Some("NaN"), Some("-0.0000019")]),
            decimals("D", 10, 2, &[Some(150), None, None]),
            bytes("D__b", &[None, Some(b"NaN"), None]),
            (Field::new("F", DataType::Float64, true), Arc::new(floats)),
        ],
    );
    let amounts = ["N", "D", "F"].map(str::to_owned);
    let measures = raw_side(&RawSide { table: "s.T", parts: &[part], by: &[], amounts: &amounts }).unwrap();
    let expected = [
        "raw e4:F 12500",
        "raw e6:N 12499999",
        "raw fen:D 150",
        "raw left_out:D 1",
        "raw left_out:F 1",
        "raw left_out:N 1",
        "raw rows 3",
    ];
    assert_eq!(shown(&measures), expected);
}

#[test]
fn what_is_too_large_for_any_amount_is_a_read_error_and_not_a_difference() {
    let dir = tempfile::tempdir().unwrap();
    let huge = 10_i128.pow(37);
    let before = raw(
        &dir.path().join("raw.parquet"),
        vec![decimals("JE", 38, 10, &[Some(12_345_678_901), Some(huge), None])],
    );
    let after = raw(&dir.path().join("typed.parquet"), vec![decimals("JE", 16, 2, &[Some(123), None, None])]);
    let column =
        ReadAmount { legacy: "JE".to_owned(), typed: "JE".to_owned(), unit: qianyi::functions::Unit::Yuan };
    let measures = layer1_measures("s.T", &[before], &[after], &[column], RowOrder::Kept).unwrap();
    let all =
        reconcile(&Sides { run: "r0001", measures: &measures, known: &[], as_of: "2021-05-31" }).unwrap();
    assert_eq!((all.totals.unexplained_rows, all.totals.unexplained_fen), (0, 0), "{measures:#?}");
    let line = |measure: &str| all.boundaries[0].lines.iter().find(|l| l.measure == measure).unwrap();
    assert_eq!(line("values:JE").explained["read_error"], 1);
    // 1.2345678901 yuan were read as 1.23: 45 of 1/10000 yuan went.
    assert_eq!(line("e4:JE").explained["rounding"], 45);
    assert_eq!(line("e4:JE").left, 12_345);
}

#[test]
fn what_lies_beside_its_column_counts_where_it_is_read_to_the_fen() {
    let dir = tempfile::tempdir().unwrap();
    let encoding = [("encoding".to_owned(), "utf-8".to_owned())].into();
    let kept: Vec<Option<&[u8]>> =
        vec![None, Some(b"1,234.50"), Some(b"338.39999"), Some(b"n/a"), Some(b"1e3")];
    let kept: arrow::array::BinaryArray = kept.into_iter().collect();
    let kept: (Field, ArrayRef) =
        (Field::new("JE__b", DataType::Binary, true).with_metadata(encoding), Arc::new(kept));
    let column = decimals("JE", 10, 2, &[Some(100), None, None, None, None]);
    let before = raw(&dir.path().join("raw.parquet"), vec![column, kept]);
    let read = decimals("JE", 16, 2, &[Some(100), Some(123_450), None, None, None]);
    let after = raw(&dir.path().join("typed.parquet"), vec![read]);
    let column =
        ReadAmount { legacy: "JE".to_owned(), typed: "JE".to_owned(), unit: qianyi::functions::Unit::Yuan };
    let measures = layer1_measures("s.T", &[before], &[after], &[column], RowOrder::Kept).unwrap();
    let all =
        reconcile(&Sides { run: "r0001", measures: &measures, known: &[], as_of: "2021-05-31" }).unwrap();
    assert_eq!((all.totals.unexplained_rows, all.totals.unexplained_fen), (0, 0), "{measures:#?}");
    let line = |measure: &str| all.boundaries[0].lines.iter().find(|l| l.measure == measure).unwrap();
    assert_eq!((line("fen:JE").left, line("values:JE").left), (123_550, 2));
}

/// A number of 30 digits after the point: what is finer than the measure is added up apart, and never overflows.
#[test]
fn fine_columns_are_summed_exactly_and_cut_off_once() {
    let dir = tempfile::tempdir().unwrap();
    let one = 10_i128.pow(30);
    // 5 times 0.00005 and a little: 0.00025…, and 12345678 yuan of normal amounts.
    let small = one / 20_000 + 1;
    let values: Vec<Option<i128>> =
        std::iter::repeat_n(Some(small), 5).chain(std::iter::repeat_n(Some(12_345_678 * one), 3)).collect();
    let before = raw(&dir.path().join("raw.parquet"), vec![decimals("JE", 38, 30, &values)]);
    let fen: Vec<Option<i128>> =
        std::iter::repeat_n(Some(0), 5).chain(std::iter::repeat_n(Some(1_234_567_800), 3)).collect();
    let after = raw(&dir.path().join("typed.parquet"), vec![decimals("JE", 16, 2, &fen)]);
    let column =
        ReadAmount { legacy: "JE".to_owned(), typed: "JE".to_owned(), unit: qianyi::functions::Unit::Yuan };
    let measures = layer1_measures("s.T", &[before], &[after], &[column], RowOrder::Kept).unwrap();
    let of = |side: &str| measures.iter().find(|m| m.side == side && m.measure == "e4:JE").unwrap().value;
    assert_eq!((of("raw"), of("mapped")), (3 * 123_456_780_000 + 2, 3 * 123_456_780_000));
}

/// A person whose row a rule gave another number, or merged elsewhere, is counted once, under what became of the row.
#[test]
fn a_key_is_ready_where_any_of_its_rows_is_staged_under_whatever_key() {
    use qianyi::measures::{KeysOf, keys};
    use qianyi::national::FigureInsurance;
    let dir = tempfile::tempdir().unwrap();
    // Insurance, key, legacy key, disposition.
    let written = |name: &str, rows: &[[Option<&str>; 4]]| {
        let columns = ["AAE140", "AAC001", "_skey", "_disposition"];
        let mut fields: Vec<Field> = columns.iter().map(|c| Field::new(*c, DataType::Utf8, true)).collect();
        fields.extend(["_key", "_source"].map(|c| Field::new(c, DataType::Utf8, true)));
        let of = |at: usize| -> ArrayRef { Arc::new(rows.iter().map(|r| r[at]).collect::<StringArray>()) };
        let all = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text; rows.len()])) };
        let columns = vec![of(0), of(1), of(2), of(3), all("key"), all("ylbx.GRCBXX")];
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
        let path = dir.path().join(format!("{name}.parquet"));
        write_part(&path, &batch);
        vec![path]
    };
    let row = |i: &'static str, k: &'static str, id: &'static str| [Some(i), Some(k), Some(id), None];
    let lost = |k: &'static str, id: &'static str, d: &'static str| [Some("110"), Some(k), Some(id), Some(d)];
    let mapped = written(
        "mapped",
        &[
            row("110", "1", "a"),
            row("110", "1", "b"),
            row("110", "2", "c"),
            row("110", "3", "d"),
            row("110", "3", "e"),
            row("210", "4", "f"),
            row("110", "5", "g"),
        ],
    );
    // a stays, c is given the number of another, f moves to another insurance, z was added.
    let staged = written(
        "staged",
        &[row("110", "1", "a"), row("110", "9", "c"), row("110", "4", "f"), row("110", "8", "z")],
    );
    let rejected = written(
        "rejected",
        &[
            lost("1", "b", "merged"),
            lost("3", "d", "held"),
            lost("3", "e", "rejected"),
            lost("5", "g", "excluded"),
        ],
    );
    let engine = EngineSettings { memory: 1 << 30, spill: dir.path().join("spill"), partitions: 2 };
    let national = national::load(&folder("national")).unwrap();
    let functions = mapping::load(&folder("baicheng"), &national).unwrap().functions(as_of());
    let engine = Engine::start(engine, functions).unwrap();
    let insurance = FigureInsurance::Column("AAE140".to_owned());
    let of = KeysOf {
        column: "AAC001",
        table: "AC02",
        insurance: &insurance,
        mapped: &mapped,
        staged: &staged,
        rejected: &rejected,
    };
    let mut found: Vec<_> =
        keys(&engine, &of).unwrap().into_iter().map(|m| (m.insurance, m.bucket, m.value)).collect();
    found.sort();
    let wanted = [
        ("110", "", 2_i128),
        ("110", "added", 2),
        ("110", "excluded", 1),
        ("110", "rejected", 1),
        ("210", "rekeyed", 1),
    ];
    assert_eq!(found, wanted.map(|(i, b, n)| (i.to_owned(), b.to_owned(), n)));
}
