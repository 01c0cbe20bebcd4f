//! Processes that begin at one moment: each says `ready`, is told `go`, and says `done`.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// One of them.
struct Runner {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Runner {
    fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("the process starts");
        let input = process.stdin.take().expect("it can be told");
        let output = BufReader::new(process.stdout.take().expect("it can be heard")).lines();
        Self { process, input, output }
    }

    /// The rest of the line that begins with this word.
    async fn says(&mut self, word: &str) -> String {
        loop {
            let line = self.output.next_line().await.expect("text");
            let line = line.unwrap_or_else(|| panic!("it ended before it said `{word}`"));
            if let Some(rest) = line.strip_prefix(word) {
                return rest.trim().to_owned();
            }
        }
    }
}

/// How long it took until the last one was done, and what each said then.
pub async fn race(commands: Vec<Command>) -> (Duration, Vec<String>) {
    let mut runners: Vec<Runner> = commands.into_iter().map(Runner::start).collect();
    for runner in &mut runners {
        runner.says("ready").await;
    }
    let begun = Instant::now();
    for runner in &mut runners {
        runner.input.write_all(b"go\n").await.expect("it listens");
        runner.input.flush().await.expect("it listens");
    }
    let mut words = Vec::with_capacity(runners.len());
    for runner in &mut runners {
        words.push(runner.says("done").await);
    }
    let took = begun.elapsed();
    for mut runner in runners {
        drop(runner.input);
        let ended = runner.process.wait().await.expect("it ends");
        assert!(ended.success(), "a process failed after it was done");
    }
    (took, words)
}

/// This program once more, with other arguments.
pub fn this_program(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a path"));
    command.args(arguments);
    command
}

/// In a process of a race: says that it is ready and waits until it is told to go.
pub fn wait_for_go() {
    use std::io::Write as _;
    println!("ready");
    std::io::stdout().flush().expect("somebody listens");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("somebody tells");
    assert_eq!(line.trim(), "go", "somebody tells");
}
