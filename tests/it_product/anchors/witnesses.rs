//! Our own witness: as a process on somebody else's machine, and what it answers.

use quietus::domain::Digest;
use quietus::witness::{self, Witness};

use super::{Running, anchor, company, start_witness, states, step, witness_entry};
use crate::company::{Company, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_quorum_of_witnesses_anchors_a_certificate() {
    let company = company().await;
    let (one, two) = (
        start_witness(&company, "one.example/w").await,
        start_witness(&company, "two.example/w").await,
    );
    let entries = witness_entry(&company, "one", &one) + &witness_entry(&company, "two", &two);
    anchor(&company, "", &entries, "");
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(states(&company).await, ["anchored"]);
    let (found, said) = step(&company, "witnesses", true).await;
    assert_eq!(found, "PASS", "{said}");
    assert!(said.contains("`one.1`, `one.2`, `two.1`, `two.2`"), "{said}");
    assert_eq!(step(&company, "policy", true).await.0, "PASS");
    assert_eq!(step(&company, "policy", false).await.0, "NOT CHECKED");
    // Whoever makes up a log makes up its witnesses too.
    let (found, said) = step(&company, "witnesses", false).await;
    assert_eq!(found, "NOT CHECKED", "{said}");
    assert!(said.contains("policy that came with the certificate"), "{said}");
    let (found, said) = step(&company, "post-quantum", true).await;
    assert_eq!(found, "PASS", "{said}");
    company.quietus(&["anchor", "list"]).await.expect(0);
    let text = company.read("latest/certificate.txt");
    assert!(text.contains("Signed the head of the log as witnesses: one, two."), "{text}");
    let page = company.read("latest/certificate.html");
    assert!(page.contains("the signatures of witnesses are among the files below"));
    assert!(page.contains("<a download=\"certificate.tlog-proof\""));

    // The log grows, and is signed from where it was signed last.
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(states(&company).await, ["anchored", "anchored"]);
    let last = last_head(&company, &one).await;
    let head = company.read("keys/log.head");
    assert_eq!(last.split("\n\n").next(), head.split("\n\n").next(), "anybody can compare");
}

async fn last_head(company: &Company, running: &Running) -> String {
    let head = company.read("keys/log.head");
    let name = Digest::of(head.lines().next().unwrap().as_bytes());
    let url = format!("http://{}/logs/{name}/checkpoint", running.address);
    reqwest::get(url).await.unwrap().text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_witness_of_two_that_are_wanted_is_not_enough() {
    let company = company().await;
    let one = start_witness(&company, "one.example/w").await;
    let two = start_witness(&company, "two.example/w").await;
    let gone =
        witness_entry(&company, "two", &two).replace(&two.address.to_string(), "127.0.0.1:1");
    anchor(&company, "", &(witness_entry(&company, "one", &one) + &gone), "  quorum: 2\n");
    let ran = company.quietus(&["run", "--once"]).await.expect(0);
    assert!(ran.out.contains("`two` does not vouch for the log"), "{}", ran.out);
    assert_eq!(states(&company).await, ["logged"]);
    // It is handed out all the same, and says so.
    assert_eq!(step(&company, "witnesses", true).await.0, "FAIL");
    let (found, said) = step(&company, "witnesses", false).await;
    assert_eq!(found, "NOT CHECKED", "{said}");
    let text = company.read("latest/certificate.txt");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("as witnesses: one. That is fewer than"), "{text}");
    let all = witness_entry(&company, "one", &one) + &witness_entry(&company, "two", &two);
    anchor(&company, "", &all, "  quorum: 2\n");
    company.quietus(&["anchor", "now"]).await.expect(0);
    assert_eq!(states(&company).await, ["anchored"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_witness_it_is_said_so() {
    let company = company().await;
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(states(&company).await, ["logged"]);
    let (found, said) = step(&company, "witnesses", false).await;
    assert_eq!(found, "NOT CHECKED");
    assert!(said.starts_with("Unwitnessed"), "{said}");
    // The log's own second signature needs nobody else.
    assert_eq!(step(&company, "post-quantum", true).await.0, "PASS");
    assert_eq!(step(&company, "post-quantum", false).await.0, "NOT CHECKED");
    let listed = company.quietus(&["anchor", "list"]).await.expect(0);
    assert!(listed.out.contains("nobody vouches for the log"), "{}", listed.out);
    // Once it has signed, its key is missed and never made anew.
    std::fs::remove_file(company.path("keys/log-ml-dsa-44.pem")).unwrap();
    let missed = company.quietus(&["status"]).await;
    assert_ne!(missed.code, 0);
    assert!(missed.err.contains("log-ml-dsa-44.pem` is missing"), "{}", missed.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_second_key_there_is_no_second_signature() {
    let company = company().await;
    let text = company.read("quietus.yaml");
    company.write("quietus.yaml", &format!("{text}evidence: {{ post_quantum: false }}\n"));
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(step(&company, "post-quantum", false).await.0, "NOT CHECKED");
    assert!(!company.path("keys/log-ml-dsa-44.pem").exists());
}

/// The real binary, as somebody runs it who knows no instance.
#[tokio::test(flavor = "multi_thread")]
async fn the_command_makes_a_witness_and_serves_until_it_is_stopped() {
    let company = company().await;
    let keys = company.path("witness");
    let keys = keys.to_str().unwrap();
    let made = company.quietus(&["witness", "init", "--name", "w.example/1", "--keys", keys]).await;
    let printed = made.expect(0).out;
    assert_eq!(printed.lines().count(), 2, "{printed}");
    company.quietus(&["witness", "init", "--name", "w.example/1", "--keys", keys]).await.expect(2);
    assert_eq!(company.quietus(&["witness", "keys", "--keys", keys]).await.expect(0).out, printed);
    let log = company.quietus(&["anchor", "key"]).await.expect(0).out;
    company.write("log.key", &log);
    let file = company.path("log.key");
    let trust = ["witness", "trust", "--keys", keys, file.to_str().unwrap()];
    assert!(company.quietus(&trust).await.expect(0).out.contains("is known now"));
    assert!(company.quietus(&trust).await.expect(0).out.contains("known already"));
    company.write("log.key", "no key");
    company.quietus(&trust).await.expect(2);

    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let listen = format!("127.0.0.1:{port}");
    let run = ["witness", "run", "--keys", keys, "--listen", &listen];
    let mut child = company.start(&run);
    until("the witness listens", 20, async || tokio::net::TcpStream::connect(&listen).await.ok())
        .await;
    let second = company.quietus(&run).await.expect(2);
    assert!(second.err.contains("another process signs"), "{}", second.err);
    company.write("w.keys", &printed);
    let entry = format!("    - {{ name: w, url: \"http://{listen}\", keys: \"file:w.keys\" }}\n");
    anchor(&company, "", &entry, "");
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(states(&company).await, ["anchored"]);
    child.start_kill().unwrap();
    child.wait().await.unwrap();

    // It remembers what it has signed.
    let mut again = company.start(&run);
    until("the witness listens", 20, async || tokio::net::TcpStream::connect(&listen).await.ok())
        .await;
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(states(&company).await, ["anchored", "anchored"]);
    again.start_kill().unwrap();
    again.wait().await.unwrap();
}

/// A file about what was seen that cannot be read is never taken for a beginning.
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_memory_signs_nothing() {
    let company = company().await;
    let running = start_witness(&company, "w.example/1").await;
    anchor(&company, "", &witness_entry(&company, "w", &running), "");
    company.quietus(&["run", "--once"]).await.expect(0);
    let seen = std::fs::read_dir(running.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_string_lossy().starts_with("seen-"))
        .expect("what was seen");
    let good = std::fs::read(&seen).unwrap();
    let mut broken = good.clone();
    broken[3] ^= 1;
    std::fs::write(&seen, &broken).unwrap();
    let ran = company.quietus(&["run", "--once"]).await.expect(0);
    assert!(ran.out.contains("it answered 500"), "{}", ran.out);
    assert_eq!(states(&company).await, ["logged", "anchored"]);
    std::fs::write(&seen, &good).unwrap();
    company.quietus(&["anchor", "now"]).await.expect(0);
    assert_eq!(states(&company).await, ["anchored", "anchored"]);
}

#[test]
fn a_log_cannot_change_its_key_under_its_name() {
    let folder = tempfile::tempdir().unwrap();
    witness::init(folder.path(), "w.example/1").unwrap();
    let key = || {
        let key = quietus::evidence::LogKey::generate().unwrap().public();
        quietus::evidence::LogIdentity::new("log.example/1", key).unwrap().verifier_key()
    };
    assert!(witness::trust(folder.path(), &key()).unwrap());
    let error = witness::trust(folder.path(), &key()).unwrap_err().to_string();
    assert!(error.contains("another key is known"), "{error}");
    let clock = std::sync::Arc::new(quietus::telemetry::SystemClock);
    let witness = Witness::open(folder.path(), clock).unwrap();
    assert_eq!(witness.add_checkpoint(b"text").status, 400);
}
