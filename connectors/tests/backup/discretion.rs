//! Secrets stay where they are.

use std::fs;
use std::io;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

use crate::ground::{Ground, PASSWORD};

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl io::Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Heard {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

pub async fn secrets_are_in_no_argument_and_no_message(kind: &'static str) {
    let heard = Heard::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(heard.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
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
    said.push(String::from_utf8(heard.0.lock().unwrap().clone()).unwrap());
    for words in said {
        assert!(!words.contains(PASSWORD), "{words}");
        assert!(!words.contains(secret), "{words}");
    }
}
