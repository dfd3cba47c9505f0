//! What is asked of a server once, when it is connected: who it is, how it holds text, what it can do.
//!
//! Always: a probe that fails is a fact; what decides whether text comes out right is refused instead.

use encoding_rs::Encoding;
use tiberius::error::Error;

use super::super::{Server, SourceError, SourceSettings};
use super::connect::{Session, ask};
use super::decode::UnicodeForm;
use super::errors::failed;
use super::literal::{hexed, unicode};
use super::{Inner, answer, catalogue};
use crate::phrase;

/// 中文㐱 in UTF-16: characters that no code page of one byte has.
const KNOWN: &str = "\u{4e2d}\u{6587}\u{3431}";
const KNOWN_UTF16: [u8; 6] = [0x2D, 0x4E, 0x87, 0x65, 0x31, 0x34];

/// How the database holds text.
pub(super) struct Database {
    pub collation: String,
    pub code_page: &'static Encoding,
}

/// The database's collation and its code page.
///
/// # Errors
/// `SRC-009` for a code page that is not known.
pub(super) async fn database(
    session: &mut Session,
    settings: &SourceSettings,
) -> Result<Database, SourceError> {
    let sql = "SELECT CAST(d.collation_name AS nvarchar(128)), CAST(COLLATIONPROPERTY(d.collation_name, 'CodePage') AS int)
      FROM sys.databases AS d WHERE d.name = DB_NAME()";
    let rows = ask(session, sql).await.map_err(failed(&settings.id, phrase!("source.collation")))?;
    let row = rows.first();
    let collation = row.and_then(|r| answer::text(r, 0)).unwrap_or_default();
    let code_page = row.and_then(|r| answer::int(r, 1)).and_then(catalogue::encoding);
    match code_page {
        Some(code_page) => Ok(Database { collation, code_page }),
        None => Err(SourceError::Encoding { id: settings.id.clone(), encoding: collation }),
    }
}

/// Version, TLS as it was agreed on, and what the configuration allowed.
pub(super) async fn server_facts(
    session: &mut Session,
    settings: &SourceSettings,
    server: &Server,
) -> Result<Vec<(String, String)>, SourceError> {
    let sql = "SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)), CAST(SERVERPROPERTY('Edition') AS nvarchar(128))";
    let rows = ask(session, sql).await.map_err(failed(&settings.id, phrase!("source.version")))?;
    let part = |at| rows.first().and_then(|r| answer::text(r, at)).unwrap_or_default();
    let mut facts = vec![
        ("server".to_owned(), format!("SQL Server {} {}", part(0), part(1)).trim_end().to_owned()),
        ("tls".to_owned(), server.tls.text().to_owned()),
    ];
    let sql = "SELECT CAST(c.encrypt_option AS nvarchar(40)) FROM sys.dm_exec_connections AS c WHERE c.session_id = @@SPID";
    match ask(session, sql).await {
        Ok(rows) => {
            let said = rows.first().and_then(|r| answer::text(r, 0)).unwrap_or_else(|| "unknown".to_owned());
            facts.push(("encrypted".to_owned(), said.to_ascii_lowercase()));
        }
        Err(Error::Server(_)) => facts.push(("encrypted".to_owned(), phrase!("doctor.fact_unsaid"))),
        Err(e) => return Err(failed(&settings.id, phrase!("source.line"))(e)),
    }
    Ok(facts)
}

/// A text that no other question gets.
pub(super) async fn own(session: &mut Session, id: &str) -> Result<String, SourceError> {
    let rows = ask(session, "SELECT CONVERT(varchar(36), NEWID())")
        .await
        .map_err(failed(id, phrase!("source.new_id")))?;
    Ok(rows.first().and_then(|r| answer::text(r, 0)).unwrap_or_default())
}

/// True where the database is written by another server, which sends its changes here.
pub(super) async fn updates_elsewhere(session: &mut Session, id: &str) -> Result<bool, SourceError> {
    let sql = "SELECT CAST(DATABASEPROPERTYEX(DB_NAME(), 'Updateability') AS nvarchar(60))";
    match ask(session, sql).await {
        Ok(rows) => Ok(rows.first().and_then(|r| answer::text(r, 0)).as_deref() == Some("READ_ONLY")),
        Err(Error::Server(_)) => Ok(false),
        Err(e) => Err(failed(id, phrase!("source.replica"))(e)),
    }
}

/// How Unicode text can be had exactly: one known constant there and back.
///
/// # Errors
/// `SRC-022` when neither way gives it back.
pub(super) async fn unicode_form(
    session: &mut Session,
    settings: &SourceSettings,
    facts: &mut Vec<(String, String)>,
) -> Result<UnicodeForm, SourceError> {
    let sql = format!("SELECT CAST(N'{KNOWN}' AS varbinary(20)), CAST(N'{KNOWN}' AS nvarchar(10))");
    let rows = ask(session, &sql).await.map_err(failed(&settings.id, phrase!("source.unicode")))?;
    let row = rows.first();
    if row.and_then(|r| answer::bytes(r, 0)) == Some(KNOWN_UTF16.as_slice()) {
        return Ok(UnicodeForm::Bytes);
    }
    if row.and_then(|r| answer::text(r, 1)).as_deref() == Some(KNOWN) {
        facts.push(("without UTF-16 bytes".to_owned(), phrase!("doctor.fact_nvarchar")));
        return Ok(UnicodeForm::Text);
    }
    Err(SourceError::Protocol {
        id: settings.id.clone(),
        what: "Unicode text that comes back otherwise".to_owned(),
    })
}

/// Samples of which every code page holds one: Chinese, Western, Cyrillic, Thai.
const SAMPLES: [&str; 4] = ["\u{767d}\u{57ce}", "\u{e9}", "\u{42f}", "\u{e01}"];

/// Text of every collation on its way to bytes and back, as char and as varchar: servers of other makers convert on the way.
///
/// # Errors
/// `SRC-034`.
pub(super) async fn text_forms(source: &Inner) -> Result<(), SourceError> {
    let mut all: Vec<(String, &'static Encoding)> = vec![(source.collation.clone(), source.code_page)];
    let known = source.collations.iter().filter(|(name, _)| **name != source.collation);
    all.extend(known.filter_map(|(name, page)| Some((name.clone(), catalogue::encoding(*page)?))));
    for (collation, page) in all {
        let encoded = SAMPLES.iter().map(|text| (text, page.encode(text)));
        let Some((text, (bytes, _, _))) = encoded.into_iter().find(|(_, (_, _, lost))| !lost) else {
            continue;
        };
        let (n, hex) = (bytes.len(), hexed(&bytes));
        let under = if collation.is_empty() { String::new() } else { format!(" COLLATE {collation}") };
        let forms = [format!("varchar({n})"), format!("char({n})")];
        let asked = forms.iter().flat_map(|form| {
            let given = unicode(text);
            [
                format!("CAST(CAST({given}{under} AS {form}) AS varbinary({n}))"),
                format!("CAST(CAST({hex} AS {form}){under} AS varbinary({n}))"),
            ]
        });
        let asked: Vec<String> = asked.collect();
        let sql = format!("SELECT {}", asked.join(", "));
        // A server without this collation by name is only asked for the database's own.
        let rows = match source.probe(&sql).await? {
            Some(rows) => rows,
            None if collation == source.collation => Vec::new(),
            None => continue,
        };
        for (at, form) in [(0, &forms[0]), (1, &forms[0]), (2, &forms[1]), (3, &forms[1])] {
            // Bytes of the database's own code page would be converted under another collation.
            if at % 2 == 1 && collation != source.collation {
                continue;
            }
            if rows.first().and_then(|r| answer::bytes(r, at)) != Some(&*bytes) {
                let what =
                    format!("{form} under {collation} (code page {}) comes back otherwise", page.name());
                return Err(SourceError::Converted { id: source.id.clone(), what });
            }
        }
    }
    Ok(())
}

/// What keeps a statement to one processor, where the server knows it.
pub(super) async fn hint(
    session: &mut Session,
    settings: &SourceSettings,
    facts: &mut Vec<(String, String)>,
) -> Result<&'static str, SourceError> {
    const HINT: &str = " OPTION (MAXDOP 1)";
    let portable = settings.server.as_ref().is_some_and(|s| s.portable);
    let probed = if portable { None } else { Some(ask(session, &format!("SELECT 1 AS x{HINT}")).await) };
    match probed {
        Some(Ok(_)) => Ok(HINT),
        Some(Err(Error::Server(_))) | None => {
            facts.push(("without MAXDOP".to_owned(), phrase!("doctor.fact_maxdop")));
            Ok("")
        }
        Some(Err(e)) => Err(failed(&settings.id, phrase!("source.probing"))(e)),
    }
}

/// Sessions that wait for a lock of one of ours; 0 where the login may not see them.
pub(super) async fn waiting_for_us(source: &Inner) -> Result<i64, SourceError> {
    let sql = "SELECT COUNT_BIG(*) FROM sys.dm_exec_requests AS r
      JOIN sys.dm_exec_sessions AS s ON s.session_id = r.blocking_session_id
      WHERE s.program_name = N'qianyi' AND r.blocking_session_id <> 0";
    let rows = source.probe(sql).await?;
    Ok(rows.and_then(|rows| rows.first().and_then(|r| answer::int(r, 0))).unwrap_or(0))
}
