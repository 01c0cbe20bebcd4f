//! An invented company: an instance folder, its own database, and its systems.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result};

use crate::ground::{Database, Ground};

/// The token of whoever brings requests, holds and events.
pub const TOKEN: &str = "operator-0123456789abcdef0123456789abcdef";

/// The binary that was built with this program.
pub const QUIETUS: &str = env!("CARGO_BIN_EXE_quietus");

/// One connected system.
pub struct System {
    pub name: String,
    pub database: Database,
}

/// The company.
pub struct Company {
    folder: PathBuf,
    pub store: Database,
    pub systems: Vec<System>,
}

/// How a command ended.
pub struct Ended {
    pub code: Option<i32>,
    pub words: String,
}

impl Company {
    /// A company without systems.
    pub async fn new(ground: &Ground, name: &str, workers: u32) -> Result<Self> {
        let folder = ground.folder().join(name);
        for inner in ["systems", "schedules", "secrets", "logs"] {
            std::fs::create_dir_all(folder.join(inner))?;
        }
        let company = Self { folder, store: ground.database().await?, systems: Vec::new() };
        company.write_secret("store-url", &company.store.url)?;
        company.write_secret("operator", TOKEN)?;
        company.write(
            "quietus.yaml",
            &format!(
                "controller: {{ name: Example Company, zone: Europe/Berlin, country: DE }}\n\
                 store: file:secrets/store-url\nlisten: 127.0.0.1:0\nworkers: {workers}\n\
                 tokens:\n  - {{ name: desk, role: operator, secret: file:secrets/operator }}\n"
            ),
        )?;
        Ok(company)
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.folder.join(name);
        std::fs::write(&path, text).with_context(|| path.display().to_string())
    }

    fn write_secret(&self, name: &str, text: &str) -> Result<()> {
        let path = self.folder.join("secrets").join(name);
        std::fs::write(&path, text)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        Ok(())
    }

    /// Adds a system with a fresh database; `map` is the rest of its file, from `collections` on.
    pub async fn add_system(&mut self, ground: &Ground, name: &str, map: &str) -> Result<Database> {
        let database = ground.database().await?;
        self.write_secret(&format!("{name}-url"), &database.url)?;
        self.write(
            &format!("systems/{name}.yaml"),
            &format!(
                "system: {name}\nkind: postgresql\nrole: database\nowner: Operations\nregion: EU\n\
                 connection: {{ url: file:secrets/{name}-url }}\nzone: UTC\n{map}"
            ),
        )?;
        self.systems.push(System { name: name.to_owned(), database: database.clone() });
        Ok(database)
    }

    /// A command of a binary of the product on this company, not started yet.
    pub fn command(&self, binary: &Path, arguments: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(binary);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .arg("--dir")
            .arg(&self.folder)
            .args(arguments)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Runs a command of the product to its end.
    pub async fn quietus(&self, arguments: &[&str]) -> Result<Ended> {
        let mut command = self.command(Path::new(QUIETUS), arguments);
        let output = command.output().await.context("the product cannot be started")?;
        let words = [output.stdout, output.stderr].concat();
        let words = String::from_utf8_lossy(&words).into_owned();
        Ok(Ended { code: output.status.code(), words })
    }

    /// The same, where it must end well.
    pub async fn must(&self, arguments: &[&str]) -> Result<Ended> {
        let ended = self.quietus(arguments).await?;
        anyhow::ensure!(ended.code == Some(0), "quietus {arguments:?}: {}", ended.words);
        Ok(ended)
    }
}
