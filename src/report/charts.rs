//! The charts of the page: dispositions by table, findings by rule, department and round, money by year, codes, stages.
//!
//! Must not know: how a chart is drawn.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use plotters::style::RGBColor;
use serde::Serialize;

use super::chart::{Bar, Length, Part, bars};
use super::number::{count, share, yuan};
use super::words::Words;
use super::{Lang, ReportError};
use crate::artifacts::{Coverage, RoundRow, Summary, YearRow};

/// Bars of a chart; what is less stands in the tables.
const SHOWN: usize = 20;

const GREEN: RGBColor = RGBColor(46, 125, 74);
const RED: RGBColor = RGBColor(178, 34, 44);
const AMBER: RGBColor = RGBColor(224, 165, 48);
const GREY: RGBColor = RGBColor(160, 170, 182);
const BLUE: RGBColor = RGBColor(60, 110, 170);

/// One chart and its title.
#[derive(Serialize)]
pub(super) struct Chart {
    title: String,
    note: String,
    svg: String,
}

/// Every chart that has something to show.
pub(super) fn charts(
    summary: &Summary,
    coverage: &Coverage,
    lang: Lang,
    words: &Words,
) -> Result<Vec<Chart>, ReportError> {
    let mut all = vec![
        chart("tables", bars(&dispositions(words), &tables(summary), Length::Shares)?, words),
        chart("rules", bars(&rounds(words), &rules(summary, lang), Length::Sums)?, words),
        chart("departments", bars(&rounds(words), &departments(summary, words), Length::Sums)?, words),
        chart("rounds", bars(&rounds(words), &by_round(summary), Length::Sums)?, words),
    ];
    for (title, years) in by_figure(&summary.years, lang) {
        let svg = bars(&money(words), &years.iter().map(|y| year(y)).collect::<Vec<_>>(), Length::Sums)?;
        let title = format!("{} · {title}", words.say("chart", "years"));
        all.push(Chart { title, note: words.say("chart", "years_note"), svg });
    }
    all.push(chart("codes", bars(&mapped(words), &codes(coverage), Length::Shares)?, words));
    all.push(chart("stages", bars(&seconds(words), &stages(summary, words), Length::Sums)?, words));
    all.retain(|c| !c.svg.is_empty());
    Ok(all)
}

fn chart(key: &str, svg: String, words: &Words) -> Chart {
    Chart { title: words.say("chart", key), note: words.say("chart", &format!("{key}_note")), svg }
}

fn part(name: String, colour: RGBColor) -> Part {
    Part { name, colour }
}

fn dispositions(words: &Words) -> Vec<Part> {
    let of = [("accepted", GREEN), ("rejected", RED), ("held", AMBER), ("excluded", GREY), ("merged", BLUE)];
    of.map(|(code, colour)| part(words.say("disposition_short", code), colour)).to_vec()
}

fn rounds(words: &Words) -> Vec<Part> {
    let of = [("reopened", RED), ("open", AMBER), ("new", BLUE)];
    of.map(|(code, colour)| part(words.say("rounds", code), colour)).to_vec()
}

fn money(words: &Words) -> Vec<Part> {
    let of = [("ready", GREEN), ("not_ready", AMBER), ("by_rules", BLUE)];
    of.map(|(code, colour)| part(words.say("first", code), colour)).to_vec()
}

fn mapped(words: &Words) -> Vec<Part> {
    let of = [("rows_mapped", GREEN), ("rows_unmapped", RED)];
    of.map(|(code, colour)| part(words.say("page", code), colour)).to_vec()
}

fn seconds(words: &Words) -> Vec<Part> {
    vec![part(words.say("page", "seconds"), BLUE)]
}

fn tables(of: &Summary) -> Vec<Bar> {
    let mut rows: Vec<_> = of.tables.iter().filter(|t| t.mapped + t.added > 0).collect();
    rows.sort_by_key(|t| &t.table);
    let bar = |t: &&crate::artifacts::TableRow| Bar {
        label: format!("{} {}", t.table, t.title),
        parts: [t.accepted, t.rejected, t.held, t.excluded, t.merged].map(u128::from).to_vec(),
        note: format!("{} / {}", share(t.accepted, t.mapped + t.added), count(t.mapped + t.added)),
    };
    rows.iter().map(bar).collect()
}

fn of_round(row: &RoundRow) -> Vec<u128> {
    [row.reopened, row.open, row.new].map(u128::from).to_vec()
}

fn rules(of: &Summary, lang: Lang) -> Vec<Bar> {
    let cleaning = of.cleaning.iter().map(|r| (r.rule.as_str(), lang.pick(&r.title_zh, &r.title_en)));
    let findings = of.findings.iter().map(|r| (r.rule.as_str(), lang.pick(&r.title_zh, &r.title_en)));
    let titles: BTreeMap<&str, &str> = cleaning.chain(findings).collect();
    let mut rows: Vec<&RoundRow> =
        of.rounds.last().iter().flat_map(|r| &r.rows).filter(|r| r.standing() > 0).collect();
    rows.sort_by_key(|r| (Reverse(r.standing()), &r.rule));
    rows.truncate(SHOWN);
    let bar = |r: &&RoundRow| Bar {
        label: format!("{} {}", r.rule, titles.get(r.rule.as_str()).copied().unwrap_or_default()),
        parts: of_round(r),
        note: count(r.standing()),
    };
    rows.iter().map(bar).collect()
}

fn departments(of: &Summary, words: &Words) -> Vec<Bar> {
    let mut sums: BTreeMap<&str, RoundRow> = BTreeMap::new();
    for row in of.rounds.last().iter().flat_map(|r| &r.rows) {
        let sum = sums.entry(&row.department).or_default();
        sum.new += row.new;
        sum.open += row.open;
        sum.reopened += row.reopened;
    }
    let mut rows: Vec<_> = sums.into_iter().filter(|(_, r)| r.standing() > 0).collect();
    rows.sort_by_key(|(name, r)| (Reverse(r.standing()), *name));
    let bar = |(name, r): &(&str, RoundRow)| Bar {
        label: words.say("department", name),
        parts: of_round(r),
        note: count(r.standing()),
    };
    rows.iter().map(bar).collect()
}

fn by_round(of: &Summary) -> Vec<Bar> {
    let bar = |r: &crate::artifacts::Round| {
        let total = r.total();
        let (label, note) = (format!("{} {}", r.run, r.as_of), count(total.standing()));
        Bar { label, parts: of_round(&total), note }
    };
    of.rounds.iter().map(bar).collect()
}

/// Years by figure and insurance, in their order.
fn by_figure(of: &[YearRow], lang: Lang) -> Vec<(String, Vec<&YearRow>)> {
    let mut all: Vec<(String, Vec<&YearRow>)> = Vec::new();
    for row in of.iter().filter(|r| r.old > 0) {
        let title = format!("{} {}", lang.pick(&row.title_zh, &row.title_en), row.insurance);
        match all.last_mut().filter(|(last, _)| *last == title) {
            Some((_, rows)) => rows.push(row),
            None => all.push((title, vec![row])),
        }
    }
    all
}

fn year(of: &YearRow) -> Bar {
    let positive = |n: i128| u128::try_from(n).unwrap_or(0);
    let both = of.old.min(of.ready);
    Bar {
        label: of.year.clone(),
        parts: vec![positive(both), positive(of.old - both), positive(of.ready - both)],
        note: format!("{} → {}", short_yuan(of.old), short_yuan(of.ready)),
    }
}

/// Whole yuan: the tables have the fen.
fn short_yuan(fen: i128) -> String {
    let all = yuan(fen);
    all.split_once('.').map_or(all.clone(), |(whole, _)| whole.to_owned())
}

fn codes(of: &Coverage) -> Vec<Bar> {
    let mut rows: Vec<_> = of.codes.iter().filter(|c| c.mapped.rows + c.unmapped.rows > 0).collect();
    rows.sort_by_key(|c| (Reverse(c.unmapped.rows), &c.list, &c.source, &c.table, &c.column));
    rows.truncate(SHOWN);
    let bar = |c: &&crate::artifacts::CodeCoverage| Bar {
        label: format!("{} {}.{}", c.list, c.table, c.column),
        parts: [c.mapped.rows, c.unmapped.rows].map(u128::from).to_vec(),
        note: format!("{} / {}", count(c.unmapped.rows), count(c.mapped.rows + c.unmapped.rows)),
    };
    rows.iter().map(bar).collect()
}

fn stages(of: &Summary, words: &Words) -> Vec<Bar> {
    let bar = |s: &crate::artifacts::StageRow| Bar {
        label: words.say("stage", &s.stage),
        // Milliseconds.
        parts: vec![std::time::Duration::try_from_secs_f64(s.seconds).map_or(0, |d| d.as_millis())],
        note: format!("{:.1} s", s.seconds),
    };
    of.stages.iter().filter(|s| s.seconds > 0.0).map(bar).collect()
}
