//! The documents of a small run, made by hand: done, and blocked by everything that can block.

use std::collections::BTreeMap;

use qianyi::artifacts::{
    Acknowledged, Against, Blocker, Boundary, Cell, CleanRow, CodeCoverage, Coverage, DispositionRow,
    EmptyRow, ExtractRow, FigureRow, FindingChange, FindingRow, Judged, KnownDifference, KnownEnd, KnownRow,
    LeftAlone, LegacyColumnCoverage, LegacyDisposition, LegacyTableCoverage, Line, NationalCoverage,
    NotChecked, NotMapped, Origin, Plausible, Reach, ReadErrorRow, Reconciliation, Round, RoundRow, Share,
    StageRow, StandingEnd, StandingRow, Status, SumChange, Summary, Suspicion, TableRow, TotalColumn,
    TotalLine, TotalTable, Totals, Unchecked, Unfed, Unit, UnitOfMoney, YearRow,
};

pub const FEN: Unit = Unit::Money { digits: 2 };

pub fn table(table: &str, title: &str, rows: [u64; 4]) -> TableRow {
    let [accepted, rejected, held, excluded] = rows;
    TableRow {
        table: table.to_owned(),
        title: title.to_owned(),
        mapped: rows.iter().sum(),
        added: 0,
        accepted,
        rejected,
        held,
        excluded,
        merged: 0,
        file_digest: "f".repeat(64),
        content_digest: "0123456789abcdef".repeat(4),
    }
}

pub fn disposition(table: &str, disposition: &str, reason: &str, rows: u64) -> DispositionRow {
    DispositionRow {
        table: table.to_owned(),
        disposition: disposition.to_owned(),
        reason: reason.to_owned(),
        rows,
    }
}

pub fn finding(rule: &str, zh: &str, en: &str, how: [&str; 4], rows: u64) -> FindingRow {
    let [level, gate, table, column] = how.map(str::to_owned);
    let (rule, title_zh, title_en) = (rule.to_owned(), zh.to_owned(), en.to_owned());
    FindingRow { rule, title_zh, title_en, level, gate, table, column, rows, examples: Vec::new() }
}

pub fn left_alone(table: &str, reason: &str, mapped: bool) -> LeftAlone {
    LeftAlone { source: "ylbx".to_owned(), table: table.to_owned(), reason: reason.to_owned(), mapped }
}

fn cleaned(rule: &str, item: &str, of: [u64; 5]) -> CleanRow {
    let [repaired, proposed, to_verify, to_province, noted] = of;
    CleanRow {
        item: item.to_owned(),
        rule: rule.to_owned(),
        title_zh: "规则内容".to_owned(),
        title_en: "what it says".to_owned(),
        severity: "E".to_owned(),
        department: "养老".to_owned(),
        table: "AC01".to_owned(),
        ended: "found".to_owned(),
        why: None,
        without: Vec::new(),
        repaired,
        proposed,
        to_verify,
        to_province,
        noted,
    }
}

fn round(run: &str, before: Option<&str>, rows: Vec<RoundRow>) -> Round {
    let (run, before) = (run.to_owned(), before.map(str::to_owned));
    Round { run, before, as_of: "2021-05-31".to_owned(), rows }
}

fn state(rule: &str, item: &str, [new, open, fixed, reopened]: [u64; 4]) -> RoundRow {
    let [item, rule, department] = [item, rule, "养老"].map(str::to_owned);
    RoundRow { item, rule, department, new, open, fixed, reopened, waived: 0 }
}

fn empty(table: &str, column: &str, [before, after]: [u64; 2]) -> EmptyRow {
    let [table, column, title] = [table, column, "字段名"].map(str::to_owned);
    EmptyRow { table, column, title, rows: 2021, before, after }
}

/// What of the old is not ready, by disposition.
pub fn figure(
    figure: &str,
    money: bool,
    [old, ready]: [i128; 2],
    not_ready: &[(&str, i128)],
    by_rules: i128,
) -> FigureRow {
    FigureRow {
        figure: figure.to_owned(),
        title_zh: if money { "缴费明细（元）" } else { "参保人员（人）" }.to_owned(),
        title_en: if money { "Contributions (yuan)" } else { "Persons" }.to_owned(),
        money,
        insurance: "110".to_owned(),
        insurance_title: "企业职工基本养老保险".to_owned(),
        old,
        ready,
        not_ready: not_ready.iter().map(|(why, n)| ((*why).to_owned(), *n)).collect(),
        by_rules,
    }
}

fn year(year: &str, [old, ready]: [i128; 2]) -> YearRow {
    YearRow {
        figure: "contributions".to_owned(),
        title_zh: "缴费明细（元）".to_owned(),
        title_en: "Contributions (yuan)".to_owned(),
        insurance: "110".to_owned(),
        year: year.to_owned(),
        old,
        ready,
    }
}

/// A business total of two lines: a balance, and a difference that should be 0.
fn total() -> TotalTable {
    let [title_zh, title_en] = ["个人账户余额", "Balances of personal accounts"].map(str::to_owned);
    let [about_zh, about_en] = ["差额应为 0", "the difference should be 0"].map(str::to_owned);
    let [by_zh, by_en] = ["有效标志", "Valid"].map(str::to_owned);
    let column = |zh: &str, en: &str, [money, zero]: [bool; 2]| TotalColumn {
        title_zh: zh.to_owned(),
        title_en: en.to_owned(),
        money,
        zero,
    };
    let line = |by: &str, by_title: &str, old: [i128; 3], ready: [i128; 3], held_back: [i128; 3]| TotalLine {
        insurance: "110".to_owned(),
        by: by.to_owned(),
        by_title: by_title.to_owned(),
        old: old.to_vec(),
        ready: ready.to_vec(),
        held_back: held_back.to_vec(),
    };
    TotalTable {
        id: "TOT-01".to_owned(),
        title_zh,
        title_en,
        about_zh,
        about_en,
        by_zh,
        by_en,
        columns: vec![
            column("账户（个）", "Accounts", [false, false]),
            column("余额", "Balance", [true, false]),
            column("差额", "Difference", [true, true]),
        ],
        lines: vec![
            line("", "", [1, 100, 0], [1, 100, 0], [0, 0, 0]),
            line("1", "有效", [2_000, 98_765_432_105, 5], [1_990, 98_700_000_000, 0], [11, 65_432_105, 5]),
        ],
    }
}

/// What changed since the round before.
fn changes() -> Against {
    let sum = |disposition: &str, before: i128, after: i128| SumChange {
        table: "AC43".to_owned(),
        measure: "rows".to_owned(),
        insurance: "110".to_owned(),
        disposition: disposition.to_owned(),
        before,
        after,
    };
    Against {
        before: "r0001".to_owned(),
        after: "r0002".to_owned(),
        sums: vec![sum("accepted", 999_980, 1_000_000), sum("rejected", 40, 20)],
        findings: vec![FindingChange {
            rule: "STR-05".to_owned(),
            title_zh: "主键重复".to_owned(),
            title_en: "key is not unique".to_owned(),
            table: "AC43".to_owned(),
            column: "AAZ223".to_owned(),
            before: 16,
            after: 20,
        }],
    }
}

/// A small run that is done: two national tables.
pub fn done() -> Summary {
    Summary {
        version: 1,
        run: "r0001".to_owned(),
        status: Status::Done,
        blocked_by: Vec::new(),
        acknowledged: vec![
            Acknowledged {
                what: Suspicion::EmptyBranch,
                name: "AC26/grjbxx".to_owned(),
                by: "王科长".to_owned(),
                reason: "nobody died".to_owned(),
                used: true,
                part: 0,
                whole: 2021,
            },
            Acknowledged {
                what: Suspicion::CodeList,
                name: "sex/ylbx.GRJBXX.XB".to_owned(),
                by: "王科长".to_owned(),
                reason: "was so in the first round".to_owned(),
                used: false,
                part: 0,
                whole: 0,
            },
        ],
        known: Vec::new(),
        not_checked: vec![
            NotChecked { what: Unchecked::UnitOfMoney, name: "ylbx.GRJFMX.LX".to_owned() },
            NotChecked { what: Unchecked::UnitOfMoney, name: "ylbx.GRJFMX.ZNJ".to_owned() },
            NotChecked { what: Unchecked::TextSum, name: "ylbx.GRJFMX.ZNJ".to_owned() },
        ],
        qianyi: "0.1.0".to_owned(),
        city: "baicheng".to_owned(),
        city_name: "白城市".to_owned(),
        as_of: "2021-05-31".to_owned(),
        started: "2026-11-24T03:06:22+08:00".to_owned(),
        finished: "2026-11-24T04:07:25+08:00".to_owned(),
        config_digest: "c".repeat(64),
        national_digest: "d".repeat(64),
        mapping_digest: "e".repeat(64),
        rules_digest: String::new(),
        extracts: vec![ExtractRow {
            source: "ylbx".to_owned(),
            extract: "e0001".to_owned(),
            consistency: "read transaction".to_owned(),
            point: "change counter 7, 4096 bytes".to_owned(),
            started: "2026-11-24T03:06:22+08:00".to_owned(),
            held: false,
            tables: 2,
            rows: 1_234_567,
        }],
        stages: vec![
            StageRow {
                stage: "extract".to_owned(),
                rows: 1_234_567,
                seconds: 12.34,
                rows_per_second: 100_046.0,
            },
            StageRow { stage: "map".to_owned(), rows: 0, seconds: 0.0, rows_per_second: 0.0 },
        ],
        tables: vec![
            table("AC43", "缴费明细", [1_000_000, 20, 300, 4]),
            table("AC01", "个人基本信息", [2000, 20, 0, 1]),
        ],
        dispositions: vec![
            disposition("AC43", "held", "AC01", 300),
            disposition("AC01", "excluded", "out_of_scope", 1),
            disposition("AC43", "excluded", "out_of_scope", 4),
            disposition("AC43", "rejected", "STR-05", 20),
            disposition("AC01", "rejected", "FIL-01,FIL-02", 20),
        ],

        invariants: Vec::new(),
        reasons: Vec::new(),
        cleaning: Vec::new(),
        rounds: Vec::new(),
        standing: Vec::new(),
        empty: Vec::new(),
        findings: vec![
            finding("FIL-08", "联系地址为空", "address is empty", ["E", "mark", "AC01", "AAE006"], 1500),
            finding("FIL-02", "证件号码为空", "citizen ID is empty", ["B", "block", "AC01", "AAC147"], 20),
            finding("STR-05", "主键重复", "key is not unique", ["B", "block", "AC43", "AAZ223"], 20),
            finding("FIL-01", "姓名为空", "name is empty", ["B", "block", "AC01", "AAC003"], 3),
        ],
        read_errors: vec![
            ReadErrorRow {
                table: "ylbx.GRJBXX".into(),
                column: "CSRQ".into(),
                code: "date".into(),
                rows: 17,
            },
            ReadErrorRow {
                table: "ylbx.GRJBXX".into(),
                column: "XM".into(),
                code: "bytes".into(),
                rows: 1200,
            },
        ],
        left_alone: vec![left_alone("TMP1", "temporary table", true)],
        figures: vec![
            figure("persons", false, [2021, 2000], &[("rejected", 20), ("excluded", 1)], 0),
            figure("contributions", true, [98_765_432_105, 98_765_400_000], &[("held", 32_105)], -5),
        ],
        years: vec![year("1998", [100_000_005, 100_000_005]), year("1999", [50_000, 40_000])],
        totals: vec![total()],
        changed: None,
        unexplained_rows: 0,
        unexplained_fen: 0,
        peak_rss_bytes: 734_003_200,
    }
}

pub fn line(table: &str, measure: &str, unit: Unit, sides: [i128; 2], explained: &[(&str, i128)]) -> Line {
    let explained: BTreeMap<String, i128> = explained.iter().map(|(r, n)| ((*r).to_owned(), *n)).collect();
    let [left, right] = sides;
    let unexplained = (left - right - explained.values().sum::<i128>()).unsigned_abs();
    Line {
        table: table.to_owned(),
        measure: measure.to_owned(),
        unit,
        left,
        right,
        explained,
        unexplained,
        cells: Vec::new(),
    }
}

pub fn boundary(boundary: &str, lines: Vec<Line>) -> Boundary {
    let (left, right) = boundary.split_once('-').unwrap();
    let sum = |unit: Unit| {
        let of = lines.iter().filter(|l| l.unit == unit).map(|l| l.unexplained);
        u64::try_from(of.sum::<u128>()).unwrap()
    };
    let totals = Totals { unexplained_rows: sum(Unit::Rows), unexplained_fen: sum(FEN) };
    let (boundary, left_side, right_side) = (boundary.to_owned(), left.to_owned(), right.to_owned());
    Boundary { boundary, left_side, right_side, lines, totals }
}

pub fn reconciled(boundaries: Vec<Boundary>, unit_of_money: Vec<UnitOfMoney>) -> Reconciliation {
    let totals = Totals {
        unexplained_rows: boundaries.iter().map(|b| b.totals.unexplained_rows).sum(),
        unexplained_fen: boundaries.iter().map(|b| b.totals.unexplained_fen).sum(),
    };
    let plausible = vec![plausible("ylbx.GRJFMX", [2000, 1990, 10], Judged::Inside)];
    let (run, known) = ("r0001".to_owned(), Vec::new());
    Reconciliation { version: 4, run, boundaries, unit_of_money, plausible, known, totals }
}

pub fn plausible(table: &str, [rows, inside, times_100]: [u64; 3], verdict: Judged) -> Plausible {
    Plausible {
        check: "AC43.AAE022/AAE180".to_owned(),
        table: table.to_owned(),
        insurance: "110".to_owned(),
        year: "1999".to_owned(),
        rows,
        inside,
        times_100,
        hundredth: 0,
        fen: 123_456_789,
        verdict,
    }
}

pub fn years(year: &str, details_fen: i128, fault: Option<&str>) -> UnitOfMoney {
    UnitOfMoney {
        table: "ylbx.GRJFMX".to_owned(),
        insurance: "110".to_owned(),
        year: year.to_owned(),
        details_fen,
        ledgers_fen: 100_000_005,
        fault: fault.map(str::to_owned),
    }
}

/// One code without a national code, one legacy column nobody decided about, one national column that the city does not have.
pub fn covered() -> Coverage {
    let column = |column: &str, disposition: LegacyDisposition| LegacyColumnCoverage {
        column: column.to_owned(),
        disposition,
        feeds: Vec::new(),
    };
    let code = |list: &str, unmapped: Share| CodeCoverage {
        list: list.to_owned(),
        source: "ylbx".to_owned(),
        table: "GRJBXX".to_owned(),
        column: list.to_uppercase(),
        mapped: Share { distinct: 2, rows: 2000, fen: 123_456 },
        unmapped,
    };
    let national = |column: &str, title: &str, origin: Origin| NationalCoverage {
        table: "AC01".to_owned(),
        branch: "person".to_owned(),
        column: column.to_owned(),
        title: title.to_owned(),
        mandatory: "hard".to_owned(),
        origin,
        rows: 2021,
    };
    Coverage {
        version: 1,
        legacy: vec![LegacyTableCoverage {
            source: "ylbx".to_owned(),
            table: "GRJBXX".to_owned(),
            read_by: Some("GRJBXX.toml".to_owned()),
            ignored: None,
            reach: Reach::JoinedOnly,
            columns: vec![
                column("XM", LegacyDisposition::Mapped),
                column("BZ", LegacyDisposition::Unused),
                column("CZY", LegacyDisposition::Skipped { reason: "operator".to_owned() }),
                column("BY1", LegacyDisposition::Unmapped),
            ],
        }],
        national: vec![
            national("AAC003", "姓名", Origin::Mapped),
            national("AAC058", "证件类型", Origin::Derived { basis: "all are citizen IDs".to_owned() }),
            national("AAC064", "退役类别", Origin::Absent { reason: "never recorded".to_owned() }),
        ],
        codes: vec![code("sex", Share::default()), code("mz", Share { distinct: 1, rows: 21, fen: 100_005 })],
        unfed: vec![Unfed {
            table: "AC43".to_owned(),
            branch: "fen".to_owned(),
            column: "AAE021".to_owned(),
            title: "单位缴费划入账户".to_owned(),
            sql: "0".to_owned(),
            constant: true,
            basis: "not credited".to_owned(),
            rows: 1_000_324,
        }],
        not_mapped: vec![NotMapped {
            source: "ylbx".to_owned(),
            table: "GRJFMX".to_owned(),
            column: "HJ".to_owned(),
            reason: "the total of the others".to_owned(),
        }],
    }
}

/// Everything adds up.
pub fn balanced() -> Reconciliation {
    let legacy = ["ylbx.GRJBXX", "ylbx.GRJFMX"];
    let source = vec![
        line(legacy[1], "rows", Unit::Rows, [1_232_546, 1_232_546], &[]),
        line(legacy[1], "JFJE", Unit::Money { digits: 4 }, [987_654_321_098, 987_654_321_098], &[]),
        line(legacy[0], "rows", Unit::Rows, [2021, 2021], &[]),
    ];
    let mapped = vec![
        line("ylbx.GRJFMX→AC43", "rows", Unit::Rows, [1_232_546, 1_000_324], &[("summary_row", 232_222)]),
        line("ylbx.GRJFMX→AC43", "fen:AAE020+AAE022", FEN, [98_765_432_105, 98_765_432_105], &[]),
    ];
    let dispositions = vec![
        line("AC01", "rows", Unit::Rows, [2021, 2000], &[("rejected", 20), ("excluded", 1)]),
        line(
            "AC43",
            "rows",
            Unit::Rows,
            [1_000_324, 1_000_000],
            &[("rejected", 20), ("held", 300), ("excluded", 4)],
        ),
    ];
    reconciled(
        vec![
            boundary("source-raw", source),
            boundary("raw-mapped", mapped),
            boundary("mapped-dispositions", dispositions),
        ],
        vec![years("1998", 100_000_005, None), years("1999", 99_999_905, None)],
    )
}

pub fn known_row(ended: KnownEnd, amount: i128, found: i128) -> KnownRow {
    let difference = KnownDifference {
        boundary: "raw-mapped".to_owned(),
        table: "ylbx.GRJFMX→AC43".to_owned(),
        measure: "fen:AAE020".to_owned(),
        insurance: "110".to_owned(),
        period: "199801".to_owned(),
        amount,
        unit: FEN,
        basis: "财务科函〔2021〕3号".to_owned(),
        approver: "王科长".to_owned(),
        account: "wang".to_owned(),
        until: "2021-12-31".to_owned(),
    };
    KnownRow { difference, ended, found }
}

/// The same run, blocked by everything that can block.
pub fn blocked() -> (Summary, Reconciliation) {
    let mut adds_up = balanced();
    let mut wrong = line("ylbx.GRJFMX→AC43", "fen:AAE022", FEN, [500_005, 400_000], &[]);
    wrong.cells = vec![
        Cell {
            insurance: "110".to_owned(),
            period: "199801".to_owned(),
            left: 5,
            right: 10_000,
            explained: BTreeMap::new(),
            unexplained: -9995,
        },
        Cell {
            insurance: "(none)".to_owned(),
            period: String::new(),
            left: 500_000,
            right: 390_000,
            explained: BTreeMap::from([("rounding".to_owned(), 1)]),
            unexplained: 109_999,
        },
    ];
    let mut boundaries = adds_up.boundaries;
    boundaries[1].lines.push(wrong);
    let lines = std::mem::take(&mut boundaries[1].lines);
    boundaries[1] = boundary("raw-mapped", lines);
    let mut units = adds_up.unit_of_money;
    units.push(years("2000", 10_000_000_500, Some("times_100")));
    adds_up = reconciled(boundaries, units);
    adds_up.plausible.push(plausible("ylbx.GRJFMX_2007", [300, 1, 299], Judged::Times100));
    adds_up.plausible.push(plausible("ylbx.SYJFMX", [300, 1, 2], Judged::Implausible));
    adds_up.known = vec![
        known_row(KnownEnd::Explains, -1234, -1234),
        known_row(KnownEnd::Expired, 500, 500),
        known_row(KnownEnd::Differs, 500, 501),
        known_row(KnownEnd::Absent, 500, 0),
    ];
    let mut summary = done();
    summary.status = Status::Blocked;
    summary.left_alone.insert(0, left_alone("XJB", "nothing reads it", false));
    summary.unexplained_fen = adds_up.totals.unexplained_fen;
    summary.cleaning =
        vec![cleaned("FIX-02", "correct", [0, 12, 3, 0, 0]), cleaned("FIL-12", "fill", [40, 0, 0, 2, 1])];
    summary.rounds = vec![
        round("r0001", None, vec![state("FIX-02", "correct", [20, 0, 0, 0])]),
        round(
            "r0002",
            Some("r0001"),
            vec![state("FIX-02", "correct", [3, 12, 8, 0]), state("STR-05", "check", [0, 20, 0, 4])],
        ),
    ];
    summary.changed = Some(changes());
    summary.empty = vec![empty("AC01", "AAC147", [0, 0]), empty("AC01", "AAE006", [1500, 1460])];
    summary.standing = vec![StandingRow {
        rule: "FIX-02".to_owned(),
        limit: 10,
        until: "2021-12-31".to_owned(),
        by: "王科长".to_owned(),
        proposals: 12,
        end: StandingEnd::Beyond,
        batches: Vec::new(),
    }];
    summary.blocked_by = vec![
        Blocker::Unexplained { rows: 0, fen: adds_up.totals.unexplained_fen },
        Blocker::NotChecked {
            table: "AC43".to_owned(),
            column: "AAC001".to_owned(),
            rule: "STR-06".to_owned(),
            why: "AC01 is not mapped".to_owned(),
        },
        Blocker::Undecided { table: "ylbx.XJB".to_owned() },
        Blocker::Suspect { what: Suspicion::Acceptance, name: "AC01".to_owned(), part: 0, whole: 19_872 },
    ];
    (summary, adds_up)
}
