//! Instances that are ready to be opened: schema and keys are made once and copied for each world,
//! because making them takes longer than a whole history.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use quietus::app::{Opening, Quietus};
use quietus::config::Process;
use quietus::store::{self, Store};
use quietus::telemetry::{SystemClock, SystemIds};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::estate;

/// Where there is one, a folder in memory: a world ends with its process, and no disk is waited for.
const IN_MEMORY: &str = "/dev/shm";

/// Files of an instance that has signed nothing yet: the store, and the keys.
const FILES: [&str; 5] =
    ["quietus.db", "keys/issuer.pem", "keys/log.pem", "keys/log-ml-dsa-44.pem", "keys/vault.key"];

static TEMPLATE: OnceCell<Vec<Vec<u8>>> = OnceCell::const_new();

fn folder() -> TempDir {
    let made = tempfile::Builder::new().prefix("quietus-simulation-").tempdir_in(IN_MEMORY);
    made.or_else(|_| tempfile::tempdir()).unwrap()
}

/// The content of the files.
async fn make() -> Vec<Vec<u8>> {
    let (opened, empty) = (folder(), folder());
    estate::write(opened.path(), 0);
    let product = Quietus::open(Opening {
        loaded: quietus::config::load(opened.path()).unwrap(),
        process: Process::default(),
        clock: Arc::new(SystemClock),
        ids: Arc::new(SystemIds),
    });
    Box::pin(product).await.unwrap().store.close().await;
    let database = empty.path().join(FILES[0]);
    let options = store::OpenOptions { create: true, ..store::OpenOptions::default() };
    let store = Store::open(&format!("sqlite:{}", database.display()), options).await.unwrap();
    // Everything has to be in the one file that is copied.
    assert!(store.scrub().await.unwrap());
    store.close().await;
    let path = |name: &&str| match *name {
        name if name == FILES[0] => empty.path().join(name),
        name => opened.path().join(name),
    };
    FILES.iter().map(|name| std::fs::read(path(name)).unwrap()).collect()
}

/// The folder of a new instance, with the first version of the rules.
pub async fn instance() -> TempDir {
    let contents = TEMPLATE.get_or_init(make).await;
    let folder = folder();
    let mut private = std::fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut private, 0o700);
    private.create(folder.path().join("keys")).unwrap();
    for (name, content) in FILES.iter().zip(contents) {
        write(&folder.path().join(name), content);
    }
    estate::write(folder.path(), 0);
    folder
}

fn write(path: &Path, content: &[u8]) {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(content).unwrap();
}
