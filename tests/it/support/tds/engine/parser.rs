//! The parser's hands: looking at tokens, taking them, names and lists.
//!
//! Always: a token that nothing expects is error 102, never skipped.

use super::super::value::SqlError;
use super::error::near;
use super::lex::{self, Token};
use super::types::Written;

pub struct Parser {
    tokens: Vec<Token>,
    at: usize,
    /// An engine that acts like a server without OPTION clauses refuses them here.
    pub no_option_clause: bool,
}

impl Parser {
    pub fn new(text: &str) -> Result<Self, SqlError> {
        Ok(Self { tokens: lex::tokens(text)?, at: 0, no_option_clause: false })
    }

    pub fn peek(&self) -> &Token {
        self.ahead(0)
    }

    pub fn ahead(&self, steps: usize) -> &Token {
        self.tokens.get(self.at + steps).unwrap_or(&Token::End)
    }

    pub fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    pub fn place(&self) -> usize {
        self.at
    }

    pub fn back_to(&mut self, place: usize) {
        self.at = place;
    }

    /// The error that the token here causes.
    pub fn unexpected(&self) -> SqlError {
        near(&self.peek().shown())
    }

    pub fn is_word(&self, word: &str) -> bool {
        self.is_word_ahead(0, word)
    }

    pub fn is_word_ahead(&self, steps: usize, word: &str) -> bool {
        matches!(self.ahead(steps), Token::Word(found) if found.eq_ignore_ascii_case(word))
    }

    /// Takes the words if all of them stand here.
    pub fn take(&mut self, words: &str) -> bool {
        let all = words.split(' ').enumerate().all(|(steps, word)| self.is_word_ahead(steps, word));
        if all {
            self.at += words.split(' ').count();
        }
        all
    }

    pub fn need(&mut self, words: &str) -> Result<(), SqlError> {
        if self.take(words) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub fn is_mark(&self, mark: &str) -> bool {
        matches!(self.peek(), Token::Mark(found) if *found == mark)
    }

    pub fn take_mark(&mut self, mark: &str) -> bool {
        let found = self.is_mark(mark);
        self.at += usize::from(found);
        found
    }

    pub fn need_mark(&mut self, mark: &str) -> Result<(), SqlError> {
        if self.take_mark(mark) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// A name in any quoting; a keyword is none.
    pub fn name(&mut self) -> Result<String, SqlError> {
        match self.peek() {
            Token::Quoted(name) => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            Token::Word(name) if !reserved(name) => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            Token::Word(name) => Err(keyword(name)),
            _ => Err(self.unexpected()),
        }
    }

    /// `a.b.c`, also `a..c`.
    pub fn path(&mut self) -> Result<Vec<String>, SqlError> {
        let mut parts = vec![self.name()?];
        while self.take_mark(".") {
            if self.is_mark(".") {
                parts.push(String::new());
            } else {
                parts.push(self.name()?);
            }
        }
        Ok(parts)
    }

    /// One or more of something, with commas between.
    pub fn list<T>(&mut self, one: impl Fn(&mut Self) -> Result<T, SqlError>) -> Result<Vec<T>, SqlError> {
        let mut all = vec![one(self)?];
        while self.take_mark(",") {
            all.push(one(self)?);
        }
        Ok(all)
    }

    pub fn in_brackets<T>(
        &mut self,
        one: impl Fn(&mut Self) -> Result<T, SqlError>,
    ) -> Result<Vec<T>, SqlError> {
        self.need_mark("(")?;
        let all = self.list(one)?;
        self.need_mark(")")?;
        Ok(all)
    }

    pub fn integer(&mut self) -> Result<i64, SqlError> {
        let negative = self.take_mark("-");
        match self.next() {
            Token::Number(text) => match text.parse::<i64>() {
                Ok(n) => Ok(if negative { -n } else { n }),
                Err(_) => Err(near(&text)),
            },
            token => Err(near(&token.shown())),
        }
    }

    /// Text in either kind of quotes.
    pub fn text(&mut self) -> Result<String, SqlError> {
        match self.next() {
            Token::Text(text) | Token::National(text) => Ok(text),
            token => Err(near(&token.shown())),
        }
    }

    /// `nvarchar(20)`, `decimal(38, 2)`, `varchar(max)`.
    pub fn kind(&mut self) -> Result<Written, SqlError> {
        let mut name = self.name()?;
        if self.take_mark(".") {
            // `sys.int`
            name = self.name()?;
        }
        if name.eq_ignore_ascii_case("double") && self.take("precision") {
            name = "float".to_owned();
        }
        let mut sizes = Vec::new();
        if self.is_mark("(") {
            sizes = self.in_brackets(|parser| {
                if parser.take("max") {
                    return Ok(None);
                }
                let size = parser.integer()?;
                u32::try_from(size).map(Some).map_err(|_| near(&size.to_string()))
            })?;
        }
        Ok(Written { name, sizes })
    }
}

/// 156: a keyword where none may stand.
pub fn keyword(word: &str) -> SqlError {
    let message = format!("Incorrect syntax near the keyword '{}'.", word.to_lowercase());
    SqlError { class: 15, ..super::error::fail(156, message) }
}

/// The reserved words that this engine could take for a name.
const RESERVED: [&str; 78] = [
    "ADD",
    "ALL",
    "ALTER",
    "AND",
    "AS",
    "ASC",
    "BEGIN",
    "BETWEEN",
    "BY",
    "CASE",
    "CHECK",
    "CLUSTERED",
    "COLLATE",
    "COLUMN",
    "COMMIT",
    "CONSTRAINT",
    "CREATE",
    "CROSS",
    "DATABASE",
    "DECLARE",
    "DEFAULT",
    "DELETE",
    "DENY",
    "DESC",
    "DISTINCT",
    "DROP",
    "ELSE",
    "END",
    "ESCAPE",
    "EXCEPT",
    "EXEC",
    "EXECUTE",
    "EXISTS",
    "FETCH",
    "FOR",
    "FOREIGN",
    "FROM",
    "FULL",
    "FUNCTION",
    "GRANT",
    "GROUP",
    "HAVING",
    "IF",
    "IN",
    "INDEX",
    "INNER",
    "INSERT",
    "INTERSECT",
    "INTO",
    "IS",
    "JOIN",
    "KEY",
    "LEFT",
    "LIKE",
    "MERGE",
    "NONCLUSTERED",
    "NOT",
    "NULL",
    "ON",
    "OPTION",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PRIMARY",
    "PROCEDURE",
    "REVOKE",
    "RIGHT",
    "ROLLBACK",
    "SELECT",
    "SET",
    "TABLE",
    "THEN",
    "TOP",
    "UNION",
    "UNIQUE",
    "WHEN",
    "WHERE",
];

/// The rest of the reserved words, which never begin anything here.
const ALSO_RESERVED: [&str; 16] = [
    "UPDATE",
    "USE",
    "USER",
    "VALUES",
    "VIEW",
    "WAITFOR",
    "WHILE",
    "WITH",
    "TRUNCATE",
    "TABLESAMPLE",
    "TO",
    "TRAN",
    "TRANSACTION",
    "TRIGGER",
    "PIVOT",
    "REFERENCES",
];

pub fn reserved(word: &str) -> bool {
    RESERVED.iter().chain(&ALSO_RESERVED).any(|keyword| keyword.eq_ignore_ascii_case(word))
}
