//! A gateway of a test's own to the buckets of the tests, which lives at another moment than the machine:
//! versions have their moments from its clock, and it carries life cycles out by whole days.
//!
//! It is one more process on the cluster that `tests/servers/objects.sh` has started. Its list of life
//! cycles is a list of its own, because a day of the other gateway lasts ten seconds.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use jiff::Timestamp;

use super::moment::{Moment, WITH_REAL_WAITS};
use super::owner::{Door, Owner};

/// The gateway; it ends with the test.
pub struct Gateway {
    folder: tempfile::TempDir,
    port: u16,
    moment: Option<Moment>,
    child: Option<Child>,
}

/// What tells where servers are.
#[expect(clippy::disallowed_methods, reason = "the environment says where the test servers are")]
pub fn told(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: run tests/run, which starts it"))
}

impl Gateway {
    /// Configured, with a list of life cycles that nobody else has; nothing runs yet.
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let cluster = PathBuf::from(told("QUIETUS_TEST_S3_FOLDER")).join("ceph.conf");
        let own = format!("own-{}-{port}", std::process::id());
        let settings = std::fs::read_to_string(&cluster).unwrap();
        let root = ["zone", "zonegroup", "realm", "period"]
            .map(|name| format!("rgw {name} root pool = .rgw.root:{own}\n"));
        let settings = format!(
            "{settings}\nrgw lc debug interval = -1\nrgw enable lc threads = false\n\
             rgw enable gc threads = false\nadmin socket =\n{}",
            root.concat()
        );
        std::fs::write(folder.path().join("ceph.conf"), settings).unwrap();
        let gateway = Self { folder, port, moment: None, child: None };
        for what in ["zonegroup", "zone"] {
            let theirs = administer(&cluster, &[], &[what, "get"]).await;
            let ours = theirs.replace("default.rgw.log:lc", &format!("default.rgw.log:{own}"));
            assert_eq!(ours == theirs, what == "zonegroup", "{theirs}");
            let file = gateway.folder.path().join(what);
            std::fs::write(&file, ours).unwrap();
            let named = format!("--rgw-{what}=default");
            let set = [what, "set", &named, "--infile", file.to_str().unwrap()];
            administer(&gateway.settings(), &[], &set).await;
        }
        gateway
    }

    fn settings(&self) -> PathBuf {
        self.folder.path().join("ceph.conf")
    }

    /// Starts it, or starts it anew, at this moment.
    pub async fn live_at(&mut self, moment: &str) {
        self.end();
        let mut moment = Moment::at(moment, &[]);
        moment.variables.push(WITH_REAL_WAITS.to_owned());
        let mut command = std::process::Command::new("env");
        command.args(&moment.variables).arg("radosgw").arg("-c").arg(self.settings());
        let listens = format!("beast endpoint=127.0.0.1:{}", self.port);
        command.args(["-f", "-n", "client.rgw.own", "--rgw-frontends", &listens]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().unwrap());
        self.moment = Some(moment);
        for _ in 0..300 {
            if tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the gateway does not answer");
    }

    /// Carries out the life cycles of its list once, as it does by itself each night.
    pub async fn carry_out_life_cycles(&self) {
        let moment = self.moment.as_ref().expect("it lives somewhere");
        administer(&self.settings(), &moment.variables, &["lc", "process"]).await;
    }

    /// Host and port.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A bucket that keeps versions, as its owner has it.
    pub async fn bucket(&self, moment: &'static str) -> Owner {
        let owner = Owner::with_bucket(self.door(moment), false).await;
        owner.keep_versions("Enabled").await;
        owner
    }

    /// How its owner reaches it at this moment.
    pub fn door(&self, moment: &str) -> Door {
        let moment: Timestamp = moment.parse().unwrap();
        Door {
            endpoint: format!("http://{}", self.host()),
            access_key: told("QUIETUS_TEST_S3_ACCESS_KEY"),
            secret_key: told("QUIETUS_TEST_S3_SECRET_KEY"),
            now: Box::new(move || moment),
        }
    }

    fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Politely, because what it holds open is held for half a minute otherwise.
            let id = child.id().to_string();
            drop(std::process::Command::new("kill").args(["-TERM", &id]).status());
            drop(child.wait());
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the administrator's program answers, at a moment.
async fn administer(settings: &Path, moment: &[String], arguments: &[&str]) -> String {
    let mut command = tokio::process::Command::new("env");
    command.args(moment).arg("radosgw-admin").arg("-c").arg(settings);
    command.args(["-n", "client.rgw.own"]).args(arguments).stdin(Stdio::null());
    let ended = tokio::time::timeout(Duration::from_mins(1), command.output()).await;
    let ended = ended.expect("it ends within a minute").unwrap();
    let words = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "radosgw-admin {arguments:?}: {words}");
    String::from_utf8(ended.stdout).unwrap()
}
