//! Help in Chinese: the parser's own table with the texts of messages/help.toml.
//!
//! Always: every command and every option has its text there, and every text its command (a test). English help, manual pages and
//! completions are as the parser makes them.

use std::collections::BTreeMap;

use clap::builder::Resettable;
use clap::{Arg, Command, CommandFactory};
use qianyi::messages::Lang;

use super::args::Cli;
use super::context;

const TEXTS: &str = include_str!("../../messages/help.toml");
/// The name of the program, under which its own texts stand.
const ROOT: &str = "qianyi";
/// The section of what is the same for several commands.
const COMMON: &str = "common";
const TEMPLATE: &str = "{before-help}{about-with-newline}\n用法：{usage}\n\n{all-args}{after-help}";

/// Command, option, text.
type Texts = BTreeMap<String, BTreeMap<String, String>>;

/// The language that the command line or the environment names, else the locale's: help is printed before a configuration is read.
pub fn lang() -> Lang {
    let mut words = std::env::args().skip_while(|word| word != "--lang" && !word.starts_with("--lang="));
    let given = match words.next().as_deref().and_then(|word| word.strip_prefix("--lang=")) {
        Some(lang) => Some(lang.to_owned()),
        None => words.next(),
    };
    match given.or_else(|| std::env::var("QIANYI_LANG").ok()).as_deref() {
        Some("zh") => Lang::Zh,
        Some("en") => Lang::En,
        Some(_) | None => context::locale(),
    }
}

/// The parser, with its help in a language.
pub fn parser(lang: Lang) -> Command {
    match lang {
        Lang::En => Cli::command(),
        Lang::Zh => {
            let mut all = Cli::command();
            // What the parser adds by itself (--help, the command help) is there only then.
            all.build();
            chinese(all, ROOT, &texts())
        }
    }
}

fn texts() -> Texts {
    // A test reads it: it is part of the program.
    toml::from_str(TEXTS).unwrap_or_default()
}

fn text<'t>(texts: &'t Texts, path: &str, key: &str) -> Option<&'t String> {
    let own = texts.get(path).and_then(|of| of.get(key));
    own.or_else(|| texts.get(COMMON).and_then(|of| of.get(key)))
}

/// The path of a command under another one.
fn below(path: &str, name: &str) -> String {
    if path == ROOT { name.to_owned() } else { format!("{path} {name}") }
}

fn chinese(command: Command, path: &str, texts: &Texts) -> Command {
    let mut command = command
        .help_template(TEMPLATE)
        .subcommand_help_heading("命令")
        .mut_args(|arg| argument(arg, path, texts))
        .mut_subcommands(|under| match under.get_name() {
            // The command help repeats those beside it.
            "help" => chinese(under, path, texts).about("显示帮助，或某条命令的帮助"),
            name => {
                let path = below(path, name);
                chinese(under, &path, texts)
            }
        });
    if let Some(about) = text(texts, path, "about") {
        command = command.about(about).long_about(Resettable::Reset);
    }
    if let Some(after) = text(texts, path, "after") {
        command = command.after_help(after);
    }
    command
}

fn argument(arg: Arg, path: &str, texts: &Texts) -> Arg {
    let Some(mut help) = text(texts, path, arg.get_id().as_str()).cloned() else { return arg };
    let mut more = |what: &str, values: Vec<String>| {
        if !values.is_empty() {
            help.push_str(&format!("［{what}：{}］", values.join("、")));
        }
    };
    if arg.get_action().takes_values() {
        more("默认", arg.get_default_values().iter().map(|v| v.to_string_lossy().into_owned()).collect());
        more("可选", arg.get_possible_values().iter().map(|v| v.get_name().to_owned()).collect());
        more("环境变量", arg.get_env().map(|v| v.to_string_lossy().into_owned()).into_iter().collect());
    }
    let heading = if arg.is_positional() { "参数" } else { "选项" };
    let arg = arg.hide_default_value(true).hide_possible_values(true).hide_env(true);
    arg.help(help).long_help(Resettable::Reset).help_heading(heading)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::{Command, CommandFactory};
    use qianyi::messages::Lang;

    use super::super::args::Cli;
    use super::{COMMON, ROOT, below, parser, texts};

    /// Every command with its path; not those of `help`, which repeat the others.
    fn walk<'c>(command: &'c Command, path: &str, take: &mut dyn FnMut(&str, &'c Command)) {
        take(path, command);
        for under in command.get_subcommands().filter(|c| c.get_name() != "help") {
            walk(under, &below(path, under.get_name()), take);
        }
    }

    #[test]
    fn every_command_and_option_has_its_chinese_text_and_every_text_its_command() {
        let texts = texts();
        let mut all = Cli::command();
        all.build();
        let mut used = BTreeSet::from([(ROOT.to_owned(), "after".to_owned())]);
        walk(&all, ROOT, &mut |path, command| {
            let options = command.get_arguments().map(|a| a.get_id().as_str());
            for key in options.chain(["about"]) {
                let mut sections = [path, COMMON].into_iter();
                let section = sections.find(|s| texts.get(*s).is_some_and(|of| of.contains_key(key)));
                let section = section.unwrap_or_else(|| panic!("{path}: {key} has no Chinese text"));
                used.insert((section.to_owned(), key.to_owned()));
            }
        });
        let known =
            texts.iter().flat_map(|(section, of)| of.keys().map(|key| (section.clone(), key.clone())));
        let stale: Vec<_> = known.filter(|text| !used.contains(text)).collect();
        assert_eq!(stale, [], "without a command or option");
    }

    #[test]
    fn chinese_help_has_no_english_sentence() {
        let chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
        let mut zh = parser(Lang::Zh);
        let mut paths = Vec::new();
        walk(&zh, ROOT, &mut |path, _| paths.push(path.to_owned()));
        for path in paths {
            let words: Vec<&str> = path.split(' ').filter(|word| *word != ROOT).collect();
            let found = words.iter().try_fold(&mut zh, |of, name| of.find_subcommand_mut(name)).unwrap();
            for text in [found.render_help().to_string(), found.render_long_help().to_string()] {
                assert!(chinese(&text), "{path}: {text}");
                for line in text.lines().filter(|line| !line.starts_with("用法：")) {
                    let lower = |w: &&str| w.len() > 1 && w.bytes().all(|b| b.is_ascii_lowercase());
                    let row: Vec<bool> = line.split(' ').map(|word| lower(&word)).collect();
                    assert!(!row.windows(3).any(|of| of == [true; 3]), "{path}: {line}");
                }
            }
        }
    }
}
