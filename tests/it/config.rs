//! Layers of settings: later wins, and every mistake names its layer and key.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use qianyi::config::{ConfigError, DemoLayer, Layers, Settings, demo_as_of, installed, lang, load};
use qianyi::report::Lang;

fn mappings() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings").display().to_string()
}

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A file that names the demo city.
    fn city(&self, more: &str) -> PathBuf {
        self.write(
            "city.toml",
            &format!("mappings = \"{}\"\ncity = \"baicheng\"\nas_of = \"2021-05-31\"\n{more}", mappings()),
        )
    }
}

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
}

fn settings(layers: &Layers) -> Settings {
    load(layers).unwrap_or_else(|e| panic!("{:?}", miette::Report::new(e)))
}

#[test]
fn a_password_in_a_wrong_place_is_not_shown() {
    let files = Files::new();
    let source = "[[sources]]\nid = \"ylbx\"\nkind = \"postgres\"\n[sources.server]\nhost = \"h\"\ndatabase = \"d\"\npassword = \"geheim 中\"\n";
    let city = files.city(source);
    let layers = Layers { files: vec![city], ..Layers::default() };
    let shown = format!("{:?}", miette::Report::new(load(&layers).unwrap_err()));
    assert!(shown.contains("password") && !shown.contains("geheim"), "{shown}");
}

#[test]
fn the_language_is_a_setting_and_options_are_no_unknown_variables() {
    let files = Files::new();
    let named = |text: &str| Layers { files: vec![files.city(text)], ..Layers::default() };
    assert_eq!(lang(&named("lang = \"zh\"\n")), Some(Lang::Zh));
    assert_eq!(lang(&named("")), None);
    let shown = format!("{:?}", miette::Report::new(load(&named("lang = \"cn\"\n")).unwrap_err()));
    assert!(shown.contains("`lang` cannot be `cn`"), "{shown}");
    let mut layers = named("");
    layers.environment = environment(&[("QIANYI_LANG", "zh"), ("QIANYI_WORKDIR", "w")]);
    settings(&layers);
}

#[test]
fn a_later_layer_wins() {
    let files = Files::new();
    let city = files.city("memory = \"512MiB\"\npartitions = 3\n");
    let later = files.write("later.toml", "memory = \"600MiB\"\n");
    let mut layers = Layers { files: vec![city.clone()], ..Layers::default() };
    assert_eq!((settings(&layers).memory, settings(&layers).partitions), (512 << 20, 3));
    layers.files.push(later);
    assert_eq!(settings(&layers).memory, 600 << 20);
    layers.environment =
        environment(&[("QIANYI_MEMORY", "700MiB"), ("QIANYI_PARTITIONS", "2"), ("HOME", "x")]);
    assert_eq!((settings(&layers).memory, settings(&layers).partitions), (700 << 20, 2));
    layers.memory = Some("1G".to_owned());
    assert_eq!(settings(&layers).memory, 1 << 30);
    // Without a number of streams, memory and processors decide.
    let plain = Layers { files: vec![files.city("memory = \"512MiB\"\n")], ..Layers::default() };
    assert_eq!(settings(&plain).partitions, 1);
}

#[test]
fn files_of_machine_and_account_lie_below_the_named_ones_and_above_the_default() {
    let files = Files::new();
    let root = files.0.path();
    let place = |folder: &str, text: &str| {
        std::fs::create_dir_all(root.join(folder).join("qianyi")).unwrap();
        files.write(&format!("{folder}/qianyi/qianyi.toml"), text)
    };
    let first = place("first", "memory = \"300MiB\"\n");
    let second = place("second", "memory = \"200MiB\"\npartitions = 5\n");
    let own = place("home/.config", "partitions = 7\nmetrics = \"q.prom\"\n");
    let given = |pairs: &[(&str, String)]| {
        let pairs: Vec<(String, String)> = pairs.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
        installed(&pairs)
    };
    let at = |folder: &str| root.join(folder).display().to_string();
    let dirs = format!("{}:relative:{}:{}", at("first"), at("second"), at("nowhere"));
    let all = given(&[("XDG_CONFIG_DIRS", dirs.clone()), ("HOME", at("home"))]);
    assert_eq!(all, [second.clone(), first.clone(), own.clone()]);
    // An own folder of configurations takes the place of ~/.config; one that is no absolute path counts as none.
    let elsewhere =
        [("XDG_CONFIG_DIRS", dirs.clone()), ("HOME", at("home")), ("XDG_CONFIG_HOME", at("first"))];
    assert_eq!(given(&elsewhere), [second, first.clone(), first]);
    assert_eq!(
        given(&[("XDG_CONFIG_DIRS", at("nowhere")), ("XDG_CONFIG_HOME", "home/.config".to_owned())]).len(),
        0
    );
    let empty =
        [("XDG_CONFIG_DIRS", at("nowhere")), ("HOME", at("home")), ("XDG_CONFIG_HOME", String::new())];
    assert_eq!(given(&empty), [own]);

    let mut layers = Layers { installed: all, files: vec![files.city("")], ..Layers::default() };
    let found = settings(&layers);
    assert_eq!((found.memory, found.partitions), (300 << 20, 7));
    assert_eq!(found.metrics, Some(root.join("home/.config/qianyi/q.prom")), "relative to its own file");
    layers.files.push(files.write("later.toml", "partitions = 2\n"));
    assert_eq!(settings(&layers).partitions, 2);
    // A mistake there has its file and line, as anywhere.
    place("home/.config", "\npartition = 7\n");
    let shown = format!("{:?}", miette::Report::new(load(&layers).unwrap_err()));
    assert!(shown.contains(".config/qianyi/qianyi.toml:2"), "{shown}");
}

#[test]
fn paths_are_relative_to_their_file_and_the_demo_needs_no_file() {
    let files = Files::new();
    let city = files
        .city("[[sources]]\nid = \"ylbx\"\nkind = \"sqlite\"\npath = \"db/old.db\"\nencoding = \"gbk\"\n");
    let found = settings(&Layers { files: vec![city], ..Layers::default() });
    assert_eq!(found.sources[0].path, files.0.path().join("db/old.db"));
    let demo = Layers {
        demo: Some(DemoLayer { database: PathBuf::from("elsewhere/x.db") }),
        environment: environment(&[("QIANYI_MAPPINGS", &mappings())]),
        ..Layers::default()
    };
    let found = settings(&demo);
    assert_eq!((found.city.as_str(), found.as_of), ("baicheng", Some(demo_as_of().unwrap())));
    assert_eq!(found.sources[0].path, PathBuf::from("elsewhere/x.db"));
}

#[test]
fn the_digest_covers_what_can_change_a_result_and_nothing_else() {
    let files = Files::new();
    let source = "[[sources]]\nid = \"ylbx\"\nkind = \"sqlite\"\npath = \"a.db\"\nencoding = \"gbk\"\n";
    let digest = |more: &str| settings(&Layers { files: vec![files.city(more)], ..Layers::default() }).digest;
    let plain = digest(source);
    assert_eq!(digest(&format!("memory = \"512MiB\"\npartitions = 2\n{source}")), plain);
    assert_eq!(digest(&source.replace("a.db", "b.db")), plain);
    assert_ne!(digest(&source.replace("gbk", "gb18030")), plain);
    assert_ne!(digest(&format!("{source}chunk_rows = 1000\n")), plain);
    // A zone decides about times with a zone in the source.
    assert_ne!(digest(&format!("{source}time_zone = \"Asia/Tokyo\"\n")), plain);
}

#[test]
fn a_source_without_a_time_zone_has_that_of_the_configuration_whichever_layer_says_it() {
    let files = Files::new();
    let source = |more: &str, id: &str| {
        format!("[[sources]]\nid = \"{id}\"\nkind = \"sqlite\"\npath = \"a.db\"\n{more}")
    };
    let own = source("time_zone = \"Asia/Urumqi\"\n", "sybx");
    let city = files.city(&format!("{}{own}", source("", "ylbx")));
    let mut layers = Layers { files: vec![city], ..Layers::default() };
    let zones = |layers: &Layers| {
        let found = settings(layers);
        let all = found.sources.iter().map(|s| s.time_zone.name());
        std::iter::once(found.time_zone.name()).chain(all).collect::<Vec<_>>()
    };
    assert_eq!(zones(&layers), ["Asia/Shanghai", "Asia/Shanghai", "Asia/Urumqi"]);
    layers.files.push(files.write("later.toml", "time_zone = \"Asia/Tokyo\"\n"));
    assert_eq!(zones(&layers), ["Asia/Tokyo", "Asia/Tokyo", "Asia/Urumqi"]);
    layers.environment = environment(&[("QIANYI_TIME_ZONE", "UTC"), ("TZ", "America/New_York")]);
    assert_eq!(zones(&layers), ["UTC", "UTC", "Asia/Urumqi"]);
    layers.environment = environment(&[("QIANYI_TIME_ZONE", "Beijing")]);
    assert!(
        load(&layers).unwrap_err().to_string().starts_with("QIANYI_TIME_ZONE sets `time_zone` to `Beijing`")
    );
    for (given, shown) in [
        ("\"Asia/Shanghia\"", "did you mean `Asia/Shanghai`"),
        ("\"+08:00\"", "no time zone `+08:00`"),
        ("8", "not a text in quotes"),
    ] {
        let file = files.write("bad.toml", &format!("time_zone = {given}\n"));
        let error = load(&Layers { files: vec![file], ..Layers::default() }).unwrap_err();
        let text = format!("{:?}", miette::Report::new(error));
        assert!(text.contains(shown), "{text}");
    }
}

#[test]
fn mistakes_name_their_layer_and_key() {
    let files = Files::new();
    let twice = files.city(
        &"[[sources]]\nid = \"ylbx\"\nkind = \"sqlite\"\npath = \"a.db\"\nencoding = \"gbk\"\n".repeat(2),
    );
    let fails = |layers: &Layers| load(layers).unwrap_err().to_string();
    assert!(
        fails(&Layers { files: vec![twice], ..Layers::default() }).contains("two sources have the id ylbx")
    );
    let city = files.city("");
    let with = |pairs: &[(&str, &str)]| Layers {
        files: vec![city.clone()],
        environment: environment(pairs),
        ..Layers::default()
    };
    assert!(fails(&with(&[("QIANYI_MEMORY", "much")])).starts_with("QIANYI_MEMORY sets `memory` to `much`"));
    assert!(
        fails(&with(&[("QIANYI_PARTITIONS", "0")])).starts_with("QIANYI_PARTITIONS sets `partitions` to `0`")
    );
    assert!(
        fails(&with(&[("QIANYI_AS_OF", "2021-02-30")]))
            .contains("`as_of` to `2021-02-30`, which is not a date")
    );
    assert!(matches!(load(&with(&[("QIANYI_MEMROY", "1G")])), Err(ConfigError::Variable { .. })));
    let option = Layers { memory: Some("1MiB".to_owned()), ..with(&[]) };
    assert!(fails(&option).starts_with("--memory sets `memory` to `1MiB`"));
}

proptest! {
    #[test]
    fn a_size_of_any_form_is_read_or_refused_and_never_panics(text in "[0-9]{0,22} ?[a-zA-Z]{0,4}") {
        let files = Files::new();
        let layers = Layers { files: vec![files.city("")], memory: Some(text.clone()), ..Layers::default() };
        match load(&layers) {
            Ok(found) => prop_assert!(found.memory >= 128 << 20),
            Err(e) => prop_assert!(e.to_string().starts_with("--memory"), "{}", e),
        }
    }
}

#[test]
fn an_acknowledgement_says_what_which_who_and_why_and_counts_for_the_digest() {
    let files = Files::new();
    let line = |reason: &str| {
        format!(
            "[limits]\naccepted_min = 75\n[[acknowledged]]\nwhat = \"empty_branch\"\nname = \"AC43/kx\"\nby = \"张三\"\nreason = \"{reason}\"\n"
        )
    };
    let with = |text: &str| settings(&Layers { files: vec![files.city(text)], ..Layers::default() });
    let (plain, one, other) = (with(""), with(&line("old years")), with(&line("new years")));
    assert_eq!((plain.expected.accepted_min, one.expected.accepted_min), (90, 75));
    let told = &one.expected.acknowledged[0];
    assert_eq!(
        (told.name.as_str(), told.by.as_str(), told.reason.as_str()),
        ("AC43/kx", "张三", "old years")
    );
    assert!(plain.digest != one.digest && one.digest != other.digest);
    let cases = [
        ("[limits]\naccepted_min = 101\n", "from 0 to 100"),
        ("[limits]\naccepted_min = \"90\"\n", "from 0 to 100"),
        ("[limits]\naccept_min = 9\n", "did you mean `accepted_min`?"),
        ("acknowledged = 1\n", "written [[acknowledged]]"),
        (
            "[[acknowledged]]\nwhat = \"empty_brunch\"\nname = \"a\"\nby = \"b\"\nreason = \"c\"\n",
            "did you mean `empty_branch`?",
        ),
        (
            "[[acknowledged]]\nwhat = \"code_list\"\nname = \"a\"\nby = \" \"\nreason = \"c\"\n",
            "`by` is empty",
        ),
        ("[[acknowledged]]\nwhat = \"code_list\"\nname = \"a\"\nby = \"b\"\n", "no `reason`"),
    ];
    for (text, expected) in cases {
        let error = load(&Layers { files: vec![files.city(text)], ..Layers::default() }).unwrap_err();
        let shown = format!("{:?}", miette::Report::new(error));
        assert!(shown.contains(expected), "{text}: {shown}");
    }
    let twice = line("a") + &line("b").replace("[limits]\naccepted_min = 75\n", "");
    let error = load(&Layers { files: vec![files.city(&twice)], ..Layers::default() }).unwrap_err();
    assert!(format!("{:?}", miette::Report::new(error)).contains("acknowledged twice"));
}

#[test]
fn a_known_difference_says_where_how_much_why_who_and_until_when_and_counts_for_the_digest() {
    let files = Files::new();
    let people = "[[people]]\nname = \"王科长\"\naccount = \"wang\"\nroles = [\"approver\"]\n\
                  [[people]]\nname = \"李\"\naccount = \"li\"\nroles = [\"operator\"]\n";
    let whole = "[[known_difference]]\nboundary = \"raw-mapped\"\ntable = \"ylbx.GRJFMX→AC43\"\nmeasure = \"fen:AAE020\"\n\
                 insurance = \"110\"\nperiod = \"200101\"\namount = \"-12.3\"\nbasis = \"财务科函〔2021〕3号\"\n\
                 account = \"wang\"\nuntil = \"2021-12-31\"\n";
    let text = |known: &str| format!("{people}{known}");
    let with = |known: &str| settings(&Layers { files: vec![files.city(&text(known))], ..Layers::default() });
    let (plain, one, other) = (with(""), with(whole), with(&whole.replace("-12.3", "-12.31")));
    let told = &one.expected.known[0];
    assert_eq!((told.amount, told.approver.as_str(), told.until.as_str()), (-1230, "王科长", "2021-12-31"));
    assert_eq!(other.expected.known[0].amount, -1231);
    assert!(plain.digest != one.digest && one.digest != other.digest);
    let rows = whole.replace("fen:AAE020", "rows").replace("-12.3", "12");
    assert_eq!(with(&rows).expected.known[0].amount, 12);
    for (from, to, expected) in [
        ("raw-mapped", "raw-maped", "did you mean `raw-mapped`?"),
        ("-12.3", "12.345", "not a difference of this measure"),
        ("-12.3", "0.00", "not a difference of this measure"),
        ("-12.3", "1,200", "not a difference of this measure"),
        ("\"-12.3\"", "-12.3", "`amount` is not a text in quotes"),
        ("fen:AAE020", "rows", "not a difference of this measure"),
        ("2021-12-31", "31.12.2021", "not a day"),
        ("basis = \"财务科函〔2021〕3号\"\n", "", "no `basis`"),
        ("财务科函〔2021〕3号", " ", "`basis` is empty"),
        ("until = \"2021-12-31\"\n", "", "no `until`"),
        ("account = \"wang\"", "account = \"li\"", "with the role approver"),
        ("account = \"wang\"", "account = \"zhao\"", "with the role approver"),
        ("basis = ", "reason = ", "there is no setting `reason`"),
    ] {
        let of = text(&whole.replace(from, to));
        let error = load(&Layers { files: vec![files.city(&of)], ..Layers::default() }).unwrap_err();
        let shown = format!("{:?}", miette::Report::new(error));
        assert!(shown.contains(expected), "{to}: {shown}");
    }
    let twice = text(&format!("{whole}{}", whole.replace("-12.3", "5")));
    let error = load(&Layers { files: vec![files.city(&twice)], ..Layers::default() }).unwrap_err();
    assert!(format!("{:?}", miette::Report::new(error)).contains("another known difference"));
}
