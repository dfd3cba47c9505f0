//! Parses CREATE, ALTER and DROP.
//!
//! Always: an option that the engine does not carry out is an error, except those that cannot change an answer.

use super::super::value::SqlError;
use super::ast::{Alter, ColumnDef, DatabaseOption, KeyDef, Statement};
use super::error::near;
use super::lex::Token;
use super::parser::Parser;

impl Parser {
    pub fn create(&mut self) -> Result<Statement, SqlError> {
        if self.take("DATABASE") {
            return self.create_database();
        }
        if self.take("TABLE") {
            return self.create_table();
        }
        if self.take("SCHEMA") {
            return self.name().map(Statement::CreateSchema);
        }
        if self.take("TYPE") {
            let name = self.path()?.pop().unwrap_or_default();
            self.need("FROM")?;
            return Ok(Statement::CreateType { name, base: self.kind()? });
        }
        if self.take("VIEW") {
            let name = self.path()?;
            self.need("AS")?;
            return Ok(Statement::CreateView { name, query: Box::new(self.query()?) });
        }
        if self.take("LOGIN") {
            let name = self.name()?;
            self.need("WITH PASSWORD")?;
            self.need_mark("=")?;
            let password = self.text()?;
            while self.take_mark(",") {
                self.next();
                self.need_mark("=")?;
                self.next();
            }
            return Ok(Statement::CreateLogin { name, password });
        }
        if self.take("USER") {
            let name = self.name()?;
            let login =
                if self.take("FOR LOGIN") || self.take("FROM LOGIN") { self.name()? } else { name.clone() };
            return Ok(Statement::CreateUser { name, login });
        }
        self.create_index()
    }

    fn create_database(&mut self) -> Result<Statement, SqlError> {
        let name = self.name()?;
        if self.take("ON") {
            self.in_brackets(|parser| {
                parser.name()?;
                parser.need_mark("=")?;
                parser.next();
                Ok(())
            })?;
            self.need("AS SNAPSHOT OF")?;
            return Ok(Statement::Snapshot { name, of: self.name()? });
        }
        let collation = if self.take("COLLATE") { Some(self.name()?) } else { None };
        Ok(Statement::CreateDatabase { name, collation })
    }

    fn create_index(&mut self) -> Result<Statement, SqlError> {
        let unique = self.take("UNIQUE");
        let clustered = self.clustered();
        self.need("INDEX")?;
        let name = Some(self.name()?);
        self.need("ON")?;
        let table = self.path()?;
        let columns = self.in_brackets(Self::key_column)?;
        let key = KeyDef { name, columns, primary: false, unique, constraint: false, clustered };
        Ok(Statement::CreateIndex { table, key })
    }

    fn clustered(&mut self) -> Option<bool> {
        if self.take("CLUSTERED") {
            Some(true)
        } else if self.take("NONCLUSTERED") {
            Some(false)
        } else {
            None
        }
    }

    fn key_column(&mut self) -> Result<(String, bool), SqlError> {
        let name = self.name()?;
        let descending = self.take("DESC");
        if !descending {
            self.take("ASC");
        }
        Ok((name, descending))
    }

    fn create_table(&mut self) -> Result<Statement, SqlError> {
        let name = self.path()?;
        let (mut columns, mut keys) = (Vec::new(), Vec::new());
        self.need_mark("(")?;
        loop {
            if let Some(key) = self.table_key()? {
                keys.push(key);
            } else {
                columns.push(self.column(&mut keys)?);
            }
            if !self.take_mark(",") || self.is_mark(")") {
                break;
            }
        }
        self.need_mark(")")?;
        if self.take("ON") {
            // The filegroup.
            self.name()?;
        }
        Ok(Statement::CreateTable { name, columns, keys })
    }

    /// A key that stands by itself in the list of columns.
    fn table_key(&mut self) -> Result<Option<KeyDef>, SqlError> {
        let name = if self.take("CONSTRAINT") { Some(self.name()?) } else { None };
        let primary = self.take("PRIMARY KEY");
        if !primary && !self.take("UNIQUE") {
            return if name.is_some() { Err(self.unexpected()) } else { Ok(None) };
        }
        let clustered = self.clustered();
        let columns = self.in_brackets(Self::key_column)?;
        Ok(Some(KeyDef { name, columns, primary, unique: true, constraint: true, clustered }))
    }

    fn column(&mut self, keys: &mut Vec<KeyDef>) -> Result<ColumnDef, SqlError> {
        let name = self.name()?;
        let kind = match self.peek() {
            // The one type that may stand as the column's own name.
            Token::Mark("," | ")") if name.eq_ignore_ascii_case("timestamp") => {
                super::types::Written { name: "timestamp".to_owned(), sizes: vec![] }
            }
            _ => self.kind()?,
        };
        let mut column = ColumnDef { name, kind, collation: None, nullable: None, default: None };
        loop {
            let key_name = if self.take("CONSTRAINT") { Some(self.name()?) } else { None };
            if self.take("NOT NULL") {
                column.nullable = Some(false);
            } else if self.take("NULL") {
                column.nullable = Some(true);
            } else if self.take("COLLATE") {
                column.collation = Some(self.name()?);
            } else if self.take("DEFAULT") {
                column.default = Some(self.expr()?);
            } else if self.is_word("PRIMARY") || self.is_word("UNIQUE") {
                let primary = self.take("PRIMARY KEY");
                if !primary {
                    self.need("UNIQUE")?;
                }
                let columns = vec![(column.name.clone(), false)];
                let clustered = self.clustered();
                keys.push(KeyDef {
                    name: key_name,
                    columns,
                    primary,
                    unique: true,
                    constraint: true,
                    clustered,
                });
            } else if key_name.is_some() {
                return Err(self.unexpected());
            } else {
                return Ok(column);
            }
        }
    }

    pub fn drop(&mut self) -> Result<Statement, SqlError> {
        if self.take("DATABASE") {
            let maybe = self.take("IF EXISTS");
            return Ok(Statement::DropDatabase { names: self.list(Self::name)?, maybe });
        }
        if self.is_word("TABLE") || self.is_word("VIEW") {
            let view = self.is_word("VIEW");
            self.next();
            let maybe = self.take("IF EXISTS");
            return Ok(Statement::DropTable { names: self.list(Self::path)?, maybe, view });
        }
        if self.take("LOGIN") {
            return self.name().map(Statement::DropLogin);
        }
        if self.take("USER") {
            return self.name().map(Statement::DropUser);
        }
        self.need("INDEX")?;
        let name = self.name()?;
        self.need("ON")?;
        Ok(Statement::DropIndex { name, table: self.path()? })
    }

    pub fn alter(&mut self) -> Result<Statement, SqlError> {
        if self.take("DATABASE") {
            let name = self.name()?;
            self.need("SET")?;
            return Ok(Statement::AlterDatabase { name, option: self.database_option()? });
        }
        if self.take("TABLE") {
            let name = self.path()?;
            return Ok(Statement::AlterTable { name, change: self.table_change()? });
        }
        let server = self.take("SERVER");
        self.need("ROLE")?;
        let role = self.name()?;
        let add = self.take("ADD");
        if !add {
            self.need("DROP")?;
        }
        self.need("MEMBER")?;
        Ok(Statement::RoleMember { server, role, member: self.name()?, add })
    }

    fn on_or_off(&mut self) -> Result<bool, SqlError> {
        let on = self.take("ON");
        if !on {
            self.need("OFF")?;
        }
        Ok(on)
    }

    fn database_option(&mut self) -> Result<DatabaseOption, SqlError> {
        let option = if self.take("ALLOW_SNAPSHOT_ISOLATION") {
            DatabaseOption::AllowSnapshot(self.on_or_off()?)
        } else if self.take("READ_COMMITTED_SNAPSHOT") {
            DatabaseOption::ReadCommittedSnapshot(self.on_or_off()?)
        } else if self.take("READ_ONLY") {
            DatabaseOption::ReadOnly(true)
        } else if self.take("READ_WRITE") {
            DatabaseOption::ReadOnly(false)
        } else if self.take("CHANGE_TRACKING") {
            self.need_mark("=")?;
            let on = self.on_or_off()?;
            if self.is_mark("(") {
                self.in_brackets(Self::tracking_option)?;
            }
            DatabaseOption::ChangeTracking(on)
        } else if self.take("RECOVERY") {
            self.name()?;
            DatabaseOption::Other
        } else if self.take("SINGLE_USER") || self.take("MULTI_USER") {
            DatabaseOption::Other
        } else if self.take("AUTO_CLOSE") || self.take("AUTO_SHRINK") {
            self.on_or_off()?;
            DatabaseOption::Other
        } else {
            return Err(self.unexpected());
        };
        if self.take("WITH") && !self.take("ROLLBACK IMMEDIATE") {
            self.need("NO_WAIT")?;
        }
        Ok(option)
    }

    /// `CHANGE_RETENTION = 2 DAYS`, `AUTO_CLEANUP = ON`, `TRACK_COLUMNS_UPDATED = OFF`.
    fn tracking_option(&mut self) -> Result<(), SqlError> {
        let option = self.name()?.to_uppercase();
        self.need_mark("=")?;
        match option.as_str() {
            "CHANGE_RETENTION" => {
                self.integer()?;
                self.name().map(|_| ())
            }
            "AUTO_CLEANUP" => self.on_or_off().map(|_| ()),
            // Columns are not tracked.
            "TRACK_COLUMNS_UPDATED" => self.need("OFF"),
            _ => Err(near(&option)),
        }
    }

    fn table_change(&mut self) -> Result<Alter, SqlError> {
        if self.take("ENABLE CHANGE_TRACKING") {
            if self.take("WITH") {
                self.in_brackets(Self::tracking_option)?;
            }
            return Ok(Alter::ChangeTracking(true));
        }
        if self.take("DISABLE CHANGE_TRACKING") {
            return Ok(Alter::ChangeTracking(false));
        }
        let mut keys = Vec::new();
        if self.take("ADD") {
            if let Some(key) = self.table_key()? {
                return Ok(Alter::AddKey(key));
            }
            let mut columns = vec![self.column(&mut keys)?];
            while self.take_mark(",") {
                columns.push(self.column(&mut keys)?);
            }
            return if keys.is_empty() { Ok(Alter::Add(columns)) } else { Err(near("UNIQUE")) };
        }
        if self.take("DROP COLUMN") {
            return self.name().map(Alter::DropColumn);
        }
        if self.take("DROP CONSTRAINT") {
            return self.name().map(Alter::DropConstraint);
        }
        self.need("ALTER COLUMN")?;
        let column = self.column(&mut keys)?;
        if column.default.is_some() || !keys.is_empty() {
            return Err(near("DEFAULT"));
        }
        Ok(Alter::Column(column))
    }
}
