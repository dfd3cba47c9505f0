//! Functions and `@@` names that ask the server, the database or the session something.
//!
//! Always: answered when the statement is rewritten, except where the question stands in a column.

use rusqlite::OptionalExtension as _;

use super::super::value::{Datum, SqlError, SqlType};
use super::ast::Expr;
use super::call::need_arguments;
use super::convert::CAST;
use super::error::{fail, unwrap};
use super::generate::{Code, Generator};
use super::{catalog, changes, collate, sysviews, types};

pub const VERSION: &str = "15.0.4430.1";

/// The server's name, as it gives it itself.
pub const SERVER_NAME: &str = "TDSLAB";

/// A constant nvarchar(128).
fn name_code(text: &str) -> Code {
    let kind = SqlType::NVarChar { chars: Some(128), collation: collate::default() };
    Code::constant(Datum::Utf16(text.encode_utf16().collect()), kind)
}

fn int(n: i64) -> Code {
    Code::constant(Datum::Int(n), SqlType::Int)
}

fn bigint(n: Option<i64>) -> Code {
    Code::constant(n.map_or(Datum::Null, Datum::Int), SqlType::BigInt)
}

fn null_name() -> Code {
    Code { constant: Some(Datum::Null), sql: "NULL".to_owned(), nullable: true, ..name_code("") }
}

fn null_int() -> Code {
    Code::constant(Datum::Null, SqlType::Int)
}

/// A property's value, which SQL Server gives as sql_variant.
fn variant(value: Option<Code>) -> Code {
    Code::constant(value.and_then(|code| code.constant).unwrap_or(Datum::Null), SqlType::Variant)
}

impl Generator<'_> {
    pub fn global(&self, name: &str) -> Result<Code, SqlError> {
        let session = self.session;
        Ok(match name {
            "@@VERSION" => {
                name_code(&format!("Microsoft SQL Server 2019 (RTM-CU32) - {VERSION} (X64) test engine"))
            }
            "@@SERVERNAME" => name_code(SERVER_NAME),
            "@@SPID" => Code::constant(Datum::Int(i64::from(session.id)), SqlType::SmallInt),
            "@@TRANCOUNT" => int(i64::from(session.depth)),
            "@@ROWCOUNT" => int(i64::try_from(session.affected).unwrap_or(0)),
            "@@LOCK_TIMEOUT" => int(session.lock_timeout),
            "@@MAX_PRECISION" => Code::constant(Datum::Int(38), SqlType::TinyInt),
            "@@LANGUAGE" => name_code("us_english"),
            "@@DBTS" => {
                let last = session.database.state().rowversion;
                Code::constant(
                    Datum::Bytes(last.to_be_bytes().to_vec()),
                    SqlType::VarBinary { bytes: Some(8) },
                )
            }
            _ => return Err(fail(137, format!("Must declare the scalar variable \"{name}\"."))),
        })
    }

    /// An argument that has to be known when the statement is rewritten; `None` for NULL.
    fn known(&mut self, argument: &Expr) -> Result<Option<String>, SqlError> {
        let code = self.value(argument)?;
        known_text(&code)
    }

    /// The function's value; `None`: no function of that name.
    pub fn property(&mut self, name: &str, arguments: &[Expr]) -> Result<Option<Code>, SqlError> {
        for of in
            [Self::database_function, Self::login_function, Self::property_function, Self::change_function]
        {
            if let Some(code) = of(self, name, arguments)? {
                return Ok(Some(code));
            }
        }
        self.object_function(name, arguments)
    }

    fn database_function(&mut self, name: &str, arguments: &[Expr]) -> Result<Option<Code>, SqlError> {
        let session = self.session;
        let most = if name == "HAS_DBACCESS" { 1..=1 } else { 0..=1 };
        if !matches!(name, "DB_NAME" | "DB_ID" | "HAS_DBACCESS") {
            return Ok(None);
        }
        need_arguments(name, arguments, most)?;
        let argument = arguments.first().map(|argument| self.value(argument)).transpose()?;
        if argument.as_ref().is_some_and(|code| code.constant.is_none()) {
            return Err(not_known(name));
        }
        let named = argument.as_ref().map(|code| session.server.database(&code.text().unwrap_or_default()));
        Ok(Some(match (name, argument) {
            ("DB_NAME", None) => name_code(&session.database.name),
            ("DB_NAME", Some(id)) => {
                let all = session.server.databases();
                let found = all.iter().find(|database| Some(i64::from(database.id)) == id.integer());
                found.map_or_else(null_name, |database| name_code(&database.name))
            }
            ("DB_ID", _) => {
                let id = named.map_or(Some(session.database.id), |named| named.map(|database| database.id));
                let id = id.map_or(Datum::Null, |id| Datum::Int(i64::from(id)));
                Code::constant(id, SqlType::SmallInt)
            }
            _ => {
                named.flatten().map_or_else(null_int, |database| int(i64::from(session.may_enter(&database))))
            }
        }))
    }

    fn login_function(&mut self, name: &str, arguments: &[Expr]) -> Result<Option<Code>, SqlError> {
        let session = self.session;
        let plain = match name {
            "SUSER_SNAME" | "SUSER_NAME" | "ORIGINAL_LOGIN" | "SYSTEM_USER" => session.login.clone(),
            "USER_NAME" | "CURRENT_USER" | "SESSION_USER" | "USER" => session.user_name(),
            "APP_NAME" => session.application.clone(),
            "HAS_PERMS_BY_NAME" => {
                need_arguments(name, arguments, 3..=3)?;
                return self.permission(arguments).map(Some);
            }
            "IS_SRVROLEMEMBER" | "IS_MEMBER" | "IS_ROLEMEMBER" => {
                need_arguments(name, arguments, 1..=1)?;
                let role = self.known(&arguments[0])?.unwrap_or_default();
                let member = match (name, role.to_lowercase().as_str()) {
                    ("IS_SRVROLEMEMBER", "public") => Some(true),
                    (
                        "IS_SRVROLEMEMBER",
                        "sysadmin" | "serveradmin" | "securityadmin" | "dbcreator" | "bulkadmin"
                        | "processadmin",
                    ) => Some(session.is_sysadmin()),
                    ("IS_SRVROLEMEMBER", _) => None,
                    (_, role) => session.in_role(role),
                };
                return Ok(Some(member.map_or_else(null_int, |member| int(i64::from(member)))));
            }
            _ => return Ok(None),
        };
        need_arguments(name, arguments, 0..=0)?;
        Ok(Some(name_code(&plain)))
    }

    fn property_function(&mut self, name: &str, arguments: &[Expr]) -> Result<Option<Code>, SqlError> {
        let count = match name {
            "SERVERPROPERTY" => 1,
            "DATABASEPROPERTYEX" | "COLLATIONPROPERTY" => 2,
            _ => return Ok(None),
        };
        need_arguments(name, arguments, count..=count)?;
        let first = self.value(&arguments[0])?;
        if name == "COLLATIONPROPERTY" && first.constant.is_none() {
            let property = self.known(&arguments[1])?.unwrap_or_default();
            return self.collation_of_row(first, &property).map(Some);
        }
        let first = known_text(&first)?.unwrap_or_default();
        let property = match arguments.get(1) {
            Some(property) => self.known(property)?.unwrap_or_default(),
            None => first.clone(),
        };
        let known = match name {
            "SERVERPROPERTY" => server_property(&property),
            "COLLATIONPROPERTY" => collation_property(&first, &property)?,
            _ => self.database_property(&first, &property)?,
        };
        Ok(Some(variant(known)))
    }

    /// COLLATIONPROPERTY of a column, asked row by row.
    fn collation_of_row(&mut self, name: Code, property: &str) -> Result<Code, SqlError> {
        collation_property(&collate::default().name, property)?;
        let wide = SqlType::NVarChar { chars: None, collation: self.collation() };
        let name = self.convert(name, &wide, CAST, false)?;
        Ok(Code::new(format!("codepage({})", name.sql), SqlType::Variant, true))
    }

    fn change_function(&mut self, name: &str, arguments: &[Expr]) -> Result<Option<Code>, SqlError> {
        let session = self.session;
        let quirks = session.server.quirks();
        Ok(Some(match name {
            "MIN_ACTIVE_ROWVERSION" if !quirks.no_min_active_rowversion => {
                need_arguments(name, arguments, 0..=0)?;
                let state = session.database.state();
                let first = state.active.values().min().copied().unwrap_or(state.rowversion + 1);
                Code::constant(Datum::Bytes(first.to_be_bytes().to_vec()), SqlType::Binary { bytes: 8 })
            }
            "CHANGE_TRACKING_CURRENT_VERSION" if !quirks.no_change_tracking => {
                need_arguments(name, arguments, 0..=0)?;
                let on = session.database.state().tracking;
                bigint(if on { Some(changes::version(&session.connection)?) } else { None })
            }
            "CHANGE_TRACKING_MIN_VALID_VERSION" if !quirks.no_change_tracking => {
                need_arguments(name, arguments, 1..=1)?;
                let id = self.value(&arguments[0])?;
                let id = self.convert(id, &SqlType::Int, CAST, false)?;
                let sql =
                    format!("(SELECT min_version FROM m_objects WHERE id = {} AND tracked = 1)", id.sql);
                Code::new(sql, SqlType::BigInt, true)
            }
            _ => return Ok(None),
        }))
    }

    /// Functions between names and ids of objects.
    fn object_function(&mut self, name: &str, arguments: &[Expr]) -> Result<Option<Code>, SqlError> {
        let looked_up = |sql: String| Code::new(sql, name_code("").kind, true);
        let of_id = match name {
            "OBJECT_ID" => return self.object_id_function(arguments).map(Some),
            "SCHEMA_NAME" if arguments.is_empty() => return Ok(Some(name_code("dbo"))),
            "OBJECT_NAME" => "(SELECT u16(name) FROM m_objects WHERE id = ?)".to_owned(),
            "OBJECT_SCHEMA_NAME" => {
                "(SELECT u16(s.name) FROM m_objects o JOIN m_schemas s ON s.id = o.schema_id WHERE o.id = ?)"
                    .to_owned()
            }
            "SCHEMA_NAME" => "(SELECT u16(name) FROM m_schemas WHERE id = ?)".to_owned(),
            "TYPE_NAME" => {
                let listed = types::NAMES.iter().filter(|(name, ..)| *name != "rowversion");
                let arms: Vec<String> =
                    listed.map(|(name, _, id)| format!(" WHEN {id} THEN u16('{name}')")).collect();
                format!("CASE ?{} END", arms.concat())
            }
            "SCHEMA_ID" => {
                need_arguments(name, arguments, 0..=1)?;
                let schema = match arguments.first() {
                    Some(schema) => self.known(schema)?.unwrap_or_default(),
                    None => "dbo".to_owned(),
                };
                let sql = "SELECT id FROM m_schemas WHERE lower(name) = lower(?1)";
                let found = self.session.connection.query_row(sql, [schema], |row| row.get(0)).optional();
                return Ok(Some(found.map_err(|error| unwrap(&error))?.map_or_else(null_int, int)));
            }
            _ => return Ok(None),
        };
        need_arguments(name, arguments, 1..=1)?;
        let id = self.value(&arguments[0])?;
        let id = self.convert(id, &SqlType::Int, CAST, false)?;
        Ok(Some(looked_up(of_id.replace('?', &id.sql))))
    }

    fn object_id_function(&mut self, arguments: &[Expr]) -> Result<Code, SqlError> {
        need_arguments("OBJECT_ID", arguments, 1..=2)?;
        let kind = match arguments.get(1) {
            Some(kind) => self.known(kind)?,
            None => None,
        };
        let object = self.value(&arguments[0])?;
        if let Some(text) = object.text() {
            return self.object_id(&text, kind.as_deref());
        }
        let wide = SqlType::NVarChar { chars: None, collation: self.collation() };
        let object = self.convert(object, &wide, CAST, false)?;
        Ok(Code::new(
            format!("(SELECT id FROM m_objects WHERE key = objkey({}))", object.sql),
            SqlType::Int,
            true,
        ))
    }

    fn object_id(&self, text: &str, kind: Option<&str>) -> Result<Code, SqlError> {
        let Some(mut path) = catalog::parts(text) else { return Ok(null_int()) };
        if path.len() == 3 {
            let database = path.remove(0);
            if !database.is_empty() && database.to_lowercase() != self.session.database.name.to_lowercase() {
                return Err(fail(50000, "The test engine knows no OBJECT_ID of another database."));
            }
        }
        if path.len() == 2 && path[0].eq_ignore_ascii_case("sys") {
            let quirks = self.session.server.quirks();
            return Ok(sysviews::number(&path[1], quirks).map_or_else(null_int, int));
        }
        let found = self.session.table(&path)?;
        Ok(match found {
            Some(table)
                if kind.is_none_or(|kind| {
                    kind.trim().eq_ignore_ascii_case(if table.view { "V" } else { "U" })
                }) =>
            {
                int(i64::from(table.id))
            }
            _ => null_int(),
        })
    }

    fn database_property(&self, of: &str, property: &str) -> Result<Option<Code>, SqlError> {
        let Some(database) = self.session.server.database(of) else { return Ok(None) };
        let state = database.state();
        Ok(Some(match property.to_lowercase().as_str() {
            "collation" => name_code(&database.collation.name),
            "updateability" => name_code(if state.read_only { "READ_ONLY" } else { "READ_WRITE" }),
            "status" => name_code("ONLINE"),
            "recovery" => name_code("FULL"),
            "useraccess" => name_code("MULTI_USER"),
            "version" => int(904),
            _ => {
                return Err(fail(50000, format!("The test engine knows no database property '{property}'.")));
            }
        }))
    }

    /// HAS_PERMS_BY_NAME.
    fn permission(&mut self, arguments: &[Expr]) -> Result<Code, SqlError> {
        let object = self.value(&arguments[0])?;
        let right = self.known(&arguments[2])?.unwrap_or_default().to_uppercase();
        let session = self.session;
        let Some(class) = self.known(&arguments[1])? else {
            return Ok(int(i64::from(session.may_on_server(&right))));
        };
        match class.to_uppercase().as_str() {
            "DATABASE" => {
                let Some(name) = known_text(&object)? else { return Ok(null_int()) };
                if name.to_lowercase() != session.database.name.to_lowercase() {
                    return Err(fail(50000, "The test engine knows rights in the current database only."));
                }
                Ok(int(i64::from(right == "CONNECT" || session.may(&right, ""))))
            }
            "SCHEMA" => {
                let Some(name) = known_text(&object)? else { return Ok(null_int()) };
                let name = catalog::parts(&name).and_then(|mut parts| parts.pop()).unwrap_or_default();
                Ok(int(i64::from(session.may(&right, &format!("{}.", name.to_lowercase())))))
            }
            "OBJECT" => {
                let answer = |key: &str| i64::from(session.may(&right, key));
                if let Some(text) = object.text() {
                    let Some(path) = catalog::parts(&text) else { return Ok(null_int()) };
                    let quirks = session.server.quirks();
                    if let [schema, view] = path.as_slice()
                        && schema.eq_ignore_ascii_case("sys")
                    {
                        let readable = i64::from(right == "SELECT");
                        return Ok(sysviews::number(view, quirks).map_or_else(null_int, |_| int(readable)));
                    }
                    let table = session.table(&path)?;
                    let key =
                        |table: catalog::Table| format!("{}.{}", table.schema, table.name).to_lowercase();
                    return Ok(table.map_or_else(null_int, |table| int(answer(&key(table)))));
                }
                let keys = catalog::keys(&session.connection)?;
                let arms: Vec<String> = keys
                    .iter()
                    .map(|key| format!(" WHEN '{}' THEN {}", key.replace('\'', "''"), answer(key)))
                    .collect();
                if arms.is_empty() {
                    return Ok(null_int());
                }
                let wide = SqlType::NVarChar { chars: None, collation: self.collation() };
                let object = self.convert(object, &wide, CAST, false)?;
                Ok(Code::new(format!("CASE objkey({}){} END", object.sql, arms.concat()), SqlType::Int, true))
            }
            _ => Err(fail(50000, format!("The test engine knows no rights on class '{class}'."))),
        }
    }
}

fn not_known(name: &str) -> SqlError {
    fail(50000, format!("The test engine knows {name} of constants only."))
}

/// A constant text; `None` for NULL. What is no constant is an error, since its value is not known here.
fn known_text(code: &Code) -> Result<Option<String>, SqlError> {
    match &code.constant {
        Some(Datum::Null) => Ok(None),
        Some(_) if code.is_string() => Ok(code.text()),
        _ => Err(not_known("this function")),
    }
}

fn server_property(property: &str) -> Option<Code> {
    Some(match property.to_lowercase().as_str() {
        "productversion" => name_code(VERSION),
        "productlevel" => name_code("RTM"),
        "productmajorversion" => name_code("15"),
        "productminorversion" => name_code("0"),
        "edition" => name_code("Developer Edition (64-bit)"),
        "engineedition" => int(3),
        "servername" | "machinename" => name_code(SERVER_NAME),
        "collation" => name_code(&collate::default().name),
        "isclustered" | "ishadrenabled" => int(0),
        // What SQL Server does not know is NULL there, too.
        _ => return None,
    })
}

fn collation_property(of: &str, property: &str) -> Result<Option<Code>, SqlError> {
    let Some(collation) = collate::named(of) else { return Ok(None) };
    match property.to_lowercase().as_str() {
        "codepage" => Ok(Some(int(i64::from(collation.code_page)))),
        _ => Err(fail(50000, format!("The test engine knows no collation property '{property}'."))),
    }
}
