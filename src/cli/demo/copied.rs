//! A copy of the folder with a product and a clock of its own, so that the folder itself stays in the
//! present and as the story left it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::clock::StoryClock;
use super::company::Company;
use super::stage::Stage;
use super::{Failure, Untrue};
use crate::app::Quietus;
use crate::cli::opening::{load, open_with};
use crate::domain::Clock;

/// What is copied: everything but certificates that were handed out, and copies.
const COPIED: &[&str] = &[
    "quietus.yaml",
    "quietus.db",
    "quietus.db-wal",
    "systems",
    "schedules",
    "certificates",
    "secrets",
    "keys",
    "data",
];

/// The copy, with everything that is played in it.
pub(super) struct Copied {
    pub(super) folder: PathBuf,
    pub(super) clock: Arc<StoryClock>,
    pub(super) product: Arc<Quietus>,
    pub(super) company: Company,
}

impl Copied {
    /// Copies the folder under a name in it. The product on the stage is closed for it.
    ///
    /// # Errors
    /// Where it cannot be copied or opened.
    pub(super) async fn of(stage: &Stage, name: &str) -> Result<Self, Failure> {
        stage.product.store.close().await;
        let folder = stage.path(name);
        copy(&stage.folder, &folder)?;
        let clock = StoryClock::days_ago(0);
        let loaded = load(&folder).map_err(Failure::Code)?;
        let product = open_with(loaded, Arc::clone(&clock) as Arc<dyn Clock>);
        let product = product.await.map_err(Failure::Code)?;
        let company = Company::in_folder(&folder);
        Ok(Self { folder, clock, product, company })
    }
}

/// Copies what an instance consists of.
fn copy(from: &Path, to: &Path) -> Result<(), Untrue> {
    std::fs::create_dir_all(to).map_err(|error| Untrue(error.to_string()))?;
    for name in COPIED {
        copy_one(&from.join(name), &to.join(name))
            .map_err(|error| Untrue(format!("`{name}` cannot be copied: {error}")))?;
    }
    Ok(())
}

fn copy_one(from: &Path, to: &Path) -> std::io::Result<()> {
    if from.is_dir() {
        std::fs::create_dir_all(to)?;
        for entry in std::fs::read_dir(from)? {
            let entry = entry?;
            copy_one(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    let is_shared_memory = from.extension().is_some_and(|end| end == "db-shm");
    if from.is_file() && !is_shared_memory {
        std::fs::copy(from, to)?;
    }
    Ok(())
}
