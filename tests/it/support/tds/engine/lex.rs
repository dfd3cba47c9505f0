//! Splits a T-SQL batch into tokens.
//!
//! Always: comments and space are gone; a literal carries its value exactly as written (no float in between).

use super::super::value::SqlError;
use super::error::{fail, near};

#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    /// A bare word: keyword or name.
    Word(String),
    /// `[name]` or `"name"`.
    Quoted(String),
    Text(String),
    National(String),
    Hex(Vec<u8>),
    /// Digits with or without a point.
    Number(String),
    /// With an exponent.
    Float(String),
    Money(String),
    /// `@@NAME` or `@name`, with its signs.
    Variable(String),
    /// One of the operators and marks.
    Mark(&'static str),
    End,
}

impl Token {
    /// How the token reads in an error.
    pub fn shown(&self) -> String {
        match self {
            Self::Word(text) | Self::Quoted(text) | Self::Text(text) | Self::National(text) => text.clone(),
            Self::Number(text) | Self::Float(text) | Self::Money(text) | Self::Variable(text) => text.clone(),
            Self::Hex(bytes) => format!("0x{}", hex(bytes)),
            Self::Mark(mark) => (*mark).to_owned(),
            Self::End => "end of file".to_owned(),
        }
    }
}

/// Bytes as upper-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
    text
}

/// Hex digits as bytes; an odd first digit stands alone, as in `0x1`.
pub fn unhex(digits: &str) -> Option<Vec<u8>> {
    let padded = if digits.len() % 2 == 1 { format!("0{digits}") } else { digits.to_owned() };
    if !padded.is_ascii() {
        return None;
    }
    (0..padded.len()).step_by(2).map(|at| u8::from_str_radix(&padded[at..at + 2], 16).ok()).collect()
}

/// Longest first, so that `<=` is not read as `<`.
const MARKS: [&str; 27] = [
    "<>", "<=", ">=", "!=", "!<", "!>", "+=", "-=", "::", "(", ")", ",", ";", ".", "+", "-", "*", "/", "%",
    "=", "<", ">", "&", "|", "^", "~", ":",
];

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

/// The tokens of a batch, ended by [`Token::End`].
pub fn tokens(text: &str) -> Result<Vec<Token>, SqlError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut found = Vec::new();
    loop {
        lexer.skip()?;
        if lexer.rest().is_empty() {
            found.push(Token::End);
            return Ok(found);
        }
        found.push(lexer.token()?);
    }
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn skip(&mut self) -> Result<(), SqlError> {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\0').len();
            if blank > 0 {
                self.at += blank;
            } else if rest.starts_with("--") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                self.comment()?;
            } else {
                return Ok(());
            }
        }
    }

    /// A block comment; they nest.
    fn comment(&mut self) -> Result<(), SqlError> {
        let mut depth = 0;
        loop {
            if self.rest().starts_with("/*") {
                depth += 1;
                self.at += 2;
            } else if self.rest().starts_with("*/") {
                depth -= 1;
                self.at += 2;
                if depth == 0 {
                    return Ok(());
                }
            } else {
                let Some(next) = self.rest().chars().next() else {
                    return Err(fail(113, "Missing end comment mark '*/'."));
                };
                self.at += next.len_utf8();
            }
        }
    }

    fn token(&mut self) -> Result<Token, SqlError> {
        let rest = self.rest();
        let mut chars = rest.chars();
        let (first, second) = (chars.next().unwrap_or(' '), chars.next().unwrap_or(' '));
        match first {
            '\'' => Ok(Token::Text(self.enclosed('\'')?)),
            'N' | 'n' if second == '\'' => {
                self.at += 1;
                Ok(Token::National(self.enclosed('\'')?))
            }
            '[' => Ok(Token::Quoted(self.enclosed(']')?)),
            '"' => Ok(Token::Quoted(self.enclosed('"')?)),
            '0' if second == 'x' || second == 'X' => {
                self.at += 2;
                let digits = self.run(|c| c.is_ascii_hexdigit());
                unhex(&digits).map(Token::Hex).ok_or_else(|| near(&digits))
            }
            '0'..='9' => Ok(self.number()),
            '.' if second.is_ascii_digit() => Ok(self.number()),
            '$' => {
                self.at += 1;
                match self.number() {
                    Token::Number(text) if !text.is_empty() => Ok(Token::Money(text)),
                    _ => Err(near("$")),
                }
            }
            '@' => Ok(Token::Variable(self.run(|c| c == '@' || word(c)))),
            c if c.is_alphabetic() || c == '_' || c == '#' => Ok(Token::Word(self.run(word))),
            _ => match MARKS.iter().find(|mark| rest.starts_with(**mark)) {
                Some(mark) => {
                    self.at += mark.len();
                    Ok(Token::Mark(mark))
                }
                None => Err(near(&first.to_string())),
            },
        }
    }

    fn run(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let rest = self.rest();
        let run = rest[..rest.find(|c| !belongs(c)).unwrap_or(rest.len())].to_owned();
        self.at += run.len();
        run
    }

    /// What stands between quotes; the closing one doubled stands for itself.
    fn enclosed(&mut self, close: char) -> Result<String, SqlError> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let Some(end) = self.rest().find(close) else {
                let message = "Unclosed quotation mark after the character string.";
                return Err(SqlError { class: 15, ..fail(105, message) });
            };
            text.push_str(&self.rest()[..end]);
            self.at += end + 1;
            if !self.rest().starts_with(close) {
                return Ok(text);
            }
            text.push(close);
            self.at += 1;
        }
    }

    fn number(&mut self) -> Token {
        let mut text = self.run(|c| c.is_ascii_digit());
        if self.rest().starts_with('.') {
            self.at += 1;
            text.push('.');
            text.push_str(&self.run(|c| c.is_ascii_digit()));
        }
        if !self.rest().starts_with(['e', 'E']) {
            return Token::Number(text);
        }
        self.at += 1;
        text.push('e');
        if self.rest().starts_with(['+', '-']) {
            text.push_str(if self.rest().starts_with('-') { "-" } else { "+" });
            self.at += 1;
        }
        let exponent = self.run(|c| c.is_ascii_digit());
        text.push_str(if exponent.is_empty() { "0" } else { &exponent });
        Token::Float(text)
    }
}

fn word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '#' | '$' | '@')
}
