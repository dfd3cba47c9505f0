//! Batches and procedure calls: streams, several statements, errors, parameters, attentions.

use std::sync::Arc;

use crate::support::tds::value::{Answer, Datum, SqlType};
use chrono::{DateTime, NaiveDate, NaiveTime};
use futures::TryStreamExt;
use tiberius::{ColumnData, error::Error, numeric::Numeric};

use super::backend::{Fake, column, error, numbers};
use super::{config, connect, connect_with, plain, soon};

#[tokio::test]
async fn hundred_thousand_rows_stream() {
    let fake = Fake::new();
    let server = plain(&fake);
    for size in [512, 4096, 32767] {
        let mut config = config(&server);
        config.packet_size(size);
        let mut client = connect_with(config).await.unwrap();
        let mut next = 0_i32;
        soon(async {
            let mut rows = client.simple_query("ROWS 100000").await.unwrap().into_row_stream();
            while let Some(row) = rows.try_next().await.unwrap() {
                assert_eq!(row.get::<i32, _>(0), Some(next));
                assert_eq!(row.get::<&str, _>(1), Some(next.to_string().as_str()));
                next += 1;
            }
        })
        .await;
        assert_eq!(next, 100_000);
        assert_eq!(server.logins().last().unwrap().packet_size, size as usize);
    }
}

#[tokio::test]
async fn second_statement_fails() {
    let fake = Fake::new();
    fake.on("three", || {
        vec![Ok(numbers(3)), Err(error(208, 16, "Invalid object name 'x'.")), Ok(numbers(1))]
    });
    let server = plain(&fake);
    let mut client = connect(&server).await.unwrap();
    soon(async {
        let mut rows = client.simple_query("three").await.unwrap().into_row_stream();
        for n in 0..3 {
            assert_eq!(rows.try_next().await.unwrap().unwrap().get::<i32, _>(0), Some(n));
        }
        let Err(Error::Server(error)) = rows.try_next().await else { panic!("no error") };
        assert_eq!((error.code(), error.class(), error.line()), (208, 16, 1));
        drop(rows);
        // The session goes on, by call as by batch.
        let Err(Error::Server(error)) = client.query("three", &[]).await.unwrap().into_results().await else {
            panic!("no error")
        };
        assert_eq!(error.code(), 208);
        let rows = client.simple_query("ROWS 5").await.unwrap().into_first_result().await.unwrap();
        assert_eq!(rows.len(), 5);
    })
    .await;
}

#[tokio::test]
async fn statements_count_their_rows() {
    let fake = Fake::new();
    fake.on("counts", || vec![Ok(Answer::Done(7)), Ok(Answer::Done(0)), Ok(Answer::Done(1 << 40))]);
    fake.on("sets", || vec![Ok(numbers(1)), Ok(Answer::Done(2)), Ok(numbers(0)), Ok(numbers(2))]);
    fake.on("nothing", Vec::new);
    let server = plain(&fake);
    let mut client = connect(&server).await.unwrap();
    soon(async {
        let done = client.execute("counts", &[]).await.unwrap();
        assert_eq!(done.rows_affected()[..3], [7, 0, 1 << 40]);
        let sets = client.simple_query("sets").await.unwrap().into_results().await.unwrap();
        assert_eq!(sets.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 2]);
        let sets = client.query("sets", &[]).await.unwrap().into_results().await.unwrap();
        assert_eq!(sets.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 2]);
        assert!(client.simple_query("nothing").await.unwrap().into_results().await.unwrap().is_empty());
        client.simple_query("USE other").await.unwrap().into_results().await.unwrap();
        let sets = client.simple_query("ROWS 1").await.unwrap().into_results().await.unwrap();
        assert_eq!(sets[0].len(), 1);
    })
    .await;
}

#[tokio::test]
async fn fatal_error_ends_the_connection() {
    let fake = Fake::new();
    fake.on("fatal", || vec![Err(error(823, 24, "I/O error"))]);
    let server = plain(&fake);
    let mut client = connect(&server).await.unwrap();
    soon(async {
        let error = client.simple_query("fatal").await.map(drop).unwrap_err();
        assert_eq!(error.code(), Some(823));
        client.simple_query("ROWS 1").await.map(drop).expect_err("closed");
    })
    .await;
}

#[tokio::test]
async fn bad_answers_of_the_backend_are_errors() {
    let fake = Fake::new();
    fake.on("bad", || {
        let columns = vec![column("a", SqlType::Int, false)];
        vec![Ok(Answer::Rows { columns, rows: vec![vec![Datum::Int(1)], vec![Datum::Null]] })]
    });
    let server = plain(&fake);
    let mut client = connect(&server).await.unwrap();
    let error = soon(async { client.simple_query("bad").await?.into_results().await }).await.unwrap_err();
    assert_eq!(error.code(), Some(50_000));
}

#[tokio::test]
async fn parameters_become_literals() {
    let fake = Fake::new();
    let server = plain(&fake);
    let mut client = connect(&server).await.unwrap();
    let noon = NaiveTime::from_hms_nano_opt(12, 30, 59, 123_456_700).unwrap();
    let day = NaiveDate::from_ymd_opt(2024, 2, 29).unwrap();
    let moment = DateTime::parse_from_rfc3339("2024-02-29T01:30:00+08:00").unwrap();
    let guid = tiberius::Uuid::parse_str("00112233-4455-6677-8899-AABBCCDDEEFF").unwrap();
    let long = "长".repeat(5000);
    let blob = vec![0xAB_u8; 9000];
    let price = Numeric::new_with_scale(-12_345, 3);
    let nothing: Option<&str> = None;
    let short: &[u8] = &[0x01, 0xFF];
    let parameters: Vec<(&dyn tiberius::ToSql, String)> = vec![
        (&1_u8, "1".into()),
        (&-2_i16, "(-2)".into()),
        (&i32::MIN, "(-2147483648)".into()),
        (&i64::MAX, "9223372036854775807".into()),
        (&true, "1".into()),
        (&1.5_f64, "1.5e0".into()),
        (&-0.1_f32, "(-1e-1)".into()),
        (&"it's 中文 😀", "N'it''s 中文 😀'".into()),
        (&"", "N''".into()),
        (&nothing, "NULL".into()),
        (&long, format!("N'{long}'")),
        (&blob, format!("0x{}", "AB".repeat(9000))),
        (&short, "0x01FF".into()),
        (&price, "(-12.345)".into()),
        (&guid, "'00112233-4455-6677-8899-AABBCCDDEEFF'".into()),
        (&noon, "'12:30:59.1234567'".into()),
        (&day, "'2024-02-29'".into()),
        (&moment, "'2024-02-29 01:30:00.0000000 +08:00'".into()),
    ];
    let both = day.and_time(noon);
    soon(async {
        for (parameter, expected) in &parameters {
            client.query("SELECT @P1, '@P1'", &[*parameter]).await.unwrap().into_results().await.unwrap();
            assert_eq!(fake.heard().pop().unwrap(), format!("SELECT {expected}, '@P1'"));
        }
        client.execute("SELECT @P2-@P1", &[&both, &-5_i32]).await.unwrap();
        assert_eq!(fake.heard().pop().unwrap(), "SELECT (-5)-'2024-02-29 12:30:59.1234567'");
        let old = ColumnData::DateTime(Some(tiberius::time::DateTime::new(45_349, 300 * 3600 + 1)));
        let small = ColumnData::SmallDateTime(Some(tiberius::time::SmallDateTime::new(0, 61)));
        client.execute("SELECT @P1, @P2", &[&old, &small]).await.unwrap();
        assert_eq!(fake.heard().pop().unwrap(), "SELECT '2024-02-29T01:00:00.003', '1900-01-01T01:01:00'");
    })
    .await;
}

#[tokio::test]
async fn long_batch_spans_packets() {
    let fake = Fake::new();
    let server = plain(&fake);
    let mut client = connect(&server).await.unwrap();
    let batch = format!("SELECT '{}'", "长".repeat(1_000_000));
    soon(async { client.simple_query(batch.as_str()).await?.into_results().await }).await.unwrap();
    assert_eq!(fake.heard(), [batch]);
}

#[tokio::test]
async fn attention_ends_a_stream() {
    let fake = Fake::new();
    let server = plain(&fake);
    let mut client = connect(&server).await.unwrap();
    soon(async {
        let mut rows = client.simple_query("ROWS 300000").await.unwrap().into_row_stream();
        assert_eq!(rows.try_next().await.unwrap().unwrap().get::<i32, _>(0), Some(0));
        drop(rows);
        client.cancel_query().await.unwrap();
        let rows = client.simple_query("ROWS 3").await.unwrap().into_first_result().await.unwrap();
        assert_eq!(rows.len(), 3);
        // Nothing runs: the attention is acknowledged all the same.
        client.cancel_query().await.unwrap();
        let rows = client.simple_query("ROWS 4").await.unwrap().into_first_result().await.unwrap();
        assert_eq!(rows.len(), 4);
    })
    .await;
}

#[tokio::test]
async fn unknown_requests_are_refused() {
    let fake = Fake::new();
    let server = plain(&fake);
    let mut client = connect(&server).await.unwrap();
    soon(async {
        let error = client.begin_transaction().await.unwrap_err();
        assert_eq!(error.code(), Some(4002));
        let stream = tiberius::Command::new("dbo.other").exec(&mut client).await.unwrap();
        let error = stream.into_command_result().await.unwrap_err();
        assert_eq!(error.code(), Some(2812));
        let rows = client.simple_query("ROWS 3").await.unwrap().into_first_result().await.unwrap();
        assert_eq!(rows.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn connections_work_at_the_same_time() {
    let fake = Fake::new();
    let server = plain(&fake);
    let clients = (1..=16).map(|n| {
        let config = config(&server);
        async move {
            let mut client = connect_with(config).await.unwrap();
            for _ in 0..20 {
                let rows = client.simple_query(format!("ROWS {}", n * 100)).await.unwrap();
                assert_eq!(rows.into_first_result().await.unwrap().len(), n * 100);
            }
        }
    });
    soon(futures::future::join_all(clients)).await;
}

/// A batch cannot be stopped within the session: its attention waits for it, and its connection does not.
#[tokio::test]
async fn running_batch_is_waited_for_or_left_alone() {
    let fake = Fake::new();
    let started = Arc::new(tokio::sync::Notify::new());
    let (release, gate) = std::sync::mpsc::channel::<()>();
    let (gate, running) = (std::sync::Mutex::new(gate), started.clone());
    fake.on("slow", move || {
        running.notify_one();
        gate.lock().unwrap().recv().unwrap();
        // Too much for the socket, so that the attention is there before the end.
        vec![Ok(numbers(300_000))]
    });
    let server = plain(&fake);
    let mut client = connect(&server).await.unwrap();
    soon(async {
        tokio::select! {
            _ = client.simple_query("slow") => panic!("answered"),
            () = started.notified() => {}
        }
        let (cancelled, ()) = tokio::join!(client.cancel_query(), async { release.send(()).unwrap() });
        cancelled.unwrap();
        let rows = client.simple_query("ROWS 3").await.unwrap().into_first_result().await.unwrap();
        assert_eq!(rows.len(), 3);
        tokio::select! {
            _ = client.simple_query("slow") => panic!("answered"),
            () = started.notified() => {}
        }
        server.kill_connections();
        client.simple_query("ROWS 3").await.map(drop).expect_err("killed");
        let mut client = connect(&server).await.unwrap();
        client.simple_query("ROWS 3").await.unwrap().into_results().await.unwrap();
        release.send(()).unwrap();
    })
    .await;
}
