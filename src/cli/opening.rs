//! What most commands begin with: load the folder, tell its problems, open the instance.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use uuid::Uuid;

use super::{NOT_DONE, WRONG_INPUT};
use crate::app::{AppError, Opening, Quietus};
use crate::config::{self, Loaded, Process, Severity};
use crate::domain::Clock;
use crate::store::StoreError;
use crate::telemetry::{SystemClock, SystemIds};

/// Emphasis in text for people.
pub const STRONG: Style = Style::new().bold();
/// Something to look at.
pub const WARN: Style = AnsiColor::Yellow.on_default().bold();
/// Something wrong.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Something right.
pub const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Less important words.
pub const DIM: Style = Style::new().dimmed();

/// Prints an error to standard error.
pub fn complain(problem: &dyn Display) {
    let mut err = anstream::stderr();
    // Nobody can be told that standard error is closed.
    writeln!(err, "{BAD}error:{BAD:#} {problem}").unwrap_or_default();
}

/// Prints the error of a use case and gives the exit code that fits it.
pub fn fail(error: &AppError) -> u8 {
    complain(error);
    if error.is_input() { WRONG_INPUT } else { NOT_DONE }
}

/// Reads all files of a folder; prints every problem and gives the exit code where there is one.
///
/// # Errors
/// The exit code.
pub fn load(folder: &Path) -> Result<Loaded, u8> {
    config::load(folder).map_err(|problems| {
        let colour = std::io::stderr().is_terminal();
        let mut err = anstream::stderr();
        write!(err, "{}", config::report::human(&problems, colour)).unwrap_or_default();
        let errors = problems.found.iter().filter(|one| one.severity == Severity::Error).count();
        complain(&format!("{errors} problem(s); nothing was changed"));
        WRONG_INPUT
    })
}

/// Opens the instance of a folder.
///
/// # Errors
/// The exit code; what is wrong has been printed.
pub async fn open(folder: &Path) -> Result<Arc<Quietus>, u8> {
    open_loaded(load(folder)?).await
}

/// Opens the instance of a folder, does something with it and gives the exit code; what is wrong
/// has been printed.
pub async fn with_product(
    folder: &Path,
    work: impl AsyncFnOnce(&Arc<Quietus>) -> Result<u8, AppError>,
) -> u8 {
    match open(folder).await {
        Ok(product) => work(&product).await.unwrap_or_else(|error| fail(&error)),
        Err(code) => code,
    }
}

/// Opens an instance whose files are read.
///
/// # Errors
/// The exit code; what is wrong has been printed.
pub async fn open_loaded(loaded: Loaded) -> Result<Arc<Quietus>, u8> {
    open_with(loaded, Arc::new(SystemClock)).await
}

/// Opens an instance whose files are read, with a clock.
///
/// # Errors
/// The exit code; what is wrong has been printed.
pub async fn open_with(loaded: Loaded, clock: Arc<dyn Clock>) -> Result<Arc<Quietus>, u8> {
    let process = Process::from_environment().map_err(|problem| {
        complain(&problem);
        WRONG_INPUT
    })?;
    let opening = Opening { loaded, process, clock, ids: Arc::new(SystemIds) };
    let file = opening.loaded.instance.folder.join(config::INSTANCE_FILE);
    Quietus::open(opening).await.map_err(|error| match error {
        AppError::Store(error @ StoreError::Busy { .. }) => fail(&error.into()),
        AppError::Store(error) => {
            complain(&format!("{error}; `store` in `{}` says where it is", file.display()));
            if matches!(error, StoreError::Url { .. }) { WRONG_INPUT } else { NOT_DONE }
        }
        AppError::Secret(error) => {
            complain(&error);
            WRONG_INPUT
        }
        error => fail(&error),
    })
}

/// An identifier that a person wrote.
///
/// # Errors
/// What to write instead.
pub fn read_id(text: &str) -> Result<Uuid, &'static str> {
    Uuid::try_parse(text).map_err(|_| "write the whole identifier, as `quietus status` shows it")
}

/// A day that a person wrote.
///
/// # Errors
/// What to write instead.
pub fn read_day(text: &str) -> Result<jiff::civil::Date, &'static str> {
    text.parse().map_err(|_| "write a day, such as `2027-06-01`")
}

/// The first line of a file, or of standard input for `-`; the key of an event or a record.
///
/// # Errors
/// Where it cannot be read.
pub fn read_first_line(path: &Path) -> Result<String, AppError> {
    let text = if path.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.map_err(|error| {
        let why = config::why(&error);
        AppError::Input(format!(
            "`{}` cannot be read: {why}; write the key on the first line of a text file",
            path.display()
        ))
    })?;
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

/// Prints a line to standard output. A closed pipe is no fault of ours.
pub fn say(line: impl Display) {
    let mut out = anstream::stdout();
    writeln!(out, "{line}").unwrap_or_default();
}

/// A number as people write it: `1 234 567`.
pub fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// The moment that a person wrote: a day (its beginning in the zone) or an instant.
///
/// # Errors
/// What to write instead.
pub fn read_moment(text: &str, zone: &jiff::tz::TimeZone) -> Result<jiff::Timestamp, AppError> {
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Ok(moment);
    }
    let day: Option<jiff::civil::Date> = text.parse().ok();
    day.and_then(|day| day.to_zoned(zone.clone()).ok()).map(|start| start.timestamp()).ok_or_else(
        || {
            AppError::Input(format!(
                "`{text}` is no moment: write a day (`2027-01-01`) or an instant (`2027-01-01T12:00:00Z`)"
            ))
        },
    )
}
