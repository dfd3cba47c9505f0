//! The words of a rule file that are lists of their own: work items, severities, repair levels, effects.

/// An enum of words, each with its spelling in files.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$of])* #[serde(rename = $text)] $variant),+
        }

        impl $name {
            /// Every one, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As it is spelled in files.
            pub fn text(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }

            /// The one of that spelling.
            pub fn named(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.text() == text)
            }
        }
    };
}

words! {
    /// The seven kinds of cleaning, in the order in which they run (RULES 3).
    Item {
        Garbage = "garbage",
        Restore = "restore",
        Correct = "correct",
        Fill = "fill",
        Complete = "complete",
        Ledger = "ledger",
        Merge = "merge",
    }
}

words! {
    /// How bad a finding is (reference 5).
    Severity {
        Blocks = "B",
        Error = "E",
        Warning = "W",
        Info = "I",
    }
}

words! {
    /// Who may repair it (reference 5); the first is the strongest.
    Repair {
        /// In the same run, with a record.
        Automatic = "A0",
        /// When its batch is approved.
        Proposed = "A1",
        /// By a clerk's decision.
        Verified = "V",
        /// By the province's.
        Province = "P",
        /// Not by qianyi.
        Never = "N",
    }
}

words! {
    /// What a rule does with the rows that it finds.
    Effect {
        None = "none",
        Change = "change",
        Add = "add",
        Exclude = "exclude",
        Merge = "merge",
    }
}

words! {
    /// What becomes of a column when rows are merged: the survivor's empty field is filled from its donors, and of two values …
    FieldMerge {
        /// … none is chosen: people decide.
        List = "list",
        /// … the survivor's stands.
        Keep = "keep",
        /// … that of the row which is trusted most stands.
        Best = "best",
        /// … none is chosen, nor is an empty field filled: INV-06.
        Never = "never",
    }
}

words! {
    /// What became of a finding in its run.
    Outcome {
        Repaired = "repaired",
        Proposed = "proposed",
        ToVerify = "to_verify",
        ToProvince = "to_province",
        Noted = "noted",
    }
}

words! {
    /// What became of a finding from one round to the next (docs/rounds.md).
    FindingState {
        /// No round before had it.
        New = "new",
        /// The round before had it, too.
        Open = "open",
        /// Its rule looked for it in this round, or an earlier one, and it was gone.
        Fixed = "fixed",
        /// Fixed once, and found again (前清后错); so until it is fixed again.
        Reopened = "reopened",
        /// Found, and people have said that it is so and stays, until a day (情况属实无需更正).
        Waived = "waived",
    }
}

words! {
    /// The sections of the office that answer for findings (reference 5).
    Department {
        Planning = "综合",
        Pension = "养老",
        Unemployment = "失业",
        Service = "经办",
        Information = "信息",
        Audit = "审计",
    }
}

impl Effect {
    /// Whether it is about whole rows, not about fields.
    pub fn is_of_rows(self) -> bool {
        match self {
            Self::Add | Self::Exclude | Self::Merge => true,
            Self::None | Self::Change => false,
        }
    }
}

impl Outcome {
    /// Whether somebody still has to do with it.
    pub fn is_open(self) -> bool {
        match self {
            Self::Repaired => false,
            Self::Proposed | Self::ToVerify | Self::ToProvince | Self::Noted => true,
        }
    }
}
