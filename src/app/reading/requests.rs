//! Requests of persons as doors show them: what was asked, the dates, what became of it in every
//! system, what is kept and until when, who is not covered, and the letters. Identities are shown
//! by their types; their values stay sealed.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use uuid::Uuid;

use super::alarms::Pressing;
use super::cases::CaseFacts;
use super::request_parts::{KeptFacts, LetterFacts, NotCoveredFacts, SystemFacts};
use super::{cut, page_size};
use crate::app::opendsr::CallbackFacts;
use crate::app::request::{Decided, Fee, IdentityCheck, RequestRecord, Requester, Verdict};
use crate::app::{AppError, Quietus};
use crate::domain::{AskedRight, CategoryName, RequestOutcome, RequestState};
use crate::rights::{Deadlines, StopReason};
use crate::store::{Request, RequestFilter};

/// Every state of a request, for messages.
const STATES: &str = "`identity_pending`, `cooling_off`, `ready`, `ambiguous`, `with_a_person`, `executing` or `closed`";

/// Which requests to list; those that came last first.
#[derive(Debug, Clone, Default)]
pub struct RequestQuery {
    /// Only in this state.
    pub state: Option<String>,
    /// Only those that are not closed.
    pub open: bool,
    /// Only those that press so; all of them are open, and the list begins at its beginning.
    pub pressing: Option<Pressing>,
    /// Only those that follow after this one.
    pub before: Option<Uuid>,
    /// How many; 100 if not said.
    pub limit: Option<u32>,
}

/// A page of requests.
#[derive(Debug, Serialize)]
pub struct RequestList {
    /// Those that came last first.
    pub requests: Vec<RequestFacts>,
    /// Give this as `before` to read on; absent at the end, and where there is a filter by how
    /// requests press.
    pub next: Option<Uuid>,
    /// There are more of them than this page shows.
    pub more: bool,
}

impl Standing {
    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnTime => "on_time",
            Self::AtRisk => "at_risk",
            Self::Late => "late",
            Self::Overdue => "overdue",
            Self::Answered => "answered",
            Self::AnsweredLate => "answered_late",
        }
    }
}

/// How a request stands against its dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Nothing presses.
    OnTime,
    /// The day aimed at is over, or the slowest third party can no longer be asked in time.
    AtRisk,
    /// The controller's own promise is broken.
    Late,
    /// The law's last day is over.
    Overdue,
    /// It was answered within the law's time.
    Answered,
    /// It was answered after the law's last day.
    AnsweredLate,
}

/// The dates of a request, as of now.
#[derive(Debug, Serialize)]
pub struct ClockFacts {
    /// How it stands.
    pub standing: Standing,
    /// Days until it has to be answered, from today; less than 0 once that day is over, absent
    /// where it is answered.
    pub days_left: Option<i32>,
    /// The dates.
    #[serde(flatten)]
    pub deadlines: Deadlines,
    /// Since when the clock stands, where the law has it so.
    pub stands_since: Option<Timestamp>,
    /// Why it stands.
    pub stands_for: Option<StopReason>,
    /// The time was prolonged.
    pub prolonged: bool,
}

/// A request in a list.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the words of `RequestRecord`")]
pub struct RequestFacts {
    pub id: Uuid,
    pub source: String,
    pub external_id: String,
    pub asked: AskedRight,
    pub state: RequestState,
    pub outcome: Option<RequestOutcome>,
    pub received_at: Timestamp,
    pub recorded_at: Timestamp,
    pub regime: String,
    pub channel: String,
    pub requester: Requester,
    pub ground: Option<String>,
    pub language: String,
    pub categories: Option<Vec<CategoryName>>,
    pub identity_types: Vec<String>,
    pub identity_check: Option<IdentityCheck>,
    pub cooling_off_until: Option<Timestamp>,
    pub clock: ClockFacts,
    pub needs: Option<String>,
    pub extension: Option<Decided>,
    pub refusal_proposed: Option<Decided>,
    pub ended: Option<Decided>,
    pub second_person: Option<String>,
    pub fee: Option<Fee>,
    pub verdict: Option<Verdict>,
    pub follows: Option<Uuid>,
    pub followed_by: Option<Uuid>,
    pub case_id: Option<Uuid>,
    pub closed_at: Option<Timestamp>,
    pub forgotten_at: Option<Timestamp>,
}

/// A request with all that belongs to it.
#[derive(Debug, Serialize)]
pub struct RequestPage {
    /// As in lists.
    #[serde(flatten)]
    pub facts: RequestFacts,
    /// The law under which it is asked.
    pub law: Option<String>,
    /// The case that carries it out.
    pub case: Option<CaseFacts>,
    /// What became of it in each system.
    pub systems: Vec<SystemFacts>,
    /// What stays, and why.
    pub kept: Vec<KeptFacts>,
    /// Systems that nothing known of the person leads to, or that hold nothing of what is asked.
    pub not_covered: Vec<NotCoveredFacts>,
    /// Systems that could not be asked yet what they know.
    pub not_asked: Vec<String>,
    /// Letters that were written.
    pub letters: Vec<LetterFacts>,
    /// Calls by which another controller, who brought the request, is told of its state.
    pub callbacks: Vec<CallbackFacts>,
    /// The certificate in force.
    pub certificate: Option<Uuid>,
}

impl Quietus {
    /// Requests, those that came last first.
    ///
    /// # Errors
    /// Where a part of the query is not known or the store is not there.
    pub async fn read_requests(&self, query: RequestQuery) -> Result<RequestList, AppError> {
        let state = query.state.as_deref().map(|word| {
            RequestState::parse(word).ok_or_else(|| AppError::Input(format!("`state` is {STATES}")))
        });
        let before = match query.before {
            Some(id) => {
                let known = self.store.request(id).await?.ok_or_else(|| {
                    AppError::Input("`before` is no request: take it from `next`".to_owned())
                })?;
                Some((known.received_at, id))
            }
            None => None,
        };
        let size = page_size(query.limit);
        if let Some(pressing) = query.pressing {
            return self.pressing_requests(pressing, size).await;
        }
        let filter = RequestFilter {
            state: state.transpose()?,
            source: None,
            open: query.open,
            before,
            limit: size + 1,
        };
        let mut found = self.store.list_requests(filter).await?;
        let next = cut(&mut found, size, |one| one.id);
        let requests = found.into_iter().map(|one| self.request_facts(one).map(|(facts, _)| facts));
        let more = next.is_some();
        Ok(RequestList { requests: requests.collect::<Result<_, _>>()?, next, more })
    }

    /// One request as it stands in lists; `None` where there is none of this identifier.
    ///
    /// # Errors
    /// Where the store is not there or holds something unreadable.
    pub async fn read_request_facts(&self, id: Uuid) -> Result<Option<RequestFacts>, AppError> {
        let Some(stored) = self.store.request(id).await? else { return Ok(None) };
        Ok(Some(self.request_facts(stored)?.0))
    }

    /// One request with all that belongs to it; `None` where there is none of this identifier.
    ///
    /// # Errors
    /// Where the store is not there or holds something unreadable.
    pub async fn read_request(&self, id: Uuid) -> Result<Option<RequestPage>, AppError> {
        let Some(stored) = self.store.request(id).await? else { return Ok(None) };
        let (facts, record) = self.request_facts(stored)?;
        let case = match facts.case_id {
            Some(case) => self.store.case(case).await?,
            None => None,
        };
        let (mut systems, mut kept, mut certificate) = (Vec::new(), Vec::new(), None);
        if let Some(case) = &case {
            let jobs = self.store.jobs_of_case(case.id).await?;
            kept = self.kept_facts(case, &jobs, &record.kept)?;
            systems = self.system_facts(jobs).await?;
            certificate = self.store.certificate_of_case(case.id).await?;
        }
        let letters = self.store.letters_of_request(id).await?;
        let mut mails = self.mails_of(id).await?;
        let letters = letters.into_iter().map(|letter| {
            let mail = mails.remove(&letter.id);
            LetterFacts::of(letter, mail)
        });
        let letters = letters.collect();
        Ok(Some(RequestPage {
            law: self.regimes.get(&record.regime).ok().map(|regime| regime.title.clone()),
            not_covered: super::request_parts::not_covered(&record, case.as_ref())?,
            not_asked: record.not_asked.into_iter().collect(),
            letters,
            callbacks: self.callback_facts(id).await?,
            certificate: certificate.map(|certificate| certificate.summary.id),
            case: case.as_ref().map(Into::into),
            facts,
            systems,
            kept,
        }))
    }

    /// Whether there is such a request.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn has_request(&self, id: Uuid) -> Result<bool, AppError> {
        Ok(self.store.request(id).await?.is_some())
    }

    pub(super) fn request_facts(
        &self,
        stored: Request,
    ) -> Result<(RequestFacts, RequestRecord), AppError> {
        let record = RequestRecord::of(&stored)?;
        let clock = self.clock_facts(&stored, &record);
        let kept = record.clone();
        let facts = RequestFacts {
            id: stored.id,
            source: stored.source,
            external_id: stored.external_id,
            asked: stored.asked,
            state: stored.state,
            outcome: stored.outcome,
            received_at: stored.received_at,
            recorded_at: stored.recorded_at,
            regime: record.regime,
            channel: record.channel,
            requester: record.requester,
            ground: record.ground,
            language: record.language,
            categories: record.categories.map(|names| names.into_iter().collect()),
            identity_types: record.identity_types.into_iter().collect(),
            identity_check: record.check,
            cooling_off_until: record.cooling_off_until,
            clock,
            needs: record.needs,
            extension: record.extension,
            refusal_proposed: record.refusal,
            ended: record.ended,
            second_person: record.second_person,
            fee: record.fee,
            verdict: record.verdict,
            follows: record.follows,
            followed_by: record.followed_by,
            case_id: stored.case_id,
            closed_at: stored.closed_at,
            forgotten_at: stored.forgotten_at,
        };
        Ok((facts, kept))
    }

    /// The dates as of now: while the clock stands they move on from day to day.
    fn clock_facts(&self, stored: &Request, record: &RequestRecord) -> ClockFacts {
        let stands = record.stops.iter().find(|stop| stop.until.is_none());
        let stands = stands.filter(|_| stored.closed_at.is_none());
        let stands_since = stands.map(|stop| stop.from);
        let counted = stands_since.and_then(|_| {
            let stops = &record.stops;
            self.count_deadlines(&record.regime, stored.received_at, stops, record.extended).ok()
        });
        let deadlines = counted.unwrap_or(record.deadlines);
        let day = |moment: Timestamp| self.zone.to_datetime(moment).date();
        let today = day(self.now());
        let begun = matches!(stored.state, RequestState::Executing | RequestState::Closed);
        ClockFacts {
            standing: standing(&deadlines, today, stored.closed_at.map(day), begun),
            days_left: stored.closed_at.is_none().then(|| (deadlines.answer_by - today).get_days()),
            deadlines,
            stands_since,
            stands_for: stands.map(|stop| stop.because),
            prolonged: record.extension.is_some(),
        }
    }
}

/// How a request stands on a day; `begun` where its systems are being asked.
fn standing(dates: &Deadlines, today: Date, closed_on: Option<Date>, begun: bool) -> Standing {
    match closed_on {
        Some(day) if day > dates.legal_latest => Standing::AnsweredLate,
        Some(_) => Standing::Answered,
        None if today > dates.legal_latest => Standing::Overdue,
        None if today > dates.answer_by => Standing::Late,
        None if today > dates.internal_target => Standing::AtRisk,
        None if today > dates.fan_out_by && !begun => Standing::AtRisk,
        None => Standing::OnTime,
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_request_is_at_risk_before_it_is_late_and_late_before_it_is_overdue() {
        let dates = Deadlines {
            acknowledge_by: None,
            legal_latest: date(2026, 12, 1),
            answer_by: date(2026, 11, 30),
            internal_target: date(2026, 11, 28),
            fan_out_by: date(2026, 11, 20),
        };
        let on = |day: Date| standing(&dates, day, None, true);
        assert_eq!(on(date(2026, 11, 28)), Standing::OnTime);
        assert_eq!(on(date(2026, 11, 29)), Standing::AtRisk);
        assert_eq!(on(date(2026, 11, 30)), Standing::AtRisk);
        assert_eq!(on(date(2026, 12, 1)), Standing::Late);
        assert_eq!(on(date(2026, 12, 2)), Standing::Overdue);
        let waiting = |day: Date| standing(&dates, day, None, false);
        assert_eq!(waiting(date(2026, 11, 20)), Standing::OnTime);
        assert_eq!(waiting(date(2026, 11, 21)), Standing::AtRisk);
        let closed = |day: Date| standing(&dates, date(2027, 6, 1), Some(day), true);
        assert_eq!(closed(date(2026, 12, 1)), Standing::Answered);
        assert_eq!(closed(date(2026, 12, 2)), Standing::AnsweredLate);
    }
}
