//! Logins, users, roles, and who may do what.
//!
//! Always: a sysadmin may do everything; a denial beats a grant.

use std::collections::BTreeSet;

use super::super::value::SqlError;
use super::ast::GrantVerb;
use super::error::fail;
use super::server::{Database, held};
use super::session::Session;

#[derive(Clone, Default)]
pub struct Login {
    pub name: String,
    pub password: String,
    pub sysadmin: bool,
    /// Rights on the server, in capitals.
    pub rights: BTreeSet<String>,
}

/// A user of a database.
#[derive(Clone, Default)]
pub struct Principal {
    pub name: String,
    pub login: String,
    pub roles: BTreeSet<String>,
    /// (right, object key, `dbo.*` or nothing for the whole database).
    grants: BTreeSet<(String, String)>,
    denials: BTreeSet<(String, String)>,
}

impl Principal {
    fn holds(list: &BTreeSet<(String, String)>, right: &str, object: &str) -> bool {
        let schema = object.split('.').next().unwrap_or_default();
        [object, "", &format!("{schema}.*")]
            .iter()
            .any(|on| list.contains(&(right.to_owned(), (*on).to_owned())))
    }

    fn may(&self, right: &str, object: &str) -> bool {
        let writing = matches!(right, "INSERT" | "UPDATE" | "DELETE");
        let by_role = self.roles.contains("db_owner")
            || (right == "SELECT" && self.roles.contains("db_datareader"))
            || (writing && self.roles.contains("db_datawriter"))
            || (right.starts_with("CREATE") && self.roles.contains("db_ddladmin"));
        let denied = Self::holds(&self.denials, right, object)
            || (right == "SELECT" && self.roles.contains("db_denydatareader"))
            || (writing && self.roles.contains("db_denydatawriter"));
        !denied && (by_role || Self::holds(&self.grants, right, object))
    }
}

fn missing(kind: &str, name: &str) -> SqlError {
    fail(
        15151,
        format!("Cannot find the {kind} '{name}', because it does not exist or you do not have permission."),
    )
}

impl Session {
    pub fn is_sysadmin(&self) -> bool {
        held(&self.server.logins).get(&self.login.to_lowercase()).is_some_and(|login| login.sysadmin)
    }

    /// The user that the session is in its database.
    pub fn principal(&self, database: &Database) -> Option<Principal> {
        let state = database.state();
        let mut users = state.principals.values();
        users.find(|user| user.login.eq_ignore_ascii_case(&self.login)).cloned()
    }

    pub fn user_name(&self) -> String {
        match self.principal(&self.database) {
            _ if self.is_sysadmin() => "dbo".to_owned(),
            Some(user) => user.name,
            None => "guest".to_owned(),
        }
    }

    /// Whether the session has a right on an object (empty: on the database).
    pub fn may(&self, right: &str, object: &str) -> bool {
        self.is_sysadmin() || self.principal(&self.database).is_some_and(|user| user.may(right, object))
    }

    pub fn may_on_server(&self, right: &str) -> bool {
        let logins = held(&self.server.logins);
        logins
            .get(&self.login.to_lowercase())
            .is_some_and(|login| login.sysadmin || login.rights.contains(right))
    }

    /// Whether the session is in a role of its database; `None`: no such role.
    pub fn in_role(&self, role: &str) -> Option<bool> {
        let role = role.to_lowercase();
        let known = [
            "db_owner",
            "db_datareader",
            "db_datawriter",
            "db_ddladmin",
            "db_denydatawriter",
            "db_denydatareader",
            "db_securityadmin",
            "db_accessadmin",
            "db_backupoperator",
            "public",
        ];
        if !known.contains(&role.as_str()) {
            return None;
        }
        let listed = self.principal(&self.database).is_some_and(|user| user.roles.contains(&role));
        Some(role == "public" || listed || (role == "db_owner" && self.is_sysadmin()))
    }

    /// 229: the session may not.
    pub fn need(&self, right: &str, (schema, name): (&str, &str)) -> Result<(), SqlError> {
        if self.may(right, &format!("{schema}.{name}").to_lowercase()) {
            return Ok(());
        }
        let database = &self.database.name;
        let message = format!(
            "The {right} permission was denied on the object '{name}', database '{database}', schema \
                '{schema}'."
        );
        Err(SqlError { class: 14, state: 5, ..fail(229, message) })
    }

    /// 262: the session may not do that in the database.
    pub fn need_in_database(&self, right: &str) -> Result<(), SqlError> {
        if self.may(right, "") {
            return Ok(());
        }
        let message = format!("{right} permission denied in database '{}'.", self.database.name);
        Err(SqlError { class: 14, ..fail(262, message) })
    }

    pub fn need_sysadmin(&self) -> Result<(), SqlError> {
        if self.is_sysadmin() {
            return Ok(());
        }
        Err(fail(15247, "User does not have permission to perform this action."))
    }

    pub fn create_login(&self, name: &str, password: &str) -> Result<(), SqlError> {
        self.need_sysadmin()?;
        let login = Login { name: name.to_owned(), password: password.to_owned(), ..Login::default() };
        match held(&self.server.logins).insert(name.to_lowercase(), login) {
            Some(_) => Err(fail(15025, format!("The server principal '{name}' already exists."))),
            None => Ok(()),
        }
    }

    pub fn drop_login(&self, name: &str) -> Result<(), SqlError> {
        self.need_sysadmin()?;
        held(&self.server.logins)
            .remove(&name.to_lowercase())
            .map(|_| ())
            .ok_or_else(|| missing("login", name))
    }

    pub fn create_user(&self, name: &str, login: &str) -> Result<(), SqlError> {
        self.need_sysadmin()?;
        if !held(&self.server.logins).contains_key(&login.to_lowercase()) {
            return Err(fail(
                15007,
                format!("'{login}' is not a valid login or you do not have permission."),
            ));
        }
        let user = Principal { name: name.to_owned(), login: login.to_owned(), ..Principal::default() };
        match self.database.state().principals.insert(name.to_lowercase(), user) {
            Some(_) => Err(fail(
                15023,
                format!("User, group, or role '{name}' already exists in the current database."),
            )),
            None => Ok(()),
        }
    }

    pub fn drop_user(&self, name: &str) -> Result<(), SqlError> {
        self.need_sysadmin()?;
        let removed = self.database.state().principals.remove(&name.to_lowercase());
        removed.map(|_| ()).ok_or_else(|| missing("user", name))
    }

    pub fn role_member(&self, server: bool, role: &str, member: &str, add: bool) -> Result<(), SqlError> {
        self.need_sysadmin()?;
        let (role, key) = (role.to_lowercase(), member.to_lowercase());
        if server {
            let mut logins = held(&self.server.logins);
            let login = logins.get_mut(&key).ok_or_else(|| missing("login", member))?;
            if role != "sysadmin" {
                return Err(missing("server role", &role));
            }
            login.sysadmin = add;
            return Ok(());
        }
        if self.in_role(&role).is_none() {
            return Err(missing("role", &role));
        }
        let mut state = self.database.state();
        let user = state.principals.get_mut(&key).ok_or_else(|| missing("user", member))?;
        if add {
            user.roles.insert(role);
        } else {
            user.roles.remove(&role);
        }
        Ok(())
    }

    /// GRANT, DENY and REVOKE, on an object (its key), on the database (empty), or on the server.
    pub fn grant(
        &self,
        verb: GrantVerb,
        rights: &[String],
        object: &str,
        to: &[String],
    ) -> Result<(), SqlError> {
        const OF_SERVER: [&str; 4] = [
            "VIEW SERVER STATE",
            "VIEW ANY DEFINITION",
            "VIEW ANY DATABASE",
            "VIEW SERVER PERFORMANCE STATE",
        ];
        self.need_sysadmin()?;
        for name in to {
            let key = name.to_lowercase();
            for right in rights {
                if object.is_empty() && OF_SERVER.contains(&right.as_str()) {
                    let mut logins = held(&self.server.logins);
                    let login = logins.get_mut(&key).ok_or_else(|| missing("login", name))?;
                    if verb == GrantVerb::Grant {
                        login.rights.insert(right.clone());
                    } else {
                        login.rights.remove(right);
                    }
                    continue;
                }
                let mut state = self.database.state();
                let user = state.principals.get_mut(&key).ok_or_else(|| missing("user", name))?;
                let pair = (right.clone(), object.to_owned());
                user.grants.remove(&pair);
                user.denials.remove(&pair);
                match verb {
                    GrantVerb::Grant => user.grants.insert(pair),
                    GrantVerb::Deny => user.denials.insert(pair),
                    GrantVerb::Revoke => true,
                };
            }
        }
        Ok(())
    }
}
