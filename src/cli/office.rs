//! `qianyi demo --rounds N`: an office works between the runs, by what the truth says.

use std::collections::BTreeMap;
use std::path::Path;

use qianyi::artifacts::{Status, Summary};
use qianyi::config::{Role, Settings};
use qianyi::fixture::{Edit, edit, mistyped, truth_path};
use qianyi::pipeline::{
    FindingFilter, ItemFilter, LegacyField, ListedFinding, OfficeOf, OfficeWork, Signatory, each_finding,
    finished, rule_input, run, settled, undecided, work, worklist_rows,
};
use qianyi::report::Words;
use qianyi::state::State;
use serde::Serialize;

use super::context::{Context, absolute, mappings};
use super::failure::{Failure, Usage};
use super::out::{self, Align};
use super::worklist::signatory;

/// In this round of work a fault comes back in the legacy database.
const RELAPSE: u32 = 2;

/// From this round of work on rows are merged: by then the IDs that say who is who have been corrected.
const MERGES: u32 = 2;

/// One run, and what the office did after it.
#[derive(Serialize)]
pub struct OfficeRound {
    run: String,
    status: Status,
    /// Findings that stand: without those that were told to be so.
    standing: u64,
    new: u64,
    fixed: u64,
    reopened: u64,
    waived: u64,
    /// What rules, approvals and corrections changed.
    repaired: u64,
    /// What the province has to decide: by its rule, or because somebody sent it there.
    province: u64,
    /// Decided about another value than the one that stands.
    stale: u64,
    unexplained_rows: u64,
    unexplained_fen: u64,
    /// Findings that keep rows out and that nobody has decided about, by rule.
    blocking: BTreeMap<String, u64>,
    /// What came back.
    relapsed: Vec<ListedFinding>,
    /// None: nobody worked after the last run.
    office: Option<OfficeWork>,
    /// Fields that were mended in the legacy database.
    mended: u64,
    /// The field that was spoiled again there, by its rule.
    spoiled: Option<String>,
}

/// Everything that an office works with.
struct Office<'a> {
    context: &'a Context,
    settings: &'a Settings,
    database: &'a Path,
    people: [Signatory; 3],
    /// The field that was spoiled again: in the next round it is mended where it stands.
    spoiled: Option<LegacyField>,
}

/// Runs, and lets the office work and runs again so many times; the last summary, and every run where it worked.
pub fn rounds(
    context: &Context,
    settings: &Settings,
    (database, rounds): (&Path, u32),
) -> Result<(Summary, Vec<OfficeRound>), Failure> {
    let progress = context.progress();
    let of = context.run_settings(settings, "demo");
    context.listen(&of)?;
    let mut done = run(&of, &progress)?;
    let mut all = Vec::new();
    if rounds == 0 {
        return Ok((done, all));
    }
    let mut office = Office { context, settings, database, people: people(settings)?, spoiled: None };
    for round in 1..=rounds {
        all.push(office.round(&done, Some(round))?);
        done = run(&of, &progress)?;
    }
    all.push(office.round(&done, None)?);
    Ok((done, all))
}

/// Three people, each in another role.
fn people(settings: &Settings) -> Result<[Signatory; 3], Failure> {
    let mut chosen: Vec<Signatory> = Vec::new();
    for role in [Role::Handler, Role::Reviewer, Role::Approver] {
        let free = settings.people.iter().filter(|p| p.roles.contains(&role));
        let one = free.map(signatory).find(|p| chosen.iter().all(|c| c.name != p.name));
        chosen.push(one.ok_or(Usage::NoOffice)?);
    }
    <[Signatory; 3]>::try_from(chosen).map_err(|_| Usage::NoOffice.into())
}

impl Office<'_> {
    /// What a run came to, and what is done after it.
    fn round(&mut self, of: &Summary, worked: Option<u32>) -> Result<OfficeRound, Failure> {
        let (national, city) = mappings(self.settings)?;
        let input = rule_input(self.settings.rules.as_ref(), &national, &city)?.ok_or(Usage::NoRules)?;
        let run = finished(&self.context.workdir, Some(&of.run))?;
        let engine = self.context.engine(self.settings, &city, run.as_of()?)?;
        let state = State::open(&self.context.workdir, "demo")?;
        let words = self.context.words()?;
        let items = worklist_rows(&run, &input.book, &state, &ItemFilter::default())?;
        let mut round = told(of);
        round.province = items.iter().map(|i| i.province).sum::<u64>();
        round.stale = items.iter().map(|i| i.stale).sum();
        let again = FindingFilter { state: Some("reopened".to_owned()), ..FindingFilter::default() };
        each_finding(&run, &engine, &national, &again, |f| {
            round.relapsed.push(f.clone());
            Ok::<(), qianyi::pipeline::RunError>(())
        })?;
        let folder = absolute(&self.context.workdir).join("worklists").join(&of.run);
        let office = OfficeOf {
            run: &run,
            engine: &engine,
            national: &national,
            city: &city,
            book: &input.book,
            state: &state,
            words: &words,
            people: &self.people,
            truth: &truth_path(self.database),
            folder: &folder,
            zone: self.settings.time_zone,
            waiver_months: self.settings.waiver_months,
            merges: worked.is_some_and(|nth| nth >= MERGES),
        };
        round.blocking = undecided(&office)?;
        let Some(nth) = worked else { return Ok(round) };
        let done = work(&office)?;
        if nth == 1 {
            round.mended = edit(self.database, &done.to_mend.iter().map(mended).collect::<Vec<_>>())?;
        }
        if let Some(spoiled) = self.spoiled.take() {
            round.mended += edit(self.database, &[mended(&spoiled)])?;
        }
        if nth == RELAPSE {
            let spoiled = self.spoil(&office)?;
            round.spoiled = spoiled.as_ref().map(|(rule, _)| rule.clone());
            self.spoiled = spoiled.map(|(_, field)| field);
        }
        round.office = Some(done);
        Ok(round)
    }

    /// Somebody types a number wrong again that had been corrected; the rule that found it, and the field. None: no such number was.
    fn spoil(&self, of: &OfficeOf<'_>) -> Result<Option<(String, LegacyField)>, Failure> {
        for one in settled(of)? {
            let again = one.wrong.as_deref().and_then(|wrong| mistyped(wrong, &one.field.right));
            let of_numbers = ["FIX-01", "FIX-02", "FIX-03"].contains(&one.rule.as_str());
            let Some(value) = again.filter(|_| of_numbers) else { continue };
            let LegacyField { table, key, column, .. } = one.field.clone();
            if edit(self.database, &[Edit { table, key, column, value }])? == 1 {
                return Ok(Some((one.rule, one.field)));
            }
        }
        Ok(None)
    }
}

fn mended(of: &LegacyField) -> Edit {
    let LegacyField { table, key, column, right } = of.clone();
    Edit { table, key, column, value: right }
}

/// What a summary says of its round.
fn told(of: &Summary) -> OfficeRound {
    let total = of.rounds.last().map(qianyi::artifacts::Round::total).unwrap_or_default();
    OfficeRound {
        run: of.run.clone(),
        status: of.status,
        standing: total.standing(),
        new: total.new,
        fixed: total.fixed,
        reopened: total.reopened,
        waived: total.waived,
        repaired: of.cleaning.iter().map(|r| r.repaired).sum(),
        province: 0,
        stale: 0,
        unexplained_rows: of.unexplained_rows,
        unexplained_fen: of.unexplained_fen,
        blocking: BTreeMap::new(),
        relapsed: Vec::new(),
        office: None,
        mended: 0,
        spoiled: None,
    }
}

/// The rounds as a table, what came back, and whether the gate is open.
pub fn text(words: &Words, rounds: &[OfficeRound]) -> String {
    let word = |key: &str| words.say("office", key);
    let head = [
        "round",
        "standing",
        "new",
        "fixed",
        "reopened",
        "repaired",
        "waived",
        "province",
        "approved",
        "adopted",
        "corrected",
        "so",
        "sent",
        "mended",
        "waiting",
        "undecided",
    ];
    let heads: Vec<(String, Align)> = head
        .iter()
        .map(|key| (word(key), if *key == "round" { Align::Left } else { Align::Right }))
        .collect();
    let row = |r: &OfficeRound| {
        let found = [r.standing, r.new, r.fixed, r.reopened, r.repaired, r.waived, r.province];
        let work = match &r.office {
            Some(o) => {
                [o.approved, o.adopted, o.corrected, o.waived, o.province, r.mended, o.waiting, o.undecided]
                    .map(out::grouped)
            }
            None => std::array::from_fn(|_| "—".to_owned()),
        };
        std::iter::once(r.run.clone()).chain(found.map(out::grouped)).chain(work).collect::<Vec<String>>()
    };
    let mut text =
        format!("\n{}\n{}\n", word("title"), out::table(&heads, &rounds.iter().map(row).collect::<Vec<_>>()));
    for f in rounds.iter().flat_map(|r| &r.relapsed) {
        let title = words.lang().pick(&f.title_zh, &f.title_en);
        let of = [&f.person, &f.name, &f.value].into_iter().flatten().cloned().collect::<Vec<_>>().join(" ");
        let field = format!("{} {} {}", f.table, f.column, f.column_title);
        text.push_str(&format!("  ✖ {}: {} {title} · {field} · {of}\n", word("relapse"), f.rule));
    }
    if let Some(last) = rounds.last() {
        text.push_str(&format!("{}\n", gate(words, last)));
    }
    text
}

/// What of the gate is open after the last round.
fn gate(words: &Words, of: &OfficeRound) -> String {
    let word = |key: &str| words.say("office", key);
    let open = of.status == Status::Done && of.blocking.is_empty() && of.reopened == 0;
    let blocking: u64 = of.blocking.values().sum();
    let rules: Vec<String> =
        of.blocking.iter().map(|(rule, n)| format!("{rule} {}", out::grouped(*n))).collect();
    let rules = if rules.is_empty() { String::new() } else { format!(" ({})", rules.join(", ")) };
    let state = words.say("page", if of.status == Status::Done { "done" } else { "blocked" });
    format!(
        "{} {}: {} {} {state} · {} {}{rules} · {} {}",
        if open { "✔" } else { "✖" },
        word(if open { "gate_open" } else { "gate_closed" }),
        words.say("summary", "run"),
        of.run,
        word("blocking"),
        out::grouped(blocking),
        word("reopened"),
        out::grouped(of.reopened),
    )
}
