//! The audit log: whatever is changed, cut, taken out, doubled or moved is found and named; a half line after a kill is closed and named.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use miette::Diagnostic;
use qianyi::audit::{self, Fault, Kind, NewEvent, parse, sm3};
use qianyi::state::State;

/// A log of four events.
fn log(workdir: &Path) -> Vec<u8> {
    let state = State::open(workdir, "test").unwrap();
    audit::append(&state, &[]).unwrap();
    assert!(!audit::path(workdir).exists(), "nothing happened yet");
    let run =
        NewEvent::of(Kind::Run, "r0001").fact("status", "done").file("runs/r0001/manifest.json", sm3(b"1"));
    audit::append(&state, &[run]).unwrap();
    let approval = NewEvent::of(Kind::Approval, "b0001").fact("approver", "王科长").fact("proposals", 7);
    audit::append(&state, &[approval, NewEvent::of(Kind::Reveal, "清单")]).unwrap();
    audit::append(&state, &[NewEvent::of(Kind::Package, "p0001-r0001")]).unwrap();
    std::fs::read(audit::path(workdir)).unwrap()
}

/// The lines of a text, with their breaks.
fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|b| *b == b'\n').collect()
}

#[test]
fn a_byte_that_was_flipped_anywhere_is_found_in_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let text = log(dir.path());
    let sound = parse(&text);
    assert_eq!((sound.bad, sound.events.len()), (None, 4));
    assert!(sound.events.windows(2).all(|w| w[1].prev == w[0].sm3 && w[1].n == w[0].n + 1));
    let mode = std::fs::metadata(audit::path(dir.path())).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "its owner's alone");
    for at in 0..text.len() {
        let line = 1 + text[..at].iter().filter(|b| **b == b'\n').count() as u64;
        for bit in [0x01, 0x20] {
            let mut other = text.clone();
            other[at] ^= bit;
            let bad = parse(&other).bad.unwrap_or_else(|| panic!("byte {at} is not missed"));
            assert_eq!(bad.line, line, "byte {at}: {bad:?}");
        }
    }
}

#[test]
fn a_tail_that_was_cut_off_is_found_against_a_head_that_was_kept() {
    let dir = tempfile::tempdir().unwrap();
    let text = log(dir.path());
    let head = parse(&text).head();
    assert_eq!(parse(&text).verified(Some(&head)), None);
    for length in 0..text.len() {
        let cut = parse(&text[..length]);
        let found = cut.verified(Some(&head)).map(|bad| bad.fault);
        match length {
            // The event is whole; its line break comes with the next one.
            _ if length == text.len() - 1 => assert_eq!(found, None),
            0 => assert_eq!(found, Some(Fault::Cut)),
            _ if text[length - 1] == b'\n' || text[length] == b'\n' => {
                assert_eq!(found, Some(Fault::Cut), "{length}")
            }
            _ => assert_eq!(found, Some(Fault::Incomplete), "{length}"),
        }
    }
    // Written anew as a whole, it fits in itself: only the kept head tells.
    let other = tempfile::tempdir().unwrap();
    let state = State::open(other.path(), "test").unwrap();
    let four = [Kind::Run, Kind::Run, Kind::Run, Kind::Run].map(|kind| NewEvent::of(kind, "r0009"));
    audit::append(&state, &four).unwrap();
    let anew = audit::read(other.path()).unwrap();
    assert_eq!(anew.bad, None);
    let found = anew.verified(Some(&head)).unwrap();
    assert_eq!((found.line, found.fault), (4, Fault::OtherHead));
}

#[test]
fn a_line_that_was_taken_out_doubled_or_moved_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let text = log(dir.path());
    let of = lines(&text);
    let joined = |order: &[usize]| -> Vec<u8> { order.iter().flat_map(|n| of[*n].to_vec()).collect() };
    for (order, line) in [
        (&[1, 2, 3][..], 1),
        (&[0, 2, 3], 2),
        (&[0, 1, 3], 3),
        (&[0, 1, 1, 2, 3], 3),
        (&[0, 1, 2, 3, 3], 5),
        (&[0, 2, 1, 3], 2),
        (&[0, 1, 3, 2], 3),
    ] {
        let bad = parse(&joined(order)).bad.unwrap();
        assert_eq!((bad.line, bad.fault), (line, Fault::Number), "{order:?}");
    }
    // A line of another log with the right number does not follow.
    let other = tempfile::tempdir().unwrap();
    let state = State::open(other.path(), "test").unwrap();
    audit::append(&state, &[NewEvent::of(Kind::Run, "r0007"), NewEvent::of(Kind::Run, "r0008")]).unwrap();
    let theirs = std::fs::read(audit::path(other.path())).unwrap();
    let mixed = [of[0], lines(&theirs)[1], of[2]].concat();
    let bad = parse(&mixed).bad.unwrap();
    assert_eq!((bad.line, bad.fault), (2, Fault::Chain));
    assert_eq!(parse(&[of[0], b"\n", of[1]].concat()).bad.unwrap().line, 2);
}

#[test]
fn a_line_that_a_kill_left_half_written_is_closed_by_the_next_event_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let text = log(dir.path());
    let before = text.len() - lines(&text)[3].len();
    let path = audit::path(dir.path());
    let state = State::open(dir.path(), "test").unwrap();
    for length in (before + 1..text.len()).step_by(41).chain([text.len() - 2, text.len() - 1]) {
        std::fs::write(&path, &text[..length]).unwrap();
        audit::append(&state, &[NewEvent::of(Kind::Undo, "b0001")]).unwrap();
        let now = std::fs::read(&path).unwrap();
        assert!(now.starts_with(&text[..length]), "nothing of it was taken away");
        let found = audit::read(dir.path()).unwrap();
        assert_eq!(found.bad, None, "{length}");
        let kinds: Vec<&str> = found.events.iter().skip(3).map(|e| e.kind.as_str()).collect();
        if length == text.len() - 1 {
            // All but its line break was there: the event is completed.
            assert_eq!((kinds, found.interrupted), (vec!["package", "undo"], vec![]));
            continue;
        }
        assert_eq!((kinds, &found.interrupted), (vec!["interrupted", "undo"], &vec![4]));
        assert_eq!(found.events[3].facts["bytes"], length - before);
        assert_eq!(found.verified(Some(&found.head())), None);
        // The half line is sealed by the event that names it.
        let mut other = now.clone();
        other[before] ^= 1;
        assert_eq!(parse(&other).bad.map(|bad| bad.line), Some(4));
    }
}

#[test]
fn nothing_is_added_to_a_log_that_does_not_fit_nor_without_the_lock() {
    let dir = tempfile::tempdir().unwrap();
    let mut text = log(dir.path());
    let event = [NewEvent::of(Kind::Waiver, "x")];
    let code = |e: audit::AuditError| e.code().unwrap().to_string();
    let reader = State::open_readonly(dir.path()).unwrap();
    assert_eq!(code(audit::append(&reader, &event).unwrap_err()), "AUD-900");
    drop(reader);
    text[9] ^= 1;
    std::fs::write(audit::path(dir.path()), &text).unwrap();
    let state = State::open(dir.path(), "test").unwrap();
    let refused = audit::append(&state, &event).unwrap_err();
    assert!(refused.to_string().starts_with("line 1 of "), "{refused}");
    assert_eq!(code(refused), "AUD-002");
    assert_eq!(std::fs::read(audit::path(dir.path())).unwrap(), text);
}
