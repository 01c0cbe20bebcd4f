//! graphile-worker and pg-boss, each as fast as its own documentation tells one to run it, and each
//! in the plain way: one job after the other.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use super::ground::{number, on_server, url_of};
use super::race::race;

const FILES: [(&str, &str); 5] = [
    ("package.json", include_str!("peers/package.json")),
    ("package-lock.json", include_str!("peers/package-lock.json")),
    ("graphile.cjs", include_str!("peers/graphile.cjs")),
    ("boss.cjs", include_str!("peers/boss.cjs")),
    ("signal.cjs", include_str!("peers/signal.cjs")),
];

/// Which one, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// graphile-worker as it is by default: each job is fetched and completed by itself.
    Graphile,
    /// graphile-worker with its local queue of 500 jobs and completions in batches.
    GraphileInBatches,
    /// pg-boss, fetching and completing one job at a time.
    Boss,
    /// pg-boss, fetching and completing 250 jobs at a time.
    BossInBatches,
}

impl Peer {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Graphile, Self::GraphileInBatches, Self::Boss, Self::BossInBatches];

    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Graphile => "graphile-worker",
            Self::GraphileInBatches => "graphile-worker in batches",
            Self::Boss => "pg-boss",
            Self::BossInBatches => "pg-boss in batches",
        }
    }

    fn script(self) -> &'static str {
        match self {
            Self::Graphile | Self::GraphileInBatches => "graphile.cjs",
            Self::Boss | Self::BossInBatches => "boss.cjs",
        }
    }

    fn batch(self) -> &'static str {
        match self {
            Self::Graphile | Self::Boss => "1",
            Self::GraphileInBatches => "500",
            Self::BossInBatches => "250",
        }
    }

    /// A query that counts the jobs that are not done.
    fn left(self) -> &'static str {
        match self {
            Self::Graphile | Self::GraphileInBatches => {
                "SELECT count(*) FROM graphile_worker._private_jobs"
            }
            Self::Boss | Self::BossInBatches => {
                "SELECT count(*) FROM pgboss.job WHERE state <> 'completed'"
            }
        }
    }
}

/// What is installed, in a folder that goes again.
pub struct Peers {
    folder: TempDir,
    /// Node and both packages, with their versions.
    pub versions: String,
}

impl Peers {
    /// Fetches both from npm; why not, where it cannot be.
    pub async fn install() -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("quietus-peers-").tempdir();
        let folder = folder.map_err(|error| error.to_string())?;
        for (name, text) in FILES {
            std::fs::write(folder.path().join(name), text).map_err(|error| error.to_string())?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(folder.path());
        let ended = npm.output().await.map_err(|error| format!("`npm`: {error}"))?;
        if !ended.status.success() {
            let said = String::from_utf8_lossy(&ended.stderr);
            return Err(format!("`npm ci` failed: {}", said.trim()));
        }
        let versions = versions(folder.path()).await?;
        Ok(Self { folder, versions })
    }

    fn command(&self, peer: Peer, arguments: &[&str]) -> Command {
        let mut command = Command::new("node");
        let script: PathBuf = self.folder.path().join(peer.script());
        command.arg(script).args(arguments).current_dir(self.folder.path());
        command
    }

    /// How long so many processes take for so many jobs that do nothing, in a database of their own.
    pub async fn run(
        &self,
        peer: Peer,
        (jobs, replicas, workers): (u64, u32, u32),
        server: &str,
    ) -> Duration {
        let name = format!("quietus_peer_{}", std::process::id());
        let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        on_server(server, &[drop.clone(), format!("CREATE DATABASE {name}")]).await;
        let url = url_of(server, &name);
        let filled = self.command(peer, &["fill", &url, &jobs.to_string()]).status().await;
        assert!(filled.expect("node starts").success(), "{} cannot be filled", peer.name());
        assert_eq!(number(&url, peer.left()).await, jobs, "all jobs wait");
        on_server(&url, &["CHECKPOINT".to_owned()]).await;
        let workers = workers.to_string();
        let one = || self.command(peer, &["work", &url, &workers, peer.batch()]);
        let (took, _) = race((0..replicas).map(|_| one()).collect()).await;
        assert_eq!(number(&url, peer.left()).await, 0, "{} has left jobs undone", peer.name());
        on_server(server, &[drop]).await;
        took
    }
}

async fn versions(folder: &Path) -> Result<String, String> {
    let script = "const v = (n) => n + ' ' + require(n + '/package.json').version;\
        console.log(['Node ' + process.versions.node, v('graphile-worker'), v('pg-boss')].join(', '))";
    let mut node = Command::new("node");
    node.args(["-e", script]).current_dir(folder);
    let told = node.output().await.map_err(|error| format!("`node`: {error}"))?;
    if !told.status.success() {
        return Err(String::from_utf8_lossy(&told.stderr).trim().to_owned());
    }
    Ok(String::from_utf8_lossy(&told.stdout).trim().to_owned())
}
