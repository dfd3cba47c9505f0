//! Turns T-SQL expressions into SQLite's SQL with a type: the parts that every expression needs.
//!
//! Always: a piece of generated SQL gives the stored form of its type; constants are computed here, not by SQLite.

use rusqlite::types::Value;

use super::super::value::{Collation, Datum, SqlError, SqlType};
use super::convert::{self, CAST, How};
use super::error::fail;
use super::session::Session;
use super::types::{self, Family};
use super::{catalog, store};

/// How strongly a string insists on its collation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// A literal: takes the other side's.
    Weak,
    /// A column.
    Implicit,
    /// COLLATE.
    Explicit,
}

/// An expression in SQLite's SQL.
#[derive(Debug, Clone)]
pub struct Code {
    pub sql: String,
    pub kind: SqlType,
    pub nullable: bool,
    pub strength: Strength,
    /// The value, where it is known.
    pub constant: Option<Datum>,
    /// The column's name, for a column.
    pub name: Option<String>,
    /// The word NULL, which has no type of its own.
    pub untyped: bool,
}

impl Code {
    pub fn new(sql: String, kind: SqlType, nullable: bool) -> Self {
        Self { sql, kind, nullable, strength: Strength::Weak, constant: None, name: None, untyped: false }
    }

    pub fn constant(value: Datum, kind: SqlType) -> Self {
        let sql = store::literal(&store::encode(&value));
        let nullable = value == Datum::Null;
        Self { constant: Some(value), ..Self::new(sql, kind, nullable) }
    }

    pub fn null() -> Self {
        Self { untyped: true, ..Self::constant(Datum::Null, SqlType::Int) }
    }

    /// The constant as an integer.
    pub fn integer(&self) -> Option<i64> {
        match self.constant {
            Some(Datum::Int(n)) => Some(n),
            _ => None,
        }
    }

    pub fn is_string(&self) -> bool {
        matches!(types::family(&self.kind), Family::Char | Family::NChar)
    }

    /// A constant string as Rust text.
    pub fn text(&self) -> Option<String> {
        let value = self.constant.as_ref().filter(|value| self.is_string() && **value != Datum::Null)?;
        Some(String::from_utf16_lossy(&convert::text_of(value, &self.kind, None).ok()?))
    }
}

/// A column that a name can mean.
#[derive(Debug, Clone)]
pub struct Bound {
    pub name: String,
    pub sql: String,
    pub kind: SqlType,
    pub nullable: bool,
}

/// A table in FROM.
#[derive(Debug, Clone)]
pub struct Binding {
    /// The alias, or schema and name, in lower case.
    pub names: Vec<String>,
    pub columns: Vec<Bound>,
}

/// The keys of GROUP BY, as generated SQL, and the depth of scope at which they count.
#[derive(Debug, Clone)]
pub struct Grouping {
    pub depth: usize,
    pub keys: Vec<String>,
}

pub struct Generator<'a> {
    pub session: &'a Session,
    pub scopes: Vec<Vec<Binding>>,
    pub grouping: Option<Grouping>,
    /// Numbers the aliases.
    pub aliases: usize,
    /// Temporary tables to drop after the statement.
    pub temporary: Vec<String>,
    /// Within a view: rights on what it reads are not asked for.
    pub within_view: bool,
    /// Tables whose row filter is being applied.
    pub filtering: Vec<i32>,
}

impl<'a> Generator<'a> {
    pub fn new(session: &'a Session) -> Self {
        Self {
            session,
            scopes: Vec::new(),
            grouping: None,
            aliases: 0,
            temporary: Vec::new(),
            within_view: false,
            filtering: Vec::new(),
        }
    }

    pub fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("a{}", self.aliases)
    }

    /// The collation of literals: the database's.
    pub fn collation(&self) -> Collation {
        self.session.database.collation.clone()
    }

    /// The column that a name means, from the innermost query outwards.
    pub fn column(&self, path: &[String]) -> Result<Code, SqlError> {
        let lower: Vec<String> = path.iter().map(|part| part.to_lowercase()).collect();
        let Some((name, table)) = lower.split_last() else { return Err(fail(207, "Invalid column name.")) };
        let mut bound_table = false;
        for (depth, scope) in self.scopes.iter().enumerate().rev() {
            let tables = scope.iter().filter(|binding| table.is_empty() || binding.names.ends_with(table));
            let mut found = Vec::new();
            for binding in tables {
                bound_table = true;
                found.extend(binding.columns.iter().filter(|column| column.name.to_lowercase() == *name));
            }
            match found.as_slice() {
                [] => {}
                [column] => {
                    self.grouped(depth, column, path)?;
                    return Ok(Code {
                        strength: Strength::Implicit,
                        name: Some(column.name.clone()),
                        ..Code::new(column.sql.clone(), column.kind.clone(), column.nullable)
                    });
                }
                _ => return Err(fail(209, format!("Ambiguous column name '{}'.", path.join(".")))),
            }
        }
        if !table.is_empty() && !bound_table {
            return Err(fail(
                4104,
                format!("The multi-part identifier \"{}\" could not be bound.", path.join(".")),
            ));
        }
        Err(fail(207, format!("Invalid column name '{}'.", path.last().map_or("", String::as_str))))
    }

    /// 8120: a column outside of the keys of a grouped query.
    fn grouped(&self, depth: usize, column: &Bound, path: &[String]) -> Result<(), SqlError> {
        let grouping = self.grouping.as_ref().filter(|grouping| grouping.depth == depth + 1);
        match grouping {
            Some(grouping) if !grouping.keys.contains(&column.sql) => {
                let message = format!(
                    "Column '{}' is invalid in the select list because it is not contained in either \
                        an aggregate function or the GROUP BY clause.",
                    path.join(".")
                );
                Err(fail(8120, message))
            }
            _ => Ok(()),
        }
    }

    /// A conversion that the query asks for, or that SQL Server makes by itself.
    pub fn convert(&self, code: Code, to: &SqlType, how: How, explicit: bool) -> Result<Code, SqlError> {
        if code.untyped {
            return Ok(Code { untyped: false, ..Code::constant(Datum::Null, to.clone()) });
        }
        convert::check(&code.kind, to, explicit)?;
        let to = to.clone();
        if let Some(value) = &code.constant
            && let Ok(value) = convert::convert(value, &code.kind, &to, how)
        {
            return Ok(Code { strength: code.strength, ..Code::constant(value, to) });
        }
        if code.kind == to {
            return Ok(code);
        }
        let sql = if how.style.is_none() && self.same_form(&code.kind, &to) {
            // The brackets mean nothing to SQLite; they tell a cast from its column among the keys of a group.
            format!("({})", code.sql)
        } else {
            let style = how.style.map_or("NULL".to_owned(), |style| style.to_string());
            let (from, into) = (types::describe(&code.kind), types::describe(&to));
            format!("cv({}, '{from}', '{into}', {style}, {})", code.sql, u8::from(how.assign))
        };
        Ok(Code { strength: code.strength, ..Code::new(sql, to, code.nullable) })
    }

    /// Whether every value of one type is stored alike, and fits, in another.
    fn same_form(&self, from: &SqlType, to: &SqlType) -> bool {
        let wider = |from: &SqlType, to: &SqlType, unit: u32| match (types::length(from), types::length(to)) {
            (_, None) => true,
            (Some(from), Some(to)) => u32::from(from) * unit <= u32::from(to),
            _ => false,
        };
        let page = |kind: &SqlType| types::collation(kind).map(|collation| collation.code_page);
        match (from, to) {
            _ if from == to => true,
            (SqlType::Variant, _) | (_, SqlType::Variant) => false,
            (_, SqlType::VarChar { .. } | SqlType::Text { .. }) if types::family(from) == Family::Char => {
                page(from) == page(to) && wider(from, to, 1)
            }
            (_, SqlType::NVarChar { .. } | SqlType::NText { .. }) if types::family(from) == Family::NChar => {
                wider(from, to, 1)
            }
            (_, SqlType::VarBinary { .. } | SqlType::Image) => match types::family(from) {
                Family::Char => {
                    let quirks = self.session.server.quirks();
                    let char = matches!(from, SqlType::Char { .. });
                    let bent = quirks.wrong_varbinary_code_page || (char && quirks.wrong_char_code_page);
                    wider(from, to, 1) && !bent
                }
                Family::NChar => wider(from, to, 2),
                Family::Binary => wider(from, to, 1),
                _ => false,
            },
            (SqlType::RowVersion, SqlType::Binary { bytes: 8 }) => true,
            (SqlType::Char { bytes: a, .. }, SqlType::Char { bytes: b, .. }) => {
                a == b && page(from) == page(to)
            }
            (SqlType::NChar { chars: a, .. }, SqlType::NChar { chars: b, .. }) => a == b,
            (SqlType::Decimal { precision: p, scale: s }, SqlType::Decimal { precision, scale }) => {
                s == scale && p <= precision
            }
            (_, SqlType::BigInt | SqlType::Int | SqlType::SmallInt)
                if types::family(from) == Family::Integer =>
            {
                types::rank(from) < types::rank(to)
            }
            _ => false,
        }
    }

    /// The collation under which two strings meet.
    pub fn meet(&self, a: &Code, b: &Code) -> Result<Collation, SqlError> {
        let own = |code: &Code| types::collation(&code.kind).cloned().unwrap_or_else(|| self.collation());
        let strength = |code: &Code| if code.is_string() { code.strength } else { Strength::Weak };
        let (left, right) = (own(a), own(b));
        if strength(a) == strength(b) && strength(a) > Strength::Weak && left != right {
            let message = format!(
                "Cannot resolve the collation conflict between \"{}\" and \"{}\" in the equal to operation.",
                left.name, right.name
            );
            return Err(fail(468, message));
        }
        Ok(if strength(a) >= strength(b) { left } else { right })
    }

    /// Two values as the type in which they meet.
    pub fn unify(&self, a: Code, b: Code) -> Result<(Code, Code), SqlError> {
        if a.untyped || b.untyped {
            let kind = if a.untyped { b.kind.clone() } else { a.kind.clone() };
            return Ok((self.convert(a, &kind, CAST, false)?, self.convert(b, &kind, CAST, false)?));
        }
        let mut kind = types::common(&a.kind, &b.kind);
        let mut strength = a.strength.max(b.strength);
        if types::collation(&kind).is_some() {
            kind = types::collated(&kind, &self.meet(&a, &b)?);
        } else {
            strength = Strength::Weak;
        }
        let one = |code: Code| -> Result<Code, SqlError> {
            Ok(Code { strength, ..self.convert(code, &kind, CAST, false)? })
        };
        Ok((one(a)?, one(b)?))
    }

    /// The SQLite expressions by which two values compare.
    pub fn comparable(&self, a: Code, b: Code) -> Result<(String, String), SqlError> {
        let (a, b) = (self.opened(a)?, self.opened(b)?);
        for side in [&a, &b] {
            if types::is_old_lob(&side.kind) {
                let message = "The text, ntext, and image data types cannot be compared or sorted, \
                    except when using IS NULL or LIKE operator.";
                return Err(fail(306, message));
            }
            if side.kind == SqlType::Variant {
                return Err(fail(50000, "The test engine does not compare sql_variant; cast it."));
            }
        }
        if a.untyped || b.untyped {
            return Ok((a.sql, b.sql));
        }
        let plain = |code: &Code| match (types::family(&code.kind), &code.constant, types::exact(&code.kind))
        {
            (Family::Integer, _, _) => Some(code.sql.clone()),
            // A whole number too big for an int literal is a decimal; beside integers it need not be one.
            (Family::Decimal, Some(Datum::Decimal(n)), Some((_, 0))) => {
                i64::try_from(*n).ok().map(|n| store::literal(&Value::Integer(n)))
            }
            _ => None,
        };
        let integers = [&a, &b].iter().any(|code| types::family(&code.kind) == Family::Integer);
        if let (true, Some(left), Some(right)) = (integers, plain(&a), plain(&b)) {
            return Ok((left, right));
        }
        if a.is_string() && b.is_string() {
            return self.comparable_strings(a, b);
        }
        let (a, b) = self.unify(a, b)?;
        Ok((catalog::key_form(&a.sql, &a.kind), catalog::key_form(&b.sql, &b.kind)))
    }

    /// A property that is known here, as the type that it has inside of its sql_variant.
    fn opened(&self, code: Code) -> Result<Code, SqlError> {
        let kind = match (&code.kind, &code.constant) {
            (SqlType::Variant, Some(Datum::Int(_))) => SqlType::BigInt,
            (SqlType::Variant, Some(Datum::Utf16(_) | Datum::Null)) => {
                SqlType::NVarChar { chars: Some(128), collation: self.collation() }
            }
            _ => return Ok(code),
        };
        self.convert(code, &kind, CAST, true)
    }

    /// Strings compare by key. A char and an nchar side need no conversion first, unless the order is that of the bytes.
    fn comparable_strings(&self, a: Code, b: Code) -> Result<(String, String), SqlError> {
        let collation = self.meet(&a, &b)?;
        let families = (types::family(&a.kind), types::family(&b.kind));
        let mixed = families.0 != families.1 && super::collate::is_binary(&collation.name);
        let one = |code: Code| -> Result<String, SqlError> {
            let kind = if mixed {
                SqlType::NVarChar { chars: None, collation: collation.clone() }
            } else {
                types::collated(&code.kind, &collation)
            };
            let code = self.convert(code, &kind, CAST, false)?;
            Ok(catalog::key_form(&code.sql, &code.kind))
        };
        Ok((one(a)?, one(b)?))
    }

    /// The SQLite expression by which a value sorts and groups.
    pub fn sort_key(&self, code: &Code) -> Result<String, SqlError> {
        if types::is_old_lob(&code.kind) || code.kind == SqlType::Variant {
            let message = "The text, ntext, and image data types cannot be compared or sorted, except \
                when using IS NULL or LIKE operator.";
            return Err(fail(306, message));
        }
        Ok(if code.constant.is_some() { "'x'".to_owned() } else { catalog::key_form(&code.sql, &code.kind) })
    }
}
