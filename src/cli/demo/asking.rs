//! The second half of the story: a person asks for erasure, somebody makes sure who asks, and every
//! system and the processor are asked until nothing is left but what has to stay.

use jiff::SignedDuration;
use quietus_connectors::sample;
use uuid::Uuid;

use super::person::{self, Found};
use super::stage::Stage;
use super::tally::Tally;
use super::{Untrue, heading, must, right};
use crate::app::Actor;
use crate::app::brought::{Brought, BroughtCheck, read_check};
use crate::app::reading::requests::RequestPage;
use crate::app::request::Taken;
use crate::cli::opening::{DIM, number, say};
use crate::cli::request_text::{page_text, systems_text};
use crate::cli::requested::carry_out_requests;
use crate::cli::{FINE, NOT_DONE};
use crate::domain::{Assurance, JobState, RequestState};

/// Records that must still be there, by table: the law keeps an invoice with its payment, and the
/// hold keeps a ticket with its messages.
const KEPT: &[(&str, u64)] = &[
    ("billing.orders", 1),
    ("billing.payments", 1),
    ("support.messages", 2),
    ("support.tickets", 1),
];
/// Records in which something of her must still stand: of the two messages one is the answer, which
/// does not name her.
const NAMED: &[(&str, u64)] = &[
    ("billing.orders", 1),
    ("billing.payments", 1),
    ("support.messages", 1),
    ("support.tickets", 1),
];

/// What is remembered of the request for the rest of the story.
pub(super) struct Asked {
    pub(super) request: Uuid,
    pub(super) case: Uuid,
    /// Counts of every table before anything was erased, and after.
    pub(super) before: Tally,
    pub(super) after: Tally,
}

/// Tells it.
pub(super) async fn tell(stage: &Stage) -> Result<Asked, Untrue> {
    let request = bring(stage).await?;
    confirm(stage, request).await?;

    heading(10, "She is found in every system, and erased where that may be");
    let before = Tally::take(&stage.company).await?;
    let case = erase(stage, request).await?;
    heading(11, "The processor answers later");
    wait_for_the_processor(stage, request).await?;
    let after = Tally::take(&stage.company).await?;

    heading(12, "The case page");
    say(command(&format!("request show {request}")));
    for line in page_text(&page(stage, request).await?, stage.product.zone()).trim_end().lines() {
        say(format!("   {line}"));
    }
    heading(13, "Where she still is, searched by plain SQL in every column of every table");
    search(stage, request).await?;
    Ok(Asked { request, case, before, after })
}

/// The page of a request as it stands.
pub(super) async fn page(stage: &Stage, request: Uuid) -> Result<RequestPage, Untrue> {
    let page = stage.product.read_request(request).await?;
    page.ok_or_else(|| Untrue("the request is missing".to_owned()))
}

/// The command that does the same.
pub(super) fn command(words: &str) -> String {
    format!("   {DIM}$ quietus {words}{DIM:#}")
}

fn ada() -> Actor {
    Actor("Ada Example".to_owned())
}

async fn bring(stage: &Stage) -> Result<Uuid, Untrue> {
    heading(9, "A person writes in");
    say(format!(
        "   \"Please erase everything that you have about me. {}, {}\"",
        person::NAME,
        person::TYPED
    ));
    say(
        "   The law's clock has run since her letter came, some hours ago. Ada Example types it in:",
    );
    say(command(
        "request new --right erasure --identities-file - --channel mail --by \"Ada Example\"",
    ));
    let product = &stage.product;
    let came = product.now().checked_sub(SignedDuration::from_hours(14));
    let brought = Brought {
        right: "erasure".to_owned(),
        identities: vec![("email".to_owned(), person::TYPED.to_owned())],
        received_at: came.ok(),
        channel: Some("mail".to_owned()),
        contact: Some(format!("{}, {}", person::NAME, person::TYPED.to_lowercase())),
        ..Brought::default()
    };
    let Taken::New(request) = product.take_in(product.read_brought(brought, ada())?).await? else {
        return Err(Untrue("the request was on record already".to_owned()));
    };
    let dates = &request.record.deadlines;
    say(format!(
        "   request {} is on record: she has an answer by {} (the law's last day: {})",
        request.stored.id, dates.answer_by, dates.legal_latest
    ));
    say(
        "   What she is known by is sealed: pages, logs and certificates say only \"known by email\".",
    );
    Ok(request.stored.id)
}

async fn confirm(stage: &Stage, request: Uuid) -> Result<(), Untrue> {
    let product = &stage.product;
    let before = person::records(&stage.company).await?;
    carry_out_requests(product).await?;
    let waits = page(stage, request).await?.facts.state == RequestState::IdentityPending;
    must(waits, "the request does not wait until it is sure who asks")?;
    must(person::records(&stage.company).await? == before, "something was erased too early")?;
    right("nothing is looked for or erased before it is sure who asks");
    say("   Ben Example calls her back and writes down where that is on record:");
    say(command(&format!(
        "request confirm {request} --assurance substantial --method call-back --reference T-123"
    )));
    let check = read_check(BroughtCheck {
        assurance: Assurance::Substantial,
        method: "call-back".to_owned(),
        reference: Some("T-123".to_owned()),
    })?;
    let ben = Actor("Ben Example".to_owned());
    let confirmed = product.confirm_identity(request, check, &ben).await?;
    must(confirmed.stored.state == RequestState::Ready, "the request is not ready")
}

/// Has the request carried out as far as that goes at once; its case.
async fn erase(stage: &Stage, request: Uuid) -> Result<Uuid, Untrue> {
    let found = person::records(&stage.company).await?;
    let contacts = person::at_the_processor(&stage.marketing).await?;
    say(format!(
        "   Plain SQL finds {} records of hers in the three databases:\n     {}\n   and {contacts} contact at Example Marketing. Her letter has her address in capitals, the databases have it in\n   small letters, and most of these records know her only by a number.",
        number(found.values().sum()),
        person::in_words(&found)
    ));
    must(contacts == 1 && found.values().all(|count| *count > 0), "she is not everywhere")?;
    let code = run_once(stage).await?;
    must(code == NOT_DONE, "the request is called carried out while the processor is at work")?;
    let page = page(stage, request).await?;
    show_systems(stage, &page);
    for system in &page.systems {
        let wanted = if system.third_party { JobState::Waiting } else { JobState::Completed };
        let stands = system.jobs.iter().all(|job| job.state == wanted);
        must(stands, &format!("`{}` does not stand where it should", system.system))?;
    }
    expect(&person::records(&stage.company).await?, KEPT)?;
    page.facts.case_id.ok_or_else(|| Untrue("the request has no case".to_owned()))
}

fn show_systems(stage: &Stage, page: &RequestPage) {
    for line in systems_text(page, stage.product.zone()).trim_end().lines() {
        say(format!("   {line}"));
    }
}

/// Asks again when the processor wanted to be asked again, and once more on the last day.
async fn wait_for_the_processor(stage: &Stage, request: Uuid) -> Result<(), Untrue> {
    let jobs = page(stage, request).await?.systems;
    let asked_again = jobs.iter().find(|system| system.third_party);
    let asked_again = asked_again.and_then(|system| Some(system.jobs.first()?.available_at));
    let asked_again = asked_again.ok_or_else(|| Untrue("no processor was asked".to_owned()))?;
    say("   The clock of this demonstration is turned on, so that nobody has to wait.");
    stage.clock.turn_to(asked_again);
    let code = run_once(stage).await?;
    must(code == NOT_DONE, "the request is called carried out too early")?;
    let answered = stage.marketing.answered().await;
    let at_work = answered.iter().all(|one| *one == "in_progress") && !answered.is_empty();
    must(at_work, "the processor is not at work")?;
    must(person::at_the_processor(&stage.marketing).await? == 1, "its contact is gone")?;
    right(
        "it answers `in_progress`, and her contact is still there: not done, and not called done",
    );
    stage.clock.turn_to_present();
    must(run_once(stage).await? == FINE, "the request is not carried out")?;
    let answered = stage.marketing.answered().await;
    must(answered.last() == Some(&"completed"), "the processor has not completed it")?;
    must(person::at_the_processor(&stage.marketing).await? == 0, "its contact is still there")?;
    right("it answers `completed`, over its signature, and its contacts know nobody of her name");
    Ok(())
}

/// Carries requests on as `quietus run --once` does, and says when.
async fn run_once(stage: &Stage) -> Result<u8, Untrue> {
    let now = stage.product.now().to_zoned(stage.product.zone().clone());
    say(command(&format!("run --once          ({})", now.strftime("%Y-%m-%d %H:%M %Z"))));
    Ok(carry_out_requests(&stage.product).await?)
}

/// Searches everything for her and insists on what must be left.
async fn search(stage: &Stage, request: Uuid) -> Result<(), Untrue> {
    let named = person::traces(&stage.company).await?;
    expect(&named, NAMED)?;
    right(format!(
        "in {} tables of three databases she stands in: {}",
        named.len(),
        person::in_words(&named)
    ));
    expect(&person::records(&stage.company).await?, KEPT)?;
    let page = page(stage, request).await?;
    let date = page.kept.iter().filter_map(|one| one.until).max();
    let date = date.ok_or_else(|| Untrue("what is kept has no date".to_owned()))?;
    for (claim, system, query) in claims(stage.day(date)) {
        let count = sample::count(&stage.company.database(system), &query).await?;
        must(count == 1, &format!("{claim} ({count})"))?;
        right(format!("{count} {claim}"));
    }
    let contacts = person::at_the_processor(&stage.marketing).await?;
    must(contacts == 0, "the processor still has her")?;
    right(format!("{contacts} contacts at Example Marketing"));
    Ok(())
}

/// What must be there once: in words, in which system, and what counts it. `date` is the day on
/// which the product says that the invoice goes.
fn claims(date: jiff::civil::Date) -> [(String, &'static str, String); 3] {
    [
        (
            format!(
                "invoice, restricted and without its delivery address: the tax law keeps it for eight years to the\n     end of the calendar year, so it goes on {date}"
            ),
            "billing",
            format!(
                "SELECT count(*) FROM orders WHERE customer_id = 60001 AND country = 'DE'
                 AND delivery_street IS NULL AND restricted_at IS NOT NULL
                 AND (strftime('%Y', completed_at) + 9) || '-01-01' = '{date}'"
            ),
        ),
        (
            "payment of it, restricted as well".to_owned(),
            "billing",
            "SELECT count(*) FROM payments WHERE account_holder = 'Grace Example'
             AND restricted_at IS NOT NULL"
                .to_owned(),
        ),
        (
            "ticket under the hold, whole, with its two messages".to_owned(),
            "support",
            "SELECT count(*) FROM tickets WHERE id = 40001 AND contact_email IS NOT NULL
             AND (SELECT count(*) FROM messages WHERE ticket_id = 40001 AND body IS NOT NULL) = 2"
                .to_owned(),
        ),
    ]
}

/// Insists on these counts, and on nothing in any other table.
pub(super) fn expect(found: &Found, wanted: &[(&str, u64)]) -> Result<(), Untrue> {
    let some: Vec<(&str, u64)> = found
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(table, count)| (table.as_str(), *count))
        .collect();
    must(some == wanted, &format!("of the person there is {}", person::in_words(found)))
}
