//! Whether the definition of a view or function asks who reads it: it may show two logins different rows.
//!
//! Always: comments do not count; what stands in a text does, since a text may be executed. `user`, which is an ordinary word as well,
//! counts only outside of texts and quoted names.
//! Must not know: any database. Which words ask, and how names are quoted, its callers say.

/// The bare form of `current_user`.
const USER: &str = "user";

/// What a database calls the login and its session, and what its quoted names stand between.
pub(super) struct Dialect {
    pub(super) words: &'static [&'static str],
    pub(super) quotes: &'static [(char, char)],
}

/// The first word of a definition that asks who reads it.
pub(super) fn asks(definition: &str, dialect: &Dialect) -> Option<String> {
    let mut rest = definition.chars().peekable();
    // What ends the text or quoted name that we are in.
    let mut closes: Option<char> = None;
    let mut word = String::new();
    loop {
        let next = rest.next();
        if let Some(c) = next.filter(|c| in_word(*c)) {
            word.push(c.to_ascii_lowercase());
            continue;
        }
        let found = std::mem::take(&mut word);
        if dialect.words.contains(&found.as_str()) || (found == USER && closes.is_none()) {
            return Some(found);
        }
        let c = next?;
        match closes {
            Some(end) if c == end => closes = None,
            Some(_) => {}
            None if c == '\'' => closes = Some(c),
            None if c == '-' && rest.peek() == Some(&'-') => {
                rest.by_ref().find(|c| *c == '\n')?;
            }
            None if c == '/' && rest.peek() == Some(&'*') => {
                let mut before = ' ';
                rest.by_ref().find(|c| std::mem::replace(&mut before, *c) == '*' && *c == '/')?;
            }
            None => closes = dialect.quotes.iter().find(|(open, _)| *open == c).map(|(_, close)| *close),
        }
    }
}

/// Whether a definition names something, in any case.
pub(super) fn names(definition: &str, name: &str) -> bool {
    let (definition, name) = (definition.to_lowercase(), name.to_lowercase());
    let alone = |(at, _): (usize, &str)| {
        let before = definition.get(..at).and_then(|t| t.chars().next_back());
        let after = definition.get(at + name.len()..).and_then(|t| t.chars().next());
        !before.is_some_and(in_word) && !after.is_some_and(in_word)
    };
    !name.is_empty() && definition.match_indices(&name).any(alone)
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '@')
}

#[cfg(test)]
mod tests {
    use super::{Dialect, asks, names};

    const DIALECT: Dialect =
        Dialect { words: &["current_user", "suser_sname"], quotes: &[('"', '"'), ('[', ']')] };

    #[test]
    fn a_definition_asks_who_reads_it_by_the_words_of_its_database() {
        for (definition, expected) in [
            ("SELECT x FROM t WHERE owner = CURRENT_USER", Some("current_user")),
            ("SELECT x FROM t WHERE owner=(SUSER_SNAME())", Some("suser_sname")),
            ("SELECT USER", Some("user")),
            ("EXECUTE 'SELECT current_user'", Some("current_user")),
            ("SELECT x FROM t -- not current_user\nWHERE y = 1", None),
            ("SELECT x /* not\n current_user **/ FROM t", None),
            ("SELECT x /* a */ , current_user FROM t", Some("current_user")),
            ("SELECT \"user\", [user], 'the user''s user' FROM user_t, t_user", None),
            ("SELECT 'a', user", Some("user")),
            ("SELECT current_users, xcurrent_user FROM t", None),
            ("-- only a comment", None),
            ("", None),
        ] {
            assert_eq!(asks(definition, &DIALECT).as_deref(), expected, "{definition}");
        }
    }

    #[test]
    fn a_name_counts_where_it_stands_alone() {
        assert!(names("SELECT * FROM dbo.[V 1] AS v", "v 1") && names("SELECT f(x)", "F"));
        assert!(!names("SELECT * FROM t_v, vt", "v") && !names("SELECT 1", ""));
        assert!(names("SELECT 张三.x FROM 张三", "张三"));
    }
}
