//! Others vouch for the log: real time-stamp authorities (`openssl ts` behind HTTP, from
//! `QUIETUS_TEST_TSA` and `QUIETUS_TEST_TSA_FOLDER`), our own witness, and witnesses that lie.

mod attacks;
mod foreign;
mod notary;
mod renewal;
mod witnesses;
mod years;

use std::sync::Arc;

use quietus::domain::Clock;
use quietus::telemetry::SystemClock;
use quietus::witness::server::Server;
use quietus::witness::{self, Witness};
use tokio_util::sync::CancellationToken;

use crate::company::database::Kind;
use crate::company::{Company, heap};

/// A company with thirty notes that are due.
pub async fn company() -> Company {
    heap::company(Kind::Sqlite, Kind::Sqlite, 30, "{ chunk_records: 500 }").await
}

#[expect(clippy::disallowed_methods, reason = "the environment says where test servers are")]
fn from_environment(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `tests/run`"))
}

/// Where the authority of this name is asked.
pub fn authority_url(name: &str) -> String {
    format!("{}/{name}", from_environment("QUIETUS_TEST_TSA"))
}

/// A file of the authority of this name.
pub fn authority_file(name: &str, file: &str) -> String {
    let path = format!("{}/{name}/{file}", from_environment("QUIETUS_TEST_TSA_FOLDER"));
    std::fs::read_to_string(path).unwrap()
}

/// An entry of `time_stamps` for the authority of this name; its certificate is put beside it.
pub fn authority(company: &Company, name: &str, more: &str) -> String {
    company.write(&format!("{name}.pem"), &authority_file(name, "root.pem"));
    format!(
        "    - {{ name: {name}, url: \"{}\", certificates: \"file:{name}.pem\"{more} }}\n",
        authority_url(name)
    )
}

/// Writes who vouches into the instance file, in place of what stood there.
pub fn anchor(company: &Company, stamps: &str, witnesses: &str, more: &str) {
    let text = company.read("quietus.yaml");
    let text = text.split("anchors:").next().unwrap();
    let list = |name: &str, entries: &str| {
        if entries.is_empty() { String::new() } else { format!("  {name}:\n{entries}") }
    };
    let stamps = list("time_stamps", stamps);
    let witnesses = list("witnesses", witnesses);
    company.write("quietus.yaml", &format!("{text}anchors:\n{stamps}{witnesses}{more}"));
}

/// A witness of ours that runs until it is dropped.
pub struct Running {
    pub folder: tempfile::TempDir,
    pub address: std::net::SocketAddr,
    stop: CancellationToken,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Starts a witness that knows the company's log.
pub async fn start_witness(company: &Company, name: &str) -> Running {
    let folder = tempfile::tempdir().unwrap();
    witness::init(folder.path(), name).unwrap();
    let key = company.quietus(&["anchor", "key"]).await.expect(0).out;
    assert!(witness::trust(folder.path(), key.lines().next().unwrap()).unwrap());
    serve(folder, Arc::new(SystemClock)).await
}

/// Starts the witness of this folder.
pub async fn serve(folder: tempfile::TempDir, clock: Arc<dyn Clock>) -> Running {
    let witness = Witness::open(folder.path(), clock).unwrap();
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), Arc::new(witness)).await.unwrap();
    let (address, stop) = (server.address(), CancellationToken::new());
    tokio::spawn(server.serve(stop.clone()));
    Running { folder, address, stop }
}

/// An entry of `witnesses` for a running witness.
pub fn witness_entry(company: &Company, name: &str, running: &Running) -> String {
    let keys = witness::verifier_keys(running.folder.path()).unwrap();
    let lines: Vec<String> = keys.iter().map(ToString::to_string).collect();
    witness_at(company, name, &format!("http://{}", running.address), &lines.join("\n"))
}

/// An entry of `witnesses` for somebody at this address with these keys.
pub fn witness_at(company: &Company, name: &str, url: &str, keys: &str) -> String {
    company.write(&format!("{name}.keys"), &format!("# keys of {name}\n{keys}\n"));
    format!("    - {{ name: {name}, url: \"{url}\", keys: \"file:{name}.keys\" }}\n")
}

/// Exports a certificate into a folder of the company; where that is.
pub async fn export(company: &Company, which: &str, folder: &str) -> String {
    let to = company.path(folder).to_str().unwrap().to_owned();
    company.quietus(&["certificate", "export", which, "--to", &to]).await.expect(0);
    to
}

/// The states of all certificates, newest first, as people are told.
pub async fn states(company: &Company) -> Vec<String> {
    let listed = company.quietus(&["certificate", "list"]).await.expect(0).out;
    listed
        .lines()
        .filter_map(|line| {
            ["signed", "logged", "anchored"].into_iter().find(|state| line.contains(state))
        })
        .map(str::to_owned)
        .collect()
}

/// Exports the latest certificate and verifies it with everything that the company has given; the
/// step of this name.
pub async fn step(company: &Company, name: &str, policy: bool) -> (String, String) {
    let to = export(company, "latest", "latest").await;
    let to = to.as_str();
    let [root, key, file] =
        ["trusted_root.json", "issuer.pub.pem", "policy.tlog"].map(|name| format!("{to}/{name}"));
    let mut arguments =
        vec!["verify", to, "--trusted-root", &root, "--issuer-key", &key, "--format", "json"];
    if policy {
        arguments.extend(["--policy", &file]);
    }
    let verdict = company.quietus(&arguments).await.json();
    let steps = verdict["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["name"] == name).unwrap();
    (step["finding"].as_str().unwrap().to_owned(), step["sentence"].as_str().unwrap().to_owned())
}
