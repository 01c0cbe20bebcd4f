//! From a request to its case: find the person, ask where more than one may be meant, plan, and
//! open the case whose jobs carry it out, all systems side by side.

use jiff::SignedDuration;
use quietus_connectors::SubjectAction;
use serde_json::json;

use super::case::PersonOpening;
use super::find::{Found, Seeking};
use super::objection::is_direct_marketing;
use super::record::{Move, OpenRequest};
use crate::app::fire::SCHEDULER;
use crate::app::forecast::CountedPlan;
use crate::app::{Actor, AppError, Quietus, spans};
use crate::domain::{AskedRight, RequestOutcome, RequestState};
use crate::plan::{Person as Sought, PersonScope};
use crate::store::{EndedRestriction, NewCase, OpenedCase, Request};

/// Requests looked at in one go.
const AT_ONCE: u32 = 250;
/// After this time a request that could not go on is looked at again.
const AGAIN_IN: SignedDuration = SignedDuration::from_mins(1);

/// A request whose person is sought.
struct Ready {
    request: OpenRequest,
    seeking: Seeking,
}

impl Quietus {
    /// Carries every request one step on whose time has come: the end of the cooling-off, and the
    /// opening of the case. One that cannot go on does not keep the others; how many could not.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn advance_requests(&self) -> Result<usize, AppError> {
        let (mut ready, mut stuck) = (Vec::new(), 0);
        let forgets = self.may_forget().await?;
        for stored in self.store.requests_to_look_at(self.now(), AT_ONCE, forgets).await? {
            match self.advance_request(stored.clone()).await {
                Ok(Some(one)) if looks_at_others(&one.request) => {
                    stuck += Box::pin(self.fan_out(std::mem::take(&mut ready))).await?;
                    stuck += Box::pin(self.fan_out(vec![one])).await?;
                }
                Ok(found) => ready.extend(found),
                Err(error) => stuck += self.cannot_go_on(&stored, &error).await?,
            }
        }
        Ok(stuck + Box::pin(self.fan_out(ready)).await?)
    }

    /// Whether the time of a request has come.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn has_requests_to_advance(&self) -> Result<bool, AppError> {
        let forgets = self.may_forget().await?;
        Ok(!self.store.requests_to_look_at(self.now(), 1, forgets).await?.is_empty())
    }

    /// Whether persons may be forgotten: not while nobody has seen whether a system was put back.
    async fn may_forget(&self) -> Result<bool, AppError> {
        Ok(self.unwatched_system().await?.is_none())
    }

    /// One that cannot go on does not keep the others: it is looked at again in [`AGAIN_IN`], and
    /// counted.
    async fn cannot_go_on(&self, request: &Request, error: &AppError) -> Result<usize, AppError> {
        tracing::error!(request = %request.id, %error, "a request could not be carried on");
        let now = self.now();
        let until = now.checked_add(AGAIN_IN).unwrap_or(now);
        self.store.put_request_off(request, until).await?;
        Ok(1)
    }

    /// Carries one request on that is ready, as the next ring would do it.
    ///
    /// # Errors
    /// Where the store is not there, or the request cannot be read.
    pub async fn advance_one_request(&self, id: uuid::Uuid) -> Result<(), AppError> {
        let stored = self.store.request(id).await?;
        let Some(stored) = stored.filter(|one| one.state == RequestState::Ready) else {
            return Ok(());
        };
        let ready = self.advance_request(stored).await?;
        Box::pin(self.fan_out(ready.into_iter().collect())).await.map(drop)
    }

    /// Carries one request a step on; gives it back where its person has to be sought.
    async fn advance_request(&self, stored: Request) -> Result<Option<Ready>, AppError> {
        let mut request = self.open_request(stored)?;
        match request.stored.state {
            RequestState::CoolingOff => {
                let mut next = Move::to(&request.stored, RequestState::Ready);
                next.look_at = Some(self.now());
                let engine = Actor(SCHEDULER.to_owned());
                let evidence = self.record_change(&request, "cooling-off over", &engine, None)?;
                self.keep_request(&request, next, vec![evidence]).await?;
            }
            RequestState::Ready => {
                if self.owes_nothing(&mut request).await?
                    && self.was_told_before_lifting(&mut request).await?
                {
                    let person = self.sought(&request)?;
                    let told_apart = request.record.told_apart;
                    return Ok(Some(Ready { request, seeking: Seeking { person, told_apart } }));
                }
            }
            RequestState::Closed => self.forget_answered(&request).await?,
            _ => {
                let next = Move { look_at: None, ..Move::stay(&request.stored) };
                self.keep_request(&request, next, Vec::new()).await?;
            }
        }
        Ok(None)
    }

    /// Finds the people of all these requests, plans and counts for them, and opens their cases:
    /// as of one moment, so that what is asked of a system can be asked together. How many could not
    /// go on.
    async fn fan_out(&self, ready: Vec<Ready>) -> Result<usize, AppError> {
        if ready.is_empty() {
            return Ok(0);
        }
        let ground = self.ground_of_now();
        let mut people: Vec<Seeking> = ready.iter().map(|one| one.seeking.clone()).collect();
        let found = Box::pin(self.find_people(ground, &mut people, None)).await?;
        let (mut requests, mut scopes, mut stuck) = (Vec::new(), Vec::new(), 0);
        for ((ready, sought), found) in ready.into_iter().zip(people).zip(found) {
            let (mut request, mut found) = (ready.request, found);
            if let Some(drill) = &request.record.drill {
                drill.confine_found(&mut found);
            }
            match self.scope_of_found(&mut request, &sought.person, &found).await {
                Ok(Some(scope)) => {
                    scopes.push(scope);
                    requests.push((request, sought.person));
                }
                Ok(None) => {}
                Err(error) => stuck += self.cannot_go_on(&request.stored, &error).await?,
            }
        }
        let counted = Box::pin(self.counted_plans_for(ground.moment, &scopes)).await?;
        for ((mut request, sought), counted) in requests.into_iter().zip(counted) {
            if let Err(error) = Box::pin(self.begin(&mut request, &sought, counted)).await {
                stuck += self.cannot_go_on(&request.stored, &error).await?;
            }
        }
        Ok(stuck)
    }

    /// Takes down what was found; for whom to plan then, or `None` where somebody has to be asked.
    async fn scope_of_found(
        &self,
        request: &mut OpenRequest,
        sought: &Sought,
        found: &Found,
    ) -> Result<Option<PersonScope>, AppError> {
        request.record.not_asked = found.not_asked.keys().map(ToString::to_string).collect();
        request.record.found = found.counts.values().sum();
        remember(request, sought, found);
        if !found.doubts.is_empty() {
            self.ask_a_person(request, &found.doubts.join("; ")).await?;
            return Ok(None);
        }
        request.record.incomplete = !found.not_asked.is_empty();
        self.keep_tags(request, sought).await?;
        self.scope_for(request, sought, found.records.clone()).await.map(Some)
    }

    /// Opens the case of a request for which was planned.
    async fn begin(
        &self,
        request: &mut OpenRequest,
        sought: &Sought,
        mut counted: CountedPlan,
    ) -> Result<(), AppError> {
        if !self.is_confined(request, &mut counted).await? {
            return Ok(());
        }
        request.record.not_covered =
            counted.plan.left_out.iter().map(|one| one.system.to_string()).collect();
        if counted.plan.systems.is_empty() {
            return self.nobody_found(request).await;
        }
        let mut ends = Vec::new();
        if looks_at_others(request) {
            let Some(ended) = self.restrictions_ended_by(request, sought).await? else {
                tracing::info!(request = %request.stored.id, "it waits for whoever is at work on what it ends");
                let until = self.now().checked_add(AGAIN_IN).unwrap_or(self.now());
                return Ok(self.store.put_request_off(&request.stored, until).await?);
            };
            ends = ended;
        }
        self.open_person_case(request, counted, ends).await
    }

    async fn open_person_case(
        &self,
        request: &OpenRequest,
        counted: CountedPlan,
        ends: Vec<EndedRestriction>,
    ) -> Result<(), AppError> {
        let case = self.ids.new_id();
        let state = RequestState::Executing;
        let next = Move { state, outcome: None, look_at: None, case_id: Some(case) };
        let opening = PersonOpening {
            case,
            request: self.change_of(request, next)?,
            request_id: request.stored.id,
            drill: request.record.drill.clone(),
            actor: Actor(SCHEDULER.to_owned()),
        };
        let planned = (counted.plan.moment, counted.plan.systems.len());
        let new_case = NewCase { ends, ..self.new_person_case(opening, counted)? };
        match self.store.open_case(new_case, self.now()).await? {
            OpenedCase::Opened => {
                spans::request_opened(case, &request.stored, planned);
                self.wake.up();
                self.write_due_letters(request.stored.id).await;
            }
            // Somebody has changed the request since it was read, or one whose restriction ends: it is
            // looked at again.
            OpenedCase::Lost | OpenedCase::Overlapping(_) => {}
        }
        Ok(())
    }

    /// Several persons fit, or more records than one person can have: nothing is erased before
    /// somebody has said who is meant.
    async fn ask_a_person(&self, request: &mut OpenRequest, doubt: &str) -> Result<(), AppError> {
        request.record.needs = Some(doubt.to_owned());
        // What was learned may be somebody else's.
        if let Some(person) = &mut request.person {
            person.learned.clear();
            person.records.clear();
        }
        let engine = Actor(SCHEDULER.to_owned());
        let evidence =
            self.record_change(request, "more than one person fits", &engine, Some(doubt))?;
        let next = Move::to(&request.stored, RequestState::Ambiguous);
        self.keep_request(request, next, vec![evidence]).await
    }

    /// No identity leads anywhere: an outcome, and not a failure.
    async fn nobody_found(&self, request: &OpenRequest) -> Result<(), AppError> {
        let engine = Actor(SCHEDULER.to_owned());
        let evidence = self.record(
            crate::evidence::EvidenceKind::RequestChanged,
            crate::app::recording::About::default(),
            &json!({
                "request": request.stored.id,
                "what": "no system can be asked by what is known",
                "notCovered": request.record.not_covered,
                "by": engine.0,
            }),
        )?;
        let next = Move::closed(&request.stored, RequestOutcome::NotFound);
        self.keep_request(request, next, vec![evidence]).await
    }

    /// The person of a request, with all spellings that are remembered.
    pub(crate) fn sought(&self, request: &OpenRequest) -> Result<Sought, AppError> {
        let learned = &request.person()?.learned;
        self.sought_by(request, learned.iter())
    }

    /// The person of a request by what they gave, and by this.
    pub(super) fn sought_by<'a>(
        &self,
        request: &'a OpenRequest,
        learned: impl Iterator<Item = &'a quietus_connectors::Identity>,
    ) -> Result<Sought, AppError> {
        let person = request.person()?;
        let mut sought = Sought::new("p1");
        for identity in person.given.iter().chain(&person.typed).chain(learned) {
            let of = self.instance.identities.of(&identity.kind);
            // What several persons share must not lead from one of them to the other.
            if request.record.told_apart && !of.one_per_person {
                continue;
            }
            sought.add(&of, &identity.value).map_err(|error| AppError::Input(error.to_string()))?;
        }
        Ok(sought)
    }
}

/// What becomes of it depends on what other requests of the same person have come to, so that the
/// earlier ones have to be under way.
fn looks_at_others(request: &OpenRequest) -> bool {
    request.stored.asked == AskedRight::Lifting || request.record.follows.is_some()
}

/// What systems are asked to do for a request. An objection restricts until it is decided, unless it
/// is to direct marketing.
pub(crate) fn action_of(request: &OpenRequest) -> SubjectAction {
    let asked = request.stored.asked;
    if is_direct_marketing(asked, &request.record) {
        return SubjectAction::Erase;
    }
    match asked {
        AskedRight::Restriction | AskedRight::Objection => SubjectAction::Restrict,
        AskedRight::Lifting => SubjectAction::Lift,
        _ => SubjectAction::Erase,
    }
}

/// Writes down what was learned of a person.
pub(crate) fn remember(request: &mut OpenRequest, sought: &Sought, found: &Found) {
    let person = request.person.as_ref();
    let by_key = |system: &str| person.is_some_and(|person| person.has_keys(system));
    request.record.note_kept(found, by_key);
    let Some(person) = &mut request.person else { return };
    for (identity, spellings) in sought.known() {
        let kind = &identity.kind;
        for value in spellings {
            let one = quietus_connectors::Identity { kind: kind.clone(), value: value.clone() };
            if !person.given.contains(&one) {
                person.learned.insert(one);
            }
        }
    }
    for ((system, collection), keys) in &found.records {
        let kept = person
            .records
            .entry(system.to_string())
            .or_default()
            .entry(collection.to_string())
            .or_default();
        // Keys of records whose own fields are gone by now must not be lost.
        kept.extend(keys.iter().cloned());
    }
}
