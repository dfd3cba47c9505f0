//! A backend whose answers a test writes down beforehand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::support::tds::value::{
    Answer, Backend, Collation, Datum, ResultColumn, Session, SqlError, SqlType,
};

pub type Answers = Vec<Result<Answer, SqlError>>;
type Script = Box<dyn Fn() -> Answers + Send + Sync>;

#[derive(Default)]
pub struct Fake {
    scripts: Mutex<HashMap<String, Arc<Script>>>,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    pub fn on(&self, batch: &str, script: impl Fn() -> Answers + Send + Sync + 'static) {
        self.scripts.lock().unwrap().insert(batch.to_owned(), Arc::new(Box::new(script)));
    }

    /// Every batch so far.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

impl Backend for Fake {
    fn login(
        &self,
        user: &str,
        password: &str,
        database: &str,
        _application: &str,
    ) -> Result<Box<dyn Session>, SqlError> {
        if (user, password) != ("sa", "Pa55'wörd") {
            let message = format!("Login failed for user '{user}'.");
            return Err(SqlError { number: 18456, state: 1, class: 14, message });
        }
        let scripts = self.scripts.lock().unwrap().clone();
        Ok(Box::new(FakeSession { scripts, heard: self.heard.clone(), database: database.to_owned() }))
    }
}

struct FakeSession {
    scripts: HashMap<String, Arc<Script>>,
    heard: Arc<Mutex<Vec<String>>>,
    database: String,
}

impl Session for FakeSession {
    fn run(&mut self, batch: &str, answer: &mut dyn FnMut(Result<Answer, SqlError>)) {
        self.heard.lock().unwrap().push(batch.to_owned());
        if let Some(database) = batch.strip_prefix("USE ") {
            self.database = database.to_owned();
            answer(Ok(Answer::Done(0)));
        } else if let Some(count) = batch.strip_prefix("ROWS ") {
            answer(Ok(numbers(count.parse().unwrap())));
        } else if let Some(script) = self.scripts.get(batch) {
            script().into_iter().for_each(answer);
        } else {
            answer(Ok(Answer::Done(1)));
        }
    }

    fn database(&self) -> String {
        self.database.clone()
    }
}

pub fn prc() -> Collation {
    Collation { name: "Chinese_PRC_CI_AS".into(), code_page: 936 }
}

pub fn column(name: &str, kind: SqlType, nullable: bool) -> ResultColumn {
    ResultColumn { name: name.into(), kind, nullable }
}

pub fn utf16(text: &str) -> Datum {
    Datum::Utf16(text.encode_utf16().collect())
}

/// Rows of `id` and `text`, the id's digits.
pub fn numbers(count: i64) -> Answer {
    let text = SqlType::NVarChar { chars: Some(20), collation: prc() };
    let columns = vec![column("id", SqlType::Int, false), column("text", text, true)];
    let rows = (0..count).map(|n| vec![Datum::Int(n), utf16(&n.to_string())]).collect();
    Answer::Rows { columns, rows }
}

pub fn error(number: u32, class: u8, message: &str) -> SqlError {
    SqlError { number, state: 1, class, message: message.into() }
}
