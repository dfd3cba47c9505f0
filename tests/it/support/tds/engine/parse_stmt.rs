//! Parses batches into statements: settings, transactions, control, rights. Tables and databases are in `parse_ddl`.
//!
//! Always: the whole batch is parsed before any of it runs, as on SQL Server.

use super::super::value::SqlError;
use super::ast::{GrantVerb, Isolation, Statement};
use super::error::{fail, near};
use super::lex::Token;
use super::parser::Parser;

/// SET options that change nothing in this engine.
const SETTINGS: [&str; 21] = [
    "NOCOUNT",
    "TEXTSIZE",
    "ANSI_NULLS",
    "ANSI_WARNINGS",
    "ANSI_PADDING",
    "ANSI_DEFAULTS",
    "ANSI_NULL_DFLT_ON",
    "QUOTED_IDENTIFIER",
    "CONCAT_NULL_YIELDS_NULL",
    "ARITHABORT",
    "ARITHIGNORE",
    "NUMERIC_ROUNDABORT",
    "XACT_ABORT",
    "DEADLOCK_PRIORITY",
    "LANGUAGE",
    "DATEFIRST",
    "CURSOR_CLOSE_ON_COMMIT",
    "IMPLICIT_TRANSACTIONS",
    "DATEFORMAT",
    "ROWCOUNT",
    "QUERY_GOVERNOR_COST_LIMIT",
];

/// The statements of a batch.
pub fn batch(text: &str, no_option_clause: bool) -> Result<Vec<Statement>, SqlError> {
    let mut parser = Parser::new(text)?;
    parser.no_option_clause = no_option_clause;
    let mut statements = Vec::new();
    loop {
        while parser.take_mark(";") {}
        if *parser.peek() == Token::End {
            return Ok(statements);
        }
        statements.push(parser.statement()?);
    }
}

impl Parser {
    fn statement(&mut self) -> Result<Statement, SqlError> {
        let Token::Word(word) = self.peek().clone() else { return Err(self.unexpected()) };
        if word.eq_ignore_ascii_case("SELECT") {
            let query = Box::new(self.query()?);
            self.options()?;
            return Ok(Statement::Select(query));
        }
        self.next();
        match word.to_ascii_uppercase().as_str() {
            "SET" => self.set(),
            "BEGIN" => self.begin(),
            "COMMIT" => Ok(self.end_of_transaction(Statement::Commit)),
            "ROLLBACK" => Ok(self.end_of_transaction(Statement::Rollback)),
            "USE" => self.name().map(Statement::Use),
            "WAITFOR" => self.wait(),
            "IF" => self.condition(),
            "CREATE" => self.create(),
            "DROP" => self.drop(),
            "ALTER" => self.alter(),
            "RESTORE" => {
                self.need("DATABASE")?;
                let name = self.name()?;
                self.need("FROM DATABASE_SNAPSHOT")?;
                self.need_mark("=")?;
                Ok(Statement::Revert { name, from: self.text()? })
            }
            "TRUNCATE" => {
                self.need("TABLE")?;
                self.path().map(Statement::Truncate)
            }
            "GRANT" => self.grant(GrantVerb::Grant),
            "DENY" => self.grant(GrantVerb::Deny),
            "REVOKE" => self.grant(GrantVerb::Revoke),
            "EXEC" | "EXECUTE" => self.execute(),
            "INSERT" => self.changing(Self::insert),
            "UPDATE" => self.changing(Self::update),
            "DELETE" => self.changing(Self::delete),
            _ => Err(near(&word)),
        }
    }

    fn changing(
        &mut self,
        parse: impl Fn(&mut Self) -> Result<Statement, SqlError>,
    ) -> Result<Statement, SqlError> {
        let statement = parse(self)?;
        self.options()?;
        Ok(statement)
    }

    fn set(&mut self) -> Result<Statement, SqlError> {
        if self.take("TRANSACTION ISOLATION LEVEL") {
            return Ok(Statement::Isolation(if self.take("SNAPSHOT") {
                Isolation::Snapshot
            } else if self.take("READ COMMITTED") {
                Isolation::ReadCommitted
            } else if self.take("READ UNCOMMITTED") {
                Isolation::ReadUncommitted
            } else if self.take("REPEATABLE READ") || self.take("SERIALIZABLE") {
                Isolation::Repeatable
            } else {
                return Err(self.unexpected());
            }));
        }
        if self.take("LOCK_TIMEOUT") {
            return self.integer().map(Statement::LockTimeout);
        }
        let options = self.list(|parser| match parser.next() {
            Token::Word(option) => Ok(option.to_uppercase()),
            token => Err(near(&token.shown())),
        })?;
        if let Some(unknown) = options.iter().find(|option| !SETTINGS.contains(&option.as_str())) {
            return Err(fail(195, format!("'{unknown}' is not a recognized SET option.")));
        }
        let value =
            if self.take_mark("-") { format!("-{}", self.next().shown()) } else { self.next().shown() };
        let value = value.to_uppercase();
        let meant = match options[0].as_str() {
            // What would change answers is refused rather than ignored.
            "ROWCOUNT" => value == "0",
            "DATEFORMAT" => matches!(value.as_str(), "YMD" | "MDY"),
            "IMPLICIT_TRANSACTIONS" | "ANSI_DEFAULTS" => value == "OFF",
            "TEXTSIZE" => value == "-1" || value.parse::<i64>().is_ok_and(|n| n >= 1_000_000),
            _ => value != "END OF FILE",
        };
        if meant { Ok(Statement::Ignored) } else { Err(near(&value)) }
    }

    fn begin(&mut self) -> Result<Statement, SqlError> {
        if self.take("TRANSACTION") || self.take("TRAN") {
            return Ok(self.end_of_transaction(Statement::Begin));
        }
        let mut inner = Vec::new();
        while !self.take("END") {
            if !self.take_mark(";") {
                inner.push(self.statement()?);
            }
        }
        Ok(Statement::Block(inner))
    }

    /// The word TRANSACTION, which may be missing.
    fn end_of_transaction(&mut self, statement: Statement) -> Statement {
        let _ = self.take("TRANSACTION") || self.take("TRAN") || self.take("WORK");
        statement
    }

    fn wait(&mut self) -> Result<Statement, SqlError> {
        self.need("DELAY")?;
        let text = self.text()?;
        let parts: Option<Vec<f64>> = text.split(':').map(|part| part.parse().ok()).collect();
        match parts.as_deref() {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a short wait")]
            Some([hours, minutes, seconds]) => {
                Ok(Statement::Wait(((hours * 3600.0 + minutes * 60.0 + seconds) * 1000.0) as u64))
            }
            _ => Err(fail(148, format!("Incorrect time syntax in time string '{text}' used with WAITFOR."))),
        }
    }

    fn condition(&mut self) -> Result<Statement, SqlError> {
        let condition = self.expr()?;
        let then = Box::new(self.statement()?);
        let place = self.place();
        while self.take_mark(";") {}
        if self.take("ELSE") {
            return Ok(Statement::If(condition, then, Some(Box::new(self.statement()?))));
        }
        self.back_to(place);
        Ok(Statement::If(condition, then, None))
    }

    /// `GRANT SELECT, INSERT ON [OBJECT::]t TO u`.
    fn grant(&mut self, verb: GrantVerb) -> Result<Statement, SqlError> {
        let rights = self.list(|parser| {
            let mut words = Vec::new();
            while let Token::Word(word) = parser.peek() {
                if ["ON", "TO", "FROM"].iter().any(|end| word.eq_ignore_ascii_case(end)) {
                    break;
                }
                words.push(word.to_uppercase());
                parser.next();
            }
            if words.is_empty() { Err(parser.unexpected()) } else { Ok(words.join(" ")) }
        })?;
        let mut on = None;
        if self.take("ON") {
            let schema = self.is_word("SCHEMA");
            let classed = matches!(self.ahead(1), Token::Mark("::"));
            if classed {
                if !schema && !self.is_word("OBJECT") {
                    return Err(self.unexpected());
                }
                self.next();
                self.next();
            }
            let path = self.path()?;
            // A schema alone stands for all objects in it.
            on = Some(if classed && schema { vec![path.concat(), "*".to_owned()] } else { path });
        }
        if !self.take("TO") {
            self.need("FROM")?;
        }
        let to = self.list(Self::name)?;
        Ok(Statement::Grant { rights, on, to, verb })
    }

    /// `EXEC sp_addrolemember 'db_datareader', 'u'` and its server twin.
    fn execute(&mut self) -> Result<Statement, SqlError> {
        let mut path = self.path()?;
        let name = path.pop().unwrap_or_default();
        if name.eq_ignore_ascii_case("sp_rename") {
            let from = self.text()?;
            self.need_mark(",")?;
            let from = super::catalog::parts(&from).ok_or_else(|| near(&from))?;
            return Ok(Statement::Rename { from, to: self.text()? });
        }
        let server = match name.to_ascii_lowercase().as_str() {
            "sp_addrolemember" => false,
            "sp_addsrvrolemember" => true,
            _ => return Err(fail(2812, format!("Could not find stored procedure '{name}'."))),
        };
        let first = self.text()?;
        self.need_mark(",")?;
        let second = self.text()?;
        // The server's procedure takes the member first.
        let (role, member) = if server { (second, first) } else { (first, second) };
        Ok(Statement::RoleMember { server, role, member, add: true })
    }
}
