//! Parses SELECT, and the statements that change rows.
//!
//! Always: hints that cannot change an answer (NOLOCK, MAXDOP) are read and dropped; unknown ones are errors.

use super::super::value::SqlError;
use super::ast::{Expr, From, Item, Join, Query, Rows, Source, Statement};
use super::error::{fail, near};
use super::lex::Token;
use super::parser::{Parser, reserved};

const TABLE_HINTS: [&str; 11] = [
    "NOLOCK",
    "READUNCOMMITTED",
    "READCOMMITTED",
    "READPAST",
    "TABLOCK",
    "TABLOCKX",
    "HOLDLOCK",
    "UPDLOCK",
    "ROWLOCK",
    "XLOCK",
    "NOWAIT",
];

impl Parser {
    /// A whole SELECT with ORDER BY.
    pub fn query(&mut self) -> Result<Query, SqlError> {
        let mut query = self.select()?;
        while self.take("UNION") {
            self.need("ALL")?;
            query.more.push(self.select()?);
        }
        if self.take("ORDER BY") {
            query.order = self.list(Self::ordered)?;
            if self.take("OFFSET") {
                query.offset = Some(Box::new(self.expr()?));
                if !self.take("ROWS") {
                    self.need("ROW")?;
                }
                if self.take("FETCH NEXT") || self.take("FETCH FIRST") {
                    query.fetch = Some(Box::new(self.expr()?));
                    if !self.take("ROWS") {
                        self.need("ROW")?;
                    }
                    self.need("ONLY")?;
                }
            }
        }
        Ok(query)
    }

    fn select(&mut self) -> Result<Query, SqlError> {
        self.need("SELECT")?;
        let mut query = Query { distinct: self.take("DISTINCT"), ..Query::default() };
        if !query.distinct {
            self.take("ALL");
        }
        if self.take("TOP") {
            query.top = Some(Box::new(if self.take_mark("(") {
                let count = self.expr()?;
                self.need_mark(")")?;
                count
            } else {
                Expr::Number(self.integer()?.to_string())
            }));
            if self.is_word("PERCENT") || self.is_word("WITH") {
                return Err(self.unexpected());
            }
        }
        query.items = self.list(Self::item)?;
        if self.take("FROM") {
            query.from = self.tables()?;
        }
        if self.take("WHERE") {
            query.filter = Some(Box::new(self.expr()?));
        }
        if self.take("GROUP BY") {
            query.group = self.list(Self::expr)?;
        }
        if self.take("HAVING") {
            query.having = Some(Box::new(self.expr()?));
        }
        Ok(query)
    }

    fn item(&mut self) -> Result<Item, SqlError> {
        if self.take_mark("*") {
            return Ok(Item::All(None));
        }
        if matches!((self.ahead(1), self.ahead(2)), (Token::Mark("."), Token::Mark("*"))) {
            let table = self.name()?;
            self.next();
            self.next();
            return Ok(Item::All(Some(table)));
        }
        // The old form: alias = expression.
        if matches!(self.ahead(1), Token::Mark("="))
            && matches!(self.peek(), Token::Word(_) | Token::Quoted(_))
        {
            let alias = self.name()?;
            self.next();
            return Ok(Item::Expr(self.expr()?, Some(alias)));
        }
        let value = self.expr()?;
        if self.take("AS") {
            let alias = match self.peek() {
                Token::Text(_) | Token::National(_) => self.text()?,
                _ => self.name()?,
            };
            return Ok(Item::Expr(value, Some(alias)));
        }
        let alias = self.bare_alias()?;
        Ok(Item::Expr(value, alias))
    }

    /// An alias without AS, if one stands here.
    fn bare_alias(&mut self) -> Result<Option<String>, SqlError> {
        match self.peek() {
            Token::Quoted(_) => self.name().map(Some),
            Token::Word(word) if !reserved(word) && !starts_statement(word) => self.name().map(Some),
            _ => Ok(None),
        }
    }

    fn tables(&mut self) -> Result<Vec<From>, SqlError> {
        let mut all = vec![self.table(Join::Comma)?];
        loop {
            let join = if self.take_mark(",") {
                Join::Comma
            } else if self.take("INNER JOIN") || self.take("JOIN") {
                Join::Inner
            } else if self.take("LEFT JOIN") || self.take("LEFT OUTER JOIN") {
                Join::Left
            } else if self.take("CROSS JOIN") {
                Join::Cross
            } else {
                return Ok(all);
            };
            let mut table = self.table(join)?;
            if matches!(join, Join::Inner | Join::Left) {
                self.need("ON")?;
                table.on = Some(self.expr()?);
            }
            all.push(table);
        }
    }

    fn table(&mut self, join: Join) -> Result<From, SqlError> {
        let source = if self.take_mark("(") {
            let query = self.query()?;
            self.need_mark(")")?;
            Source::Query(Box::new(query))
        } else if self.is_word("CHANGETABLE") && matches!(self.ahead(1), Token::Mark("(")) {
            self.next();
            self.next();
            self.need("CHANGES")?;
            let table = self.path()?;
            self.need_mark(",")?;
            let version = self.expr()?;
            self.need_mark(")")?;
            Source::Changes(table, Box::new(version))
        } else {
            let path = self.path()?;
            if self.is_mark("(") {
                return Err(super::error::no_object(&path.join(".")));
            }
            Source::Table(path)
        };
        let alias = if self.take("AS") { Some(self.name()?) } else { self.bare_alias()? };
        // All rows are a sample, too.
        self.sample()?;
        if self.is_word("WITH") && matches!(self.ahead(1), Token::Mark("(")) {
            self.next();
            self.in_brackets(Self::table_hint)?;
        }
        if matches!(source, Source::Query(_)) && alias.is_none() {
            return Err(self.unexpected());
        }
        Ok(From { join, source, alias, on: None })
    }

    fn sample(&mut self) -> Result<(), SqlError> {
        if !self.take("TABLESAMPLE") {
            return Ok(());
        }
        self.take("SYSTEM");
        self.need_mark("(")?;
        self.expr()?;
        if !self.take("PERCENT") {
            self.need("ROWS")?;
        }
        self.need_mark(")")?;
        if self.take("REPEATABLE") {
            self.in_brackets(Self::integer)?;
        }
        Ok(())
    }

    fn table_hint(&mut self) -> Result<(), SqlError> {
        match self.next() {
            Token::Word(hint) if TABLE_HINTS.iter().any(|known| known.eq_ignore_ascii_case(&hint)) => Ok(()),
            token => Err(fail(321, format!("\"{}\" is not a recognized table hints option.", token.shown()))),
        }
    }

    /// `OPTION (MAXDOP 1, RECOMPILE)` after a whole statement.
    pub fn options(&mut self) -> Result<(), SqlError> {
        if !self.is_word("OPTION") {
            return Ok(());
        }
        if self.no_option_clause {
            return Err(self.unexpected());
        }
        self.next();
        self.in_brackets(|parser| match parser.next() {
            Token::Word(hint) if hint.eq_ignore_ascii_case("MAXDOP") => parser.integer().map(|_| ()),
            Token::Word(hint) if hint.eq_ignore_ascii_case("RECOMPILE") => Ok(()),
            Token::Word(hint) if hint.eq_ignore_ascii_case("FAST") => parser.integer().map(|_| ()),
            token => Err(near(&token.shown())),
        })?;
        Ok(())
    }

    pub fn insert(&mut self) -> Result<Statement, SqlError> {
        self.take("INTO");
        let table = self.path()?;
        let columns = if self.is_mark("(") { self.in_brackets(Self::name)? } else { Vec::new() };
        let rows = if self.take("VALUES") {
            Rows::Values(self.list(|parser| {
                parser.in_brackets(
                    |parser| if parser.take("DEFAULT") { Ok(None) } else { parser.expr().map(Some) },
                )
            })?)
        } else if self.take("DEFAULT VALUES") {
            Rows::Values(vec![Vec::new()])
        } else {
            Rows::Query(Box::new(self.query()?))
        };
        Ok(Statement::Insert { table, columns, rows })
    }

    pub fn update(&mut self) -> Result<Statement, SqlError> {
        let target = self.path()?;
        self.need("SET")?;
        let set = self.list(|parser| {
            let mut column = parser.path()?;
            parser.need_mark("=")?;
            let value = parser.expr()?;
            Ok((column.pop().unwrap_or_default(), value))
        })?;
        let (table, alias) = self.target(target)?;
        let filter = if self.take("WHERE") { Some(self.expr()?) } else { None };
        Ok(Statement::Update { table, alias, set, filter })
    }

    pub fn delete(&mut self) -> Result<Statement, SqlError> {
        self.take("FROM");
        let target = self.path()?;
        let (table, alias) = self.target(target)?;
        let filter = if self.take("WHERE") { Some(self.expr()?) } else { None };
        Ok(Statement::Delete { table, alias, filter })
    }

    /// `UPDATE t SET … FROM T AS t`: the table that the target's name stands for.
    fn target(&mut self, target: Vec<String>) -> Result<(Vec<String>, Option<String>), SqlError> {
        if !self.take("FROM") {
            return Ok((target, None));
        }
        let from = self.table(Join::Comma)?;
        match (from.source, from.alias) {
            (Source::Table(table), Some(alias))
                if target.len() == 1 && alias.eq_ignore_ascii_case(&target[0]) =>
            {
                Ok((table, Some(alias)))
            }
            (Source::Table(table), None) if table == target => Ok((table, None)),
            _ => Err(near("FROM")),
        }
    }
}

/// Words that are no reserved words to [`reserved`] but begin a statement, so that no alias is read out of them.
fn starts_statement(word: &str) -> bool {
    ["OFFSET", "PRINT", "GO", "CROSS", "RETURN", "SAVE"].iter().any(|start| start.eq_ignore_ascii_case(word))
}
