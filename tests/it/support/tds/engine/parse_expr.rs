//! Parses expressions and conditions.
//!
//! Always: SQL Server's precedence: `~`, then `* / %`, then `+ - & ^ |`, comparison, NOT, AND, OR and its likes.

use super::super::value::SqlError;
use super::ast::{Expr, Over};
use super::error::near;
use super::lex::Token;
use super::parser::{Parser, keyword, reserved};

/// Functions that are written without brackets.
const BARE: [&str; 5] = ["CURRENT_USER", "CURRENT_TIMESTAMP", "SYSTEM_USER", "SESSION_USER", "USER"];

impl Parser {
    /// A condition or a value.
    pub fn expr(&mut self) -> Result<Expr, SqlError> {
        let mut left = self.conjunction()?;
        while self.take("OR") {
            left = Expr::Or(Box::new(left), Box::new(self.conjunction()?));
        }
        Ok(left)
    }

    fn conjunction(&mut self) -> Result<Expr, SqlError> {
        let mut left = self.negation()?;
        while self.take("AND") {
            left = Expr::And(Box::new(left), Box::new(self.negation()?));
        }
        Ok(left)
    }

    fn negation(&mut self) -> Result<Expr, SqlError> {
        if self.take("NOT") {
            return Ok(Expr::Not(Box::new(self.negation()?)));
        }
        if self.is_word("EXISTS") {
            self.next();
            self.need_mark("(")?;
            let query = self.query()?;
            self.need_mark(")")?;
            return Ok(Expr::Exists(Box::new(query)));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Expr, SqlError> {
        let left = self.sum()?;
        if let Token::Mark(mark) = self.peek() {
            let op = match *mark {
                "=" | "<>" | "<" | "<=" | ">" | ">=" => *mark,
                "!=" => "<>",
                "!<" => ">=",
                "!>" => "<=",
                _ => return Ok(left),
            };
            self.next();
            return Ok(Expr::Compare(op, Box::new(left), Box::new(self.sum()?)));
        }
        if self.take("IS") {
            let negated = self.take("NOT");
            self.need("NULL")?;
            return Ok(Expr::IsNull(Box::new(left), negated));
        }
        let place = self.place();
        let negated = self.take("NOT");
        if self.take("IN") {
            self.need_mark("(")?;
            let found = if self.is_word("SELECT") {
                Expr::InQuery(Box::new(left), Box::new(self.query()?), negated)
            } else {
                Expr::InList(Box::new(left), self.list(Self::sum)?, negated)
            };
            self.need_mark(")")?;
            return Ok(found);
        }
        if self.take("BETWEEN") {
            let low = self.sum()?;
            self.need("AND")?;
            return Ok(Expr::Between(Box::new(left), Box::new(low), Box::new(self.sum()?), negated));
        }
        if self.take("LIKE") {
            let pattern = Box::new(self.sum()?);
            let escape = if self.take("ESCAPE") { Some(Box::new(self.sum()?)) } else { None };
            return Ok(Expr::Like(Box::new(left), pattern, escape, negated));
        }
        self.back_to(place);
        Ok(left)
    }

    fn sum(&mut self) -> Result<Expr, SqlError> {
        let mut left = self.product()?;
        loop {
            let op = match self.peek() {
                Token::Mark("+") => '+',
                Token::Mark("-") => '-',
                Token::Mark("&") => '&',
                Token::Mark("|") => '|',
                Token::Mark("^") => '^',
                _ => return Ok(left),
            };
            self.next();
            left = Expr::Arithmetic(op, Box::new(left), Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Result<Expr, SqlError> {
        let mut left = self.unary()?;
        loop {
            let op = match self.peek() {
                Token::Mark("*") => '*',
                Token::Mark("/") => '/',
                Token::Mark("%") => '%',
                _ => return Ok(left),
            };
            self.next();
            left = Expr::Arithmetic(op, Box::new(left), Box::new(self.unary()?));
        }
    }

    fn unary(&mut self) -> Result<Expr, SqlError> {
        if self.take_mark("-") {
            return Ok(Expr::Negative(Box::new(self.unary()?)));
        }
        if self.take_mark("+") {
            return self.unary();
        }
        if self.take_mark("~") {
            return Ok(Expr::Inverse(Box::new(self.unary()?)));
        }
        let mut value = self.primary()?;
        while self.take("COLLATE") {
            value = Expr::Collate(Box::new(value), self.name()?);
        }
        Ok(value)
    }

    fn primary(&mut self) -> Result<Expr, SqlError> {
        match self.peek().clone() {
            Token::Number(text) => self.literal(Expr::Number(text)),
            Token::Float(text) => {
                let n = text.parse().map_err(|_| near(&text))?;
                self.literal(Expr::Float(n))
            }
            Token::Money(text) => self.literal(Expr::Money(text)),
            Token::Text(text) => self.literal(Expr::Text(text)),
            Token::National(text) => self.literal(Expr::National(text)),
            Token::Hex(bytes) => self.literal(Expr::Hex(bytes)),
            Token::Variable(name) if name.starts_with("@@") => {
                self.literal(Expr::Global(name.to_uppercase()))
            }
            Token::Mark("(") => {
                self.next();
                let inner =
                    if self.is_word("SELECT") { Expr::Scalar(Box::new(self.query()?)) } else { self.expr()? };
                self.need_mark(")")?;
                Ok(inner)
            }
            Token::Word(word) => self.word(&word),
            Token::Quoted(_) => self.named(),
            _ => Err(self.unexpected()),
        }
    }

    fn literal(&mut self, value: Expr) -> Result<Expr, SqlError> {
        self.next();
        Ok(value)
    }

    fn word(&mut self, word: &str) -> Result<Expr, SqlError> {
        let upper = word.to_uppercase();
        let called = matches!(self.ahead(1), Token::Mark("("));
        match upper.as_str() {
            "NULL" => self.literal(Expr::Null),
            "CASE" => self.case(),
            "CAST" | "TRY_CAST" if called => self.cast(upper == "TRY_CAST"),
            "CONVERT" | "TRY_CONVERT" if called => self.convert(upper == "TRY_CONVERT"),
            _ if called && (!reserved(&upper) || matches!(upper.as_str(), "LEFT" | "RIGHT")) => {
                self.call(&upper)
            }
            _ if BARE.contains(&upper.as_str()) => {
                self.next();
                Ok(Expr::Call { name: upper, arguments: vec![], distinct: false, star: false, over: None })
            }
            _ if reserved(&upper) => Err(keyword(word)),
            _ => self.named(),
        }
    }

    fn named(&mut self) -> Result<Expr, SqlError> {
        Ok(Expr::Name(self.path()?))
    }

    fn case(&mut self) -> Result<Expr, SqlError> {
        self.next();
        let operand = if self.is_word("WHEN") { None } else { Some(Box::new(self.expr()?)) };
        let mut arms = Vec::new();
        while self.take("WHEN") {
            let when = self.expr()?;
            self.need("THEN")?;
            arms.push((when, self.expr()?));
        }
        let other = if self.take("ELSE") { Some(Box::new(self.expr()?)) } else { None };
        self.need("END")?;
        if arms.is_empty() {
            return Err(keyword("END"));
        }
        Ok(Expr::Case { operand, arms, other })
    }

    fn cast(&mut self, attempt: bool) -> Result<Expr, SqlError> {
        self.next();
        self.need_mark("(")?;
        let value = Box::new(self.expr()?);
        self.need("AS")?;
        let to = self.kind()?;
        self.need_mark(")")?;
        Ok(Expr::Cast { value, to, style: None, attempt })
    }

    fn convert(&mut self, attempt: bool) -> Result<Expr, SqlError> {
        self.next();
        self.need_mark("(")?;
        let to = self.kind()?;
        self.need_mark(",")?;
        let value = Box::new(self.expr()?);
        let style = if self.take_mark(",") { Some(Box::new(self.expr()?)) } else { None };
        self.need_mark(")")?;
        Ok(Expr::Cast { value, to, style, attempt })
    }

    fn call(&mut self, name: &str) -> Result<Expr, SqlError> {
        self.next();
        self.need_mark("(")?;
        let star = self.take_mark("*");
        let distinct = !star && self.take("DISTINCT");
        let arguments = if star || self.is_mark(")") { Vec::new() } else { self.list(Self::expr)? };
        self.need_mark(")")?;
        let over = if self.take("OVER") { Some(self.over()?) } else { None };
        Ok(Expr::Call { name: name.to_owned(), arguments, distinct, star, over })
    }

    fn over(&mut self) -> Result<Over, SqlError> {
        self.need_mark("(")?;
        let partition = if self.take("PARTITION BY") { self.list(Self::expr)? } else { Vec::new() };
        let order = if self.take("ORDER BY") { self.list(Self::ordered)? } else { Vec::new() };
        self.need_mark(")")?;
        Ok(Over { partition, order })
    }

    /// An expression to sort by; the flag: descending.
    pub fn ordered(&mut self) -> Result<(Expr, bool), SqlError> {
        let value = self.expr()?;
        let descending = self.take("DESC");
        if !descending {
            self.take("ASC");
        }
        Ok((value, descending))
    }
}
