//! Which rows a table of PostgreSQL shows: those of its children, those that row security hides, those of another table of its name,
//! those that are written while it is read, and those that somebody rewrites meanwhile.

use std::sync::Arc;

use qianyi::pipeline::extract::ExtractError;
use qianyi::source::{ChangeMethod, Grade, Source, SourceError, SourceSettings, connect};

use crate::support::extracts::{
    Attempt, When, extracted, follow, nothing_stray, reading, rows, runtime, thousand, truth,
};
use crate::support::legacy::{as_text, batches, table};
use crate::support::pg::{Bouncer, Cluster};

fn database(cluster: &Cluster, name: &str, sql: &str) -> SourceSettings {
    let threads = runtime();
    threads.block_on(cluster.database(name, "UTF8"));
    threads.block_on(cluster.run(name, sql));
    cluster.settings(name, 100)
}

#[test]
fn columns_that_an_index_only_includes_are_not_of_its_key() {
    let cluster = Cluster::start();
    let settings = database(
        &cluster,
        "keys",
        "CREATE TABLE a (grbh varchar(10), xm varchar(20), PRIMARY KEY (grbh) INCLUDE (xm));
         CREATE TABLE b (x int, n int NOT NULL, m int NOT NULL); CREATE UNIQUE INDEX ON b (n, m) INCLUDE (x);
         CREATE TABLE c (n int NOT NULL); CREATE UNIQUE INDEX ON c (n) WHERE n > 0;
         CREATE TABLE d (n text NOT NULL); CREATE UNIQUE INDEX ON d (lower(n))",
    );
    let keys: Vec<Vec<String>> = runtime().block_on(async {
        let source = connect(&settings).await.unwrap();
        source.catalogue().await.unwrap().into_iter().map(|t| t.key).collect()
    });
    assert_eq!(keys, [vec!["grbh"], vec!["n", "m"], vec![], vec![]]);
}

/// The rows of a table as a source gives them, sorted; `only`: without those of its parts.
async fn shown(source: &dyn Source, name: &str, only: bool) -> Vec<String> {
    let mut found = table(source, name).await;
    found.only = only;
    let counted = source.count(&found).await.unwrap();
    let mut all: Vec<String> =
        as_text(&batches(source, &found).await.unwrap().concat()).iter().map(|row| row[0].clone()).collect();
    all.sort();
    assert_eq!(all.len() as u64, counted, "{name}");
    all
}

#[test]
fn the_catalogue_knows_whose_rows_a_table_shows_as_well() {
    let cluster = Cluster::start();
    let settings = database(
        &cluster,
        "parts",
        "CREATE SCHEMA other;
         CREATE TABLE jfmx (id int PRIMARY KEY, x text); CREATE TABLE jf1999 (PRIMARY KEY (id)) INHERITS (jfmx); CREATE TABLE other.jf2000 () INHERITS (jfmx);
         CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (id);
         CREATE TABLE p11 PARTITION OF p1 FOR VALUES FROM (0) TO (5);
         INSERT INTO jfmx VALUES (1, 'own'); INSERT INTO jf1999 VALUES (2, 'a'), (3, 'b'); INSERT INTO other.jf2000 VALUES (3, 'c'); INSERT INTO p VALUES (4)",
    );
    runtime().block_on(async {
        let source = connect(&settings).await.unwrap();
        let all = source.catalogue().await.unwrap();
        let of = |name: &str| all.iter().find(|t| t.name == name).unwrap();
        assert_eq!(of("jfmx").parts, ["jf1999", "other.jf2000"]);
        // Twins may lie in its children.
        assert!(of("jfmx").key.is_empty() && !of("jfmx").partitioned);
        assert_eq!(of("jf1999").key, ["id"]);
        assert_eq!(
            (of("p").parts.as_slice(), of("p").partitioned, of("p").key.len()),
            (&["p1".to_owned()][..], true, 1)
        );
        assert_eq!((of("p1").parts.as_slice(), of("p11").parts.len()), (&["p11".to_owned()][..], 0));
        assert_eq!(shown(&*source, "jfmx", false).await, ["1", "2", "3", "3"]);
        assert_eq!(shown(&*source, "jfmx", true).await, ["1"]);
        assert_eq!(shown(&*source, "p", false).await, ["4"]);
        assert_eq!(shown(&*source, "p11", false).await, ["4"]);
    });
    // Another partition is other rows, whenever they were written.
    let identity =
        || runtime().block_on(async { table(&*connect(&settings).await.unwrap(), "p").await.identity });
    let before = identity();
    runtime().block_on(cluster.run("parts", "CREATE TABLE p12 PARTITION OF p1 FOR VALUES FROM (5) TO (10)"));
    assert_ne!(identity(), before);
}

#[test]
fn a_login_from_which_row_security_hides_rows_reads_nothing_and_doctor_says_so() {
    let cluster = Cluster::start();
    let sql = "CREATE ROLE reader LOGIN; CREATE ROLE free LOGIN BYPASSRLS; CREATE ROLE owner LOGIN; GRANT CREATE ON SCHEMA public TO owner;
         CREATE TABLE t (id int PRIMARY KEY, x int); INSERT INTO t SELECT n, n % 3 FROM generate_series(1, 10) n;
         CREATE TABLE open (id int PRIMARY KEY); INSERT INTO open VALUES (1);
         ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY part ON t TO reader USING (x = 1);
         ALTER TABLE t FORCE ROW LEVEL SECURITY; ALTER TABLE t OWNER TO owner; CREATE VIEW v AS SELECT * FROM t; ALTER VIEW v OWNER TO owner;
         GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader, free";
    let mut settings = database(&cluster, "guarded", sql);
    let mut as_user = |user: &str| {
        settings.server.as_mut().unwrap().user = user.to_owned();
        settings.clone()
    };
    let work = tempfile::tempdir().unwrap();
    let reader = as_user("reader");
    for name in ["t", "v"] {
        let refused = extracted(work.path(), &reader, &[name]).unwrap_err();
        assert!(matches!(refused, ExtractError::Source(SourceError::Hidden { .. })), "{name}: {refused:?}");
        assert!(refused.to_string().contains("row security of t"), "{refused}");
    }
    assert_eq!(extracted(work.path(), &reader, &["open"]).unwrap().tables[0].rows, 1, "others are read");
    let graded = |settings: &SourceSettings| {
        runtime().block_on(async {
            let source = connect(settings).await.unwrap();
            let whole = source.whole(&table(&*source, "t").await).await.is_ok();
            let all = source.examine(None).await.unwrap();
            let found = all.iter().find(|e| e.what == "row security").unwrap();
            assert!(found.found.contains('t'), "{}", found.found);
            (whole, found.grade)
        })
    };
    assert_eq!(graded(&reader), (false, Grade::Error));
    let free = as_user("free");
    assert_eq!(graded(&free), (true, Grade::Info));
    assert_eq!(extracted(work.path(), &free, &["t"]).unwrap().tables[0].rows, 10);
}

/// Why the tables and views of a source are refused; those that are not are left out.
fn refusals(settings: &SourceSettings) -> Vec<String> {
    runtime().block_on(async {
        let source = connect(settings).await.unwrap();
        let mut said = Vec::new();
        for table in source.catalogue().await.unwrap() {
            match source.whole(&table).await {
                Ok(()) => {}
                Err(SourceError::Personal { by, word, .. }) => {
                    said.push(format!("{}: {by} asks for {word}", table.name));
                }
                Err(SourceError::Hidden { by, .. }) => said.push(format!("{}: {by} hides rows", table.name)),
                Err(e) => said.push(format!("{}: {}", table.name, miette::Diagnostic::code(&e).unwrap())),
            }
        }
        said
    })
}

#[test]
fn a_view_that_asks_who_reads_it_is_refused_however_deep_it_asks() {
    let cluster = Cluster::start();
    let settings = database(
        &cluster,
        "views",
        "CREATE TABLE t (id int PRIMARY KEY, owner text, \"user\" text); INSERT INTO t VALUES (1, 'founder', 'x'), (2, 'b', 'y');
         CREATE VIEW plain AS SELECT id, \"user\", 'a user' AS x FROM t WHERE owner <> 'user';
         CREATE VIEW mine AS SELECT id FROM t WHERE owner = current_user;
         CREATE VIEW above AS SELECT id FROM plain UNION ALL SELECT id FROM mine;
         CREATE MATERIALIZED VIEW kept AS SELECT id FROM mine;
         CREATE FUNCTION f() RETURNS SETOF t LANGUAGE sql STABLE AS 'SELECT * FROM t WHERE owner = current_setting(''app.who'', true)';
         CREATE VIEW of_f AS SELECT id FROM f();
         CREATE FUNCTION g() RETURNS SETOF int LANGUAGE plpgsql AS $$ BEGIN /* as PLAIN */ RETURN QUERY SELECT m.id FROM MINE AS m; END $$;
         CREATE VIEW of_g AS SELECT g AS id FROM g();
         CREATE FUNCTION h() RETURNS SETOF int LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT id FROM plain; END $$;
         CREATE VIEW of_h AS SELECT h AS id FROM h();
         CREATE FUNCTION k() RETURNS SETOF int LANGUAGE sql BEGIN ATOMIC SELECT id FROM mine; END; CREATE VIEW of_k AS SELECT k AS id FROM k();
         CREATE FUNCTION sees(text, text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT current_user = $1 OR $1 < $2';
         CREATE OPERATOR <~~ (LEFTARG = text, RIGHTARG = text, FUNCTION = sees); CREATE VIEW of_sees AS SELECT id FROM t WHERE owner <~~ 'c';
         CREATE FUNCTION mm() RETURNS SETOF int LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT id FROM t WHERE owner <~~ 'c'; END $$;
         CREATE VIEW of_m AS SELECT mm AS id FROM mm();
         CREATE FUNCTION nn() RETURNS SETOF int LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE 'SELECT id FROM t WHERE owner = curr' || 'ent_user'; END $$;
         CREATE VIEW of_n AS SELECT nn AS id FROM nn();
         CREATE VIEW by_setting AS SELECT id FROM t WHERE (SELECT setting FROM pg_settings WHERE name = 'is_superuser') = 'on';
         CREATE VIEW by_role AS SELECT t.id FROM t JOIN information_schema.enabled_roles e ON e.role_name = t.owner",
    );
    let said = refusals(&settings);
    let expected = [
        "above: mine asks for current_user",
        "by_role: enabled_roles asks for pg_has_role",
        "by_setting: by_setting asks for pg_settings",
        "mine: mine asks for current_user",
        "of_f: f asks for current_setting",
        "of_g: mine asks for current_user",
        "of_k: mine asks for current_user",
        "of_m: sees asks for current_user",
        "of_n: nn asks for execute",
        "of_sees: sees asks for current_user",
    ];
    assert_eq!(said, expected);
    let work = tempfile::tempdir().unwrap();
    for (name, rows) in [("plain", 2), ("of_h", 2), ("kept", 1)] {
        assert_eq!(extracted(work.path(), &settings, &[name]).unwrap().tables[0].rows, rows, "{name}");
    }
}

#[test]
fn row_security_under_functions_and_views_that_fail_are_named_as_what_they_are() {
    let cluster = Cluster::start();
    let mut settings = database(
        &cluster,
        "deep",
        "CREATE ROLE reader LOGIN; CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2);
         ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY part ON t TO reader USING (id = 1);
         CREATE FUNCTION inlined() RETURNS SETOF t LANGUAGE sql STABLE AS 'SELECT * FROM t'; CREATE VIEW of_inlined AS SELECT id FROM inlined();
         CREATE FUNCTION called() RETURNS SETOF int LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT t.id FROM t; END $$;
         CREATE VIEW of_called AS SELECT called AS id FROM called();
         CREATE FUNCTION owners() RETURNS SETOF int LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RETURN QUERY SELECT t.id FROM t; END $$;
         CREATE VIEW of_owners AS SELECT owners AS id FROM owners();
         CREATE VIEW owned AS SELECT id FROM t;
         SET check_function_bodies = off; CREATE FUNCTION lost() RETURNS SETOF int LANGUAGE sql STABLE AS 'SELECT id FROM nowhere';
         CREATE VIEW broken AS SELECT lost AS id FROM lost(); CREATE TABLE fine (id int PRIMARY KEY); INSERT INTO fine VALUES (7), (0);
         CREATE VIEW fails AS SELECT 1 / id AS x FROM fine; CREATE MATERIALIZED VIEW empty AS SELECT 1 AS x WITH NO DATA;
         GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader; REVOKE SELECT ON fine FROM reader",
    );
    settings.server.as_mut().unwrap().user = "reader".to_owned();
    let said = refusals(&settings);
    let expected = [
        "broken: SRC-051",
        "empty: SRC-051",
        "fine: SRC-018",
        "of_called: t hides rows",
        "of_inlined: t hides rows",
        "t: t hides rows",
    ];
    assert_eq!(said, expected);
    let work = tempfile::tempdir().unwrap();
    for (name, rows) in [("owned", 2), ("of_owners", 2)] {
        assert_eq!(extracted(work.path(), &settings, &[name]).unwrap().tables[0].rows, rows, "{name}");
    }
    // Without the first question the server says it when the rows are counted.
    for name in ["of_called", "of_inlined"] {
        let refused = extracted(work.path(), &settings, &[name]).unwrap_err();
        assert!(matches!(refused, ExtractError::Source(SourceError::Hidden { .. })), "{name}: {refused:?}");
    }
    // What fails only on a row is named when it is read, and nothing speaks of journals.
    let refused = extracted(work.path(), &settings, &["fails"]).unwrap_err();
    assert!(
        matches!(refused, ExtractError::Source(SourceError::Server { .. } | SourceError::Broken { .. })),
        "{refused:?}"
    );
    assert!(!miette::Diagnostic::help(&refused).unwrap().to_string().contains("journal"));
}

#[test]
fn another_table_of_the_same_name_is_read_anew() {
    for (method, column) in [
        (ChangeMethod::Rowversion, None),
        (ChangeMethod::Timestamp, Some("at")),
        (ChangeMethod::Compare, None),
    ] {
        let (cluster, threads, plain) = thousand();
        threads.block_on(cluster.run(
            "grow",
            "CREATE TABLE t_new (LIKE t INCLUDING ALL); INSERT INTO t_new SELECT id, CASE WHEN id = 9 THEN 'corrected' ELSE x END, at, other FROM t",
        ));
        let work = tempfile::tempdir().unwrap();
        let settings = follow(&plain, "t", method, column);
        extracted(work.path(), &settings, &["t"]).unwrap();
        threads.block_on(cluster.run("grow", "ALTER TABLE t RENAME TO t_old; ALTER TABLE t_new RENAME TO t"));
        let done = extracted(work.path(), &settings, &["t"]).unwrap();
        assert_eq!((done.rows_read, reading(work.path(), done.id, "t").base), (1000, None), "{method:?}");
        assert_eq!(rows(work.path(), "t"), truth(&plain, "t"), "{method:?}");
        nothing_stray(work.path());
        // And its changes are followed from there.
        threads.block_on(cluster.run("grow", "UPDATE t SET x = 'w', at = clock_timestamp() WHERE id = 3"));
        let done = extracted(work.path(), &settings, &["t"]).unwrap();
        assert!(reading(work.path(), done.id, "t").base.is_some());
        assert_eq!(rows(work.path(), "t"), truth(&plain, "t"), "{method:?}");
    }
}

#[test]
fn what_is_stamped_before_an_extract_and_committed_after_it_is_not_lost() {
    let (cluster, threads, plain) = thousand();
    let work = tempfile::tempdir().unwrap();
    let mut settings = follow(&plain, "t", ChangeMethod::Timestamp, Some("at"));
    settings.tables.get_mut("t").unwrap().overlap_seconds = 600;
    extracted(work.path(), &settings, &["t"]).unwrap();
    let late = threads.block_on(async {
        let client = cluster.client("grow").await;
        client
            .batch_execute("BEGIN; UPDATE t SET x = 'late', at = now() - interval '30 minutes' WHERE id = 5")
            .await
            .unwrap();
        // Prepared, by a session that is gone.
        let sql = "BEGIN; UPDATE t SET x = 'prepared', at = now() - interval '1 day' WHERE id = 6; PREPARE TRANSACTION 'zfb'";
        cluster.run("grow", sql).await;
        client
    });
    threads.block_on(cluster.run("grow", "UPDATE t SET x = 'in time', at = clock_timestamp() WHERE id = 7"));
    let done = extracted(work.path(), &settings, &["t"]).unwrap();
    // The watermark stays behind the beginning of the one that is open.
    let mark = reading(work.path(), done.id, "t").watermark.unwrap();
    let begun = threads.block_on(async {
        let row = late.query_one("SELECT (now() AT TIME ZONE 'UTC')::text", &[]).await.unwrap();
        row.get::<_, String>(0)
    });
    assert!(mark.split(" after ").next().unwrap() <= begun.as_str(), "{mark}, {begun}");
    let examined = threads.block_on(async { connect(&settings).await.unwrap().examine(None).await.unwrap() });
    let open = examined.iter().find(|e| e.what == "open transaction").unwrap();
    assert!(open.grade == Grade::Warning && open.found.contains("founder"), "{}", open.found);
    threads.block_on(async {
        late.batch_execute("COMMIT").await.unwrap();
        cluster.run("grow", "COMMIT PREPARED 'zfb'").await;
    });
    let done = extracted(work.path(), &settings, &["t"]).unwrap();
    assert_eq!(rows(work.path(), "t"), truth(&plain, "t"));
    assert!(done.rows_read < 10, "{}", done.rows_read);
}

#[test]
fn stamps_of_a_history_that_was_set_back_are_refused() {
    let (cluster, threads, plain) = thousand();
    let work = tempfile::tempdir().unwrap();
    let settings = follow(&plain, "t", ChangeMethod::Timestamp, Some("at"));
    let first = extracted(work.path(), &settings, &["t"]).unwrap();
    let mark = reading(work.path(), first.id, "t").watermark.unwrap();
    let (stamp, number) = mark.split_once(" after ").unwrap();
    let cluster_of = number.split_once(" of ").unwrap().1;
    let db = rusqlite::Connection::open(work.path().join("state.db")).unwrap();
    let ahead = format!("{stamp} after {} of {cluster_of}", 1_u64 << 40);
    db.execute("UPDATE reading SET watermark = ?1", [ahead]).unwrap();
    drop(db);
    threads.block_on(cluster.run("grow", "UPDATE t SET x = 'w' WHERE id = 1"));
    let refused = extracted(work.path(), &settings, &["t"]).unwrap_err();
    assert!(matches!(refused, ExtractError::Source(SourceError::Expired { .. })), "{refused}");
}

#[test]
fn a_table_that_is_altered_while_others_are_read_is_refused_and_read_at_a_new_point() {
    let (cluster, threads, plain) = thousand();
    let cluster = Arc::new(cluster);
    threads.block_on(cluster.run(
        "grow",
        "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1); 
         CREATE TABLE w (LIKE t INCLUDING ALL); INSERT INTO w SELECT * FROM t; CREATE VIEW v AS SELECT * FROM w;
         CREATE TABLE u (LIKE t INCLUDING ALL); INSERT INTO u SELECT * FROM t; CREATE TABLE f () INHERITS (u)",
    ));
    let deeds = [
        ("v", "ALTER TABLE w SET UNLOGGED"),
        ("v", "CREATE OR REPLACE VIEW v AS SELECT * FROM u"),
        ("t", "TRUNCATE t"),
        ("t", "INSERT INTO t SELECT n FROM generate_series(1, 1000) n; ALTER TABLE t ALTER id TYPE bigint"),
        ("t", "ALTER TABLE t ADD n float DEFAULT random()"),
        ("t", "ALTER TABLE t SET UNLOGGED"),
        ("t", "ALTER TABLE t RENAME x TO y; ALTER TABLE t RENAME at TO x; ALTER TABLE t RENAME y TO at"),
        ("t", "ALTER TABLE t DROP other"),
        ("t", "ALTER TABLE t RENAME TO gone; ALTER TABLE u RENAME TO t; ALTER TABLE gone RENAME TO u"),
        // Its parent took the name.
        ("t", "TRUNCATE f"),
    ];
    for (table, deed) in deeds {
        let work = tempfile::tempdir().unwrap();
        let (other, sql) = (cluster.clone(), deed.to_owned());
        let act =
            move || std::thread::spawn(move || runtime().block_on(other.run("grow", &sql))).join().unwrap();
        let names = ["a", table];
        let attempt = Attempt { progress: When::rows(1, act), ..Attempt::of(work.path(), &plain, &names) };
        let refused = attempt.make().unwrap_err();
        assert!(matches!(refused, ExtractError::Source(SourceError::Altered { .. })), "{deed}: {refused:?}");
        assert!(refused.to_string().contains(&format!(": {table} was")), "{refused}");
        let settings = {
            let mut settings = plain.clone();
            settings.tables.insert(table.to_owned(), toml::from_str("drift = \"accept\"").unwrap());
            settings
        };
        extracted(work.path(), &settings, &["a", table]).unwrap();
        assert_eq!(rows(work.path(), table), truth(&plain, table), "{deed}");
        nothing_stray(work.path());
    }
}

#[test]
fn one_session_holds_no_lock_between_its_readings() {
    let (cluster, threads, mut plain) = thousand();
    plain.consistency = qianyi::source::Consistency::SnapshotSession;
    threads.block_on(async {
        let source = connect(&plain).await.unwrap();
        let found = table(&*source, "t").await;
        assert_eq!(source.count(&found).await.unwrap(), 1000);
        assert_eq!(
            batches(&*source, &found).await.unwrap().concat().iter().map(|b| b.num_rows()).sum::<usize>(),
            1000
        );
        // It would wait for ever.
        cluster.run("grow", "SET lock_timeout = '10s'; ALTER TABLE t ADD more int").await;
        let refused = source.count(&found).await.unwrap_err();
        assert!(matches!(refused, SourceError::Altered { .. }), "{refused}");
    });
}

#[test]
fn behind_a_pooler_in_transaction_mode_nothing_is_left_of_us() {
    let (cluster, threads, _) = thousand();
    let Some(bouncer) = Bouncer::start(&cluster, 8) else { return };
    let mut settings = bouncer.settings("grow", 100);
    let mut applications = threads.block_on(async {
        let mut all = Vec::new();
        for _ in 0..8 {
            all.push(bouncer.client("grow").await);
        }
        all
    });
    for (portable, user) in [(false, "application"), (true, "application")] {
        let server = settings.server.as_mut().unwrap();
        (server.portable, server.user) = (portable, user.to_owned());
        let work = tempfile::tempdir().unwrap();
        let settings = follow(&settings, "t", ChangeMethod::Timestamp, Some("at"));
        extracted(work.path(), &settings, &["t"]).unwrap();
        threads.block_on(async {
            applications[0]
                .batch_execute("UPDATE t SET x = 'w', at = clock_timestamp() WHERE id = 1")
                .await
                .unwrap();
        });
        extracted(work.path(), &settings, &["t"]).unwrap();
        assert_eq!(rows(work.path(), "t").len(), 1000);
        threads.block_on(async {
            let source = connect(&settings).await.unwrap();
            source.examine(None).await.unwrap();
            let t = table(&*source, "t").await;
            source.whole(&t).await.unwrap();
            source.oddities(&t).await.unwrap();
            source.frequencies(&t, "x", 10).await.unwrap();
        });
        // Each application has a transaction at the same time, and so a session of its own.
        threads.block_on(async {
            for (n, client) in applications.iter_mut().enumerate() {
                client.batch_execute("BEGIN").await.unwrap();
                let sql = "SELECT string_agg(name || ' ' || setting, ', ' ORDER BY name) FROM pg_settings WHERE source = 'session' AND name <> 'application_name'";
                let row = client.query_typed_one(sql, &[]).await.unwrap();
                assert_eq!(row.get::<_, Option<String>>(0), None);
                let row = client.query_typed_one("SELECT count(*) FROM pg_prepared_statements", &[]).await.unwrap();
                assert_eq!(row.get::<_, i64>(0), 0);
                client.batch_execute(&format!("INSERT INTO t VALUES (5000 + {n})")).await.unwrap();
            }
            for client in &mut applications {
                client.batch_execute("ROLLBACK").await.unwrap();
            }
        });
    }
}
