//! The reply to one batch: answers become tokens, and faults that concern tokens strike.
//!
//! Always: a statement's DONE is held back until it is known whether another follows; only whole tokens are written, so that a
//! reply can end after any of them.

use tds_protocol::packet::PacketType;
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;

use super::super::value::{Answer, Datum, ResultColumn, SqlError};
use super::faults::{Fault, Faults};
use super::packet::{Message, PacketWriter, Stop};
use super::token::{self, COMMAND_SELECT, End};
use super::types;

/// From this class on, an error ends the connection.
const FATAL: u8 = 20;

/// How the request came, which decides how statements end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Batch,
    Call,
}

/// How a reply stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    Going,
    /// Nothing more is to be said; the message waits for its end.
    Ended,
    /// As `Ended`, and the connection is to be closed then.
    Fatal,
    /// The client has sent an attention.
    Attention,
}

/// What a reply needs of its connection.
pub struct Line<'a, W> {
    pub writer: &'a mut PacketWriter,
    pub wire: &'a mut W,
    pub inbox: &'a mut mpsc::Receiver<Message>,
    pub faults: &'a Faults,
    pub server_name: &'a str,
}

pub struct Reply {
    style: Style,
    fault: Option<Fault>,
    held: Option<End>,
    failure: Option<u32>,
    rows: u64,
    done: bool,
}

impl Reply {
    pub fn new(style: Style) -> Self {
        Self { style, fault: None, held: None, failure: None, rows: 0, done: true }
    }

    /// The fault that strikes this reply.
    pub fn set_fault(&mut self, fault: Option<Fault>) {
        self.fault = fault;
    }

    /// Tells the client that the batch has changed the database.
    pub fn put_database<W>(&mut self, line: &mut Line<'_, W>, new: &str, old: &str) {
        if self.done {
            token::put_database(&mut line.writer.tokens, new, old, line.server_name);
        }
    }

    /// Sends one answer as far as it fills packets.
    pub async fn answer<W: AsyncWrite + Unpin>(
        &mut self,
        line: &mut Line<'_, W>,
        answer: Result<Answer, SqlError>,
    ) -> Result<Progress, Stop> {
        self.release(line, true);
        match answer {
            Ok(Answer::Rows { columns, rows }) => self.rows(line, &columns, rows).await,
            Ok(Answer::Done(rows)) => {
                if self.fault == Some(Fault::UnknownType) {
                    self.columns(line, &[]);
                }
                self.hold(0, rows);
                Ok(Progress::Going)
            }
            Err(error) => Ok(self.error(line, &error)),
        }
    }

    async fn rows<W: AsyncWrite + Unpin>(
        &mut self,
        line: &mut Line<'_, W>,
        columns: &[ResultColumn],
        rows: Vec<Vec<Datum>>,
    ) -> Result<Progress, Stop> {
        self.columns(line, columns);
        let count = rows.len() as u64;
        for row in rows {
            match self.row_fault(line, columns, &row) {
                Progress::Going => {}
                other => return Ok(other),
            }
            let start = line.writer.tokens.len();
            if let Err(why) = types::put_row(&mut line.writer.tokens, columns, &row) {
                line.writer.tokens.truncate(start);
                let message = format!("The backend of the test server is at fault: {why}");
                return Ok(self.error(line, &SqlError { number: 50_000, state: 1, class: FATAL, message }));
            }
            self.rows += 1;
            if line.writer.is_full() {
                line.writer.send_full(line.wire).await?;
                match line.inbox.try_recv() {
                    Err(mpsc::error::TryRecvError::Empty) => {}
                    Ok(Message { kind: PacketType::Attention, .. }) => {
                        return Ok(Progress::Attention);
                    }
                    // A request within a reply, or a client that has closed.
                    _ => return Err(Stop::Close),
                }
            }
        }
        self.hold(COMMAND_SELECT, count);
        Ok(Progress::Going)
    }

    fn columns<W>(&mut self, line: &mut Line<'_, W>, columns: &[ResultColumn]) {
        let start = line.writer.tokens.len();
        if self.fault.take_if(|fault| *fault == Fault::UnknownType).is_none() {
            types::put_columns(&mut line.writer.tokens, columns);
            return;
        }
        line.faults.count();
        if columns.is_empty() {
            // A statement without a result gets one.
            let kind = super::super::value::SqlType::Int;
            let made_up = ResultColumn { name: String::new(), kind, nullable: true };
            types::put_columns(&mut line.writer.tokens, &[made_up]);
        } else {
            types::put_columns(&mut line.writer.tokens, columns);
        }
        line.writer.tokens[start + types::FIRST_TYPE] = types::UNKNOWN_TYPE;
    }

    /// What is due before the next row.
    fn row_fault<W>(&mut self, line: &mut Line<'_, W>, columns: &[ResultColumn], row: &[Datum]) -> Progress {
        match &self.fault {
            Some(Fault::ShortRow { row: at }) if *at == self.rows => {
                // A row that cannot be encoded would not be sent either way.
                let _ = types::put_row(&mut line.writer.tokens, columns, row);
                let kept = line.writer.tokens.len().saturating_sub(1);
                line.writer.tokens.truncate(kept);
                self.done = false;
                line.faults.count();
                Progress::Fatal
            }
            Some(
                Fault::ErrorToken { after_rows, .. }
                | Fault::GarbageToken { after_rows }
                | Fault::EndWithoutDone { after_rows },
            ) if *after_rows == self.rows => self.strike(line),
            _ => Progress::Going,
        }
    }

    /// Lets a fault that waits for rows strike now.
    fn strike<W>(&mut self, line: &mut Line<'_, W>) -> Progress {
        match self.fault.take() {
            Some(Fault::ErrorToken { number, class, state, message, .. }) => {
                line.faults.count();
                self.error(line, &SqlError { number, state, class, message })
            }
            Some(Fault::GarbageToken { .. }) => {
                line.faults.count();
                line.writer.tokens.extend_from_slice(&[token::GARBAGE]);
                Progress::Ended
            }
            Some(Fault::EndWithoutDone { .. }) => {
                line.faults.count();
                self.done = false;
                Progress::Ended
            }
            _ => Progress::Going,
        }
    }

    /// An error ends its statement, and the batch.
    pub fn error<W>(&mut self, line: &mut Line<'_, W>, error: &SqlError) -> Progress {
        self.release(line, true);
        token::put_error(&mut line.writer.tokens, error, line.server_name);
        self.failure = Some(error.number);
        self.held = Some(End::failed());
        if error.class >= FATAL { Progress::Fatal } else { Progress::Ended }
    }

    fn hold(&mut self, command: u16, rows: u64) {
        let mut end = End { command, rows, ..End::default() };
        end.status.count = true;
        self.held = Some(end);
    }

    fn release<W>(&mut self, line: &mut Line<'_, W>, more: bool) {
        if let Some(mut end) = self.held.take() {
            end.status.more = more;
            match self.style {
                Style::Batch => end.put_done(&mut line.writer.tokens),
                Style::Call => end.put_done_in_proc(&mut line.writer.tokens),
            }
        }
    }

    /// Ends the message: the last DONE, or the acknowledgement of an attention.
    pub async fn finish<W: AsyncWrite + Unpin>(
        mut self,
        line: &mut Line<'_, W>,
        progress: Progress,
    ) -> Result<(), Stop> {
        let mut progress = progress;
        if progress == Progress::Going {
            // The reply was too short for what waited for more rows.
            progress = self.strike(line);
        }
        if progress == Progress::Attention {
            End::attention().put_done(&mut line.writer.tokens);
        } else if self.done {
            self.end(line);
        }
        line.writer.finish(line.wire).await?;
        line.writer.end_reply();
        if progress == Progress::Fatal { Err(Stop::Close) } else { Ok(()) }
    }

    fn end<W>(&mut self, line: &mut Line<'_, W>) {
        match self.style {
            Style::Batch => {
                self.held.get_or_insert_default();
                self.release(line, false);
            }
            Style::Call => {
                self.release(line, true);
                token::put_return_status(&mut line.writer.tokens, self.failure.unwrap_or(0));
                let last = if self.failure.is_some() { End::failed() } else { End::default() };
                last.put_done_proc(&mut line.writer.tokens);
            }
        }
    }
}
