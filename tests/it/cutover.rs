//! Readiness for cutover: what is not fulfilled, what is, who approves, what makes it stale; and the freeze.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use qianyi::artifacts::Light;
use qianyi::cutover::{CheckInput, CutoverSettings, Readiness, approve, check};
use qianyi::pipeline::{RunError, RunSettings, extract_only, finished, freeze, run};
use qianyi::progress::{Progress, Silent};

use crate::support::{parquet_under, text_rows};

fn light(of: &Readiness, id: &str) -> Light {
    of.criteria.iter().find(|c| c.id == id).unwrap_or_else(|| panic!("{id}")).light
}

fn red(of: &Readiness) -> Vec<&str> {
    of.criteria.iter().filter(|c| c.light != Light::Green).map(|c| c.id.as_str()).collect()
}

/// The figures of the first screen are those of the files, and each of them adds up.
fn figures(workdir: &Path) {
    let of = finished(workdir, None).unwrap();
    let keys = |side: &str, insurance: &str| -> BTreeSet<String> {
        let parts = parquet_under(&of.dir.path().join(side).join("AB02"));
        let rows = parts.iter().flat_map(|p| text_rows(p, &["AAE140", "_key"]));
        rows.filter(|r| r[0].as_deref() == Some(insurance)).filter_map(|r| r[1].clone()).collect()
    };
    let all = &of.summary.figures;
    for (figure, money) in [
        ("units", false),
        ("persons", false),
        ("retirees", false),
        ("accounts", false),
        ("contributions", true),
    ] {
        let found: Vec<_> = all.iter().filter(|f| f.figure == figure && f.insurance == "110").collect();
        assert!(found.len() == 1 && found[0].money == money && found[0].old > 0, "{figure} {found:?}");
        assert!(found[0].insurance_title.contains("养老"), "{found:?}");
    }
    for f in all {
        let by_rules = if f.money { f.by_rules } else { 0 };
        assert_eq!(f.old, f.ready - by_rules + f.held_back(), "{f:?}");
    }
    for units in all.iter().filter(|f| f.figure == "units") {
        let (mapped, staged) = (keys("mapped", &units.insurance), keys("staged", &units.insurance));
        let ready = mapped.intersection(&staged).count();
        assert_eq!((units.old, units.ready), (mapped.len() as i128, ready as i128), "{units:?}");
    }
    let staged = &parquet_under(&of.dir.path().join("staged/AC43"))[0];
    let schema = qianyi::dataset::schema_of(staged).unwrap();
    let told = |column: &str, key: &str| schema.field_with_name(column).unwrap().metadata().get(key).cloned();
    assert_eq!(told("AAE020", "name").as_deref(), Some("单位缴费"));
    assert_eq!(told("AAE140", "codes").as_deref(), Some("AAE140"));
    let held: i128 = all.iter().map(qianyi::artifacts::FigureRow::held_back).sum();
    assert!(held > 0, "{all:?}");
    assert!(of.summary.years.len() > 10, "{:?}", of.summary.years);
}

/// Over a work directory whose newest run is done and was rehearsed with success.
pub fn over_a_rehearsed_run(workdir: &Path, settings: &RunSettings) {
    figures(workdir);
    let of = finished(workdir, None).unwrap();
    let s = &of.summary;
    let digests =
        [&s.config_digest, &s.national_digest, &s.mapping_digest, &s.rules_digest].map(Clone::clone);
    let strict = CutoverSettings::default();
    let input = |settings| CheckInput { workdir, settings, digests: digests.clone() };
    let first = check(&input(&strict)).unwrap();
    assert!(!first.ready && light(&first, "window") == Light::Amber, "{first:#?}");
    assert_eq!(
        ["unexplained", "raw", "audit", "lag", "fresh", "rehearsed"].map(|id| light(&first, id)),
        [Light::Green; 6],
        "{first:#?}"
    );
    assert_eq!(["blocking", "approvals"].map(|id| light(&first, id)), [Light::Red; 2]);

    let mut blocking: BTreeMap<String, u64> = BTreeMap::new();
    for finding in s.findings.iter().filter(|f| f.gate == "block") {
        *blocking.entry(finding.rule.clone()).or_default() += finding.rows;
    }
    let fitting = CutoverSettings {
        blocking,
        undecided_max: 1000,
        unmapped_rows_max: 1_000_000,
        not_checked_max: 1000,
        window_hours: Some(8),
        approvals: 2,
        approvers: ["li", "wang", "zhao"].map(str::to_owned).to_vec(),
        ..CutoverSettings::default()
    };
    let second = check(&input(&fitting)).unwrap();
    assert_eq!(red(&second), ["approvals"], "{second:#?}");
    // Nobody else, and nobody twice.
    assert!(!approve(&input(&fitting), ["Sun", "sun", "r"]).unwrap().1);
    for _ in 0..2 {
        let (one, done) = approve(&input(&fitting), ["Wang", "wang", "checked"]).unwrap();
        assert!(done && !one.ready && one.approvals.len() == 1, "{one:#?}");
    }
    assert!(approve(&input(&fitting), ["Li", "li", "checked"]).unwrap().0.ready);
    let log = qianyi::audit::read(workdir).unwrap();
    assert_eq!(
        log.events.iter().filter(|e| e.kind == "readiness").count(),
        3,
        "who approved is told, each time"
    );
    let ready = check(&input(&fitting)).unwrap();
    assert!(ready.ready && ready.stale.is_empty(), "{ready:#?}");

    // Another configuration, and everything that was approved is void.
    let other = CheckInput {
        digests: ["x".to_owned(), digests[1].clone(), digests[2].clone(), digests[3].clone()],
        ..input(&fitting)
    };
    let stale = check(&other).unwrap();
    assert!(
        !stale.ready && stale.stale == ["fresh"] && stale.approvals.iter().all(|a| !a.holds),
        "{stale:#?}"
    );
    assert!(!approve(&other, ["Wang", "wang", "r"]).unwrap().1);
    // A limit is evidence, too.
    let looser = CutoverSettings { undecided_max: 1001, ..fitting.clone() };
    assert_eq!(check(&input(&looser)).unwrap().stale, ["coverage"]);

    let progress: std::sync::Arc<dyn Progress> = std::sync::Arc::new(Silent);
    let frozen = freeze(settings, &progress).unwrap();
    assert_eq!(frozen.extracts, ["e0001"]);
    assert_eq!(freeze(settings, &progress).unwrap(), frozen);
    assert!(matches!(extract_only(settings, &progress), Err(RunError::Frozen { .. })));
    let refused = run(settings, &progress).unwrap_err();
    assert!(matches!(&refused, RunError::Frozen { .. }), "{refused}");
    let held = RunSettings { held: vec!["latest".parse().unwrap()], ..settings.clone() };
    assert_eq!(run(&held, &progress).unwrap().run, s.run);
    let after = check(&input(&fitting)).unwrap();
    assert!(after.frozen.is_some() && after.stale == ["lag"], "{after:#?}");
}
