//! Mistakes that people make, one command each: what the binary says and how it ends, in both languages.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::copy_folder;
use crate::support::demo::city;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn qianyi(work: &Path, lang: &str, arguments: &[String]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qianyi"));
    for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("QIANYI_") || n == "YLBX_PASSWORD") {
        command.env_remove(name);
    }
    command.args(["--lang", lang, "--quiet", "--workdir"]).arg(work).args(arguments).current_dir(root());
    let locale = if lang == "zh" { "zh_CN.UTF-8" } else { "C.UTF-8" };
    command.env("NO_COLOR", "1").env("LC_ALL", locale).output().unwrap()
}

/// A folder with a small city, a finished run over it, and files with a mistake each.
struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        city(dir.path(), 20, 3);
        let bench = Self { dir };
        let own = whoami::username().unwrap();
        let people = format!(
            "[[people]]\nname = \"张经办\"\naccount = \"{own}\"\nroles = [\"handler\", \"approver\"]\n\
             [[schedule]]\nname = \"night\"\ncron = \"0 1 * * *\"\njob = \"run\"\n"
        );
        bench.config("good", &people);
        let ran =
            qianyi(&bench.path("done"), "en", &["--config".into(), bench.text("good.toml"), "run".into()]);
        // A city so small lacks a table or two: blocked.
        assert_eq!(ran.status.code(), Some(3), "{}", String::from_utf8_lossy(&ran.stderr));
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn file(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.text(name)
    }

    /// A configuration over the small city, with more to it.
    fn config(&self, name: &str, more: &str) -> String {
        let source =
            "[[sources]]\nid = \"ylbx\"\nkind = \"sqlite\"\npath = \"ylbx.db\"\nencoding = \"gbk\"\n";
        self.plain(name, &format!("{source}{more}"))
    }

    /// A configuration without a source.
    fn plain(&self, name: &str, more: &str) -> String {
        let mappings = root().join("mappings").display().to_string();
        self.file(&format!("{name}.toml"), &format!("mappings = \"{mappings}\"\ncity = \"baicheng\"\n{more}"))
    }

    /// A configuration over mappings of which one file was edited.
    fn mapped(&self, name: &str, file: &str, from: &str, to: &str) -> String {
        let mappings = self.path(name);
        copy_folder(&root().join("mappings"), &mappings);
        let text = std::fs::read_to_string(mappings.join(file)).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        std::fs::write(mappings.join(file), text.replacen(from, to, 1)).unwrap();
        let source =
            "[[sources]]\nid = \"ylbx\"\nkind = \"sqlite\"\npath = \"ylbx.db\"\nencoding = \"gbk\"\n";
        self.file(&format!("{name}.toml"), &format!("mappings = \"{name}\"\ncity = \"baicheng\"\n{source}"))
    }

    /// A configuration whose one rule has a mistake.
    fn ruled(&self, name: &str, from: &str, to: &str) -> String {
        let folder = self.path(name).join("rules/fill");
        std::fs::create_dir_all(&folder).unwrap();
        let rule = std::fs::read_to_string(root().join("sql/rules/fill/FIL-01.sql")).unwrap();
        assert!(rule.contains(from), "{from}");
        std::fs::write(folder.join("FIL-01.sql"), rule.replace(from, to)).unwrap();
        std::fs::copy(root().join("sql/rules/fill/FIL-01.case"), folder.join("FIL-01.case")).unwrap();
        let mappings = root().join("mappings").display().to_string();
        self.file(
            &format!("{name}.toml"),
            &format!("mappings = \"{mappings}\"\ncity = \"baicheng\"\nrules = \"{name}\"\n"),
        )
    }

    /// Mistakes in the configuration.
    fn configurations(&self) -> Vec<Vec<String>> {
        let absent = self.text("absent");
        let city = self.file(
            "city.toml",
            &format!("mappings = \"{}\"\ncity = \"baichen\"\n", root().join("mappings").display()),
        );
        [
            (self.text("absent.toml"), "run"),
            (self.file("nocity.toml", "memory = \"1GiB\"\n"), "run"),
            (self.plain("key", "cty = \"baicheng\"\nmemroy = \"1GiB\"\n"), "run"),
            (self.file("toml.toml", "city = baicheng\n"), "plan"),
            (self.file("nomappings.toml", &format!("mappings = \"{absent}\"\ncity = \"baicheng\"\n")), "plan"),
            (city, "plan"),
            (self.plain("memory", "memory = \"a lot\"\n"), "run"),
            (self.plain("day", "as_of = \"31.5.2021\"\n"), "run"),
            (self.config("twice", "[[sources]]\nid = \"ylbx\"\nkind = \"sqlite\"\npath = \"b.db\"\n"), "run"),
            (
                self.plain(
                    "standing",
                    "[[standing]]\nrule = \"FIX-02\"\nlimit = 10\nuntil = \"2030-12-31\"\naccount = \"nobody-here\"\n",
                ),
                "run",
            ),
            (self.plain("cron", "[[schedule]]\nname = \"night\"\ncron = \"61 1 * * *\"\njob = \"run\"\n"), "schedule"),
            (self.plain("notify", "[notify]\nform = \"jsn\"\nmail = [\"a b\"]\nwebhook = \"hook\"\n"), "run"),
            (self.plain("keep", "[keep]\nruns = 3\nlogs = { days = 0 }\npackages = {}\n"), "prune"),
            (
                self.plain("people", "[[people]]\nname = 7\naccount = \"a\"\nroles = [\"boss\"]\n[limits]\naccepted_min = 101\n"),
                "run",
            ),
            (
                self.plain("cutover", "[cutover]\napprovals = 0\napprovers = 1\nblocking = 2\n[staging]\nschema = \"A B\"\n"),
                "cutover check",
            ),
            (
                self.plain("known", "[[known_difference]]\nboundary = \"x\"\namount = \"0\"\nuntil = \"soon\"\nbasis = \"\"\n"),
                "run",
            ),
            (self.plain("acknowledged", "[[acknowledged]]\nwhat = \"x\"\nby = \"\"\n[[schedule]]\nname = \"a b\"\n"), "run"),
            (
                self.plain("server", "time_zone = \"Asia/Shangai\"\n[[sources]]\nid = \"y x\"\nkind = \"postgres\"\n[sources.server]\nport = 0\n"),
                "extract",
            ),
            (self.config("unknown", "[sources.tables.NOSUCH]\nencoding = \"gbk\"\n"), "extract"),
            (self.config("outside", "[references]\nnothing = \"list.csv\"\n"), "run"),
            (self.config("blank", "[references]\npolice = \"absent.csv\"\n"), "run"),
            (self.plain("nojobs", ""), "schedule"),
            (self.plain("nosource", ""), "run"),
            (self.plain("nokeep", ""), "prune"),
        ]
        .map(|(config, command)| {
            let words = command.split(' ').map(str::to_owned);
            ["--config".to_owned(), config].into_iter().chain(words).collect()
        })
        .to_vec()
    }

    /// Mistakes in mapping, national schema and rules.
    fn files(&self) -> Vec<Vec<String>> {
        [
            (self.mapped("column", "baicheng/AC01.toml", "d.XM\"", "d.XMM\""), "plan"),
            (
                self.mapped("parse", "baicheng/sources/GRJBXX.toml", "parse = \"date\"", "parse = \"dat\""),
                "plan",
            ),
            (self.mapped("source", "baicheng/sources/QFXX.toml", "\"ylbx\"", "\"yanglao\""), "plan"),
            (self.mapped("zeros", "baicheng/codes/MZ.csv", "\n01,01,", "\n01,1,"), "plan"),
            (self.mapped("shape", "baicheng/AC01.toml", "shape = \"row\"", "shape = \"rows\""), "plan"),
            (self.mapped("function", "baicheng/AC01.toml", "\"d.XM\"", "\"upperr(d.XM) || x.XM\""), "plan"),
            (self.mapped("generation", "baicheng/sources/GRJBXX.toml", "generation", "generaton"), "plan"),
            (self.mapped("national", "national/AC01.toml", "type = \"date\"", "type = \"dat\""), "plan"),
            (self.mapped("severity", "national/rules.csv", ",B,", ",Q,"), "plan"),
            (self.mapped("comma", "baicheng/codes/MZ.csv", "\n01,01,", "\n01，01,"), "plan"),
            (self.ruled("department", "-- department:", "-- departmnt:"), "rules list"),
            (self.ruled("float", "SELECT p._key", "SELECT 1e0 * 2 AS AAC004, p._key"), "rules list"),
            (self.ruled("norule", "AAC003, ''", "AAC03, ''"), "rules list"),
            (self.ruled("header", "-- severity: B", "-- severty: B"), "rules list"),
            (self.ruled("badsql", "SELECT p._key", "SELEC p._key"), "rules list"),
            (self.text("good.toml"), "rules show FIX-99"),
            (self.mapped("norules", "baicheng/city.toml", "\n", "\n"), "rules list"),
        ]
        .map(|(config, command)| {
            let words = command.split(' ').map(str::to_owned);
            ["--config".to_owned(), config].into_iter().chain(words).collect()
        })
        .to_vec()
    }

    /// Sources that do not answer.
    fn sources(&self) -> Vec<Vec<String>> {
        let server = |kind: &str, more: &str| {
            format!(
                "[[sources]]\nid = \"ylbx\"\nkind = \"{kind}\"\n[sources.limits]\nretries = 0\n[sources.server]\nhost = \"/nowhere\"\n\
                 database = \"ylbx\"\nuser = \"qianyi\"\nconnect_seconds = 1\n{more}"
            )
        };
        let sqlite =
            |path: &str| format!("[[sources]]\nid = \"ylbx\"\nkind = \"sqlite\"\npath = \"{path}\"\n");
        let text = "no database, but long enough to have a header of its own: one hundred bytes and some more of them.";
        self.file("text.db", text);
        [
            ("nodb", sqlite("nowhere.db")),
            ("folder", sqlite(".")),
            ("text", sqlite("text.db")),
            ("socket", server("postgres", "tls = \"off\"\n")),
            ("noenv", server("postgres", "tls = \"off\"\npassword_env = \"YLBX_PASSWORD\"\n")),
            ("nofile", server("sqlserver", "password_file = \"no-such-file\"\n")),
        ]
        .map(|(name, more)| vec!["--config".to_owned(), self.plain(name, &more), "extract".to_owned()])
        .to_vec()
    }

    /// Names of runs, rows, batches, files and folders that are not there.
    fn names(&self) -> Vec<Vec<String>> {
        let (text, folder) = (self.text("text.db"), self.dir.path().display().to_string());
        let book = self.file("book.toml", "title = \"切换\"\n[[step]]\nno = \"1\"\n");
        let list = self.file("list.csv", "a,b\n1,2\n");
        let commands: [&[&str]; 25] = [
            &["run", "--ful"],
            &["rnu"],
            &["approve", "--yes"],
            &["findings", "--state", "old"],
            &["demo", "--rounds", "99"],
            &["list", "merges", "--set", "seed=1"],
            &["report", "r0099"],
            &["reconcile", "--against", "r0099"],
            &["run", "--extract", "e0009"],
            &["logs", "r0099"],
            &["dry-run", "--run", "r0099"],
            &["approve", "FIX-99", "--yes", "--reason", "x"],
            &["approve", "--undo", "b9999"],
            &["worklist", "import", "no-such-list.xlsx"],
            &["worklist", "import", &text],
            &["worklist", "import", &list],
            &["package", "build"],
            &["package", "verify"],
            &["package", "verify", &folder],
            &["rules", "score", "--truth", &text],
            &["cutover", "runbook", &book, "--html", &format!("{folder}/book.html")],
            &["schedule", "install", "--user", "a b"],
            &["init", &folder, "--city", "../x"],
            &["fixture", "--persons", "0", "--into", &format!("sqlite:{folder}/new.db")],
            &["fixture", "--persons", "5", "--into", &format!("sqlite:{text}")],
        ];
        let good = self.text("good.toml");
        let full = |c: &&[&str]| {
            ["--config", &good].iter().chain(c.iter()).map(|word| (*word).to_owned()).collect::<Vec<_>>()
        };
        let mut all: Vec<Vec<String>> = commands.iter().map(full).collect();
        all.push(vec!["fixture".to_owned(), "--into".to_owned(), "oracle:x".to_owned()]);
        all
    }

    /// Each command with the work directory that it is given in.
    fn mistakes(&self) -> Vec<(PathBuf, Vec<String>)> {
        let at = |work: &str, all: Vec<Vec<String>>| {
            let work = self.path(work);
            all.into_iter().map(move |arguments| (work.clone(), arguments)).collect::<Vec<_>>()
        };
        let mut all = at("new", self.configurations());
        all.extend(at("new", self.files()));
        all.extend(at("new", self.sources()));
        all.extend(at("done", self.names()));
        std::fs::create_dir(self.path("broken")).unwrap();
        std::fs::write(
            self.path("broken/state.db"),
            "no database, whatever its name says; one hundred bytes of it, and more than that.",
        )
        .unwrap();
        all.extend(at("broken", vec![vec!["status".to_owned()]]));
        all.extend(at("new", vec![vec!["report".to_owned()]]));
        all
    }

    /// A text without what differs from machine to machine.
    fn stable(&self, text: &str) -> String {
        // Where a line is broken depends on the length of a path.
        let text = text.replace("\n  │ ", " ").replace(&self.dir.path().display().to_string(), "DIR");
        let text = text.replace(&root().display().to_string(), "ROOT");
        text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }

    /// The command line, its status, and what it says.
    fn told(&self, lang: &str) -> Vec<String> {
        let each = |(work, arguments): (PathBuf, Vec<String>)| {
            let said = qianyi(&work, lang, &arguments);
            let status = said.status.code().unwrap_or(-1);
            let text = [said.stderr, said.stdout].map(|t| String::from_utf8(t).unwrap()).concat();
            self.stable(&format!("qianyi {}\n{status}\n{}", arguments.join(" "), text.trim_end()))
        };
        self.mistakes().into_iter().map(each).collect()
    }
}

fn has_chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c))
}

/// Behind these come the words of a parser or of the system, which are English.
const QUOTES: [&str; 6] = ["有误：", "cron 表达式：", "的一行：", "条件：", "无法读取：", "无法读取文件："];

/// Texts with the words of the system or of a parser in them.
const QUOTING: [&str; 2] = ["REP-004", "WKL-001"];

/// Lines that are ours, all of them: no cause, which is somebody else's words, and no frame around a place of the user's file.
fn ours(text: &str) -> impl Iterator<Item = &str> {
    text.lines().skip(2).filter(|line| {
        let line = line.trim_start();
        let cause = ["原因:", "cause:", "at line ", "in `"].iter().any(|start| line.starts_with(start));
        !cause
            && !line
                .trim_start_matches(|c: char| c.is_ascii_digit())
                .trim_start()
                .starts_with(['│', '·', '╭', '╰'])
    })
}

/// Four words of English in a row, outside of what is to be typed, of lists of keys, and of quoted words.
fn english(line: &str) -> bool {
    if QUOTING.iter().any(|code| line.contains(code)) {
        return false;
    }
    let line = QUOTES.iter().fold(line, |line, mark| line.split(mark).next().unwrap_or(line));
    let outside: String = line.split('`').step_by(2).collect();
    let mut row = 0;
    outside.split(' ').any(|word| {
        let is_word = !word.is_empty()
            && word.trim_end_matches([',', '.', ':', ';']).bytes().all(|b| b.is_ascii_lowercase());
        row = if is_word { row + 1 } else { 0 };
        let sentence = row >= 4;
        row *= usize::from(!word.ends_with([',', ';']));
        sentence
    })
}

#[test]
fn mistakes_are_told_in_the_language_that_was_asked_for_and_as_json() {
    let bench = Bench::new();
    let en = bench.told("en");
    std::fs::remove_dir_all(bench.path("broken")).unwrap();
    let zh = bench.told("zh");
    assert!(en.len() >= 40, "{}", en.len());
    insta::assert_snapshot!("en", en.join("\n--------\n\n"));
    insta::assert_snapshot!("zh", zh.join("\n--------\n\n"));
    for (en, zh) in en.iter().zip(&zh) {
        let head = |text: &str| text.lines().take(2).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(head(en), head(zh), "one status");
        // What the parser refuses it tells itself, in English.
        let own = en.contains("\nerror ") && en.contains("\nhint: ");
        assert!(own || en.contains("\nerror: "), "{en}");
        if let Some(line) = ours(en).find(|line| has_chinese(line)) {
            panic!("{line}\n{en}");
        }
        let own = |line: &&str| ["错误", "建议"].iter().any(|w| line.trim_start().starts_with(w));
        if let Some(line) = ours(zh).find(|line| english(line) || (own(line) && !has_chinese(line))) {
            panic!("{line}\n{zh}");
        }
    }
    an_error_as_json(&bench);
}

/// What is told where nothing fails, or by a command that shows what it found: no mistake of the person who asked.
#[test]
fn what_was_found_is_told_in_the_language_that_was_asked_for() {
    let bench = Bench::new();
    let bag = bench.path("bag");
    std::fs::create_dir_all(bag.join("data")).unwrap();
    std::fs::write(bag.join("bagit.txt"), "BagIt-Version: 0.97\n").unwrap();
    std::fs::write(bag.join("manifest-sha256.txt"), format!("{}  data/a\n{0}  ../b\nnone\n", "0".repeat(64)))
        .unwrap();
    std::fs::write(bag.join("data/tables.json"), "{}").unwrap();
    let odd = "BEGIN; UPDATE GRJBXX SET CSRQ = x'00ff' WHERE rowid = 1; COMMIT";
    rusqlite::Connection::open(bench.path("ylbx.db")).unwrap().execute_batch(odd).unwrap();
    let good = bench.text("good.toml");
    let bag = bag.display().to_string();
    for lang in ["en", "zh"] {
        for arguments in [
            vec!["doctor"],
            vec!["status"],
            vec!["package", "verify", &bag],
            vec!["package", "build", "--allow-blocked"],
            vec!["verify"],
            vec!["audit", "verify"],
        ] {
            let words = ["--config", &good].into_iter().chain(arguments.iter().copied()).map(str::to_owned);
            let said = qianyi(&bench.path("done"), lang, &words.collect::<Vec<_>>());
            let text = [said.stderr, said.stdout].map(|t| String::from_utf8(t).unwrap()).concat();
            let text = bench.stable(&format!("{arguments:?}\n{:?}\n{text}", said.status.code()));
            let wrong = |line: &&str| if lang == "en" { has_chinese(line) } else { english(line) };
            if let Some(line) = ours(&text).find(wrong) {
                panic!("{line}\n{text}");
            }
        }
    }
}

/// Under `--json` the same is one document on standard output.
fn an_error_as_json(bench: &Bench) {
    for (arguments, status, code) in [
        (vec!["report", "r0099"], 2, "RUN-003"),
        (vec!["package", "build"], 3, "PKG-001"),
        (vec!["rules", "show", "FIX-99"], 2, "CLI-003"),
        (vec!["no-such-command"], 2, "CLI-004"),
    ] {
        let good = bench.text("good.toml");
        let words = ["--json", "--config", &good].into_iter().chain(arguments).map(str::to_owned);
        let said = qianyi(&bench.path("done"), "zh", &words.collect::<Vec<_>>());
        let document: Value = serde_json::from_slice(&said.stdout).unwrap_or_else(|e| panic!("{code}: {e}"));
        assert_eq!(String::from_utf8(said.stderr).unwrap(), "", "{code}");
        assert_eq!(said.status.code(), Some(status), "{document}");
        assert_eq!(
            (&document["version"], &document["status"], &document["code"]),
            (&1.into(), &status.into(), &code.into())
        );
        assert!(document["message"].as_str().is_some_and(has_chinese), "{document}");
        assert!(document["hint"].as_str().is_some_and(has_chinese), "{document}");
    }
    // Causes, and each mistake of a file with its line.
    let json = |config: &str, command: &str| -> Value {
        let words = ["--json", "--config", &bench.text(config), command].map(str::to_owned);
        serde_json::from_slice(&qianyi(&bench.path("new"), "en", &words).stdout).unwrap()
    };
    let document = json("key.toml", "run");
    let mistakes: Vec<_> = document["mistakes"].as_array().unwrap().iter().map(|m| &m["line"]).collect();
    assert_eq!(mistakes, [&Value::from(3), &Value::from(4)], "{document}");
    assert_eq!(document["mistakes"][0]["file"], bench.text("key.toml"));
    assert!(document["mistakes"][0]["hint"].as_str().unwrap().contains("did you mean `city`"));
    let document = json("absent.toml", "run");
    assert!(document["causes"][0].as_str().unwrap().contains("No such file"), "{document}");
}
