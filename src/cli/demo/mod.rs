//! `quietus demo`: everything once, on an invented telecom company, and a folder to go on with.
//!
//! It exits 0 only if everything that it told is true: counts are read again by plain SQL that
//! shares nothing with the connectors and compared with the certificate's, and the tampered
//! certificate has to be refused.

mod company;
mod tally;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use quietus_connectors::sample;
use uuid::Uuid;

use self::company::Company;
use self::tally::Tally;
use super::certificates::write_export;
use super::explain_text::explanation_text;
use super::opening::{DIM, GOOD, STRONG, complain, load, number, open_loaded, say};
use super::plan_text::forecast_text;
use super::{FINE, NOT_DONE, WRONG_INPUT, run, verify};
use crate::app::hold::PlaceHold;
use crate::app::open_case::{CaseOpened, Opening};
use crate::app::{Actor, AppError, Quietus};
use crate::domain::{CollectionName, HoldScope, SystemName};
use crate::evidence::certificate::Predicate;
use crate::evidence::export::{BUNDLE_NAME, SCRIPT_NAME};
use crate::evidence::verify::{Finding, Verdict};
use crate::plan::{Acting, forecast};
use crate::store::CaseCause;

/// See everything once. `--dir` names the folder to make (`./quietus-demo`); it must be empty.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  quietus demo --dir /tmp/demo      takes well under a minute and needs nothing else")]
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
    match perform(folder).await {
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

fn must(holds: bool, what: &str) -> Result<(), Untrue> {
    if holds { Ok(()) } else { Err(Untrue(what.to_owned())) }
}

async fn perform(folder: &Path) -> Result<(), Failure> {
    if let Err(why) = company::may_be_made(folder) {
        complain(&why);
        return Err(Failure::Code(WRONG_INPUT));
    }
    heading(1, "An invented telecom company");
    let company = Company::make(folder).await.map_err(|why| {
        complain(&why);
        Failure::Code(WRONG_INPUT)
    })?;
    say(format!(
        "   {} records in three databases, with a data map and a rule pack, in {}",
        number(company.records().await?),
        folder.display()
    ));
    let loaded = load(folder).map_err(Failure::Code)?;
    let product = open_loaded(loaded).await.map_err(Failure::Code)?;
    place_hold(&product).await?;
    show_plan(&product).await?;
    show_one_record(&product).await?;
    let before = Tally::take(&company).await?;
    let case = carry_out(&product).await?;
    let after = Tally::take(&company).await?;
    prove_counts(&company).await?;
    let certificate = show_certificate(&product, case, folder).await?;
    let compared = tally::compare(&before, &after, &certificate)?;
    say(format!(
        "   {GOOD}✓{GOOD:#} its counts are those of plain SQL before and after the run ({compared} compared)"
    ));
    show_refusal(folder)?;
    say(format!(
        "\n{STRONG}Try next{STRONG:#}, in {0}:\n   quietus --dir {0} plan --at 2030-01-01\n   quietus --dir {0} explain billing orders A-0000002\n   quietus --dir {0} hold list\n   quietus --dir {0} run --once          (nothing is left to do)\n   sh {0}/certificate/verify.sh          (no tool of ours)\n   open {0}/certificate/certificate.html\nEdit {0}/schedules/telecom.yaml, then `quietus --dir {0} check`.",
        folder.display()
    ));
    Ok(())
}

async fn place_hold(product: &Quietus) -> Result<(), Untrue> {
    let name = |text: &str| Untrue(format!("`{text}` is no name"));
    let system = SystemName::parse("support").map_err(|_| name("support"))?;
    let collection = CollectionName::parse("tickets").map_err(|_| name("tickets"))?;
    let mapped = product.collection(&system, "tickets")?;
    let record = product.read_key(mapped, company::HELD_TICKET)?;
    let scope = HoldScope {
        system: Some(system),
        collection: Some(collection),
        record: Some(record),
        ..HoldScope::default()
    };
    product
        .place_hold(PlaceHold {
            matter: "LIT-2026-7".to_owned(),
            scope,
            reason: "a customer sues over a broken router".to_owned(),
            review_on: None,
            actor: Actor("Grace Example".to_owned()),
        })
        .await?;
    say("   One support ticket is under a legal hold (matter LIT-2026-7).");
    Ok(())
}

async fn show_plan(product: &Quietus) -> Result<(), Untrue> {
    heading(2, "The plan: what is due now, what stays and why (nothing is changed)");
    let counted = product.counted_plan(product.this_second(), &Acting::Everything, None).await?;
    if let Some(fault) = counted.faults.values().next() {
        return Err(Untrue(fault.to_string()));
    }
    let forecast = forecast(&counted.plan, &product.rules, &counted.counts);
    for line in forecast_text(&forecast).trim_end().lines() {
        say(format!("   {line}"));
    }
    must(counted.exceeded.is_empty(), "the plan exceeds a cap")
}

async fn show_one_record(product: &Quietus) -> Result<(), Untrue> {
    heading(3, "One record explained: why an order is kept, and until when");
    let system = product.system("billing")?;
    let collection = product.collection(&system.name, "orders")?;
    let key = product.read_key(collection, company::EXPLAINED_ORDER)?;
    let explained =
        product.explain_record("billing", "orders", &key, product.this_second()).await?;
    let explanation = explained.ok_or_else(|| Untrue("the order is missing".to_owned()))?;
    for line in explanation_text(&explanation).trim_end().lines() {
        say(format!("   {line}"));
    }
    Ok(())
}

async fn carry_out(product: &Arc<Quietus>) -> Result<Uuid, Untrue> {
    heading(4, "The run");
    let opened = product
        .open_case(Opening {
            cause: CaseCause::Command,
            actor: Actor("demo".to_owned()),
            moment: product.this_second(),
            acting: &Acting::Everything,
            occurrence: None,
        })
        .await?;
    let CaseOpened::Open { case } = opened else {
        return Err(Untrue("the case did not open".to_owned()));
    };
    let code = run::carry_out(product, case).await?;
    must(code == FINE, "the run did not carry out everything")?;
    Ok(case)
}

/// Counts again by plain SQL and compares with what must be true.
async fn prove_counts(company: &Company) -> Result<(), Untrue> {
    heading(5, "What is gone and what is kept, counted by plain SQL of its own");
    for claim in Company::claims() {
        let found = sample::count(&company.database(claim.database), &claim.query).await?;
        let fits = if claim.none { found == 0 } else { found > 0 };
        must(fits, &format!("{} ({found})", claim.words))?;
        say(format!("   {GOOD}✓{GOOD:#} {:>9}  {}", number(found), claim.words));
    }
    Ok(())
}

async fn show_certificate(
    product: &Arc<Quietus>,
    case: Uuid,
    folder: &Path,
) -> Result<Predicate, Untrue> {
    heading(6, "The certificate, for an auditor");
    let certificate = product
        .store
        .certificate_of_case(case)
        .await
        .map_err(AppError::from)?
        .ok_or_else(|| Untrue("there is no certificate".to_owned()))?;
    let to = folder.join("certificate");
    let names = write_export(product, certificate.summary.id, &to).await?;
    say(format!("   {} in {}", names.join(", "), to.display()));

    heading(7, "Checked offline, step by step");
    let verdict = check(&to, None)?;
    print_verdict(&verdict);
    must(verdict.passed(), "the certificate does not verify")?;
    run_script(&to)?;
    let certificate = verdict.certificate.ok_or_else(|| Untrue("it cannot be read".to_owned()))?;
    Ok(certificate.predicate)
}

/// Runs the script that needs no tool of ours, where its tools are.
fn run_script(certificate: &Path) -> Result<(), Untrue> {
    let shell = |command: &str, argument: &Path| {
        Command::new("sh").arg("-c").arg(command).arg("sh").arg(argument).output()
    };
    let tools = shell("command -v jq && command -v openssl", certificate);
    if !tools.is_ok_and(|found| found.status.success()) {
        say("   verify.sh was not run: it needs sh, jq and openssl");
        return Ok(());
    }
    let script = certificate.join(SCRIPT_NAME);
    let done = shell("sh \"$1\"", &script).map_err(|error| Untrue(error.to_string()))?;
    must(done.status.success(), "verify.sh refuses the certificate")?;
    say(format!("   {GOOD}✓{GOOD:#} verify.sh, which needs no tool of ours, finds the same"));
    Ok(())
}

fn show_refusal(folder: &Path) -> Result<(), Untrue> {
    let to = folder.join("certificate");
    heading(8, "A copy with one byte changed is refused");
    let bundle = read(&to.join(BUNDLE_NAME))?;
    let mut tampered = bundle.clone();
    let place = tampered.len() / 3;
    tampered[place] = if tampered[place] == b'A' { b'B' } else { b'A' };
    let copy = folder.join("tampered.sigstore.json");
    std::fs::write(&copy, &tampered).map_err(|error| Untrue(error.to_string()))?;
    let verdict = check(&to, Some(&copy))?;
    must(!verdict.passed(), "the tampered copy was accepted")?;
    for step in verdict.steps.iter().filter(|step| step.finding == Finding::Fail) {
        say(format!("   FAIL  {}: {}", step.name, step.sentence));
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, Untrue> {
    std::fs::read(path).map_err(|error| Untrue(format!("`{}`: {error}", path.display())))
}

fn check(folder: &Path, instead: Option<&Path>) -> Result<Verdict, Untrue> {
    verify::check_folder(folder, instead).map_err(|error| Untrue(error.to_string()))
}

fn print_verdict(verdict: &Verdict) {
    for step in &verdict.steps {
        say(format!("   {:<11} {}: {}", step.finding.as_str(), step.name, step.sentence));
    }
}
