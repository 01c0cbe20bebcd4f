//! Tools that are not there, talk nonsense, die or never end.

use std::fs;
use std::time::{Duration, Instant};

use quietus_connectors::Fault;

use crate::ground::{Ground, runs, until};

pub async fn a_tool_that_is_missing_is_named_with_its_package(kind: &'static str) {
    let mut ground = Ground::bare(kind);
    if kind == "dumps" {
        // It needs no tool, and says so.
        ground.tell("program", "cat");
        let Err(fault) = ground.try_store() else { panic!("it opened") };
        assert!(fault.to_string().contains("`program` is no parameter"), "{fault}");
        return;
    }
    ground.tell("program", "/nowhere/tool");
    let store = ground.store();
    for fault in [store.check().await.unwrap_err(), store.copies().await.unwrap_err()] {
        let Fault::Misconfigured { message } = fault else { panic!("{fault:?}") };
        let package = if kind == "borg" { "borgbackup" } else { kind };
        assert!(message.contains(&format!("`{package}`")), "{message}");
    }
}

pub async fn nonsense_is_a_fault_and_no_empty_list(kind: &'static str) {
    let mut ground = Ground::of(kind).await;
    if kind == "dumps" {
        fs::rename(ground.path("dumps"), ground.path("away")).unwrap();
        fs::write(ground.path("dumps"), "no folder").unwrap();
        assert!(matches!(ground.store().copies().await, Err(Fault::Misconfigured { .. })));
        return;
    }
    for words in ["echo hello", ":", "echo '{}'", "echo '[{\"a\":1}]'", "echo '\"x\"'", "echo 7"] {
        ground.tell("program", &ground.script(words));
        let store = ground.store();
        let listed = store.copies().await;
        assert!(matches!(listed, Err(Fault::Rejected { .. })), "{words}: {listed:?}");
        assert!(store.check().await.is_err(), "{words}");
        assert!(store.expire(&ground.before).await.is_err(), "{words}");
    }
    ground.tell("program", &ground.script("echo whoever >&2; exit 3"));
    let fault = ground.store().copies().await.unwrap_err();
    let Fault::Transient { message, .. } = &fault else { panic!("{fault:?}") };
    assert!(message.contains("exit code 3") && message.contains("by hand"), "{message}");
    assert!(!message.contains("whoever"), "words of tools are not passed on: {message}");
}

pub async fn a_tool_that_is_killed_while_it_reads(kind: &'static str) {
    let mut ground = Ground::bare(kind);
    if kind == "dumps" {
        return;
    }
    ground.tell("program", &ground.script("echo '['; kill -9 $$"));
    let fault = ground.store().copies().await.unwrap_err();
    assert!(matches!(fault, Fault::Transient { .. }), "{fault:?}");
}

pub async fn a_tool_that_is_killed_while_it_removes(kind: &'static str) {
    let mut ground = Ground::of(kind).await;
    if kind == "dumps" {
        return;
    }
    let real = ground.settings.clone();
    let listed = ground.ids().await;
    let script = format!(
        "for word in \"$@\"; do case $word in forget | delete | expire) kill -9 $$ ;; esac; done\n\
         exec {} \"$@\"",
        ground.real_tool()
    );
    ground.tell("program", &ground.script(&script));
    let first = std::slice::from_ref(&ground.before[0]);
    let fault = ground.store().expire(first).await.unwrap_err();
    assert!(matches!(fault, Fault::Unknown { .. }), "{fault:?}");
    ground.settings = real;
    assert_eq!(ground.ids().await, listed);
    let expiry = ground.store().expire(first).await.unwrap();
    assert_eq!(expiry.gone, first);
}

pub async fn a_tool_that_never_ends(kind: &'static str) {
    let mut ground = Ground::bare(kind);
    if kind == "dumps" {
        return;
    }
    ground.tell("program", &ground.script("exec sleep 60"));
    ground.tell("time_limit", "PT1S");
    let begun = Instant::now();
    let fault = ground.store().copies().await.unwrap_err();
    let Fault::Transient { message, .. } = &fault else { panic!("{fault:?}") };
    assert!(message.contains("longer than 1 seconds"), "{message}");
    assert!(begun.elapsed() < Duration::from_secs(20));
    // Somebody else goes on to hold its other end, as a shared connection of `ssh` does.
    ground.tell("time_limit", "PT1M");
    ground.tell("program", &ground.script("sleep 50 >/dev/null & exit 3"));
    let begun = Instant::now();
    let fault = ground.store().copies().await.unwrap_err();
    assert!(fault.to_string().contains("exit code 3"), "{fault}");
    assert!(begun.elapsed() < Duration::from_secs(30));
    // More than anybody can read.
    ground.tell("program", &ground.script("exec cat /dev/zero"));
    let fault = ground.store().copies().await.unwrap_err();
    assert!(fault.to_string().contains("more than 128 MiB"), "{fault}");
}

pub async fn a_tool_that_nobody_waits_for_is_ended(kind: &'static str) {
    let mut ground = Ground::bare(kind);
    if kind == "dumps" {
        return;
    }
    let written = ground.path("pid");
    let script = format!("echo $$ >{}\nexec sleep 60", written.display());
    ground.tell("program", &ground.script(&script));
    let store = ground.store();
    let started = || fs::read_to_string(&written).is_ok_and(|pid| pid.ends_with('\n'));
    tokio::select! {
        listed = store.copies() => panic!("it ended: {listed:?}"),
        () = until("the tool", started) => {}
    }
    let pid = fs::read_to_string(&written).unwrap();
    until("the end of the tool", || !runs(pid.trim())).await;
}
