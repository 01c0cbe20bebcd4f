//! Counting again: what a hold covered was not counted when the case was planned, nor was a system
//! that did not answer then. Such a job is counted and held against the caps once more before it
//! begins.

use quietus_connectors::{Counts, Fault, Order, Receipt};

use super::carry_out::Attempt;
use super::done::with_done;
use super::mutation::Mutation;
use super::open_case::{PlanOnRecord, most_for, planned_records, words_for};
use super::prepare::Prepared;
use super::progress::Watch;
use super::settle::counts_at_planning;
use super::waiting::is_asked;
use super::{AppError, Quietus};
use crate::plan::{CapExceeded, check_system_caps};

/// What came of an order.
pub(super) enum Answer {
    /// The system answered.
    Receipt(Receipt),
    /// It is more than anybody agreed to; nothing was sent.
    TooMuch(Vec<CapExceeded>),
}

impl Quietus {
    /// Counts again where that is needed, and has the connector carry out the order.
    pub(super) async fn send(
        &self,
        attempt: &Attempt<'_>,
        prepared: &Prepared,
        watch: &Watch<'_>,
    ) -> Result<Answer, Fault> {
        let connector = prepared.connector.as_ref();
        // A third party that said it would report is asked after it, and never asked anew.
        if let Some(reference) = &attempt.claimed.job.reference {
            return connector.follow(&prepared.order, reference).await.map(Answer::Receipt);
        }
        let Some(since) = prepared.uncounted_since else {
            return connector.execute(&prepared.order, watch).await.map(Answer::Receipt);
        };
        let fresh = connector.preview(&prepared.order).await?;
        let done = watch.done();
        let counted = with_done(fresh.clone(), &done.total());
        let beyond = match self.beyond(attempt, prepared, &counted, since).await {
            Ok(beyond) => beyond,
            Err(error) => return Err(Fault::Unknown { message: error.to_string() }),
        };
        let earlier = done.counted.or_else(|| counts_at_planning(attempt));
        let earlier = earlier.filter(|_| !self.suffers(Mutation::CountsForgotten));
        watch.counted(never_smaller(counted, earlier.as_ref()));
        if !beyond.is_empty() {
            return Ok(Answer::TooMuch(beyond));
        }
        let most = done
            .current
            .changed()
            .saturating_add(most_for(planned_records(&fresh), self.fewest_cap(&prepared.plan)));
        let order = Order { most_records: Some(most), ..prepared.order.clone() };
        connector.execute(&order, watch).await.map(Answer::Receipt)
    }

    /// Caps that the job exceeds and that nobody has agreed to. Who approves after a release agrees
    /// to what was counted after it; who approved before agreed to what the case asked for.
    async fn beyond(
        &self,
        attempt: &Attempt<'_>,
        prepared: &Prepared,
        counted: &Counts,
        since: jiff::Timestamp,
    ) -> Result<Vec<CapExceeded>, AppError> {
        let pinned = self.pinned(&attempt.case).await?;
        let mut exceeded = check_system_caps(&prepared.plan, pinned.rules(), counted);
        if let Some(approved) = &attempt.case.approved {
            let asked = PlanOnRecord::of(&attempt.case)?.exceeded;
            exceeded.retain(|one| approved.at < since && !is_asked(&asked, one));
        }
        Ok(exceeded)
    }
}

/// Counts in which no collection is smaller than it was before. An attempt that was lost may have
/// deleted what the store does not know of: the system still tells it, and it is not to be held
/// against a count of what was left.
fn never_smaller(mut counted: Counts, earlier: Option<&Counts>) -> Counts {
    let before = |name: &str| {
        let mut collections = earlier?.collections.iter();
        collections.find(|one| one.collection == name).map(|one| one.total)
    };
    for one in &mut counted.collections {
        one.total = one.total.max(before(&one.collection).unwrap_or(0));
    }
    counted
}

/// What the second person is asked.
pub(super) fn question(beyond: &[CapExceeded]) -> String {
    format!("counted again before it began: {}", words_for(beyond))
}
