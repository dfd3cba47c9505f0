//! What nobody but the owner may see, and how work ends that is asked to: passwords, rights of files, signals.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::demo::city;

const PASSWORD: &str = "hunter2-geheim-9f";

/// `qianyi` over a configuration and a work directory.
fn qianyi(file: &Path, work: &Path, command: &[&str]) -> Command {
    let mut of = Command::new(env!("CARGO_BIN_EXE_qianyi"));
    for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("QIANYI_")) {
        of.env_remove(name);
    }
    of.arg("--config").arg(file).arg("--workdir").arg(work).args(["--lang", "en"]).args(command);
    of
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Every file below a folder, with the folders themselves.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut all = vec![folder.to_owned()];
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() { all.extend(below(&path)) } else { all.push(path) }
    }
    all
}

/// Where people have put a password: lines of `[sources.server]`, and what stands before them.
fn placements() -> Vec<(String, String)> {
    let server = "host = \"127.0.0.1\"\nport = 1\ndatabase = \"d\"\nuser = \"u\"\ntls = \"off\"\nconnect_seconds = 1\n";
    let with = |line: &str| {
        (String::new(), format!("[sources.server]\n{server}{line}\n").replace("SECRET", PASSWORD))
    };
    let instead = |key: &str, line: &str| {
        let kept: String = server.lines().filter(|l| !l.starts_with(key)).map(|l| format!("{l}\n")).collect();
        (String::new(), format!("[sources.server]\n{kept}{line}\n").replace("SECRET", PASSWORD))
    };
    let mut all: Vec<(String, String)> = [
        "password",
        "passwd",
        "passwort",
        "pwd",
        "pw",
        "pass",
        "db_password",
        "Password",
        "PASSWORD",
        "secret",
        "token",
        "\"password\"",
        "'password'",
        "password.value",
        "kennwort",
        "口令",
        "pasword",
        "key",
        "\"SECRET\"",
        "'SECRET'",
        "SECRET",
        "passwd.SECRET",
        "\"a SECRET b\"",
        "PGPASSWORD",
        "auth",
        "credential",
    ]
    .iter()
    .map(|key| with(&format!("{key} = \"SECRET\"")))
    .collect();
    all.extend(
        [
            "password: SECRET",
            "password = SECRET",
            "password = '''\nSECRET\n'''",
            "password = \"\"\"\nSECRET\"\"\"",
            "SECRET",
            "# the password is SECRET\nprot = 1",
            "prot = 1 # SECRET",
            "password_env = \"SECRET\"",
            "password_env = \"HUNTER2GEHEIM9F\"",
            "password_file = \"SECRET\"",
            "password = { value = \"SECRET\" }",
            "password = [\"SECRET\"]",
            "consistency = \"SECRET\"",
            "encoding = \"SECRET\"",
            "time_zone = \"SECRET\"",
            "[sources.SECRET]\nvalue = 1",
            "[sources.tables.GRJBXX]\ndrift = \"SECRET\"",
            "login = { user = \"u\", password = \"SECRET\" }",
            "ca = \"SECRET\"",
            "[sources.password]\nvalue = \"SECRET\"",
        ]
        .iter()
        .map(|line| with(line)),
    );
    for (key, line) in [
        ("host", "host = \"postgres://u:SECRET@127.0.0.1/d\""),
        ("host", "host = \"u:SECRET@127.0.0.1\""),
        ("host", "host = \"Server=127.0.0.1;User Id=u;Password=SECRET\""),
        ("host", "host = \"\"\"\npostgres://u:SECRET@127.0.0.1\"\"\""),
        ("port", "port = \"SECRET\""),
        ("port", "port = '''\nSECRET'''"),
        ("tls", "tls = \"SECRET\""),
        ("connect_seconds", "connect_seconds = \"SECRET\""),
        ("database", "database = \"postgres://u:SECRET@127.0.0.1/d\""),
        ("database", "database = \"dbname=d password=SECRET\""),
    ] {
        all.push(instead(key, line));
    }
    let inline = "server = { host = \"127.0.0.1\", port = 1, database = \"d\", user = \"u\", tls = \"off\", password = \"SECRET\" }";
    all.push((String::new(), inline.replace("SECRET", PASSWORD)));
    all.push((String::new(), format!("server.host = \"h\"\nserver.password = \"{PASSWORD}\"")));
    all.push((String::new(), format!("server = \"postgres://u:{PASSWORD}@127.0.0.1/d\"")));
    all.push((String::new(), format!("path = \"postgres://u:{PASSWORD}@127.0.0.1/d\"")));
    all.push((format!("password = \"{PASSWORD}\"\n"), format!("[sources.server]\n{server}")));
    all.push((format!("# {PASSWORD}\nmemory = \"much\"\nlnag = 1\n"), format!("[sources.server]\n{server}")));
    all.push((
        format!("[notify]\nwebhook = \"ftp://u:{PASSWORD}@h/\"\n"),
        format!("[sources.server]\n{server}"),
    ));
    all
}

#[test]
fn a_password_is_shown_nowhere_wherever_it_was_put() {
    let dir = tempfile::tempdir().unwrap();
    let (file, work) = (dir.path().join("c.toml"), dir.path().join("work"));
    let mappings = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    let all = placements();
    assert!(all.len() >= 60, "{}", all.len());
    for (before, server) in all {
        let (top, tables) =
            if before.starts_with('[') { ("", before.as_str()) } else { (before.as_str(), "") };
        let text = format!(
            "{top}mappings = \"{}\"\ncity = \"baicheng\"\nas_of = \"2021-05-31\"\n{tables}[[sources]]\nid = \"ylbx\"\nkind = \"postgres\"\n{server}\n[sources.limits]\nretries = 0\n",
            mappings.display()
        );
        std::fs::write(&file, &text).unwrap();
        for command in
            [&["plan"][..], &["run"], &["extract"], &["doctor", "--json"], &["status"], &["rules", "list"]]
        {
            let output = qianyi(&file, &work, command).output().unwrap();
            let said = told(&output);
            for secret in [PASSWORD, "HUNTER2GEHEIM9F"] {
                assert!(!said.contains(secret), "{command:?}\n{text}\n{said}");
            }
            assert!(!said.contains("CFG-900") && !said.contains("panicked"), "{command:?}\n{text}\n{said}");
        }
    }
    for path in below(dir.path()).iter().filter(|p| p.is_file() && **p != file) {
        let bytes = std::fs::read(path).unwrap();
        let found = bytes.windows(PASSWORD.len()).any(|w| w == PASSWORD.as_bytes());
        assert!(!found, "{}", path.display());
    }
}

#[test]
fn a_password_file_that_others_may_read_is_refused_and_a_credential_of_systemd_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let (file, work) = (dir.path().join("c.toml"), dir.path().join("work"));
    let mappings = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    let configured = |key: &str, value: &str| {
        let text = format!(
            "mappings = \"{}\"\ncity = \"baicheng\"\nas_of = \"2021-05-31\"\n[[sources]]\nid = \"ylbx\"\nkind = \"postgres\"\n\
             [sources.limits]\nretries = 0\n[sources.server]\nhost = \"/nowhere\"\ndatabase = \"d\"\nuser = \"u\"\ntls = \"off\"\n{key} = \"{value}\"\n",
            mappings.display()
        );
        std::fs::write(&file, text).unwrap();
    };
    let secret = dir.path().join("ylbx");
    std::fs::write(&secret, format!("{PASSWORD}\n")).unwrap();
    let said = |mode: u32, credentials: Option<&Path>| {
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(mode)).unwrap();
        let mut command = qianyi(&file, &work, &["extract"]);
        command.env_remove("CREDENTIALS_DIRECTORY");
        if let Some(folder) = credentials {
            command.env("CREDENTIALS_DIRECTORY", folder);
        }
        let output = command.output().unwrap();
        assert!(!told(&output).contains(PASSWORD), "{}", told(&output));
        (output.status.code(), told(&output))
    };
    // Past the password the server is not there: SRC-014.
    configured("password_file", "ylbx");
    for (mode, code) in
        [(0o604, "SRC-038"), (0o602, "SRC-038"), (0o644, "SRC-038"), (0o640, "SRC-014"), (0o400, "SRC-014")]
    {
        let (_, text) = said(mode, None);
        assert!(text.contains(code), "{mode:o}: {text}");
        assert!(code != "SRC-038" || !text.contains("/ylbx"), "no name is told: {text}");
    }
    configured("password_credential", "ylbx");
    let (status, text) = said(0o400, None);
    assert!(status == Some(2) && text.contains("SRC-013") && text.contains("LoadCredential="), "{text}");
    assert!(said(0o400, Some(&work)).1.contains("SRC-013"), "no such credential");
    assert!(said(0o440, Some(dir.path())).1.contains("SRC-014"));
    assert!(said(0o444, Some(dir.path())).1.contains("SRC-038"));
    for bad in ["../ylbx", ".ylbx", ""] {
        configured("password_credential", bad);
        assert!(said(0o400, Some(dir.path())).1.contains("CFG-002"), "{bad}");
    }
}

#[test]
fn an_address_given_to_into_is_told_without_its_password() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.toml");
    std::fs::write(&file, "lang = \"en\"\n").unwrap();
    let given = format!("postgresql://u:{PASSWORD}@127.0.0.1/d");
    let output = qianyi(&file, dir.path(), &["fixture", "--into", &given]).output().unwrap();
    let said = told(&output);
    assert!(said.contains("CLI-001") && said.contains("postgresql://***@127.0.0.1/d"), "{said}");
    assert!(!said.contains(PASSWORD), "{said}");
}

#[test]
fn what_no_server_can_be_reached_with_is_a_mistake_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.toml");
    for (server, expected) in [
        ("host = \"h\"\nport = 70000\ndatabase = \"d\"", "6: `port` is not a whole number from 1 to 65535"),
        ("host = \"h\"\nport = 0\ndatabase = \"d\"", "6: `port` is not a whole number from 1 to 65535"),
        ("database = \"d\"", "4: this server has no `host`"),
        ("host = \"h\"", "4: this server has no `database`"),
        ("host = \"\"\ndatabase = \"d\"", "5: `host` is not the name or address of a server alone"),
    ] {
        let text = format!("[[sources]]\nkind = \"postgres\"\nid = \"a\"\n[sources.server]\n{server}\n");
        std::fs::write(&file, text).unwrap();
        let output = qianyi(&file, dir.path(), &["plan"]).output().unwrap();
        let said = told(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains("CFG-002") && said.contains(&format!("c.toml:{expected}")),
            "{expected}\n{said}"
        );
    }
}

#[test]
fn everything_that_is_made_is_its_owners_alone_whatever_the_umask() {
    let dir = tempfile::tempdir().unwrap();
    let work = dir.path().join("work");
    let program = env!("CARGO_BIN_EXE_qianyi");
    let script =
        format!("umask 000; exec \"{program}\" --quiet --workdir \"{}\" demo --persons 40", work.display());
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(env!("CARGO_MANIFEST_DIR"));
    for (name, _) in std::env::vars().filter(|(n, _)| n.starts_with("QIANYI_")) {
        shell.env_remove(name);
    }
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
    let all = below(&work);
    for name in ["state.db", "index.html", "summary.json", "bagit.txt", "baicheng.db"] {
        assert!(all.iter().any(|p| p.ends_with(name)), "{name}");
    }
    for path in all {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
    }
}

/// Two accounts of a group that the work directory was opened to, as docs/roles.md says; takes root, who alone can be both.
#[test]
fn a_second_account_of_the_group_works_in_the_work_directory_and_the_first_goes_on_after_it() {
    const SECOND: [&str; 3] = ["--reuid=64123", "--regid=64124", "--clear-groups"];
    let may_be =
        Command::new("setpriv").args(SECOND).arg(env!("CARGO_BIN_EXE_qianyi")).arg("--version").output();
    if !may_be.is_ok_and(|output| output.status.success()) {
        println!("skipped: not root, or no setpriv");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (file, work) = (dir.path().join("c.toml"), dir.path().join("work"));
    let mappings = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    let text = format!(
        "mappings = \"{}\"\ncity = \"baicheng\"\n[keep]\nlogs = {{ number = 1 }}\n",
        mappings.display()
    );
    std::fs::write(&file, text).unwrap();
    let set = |path: &Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap()
    };
    set(dir.path(), 0o755);
    set(&file, 0o644);
    let prune = &["prune", "--apply"];
    drop(qianyi::state::State::open(&work, "test").unwrap());
    let first = || qianyi(&file, &work, prune).output().unwrap();
    let second = || {
        let plain = qianyi(&file, &work, prune);
        let mut command = Command::new("setpriv");
        command.args(SECOND).arg(plain.get_program()).args(plain.get_args());
        for (name, _) in plain.get_envs() {
            command.env_remove(name);
        }
        command.output().unwrap()
    };
    let one = first();
    assert_eq!(one.status.code(), Some(0), "{}", told(&one));
    let alone = second();
    assert_eq!(alone.status.code(), Some(1), "{}", told(&alone));
    let opened = format!(
        "chgrp -R 64124 {0} && chmod -R g+rwX {0} && find {0} -type d -exec chmod g+s {{}} +",
        work.display()
    );
    assert!(Command::new("sh").args(["-c", &opened]).status().unwrap().success());
    for _ in 0..2 {
        for output in [second(), first()] {
            assert_eq!(output.status.code(), Some(0), "{}", told(&output));
        }
    }
    for path in below(&work) {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert!(mode & 0o060 == 0o060 && mode & 0o007 == 0, "{} {mode:o}", path.display());
    }
}

#[test]
fn a_run_that_is_asked_to_stop_ends_at_a_boundary_and_goes_on_later() {
    let dir = tempfile::tempdir().unwrap();
    let (file, work) = (dir.path().join("c.toml"), dir.path().join("work"));
    let database = city(dir.path(), 60, 3);
    let mappings = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    let write = |limits: &str| {
        let text = format!(
            "mappings = \"{}\"\ncity = \"baicheng\"\nas_of = \"2021-05-31\"\n[[sources]]\nid = \"ylbx\"\nkind = \"sqlite\"\nencoding = \"gbk\"\npath = \"{}\"\n{limits}",
            mappings.display(),
            database.display()
        );
        std::fs::write(&file, text).unwrap();
    };
    for signal in ["-TERM", "-INT"] {
        // So slow that it cannot end by itself.
        let _ = std::fs::remove_dir_all(&work);
        write("[sources.limits]\nrows_per_second = 1\n");
        let child =
            qianyi(&file, &work, &["extract"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Signals are heard since before the work begins.
        while !work.join("raw").is_dir() {
            std::thread::yield_now();
        }
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let ended = child.wait_with_output().unwrap();
        let said = told(&ended);
        assert_eq!(ended.status.code(), Some(1), "{said}");
        assert!(said.contains("asked to stop") && said.contains("EXT-010"), "{said}");
    }
    write("");
    let output = qianyi(&file, &work, &["extract"]).output().unwrap();
    assert!(output.status.success(), "{}", told(&output));
}
