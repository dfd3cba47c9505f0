//! Every fault: the client sees an error or a closed connection, and never wrong rows in silence.

use std::sync::Arc;
use std::time::Duration;

use tiberius::{EncryptionLevel, error::Error};

use super::backend::Fake;
use super::{Connected, config, connect, connect_with, plain, soon};
use crate::support::tds::wire::{Fault, On, Options, Server};

/// Bytes of the whole reply to `ROWS 3`.
const REPLY_TO_ROWS_3: u64 = 86;

/// The rows' ids, which are 0, 1, 2… where all is well.
async fn ids(client: &mut Connected, batch: &str) -> tiberius::Result<Vec<i32>> {
    let rows = soon(async { client.simple_query(batch).await?.into_first_result().await }).await?;
    rows.iter().map(|row| Ok(row.try_get::<i32, _>(0)?.unwrap())).collect()
}

fn any_batch(server: &Server, fault: Fault) {
    server.faults().arm(On::AnyBatch, fault);
}

/// Waits until so many faults took effect: a client may give up before the server gets there.
async fn injected(server: &Server, count: usize) {
    soon(async {
        while server.faults().injected() < count {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(server.faults().injected(), count);
}

fn error(after_rows: u64, class: u8) -> Fault {
    let message = "Transaction was deadlocked".into();
    Fault::ErrorToken { number: 1205, class, state: 51, message, after_rows }
}

#[tokio::test]
async fn dropped_at_every_byte() {
    let fake = Fake::new();
    let server = plain(&fake);
    let mut whole = None;
    for bytes in 0_u64.. {
        any_batch(&server, Fault::DropAfter { bytes });
        let mut client = connect(&server).await.unwrap();
        match ids(&mut client, "ROWS 3").await {
            // The reply is complete, and the next one none.
            Ok(ids) if ids == [0, 1, 2] => whole = Some(bytes),
            Err(Error::Io { .. }) => {}
            other => panic!("{other:?} after {bytes} bytes"),
        }
        assert_eq!(server.faults().injected(), bytes as usize + 1, "{bytes}");
        ids(&mut client, "ROWS 1").await.expect_err("closed");
        if whole.is_some() {
            break;
        }
    }
    assert_eq!(whole, Some(REPLY_TO_ROWS_3));
    // In a later reply, far into the stream.
    let mut client = connect(&server).await.unwrap();
    any_batch(&server, Fault::DropAfter { bytes: 1_000_000 });
    assert_eq!(ids(&mut client, "ROWS 2").await.unwrap(), [0, 1]);
    ids(&mut client, "ROWS 100000").await.expect_err("dropped");
    assert_eq!(fake.heard().last().unwrap(), "ROWS 100000");
    assert_eq!(server.faults().pending(), 0);
}

#[tokio::test]
async fn filters_choose_the_occasion() {
    let fake = Fake::new();
    let server = plain(&fake);
    server.faults().arm(On::BatchContaining("ROWS 7".into()), error(0, 13));
    server.faults().arm(On::Login, error(0, 14));
    assert_eq!(connect(&server).await.unwrap_err().code(), Some(1205));
    let mut client = connect(&server).await.unwrap();
    assert_eq!(ids(&mut client, "ROWS 2").await.unwrap(), [0, 1]);
    assert_eq!((server.faults().pending(), server.faults().injected()), (1, 1));
    assert_eq!(ids(&mut client, "ROWS 7").await.unwrap_err().code(), Some(1205));
    assert_eq!(ids(&mut client, "ROWS 7").await.unwrap().len(), 7);
    assert_eq!((server.faults().pending(), server.faults().injected()), (0, 2));
    // The victim did not run.
    assert_eq!(fake.heard(), ["ROWS 2", "ROWS 7"]);
    any_batch(&server, error(0, 13));
    server.faults().clear();
    assert_eq!(ids(&mut client, "ROWS 2").await.unwrap(), [0, 1]);
}

#[tokio::test]
async fn errors_after_rows() {
    let fake = Fake::new();
    let server = plain(&fake);
    let mut client = connect(&server).await.unwrap();
    for rows in [1, 2, 5, 900] {
        any_batch(&server, error(rows, 13));
        let failure = ids(&mut client, "ROWS 5").await.unwrap_err();
        assert_eq!(failure.code(), Some(1205), "{rows}");
        any_batch(&server, error(rows, 13));
        let failure = soon(client.execute("DELETE", &[])).await.unwrap_err();
        assert_eq!(failure.code(), Some(1205));
        assert_eq!(ids(&mut client, "ROWS 5").await.unwrap(), [0, 1, 2, 3, 4]);
    }
    any_batch(&server, error(3, 20));
    assert_eq!(ids(&mut client, "ROWS 5").await.unwrap_err().code(), Some(1205));
    ids(&mut client, "ROWS 5").await.expect_err("closed");
}

#[tokio::test]
async fn tokens_that_are_none() {
    let fake = Fake::new();
    let server = plain(&fake);
    let faults = [
        Fault::UnknownType,
        Fault::ShortRow { row: 0 },
        Fault::ShortRow { row: 2 },
        Fault::GarbageToken { after_rows: 0 },
        Fault::GarbageToken { after_rows: 3 },
    ];
    for (n, fault) in faults.into_iter().enumerate() {
        let mut client = connect(&server).await.unwrap();
        any_batch(&server, fault.clone());
        match ids(&mut client, "ROWS 3").await.unwrap_err() {
            Error::Protocol(_) | Error::Io { .. } => {}
            other => panic!("{fault:?}: {other}"),
        }
        assert_eq!(server.faults().injected(), n + 1, "{fault:?}");
    }
    let mut client = connect(&server).await.unwrap();
    any_batch(&server, Fault::UnknownType);
    soon(client.execute("DELETE", &[])).await.expect_err("an unknown type");
}

/// tiberius takes the end of the message for the end of the rows: what came is right, and that is all it can know.
#[tokio::test]
async fn end_without_done() {
    let fake = Fake::new();
    let server = plain(&fake);
    let mut client = connect(&server).await.unwrap();
    any_batch(&server, Fault::EndWithoutDone { after_rows: u64::MAX });
    assert_eq!(ids(&mut client, "ROWS 3").await.unwrap(), [0, 1, 2]);
    any_batch(&server, Fault::EndWithoutDone { after_rows: 2 });
    assert_eq!(ids(&mut client, "ROWS 3").await.unwrap(), [0, 1]);
    assert_eq!(ids(&mut client, "ROWS 3").await.unwrap(), [0, 1, 2]);
    assert_eq!(server.faults().injected(), 2);
}

#[tokio::test]
async fn stalls_until_the_client_gives_up() {
    let fake = Fake::new();
    let server = plain(&fake);
    for (n, after_bytes) in [0, 5, 60, 300_000].into_iter().enumerate() {
        let mut config = config(&server);
        config.command_timeout(Some(Duration::from_secs(1)));
        let mut client = connect_with(config).await.unwrap();
        any_batch(&server, Fault::Stall { after_bytes });
        match ids(&mut client, "ROWS 50000").await.unwrap_err() {
            Error::Io { kind: std::io::ErrorKind::TimedOut, .. } => {}
            other => panic!("{after_bytes}: {other}"),
        }
        injected(&server, n + 1).await;
    }
    // One that nobody gives up ends with the server.
    let mut client = connect(&server).await.unwrap();
    any_batch(&server, Fault::Stall { after_bytes: 20 });
    let stalled = tokio::spawn(async move { ids(&mut client, "ROWS 3").await });
    injected(&server, 5).await;
    drop(server);
    soon(stalled).await.unwrap().expect_err("closed");
}

#[tokio::test]
async fn logins_fail() {
    let fake = Fake::new();
    let server = Server::start(fake, Options::default());
    let faults = [
        Fault::CloseDuringPrelogin,
        Fault::ResetDuringLogin,
        Fault::DropAfter { bytes: 0 },
        Fault::DropAfter { bytes: 10 },
        Fault::DropAfter { bytes: 100 },
        Fault::GarbageToken { after_rows: 0 },
        Fault::EndWithoutDone { after_rows: 0 },
        Fault::Stall { after_bytes: 3 },
        Fault::Stall { after_bytes: 60 },
    ];
    let mut count = 0;
    for fault in faults {
        for encryption in [EncryptionLevel::NotSupported, EncryptionLevel::Off, EncryptionLevel::Required] {
            let mut config = config(&server);
            config.encryption(encryption);
            config.trust_cert();
            let patient = config.clone();
            if matches!(fault, Fault::Stall { .. }) {
                config.handshake_timeout(Some(Duration::from_millis(500)));
            }
            server.faults().arm(On::Login, fault.clone());
            connect_with(config).await.expect_err("no login");
            count += 1;
            injected(&server, count).await;
            connect_with(patient).await.unwrap_or_else(|e| panic!("after {fault:?} {encryption:?}: {e}"));
        }
    }
    assert_eq!(server.faults().pending(), 0);
}

/// A byte that is flipped gives an error, a wait, a closed connection, or a wrong value; but the server lives on.
#[tokio::test]
async fn corrupt_bytes() {
    let fake = Fake::new();
    let server = plain(&fake);
    let mut noticed = Vec::new();
    for at in 0..REPLY_TO_ROWS_3 {
        any_batch(&server, Fault::CorruptByte { at, xor: 0xFF });
        let mut config = config(&server);
        config.command_timeout(Some(Duration::from_millis(100)));
        let mut client = connect_with(config).await.unwrap();
        if !matches!(ids(&mut client, "ROWS 3").await, Ok(ids) if ids == [0, 1, 2]) {
            noticed.push(at);
        }
        injected(&server, at as usize + 1).await;
    }
    // The packet's type and length, the first token, the number of columns, their types, the first ROW and its id.
    for at in [0, 2, 8, 9, 17, 29, 46, 47] {
        assert!(noticed.contains(&at), "{at} is not among {noticed:?}");
    }
    any_batch(&server, Fault::CorruptByte { at: 10_000, xor: 1 });
    let mut client = connect(&server).await.unwrap();
    assert_eq!(ids(&mut client, "ROWS 3").await.unwrap(), [0, 1, 2]);
    assert_eq!(ids(&mut client, "ROWS 3000").await.unwrap().len(), 3000);
    assert_eq!(server.faults().injected() as u64, REPLY_TO_ROWS_3);
}

/// A policy sees every occasion, and its faults leave no wrong rows behind.
#[tokio::test]
async fn policy_injects_by_the_hundred() {
    let fake = Fake::new();
    let server = plain(&fake);
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let read_errors = seen.clone();
    let mut random = 1_u64;
    server.faults().policy(Box::new(move |occasion| {
        read_errors.lock().unwrap().push((occasion.connection, occasion.number, occasion.batch.is_some()));
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let dice = random >> 33;
        match dice % 10 {
            0 if occasion.batch.is_none() => Some(Fault::CloseDuringPrelogin),
            1 if occasion.batch.is_none() => Some(Fault::ResetDuringLogin),
            2 => Some(Fault::DropAfter { bytes: dice / 10 % 5000 }),
            3 => Some(error(dice / 10 % 400, 13)),
            4 => Some(Fault::GarbageToken { after_rows: dice / 10 % 300 }),
            5 => Some(Fault::ShortRow { row: dice / 10 % 200 }),
            _ => None,
        }
    }));
    let expected: Vec<i32> = (0..200).collect();
    let mut good = 0;
    while server.faults().injected() < 300 {
        let Ok(mut client) = connect(&server).await else { continue };
        while let Ok(ids) = ids(&mut client, "ROWS 200").await {
            assert_eq!(ids, expected);
            good += 1;
        }
    }
    assert!(good > 100, "{good}");
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0], (1, 0, false));
    assert!(seen.contains(&(3, 1, true)) || seen.contains(&(4, 1, true)));
}
