//! What the parser understands of T-SQL, as a tree.
//!
//! Always: everything that a node holds is acted upon; what the engine would ignore, the parser refuses.

use super::types::Written;

#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    Null,
    /// Digits with or without a point, exactly as written.
    Number(String),
    Float(f64),
    Money(String),
    Text(String),
    National(String),
    Hex(Vec<u8>),
    Name(Vec<String>),
    /// `@@NAME`, in capitals.
    Global(String),
    Negative(Box<Expr>),
    Inverse(Box<Expr>),
    /// `+ - * / % & | ^`.
    Arithmetic(char, Box<Expr>, Box<Expr>),
    /// `= <> < <= > >=`.
    Compare(&'static str, Box<Expr>, Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    IsNull(Box<Expr>, bool),
    InList(Box<Expr>, Vec<Expr>, bool),
    InQuery(Box<Expr>, Box<Query>, bool),
    Between(Box<Expr>, Box<Expr>, Box<Expr>, bool),
    Like(Box<Expr>, Box<Expr>, Option<Box<Expr>>, bool),
    Exists(Box<Query>),
    Scalar(Box<Query>),
    Case {
        operand: Option<Box<Expr>>,
        arms: Vec<(Expr, Expr)>,
        other: Option<Box<Expr>>,
    },
    Cast {
        value: Box<Expr>,
        to: Written,
        style: Option<Box<Expr>>,
        attempt: bool,
    },
    Collate(Box<Expr>, String),
    Call {
        name: String,
        arguments: Vec<Expr>,
        distinct: bool,
        star: bool,
        over: Option<Over>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Over {
    pub partition: Vec<Expr>,
    pub order: Vec<(Expr, bool)>,
}

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    pub distinct: bool,
    pub top: Option<Box<Expr>>,
    pub items: Vec<Item>,
    pub from: Vec<From>,
    pub filter: Option<Box<Expr>>,
    pub group: Vec<Expr>,
    pub having: Option<Box<Expr>>,
    /// UNION ALL with further queries.
    pub more: Vec<Query>,
    /// The flag: descending.
    pub order: Vec<(Expr, bool)>,
    pub offset: Option<Box<Expr>>,
    pub fetch: Option<Box<Expr>>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// `*` or `t.*`.
    All(Option<String>),
    Expr(Expr, Option<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// The first table, and tables after a comma.
    Comma,
    Inner,
    Left,
    Cross,
}

#[derive(Debug, Clone, PartialEq)]
pub struct From {
    pub join: Join,
    pub source: Source,
    pub alias: Option<String>,
    pub on: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    Table(Vec<String>),
    Query(Box<Query>),
    /// `CHANGETABLE(CHANGES table, version)`.
    Changes(Vec<String>, Box<Expr>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDef {
    pub name: String,
    pub kind: Written,
    pub collation: Option<String>,
    pub nullable: Option<bool>,
    pub default: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct KeyDef {
    pub name: Option<String>,
    pub columns: Vec<(String, bool)>,
    pub primary: bool,
    pub unique: bool,
    pub constraint: bool,
    pub clustered: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    ReadCommitted,
    ReadUncommitted,
    Snapshot,
    /// Repeatable read and serializable: one state throughout.
    Repeatable,
}

#[derive(Debug, Clone, PartialEq)]
pub enum DatabaseOption {
    AllowSnapshot(bool),
    ReadCommittedSnapshot(bool),
    ReadOnly(bool),
    ChangeTracking(bool),
    /// Recovery model and the like: nothing to do here.
    Other,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Alter {
    Add(Vec<ColumnDef>),
    AddKey(KeyDef),
    DropColumn(String),
    DropConstraint(String),
    Column(ColumnDef),
    ChangeTracking(bool),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Statement {
    /// A setting without effect here.
    Ignored,
    Isolation(Isolation),
    LockTimeout(i64),
    Begin,
    Commit,
    Rollback,
    Use(String),
    Wait(u64),
    If(Expr, Box<Statement>, Option<Box<Statement>>),
    Block(Vec<Statement>),
    CreateDatabase {
        name: String,
        collation: Option<String>,
    },
    Snapshot {
        name: String,
        of: String,
    },
    /// RESTORE DATABASE … FROM DATABASE_SNAPSHOT.
    Revert {
        name: String,
        from: String,
    },
    DropDatabase {
        names: Vec<String>,
        maybe: bool,
    },
    AlterDatabase {
        name: String,
        option: DatabaseOption,
    },
    CreateTable {
        name: Vec<String>,
        columns: Vec<ColumnDef>,
        keys: Vec<KeyDef>,
    },
    CreateIndex {
        table: Vec<String>,
        key: KeyDef,
    },
    DropIndex {
        name: String,
        table: Vec<String>,
    },
    DropTable {
        names: Vec<Vec<String>>,
        maybe: bool,
        view: bool,
    },
    AlterTable {
        name: Vec<String>,
        change: Alter,
    },
    CreateView {
        name: Vec<String>,
        query: Box<Query>,
    },
    CreateSchema(String),
    /// sp_rename of a table.
    Rename {
        from: Vec<String>,
        to: String,
    },
    /// An alias type.
    CreateType {
        name: String,
        base: Written,
    },
    Truncate(Vec<String>),
    CreateLogin {
        name: String,
        password: String,
    },
    DropLogin(String),
    CreateUser {
        name: String,
        login: String,
    },
    DropUser(String),
    /// `server`: a server role.
    RoleMember {
        server: bool,
        role: String,
        member: String,
        add: bool,
    },
    /// `on`: an object; `None`: the database or the server.
    Grant {
        rights: Vec<String>,
        on: Option<Vec<String>>,
        to: Vec<String>,
        verb: GrantVerb,
    },
    Insert {
        table: Vec<String>,
        columns: Vec<String>,
        rows: Rows,
    },
    Update {
        table: Vec<String>,
        alias: Option<String>,
        set: Vec<(String, Expr)>,
        filter: Option<Expr>,
    },
    Delete {
        table: Vec<String>,
        alias: Option<String>,
        filter: Option<Expr>,
    },
    Select(Box<Query>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantVerb {
    Grant,
    Deny,
    Revoke,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Rows {
    /// `None` in a row: DEFAULT.
    Values(Vec<Vec<Option<Expr>>>),
    Query(Box<Query>),
}
