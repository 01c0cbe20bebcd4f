//! The real binary: `quietus run` looks and tells by itself, and `quietus run --once` at its end.

use super::{configure, heap_with, pause, resume};
use crate::company::database::Kind;
use crate::company::{until, wait};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_runs_tells_what_comes_up_and_that_it_is_over() {
    let (company, receiver) = heap_with(Kind::Sqlite, "", "").await;
    let instance = company.read("quietus.yaml").replace("every: PT5M", "every: PT10S");
    company.write("quietus.yaml", &instance);
    company.quietus(&["run", "--once"]).await.expect(0);
    let child = company.start(&["run"]);
    pause(&company).await;
    let heard = async |text: &str| {
        until(text, 60, async || receiver.heard().contains(&text.to_owned()).then_some(())).await;
    };
    heard("alarm.raised pause.lasting").await;
    resume(&company).await;
    heard("alarm.cleared pause.lasting").await;
    assert_eq!(receiver.heard_of("pause.lasting").len(), 2);
    let identifier = child.id().unwrap().to_string();
    std::process::Command::new("kill").args(["-TERM", &identifier]).status().unwrap();
    wait(child).await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_ends_looks_and_tells_once() {
    let (company, receiver) = heap_with(Kind::Sqlite, "", "").await;
    pause(&company).await;
    let run = company.quietus(&["run", "--once"]).await;
    assert!(run.out.contains("alarm(s) raised"), "{}", run.out);
    assert_eq!(receiver.heard_of("pause.lasting"), ["alarm.raised pause.lasting"]);
    resume(&company).await;
    company.quietus(&["run", "--once"]).await.expect(0);
    assert_eq!(receiver.heard_of("pause.lasting")[1..], ["alarm.cleared pause.lasting"]);
    let listed = company.quietus(&["alarm", "list", "--cleared"]).await.expect(0);
    assert!(listed.out.contains("over") && listed.out.contains("pause.lasting"), "{}", listed.out);
    company.quietus(&["alarm", "list"]).await.expect(0);
    // One that nobody hears is named, and the run is not done.
    receiver.usually_says(500);
    pause(&company).await;
    let run = company.quietus(&["run", "--once"]).await.expect(1);
    assert!(run.out.contains("not heard") && run.out.contains("quietus alarm list"), "{}", run.out);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_make_no_sense_are_named_with_their_line() {
    let (company, receiver) = heap_with(Kind::Sqlite, "", "").await;
    let line = company.read("quietus.yaml").lines().count();
    let says = async |words: &str| {
        let said = company.quietus(&["check", "--format", "short"]).await.expect(2);
        let said = format!("{}{}", said.out, said.err);
        assert!(said.contains(words) && said.contains("quietus.yaml:"), "`{words}` in\n{said}");
        said
    };
    let entry = receiver.entry("hook", "");
    configure(&company, "", &entry.replace("http://", "https://user:horse@"));
    let told = says("nothing can be sent").await;
    assert!(!told.contains("horse") && told.contains(&format!("quietus.yaml:{line}:")), "{told}");
    configure(&company, "", &entry.replace(", private_host: true", ""));
    says("in the open").await;
    configure(&company, "  mail: [officer@company.example]\n", "");
    says("no mail server").await;
    configure(&company, "", &entry);
    let hasty = company.read("quietus.yaml").replace("every: PT5M", "every: PT1S");
    company.write("quietus.yaml", &hasty);
    says("ten seconds").await;
    company.quietus(&["alarm", "list"]).await.expect(2);
}
