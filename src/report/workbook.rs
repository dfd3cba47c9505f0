//! The numbers of a run's page as a workbook: a sheet a table, numbers as numbers.
//!
//! Always: from the documents that the page is made from, so that both say the same; codes and numbers that people write stay texts.
//! Must not know: how a workbook is written.

use std::path::Path;

use chrono::NaiveDate;

use super::number::{decimal, plain_yuan};
use super::reconciliation::total_by;
use super::sheet::{SheetCell, SheetColumn, SheetWriter};
use super::words::Words;
use super::{Lang, ReportError};
use crate::artifacts::{
    Coverage, DocumentLimits, Line, Reconciliation, Rehearsal, Summary, Unit, of_documents,
};

/// What a run says about itself.
pub struct Documents<'a> {
    pub summary: &'a Summary,
    pub reconciliation: &'a Reconciliation,
    pub coverage: &'a Coverage,
    pub rehearsal: Option<&'a Rehearsal>,
}

/// One table: its title under `workbook`, its heads as section and key, its rows.
struct Sheet {
    title: &'static str,
    heads: &'static [(&'static str, &'static str, u16)],
    rows: Vec<Vec<SheetCell>>,
}

fn text(of: impl Into<String>) -> SheetCell {
    SheetCell::Text(of.into())
}

fn number(of: impl Into<i128>) -> SheetCell {
    SheetCell::Number(of.into().to_string())
}

fn fen(of: i128) -> SheetCell {
    SheetCell::Number(plain_yuan(of))
}

/// Writes the workbook.
///
/// # Errors
/// `REP-002`, `REP-901`, `DUR-001`.
pub fn workbook(path: &Path, of: &Documents<'_>, day: NaiveDate, lang: Lang) -> Result<(), ReportError> {
    let words = Words::of(lang)?;
    let sheets = sheets(of, lang, &words);
    let columns = |sheet: &Sheet| -> Vec<SheetColumn> {
        let column = |(section, key, width): &(&str, &str, u16)| SheetColumn {
            head: words.say(section, key),
            width: Some(*width),
        };
        sheet.heads.iter().map(column).collect()
    };
    let mut writer: Option<SheetWriter> = None;
    for sheet in &sheets {
        let title = words.say("workbook", sheet.title);
        let one = match &mut writer {
            Some(writer) => {
                writer.next_table(&title, columns(sheet))?;
                writer
            }
            None => writer.insert(SheetWriter::create(path, &title, columns(sheet), day, None)?),
        };
        sheet.rows.iter().try_for_each(|row| one.row(row))?;
    }
    writer.map_or(Ok(()), SheetWriter::finish)
}

fn sheets(of: &Documents<'_>, lang: Lang, words: &Words) -> Vec<Sheet> {
    let summary = of.summary;
    vec![
        run(of, words),
        figures(summary, lang, words),
        readiness(of, words),
        tables(summary),
        dispositions(summary, words),
        cleaning(summary, lang, words),
        rounds(summary, words),
        findings(summary, lang, words),
        read_errors(summary, words),
        years(summary, lang),
        balance(of.reconciliation, words),
        known(of.reconciliation, words),
        totals(summary, lang, words),
        codes(of.coverage),
        empty(summary),
        changed(summary, lang, words),
        stages(summary, words),
    ]
}

fn run(of: &Documents<'_>, words: &Words) -> Sheet {
    let s = of.summary;
    let status = if s.blocked_by.is_empty() { "done" } else { "blocked" };
    let lines = [
        (words.say("summary", "run"), s.run.clone()),
        (words.say("workbook", "city"), format!("{} {}", s.city_name, s.city)),
        (words.say("page", "as_of"), s.as_of.clone()),
        (words.say("page", "started"), s.started.clone()),
        (words.say("page", "finished"), s.finished.clone()),
        (words.say("page", "result"), words.say("page", status)),
        (words.say("page", "version"), s.qianyi.clone()),
        (words.say("page", "config_digest"), s.config_digest.clone()),
        (words.say("page", "national_digest"), s.national_digest.clone()),
        (words.say("page", "mapping_digest"), s.mapping_digest.clone()),
    ];
    let rows = lines.into_iter().map(|(name, value)| vec![text(name), text(value)]).collect();
    Sheet { title: "run", heads: &[("workbook", "item", 24), ("workbook", "value", 70)], rows }
}

const WHY: [&str; 5] = ["rejected", "held", "merged", "excluded", "rekeyed"];

fn figures(of: &Summary, lang: Lang, words: &Words) -> Sheet {
    let row = |f: &crate::artifacts::FigureRow| {
        let value = |n: i128| if f.money { fen(n) } else { number(n) };
        let title = match f.insurance_title.as_str() {
            "" => words.say("first", "no_insurance"),
            title => title.to_owned(),
        };
        let mut row = vec![text(&f.insurance), text(title), text(lang.pick(&f.title_zh, &f.title_en))];
        row.extend([f.old, f.old - f.held_back(), f.held_back()].map(value));
        row.extend(WHY.map(|why| value(f.not_ready.get(why).copied().unwrap_or(0))));
        row.push(value(f.by_rules));
        row
    };
    Sheet {
        title: "figures",
        heads: &[
            ("page", "insurance", 8),
            ("page", "table_title", 28),
            ("first", "figure", 26),
            ("first", "old", 18),
            ("first", "ready", 18),
            ("first", "not_ready", 18),
            ("disposition_short", "rejected", 16),
            ("disposition_short", "held", 16),
            ("disposition_short", "merged", 16),
            ("disposition_short", "excluded", 16),
            ("disposition_short", "rekeyed", 16),
            ("first", "by_rules", 18),
        ],
        rows: of.figures.iter().map(row).collect(),
    }
}

fn readiness(of: &Documents<'_>, words: &Words) -> Sheet {
    let limits = DocumentLimits::default();
    let all = of_documents(of.summary, of.reconciliation, of.coverage, of.rehearsal, &limits);
    let rows = all.iter().map(|c| {
        let (light, name) = (words.say("light", c.light.name()), words.say("criterion", &c.id));
        let said = |t: &str| text(words.say("rehearsal_light", t));
        vec![text(light), text(name), said(&c.found), said(&c.wanted)]
    });
    Sheet {
        title: "readiness",
        heads: &[
            ("page", "result", 10),
            ("first", "criterion", 44),
            ("first", "found", 44),
            ("first", "wanted", 24),
        ],
        rows: rows.collect(),
    }
}

fn tables(of: &Summary) -> Sheet {
    let row = |t: &crate::artifacts::TableRow| {
        let mut row = vec![text(&t.table), text(&t.title)];
        row.extend([t.mapped, t.added, t.accepted, t.rejected, t.held, t.excluded, t.merged].map(number));
        row.push(text(&t.content_digest));
        row
    };
    Sheet {
        title: "tables",
        heads: &[
            ("page", "table", 12),
            ("page", "table_title", 28),
            ("way", "mapped", 14),
            ("way", "added", 14),
            ("disposition_short", "accepted", 14),
            ("disposition_short", "rejected", 14),
            ("disposition_short", "held", 14),
            ("disposition_short", "excluded", 14),
            ("disposition_short", "merged", 14),
            ("page", "content_digest", 66),
        ],
        rows: of.tables.iter().map(row).collect(),
    }
}

fn dispositions(of: &Summary, words: &Words) -> Sheet {
    let row = |d: &crate::artifacts::DispositionRow| {
        let disposition = words.say("disposition", &d.disposition);
        vec![text(disposition), text(&d.table), text(words.say("reason", &d.reason)), number(d.rows)]
    };
    Sheet {
        title: "dispositions",
        heads: &[
            ("page", "disposition", 26),
            ("page", "table", 12),
            ("page", "reason", 34),
            ("page", "rows_n", 14),
        ],
        rows: of.dispositions.iter().map(row).collect(),
    }
}

fn cleaning(of: &Summary, lang: Lang, words: &Words) -> Sheet {
    let row = |r: &crate::artifacts::CleanRow| {
        let mut row = vec![
            text(words.say("item", &r.item)),
            text(&r.rule),
            text(lang.pick(&r.title_zh, &r.title_en)),
            text(&r.table),
            text(words.say("department", &r.department)),
            text(&r.severity),
            text(words.say("ended", &r.ended)),
        ];
        row.extend([r.repaired, r.proposed, r.to_verify, r.to_province, r.noted].map(number));
        row
    };
    Sheet {
        title: "cleaning",
        heads: &[
            ("rules", "item", 18),
            ("rules", "file", 10),
            ("rules", "title", 40),
            ("rules", "table", 12),
            ("rules", "department", 12),
            ("rules", "severity", 8),
            ("rules", "ended", 14),
            ("rules", "repaired", 14),
            ("rules", "proposed", 14),
            ("rules", "to_verify", 14),
            ("rules", "to_province", 14),
            ("rules", "noted", 14),
        ],
        rows: of.cleaning.iter().map(row).collect(),
    }
}

fn rounds(of: &Summary, words: &Words) -> Sheet {
    let rows = of.rounds.iter().flat_map(|round| {
        round.rows.iter().map(|r| {
            let mut row = vec![
                text(&round.run),
                text(&round.as_of),
                text(words.say("item", &r.item)),
                text(&r.rule),
                text(words.say("department", &r.department)),
            ];
            row.extend([r.new, r.open, r.fixed, r.reopened, r.standing()].map(number));
            row
        })
    });
    Sheet {
        title: "rounds",
        heads: &[
            ("rounds", "round", 10),
            ("page", "as_of", 12),
            ("rules", "item", 18),
            ("page", "rule", 10),
            ("rules", "department", 12),
            ("rounds", "new", 12),
            ("rounds", "open", 12),
            ("rounds", "fixed", 12),
            ("rounds", "reopened", 12),
            ("rounds", "standing", 12),
        ],
        rows: rows.collect(),
    }
}

fn findings(of: &Summary, lang: Lang, words: &Words) -> Sheet {
    let row = |f: &crate::artifacts::FindingRow| {
        vec![
            text(&f.rule),
            text(lang.pick(&f.title_zh, &f.title_en)),
            text(words.say("level", &f.level)),
            text(words.say("gate", &f.gate)),
            text(&f.table),
            text(&f.column),
            number(f.rows),
        ]
    };
    Sheet {
        title: "findings",
        heads: &[
            ("page", "rule", 10),
            ("findings", "title", 40),
            ("page", "level", 10),
            ("page", "gate", 12),
            ("page", "table", 12),
            ("page", "column", 12),
            ("page", "rows_n", 14),
        ],
        rows: of.findings.iter().map(row).collect(),
    }
}

fn read_errors(of: &Summary, words: &Words) -> Sheet {
    let row = |r: &crate::artifacts::ReadErrorRow| {
        vec![text(&r.table), text(&r.column), text(words.say("read_error", &r.code)), number(r.rows)]
    };
    Sheet {
        title: "read_errors",
        heads: &[
            ("page", "legacy_table", 22),
            ("page", "legacy_column", 16),
            ("page", "read_error_code", 28),
            ("page", "values_n", 14),
        ],
        rows: of.read_errors.iter().map(row).collect(),
    }
}

fn years(of: &Summary, lang: Lang) -> Sheet {
    let row = |y: &crate::artifacts::YearRow| {
        let title = lang.pick(&y.title_zh, &y.title_en);
        vec![text(title), text(&y.insurance), text(&y.year), fen(y.old), fen(y.ready), fen(y.ready - y.old)]
    };
    Sheet {
        title: "years",
        heads: &[
            ("first", "figure", 26),
            ("page", "insurance", 8),
            ("page", "year", 8),
            ("first", "old", 20),
            ("disposition", "accepted", 20),
            ("against", "difference", 20),
        ],
        rows: of.years.iter().map(row).collect(),
    }
}

fn amount(unit: Unit, n: i128) -> SheetCell {
    match unit {
        Unit::Money { digits: 2 } => fen(n),
        Unit::Money { digits } => SheetCell::Text(decimal(n, digits)),
        Unit::Rows | Unit::Bytes => number(n),
    }
}

fn known(of: &Reconciliation, words: &Words) -> Sheet {
    let row = |k: &crate::artifacts::KnownRow| {
        let of = &k.difference;
        vec![
            text(words.say("known", k.ended.name())),
            text(words.say("boundary", &of.boundary)),
            text(&of.table),
            text(&of.measure),
            text(&of.insurance),
            text(&of.period),
            amount(of.unit, of.amount),
            amount(of.unit, k.found),
            text(&of.basis),
            text(&of.approver),
            text(&of.until),
        ]
    };
    Sheet {
        title: "known",
        heads: &[
            ("page", "result", 28),
            ("page", "boundary", 20),
            ("page", "table", 26),
            ("page", "measure", 22),
            ("page", "insurance", 8),
            ("page", "period", 10),
            ("known", "amount", 18),
            ("first", "found", 18),
            ("known", "basis", 40),
            ("known", "by", 12),
            ("known", "until", 12),
        ],
        rows: of.known.iter().map(row).collect(),
    }
}

/// Every number of every business total: old = ready + not ready − by rules.
fn totals(of: &Summary, lang: Lang, words: &Words) -> Sheet {
    let mut rows = Vec::new();
    for total in &of.totals {
        let title = format!("{} {}", total.id, lang.pick(&total.title_zh, &total.title_en));
        for line in &total.lines {
            for (no, column) in total.columns.iter().enumerate() {
                let value = |n: i128| if column.money { fen(n) } else { number(n) };
                let at = |numbers: &[i128]| numbers.get(no).copied().unwrap_or(0);
                let by = if line.by.is_empty() { String::new() } else { total_by(line, words) };
                let mut row = vec![text(&title), text(&line.insurance), text(by), text(&line.by_title)];
                row.push(text(lang.pick(&column.title_zh, &column.title_en)));
                row.extend(
                    [at(&line.old), at(&line.ready), at(&line.held_back), line.by_rules(no)].map(value),
                );
                rows.push(row);
            }
        }
    }
    Sheet {
        title: "totals",
        heads: &[
            ("totals", "total", 36),
            ("page", "insurance", 8),
            ("first", "at", 10),
            ("page", "table_title", 18),
            ("totals", "number", 20),
            ("first", "old", 20),
            ("first", "ready", 20),
            ("first", "not_ready", 20),
            ("first", "by_rules", 18),
        ],
        rows,
    }
}

fn balance(of: &Reconciliation, words: &Words) -> Sheet {
    let value = |line: &Line, n: i128| amount(line.unit, n);
    let rows = of.boundaries.iter().flat_map(|b| {
        b.lines.iter().map(move |l| {
            let why = l.explained.iter().map(|(why, n)| format!("{} {n}", words.say("reason", why)));
            vec![
                text(words.say("boundary", &b.boundary)),
                text(&l.table),
                text(&l.measure),
                value(l, l.left),
                value(l, l.right),
                text(why.collect::<Vec<_>>().join("; ")),
                value(l, i128::try_from(l.unexplained).unwrap_or(i128::MAX)),
            ]
        })
    });
    Sheet {
        title: "reconciliation",
        heads: &[
            ("page", "boundary", 20),
            ("page", "table", 26),
            ("page", "measure", 22),
            ("workbook", "left", 20),
            ("workbook", "right", 20),
            ("page", "explained", 50),
            ("page", "unexplained", 16),
        ],
        rows: rows.collect(),
    }
}

fn codes(of: &Coverage) -> Sheet {
    let row = |c: &crate::artifacts::CodeCoverage| {
        vec![
            text(&c.list),
            text(format!("{}.{}", c.source, c.table)),
            text(&c.column),
            number(c.mapped.distinct),
            number(c.mapped.rows),
            number(c.unmapped.distinct),
            number(c.unmapped.rows),
            fen(c.unmapped.fen),
        ]
    };
    Sheet {
        title: "codes",
        heads: &[
            ("page", "list", 16),
            ("page", "legacy_table", 22),
            ("page", "legacy_column", 16),
            ("page", "codes_mapped", 14),
            ("page", "rows_mapped", 14),
            ("page", "codes_unmapped", 14),
            ("page", "rows_unmapped", 14),
            ("page", "yuan_unmapped", 18),
        ],
        rows: of.codes.iter().map(row).collect(),
    }
}

fn empty(of: &Summary) -> Sheet {
    let row = |e: &crate::artifacts::EmptyRow| {
        let mut row = vec![text(&e.table), text(&e.column), text(&e.title)];
        row.extend([e.rows, e.before, e.after].map(number));
        row
    };
    Sheet {
        title: "empty",
        heads: &[
            ("page", "table", 12),
            ("page", "column", 12),
            ("page", "table_title", 28),
            ("page", "rows_n", 14),
            ("page", "empty_before", 14),
            ("page", "empty_after", 14),
        ],
        rows: of.empty.iter().filter(|e| e.before > 0).map(row).collect(),
    }
}

fn changed(of: &Summary, lang: Lang, words: &Words) -> Sheet {
    let mut rows = Vec::new();
    if let Some(changed) = &of.changed {
        rows.extend(changed.sums.iter().map(|s| {
            let value = |n: i128| if s.measure.starts_with("fen:") { fen(n) } else { number(n) };
            let what = format!("{} {}", s.measure, words.say("disposition", &s.disposition));
            let mut row = vec![text(what), text(&s.table), text(&s.insurance)];
            row.extend([s.before, s.after, s.after - s.before].map(value));
            row
        }));
        rows.extend(changed.findings.iter().map(|f| {
            let what = format!("{} {}", f.rule, lang.pick(&f.title_zh, &f.title_en));
            let mut row = vec![text(what), text(&f.table), text(&f.column)];
            let (before, after) = (i128::from(f.before), i128::from(f.after));
            row.extend([before, after, after - before].map(number));
            row
        }));
    }
    Sheet {
        title: "changed",
        heads: &[
            ("first", "what", 44),
            ("page", "table", 12),
            ("workbook", "cell", 12),
            ("first", "before", 18),
            ("first", "after", 18),
            ("against", "difference", 18),
        ],
        rows,
    }
}

fn stages(of: &Summary, words: &Words) -> Sheet {
    let row = |s: &crate::artifacts::StageRow| {
        let seconds = SheetCell::Number(format!("{:.2}", s.seconds));
        vec![text(words.say("stage", &s.stage)), number(s.rows), seconds]
    };
    Sheet {
        title: "stages",
        heads: &[("page", "stage", 22), ("page", "rows_n", 14), ("page", "seconds", 12)],
        rows: of.stages.iter().map(row).collect(),
    }
}
