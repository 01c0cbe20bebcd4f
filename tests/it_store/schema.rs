//! The schema: statements, files and laws.

use quietus::domain::Digest;
use quietus::store::migrations::{needed, postgres_files, sqlite_files};
use quietus::store::{OpenOptions, OpenedCase, Store, StoreError, statements};

use crate::stage::{Stage, at, claim, new_case, new_id};

on_both! {
    every_statement_prepares,
    opening_again_changes_nothing,
    what_a_newer_binary_has_added_is_worked_with,
    a_schema_that_needs_a_newer_binary_is_refused,
    a_schema_that_needs_what_is_known_is_worked_with,
    a_change_to_a_landed_migration_is_refused,
    states_that_do_not_exist_are_refused,
}

async fn every_statement_prepares(stage: Stage) {
    let statements = statements();
    assert!(statements.len() > 80, "the list of statements has lost some: {}", statements.len());
    for (name, sql) in statements {
        if let Err(error) = stage.store.prepare(sql).await {
            panic!("`{name}` on {}: {error}\n{sql:?}", stage.store.kind());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_give_the_same_columns_on_both() {
    let (sqlite, postgres) = (Stage::sqlite().await, Stage::postgres().await);
    for (name, sql) in statements() {
        let columns =
            (sqlite.store.prepare(sql).await.unwrap(), postgres.store.prepare(sql).await.unwrap());
        assert_eq!(columns.0, columns.1, "`{name}`");
    }
}

#[test]
fn every_statement_is_in_the_list() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let (mut written, mut names) = (0, std::collections::BTreeSet::new());
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            if let Some((name, _)) = line.strip_prefix("const ").and_then(|l| l.split_once(": Sql"))
            {
                written += 1;
                names.insert(format!("{stem}::{name}"));
            }
        }
    }
    // The ping and the lists of all files aside.
    let listed: std::collections::BTreeSet<String> =
        statements().into_iter().map(|(name, _)| name.to_owned()).collect();
    names.remove("connection::PING");
    assert_eq!(written, names.len() + 1);
    assert_eq!(names, listed);
}

#[test]
fn migrations_are_paired() {
    let names = |files: Vec<quietus::store::migrations::MigrationFile>| {
        files.into_iter().map(|file| file.name).collect::<Vec<_>>()
    };
    let sqlite = names(sqlite_files().unwrap());
    assert_eq!(sqlite, names(postgres_files().unwrap()));
    for (number, name) in (1..).zip(&sqlite) {
        assert!(name.starts_with(&format!("{number:04}_")), "`{name}` is out of line");
    }
}

/// Whoever has to change this list has edited a migration that somebody may have applied: write a
/// new one instead. New lines at the end are how it grows.
const LANDED: &[(&str, &str, &str)] = &[
    (
        "0001_beginning.sql",
        "81133e1a4a96b0dfc8ce909721b526d87ab48c7d88cc2b02e58dafc63e88a20c",
        "1d1bd9bbf4808cd48fef4a9594797028a60e87ab27520dfb797bef7ec0ec6ade",
    ),
    (
        "0002_append_only.sql",
        "a58a0bad40cb9930e32623bb2c7bb071e974d2828effd44f3f22783eff1f8b9e",
        "a5395451276b3f1bb71b42ce83de20ce314400ef453f8ddb6f1d9ae4d0c4ed4e",
    ),
    (
        "0003_no_replacing.sql",
        "c83ae824eacea9299003904dd0c9cc93286fe6a648a55a6d10fb370569e323ee",
        "462e429f1ddfccd0e9cec09beea2bdd51fcbb65804932d1429ce4478abc09389",
    ),
    (
        "0004_requests.sql",
        "62cdb437c59ed4129ec6f4650b6c66067be99a839e6fa1bc4adcf46890a7e2d3",
        "b254790e9471ab0e80bcda7168d3b6f88584e96be07215d5386bb04b67cb787c",
    ),
    (
        "0005_opendsr.sql",
        "d032a74adcdaa9ba059c4bf2ce074773545980768cc155403850fd84b1baebf1",
        "42f3908189948f651350b608f6c547320c7f1776ff57f765e0cb5bebb4b16c27",
    ),
    (
        "0006_renewed_tokens.sql",
        "2e4bb362a328107458c7a1e4b7c743ed1cea6efaceec6e209b32bac27a6af271",
        "d321bb0ddbf36bc7d0f0eaf0ddbc42fe69f8538bb5e55e4de844b5f167ae9b05",
    ),
    (
        "0007_mails.sql",
        "fb5ee91a797fcfaa6e3b44902bd8586d503486353017d0d04e7982021035e05e",
        "bcd00d9fb0e9b161883cf0b189baa0121e63468b1e033cb4e4b3dfdddbe12c9e",
    ),
    (
        "0008_callbacks_and_fees.sql",
        "a2806f91dfdcd0a7ce180b0bdcc4d640f44cf01dc6d2357d257b866a635ae1a7",
        "9933bf56e74acc632d46767586f5a1d204e53e651285b9edd289466a765f6340",
    ),
    (
        "0009_anchors.sql",
        "abf4a0c23a0627df432dfa42fd599e6df95204dab35bb102e505a7122cab0339",
        "3656ce12811939c2f80b589d28d7bf4e7230d6a846b58b7de5fa33363629a292",
    ),
    (
        "0010_log_chain.sql",
        "23f3d2715bd48d0ddccf74e933cf77235dc687b3003d979f923a6ea5eb7f73d4",
        "89c407a36ab5d9865788d7de82bcb50174520a966ca78507cb3013237fd2dcd5",
    ),
    (
        "0011_data_keys.sql",
        "8b5e6fe225d6ecbc5e5801eee79f16b24aff6b7fece9484d3f9f6ebba0c62f20",
        "897895f8063b565a1f50c853014d38868d1398a5074853adad352fcad3aea4f9",
    ),
    (
        "0012_signing_keys.sql",
        "a90c997070c051960c4de21dd3d5c12872080071ebbf76bee551bad43be5874a",
        "0dd1b7941aab19537a005fe5880377c82dc04c3d0d5dd3f268ba4a348540d8b1",
    ),
    (
        "0013_status_lists.sql",
        "126c389659338a9e0433762db1a6ccc49fcd9572e41cf4fd3d93df430dc55c55",
        "759e8b028f4ec2bbe3671f2344d7f382ffbb8c29752898f830c70a4c1ce8f0c4",
    ),
    (
        "0014_record_manifests.sql",
        "02688ec576c59aeeefb5b535b6e0cf3f01abfddc42416de674c395e93743d626",
        "8d5a88d21ee6fc0151e681414f2ba5e3b02803bd3ca7abf49b3b1f3b027baaef",
    ),
    (
        "0015_restores.sql",
        "693cd889343225b8e76e466412044204283501c4e254adbf4e9c6fca162c034b",
        "aa144542b46de3e12e1aa5e844f09c18c4968ed6065814775525a716ac11c0f1",
    ),
    (
        "0016_re_erasure_list.sql",
        "2b190c61644a40ff4c234ff397f8d9119882c323f099f76c36dca8c6c73957fa",
        "e1869659de3bdab9269fe1508a48724ca50567dbe94a11c0e3cf9018a01552c8",
    ),
    (
        "0017_later_looks.sql",
        "d1a8891d9e3df78eb36ddea9339e3e9a3a0112da5be1febb66bf56f5109834df",
        "daf576288552d65af6a02d342634bca3696afb1b5791c56e6827c132516be1a7",
    ),
    (
        "0018_drills.sql",
        "6e020f653a25bd6c89383606a50c923377d8dd7110a6bc8e0d0609101e9c81c3",
        "a516eb7b740467d51350e884b4b490a11eea0d288b2f5e093b03cb348c18e690",
    ),
    (
        "0019_own_records.sql",
        "8e8aed0b6f5fd5b3bab636a435b4bb831eb29489b593fefb328a5e600ed10a26",
        "2c4b4204b81e57acf372b7f3f5fc972e9f3274ffea251437fe934fb71f7da7af",
    ),
    (
        "0020_inside_erasures.sql",
        "9523f66f1504bb569c70d18f8404eb7af57c7a83cfcad18f103e6aa777661c05",
        "882b71dc46ef1b1892c21bb828164ec7962d9611eb2115cfc90b3c7d333cc513",
    ),
    (
        "0021_runs_and_failures.sql",
        "746fdeaa230f448fbbd3435261a2bcac392ec5848526c37869c12569574182fc",
        "746fdeaa230f448fbbd3435261a2bcac392ec5848526c37869c12569574182fc",
    ),
    (
        "0022_names_of_canaries.sql",
        "6453a43e989c2c69626d2ec48b3a3b081004818232a46b9cd269303f94155d55",
        "6453a43e989c2c69626d2ec48b3a3b081004818232a46b9cd269303f94155d55",
    ),
    (
        "0023_jobs_of_a_system.sql",
        "1bd06a7904ac93f39d8c915cfe20aae3ef0b634fe5bb586c7310cc7d37e600fd",
        "1bd06a7904ac93f39d8c915cfe20aae3ef0b634fe5bb586c7310cc7d37e600fd",
    ),
    (
        "0024_breakers_and_limits.sql",
        "a20d6afa5c4379277ae704037951635af3ab8ad35502b36ad0fe5a4afea20365",
        "da25097af6a7db733ff04275a522d724031498b42f5f4ca6dc663209e9e98f62",
    ),
    (
        "0025_alarms.sql",
        "0cd97d682b81c9585a9dbc7f855e9df5b76648620bb7ae4e05fe8890da10af47",
        "19bd020fe6dcdfbf153f31491389bc1b473c35040227ea8638400868a9ff94be",
    ),
    (
        "0026_jobs_of_a_system_in_order.sql",
        "ce0335d149b178566ea31be195436a980c46a10ccbe1a451dc7a376a171d3ff0",
        "ce0335d149b178566ea31be195436a980c46a10ccbe1a451dc7a376a171d3ff0",
    ),
    (
        "0027_rules_in_force.sql",
        "58b603b0467ac02ad50411dda08d967a4f002091c7be8f0edd133e8cf7d7489f",
        "788bec1fbeabca748324bb17e84d13962b049d96bc088f55b2785d46b54c9e04",
    ),
    (
        "0028_compressed_certificates_are_read.sql",
        "63c8c5da548ccf26785c2ce6a768fd06181665b2d0c20f234403e7327abc04d3",
        "63c8c5da548ccf26785c2ce6a768fd06181665b2d0c20f234403e7327abc04d3",
    ),
    (
        "0029_needs_0028_compressed_certificates.sql",
        "af586156570178236aff2e81154200c8a7b3501fb435bf4061dc46773d7cb150",
        "c95b4a5ed295ee8f8db76b4a6b0eee68c870f665293768791a88e2fd7d377b0f",
    ),
];

#[test]
fn landed_migrations_are_as_they_were() {
    let (sqlite, postgres) = (sqlite_files().unwrap(), postgres_files().unwrap());
    let found: Vec<(String, String, String)> = sqlite
        .iter()
        .zip(&postgres)
        .map(|(sqlite, postgres)| {
            let digest = |text: &str| Digest::of(text.as_bytes()).to_string();
            (sqlite.name.clone(), digest(&sqlite.text), digest(&postgres.text))
        })
        .collect();
    let landed: Vec<(String, String, String)> = LANDED
        .iter()
        .map(|(name, sqlite, postgres)| {
            ((*name).to_owned(), (*sqlite).to_owned(), (*postgres).to_owned())
        })
        .collect();
    assert_eq!(found, landed);
}

async fn opening_again_changes_nothing(stage: Stage) {
    let case = new_case(1);
    let id = case.id;
    stage.store.open_case(case, at(0)).await.unwrap();
    stage.store.close().await;
    let again = Store::open(&stage.url, OpenOptions::default()).await.unwrap();
    assert_eq!(again.case(id).await.unwrap().map(|case| case.id), Some(id));
    again.ping().await.unwrap();
}

/// A newer binary has applied a migration of this description.
async fn newer_migration(stage: &Stage, number: u64, description: &str) {
    let now = if stage.store.kind() == "sqlite" { "CURRENT_TIMESTAMP" } else { "now()" };
    let success = if stage.store.kind() == "sqlite" { "1" } else { "true" };
    let checksum = if stage.store.kind() == "sqlite" { "x'00'" } else { "'\\x00'" };
    stage
        .intrude(&format!(
            "INSERT INTO _sqlx_migrations (version, description, installed_on, success, checksum,
                 execution_time)
             VALUES ({number}, '{description}', {now}, {success}, {checksum}, 0)"
        ))
        .await
        .unwrap();
}

async fn what_a_newer_binary_has_added_is_worked_with(stage: Stage) {
    let before = stage.store.schema().await.unwrap();
    let (known, needed) = (before.known, before.needed);
    for statement in [
        "CREATE TABLE of_the_future (id INTEGER NOT NULL PRIMARY KEY)",
        "ALTER TABLE jobs ADD COLUMN of_the_future INTEGER NOT NULL DEFAULT 7",
        "ALTER TABLE cases ADD COLUMN of_the_future TEXT",
    ] {
        stage.intrude(statement).await.unwrap();
    }
    newer_migration(&stage, 9999, "of the future").await;
    stage.store.close().await;
    // Also one that is started anew after that.
    let older = Store::open(&stage.url, OpenOptions::default()).await.unwrap();
    let standing = older.schema().await.unwrap();
    assert_eq!((standing.applied, standing.known, standing.needed), (9999, known, needed));
    assert!(standing.fits() && standing.is_newer() && standing.missing == 0);
    assert_eq!(older.open_case(new_case(2), at(0)).await.unwrap(), OpenedCase::Opened);
    assert_eq!(older.claim(claim("older", 1, 5)).await.unwrap().len(), 2);
    older.close().await;
}

async fn a_schema_that_needs_a_newer_binary_is_refused(stage: Stage) {
    let known = stage.store.schema().await.unwrap().known;
    newer_migration(&stage, 9998, "of the future").await;
    newer_migration(&stage, 9999, "needs 9998 jobs without the past").await;
    // Whoever is at work sees it.
    assert!(!stage.store.schema().await.unwrap().fits());
    // As if one of its own had not been applied: it is not applied now either.
    let last = format!("DELETE FROM _sqlx_migrations WHERE version = {known}");
    assert_eq!(stage.intrude(&last).await.unwrap(), 1);
    let before = stage.rows("_sqlx_migrations").await;
    stage.store.close().await;
    let error = Store::open(&stage.url, OpenOptions::default()).await.unwrap_err();
    let StoreError::Migration { why } = &error else { panic!("{error}") };
    assert!(why.contains("number 9999") && why.contains("know number 9998"), "{why}");
    assert!(why.contains("newer binary"), "{why}");
    assert_eq!(stage.rows("_sqlx_migrations").await, before);
}

async fn a_schema_that_needs_what_is_known_is_worked_with(stage: Stage) {
    let known = stage.store.schema().await.unwrap().known;
    newer_migration(&stage, 9999, &format!("needs {known:04} jobs without the past")).await;
    stage.store.close().await;
    let older = Store::open(&stage.url, OpenOptions::default()).await.unwrap();
    let standing = older.schema().await.unwrap();
    assert_eq!((standing.applied, standing.needed), (9999, known));
    assert!(standing.fits());
    older.close().await;
}

/// What a migration needs is a migration before it, so that a binary of the time between works on
/// both sides of it.
#[test]
fn what_migrations_need_came_before_them() {
    assert_eq!(needed("needs 0028 letters without channel"), Some(28));
    assert_eq!(needed("letters with channel"), None);
    assert_eq!(needed("needs letters"), None);
    for file in sqlite_files().unwrap() {
        let (number, words) = file.name.split_once('_').unwrap();
        let words = words.trim_end_matches(".sql").replace('_', " ");
        let needs = needed(&words);
        assert_eq!(words.starts_with("needs "), needs.is_some(), "`{}`", file.name);
        assert!(needs.unwrap_or_default() < number.parse().unwrap(), "`{}`", file.name);
    }
}

async fn a_change_to_a_landed_migration_is_refused(stage: Stage) {
    let checksum = if stage.store.kind() == "sqlite" { "x'00'" } else { "'\\x00'" };
    let changed = format!("UPDATE _sqlx_migrations SET checksum = {checksum} WHERE version = 2");
    assert_eq!(stage.intrude(&changed).await.unwrap(), 1);
    stage.store.close().await;
    let error = Store::open(&stage.url, OpenOptions::default()).await.unwrap_err();
    assert!(matches!(&error, StoreError::Migration { why } if why.contains("number 2")), "{error}");
}

async fn states_that_do_not_exist_are_refused(stage: Stage) {
    let (_, jobs) = stage.case_with_jobs(1).await;
    assert_ne!(jobs, vec![new_id()]);
    for wrong in [
        "UPDATE jobs SET state = 'finished'",
        "UPDATE jobs SET state = 'completed'",
        "UPDATE jobs SET state = 'running'",
        "UPDATE jobs SET state = 'held'",
        "UPDATE jobs SET state = 'blocked'",
        "UPDATE jobs SET state = 'waiting'",
        "UPDATE jobs SET settled_at = 1",
        "UPDATE jobs SET attempt = -1",
        "UPDATE cases SET state = 'closed'",
        "UPDATE cases SET outcome = 'fulfilled'",
        "UPDATE cases SET approved_at = 1",
        "UPDATE versions SET value = -1",
    ] {
        let refused = stage.intrude(wrong).await;
        assert!(refused.is_err(), "`{wrong}` was carried out");
    }
}
