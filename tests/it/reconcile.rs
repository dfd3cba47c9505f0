//! Reconciliation on measures made by hand: what adds up, what is explained, what is not.

use proptest::prelude::*;
use qianyi::artifacts::{Judged, KnownDifference, KnownEnd, Line, Reconciliation, Unit};
use qianyi::measures::{Measure, boundary, side};
use qianyi::reconcile::{ReconcileError, Sides, reconcile};

fn m(
    boundary: &str,
    side: &str,
    table: &str,
    measure: &str,
    cell: (&str, &str),
    bucket: &str,
    value: i128,
) -> Measure {
    Measure {
        boundary: boundary.to_owned(),
        side: side.to_owned(),
        table: table.to_owned(),
        measure: measure.to_owned(),
        insurance: cell.0.to_owned(),
        period: cell.1.to_owned(),
        bucket: bucket.to_owned(),
        value,
    }
}

fn compared(measures: &[Measure]) -> Reconciliation {
    reconcile(&Sides { run: "r0001", measures, known: &[], as_of: AS_OF }).unwrap()
}

/// The only line of the only boundary.
fn only(measures: &[Measure]) -> Line {
    let mut all = compared(measures);
    assert_eq!((all.boundaries.len(), all.boundaries[0].lines.len()), (1, 1));
    all.boundaries.remove(0).lines.remove(0)
}

const AS_OF: &str = "2021-05-31";
const SR: &str = boundary::SOURCE_RAW;
const RM: &str = boundary::RAW_MAPPED;
const MF: &str = boundary::MAPPED_DISPOSITIONS;

#[test]
fn equal_sides_leave_nothing_and_cells_that_cancel_out_do_not() {
    let equal = [
        m(SR, side::SOURCE, "s.T", "fen:JE", ("YL", "2001"), "", 5),
        m(SR, side::RAW, "s.T", "fen:JE", ("YL", "2001"), "", 5),
    ];
    assert_eq!(only(&equal).unexplained, 0);
    let crossed = [
        m(SR, side::SOURCE, "s.T", "fen:JE", ("YL", "2001"), "", 5),
        m(SR, side::SOURCE, "s.T", "fen:JE", ("YL", "2002"), "", 7),
        m(SR, side::RAW, "s.T", "fen:JE", ("YL", "2001"), "", 7),
        m(SR, side::RAW, "s.T", "fen:JE", ("YL", "2002"), "", 5),
    ];
    let line = only(&crossed);
    assert_eq!((line.left, line.right, line.unexplained, line.cells.len()), (12, 12, 4, 2));
    assert_eq!(compared(&crossed).totals.unexplained_fen, 4);
}

#[test]
fn what_only_one_side_has_is_unexplained_in_full() {
    let lost = [m(SR, side::SOURCE, "s.T", "rows", ("", ""), "", 9)];
    assert_eq!(only(&lost).unexplained, 9);
    let invented = [m(SR, side::RAW, "s.T", "rows", ("", ""), "", 9)];
    let line = only(&invented);
    assert_eq!((line.unexplained, line.cells[0].unexplained), (9, -9));
    assert_eq!(compared(&invented).totals.unexplained_rows, 9);
}

#[test]
fn rows_left_out_for_a_reason_are_explained_and_one_more_is_not() {
    let mut measures = vec![
        m(RM, side::RAW, "s.T→AC43", "rows", ("110", "200101"), "", 8),
        m(RM, side::RAW, "s.T→AC43", "rows", ("110", "200101"), "summary_row", 2),
        m(RM, side::MAPPED, "s.T→AC43", "rows", ("110", "200101"), "", 8),
    ];
    let line = only(&measures);
    assert_eq!((line.left, line.right, line.unexplained), (10, 8, 0));
    assert_eq!(line.explained["summary_row"], 2);
    measures[2].value = 7;
    assert_eq!(only(&measures).unexplained, 1);
}

#[test]
fn dispositions_explain_what_is_not_accepted() {
    let measures = [
        m(MF, side::MAPPED, "AC43", "fen:AAE020", ("110", "200101"), "", 100),
        m(MF, side::DISPOSITIONS, "AC43", "fen:AAE020", ("110", "200101"), "", 70),
        m(MF, side::DISPOSITIONS, "AC43", "fen:AAE020", ("110", "200101"), "rejected", 20),
        m(MF, side::DISPOSITIONS, "AC43", "fen:AAE020", ("110", "200101"), "held", 9),
    ];
    let line = only(&measures);
    assert_eq!((line.left, line.right, line.unexplained), (100, 70, 1));
    assert_eq!(line.explained.len(), 2);
}

#[test]
fn rounding_explains_half_a_fen_a_value_and_no_more() {
    let sides = |raw: i128, mapped: i128| {
        vec![
            m(RM, side::RAW, "s.T", "e4:JE", ("", ""), "", raw),
            m(RM, side::MAPPED, "s.T", "e4:JE", ("", ""), "", mapped),
            m(RM, side::RAW, "s.T", "values:JE", ("", ""), "", 4),
            m(RM, side::MAPPED, "s.T", "values:JE", ("", ""), "", 4),
        ]
    };
    let line = |raw, mapped| {
        let all = compared(&sides(raw, mapped));
        all.boundaries[0].lines.iter().find(|l| l.measure == "e4:JE").unwrap().clone()
    };
    let within = line(1_000, 1_200);
    assert_eq!((within.unexplained, within.explained["rounding"]), (0, -200));
    let over = line(1_000, 1_201);
    assert_eq!((over.unexplained, over.explained.len()), (201, 0));
    // 1/10000 yuan count as fen, rounded up.
    assert_eq!(compared(&sides(1_000, 1_201)).totals.unexplained_fen, 3);
    // Exact fen are never rounded.
    let fen = [
        m(RM, side::RAW, "s.T", "fen:JE", ("", ""), "", 10),
        m(RM, side::MAPPED, "s.T", "fen:JE", ("", ""), "", 11),
    ];
    assert_eq!(only(&fen).unexplained, 1);
}

#[test]
fn a_known_difference_explains_exactly_its_amount_of_its_cell_until_its_last_day() {
    let measures = [
        m(SR, side::SOURCE, "s.T", "fen:JE", ("YL", "2001"), "", 105),
        m(SR, side::RAW, "s.T", "fen:JE", ("YL", "2001"), "", 100),
        m(SR, side::SOURCE, "s.T", "fen:JE", ("YL", "2002"), "", 100),
        m(SR, side::RAW, "s.T", "fen:JE", ("YL", "2002"), "", 105),
    ];
    let of = |period: &str, amount: i128, until: &str| KnownDifference {
        boundary: SR.to_owned(),
        table: "s.T".to_owned(),
        measure: "fen:JE".to_owned(),
        insurance: "YL".to_owned(),
        period: period.to_owned(),
        amount,
        unit: Unit::Money { digits: 2 },
        basis: "财务科函〔2021〕3号".to_owned(),
        approver: "王科长".to_owned(),
        account: "wang".to_owned(),
        until: until.to_owned(),
    };
    let with = |known: &[KnownDifference]| {
        let all = reconcile(&Sides { run: "r0001", measures: &measures, known, as_of: AS_OF }).unwrap();
        let ended: Vec<(KnownEnd, i128)> = all.known.iter().map(|k| (k.ended, k.found)).collect();
        (all.totals.unexplained_fen, ended)
    };
    assert_eq!(with(&[of("2001", 5, AS_OF)]), (5, vec![(KnownEnd::Explains, 5)]));
    let both = [of("2001", 5, AS_OF), of("2002", -5, "2022-01-01")];
    assert_eq!(with(&both), (0, vec![(KnownEnd::Explains, 5), (KnownEnd::Explains, -5)]));
    assert_eq!(with(&[of("2001", 5, "2021-05-30")]), (10, vec![(KnownEnd::Expired, 5)]));
    for amount in [4, 6, -5] {
        assert_eq!(with(&[of("2001", amount, AS_OF)]), (10, vec![(KnownEnd::Differs, 5)]));
    }
    // Not the line as a whole, in which two wrong cells would cancel out; and nothing that is not there.
    assert_eq!(with(&[of("", 5, AS_OF), of("2003", 5, AS_OF)]).0, 10);
    let elsewhere = KnownDifference { boundary: RM.to_owned(), ..of("2001", 5, AS_OF) };
    assert_eq!(with(&[elsewhere]), (10, vec![(KnownEnd::Absent, 0)]));
    let other = KnownDifference { measure: "fen:JF".to_owned(), ..of("2001", 5, AS_OF) };
    assert_eq!(with(&[other]), (10, vec![(KnownEnd::Absent, 0)]));
    let all = reconcile(&Sides { run: "r0001", measures: &measures, known: &both, as_of: AS_OF }).unwrap();
    let line = &all.boundaries[0].lines[0];
    assert_eq!((line.unexplained, line.explained.get("known"), line.cells.len()), (0, None, 0));
    insta::assert_snapshot!("known_difference_json", serde_json::to_string_pretty(&all.known[0]).unwrap());
    let again: Reconciliation = serde_json::from_str(&serde_json::to_string(&all).unwrap()).unwrap();
    assert_eq!(again, all);
}

fn year(side: &str, table: &str, year: &str, value: i128) -> Measure {
    m(boundary::DETAILS_LEDGERS, side, table, "fen", ("110", year), "", value)
}

#[test]
fn a_unit_of_money_that_is_100_times_wrong_is_named_and_back_payments_are_no_fault() {
    let sound = [
        year(side::DETAILS, "s.A", "2005", 98_000),
        // Back payments of 2005, found in the table of 2007: a hundredth of the ledgers, and no fault.
        year(side::DETAILS, "s.B", "2005", 1_000),
        year(side::LEDGERS, "AB07", "2005", 100_000),
        // No ledgers to compare with.
        year(side::DETAILS, "s.A", "1996", 500),
    ];
    let all = compared(&sound);
    assert_eq!(all.totals.unexplained_fen, 0);
    let shown: Vec<_> =
        all.unit_of_money.iter().map(|u| (u.table.as_str(), u.year.as_str(), u.fault.clone())).collect();
    assert_eq!(shown, [("s.A", "2005", None)]);
    for (details, fault, off) in [(9_800_000, "times_100", 9_701_000), (980, "hundredth", 98_020)] {
        let wrong = [
            year(side::DETAILS, "s.A", "2005", details),
            year(side::DETAILS, "s.B", "2005", 1_000),
            year(side::LEDGERS, "AB07", "2005", 100_000),
        ];
        let all = compared(&wrong);
        assert_eq!(all.totals.unexplained_fen, off);
        assert!(all.unit_of_money.iter().any(|u| u.table == "s.A" && u.fault.as_deref() == Some(fault)));
    }
}

/// numeric(38,10): sums of ten digits after the point pass 64 bits, and a fraction of a fen counts as a fen.
#[test]
fn a_line_of_many_digits_has_no_limit_and_counts_as_fen() {
    let huge = 10_i128.pow(37);
    let fine = [
        m(SR, side::SOURCE, "s.T", "e10:JE", ("a", ""), "", huge),
        m(SR, side::SOURCE, "s.T", "e10:JE", ("b", ""), "", huge),
        m(SR, side::RAW, "s.T", "e10:JE", ("a", ""), "", huge),
        m(SR, side::RAW, "s.T", "e10:JE", ("b", ""), "", huge - 1),
    ];
    let line = only(&fine);
    assert_eq!((line.left, line.unexplained), (huge * 2, 1));
    assert_eq!(serde_json::to_value(line.unit).unwrap(), "e10");
    let all = compared(&fine);
    assert_eq!(all.totals.unexplained_fen, 1);
    let text = serde_json::to_string(&all).unwrap();
    assert!(text.contains("20000000000000000000000000000000000000"), "{text}");
    assert_eq!(serde_json::from_str::<Reconciliation>(&text).unwrap(), all);
    // The totals say at least how much.
    let one_side = [m(SR, side::SOURCE, "s.T", "fen:JE", ("", ""), "", huge)];
    assert_eq!(
        (only(&one_side).unexplained, compared(&one_side).totals.unexplained_fen),
        (huge.unsigned_abs(), u64::MAX)
    );
}

#[test]
fn values_that_no_sum_holds_are_compared_and_their_absence_is_no_line() {
    let left_out = |value: i128| {
        [
            m(SR, side::SOURCE, "s.T", "left_out:JE", ("", ""), "", 2),
            m(SR, side::RAW, "s.T", "left_out:JE", ("", ""), "", value),
        ]
    };
    assert_eq!(only(&left_out(2)).unexplained, 0);
    assert_eq!(compared(&left_out(1)).totals.unexplained_rows, 1);
    let none = [
        m(SR, side::SOURCE, "s.T", "left_out:JE", ("", ""), "", 0),
        m(SR, side::SOURCE, "s.T", "rows", ("", ""), "", 1),
        m(SR, side::RAW, "s.T", "rows", ("", ""), "", 1),
    ];
    assert_eq!(only(&none).measure, "rows");
}

/// `votes`: rows inside, 100 times above, a hundredth, neither.
fn voted(insurance: &str, votes: [i128; 4], fen: i128) -> Vec<Measure> {
    let of = ["", "times_100", "hundredth", "neither"].into_iter().zip(votes);
    let cell = (insurance, "2005");
    let line = |measure: &str, bucket: &str, value: i128| {
        m(boundary::PLAUSIBLE, side::AMOUNTS, "s.A", measure, cell, bucket, value)
    };
    let mut all: Vec<Measure> =
        of.map(|(bucket, rows)| line("rows:AC43.AAE022/AAE180", bucket, rows)).collect();
    all.push(line("fen:AC43.AAE022/AAE180", "", fen));
    all
}

#[test]
fn most_rows_decide_whether_amounts_are_plausible_and_a_factor_of_100_is_unexplained() {
    let cases = [
        ([90, 10, 0, 0], Judged::Inside, 0),
        ([50, 50, 0, 0], Judged::Inside, 0),
        ([10, 85, 0, 5], Judged::Times100, 700),
        ([10, 0, 85, 5], Judged::Hundredth, 700),
        ([30, 30, 0, 40], Judged::Implausible, 0),
        ([0, 9, 0, 0], Judged::TooFew, 0),
    ];
    for (votes, verdict, unexplained) in cases {
        let all = compared(&voted("110", votes, -700));
        assert_eq!((all.plausible.len(), all.plausible[0].verdict), (1, verdict), "{votes:?}");
        assert_eq!(all.totals.unexplained_fen, unexplained, "{votes:?}");
    }
}

#[test]
fn a_factor_that_the_ledgers_found_is_not_counted_twice() {
    let mut wrong = voted("110", [0, 100, 0, 0], 700);
    wrong.push(year(side::DETAILS, "s.A", "2005", 700));
    wrong.push(year(side::LEDGERS, "AB07", "2005", 7));
    let all = compared(&wrong);
    assert_eq!((all.plausible[0].verdict, all.totals.unexplained_fen), (Judged::Times100, 693));
}

#[test]
fn a_sum_that_does_not_fit_is_an_error() {
    let huge = [
        m(SR, side::SOURCE, "s.T", "fen:JE", ("a", ""), "", i128::MAX / 2),
        m(SR, side::SOURCE, "s.T", "fen:JE", ("b", ""), "", i128::MAX / 2),
        m(SR, side::SOURCE, "s.T", "fen:JE", ("c", ""), "", i128::MAX / 2),
    ];
    let error = reconcile(&Sides { run: "r0001", measures: &huge, known: &[], as_of: AS_OF }).unwrap_err();
    assert!(matches!(error, ReconcileError::Overflow { .. }), "{error}");
}

#[test]
fn the_document_has_this_form() {
    let measures = [
        m(SR, side::SOURCE, "ylbx.GRZH", "rows", ("", ""), "", 3),
        m(SR, side::RAW, "ylbx.GRZH", "rows", ("", ""), "", 3),
        m(RM, side::RAW, "ylbx.GRZH→AC50", "rows", ("110", "(none)"), "", 2),
        m(RM, side::RAW, "ylbx.GRZH→AC50", "rows", ("110", "(none)"), "decoy", 1),
        m(RM, side::MAPPED, "ylbx.GRZH→AC50", "rows", ("110", "(none)"), "", 1),
        year(side::DETAILS, "ylbx.GRJFMX_2007", "2007", 100),
        year(side::LEDGERS, "AB07", "2007", 9_000),
    ];
    insta::assert_snapshot!(
        "reconciliation_json",
        serde_json::to_string_pretty(&compared(&measures)).unwrap()
    );
}

proptest! {
    /// Whatever the numbers: left = right + explained + unexplained in every cell, and no cell hides another.
    #[test]
    fn every_line_adds_up(values in proptest::collection::vec((0..3_u8, 0..4_u8, -1_000..1_000_i128), 1..40)) {
        let measures: Vec<Measure> = values.iter().map(|(what, cell, value)| {
            let (side, bucket) = [(side::RAW, ""), (side::RAW, "decoy"), (side::MAPPED, "")][usize::from(*what)];
            m(RM, side, "s.T→AC43", "rows", ("110", ["1", "2", "3", "4"][usize::from(*cell)]), bucket, *value)
        }).collect();
        let line = only(&measures);
        let explained: i128 = line.explained.values().sum();
        let signed: i128 = line.cells.iter().map(|c| c.unexplained).sum();
        prop_assert_eq!(line.left, line.right + explained + signed);
        prop_assert_eq!(line.unexplained, line.cells.iter().map(|c| c.unexplained.unsigned_abs()).sum::<u128>());
    }
}
