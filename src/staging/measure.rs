//! Rows and money by insurance and period, as the staging server counts them (FORMS 7).
//!
//! Always: the form of [`crate::measures::count`], so that reconciliation compares this side like any other.

use super::server::Session;
use super::{Shared, StagingError, ddl};
use crate::measures::{ALL, Measure, NONE, boundary, side};

/// The server's side of the boundary between staged rows and the staging database, of one table.
pub(super) async fn given(of: &Shared, session: &Session, at: usize) -> Result<Vec<Measure>, StagingError> {
    let table = &of.tables[at];
    let cell = |column: &Option<String>| match column {
        Some(column) => format!("coalesce({}::text, '{NONE}')", ddl::name(column)),
        None => format!("'{ALL}'"),
    };
    let amounts: Vec<&str> = table.columns.iter().filter(|c| c.measure).map(|c| c.code.as_str()).collect();
    let sums: Vec<String> = amounts
        .iter()
        .map(|a| format!(", (coalesce(sum({}), 0) * 100)::numeric(38,0)", ddl::name(a)))
        .collect();
    let sql = format!(
        "SELECT {} AS i, {} AS p, count(*){} FROM {} GROUP BY 1, 2",
        cell(&table.insurance),
        cell(&table.period),
        sums.concat(),
        ddl::qualified(&of.shadow, &table.name)
    );
    let what = format!("the sums of {}", table.name);
    let mut all = Vec::new();
    for row in session.ask(&what, &sql).await? {
        let text = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
        let names = std::iter::once("rows".to_owned()).chain(amounts.iter().map(|a| format!("fen:{a}")));
        for (no, measure) in names.enumerate() {
            let value = text(2 + no);
            all.push(Measure {
                boundary: boundary::STAGED_DATABASE.to_owned(),
                side: side::DATABASE.to_owned(),
                table: table.name.clone(),
                measure,
                insurance: text(0),
                period: text(1),
                bucket: String::new(),
                value: value.parse().map_err(|_| StagingError::Answer { what: what.clone() })?,
            });
        }
    }
    Ok(all)
}
