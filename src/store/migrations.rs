//! The schema, embedded: one folder a database, paired files with the same numbers and names.
//!
//! A file that has landed is never edited again; a change is a new file on both sides. It only adds,
//! so that binaries of before go on. One that takes away or changes what they use says in its name
//! what a binary has to know: `0090_needs_0088_letters_without_channel.sql` is for those that know
//! number 88 (`schema` refuses the others).

use std::collections::BTreeSet;

use rust_embed::RustEmbed;
use sqlx::SqlSafeStr as _;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use super::error::StoreError;

#[derive(RustEmbed)]
#[folder = "migrations/sqlite"]
struct SqliteFiles;

#[derive(RustEmbed)]
#[folder = "migrations/postgres"]
struct PostgresFiles;

/// One file of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationFile {
    /// Name of the file, such as `0001_beginning.sql`.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// All files for SQLite, by name.
pub fn sqlite_files() -> Result<Vec<MigrationFile>, StoreError> {
    files::<SqliteFiles>()
}

/// All files for PostgreSQL, by name.
pub fn postgres_files() -> Result<Vec<MigrationFile>, StoreError> {
    files::<PostgresFiles>()
}

fn files<Folder: RustEmbed>() -> Result<Vec<MigrationFile>, StoreError> {
    let mut names: Vec<String> = Folder::iter()
        .map(std::borrow::Cow::into_owned)
        .filter(|name| std::path::Path::new(name).extension().is_some_and(|end| end == "sql"))
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|name| {
            let bytes = Folder::get(&name).map(|file| file.data.into_owned()).unwrap_or_default();
            let text = String::from_utf8(bytes).map_err(|_| StoreError::Migration {
                why: format!("the file `{name}` of this binary is not UTF-8"),
            })?;
            Ok(MigrationFile { name, text })
        })
        .collect()
}

/// Makes a migrator of the files.
pub(super) fn migrator(files: Vec<MigrationFile>) -> Result<Migrator, StoreError> {
    let mut migrations = Vec::with_capacity(files.len());
    for file in files {
        let stem = file.name.trim_end_matches(".sql");
        let parts = stem.split_once('_').and_then(|(number, words)| {
            Some((number.parse::<i64>().ok()?, words.replace('_', " ")))
        });
        let Some((version, description)) = parts else {
            return Err(StoreError::Migration {
                why: format!("the file name `{}` has no number", file.name),
            });
        };
        // The text comes out of the binary itself.
        let sql = sqlx::AssertSqlSafe(file.text).into_sql_str();
        migrations.push(Migration::new(
            version,
            description.into(),
            MigrationType::Simple,
            sql,
            false,
        ));
    }
    let mut migrator = Migrator::with_migrations(migrations);
    // What is missing here a newer binary has brought; `schema` has looked whether we get on with it.
    migrator.set_ignore_missing(true);
    Ok(migrator)
}

/// The numbers of the migrations that this binary knows.
pub(super) fn known(migrator: &Migrator) -> BTreeSet<u64> {
    migrator.iter().filter_map(|one| u64::try_from(one.version).ok()).collect()
}

/// The number of the oldest migration that a binary has to know to work with a schema to which one of
/// this description was applied; `None` where it leaves those before it at work.
pub fn needed(description: &str) -> Option<u64> {
    let (number, _) = description.strip_prefix("needs ")?.split_once(' ')?;
    number.parse().ok()
}

/// Says what a migration stumbled over.
pub(super) fn explain(error: MigrateError) -> StoreError {
    let why = match error {
        MigrateError::Execute(source) => return source.into(),
        MigrateError::ExecuteMigration(source, version) => {
            format!("number {version} failed: {}", StoreError::from(source))
        }
        MigrateError::VersionMismatch(version) => {
            format!("number {version} was changed after it had been applied")
        }
        MigrateError::Dirty(version) => format!("number {version} was applied only half"),
        _ => "unexpected".to_owned(),
    };
    StoreError::Migration { why }
}
