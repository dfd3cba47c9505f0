//! "0 unexplained" must not hold when something is broken: each test breaks one thing in the demo city's mapping, and the run sees it.

use qianyi::artifacts::{
    Blocker, Judged, KnownDifference, KnownEnd, LegacyTableCoverage, Line, Reach, Status, Summary, Suspicion,
    Unchecked,
};
use qianyi::encoding::TextEncoding;
use qianyi::error::Consequence;
use qianyi::pipeline::{Acknowledgement, Finished, RunSettings, finished, reconcile_again, run};
use qianyi::source::TableSettings;

use crate::support::copy_folder;
use crate::support::demo::{city, folder, ran, run_settings};

/// A generated city, and the run's own copy of the mapping to break.
struct Broken {
    /// Removed at the end.
    _dir: tempfile::TempDir,
    of: RunSettings,
}

impl Broken {
    fn new(persons: u64) -> Self {
        Self::seeded(persons, 2)
    }

    fn seeded(persons: u64, seed: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = city(dir.path(), persons, seed);
        let mut of = run_settings(&database, &dir.path().join("work"), 2);
        of.city = dir.path().join("baicheng");
        copy_folder(&folder("baicheng"), &of.city);
        of.expected.acknowledged.clear();
        Self { _dir: dir, of }
    }

    fn replace(&self, file: &str, from: &str, to: &str) {
        let path = self.of.city.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
    }

    fn remove(&self, file: &str) {
        std::fs::remove_file(self.of.city.join(file)).unwrap();
    }

    fn run(&self) -> (Summary, Finished) {
        // As config/ does it: what is acknowledged is part of the digest.
        let config_digest = format!("{:?}", self.of.expected);
        let summary = ran(&RunSettings { config_digest, ..self.of.clone() });
        (summary, finished(&self.of.workdir, None).unwrap())
    }

    fn acknowledge(&mut self, what: Suspicion, name: &str) {
        let (name, by, reason) = (name.to_owned(), "王科长".to_owned(), "it is so".to_owned());
        self.of.expected.acknowledged.push(Acknowledgement { what, name, by, reason });
    }
}

/// The line of a measure of a table; none when there is none.
fn line<'a>(ended: &'a Finished, table: &str, measure: &str) -> Option<&'a Line> {
    let lines = ended.reconciliation.boundaries.iter().flat_map(|b| &b.lines);
    lines.into_iter().find(|l| l.table == table && l.measure == measure)
}

fn unexplained(summary: &Summary) -> (u64, u64) {
    assert_eq!(summary.status, Status::Blocked);
    let found = summary.blocked_by.iter().find_map(|b| match b {
        Blocker::Unexplained { rows, fen } => Some((*rows, *fen)),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{:?}", summary.blocked_by))
}

fn suspects(summary: &Summary) -> Vec<(Suspicion, &str, u64, u64)> {
    let mut found = Vec::new();
    for blocker in &summary.blocked_by {
        if let Blocker::Suspect { what, name, part, whole } = blocker {
            found.push((*what, name.as_str(), *part, *whole));
        }
    }
    found
}

fn legacy<'a>(ended: &'a Finished, table: &str) -> &'a LegacyTableCoverage {
    ended.coverage.legacy.iter().find(|t| t.table == table).unwrap()
}

#[test]
fn payments_that_no_branch_maps_are_unexplained_rows_and_money() {
    let broken = Broken::new(60);
    broken.remove("AC43.toml");
    let (summary, ended) = broken.run();
    let (rows, fen) = unexplained(&summary);
    let nowhere = "ylbx.GRJFMX→(none)";
    let lost = line(&ended, nowhere, "rows").unwrap();
    assert!(lost.left > 0 && lost.right == 0 && lost.unexplained.cast_signed() == lost.left, "{lost:?}");
    let money = line(&ended, nowhere, "fen:DWJFE").unwrap();
    assert!(money.unexplained > 0 && u128::from(fen) >= money.unexplained && rows > 0);
    assert_eq!(legacy(&ended, "GRJFMX").reach, Reach::Nowhere);
}

#[test]
fn an_amount_whose_measure_is_filled_by_a_constant_is_unexplained_and_the_constant_is_listed() {
    let broken = Broken::new(60);
    broken.replace("AC43.toml", "AAE020 = \"d.DWJE\"", "AAE020 = { sql = \"0\", basis = \"x\" }");
    let (summary, ended) = broken.run();
    let (rows, fen) = unexplained(&summary);
    let lost = line(&ended, "ylbx.SYJFMX→(none)", "fen:DWJE").unwrap();
    assert_eq!((rows, u128::from(fen)), (0, lost.unexplained));
    assert!(fen > 0);
    let listed = ended.coverage.unfed.iter().find(|u| u.branch == "sy" && u.column == "AAE020").unwrap();
    assert!(listed.constant && listed.sql == "0" && listed.basis == "x" && listed.rows > 0, "{listed:?}");
    let page = std::fs::read_to_string(ended.dir.page()).unwrap();
    assert!(page.contains("没有旧库金额来源的目标金额字段"), "the page lists it");
}

/// Nothing is unexplained then: neither side has the money any more.
#[test]
fn a_measure_that_is_a_constant_beside_money_that_arrives_nowhere_blocks_until_it_is_acknowledged() {
    let mut broken = Broken::new(60);
    broken.replace("AC43.toml", "AAE020 = \"d.DWJE\"", "AAE020 = { sql = \"0\", basis = \"x\" }");
    broken.replace("sources/SYJFMX.toml", "amounts = [\"DWJE\", \"GRJE\"]", "amounts = [\"GRJE\"]");
    let (summary, _) = broken.run();
    assert_eq!((summary.status, summary.unexplained_fen), (Status::Blocked, 0));
    let constant = |s: &Summary| {
        let found = suspects(s).into_iter().filter(|s| s.0 == Suspicion::ConstantMeasure);
        found.map(|(_, name, part, whole)| (name.to_owned(), part, whole > 0)).collect::<Vec<_>>()
    };
    assert_eq!(constant(&summary), [("AC43/sy.AAE020".to_owned(), 0, true)]);
    broken.acknowledge(Suspicion::ConstantMeasure, "AC43/sy.AAE020");
    let (summary, _) = broken.run();
    assert_eq!(constant(&summary), []);
    assert!(summary.acknowledged[0].used, "{:?}", summary.acknowledged);
    // Money that is not read cannot arrive: somebody said why.
    broken.of.expected.acknowledged.clear();
    broken.replace("sources/SYJFMX.toml", "DWJE  = { money = \"yuan\" }", "DWJE  = { skip = \"x\" }");
    assert_eq!(constant(&broken.run().0), []);
}

#[test]
fn money_that_comes_to_nothing_in_every_measure_that_it_feeds_blocks() {
    let broken = Broken::new(60);
    broken.replace("sources/SYJFMX.toml", "amounts = [\"DWJE\", \"GRJE\"]", "amounts = [\"GRJE\"]");
    let vanished = |s: &Summary| {
        let found = suspects(s).into_iter().filter(|s| s.0 == Suspicion::VanishedMoney);
        found.map(|(_, name, part, whole)| (name.to_owned(), part, whole > 0)).collect::<Vec<_>>()
    };
    assert_eq!(vanished(&broken.run().0), [], "it arrives, though nothing vouches for how much");
    broken.replace("AC43.toml", "AAE020 = \"d.DWJE\"", "AAE020 = \"CASE WHEN d.DWJE < 0 THEN d.DWJE END\"");
    let (summary, _) = broken.run();
    assert_eq!((summary.status, summary.unexplained_fen), (Status::Blocked, 0));
    assert_eq!(vanished(&summary), [("ylbx.SYJFMX.DWJE".to_owned(), 0, true)]);
}

#[test]
fn an_amount_that_is_not_mapped_needs_a_reason_and_then_is_explained_by_it() {
    let broken = Broken::new(60);
    broken.replace("sources/YLJFF.toml", "BFJE = \"paid", "# BFJE = \"paid");
    let (summary, ended) = broken.run();
    let (rows, fen) = unexplained(&summary);
    assert_eq!(
        (rows, u128::from(fen)),
        (0, line(&ended, "ylbx.YLJFF→(none)", "fen:BFJE").unwrap().unexplained)
    );
    let told = line(&ended, "ylbx.YLJFF→(none)", "fen:KFJE").unwrap();
    assert_eq!((told.unexplained, told.explained.get("not_mapped")), (0, Some(&told.left)));
}

/// What somebody answers for, of everything that a line leaves.
fn known(ended: &Finished, line: &Line, until: &str) -> Vec<KnownDifference> {
    let of = |b: &&qianyi::artifacts::Boundary| b.lines.iter().any(|l| l == line);
    let boundary = ended.reconciliation.boundaries.iter().find(of).unwrap().boundary.clone();
    let one = |cell: &qianyi::artifacts::Cell| KnownDifference {
        boundary: boundary.clone(),
        table: line.table.clone(),
        measure: line.measure.clone(),
        insurance: cell.insurance.clone(),
        period: cell.period.clone(),
        amount: cell.unexplained,
        unit: line.unit,
        basis: "财务科函〔2021〕3号".to_owned(),
        approver: "王科长".to_owned(),
        account: "wang".to_owned(),
        until: until.to_owned(),
    };
    line.cells.iter().map(one).collect()
}

#[test]
fn a_known_difference_lets_a_run_pass_until_it_expires_and_cannot_be_written_into_its_documents() {
    let mut broken = Broken::seeded(200, 11);
    broken.replace("sources/YLJFF.toml", "BFJE = \"paid", "# BFJE = \"paid");
    let (summary, ended) = broken.run();
    let lost = line(&ended, "ylbx.YLJFF→(none)", "fen:BFJE").unwrap();
    assert_eq!(u128::from(unexplained(&summary).1), lost.unexplained);
    assert!(!lost.cells.is_empty() && lost.cells.len() < 100, "all cells are listed");

    broken.of.expected.known = known(&ended, lost, "2021-05-31");
    let (summary, ended) = broken.run();
    assert_eq!((summary.status, summary.unexplained_fen), (Status::Done, 0), "{:?}", summary.blocked_by);
    assert!(ended.reconciliation.known.iter().all(|k| k.ended == KnownEnd::Explains));
    assert_eq!(reconcile_again(&ended).unwrap(), ended.reconciliation);
    let page = std::fs::read_to_string(ended.dir.page()).unwrap();
    assert!(page.contains("财务科函〔2021〕3号") && page.contains("项差异按已知差异处理"), "who and why");
    let passed = std::fs::read_to_string(ended.dir.file("reconciliation.json")).unwrap();
    for (lang, title) in [("zh", "已知差异"), ("en", "Known differences")] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_qianyi"));
        command.args(["reconcile", "--lang", lang, "--workdir"]).arg(&broken.of.workdir);
        let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let told = said.lines().filter(|l| l.starts_with(title)).count();
        assert!(told == ended.reconciliation.known.len() && said.contains("王科长 2021-05-31"), "{said}");
    }

    // The day after its last one it explains nothing.
    for of in &mut broken.of.expected.known {
        of.until = "2021-05-30".to_owned();
    }
    let (summary, ended) = broken.run();
    assert_eq!(u128::from(unexplained(&summary).1), lost_fen(&ended));
    assert!(ended.reconciliation.known.iter().all(|k| k.ended == KnownEnd::Expired));
    let forged = passed.replace(&summary_before(&passed), &summary.run);
    std::fs::write(ended.dir.file("reconciliation.json"), forged).unwrap();
    let refused = finished(&broken.of.workdir, None).unwrap_err();
    assert_eq!(miette::Diagnostic::code(&refused).unwrap().to_string(), "RUN-030");
}

fn lost_fen(ended: &Finished) -> u128 {
    line(ended, "ylbx.YLJFF→(none)", "fen:BFJE").unwrap().unexplained
}

/// The run that a document names.
fn summary_before(document: &str) -> String {
    let (_, rest) = document.split_once("\"run\": \"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

#[test]
fn rows_that_are_left_to_another_branch_which_is_not_there_are_unexplained() {
    let broken = Broken::new(60);
    let shape = "from  = \"GRZHND AS d\"\n";
    let filtered = format!("{shape}where = \"d.ND >= 2010\"\nreason = \"not_this_table\"\n");
    broken.replace("AC51.toml", shape, &filtered);
    let (summary, ended) = broken.run();
    unexplained(&summary);
    let (edge, nowhere) = ("ylbx.GRZHND→AC51", "ylbx.GRZHND→(none)");
    let left_out = line(&ended, edge, "rows").unwrap().explained["not_this_table"];
    assert!(left_out > 0);
    assert_eq!(line(&ended, nowhere, "rows").unwrap().unexplained.cast_signed(), left_out);
    assert!(line(&ended, nowhere, "fen:NMYE").unwrap().unexplained > 0);
}

#[test]
fn a_table_that_is_only_joined_says_so_and_the_whole_city_is_done() {
    // One in which nobody is missing: no table is empty.
    let broken = Broken::seeded(200, 11);
    let (summary, ended) = broken.run();
    assert_eq!(legacy(&ended, "SYDWXX").reach, Reach::JoinedOnly);
    let told = line(&ended, "ylbx.SYDWXX→(none)", "rows").unwrap();
    assert!(told.left > 0);
    assert_eq!((told.unexplained, told.explained.get("joined_only")), (0, Some(&told.left)));
    assert_eq!((summary.status, summary.blocked_by.as_slice()), (Status::Done, &[][..]));
}

#[test]
fn an_empty_branch_blocks_until_it_is_acknowledged_by_name() {
    let mut broken = Broken::new(60);
    let shape = "from  = \"QFXX AS d\"\n";
    broken.replace("AD23.toml", shape, &format!("{shape}where = \"d.XZ = 'false'\"\nreason = \"decoy\"\n"));
    let (summary, ended) = broken.run();
    let rows = u64::try_from(line(&ended, "ylbx.QFXX", "rows").unwrap().left).unwrap();
    assert!(rows > 0 && summary.unexplained_rows == 0, "the edge itself adds up: every row has a reason");
    assert!(suspects(&summary).contains(&(Suspicion::EmptyBranch, "AD23/qfxx", 0, rows)), "{summary:?}");
    broken.acknowledge(Suspicion::EmptyBranch, "AD23/qfxx");
    broken.acknowledge(Suspicion::EmptyBranch, "AD23/qfxy");
    let (summary, ended) = broken.run();
    assert!(!suspects(&summary).iter().any(|s| s.1 == "AD23/qfxx"), "{:?}", summary.blocked_by);
    let told: Vec<_> = summary.acknowledged.iter().map(|a| (a.name.as_str(), a.used, a.whole)).collect();
    assert_eq!(told, [("AD23/qfxx", true, rows), ("AD23/qfxy", false, 0)]);
    let page = std::fs::read_to_string(ended.dir.page()).unwrap();
    assert!(page.contains("王科长") && page.contains("it is so"), "who and why stand on the page");
}

#[test]
fn one_empty_table_of_a_family_blocks_though_the_branch_has_rows() {
    let broken = Broken::new(60);
    let shape = "from  = \"GRJFMX_FLOAT AS d\"\n";
    let filtered = format!("{shape}where = \"d._source <> 'ylbx.GRJFMX_2010'\"\nreason = \"decoy\"\n");
    broken.replace("AC43.toml", shape, &filtered);
    let (summary, _) = broken.run();
    let found = suspects(&summary);
    let empty = found.iter().find(|s| s.1 == "AC43/float/GRJFMX_2010");
    assert!(empty.is_some_and(|s| s.0 == Suspicion::EmptyBranch && s.3 > 0), "{found:?}");
}

#[test]
fn few_accepted_rows_and_a_code_list_that_translates_less_than_half_block() {
    let mut broken = Broken::new(60);
    let sex = "legacy,code,name,read_error\n9,9,未说明,\n";
    std::fs::write(broken.of.city.join("codes/sex.csv"), sex).unwrap();
    broken.of.expected.accepted_min = 100;
    let (summary, _) = broken.run();
    let found = suspects(&summary);
    let list = found.iter().find(|s| s.1 == "sex/ylbx.GRJBXX.XB").unwrap();
    assert!(list.0 == Suspicion::CodeList && list.2 * 2 < list.3, "{list:?}");
    let persons = summary.tables.iter().find(|t| t.table == "AC01").unwrap();
    assert!(persons.accepted < persons.mapped, "{persons:?}");
    assert!(found.contains(&(Suspicion::Acceptance, "AC01", persons.accepted, persons.mapped)), "{found:?}");
    broken.of.expected.accepted_min = 0;
    let (summary, _) = broken.run();
    assert!(!suspects(&summary).iter().any(|s| s.0 == Suspicion::Acceptance), "{:?}", summary.blocked_by);
}

#[test]
fn gbk_that_is_read_as_latin1_without_a_mistake_blocks() {
    let mut broken = Broken::new(60);
    let (summary, _) = broken.run();
    assert!(!suspects(&summary).iter().any(|s| s.0 == Suspicion::Encoding), "{:?}", summary.blocked_by);
    let latin1 = TableSettings { encoding: TextEncoding::named("windows-1252"), ..TableSettings::default() };
    broken.of.sources[0].tables.insert("GRJBXX".to_owned(), latin1);
    let (summary, _) = broken.run();
    let found = suspects(&summary);
    let name = found.iter().find(|s| s.1 == "gbk/ylbx.GRJBXX.XM").unwrap_or_else(|| panic!("{found:?}"));
    // Nearly: names with a character that GBK has no place for, and those whose bytes are broken.
    assert!(name.0 == Suspicion::Encoding && name.3 > 50 && name.2 * 20 >= name.3 * 19, "{name:?}");
    assert!(found.iter().filter(|s| s.0 == Suspicion::Encoding).all(|s| s.1.starts_with("gbk/ylbx.GRJBXX.")));
}

#[test]
fn fen_declared_as_yuan_is_found_without_any_ledger() {
    let broken = Broken::new(200);
    broken.remove("AB07.toml");
    broken.remove("sources/DWHDTZ.toml");
    let ignored = "\n[[ignore]]\ntable = \"DWHDTZ\"\nreason = \"no ledgers in this city\"\n";
    let path = broken.of.city.join("city.toml");
    std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + ignored).unwrap();
    let (summary, ended) = broken.run();
    assert_eq!((summary.unexplained_rows, summary.unexplained_fen), (0, 0), "as it is declared, all adds up");
    assert!(ended.reconciliation.unit_of_money.is_empty());
    broken.replace("sources/GRJFMX_FEN.toml", "money = \"fen\"", "money = \"yuan\"");
    let (summary, ended) = broken.run();
    assert!(unexplained(&summary).1 > 0);
    let faults: Vec<_> =
        ended.reconciliation.plausible.iter().filter(|p| p.verdict == Judged::Times100).collect();
    assert!(!faults.is_empty(), "{:?}", ended.reconciliation.plausible);
    for fault in faults {
        assert!(fault.table.starts_with("ylbx.GRJFMX_200") && fault.check.starts_with("AC43."), "{fault:?}");
    }
    broken.replace("sources/GRJFMX_FEN.toml", "money = \"yuan\"", "money = \"fen\"");
    let (summary, ended) = broken.run();
    assert!(unexplained(&summary).1 > 0, "now bases and wages are a hundredth");
    let low = ended.reconciliation.plausible.iter().filter(|p| p.verdict == Judged::Hundredth);
    assert!(low.into_iter().any(|p| p.check == "AC43.AAE180"), "{:?}", ended.reconciliation.plausible);
}

#[test]
fn what_was_compared_with_nothing_is_counted_in_the_first_line() {
    let broken = Broken::new(200);
    let (summary, ended) = broken.run();
    let of = |what| summary.not_checked.iter().filter(move |n| n.what == what).map(|n| n.name.as_str());
    assert!(of(Unchecked::TextSum).any(|n| n == "ylbx.ZYJX.ZHJE"), "{:?}", summary.not_checked);
    assert!(of(Unchecked::FloatDigits).any(|n| n == "ylbx.GRJFMX_2010.DWJFE"));
    assert!(of(Unchecked::NotDeclared).any(|n| n == "ylbx.GRJFMX.JFJS"));
    assert!(of(Unchecked::UnitOfMoney).any(|n| n == "ylbx.DWHDTZ.ZNJ"));
    assert!(!of(Unchecked::UnitOfMoney).any(|n| n == "ylbx.GRJFMX.DWJFE"));
    let page = std::fs::read_to_string(ended.dir.page()).unwrap();
    let first = page.lines().find(|l| l.contains("class=\"sums\"")).unwrap();
    assert!(first.contains(&format!("<b>{}</b> 项", summary.not_checked.len())), "{first}");
}

/// The legacy table has two rows of one GRBH, far apart: a person with two numbers' rows, in parts of 50 rows.
#[test]
fn a_key_that_is_not_unique_is_refused_wherever_its_twins_lie() {
    let mut broken = Broken::new(300);
    broken.replace("sources/GRJBXX.toml", "unique = false", "unique = true");
    broken.of.sources[0].chunk_rows = 50;
    let progress: std::sync::Arc<dyn qianyi::progress::Progress> =
        std::sync::Arc::new(qianyi::progress::Silent);
    let error = run(&broken.of, &progress).unwrap_err();
    let shown = format!("{error}");
    assert!(shown.contains("ylbx.GRJBXX") && shown.contains("unique"), "{shown}");
    assert!(shown.matches(" row ").count() == 2, "both rows are named: {shown}");
    assert_eq!(error.retry_class(), qianyi::error::RetryClass::Usage);
}

#[test]
fn an_amount_cannot_be_mapped_and_said_not_to_be() {
    let broken = Broken::new(10);
    broken.replace(
        "sources/LTXRY.toml",
        "[measures.not_mapped]\n",
        "[measures.not_mapped]\nBT1 = \"small\"\n",
    );
    broken.replace(
        "sources/GRZH.toml",
        "amounts = [\"BJLJ\", \"LXLJ\", \"ZCLJ\", \"YE\"]",
        "amounts = [\"BJLJ\", \"LXLJ\", \"ZCLJ\", \"YE\"]\n[measures.not_mapped]\nYY = \"no such amount\"",
    );
    let national = qianyi::national::load(&folder("national")).unwrap();
    let error = qianyi::mapping::load(&broken.of.city, &national).unwrap_err().to_string();
    assert!(error.contains("`YY` is not under `amounts`"), "{error}");
    broken.replace("sources/GRZH.toml", "YY = \"no such amount\"", "");
    let error = qianyi::mapping::load(&broken.of.city, &national).unwrap_err().to_string();
    assert!(error.contains("`BT1` stands under `not_mapped`, and AC61 maps it"), "{error}");
}
