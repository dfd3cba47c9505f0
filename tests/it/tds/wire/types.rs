//! Every type, at its ends, empty and NULL.

use std::borrow::Cow;

use crate::support::tds::value::{Answer, Collation, Datum, ResultColumn, SqlType};
use tiberius::numeric::Numeric;
use tiberius::time::{Date, DateTime, DateTime2, DateTimeOffset, SmallDateTime, Time};
use tiberius::{ColumnData, Uuid, xml::XmlData};

use super::backend::{Fake, column, prc, utf16};
use super::{connect, plain, soon};

type Case = (SqlType, Datum, ColumnData<'static>);

fn text(text: impl Into<String>) -> ColumnData<'static> {
    ColumnData::String(Some(Cow::Owned(text.into())))
}

fn binary(bytes: &[u8]) -> ColumnData<'static> {
    ColumnData::Binary(Some(Cow::Owned(bytes.to_vec())))
}

fn numbers() -> Vec<Case> {
    use ColumnData::{Bit, F32, F64, I16, I32, I64, U8};
    let mut cases = vec![
        (SqlType::Bit, Datum::Int(0), Bit(Some(false))),
        (SqlType::Bit, Datum::Int(1), Bit(Some(true))),
        (SqlType::TinyInt, Datum::Int(0), U8(Some(0))),
        (SqlType::TinyInt, Datum::Int(255), U8(Some(255))),
        (SqlType::SmallInt, Datum::Int(-32_768), I16(Some(i16::MIN))),
        (SqlType::SmallInt, Datum::Int(32_767), I16(Some(i16::MAX))),
        (SqlType::Int, Datum::Int(i64::from(i32::MIN)), I32(Some(i32::MIN))),
        (SqlType::Int, Datum::Int(i64::from(i32::MAX)), I32(Some(i32::MAX))),
        (SqlType::BigInt, Datum::Int(i64::MIN), I64(Some(i64::MIN))),
        (SqlType::BigInt, Datum::Int(i64::MAX), I64(Some(i64::MAX))),
        (SqlType::Real, Datum::Float(f64::from(f32::MAX)), F32(Some(f32::MAX))),
        (SqlType::Real, Datum::Float(-0.0), F32(Some(-0.0))),
        (SqlType::Float, Datum::Float(f64::MIN), F64(Some(f64::MIN))),
        (SqlType::Float, Datum::Float(5e-324), F64(Some(5e-324))),
        (SqlType::Money, Datum::Decimal(-12_345_678_901), F64(Some(-1_234_567.890_1))),
        (SqlType::Money, Datum::Decimal(1), F64(Some(0.0001))),
        (SqlType::SmallMoney, Datum::Decimal(-2_147_483_648), F64(Some(-214_748.364_8))),
        (SqlType::SmallMoney, Datum::Decimal(2_147_483_647), F64(Some(214_748.364_7))),
    ];
    for (precision, scale) in
        [(1, 0), (9, 4), (10, 10), (19, 0), (20, 7), (28, 28), (29, 1), (38, 0), (38, 38)]
    {
        for sign in [1, -1, 0] {
            let value = sign * (10_i128.pow(u32::from(precision)) - 1);
            let expected = ColumnData::Numeric(Some(Numeric::new_with_scale(value, scale)));
            cases.push((SqlType::Decimal { precision, scale }, Datum::Decimal(value), expected));
        }
    }
    cases
}

fn strings() -> Vec<Case> {
    let hello = Datum::Bytes(vec![0xC4, 0xE3, 0xBA, 0xC3]);
    let collation = prc;
    let big5 = Collation { name: "Chinese_Taiwan_Stroke_CI_AS".into(), code_page: 950 };
    let latin = Collation { name: "SQL_Latin1_General_CP1_CI_AS".into(), code_page: 1252 };
    let long = "长😀".repeat(100_000);
    let gbk_long = encoding_rs::GBK.encode(&"长".repeat(200_000)).0.into_owned();
    vec![
        (
            SqlType::Char { bytes: 6, collation: collation() },
            Datum::Bytes(b"ab    ".to_vec()),
            text("ab    "),
        ),
        (SqlType::VarChar { bytes: Some(4), collation: collation() }, hello.clone(), text("你好")),
        (SqlType::VarChar { bytes: Some(8000), collation: collation() }, Datum::Bytes(vec![]), text("")),
        (
            SqlType::VarChar { bytes: Some(8000), collation: collation() },
            Datum::Bytes(vec![b'x'; 8000]),
            text("x".repeat(8000)),
        ),
        (SqlType::VarChar { bytes: Some(2), collation: big5 }, Datum::Bytes(vec![0xA4, 0xA4]), text("中")),
        (SqlType::VarChar { bytes: Some(1), collation: latin }, Datum::Bytes(vec![0xE9]), text("é")),
        (SqlType::VarChar { bytes: None, collation: collation() }, Datum::Bytes(vec![]), text("")),
        (
            SqlType::VarChar { bytes: None, collation: collation() },
            Datum::Bytes(gbk_long.clone()),
            text("长".repeat(200_000)),
        ),
        (SqlType::Text { collation: collation() }, hello, text("你好")),
        (SqlType::Text { collation: collation() }, Datum::Bytes(vec![]), text("")),
        (SqlType::Text { collation: collation() }, Datum::Bytes(gbk_long), text("长".repeat(200_000))),
        (SqlType::NChar { chars: 3, collation: collation() }, utf16("中  "), text("中  ")),
        (SqlType::NVarChar { chars: Some(4000), collation: collation() }, utf16(""), text("")),
        (
            SqlType::NVarChar { chars: Some(4000), collation: collation() },
            utf16(&"字".repeat(4000)),
            text("字".repeat(4000)),
        ),
        (SqlType::NVarChar { chars: None, collation: collation() }, utf16(""), text("")),
        (SqlType::NVarChar { chars: None, collation: collation() }, utf16(&long), text(long.clone())),
        (SqlType::NText { collation: collation() }, utf16(""), text("")),
        (SqlType::NText { collation: collation() }, utf16(&long), text(long)),
        (SqlType::Xml, utf16("<a>中</a>"), ColumnData::Xml(Some(Cow::Owned(XmlData::new("<a>中</a>"))))),
        (SqlType::Xml, utf16(""), ColumnData::Xml(Some(Cow::Owned(XmlData::new(""))))),
    ]
}

fn binaries() -> Vec<Case> {
    let long: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut guid = [0; 16];
    guid.iter_mut().zip(0..).for_each(|(byte, n)| *byte = n * 16 + n);
    vec![
        (SqlType::Binary { bytes: 2 }, Datum::Bytes(vec![0, 255]), binary(&[0, 255])),
        (SqlType::VarBinary { bytes: Some(8000) }, Datum::Bytes(vec![]), binary(&[])),
        (
            SqlType::VarBinary { bytes: Some(8000) },
            Datum::Bytes(long[..8000].to_vec()),
            binary(&long[..8000]),
        ),
        (SqlType::VarBinary { bytes: None }, Datum::Bytes(vec![]), binary(&[])),
        (SqlType::VarBinary { bytes: None }, Datum::Bytes(long.clone()), binary(&long)),
        (SqlType::Image, Datum::Bytes(vec![]), binary(&[])),
        (SqlType::Image, Datum::Bytes(long.clone()), binary(&long)),
        (SqlType::RowVersion, Datum::Bytes(long[..8].to_vec()), binary(&long[..8])),
        (SqlType::UniqueIdentifier, Datum::Guid(guid), ColumnData::Guid(Some(Uuid::from_bytes(guid)))),
    ]
}

fn moments() -> Vec<Case> {
    let last_day = 3_652_058;
    let mut cases: Vec<Case> = [0, last_day]
        .map(|days| (SqlType::Date, Datum::Date(days), ColumnData::Date(Some(Date::new(days)))))
        .into();
    for (days, ticks) in [(-53_690, 0), (2_958_463, 25_919_999), (0, 1)] {
        let expected = ColumnData::DateTime(Some(DateTime::new(days, ticks)));
        cases.push((SqlType::DateTime, Datum::DateTime { days, ticks }, expected));
    }
    for (days, minutes) in [(0, 0), (u16::MAX, 1439)] {
        let expected = ColumnData::SmallDateTime(Some(SmallDateTime::new(days, minutes)));
        cases.push((SqlType::SmallDateTime, Datum::SmallDateTime { days, minutes }, expected));
    }
    for scale in 0..=7 {
        let unit = 10_u64.pow(7 - u32::from(scale));
        for time in [0, 864_000_000_000 - unit] {
            let clock = Time::new(time / unit, scale);
            let moment = DateTime2::new(Date::new(last_day), clock);
            cases.push((SqlType::Time { scale }, Datum::Time(time), ColumnData::Time(Some(clock))));
            cases.push((
                SqlType::DateTime2 { scale },
                Datum::DateTime2 { days: last_day, time },
                ColumnData::DateTime2(Some(moment)),
            ));
            for offset in [-840, 0, 840] {
                cases.push((
                    SqlType::DateTimeOffset { scale },
                    Datum::DateTimeOffset { days: last_day, time, offset },
                    ColumnData::DateTimeOffset(Some(DateTimeOffset::new(moment, offset))),
                ));
            }
        }
    }
    cases
}

fn variants() -> Vec<Case> {
    let moment = DateTime2::new(Date::new(5), Time::new(7, 7));
    [
        (Datum::Int(-5), ColumnData::I32(Some(-5))),
        (Datum::Int(i64::MIN), ColumnData::I64(Some(i64::MIN))),
        (Datum::Float(0.5), ColumnData::F64(Some(0.5))),
        (Datum::Decimal(-77), ColumnData::Numeric(Some(Numeric::new_with_scale(-77, 0)))),
        (Datum::Bytes(vec![1, 2]), binary(&[1, 2])),
        (utf16("变"), text("变")),
        (Datum::Date(5), ColumnData::Date(Some(Date::new(5)))),
        (Datum::Time(7), ColumnData::Time(Some(Time::new(7, 7)))),
        (Datum::DateTime2 { days: 5, time: 7 }, ColumnData::DateTime2(Some(moment))),
        (Datum::DateTime { days: -5, ticks: 7 }, ColumnData::DateTime(Some(DateTime::new(-5, 7)))),
        (
            Datum::SmallDateTime { days: 5, minutes: 7 },
            ColumnData::SmallDateTime(Some(SmallDateTime::new(5, 7))),
        ),
        (
            Datum::DateTimeOffset { days: 5, time: 7, offset: -60 },
            ColumnData::DateTimeOffset(Some(DateTimeOffset::new(moment, -60))),
        ),
        (Datum::Guid([9; 16]), ColumnData::Guid(Some(Uuid::from_bytes([9; 16])))),
    ]
    .map(|(datum, expected)| (SqlType::Variant, datum, expected))
    .into()
}

/// Runs a query that gives these rows; the rows as the client sees them.
async fn fetch(columns: Vec<ResultColumn>, rows: Vec<Vec<Datum>>) -> Vec<Vec<ColumnData<'static>>> {
    let fake = Fake::new();
    fake.on("SELECT", move || vec![Ok(Answer::Rows { columns: columns.clone(), rows: rows.clone() })]);
    let server = plain(&fake);
    let mut client = connect(&server).await.unwrap();
    let rows = soon(async { client.simple_query("SELECT").await?.into_first_result().await }).await.unwrap();
    rows.into_iter().map(|row| row.into_iter().collect()).collect()
}

async fn check(cases: Vec<Case>) {
    let columns: Vec<ResultColumn> = cases
        .iter()
        .enumerate()
        .flat_map(|(n, (kind, ..))| {
            [column(&format!("a{n}"), kind.clone(), true), column(&format!("b{n}"), kind.clone(), false)]
        })
        .collect();
    let full: Vec<Datum> = cases.iter().flat_map(|(_, datum, _)| [datum.clone(), datum.clone()]).collect();
    let half: Vec<Datum> = cases.iter().flat_map(|(_, datum, _)| [Datum::Null, datum.clone()]).collect();
    let rows = fetch(columns, vec![full.clone(), half, full]).await;
    assert_eq!(rows.len(), 3);
    for (n, (kind, _, expected)) in cases.iter().enumerate() {
        for row in [0, 2] {
            assert_eq!(&rows[row][2 * n], expected, "{kind:?}, nullable");
            assert_eq!(&rows[row][2 * n + 1], expected, "{kind:?}");
        }
        assert!(is_null(&rows[1][2 * n]), "{kind:?}: {:?}", rows[1][2 * n]);
        assert_eq!(&rows[1][2 * n + 1], expected, "{kind:?} beside NULL");
    }
    // Few columns: NULL without NBCROW.
    for (kind, datum, expected) in cases {
        let columns = vec![column("x", kind.clone(), true), column("y", kind.clone(), true)];
        let rows = fetch(columns, vec![vec![Datum::Null, datum]]).await;
        assert!(is_null(&rows[0][0]), "{kind:?}");
        assert_eq!(rows[0][1], expected, "{kind:?} after NULL");
    }
}

fn is_null(data: &ColumnData<'_>) -> bool {
    format!("{data:?}").ends_with("(None)")
}

#[tokio::test]
async fn numbers_are_exact() {
    check(numbers()).await;
}

#[tokio::test]
async fn strings_are_exact() {
    check(strings()).await;
}

#[tokio::test]
async fn binaries_are_exact() {
    check(binaries()).await;
}

#[tokio::test]
async fn moments_are_exact() {
    check(moments()).await;
}

#[tokio::test]
async fn variants_have_base_types() {
    check(variants()).await;
}
