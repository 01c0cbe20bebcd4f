//! Runs the programs of backup stores: never through a shell, with a bounded output and a time
//! limit, and with secrets in the environment only.
//!
//! What a tool says in words stays here: it may name files, hosts and addresses with credentials.
//! The kinds look in it for what they know, and say the rest in words of their own.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStdin, Command};

use super::settings::{BackupSettings, is_variable};
use crate::receipt::Fault;

/// The most that a tool may say, in bytes; the listing of a hundred thousand snapshots is shorter.
const MOST_OUTPUT_BYTES: u64 = 128 * 1024 * 1024;
/// The most of its words that are looked at, in bytes.
const MOST_WORDS_BYTES: u64 = 256 * 1024;
/// How long the words of a tool that has ended are waited for.
const LINGER: Duration = Duration::from_secs(2);
/// How long reading may take if nothing is said.
const LONGEST_READ: SignedDuration = SignedDuration::from_mins(10);
/// How long removing may take if nothing is said: whole repositories are packed anew.
const LONGEST_CHANGE: SignedDuration = SignedDuration::from_hours(6);

/// Whether a run changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It only reads.
    Reads,
    /// It removes copies.
    Removes,
}

/// A program of a backup store, ready to be run.
pub(super) struct Tool {
    system: String,
    name: &'static str,
    package: &'static str,
    program: Vec<String>,
    environment: Vec<(String, SecretString)>,
    without: &'static [&'static str],
    limit: Option<SignedDuration>,
}

/// A run that came to an end by itself.
pub(super) struct Ended {
    /// Its exit code.
    pub code: i32,
    /// What it wrote to its standard output.
    pub output: Vec<u8>,
    /// The beginning of what it wrote to its standard error; not to be passed on.
    pub words: String,
}

impl Ended {
    /// It says that all went well.
    pub(super) fn is_well(&self) -> bool {
        self.code == 0
    }

    /// One of these is among its words, capitals aside.
    pub(super) fn says(&self, any: &[&str]) -> bool {
        let words = self.words.to_lowercase();
        any.iter().any(|one| words.contains(&one.to_lowercase()))
    }
}

impl Tool {
    /// A tool by its name, with the Debian package that has it.
    ///
    /// # Errors
    /// `Misconfigured` where a parameter of the settings cannot be read.
    pub(super) fn of(
        settings: &BackupSettings,
        name: &'static str,
        package: &'static str,
    ) -> Result<Self, Fault> {
        let program = settings.told("program").unwrap_or(name);
        let program: Vec<String> = program.split_whitespace().map(str::to_owned).collect();
        let variables = settings.parameters.iter().filter(|(name, _)| is_variable(name));
        let mut environment: Vec<(String, SecretString)> =
            variables.map(|(name, value)| (name.clone(), value.clone())).collect();
        // Words to look for, and moments without a zone, are to be the same everywhere.
        environment.push(("LC_ALL".to_owned(), "C.UTF-8".into()));
        environment.push(("TZ".to_owned(), "UTC".into()));
        let limit = settings.length("time_limit")?;
        let system = settings.system.clone();
        Ok(Self { system, name, package, program, environment, without: &[], limit })
    }

    /// Takes variables out of the environment that would contradict others.
    pub(super) fn without(mut self, names: &'static [&'static str]) -> Self {
        self.without = names;
        self
    }

    /// Adds a variable of its environment.
    pub(super) fn with(mut self, name: &str, value: &SecretString) -> Self {
        self.environment.push((name.to_owned(), value.clone()));
        self
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// Where it cannot be started, takes too long, says too much or is killed. An exit code that
    /// says that something went wrong is no error of this method.
    pub(super) async fn run<A: AsRef<str>>(
        &self,
        effect: Effect,
        arguments: &[A],
    ) -> Result<Ended, Fault> {
        self.run_told(effect, arguments, None).await
    }

    /// Runs it to its end, with something on its standard input that nobody else may read.
    ///
    /// # Errors
    /// As [`Self::run`], and where it did not read all of its input.
    pub(super) async fn run_told<A: AsRef<str>>(
        &self,
        effect: Effect,
        arguments: &[A],
        told: Option<&SecretString>,
    ) -> Result<Ended, Fault> {
        let mut child = self.start(arguments, told.is_some())?;
        let input = child.stdin.take();
        let limit = self.limit.unwrap_or(match effect {
            Effect::Reads => LONGEST_READ,
            Effect::Removes => LONGEST_CHANGE,
        });
        let limit = Duration::try_from(limit).unwrap_or(Duration::MAX);
        let both = async { tokio::join!(listen(&mut child), tell(input, told)) };
        let ended = tokio::time::timeout(limit, both).await;
        let Ok((ended, read)) = ended else {
            self.end(&mut child).await;
            let taken = limit.as_secs();
            return Err(self.cut_short(effect, &format!("took longer than {taken} seconds")));
        };
        let (status, output, words) = match ended {
            Ok(ended) => ended,
            Err(what) => {
                self.end(&mut child).await;
                return Err(self.cut_short(effect, &what));
            }
        };
        let Some(code) = status.code() else {
            return Err(self.cut_short(effect, "was killed before it ended"));
        };
        // A tool that fails may have done so before it read anything.
        if read.is_err() && code == 0 {
            return Err(self.cut_short(effect, "did not read all that it was told"));
        }
        Ok(Ended { code, output, words: String::from_utf8_lossy(&words).into_owned() })
    }

    fn start<A: AsRef<str>>(&self, arguments: &[A], is_told: bool) -> Result<Child, Fault> {
        let Some((program, first)) = self.program.split_first() else {
            return Err(self.misconfigured("`program` names no program"));
        };
        let mut command = Command::new(program);
        command.args(first).args(arguments.iter().map(AsRef::<str>::as_ref));
        for name in self.without {
            command.env_remove(name);
        }
        for (name, value) in &self.environment {
            command.env(name, value.expose_secret());
        }
        // Nobody is there to answer questions; what would be asked is refused.
        command.stdin(if is_told { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true);
        command.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => self.misconfigured(&format!(
                "there is no program `{program}`: install it (Debian has it in `{}`), or say \
                 where it is under `program`",
                self.package
            )),
            std::io::ErrorKind::PermissionDenied => self
                .misconfigured(&format!("the program `{program}` may not be run by this account")),
            kind => self.transient(&format!("`{program}` could not be started ({kind})")),
        })
    }

    /// A program that no longer counts.
    async fn end(&self, child: &mut Child) {
        if let Err(error) = child.kill().await {
            let why = error.kind().to_string();
            tracing::warn!(system = self.system, tool = self.name, why, "it could not be killed");
        }
    }

    /// A run of which nobody knows how far it came.
    fn cut_short(&self, effect: Effect, what: &str) -> Fault {
        match effect {
            Effect::Reads => self.transient(&format!("`{}` {what}", self.name)),
            Effect::Removes => Fault::Unknown {
                message: format!(
                    "backup store `{}`: `{}` {what} while it removed copies, some of which may be \
                     gone",
                    self.system, self.name
                ),
            },
        }
    }

    /// Its output as JSON. What cannot be read is a fault and never an empty list.
    pub(super) fn read<T: serde::de::DeserializeOwned>(&self, output: &[u8]) -> Result<T, Fault> {
        serde_json::from_slice(output).map_err(|error| {
            // The text of the error may quote what was read.
            let (line, column) = (error.line(), error.column());
            self.rejected(&format!(
                "what `{}` lists cannot be understood (line {line}, column {column}); is it the \
                 tool that it should be, in a version that this one knows?",
                self.name
            ))
        })
    }

    /// It ended with a failure that none of its known words explains.
    pub(super) fn unexplained(&self, ended: &Ended, by_hand: &str) -> Fault {
        self.transient(&format!(
            "`{}` failed with exit code {}: run `{by_hand}` by hand to see what it says",
            self.name, ended.code
        ))
    }

    /// A person has to change something.
    pub(super) fn misconfigured(&self, what: &str) -> Fault {
        Fault::Misconfigured { message: format!("backup store `{}`: {what}", self.system) }
    }

    /// It may go better later.
    pub(super) fn transient(&self, what: &str) -> Fault {
        let message = format!("backup store `{}`: {what}", self.system);
        Fault::Transient { message, retry_after_ms: None }
    }

    /// It was understood and answered with what cannot be.
    pub(super) fn rejected(&self, what: &str) -> Fault {
        Fault::Rejected { message: format!("backup store `{}`: {what}", self.system) }
    }
}

/// Listens until it has ended; what kept us from it, in words.
async fn listen(child: &mut Child) -> Result<(ExitStatus, Vec<u8>, Vec<u8>), String> {
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    let mut words = Vec::new();
    let ended = {
        let wait = async { child.wait().await.map_err(|error| unheard(&error)) };
        let ended = async { tokio::try_join!(wait, most(output, MOST_OUTPUT_BYTES)) };
        let rest = rest(errors, &mut words);
        tokio::pin!(ended, rest);
        tokio::select! {
            ended = &mut ended => {
                // A connection that `ssh` leaves open for others goes on to hold the other end.
                if let Ok(said) = tokio::time::timeout(LINGER, &mut rest).await {
                    said.map_err(|error| unheard(&error))?;
                }
                ended
            }
            said = &mut rest => {
                said.map_err(|error| unheard(&error))?;
                ended.await
            }
        }
    };
    ended.map(|(status, output)| (status, output, words))
}

/// Says all of it and closes the input.
async fn tell(input: Option<ChildStdin>, told: Option<&SecretString>) -> std::io::Result<()> {
    let (Some(mut input), Some(told)) = (input, told) else { return Ok(()) };
    input.write_all(told.expose_secret().as_bytes()).await?;
    input.shutdown().await
}

fn unheard(error: &std::io::Error) -> String {
    format!("could not be heard ({})", error.kind())
}

/// Reads to the end, and no more than that.
async fn most(source: Option<impl AsyncRead + Unpin>, bytes: u64) -> Result<Vec<u8>, String> {
    let mut read = Vec::new();
    if let Some(source) = source {
        let all = source.take(bytes + 1).read_to_end(&mut read).await;
        all.map_err(|error| unheard(&error))?;
    }
    if read.len() as u64 > bytes {
        return Err(format!("said more than {} MiB", bytes / (1024 * 1024)));
    }
    Ok(read)
}

/// Reads to the end and keeps the beginning, so that nobody waits for being read.
async fn rest(
    source: Option<impl AsyncRead + Unpin>,
    beginning: &mut Vec<u8>,
) -> std::io::Result<()> {
    if let Some(mut source) = source {
        (&mut source).take(MOST_WORDS_BYTES).read_to_end(beginning).await?;
        tokio::io::copy(&mut source, &mut tokio::io::sink()).await?;
    }
    Ok(())
}
