//! The order of one system's part of a request: the person is looked for in that system once more
//! before anything of theirs goes, so that nobody's keys are lost, and what was learned is kept.

use std::collections::BTreeSet;

use jiff::Timestamp;
use quietus_connectors::{Fault, Identity, SubjectAction, SubjectRequest};

use super::fan_out::{action_of, remember};
use super::find::{Found, Ground, Seeking};
use super::record::{Move, OpenRequest, RequestRecord};
use crate::app::circumstances::Circumstances;
use crate::app::law::Law;
use crate::app::opening::Pinned;
use crate::app::{AppError, Quietus};
use crate::domain::{CollectionName, SystemName};
use crate::plan::{
    Acting, Person as Sought, PlanError, PlanInput, RecordKeys, StepStatus, SystemPlan, compile,
    kept_by_keys, may_be_named, questions_by_keys,
};
use crate::store::{Case, Request};

/// Tries to write down what was learned, while other systems' parts write too.
const MOST_TRIES: usize = 8;

/// A compiled part of a request.
pub(crate) struct PersonPart {
    pub(crate) plan: SystemPlan,
    /// For a third party: whom it is asked about.
    pub(crate) persons: Option<SubjectRequest>,
    /// For a third party: why it cannot be asked, now that every system was.
    pub(crate) unreached: Option<String>,
}

/// The request behind a case, and its person.
pub(crate) struct Wanted {
    pub(crate) request: OpenRequest,
    pub(crate) seeking: Seeking,
    /// What is known of them, where they are sought by something else.
    known: Option<Sought>,
}

impl Wanted {
    /// Some system could not be asked yet, so that each of them has to be asked before one is given
    /// an order: what it knows may lead there.
    pub(crate) fn needs_all(&self) -> bool {
        !self.request.record.not_asked.is_empty()
    }
}

impl Quietus {
    /// Who is meant in a request.
    ///
    /// # Errors
    /// Where the person is forgotten.
    pub(crate) fn wanted_by(&self, stored: Request) -> Result<Wanted, AppError> {
        let request = self.open_request(stored)?;
        let person = self.sought(&request)?;
        let told_apart = request.record.told_apart;
        Ok(Wanted { request, seeking: Seeking { person, told_apart }, known: None })
    }

    /// Who is meant in a case; with `anew`, by what the latest look has found them by, where it was
    /// not what is known of them.
    ///
    /// # Errors
    /// As [`Self::wanted_by`].
    pub(crate) async fn wanted_anew(&self, case: &Case, anew: bool) -> Result<Wanted, AppError> {
        self.wanted_anew_by(self.store.request_of_case(case.id).await?, anew)
    }

    /// The same, where the request behind the case was read.
    ///
    /// # Errors
    /// As [`Self::wanted_by`].
    pub(crate) fn wanted_anew_by(
        &self,
        request: Option<Request>,
        anew: bool,
    ) -> Result<Wanted, AppError> {
        let mut wanted = self.wanted_by(there(request)?)?;
        let found_by = wanted.request.person.as_ref().map(|person| &person.found_by);
        if let Some(found_by) = found_by.filter(|found_by| anew && !found_by.is_empty()) {
            let person = self.sought_by(&wanted.request, found_by.iter())?;
            wanted.known = Some(std::mem::replace(&mut wanted.seeking.person, person));
        }
        Ok(wanted)
    }

    /// Who is meant, by what they gave alone.
    ///
    /// # Errors
    /// Where the person is forgotten.
    pub(super) fn given_by(&self, wanted: &Wanted) -> Result<Seeking, AppError> {
        let person = self.sought_by(&wanted.request, std::iter::empty())?;
        Ok(Seeking { person, told_apart: wanted.seeking.told_apart })
    }

    /// Remembers by what a look has found somebody, where it was not what is known of them: another
    /// number beside that of before would be a doubt for ever.
    ///
    /// # Errors
    /// Where the store is not there, or others write at the same time.
    pub(crate) async fn keep_found_by(
        &self,
        wanted: &Wanted,
        found_by: &BTreeSet<Identity>,
    ) -> Result<(), AppError> {
        self.keep_of_person(&wanted.request, |request| {
            if let Some(person) = &mut request.person {
                person.found_by.clone_from(found_by);
            }
        })
        .await
    }

    /// Compiles one system's part of a request as of a moment.
    ///
    /// # Errors
    /// Where the person is forgotten, or the system does not answer who they are.
    pub(crate) async fn compile_person_part(
        &self,
        case: &Case,
        (pinned, law): (&Pinned<'_>, &Law),
        system: &SystemName,
        (moment, anew): (Timestamp, bool),
    ) -> Result<(PersonPart, Circumstances), AppError> {
        let mut wanted = self.wanted_anew(case, anew).await?;
        let (map, rules) = (pinned.map(), pinned.rules());
        let ground = Ground { map, rules, limits: &law.limits, moment };
        let third_party = ground.map.systems.get(system).and_then(|one| one.third_party.as_ref());
        let all = wanted.needs_all();
        let found = if third_party.is_none() || all {
            let people = std::slice::from_mut(&mut wanted.seeking);
            self.find_people(ground, people, Some(system).filter(|_| !all)).await?.pop()
        } else {
            None
        };
        let acting = Acting::Everything;
        let circumstances = self.circumstances(ground.basis(&acting, &self.zone)).await?;
        let part = self.compile_found(ground, system, (wanted, found), &circumstances).await?;
        Ok((part, circumstances))
    }

    /// Compiles one system's part of a request with what the system, if it is a database, knows of
    /// the person now; with what each of them knows, where that is needed.
    ///
    /// # Errors
    /// Where the system did not answer, or somebody has to say who is meant.
    pub(crate) async fn compile_found(
        &self,
        ground: Ground<'_>,
        system: &SystemName,
        (wanted, found): (Wanted, Option<Found>),
        circumstances: &Circumstances,
    ) -> Result<PersonPart, AppError> {
        let all = wanted.needs_all();
        let Wanted { mut request, seeking: Seeking { person: sought, .. }, known } = wanted;
        let mut records = remembered_keys(&request);
        if let Some(mut found) = found {
            self.date_anew(&request, (ground, system), (&mut found, circumstances)).await?;
            if let Some(drill) = &request.record.drill {
                drill.confine_found(&mut found);
            }
            certain(&found, system)?;
            for (place, keys) in &found.records {
                records.entry(place.clone()).or_default().extend(keys.iter().cloned());
            }
            let learned = known.as_ref().unwrap_or(&sought);
            if all {
                request.record.not_asked =
                    found.not_asked.keys().map(ToString::to_string).collect();
            }
            // Where nothing is new, whoever writes at the same time comes after it.
            if all || is_news(&request, learned, &found) {
                self.keep_learned(&request, learned, &found).await?;
            }
        }
        let acting = Acting::Everything;
        let basis = ground.basis(&acting, &self.zone);
        let scope = self.scope_for(&request, &sought, records).await?;
        let input = PlanInput { persons: Some(&scope), ..circumstances.input(basis) };
        let plan = compile(&input, system).map_err(|error| AppError::Input(error.to_string()))?;
        let third_party = ground.map.systems.get(system).and_then(|one| one.third_party.as_ref());
        let erases = third_party.is_none() && scope.action == SubjectAction::Erase;
        if erases && may_be_named(&input, system, &scope) {
            let why = "a legal hold may name the person";
            return Err(waits_for(system, &request.record.not_asked, why));
        }
        let persons = match third_party {
            None => None,
            Some(party) => self.subject_request(&request, &sought, &party.identities),
        };
        let reached = if third_party.is_some() { persons.is_some() } else { is_reached(&plan) };
        if !reached && scope.incomplete {
            let why = "nothing that is known of the person leads here";
            return Err(waits_for(system, &request.record.not_asked, why));
        }
        if request.record.incomplete {
            self.keep_asked_by(&request, &sought, system).await?;
        }
        let unreached = match third_party {
            Some(party) if !reached => Some(unreached(&party.identities)),
            _ => None,
        };
        Ok(PersonPart { plan, persons, unreached })
    }

    /// Asks a system once more until when minimums keep the records that only keys name, where that
    /// was noted under another law: they are not found anew by what their person is known by.
    async fn date_anew(
        &self,
        request: &OpenRequest,
        (ground, system): (Ground<'_>, &SystemName),
        (found, circumstances): (&mut Found, &Circumstances),
    ) -> Result<(), AppError> {
        let Some(person) = &request.person else { return Ok(()) };
        let noted = request.record.kept_under.get(system.as_str());
        if noted == found.law.as_ref()
            || !person.has_keys(system.as_str())
            || found.not_asked.contains_key(system)
        {
            return Ok(());
        }
        let acting = Acting::Everything;
        let input = circumstances.input(ground.basis(&acting, &self.zone));
        let mut keys = remembered_keys(request);
        keys.retain(|(of, _), _| of == system);
        let unreadable = |error: PlanError| AppError::Input(error.to_string());
        let asking = questions_by_keys(&input, system, keys).map_err(unreadable)?;
        let answers = self.ask(system, &asking).await;
        let answers =
            answers.map_err(|fault| AppError::System { system: system.to_string(), fault })?;
        let kept = kept_by_keys(&input, system, &answers, "p1").map_err(unreadable)?;
        found.kept.extend(kept);
        found.dated_anew = Some(system.clone());
        Ok(())
    }

    /// What a third party is asked; `None` where nothing is known by which it can be.
    fn subject_request(
        &self,
        request: &OpenRequest,
        sought: &Sought,
        understood: &BTreeSet<String>,
    ) -> Option<SubjectRequest> {
        let subject = sought.subject(understood)?;
        Some(SubjectRequest {
            action: action_of(request),
            subjects: vec![subject],
            regime: request.record.regime.clone(),
            submitted_at: request.stored.received_at,
            answer_by: self.end_of_time(&request.record),
        })
    }

    /// The last moment at which the person can be answered in time.
    pub(crate) fn end_of_time(&self, record: &RequestRecord) -> Option<Timestamp> {
        let end = record.deadlines.answer_by.at(23, 59, 59, 0).to_zoned(self.zone.clone());
        end.ok().map(|zoned| zoned.timestamp())
    }

    /// Adds to the sealed part of a request what its systems have taught, and to the open part what
    /// could not be asked.
    async fn keep_learned(
        &self,
        request: &OpenRequest,
        sought: &Sought,
        found: &Found,
    ) -> Result<(), AppError> {
        let not_asked = &request.record.not_asked;
        self.keep_of_person(request, |request| {
            remember(request, sought, found);
            request.record.not_asked.clone_from(not_asked);
        })
        .await
    }

    /// Remembers by what a system is asked.
    async fn keep_asked_by(
        &self,
        request: &OpenRequest,
        sought: &Sought,
        system: &SystemName,
    ) -> Result<(), AppError> {
        let asked_by: BTreeSet<Identity> = sought.identities().cloned().collect();
        self.keep_of_person(request, |request| {
            if let Some(person) = &mut request.person {
                person.asked_by.insert(system.to_string(), asked_by.clone());
            }
        })
        .await
    }

    /// Changes a request under way. Other parts of the same request write at the same time, so it
    /// is read anew for each try.
    async fn keep_of_person(
        &self,
        request: &OpenRequest,
        change: impl Fn(&mut OpenRequest),
    ) -> Result<(), AppError> {
        for _ in 0..MOST_TRIES {
            let mut request = self.rights_request(request.stored.id).await?;
            let before = (request.person.clone(), request.record.clone());
            change(&mut request);
            if (&request.person, &request.record) == (&before.0, &before.1) {
                return Ok(());
            }
            let change = self.change_of(&request, Move::stay(&request.stored))?;
            if self.store.change_request(change, self.now(), Vec::new()).await? {
                return Ok(());
            }
        }
        let message = "what was learned of the person could not be written down".to_owned();
        let fault = Fault::Transient { message, retry_after_ms: None };
        Err(AppError::System { system: "the store".to_owned(), fault })
    }
}

/// The request behind a case.
fn there(request: Option<Request>) -> Result<Request, AppError> {
    request.ok_or_else(|| AppError::Unreadable {
        what: "a case",
        why: "its request is missing".to_owned(),
    })
}

/// Whether something was found that was not on record of the person when the request was read.
fn is_news(request: &OpenRequest, sought: &Sought, found: &Found) -> bool {
    let mut learned = request.clone();
    remember(&mut learned, sought, found);
    (&learned.person, &learned.record) != (&request.person, &request.record)
}

/// The system answered, and nobody else can be meant.
fn certain(found: &Found, system: &SystemName) -> Result<(), AppError> {
    if let Some(fault) = found.not_asked.get(system) {
        return Err(AppError::System { system: system.to_string(), fault: fault.clone() });
    }
    if found.doubts.is_empty() {
        return Ok(());
    }
    let doubts = found.doubts.join("; ");
    Err(AppError::Input(format!("somebody has to say who is meant: {doubts}")))
}

/// Whether something known of the person leads to records of a database, or a hold stops them.
fn is_reached(plan: &SystemPlan) -> bool {
    plan.acts() || plan.steps.iter().any(|step| matches!(step.status, StepStatus::Held { .. }))
}

/// What is not known of the person decides, and not everybody could be asked yet: that is the matter
/// of one who was not asked, and no failure of the system that waits.
fn waits_for(system: &SystemName, not_asked: &BTreeSet<String>, why: &str) -> AppError {
    let names: Vec<&str> = not_asked.iter().map(String::as_str).collect();
    let message = format!(
        "{why}; it waits for what `{}` knows, which could not be asked yet",
        names.join("`, `")
    );
    let other = names.into_iter().find(|name| *name != system.as_str()).unwrap_or_default();
    let fault = Fault::Transient { message, retry_after_ms: None };
    AppError::System { system: other.to_owned(), fault }
}

fn unreached(identities: &BTreeSet<String>) -> String {
    let kinds: Vec<&str> = identities.iter().map(String::as_str).collect();
    format!(
        "no known identity reaches it: it is asked by `{}`, of which none is known",
        kinds.join("`, `")
    )
}

/// Keys of the person's records that were found before.
pub(super) fn remembered_keys(request: &OpenRequest) -> RecordKeys {
    let mut keys = RecordKeys::new();
    let Some(person) = &request.person else { return keys };
    for (system, collections) in &person.records {
        let Ok(system) = SystemName::parse(system) else { continue };
        for (collection, entries) in collections {
            let Ok(name) = CollectionName::parse(collection) else { continue };
            keys.insert((system.clone(), name), entries.clone());
        }
    }
    keys
}
