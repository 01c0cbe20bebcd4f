//! The end of the story, in a copy of the folder whose clock is years ahead: what was kept goes by
//! itself, a final certificate takes the place of the first, and the person is forgotten.

use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::asking::{Asked, expect};
use super::clock::StoryClock;
use super::company::Company;
use super::copied::Copied;
use super::person;
use super::stage::{MATTER, Stage};
use super::{Failure, Untrue, answer, audit, heading, must, right};
use crate::app::hold::HoldKey;
use crate::app::{Actor, Quietus};
use crate::cli::FINE;
use crate::cli::opening::say;
use crate::cli::requested::carry_out_requests;
use crate::domain::Clock;
use crate::evidence::summary::Overall;

/// The copy.
const COPY: &str = "years-later";
/// The invoice is kept, the ticket is not held any more.
const INVOICE: &[(&str, u64)] = &[("billing.orders", 1), ("billing.payments", 1)];

/// Tells it.
pub(super) async fn tell(stage: &Stage, asked: &Asked, first: Uuid) -> Result<(), Failure> {
    heading(17, "Years later (in a copy of the folder, so that this one stays in the present)");
    let Copied { folder, clock, product, company } = Copied::of(stage, COPY).await?;
    let future = Future { clock, product, company, request: asked.request };
    let second = future.release_the_hold(&folder, asked.case, first).await?;
    future.let_the_date_come(&folder, asked.case, second).await?;
    future.forget_her().await?;
    future.product.store.close().await;
    Ok(())
}

/// The copy and its clock.
struct Future {
    clock: Arc<StoryClock>,
    product: Arc<Quietus>,
    company: Company,
    request: Uuid,
}

impl Future {
    fn today(&self) -> jiff::civil::Date {
        self.product.zone().to_datetime(self.clock.now()).date()
    }

    fn turn_on_by_days(&self, days: i64) {
        let later = self.clock.now().checked_add(SignedDuration::from_hours(24 * days));
        self.clock.turn_to(later.unwrap_or(Timestamp::MAX));
    }

    async fn release_the_hold(
        &self,
        folder: &Path,
        case: Uuid,
        first: Uuid,
    ) -> Result<Uuid, Untrue> {
        self.turn_on_by_days(365);
        let matter = HoldKey::Matter(MATTER.to_owned());
        self.product.release_hold(matter, &Actor("Cleo Example".to_owned())).await?;
        say(format!(
            "   {}: the lawsuit is over, and Cleo Example releases the hold ({MATTER}).",
            self.today()
        ));
        must(carry_out_requests(&self.product).await? == FINE, "the released ticket stays")?;
        expect(&person::records(&self.company).await?, INVOICE)?;
        right(
            "her ticket goes by itself, and nothing of hers is left but the invoice and its payment",
        );
        self.certified(&folder.join("after-the-hold"), case, first).await
    }

    async fn let_the_date_come(
        &self,
        folder: &Path,
        case: Uuid,
        second: Uuid,
    ) -> Result<(), Untrue> {
        let page = self.product.read_request(self.request).await?;
        let kept = page.iter().flat_map(|page| &page.kept);
        let date = kept.filter_map(|one| one.until).max();
        let date = date.ok_or_else(|| Untrue("the invoice has no date".to_owned()))?;
        let just_before = date.checked_sub(SignedDuration::from_mins(1)).unwrap_or(date);
        self.clock.turn_to(just_before);
        say(format!("   {}: the last day on which the tax law keeps the invoice.", self.today()));
        carry_out_requests(&self.product).await?;
        expect(&person::records(&self.company).await?, INVOICE)?;
        right("it is still there");
        self.turn_on_by_days(1);
        say(format!("   {}: the time is over.", self.today()));
        must(carry_out_requests(&self.product).await? == FINE, "what was kept stays")?;
        expect(&person::records(&self.company).await?, &[])?;
        expect(&person::traces(&self.company).await?, &[])?;
        right(
            "the invoice and its payment go by themselves: plain SQL finds nothing of hers anywhere",
        );
        self.certified(&folder.join(answer::CERTIFICATE), case, second).await?;
        let last = audit::check_briefly(&folder.join(answer::CERTIFICATE))?;
        let nothing_kept = last.statements.iter().all(|one| one.kept.is_empty());
        must(nothing_kept, "the last certificate says that something is kept")?;
        must(last.summary.overall == Overall::Partial, "the last certificate is not partial")?;
        let (unverified, pending) = (last.summary.unverified, last.summary.pending);
        must((unverified, pending) == (1, 0), "it is partial for another reason")?;
        say(
            "   That certificate says that nothing is kept any more. It stays `partial` for one reason, which no time\n   mends: that her contact is gone, Example Marketing has signed, and nobody else has seen.",
        );
        Ok(())
    }

    /// Exports the certificate in force, which has to take the place of an earlier one.
    async fn certified(&self, to: &Path, case: Uuid, earlier: Uuid) -> Result<Uuid, Untrue> {
        let (id, _) = audit::export(&self.product, case, to).await?;
        let certificate = audit::check_quietly(to)?;
        let replaced = certificate.supersedes.map(|one| one.certificate_id);
        must(replaced == Some(earlier), "the new certificate does not supersede the earlier one")?;
        right(format!("certificate {id} takes the place of {earlier}"));
        Ok(id)
    }

    async fn forget_her(&self) -> Result<(), Untrue> {
        self.turn_on_by_days(31);
        // Nobody is forgotten before it was looked whether a system was put back.
        self.product.look_after_restores().await?;
        self.product.advance_requests().await?;
        let page = self.product.read_request(self.request).await?;
        let forgotten = page.is_some_and(|page| page.facts.forgotten_at.is_some());
        must(forgotten, "the person is not forgotten")?;
        right(format!(
            "{}: she is forgotten; with the key of her request went what she is known by, and her letters",
            self.today()
        ));
        Ok(())
    }
}
