//! Secrets stay where they are.

use std::fs;

use crate::ground::{Ground, PASSWORD};
use crate::heard::Heard;

pub async fn secrets_are_in_no_argument_and_no_message(kind: &'static str) {
    let (heard, _guard) = Heard::listen();
    let mut ground = Ground::of(kind).await;
    let secret = "espalier-marmot-0815";
    let arguments = ground.path("arguments");
    let mut said = Vec::new();
    if kind != "dumps" {
        ground.tell("SOME_TOKEN", secret);
        // What a process was started with, as everybody on the machine can read it.
        let script = format!(
            "tr '\\0' ' ' </proc/$$/cmdline >>{0}\necho >>{0}\nenv >{0}.environment\nexec {1} \"$@\"",
            arguments.display(),
            ground.real_tool()
        );
        fs::write(&arguments, "").unwrap();
        ground.tell("program", &ground.script(&script));
    }
    let store = ground.store();
    said.push(format!("{:?}", store.check().await));
    said.push(format!("{:?}", store.copies().await));
    said.push(format!("{:?}", store.expire(&ground.before).await));
    said.push(format!("{:?}", ground.settings));
    if kind != "dumps" {
        let started = fs::read_to_string(&arguments).unwrap();
        assert!(started.lines().count() > 2, "{started}");
        let environment = fs::read_to_string(ground.path("arguments.environment")).unwrap();
        assert!(environment.contains(&format!("SOME_TOKEN={secret}")), "it was handed on");
        said.push(started);
        // A tool that repeats all that it knows.
        ground.tell("program", &ground.script("env; env >&2; exit 1"));
        let store = ground.store();
        said.push(format!("{:?}", store.check().await));
        said.push(format!("{:?}", store.copies().await.unwrap_err()));
        said.push(format!("{:?}", store.expire(&ground.before).await.unwrap_err()));
    }
    said.push(heard.words());
    for words in said {
        assert!(!words.contains(PASSWORD), "{words}");
        assert!(!words.contains(secret), "{words}");
    }
}
