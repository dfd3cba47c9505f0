//! The extract of a run that was interrupted after it was complete: the next start goes on over it, even where its point can no longer
//! be taken.
//!
//! Always: of the same tables, settings and measures, with every part as it was recorded; never one that a finished run was made of,
//! and never one of the command `extract`: whoever runs that and then `run` wants the source as it is now.

use super::{ExtractError, Extracted, ExtractedTable, Extraction, FOR_A_RUN, Origin, Purpose, measures};
use crate::raw;
use crate::source::Point;
use crate::state::{Extract, ExtractStatus, NewExtract};

/// Points that are gone with their session, while the database goes on.
const LIVE: [&str; 2] = ["snapshot session", "exported snapshot"];

/// The newest extract as it was recorded, if a run was interrupted over it.
pub(super) fn recorded(job: &Extraction<'_>, of: &NewExtract) -> Result<Option<Extracted>, ExtractError> {
    if job.purpose != Purpose::Run || !job.full_refresh.is_empty() {
        return Ok(None);
    }
    let Some(newest) = job.state.extracts(&of.source)?.pop() else { return Ok(None) };
    let asked = measures::as_text(&measures::wanted(job));
    let same = (&newest.of.consistency, &newest.of.settings, &newest.of.tables)
        == (&of.consistency, &of.settings, &of.tables)
        && newest.asked.as_ref() == Some(&asked);
    let for_a_run = newest.facts.iter().any(|(name, value)| (name.as_str(), value.as_str()) == FOR_A_RUN);
    // Of a copy that was replaced the new one is meant; one at the same point is found without this.
    let gone = newest.of.point != of.point && LIVE.contains(&of.consistency.as_str());
    if !(same && for_a_run && gone) || newest.status != ExtractStatus::Complete || used(job, &newest)? {
        return Ok(None);
    }
    let Some(measures) = newest.measures.clone().filter(raw::intact) else { return Ok(None) };
    let mut tables = Vec::new();
    for table in job.tables {
        let reading = job.state.reading(newest.id, &table.name)?;
        let Some(parts) = reading.and_then(|r| r.view).filter(|parts| parts.iter().all(raw::intact)) else {
            return Ok(None);
        };
        let rows = parts.iter().map(|part| part.rows).sum();
        tables.push(ExtractedTable { table: table.name.clone(), rows, parts });
    }
    let (extract, begun) = (newest.id.to_string(), newest.started.clone());
    tracing::info!(extract, begun, "the interrupted run goes on over its complete extract");
    let point = Point { consistency: newest.of.consistency, text: newest.of.point };
    let (id, origin) = (newest.id, Origin::Reused);
    Ok(Some(Extracted { id, origin, point, tables, measures, rows_read: 0, seconds: 0.0 }))
}

/// Whether a run was finished over it.
fn used(job: &Extraction<'_>, extract: &Extract) -> Result<bool, ExtractError> {
    let runs = job.state.runs()?;
    Ok(runs.iter().any(|run| run.status.has_ended() && run.extracts.contains(&extract.id)))
}
