//! Deadline alarms: which open requests press, one by one and as numbers. Nothing here names a
//! person.

use std::collections::BTreeMap;

use super::requests::{RequestFacts, RequestList, Standing};
use crate::app::drill::DRILL_SOURCE;
use crate::app::{AppError, Quietus};
use crate::domain::AskedRight;
use crate::store::RequestFilter;

/// Requests that are read at once.
const PAGE: u32 = 1000;
/// Every right that somebody can ask for.
const RIGHTS: [AskedRight; 7] = [
    AskedRight::Erasure,
    AskedRight::Restriction,
    AskedRight::Lifting,
    AskedRight::Objection,
    AskedRight::Access,
    AskedRight::Rectification,
    AskedRight::Portability,
];

/// Requests for one right under one law.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestGauge {
    /// How many are not answered yet.
    pub open: u64,
    /// How many of them are at risk: the day aimed at or promised is over, or the slowest third
    /// party can no longer be asked in time. Overdue ones are not among them.
    pub at_risk: u64,
    /// How many of them have passed the law's last day.
    pub overdue: u64,
    /// For how many seconds the oldest of them has been open.
    pub oldest_seconds: u64,
}

/// Which requests press.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pressing {
    /// At risk, the promised day over or not, but within the law's time.
    AtRisk,
    /// The law's last day is over.
    Overdue,
}

impl Standing {
    /// Whether it presses, and how.
    pub fn pressing(self) -> Option<Pressing> {
        match self {
            Self::AtRisk | Self::Late => Some(Pressing::AtRisk),
            Self::Overdue => Some(Pressing::Overdue),
            Self::OnTime | Self::Answered | Self::AnsweredLate => None,
        }
    }
}

impl Quietus {
    /// Open requests by right and law. Every right is there under the instance's own law, also where
    /// nobody asks for it, so that nothing has to be guessed from silence.
    ///
    /// # Errors
    /// Where the store is not there or holds something unreadable.
    pub async fn request_gauges(
        &self,
    ) -> Result<BTreeMap<(&'static str, String), RequestGauge>, AppError> {
        let own = &self.instance.requests.regime;
        let mut gauges: BTreeMap<(&'static str, String), RequestGauge> = RIGHTS
            .iter()
            .map(|right| ((right.as_str(), own.clone()), RequestGauge::default()))
            .collect();
        let now = self.now();
        self.each_open_request(|facts| {
            let gauge = gauges.entry((facts.asked.as_str(), facts.regime.clone())).or_default();
            gauge.open += 1;
            match facts.clock.standing.pressing() {
                Some(Pressing::AtRisk) => gauge.at_risk += 1,
                Some(Pressing::Overdue) => gauge.overdue += 1,
                None => {}
            }
            let age = now.duration_since(facts.received_at).as_secs();
            gauge.oldest_seconds = gauge.oldest_seconds.max(u64::try_from(age).unwrap_or(0));
        })
        .await?;
        Ok(gauges)
    }

    /// Open requests that press so, those that came last first.
    pub(super) async fn pressing_requests(
        &self,
        wanted: Pressing,
        size: u32,
    ) -> Result<RequestList, AppError> {
        let most = usize::try_from(size).unwrap_or(usize::MAX);
        let mut found = Vec::new();
        let mut more = false;
        self.each_open_request(|facts| {
            if facts.clock.standing.pressing() == Some(wanted) {
                more |= found.len() >= most;
                if found.len() < most {
                    found.push(facts);
                }
            }
        })
        .await?;
        Ok(RequestList { requests: found, next: None, more })
    }

    /// Shows every open request, those that came last first.
    pub(crate) async fn each_open_request(
        &self,
        mut see: impl FnMut(RequestFacts),
    ) -> Result<(), AppError> {
        let mut before = None;
        loop {
            let filter =
                RequestFilter { open: true, before, limit: PAGE, ..RequestFilter::default() };
            let page = self.store.list_requests(filter).await?;
            let full = page.len() >= PAGE as usize;
            before = page.last().map(|last| (last.received_at, last.id));
            // Whoever was invented for a drill waits for no answer.
            for stored in page.into_iter().filter(|one| one.source != DRILL_SOURCE) {
                see(self.request_facts(stored)?.0);
            }
            if !full {
                return Ok(());
            }
        }
    }
}
