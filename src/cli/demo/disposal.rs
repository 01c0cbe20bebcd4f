//! The first half of the story: what is due is planned, explained and carried out, and everything
//! that the certificate says of it is counted again.

use quietus_connectors::sample;
use uuid::Uuid;

use super::audit;
use super::company::{self, Company};
use super::stage::Stage;
use super::tally::{self, Tally};
use super::{Untrue, heading, must, right};
use crate::app::open_case::{CaseOpened, Opening};
use crate::app::{Actor, Quietus};
use crate::cli::explain_text::explanation_text;
use crate::cli::opening::{number, say};
use crate::cli::plan_text::forecast_text;
use crate::plan::{Acting, forecast};
use crate::store::CaseCause;

/// The folder of the run's certificate.
const CERTIFICATE: &str = "certificate";

/// Tells it.
pub(super) async fn tell(stage: &Stage) -> Result<(), Untrue> {
    let begun = stage.product.this_second();
    show_plan(&stage.product).await?;
    show_one_record(&stage.product).await?;
    let before = Tally::take(&stage.company).await?;
    let case = carry_out(stage).await?;
    let after = Tally::take(&stage.company).await?;
    prove_counts(&stage.company, begun).await?;

    heading(6, "The certificate, for an auditor");
    let to = stage.path(CERTIFICATE);
    let (_, names) = audit::export(&stage.product, case, &to).await?;
    say(format!("   {} in {}", names.join(", "), to.display()));
    heading(7, "Checked offline, step by step");
    let certificate = audit::check_aloud(&to)?;
    audit::run_script(&to)?;
    let compared = tally::compare(&before, &after, &certificate)?;
    right(format!(
        "its counts are those of plain SQL before and after the run ({compared} compared)"
    ));
    heading(8, "A copy with one byte changed is refused");
    audit::show_refusal(&to, &stage.path("tampered.sigstore.json"))
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

async fn carry_out(stage: &Stage) -> Result<Uuid, Untrue> {
    heading(4, "The run");
    let opened = stage
        .product
        .open_case(Opening {
            cause: CaseCause::Command,
            actor: Actor("demo".to_owned()),
            moment: stage.product.this_second(),
            acting: &Acting::Everything,
            occurrence: None,
        })
        .await?;
    let CaseOpened::Open { case } = opened else {
        return Err(Untrue("the case did not open".to_owned()));
    };
    stage.carry_out(case).await?;
    Ok(case)
}

/// Counts again by plain SQL and compares with what must be true.
async fn prove_counts(company: &Company, moment: jiff::Timestamp) -> Result<(), Untrue> {
    heading(5, "What is gone and what is kept, counted by plain SQL of its own");
    for claim in Company::claims(moment) {
        let found = sample::count(&company.database(claim.database), &claim.query).await?;
        let fits = if claim.none { found == 0 } else { found > 0 };
        must(fits, &format!("{} ({found})", claim.words))?;
        right(format!("{:>9}  {}", number(found), claim.words));
    }
    Ok(())
}
