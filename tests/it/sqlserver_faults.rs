//! SQL Server over lines that break and servers that fail: what was ordered by the hundred ends with the right rows. Only the tests' own
//! server fails on command.

use qianyi::error::{Consequence, RetryClass};
use qianyi::fixture::copy_to_sqlserver;
use qianyi::retry::Transient;
use qianyi::source::connect;

use crate::sqlserver::grown;
use crate::support::demo::city;
use crate::support::extracts::{extracted, nothing_stray, rows, runtime};
use crate::support::legacy::table;
use crate::support::mssql::{Mssql, Own};
use crate::support::tds::wire::{Fault, Options};

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn fault(dice: &mut Dice, login: bool) -> Fault {
    let (rows, bytes) = (dice.roll(60), dice.roll(4000));
    if login {
        return if dice.roll(2) == 0 { Fault::ResetDuringLogin } else { Fault::CloseDuringPrelogin };
    }
    let error = |number, class, message: &str| {
        let message = message.to_owned();
        Fault::ErrorToken { number, class, state: 1, message, after_rows: rows }
    };
    match dice.roll(20) {
        0..=5 => Fault::DropAfter { bytes },
        6..=9 => error(1205, 13, "Transaction was deadlocked and has been chosen as the deadlock victim."),
        10 | 11 => error(1222, 16, "Lock request time out period exceeded."),
        12 => error(596, 21, "Cannot continue the execution because the session is in the kill state."),
        13 => error(50_000, 17, "There is insufficient system memory."),
        14 | 15 => Fault::GarbageToken { after_rows: rows },
        16 => Fault::ShortRow { row: rows },
        17 => Fault::UnknownType,
        18 => Fault::EndWithoutDone { after_rows: rows },
        _ => Fault::Stall { after_bytes: bytes },
    }
}

#[test]
fn over_a_server_that_fails_two_hundred_times_an_extract_ends_with_the_right_rows() {
    const FAULTS: usize = 400;
    let dir = tempfile::tempdir().unwrap();
    let server = Mssql::own_with(Options::default());
    copy_to_sqlserver(&city(dir.path(), 60, 3), &server.ado(), &mut |_| {}).unwrap();
    let snapshot = server.snapshot();
    let mut settings = server.settings_of(&snapshot, 100);
    settings.limits.retries = 30;
    settings.limits.statement_seconds = 1;
    let threads = runtime();
    let tables = threads.block_on(async { connect(&settings).await.unwrap().catalogue().await }).unwrap();
    let names: Vec<&str> = tables.iter().map(|t| t.name.as_str()).collect();
    let whole = dir.path().join("whole");
    extracted(&whole, &settings, &names).unwrap();
    let Some(Own { wire, .. }) = server.own() else { return };
    let mut dice = Dice(7);
    let mut left = FAULTS;
    wire.faults().policy(Box::new(move |occasion| {
        // Not too often in a row, so that every start gets somewhere.
        (left > 0 && dice.roll(12) == 0).then(|| {
            left -= 1;
            fault(&mut dice, occasion.batch.is_none())
        })
    }));
    let torn = dir.path().join("torn");
    let mut starts = 0;
    loop {
        starts += 1;
        match extracted(&torn, &settings, &names) {
            // Some rounds, until all faults were met.
            Ok(_) if wire.faults().injected() < 200 => std::fs::remove_dir_all(&torn).unwrap(),
            Ok(_) => break,
            Err(e) => assert!(e.is_transient() && e.retry_class() == RetryClass::Resume, "{e:?}"),
        }
        assert!(starts < 400, "no end after {} faults", wire.faults().injected());
    }
    wire.faults().clear();
    assert!(wire.faults().injected() >= 200, "{}", wire.faults().injected());
    for name in &names {
        assert_eq!(rows(&torn, name), rows(&whole, name), "{name}");
    }
    nothing_stray(&torn);
}

#[test]
fn a_server_that_restarts_in_the_middle_is_read_on() {
    let server = Mssql::own_with(Options::default());
    grown(&server, 3000);
    let settings = server.settings_of(&server.snapshot(), 50);
    let threads = runtime();
    let source = threads.block_on(connect(&settings)).unwrap();
    let of = threads.block_on(table(&*source, "t"));
    let ranges = threads.block_on(source.chunks(&of)).unwrap();
    assert!(ranges.len() > 5);
    let Some(Own { wire, .. }) = server.own() else { return };
    let mut found = 0;
    for (n, range) in ranges.iter().enumerate() {
        if n == ranges.len() / 2 {
            wire.down();
            let lost =
                threads.block_on(source.read_chunk(&of, range)).map(|s| s.collect::<Result<Vec<_>, _>>());
            let lost = lost.and_then(|r| r).err().unwrap();
            assert!(lost.is_transient(), "{lost:?}");
            wire.up();
        }
        let stream = threads.block_on(source.read_chunk(&of, range)).unwrap();
        found += stream.map(|b| b.unwrap().num_rows()).sum::<usize>();
    }
    assert_eq!(found, 2000);
}
