//! The schema, embedded: one folder a database, paired files with the same numbers and names.
//!
//! A file that has landed is never edited again; a change is a new file on both sides.

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
    Ok(Migrator::with_migrations(migrations))
}

/// Says what a migration stumbled over.
pub(super) fn explain(error: MigrateError) -> StoreError {
    let why = match error {
        MigrateError::Execute(source) => return source.into(),
        MigrateError::ExecuteMigration(source, version) => {
            format!("number {version} failed: {}", StoreError::from(source))
        }
        MigrateError::VersionMissing(version) => format!(
            "it has number {version}, which this binary does not know; use the newer binary"
        ),
        MigrateError::VersionMismatch(version) => {
            format!("number {version} was changed after it had been applied")
        }
        MigrateError::Dirty(version) => format!("number {version} was applied only half"),
        _ => "unexpected".to_owned(),
    };
    StoreError::Migration { why }
}
