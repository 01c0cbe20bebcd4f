//! `quietus demo`: everything once, on an invented telecom company, and a folder to go on with.
//!
//! It exits 0 only if everything that it told is true: counts are read again by plain SQL that
//! shares nothing with the connectors and compared with the certificates', and the tampered
//! certificate has to be refused.

mod answer;
mod asking;
mod audit;
mod clock;
mod company;
mod copied;
mod disposal;
mod marketing;
mod person;
mod restored;
mod stage;
mod tally;
mod years_later;

use std::fmt::Display;
use std::path::Path;
use std::time::Instant;

use clap::Args;

use self::asking::Asked;
use self::stage::Stage;
use super::opening::{DIM, GOOD, STRONG, complain, say};
use super::{FINE, NOT_DONE};
use crate::app::AppError;

/// See everything once. `--dir` names the folder to make (`./quietus-demo`); it must be empty.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  quietus demo --dir /tmp/demo      takes about a minute and needs nothing else")]
pub struct Arguments {}

/// Something that was told and is not true.
struct Untrue(String);

impl From<AppError> for Untrue {
    fn from(error: AppError) -> Self {
        Self(error.to_string())
    }
}

impl From<quietus_connectors::Fault> for Untrue {
    fn from(fault: quietus_connectors::Fault) -> Self {
        Self(fault.to_string())
    }
}

/// Runs the demonstration in `folder`.
pub async fn run(_: &Arguments, folder: Option<&Path>) -> u8 {
    let folder = folder.unwrap_or(Path::new("./quietus-demo"));
    let began = Instant::now();
    match Box::pin(perform(folder)).await {
        Ok(()) => {
            say(format!("\n{DIM}{:.1} seconds in all{DIM:#}", began.elapsed().as_secs_f64()));
            FINE
        }
        Err(Failure::Code(code)) => code,
        Err(Failure::Untrue(Untrue(what))) => {
            complain(&format!("the demonstration does not hold: {what}"));
            NOT_DONE
        }
    }
}

enum Failure {
    Code(u8),
    Untrue(Untrue),
}

impl<T: Into<Untrue>> From<T> for Failure {
    fn from(error: T) -> Self {
        Self::Untrue(error.into())
    }
}

fn heading(number: u8, words: &str) {
    say(format!("\n{STRONG}{number}. {words}{STRONG:#}"));
}

/// Says something that was found to be true.
fn right(words: impl Display) {
    say(format!("   {GOOD}✓{GOOD:#} {words}"));
}

fn must(holds: bool, what: &str) -> Result<(), Untrue> {
    if holds { Ok(()) } else { Err(Untrue(what.to_owned())) }
}

async fn perform(folder: &Path) -> Result<(), Failure> {
    let stage = Stage::set(folder).await?;
    disposal::tell(&stage).await?;
    let asked = asking::tell(&stage).await?;
    let certificate = answer::tell(&stage, &asked).await?;
    years_later::tell(&stage, &asked, certificate).await?;
    restored::tell(&stage, &asked).await?;
    try_next(folder, &asked);
    Ok(())
}

fn try_next(folder: &Path, asked: &Asked) {
    let dir = folder.display();
    say(format!(
        "
{STRONG}Try next{STRONG:#}, in {dir}:
   quietus --dir {dir} plan --at 2030-01-01
   quietus --dir {dir} explain billing orders A-0000002
   quietus --dir {dir} run --once          (what has become due in the days of the story)
   quietus --dir {dir} request show {request}
   quietus --dir {dir} hold release {matter}    (then `run --once`: her ticket goes by itself)
   echo email=customer17@mail.example | quietus --dir {dir} request new --right erasure --identities-file -
   sh {dir}/{answer}/verify.sh          (no tool of ours)
   open {dir}/{answer}/certificate.html
Edit {dir}/schedules/telecom.yaml, then `quietus --dir {dir} check`.
Example Marketing was a part of this demonstration and is gone. Nobody asks it for anything unless another
person asks for erasure; such a request is then open at `marketing`, and says so.",
        request = asked.request,
        matter = stage::MATTER,
        answer = answer::CERTIFICATE,
    ));
}
