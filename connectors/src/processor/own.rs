//! Kind `own`: the user's connector in any language, which takes orders as signed JSON.
//!
//! It gets only the types of identities that it says it understands. Its words are bounded and
//! dropped where they repeat an identity: they go into evidence.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::SignedDuration;
use reqwest::Method;
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use url::Url;

use super::answers::misshapen;
use super::own_messages::{
    Carried, Checked, Counted, NotLikeThis, PROTOCOL, Question, Told, signature, signing_key,
};
use super::persons;
use super::telling::{Tally, Verdict};
use crate::connector::{Connector, Direction, Progress, ProgressReport};
use crate::kinds::{Now, ProcessorSettings};
use crate::order::Order;
use crate::outbound::{Call, Effect, Limits, Outbound, OutboundSettings, Reply};
use crate::receipt::{
    Counts, Fault, Health, ProbeCount, Receipt, RefusalKind, Survivor, Verification,
};
use crate::schema::{Capabilities, Schema};
use crate::subject::{Grade, Subject, SubjectAction, SubjectRequest, SubjectResult};

/// Most characters of the connector's own words.
const MOST_WORDS: usize = 200;

/// Most bytes of its reference to something under way.
const MOST_REFERENCE_BYTES: usize = 4_096;

/// The user's own connector.
pub struct Own {
    system: String,
    address: String,
    key: Vec<u8>,
    identities: Vec<String>,
    erasure_grade: String,
    outbound: Outbound,
    now: Now,
}

impl Own {
    /// Reads address and parameters. No connection is made.
    ///
    /// # Errors
    /// `Misconfigured` where one of them is missing or does not fit.
    pub fn open(settings: ProcessorSettings) -> Result<Self, Fault> {
        let system = settings.system.clone();
        let wrong =
            |why: &str| Fault::Misconfigured { message: format!("system `{system}`: {why}") };
        if settings.definition.is_some() {
            return Err(wrong("kind `own` takes no definition: remove it"));
        }
        let known = ["secret", "identities", "erasure_grade"];
        if let Some(other) = settings.parameters.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(wrong(&format!(
                "kind `own` has no parameter `{other}`: it takes `{}`",
                known.join("`, `")
            )));
        }
        let parameter = |name: &str| settings.parameters.get(name).map(ExposeSecret::expose_secret);
        let key = parameter("secret").and_then(signing_key).ok_or_else(|| {
            wrong("the parameter `secret` has to be `whsec_` and 24 to 64 bytes in base64")
        })?;
        let identities: Vec<String> = parameter("identities")
            .unwrap_or_default()
            .split(',')
            .map(|kind| kind.trim().to_owned())
            .filter(|kind| !kind.is_empty())
            .collect();
        if identities.is_empty() {
            return Err(wrong(
                "the parameter `identities` names none: write the types of identities that the \
                 connector understands, separated by commas",
            ));
        }
        let address = settings.address.as_deref().unwrap_or_default().trim_end_matches('/');
        let url = Url::parse(address)
            .map_err(|_| wrong("it has no address: write where the connector listens"))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("its address has a query: write it up to the path"));
        }
        let host = url.host_str().ok_or_else(|| wrong("its address has no host"))?;
        let port = url.port_or_known_default().unwrap_or(443);
        let hosts =
            if url.scheme() == "https" { vec![format!("{host}:{port}")] } else { Vec::new() };
        let outbound = Outbound::new(OutboundSettings {
            system: system.clone(),
            hosts,
            private_hosts: settings.private_hosts.clone(),
            trust: settings.trust.clone(),
            // What an own connector does, it may do at once and slowly.
            limits: Limits { read_ms: 120_000, total_ms: 120_000, ..Limits::default() },
            now: settings.now.clone(),
        })?;
        let erasure_grade = parameter("erasure_grade").unwrap_or("deleted").to_owned();
        let address = address.to_owned();
        Ok(Self { system, address, key, identities, erasure_grade, outbound, now: settings.now })
    }

    async fn post(
        &self,
        operation: &str,
        question: &Question<'_>,
        effect: Effect,
    ) -> Result<Reply, Fault> {
        let wrong = |why: &str| Fault::Misconfigured {
            message: format!("system `{}`: {why}", self.system),
        };
        let url = Url::parse(&format!("{}/v1/{operation}", self.address))
            .map_err(|_| wrong("its address is no address"))?;
        let body = serde_json::to_vec(question).map_err(|_| wrong("the order is no JSON"))?;
        let timestamp = (self.now)().as_second();
        let Told { key, attempt, .. } = &question.order;
        let id = format!("{key}.{attempt}.{operation}.{timestamp}");
        let call = match effect {
            Effect::Reads => Call::reading(Method::POST, url),
            Effect::Changes => Call::changing(Method::POST, url),
        };
        let call = call
            .header("accept", "application/json")
            .header("webhook-signature", signature(&self.key, &id, timestamp, &body))
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp.to_string())
            .body("application/json", body);
        self.outbound.send(call).await
    }

    /// Asks one of the questions that count records; `None` where it is not offered (501).
    async fn count(
        &self,
        operation: &str,
        order: &Order,
        persons: &SubjectRequest,
        subjects: &[Subject],
    ) -> Result<Option<BTreeMap<String, super::own_messages::Count>>, Fault> {
        let told = Told::new(order, persons, subjects.to_vec());
        let question = Question { protocol: PROTOCOL, reference: None, order: told };
        let reply = self.post(operation, &question, Effect::Reads).await?;
        if reply.status() == 501 {
            return Ok(None);
        }
        let counted: Counted = read(&reply)?;
        let counts: BTreeMap<_, _> =
            counted.subjects.into_iter().map(|one| (one.subject.clone(), one)).collect();
        if subjects.iter().any(|subject| !counts.contains_key(&subject.reference)) {
            return Err(misshapen(&reply, "nothing about one of the persons"));
        }
        Ok(Some(counts))
    }

    /// Persons with what the connector understands of them; those that it cannot know are apart.
    fn told(&self, persons: &SubjectRequest) -> (Vec<Subject>, Vec<String>) {
        let mut told = Vec::new();
        let mut unknown = Vec::new();
        for subject in &persons.subjects {
            let identities: Vec<_> = subject
                .identities
                .iter()
                .filter(|one| self.identities.contains(&one.kind) && !one.value.trim().is_empty())
                .cloned()
                .collect();
            if identities.is_empty() {
                unknown.push(subject.reference.clone());
            } else {
                told.push(Subject { reference: subject.reference.clone(), identities });
            }
        }
        (told, unknown)
    }

    fn not_understood(&self) -> Verdict {
        Verdict::refused(format!(
            "the person is known by nothing that is understood here: give one of `{}`",
            self.identities.join("`, `")
        ))
    }

    /// What a carried-out order says; the persons that it was told are all spoken of.
    async fn receipt(
        &self,
        order: &Order,
        persons: &SubjectRequest,
        reply: &Reply,
        subjects: &[Subject],
        mut tally: Tally,
    ) -> Result<Receipt, Fault> {
        if reply.status() == 422 {
            let refusal: NotLikeThis = serde_json::from_slice(reply.body())
                .unwrap_or(NotLikeThis { kind: RefusalKind::Unsafe, reasons: Vec::new() });
            let mut reasons: Vec<String> = refusal
                .reasons
                .iter()
                .map(|reason| in_words(reason, persons))
                .filter(|reason| !reason.is_empty())
                .take(10)
                .collect();
            if reasons.is_empty() {
                reasons.push("the connector refuses the order and does not say why".to_owned());
            }
            let done = tally.outcome;
            return Ok(Receipt::Refused { kind: refusal.kind, reasons, done });
        }
        let carried: Carried = read(reply)?;
        if let Some(pending) = carried.pending {
            if pending.reference.is_empty() || pending.reference.len() > MOST_REFERENCE_BYTES {
                return Err(misshapen(reply, "a reference that is empty or too long"));
            }
            let now = (self.now)();
            let pause =
                SignedDuration::from_secs(i64::from(pending.ask_after_seconds.min(604_800)));
            let ask_at = now.checked_add(pause).unwrap_or(now);
            return Ok(Receipt::Pending { reference: pending.reference, ask_at });
        }
        let mut said: BTreeMap<_, _> =
            carried.subjects.into_iter().map(|one| (one.subject.clone(), one)).collect();
        // Whether it was done can be asked; that it cannot be asked now changes nothing about it.
        let looked = self.count("verify", order, persons, subjects).await.unwrap_or(None);
        for subject in subjects {
            let one = said
                .remove(&subject.reference)
                .ok_or_else(|| misshapen(reply, "nothing about one of the persons"))?;
            let open = looked.as_ref().and_then(|all| all.get(&subject.reference));
            let seen = one.result != SubjectResult::Refused
                && open.is_some_and(|count| count.records == 0 && count.refused.is_none());
            let mut words = in_words(&one.words, persons);
            if words.is_empty() {
                "the connector says no more".clone_into(&mut words);
            }
            let grade = if seen { Grade::Verified } else { Grade::Reported };
            let verdict = Verdict { result: one.result, grade, words, records: one.records };
            tally.add(&subject.reference, verdict, (self.now)());
        }
        Ok(Receipt::Done(tally.outcome))
    }

    /// What is known without carrying anything out: who is not understood, and, on a later
    /// attempt, for whom nothing is left to do.
    async fn before(
        &self,
        order: &Order,
        persons: &SubjectRequest,
        tally: &mut Tally,
    ) -> Result<Vec<Subject>, Fault> {
        let (mut subjects, unknown) = self.told(persons);
        for reference in unknown {
            tally.add(&reference, self.not_understood(), (self.now)());
        }
        if order.attempt > 1 && !subjects.is_empty() {
            let Some(counts) = self.count("verify", order, persons, &subjects).await? else {
                return Ok(subjects);
            };
            let settled = |subject: &Subject| {
                counts
                    .get(&subject.reference)
                    .is_some_and(|count| count.records == 0 && count.refused.is_none())
            };
            for subject in subjects.iter().filter(|subject| settled(subject)) {
                let verdict = nothing_left(persons.action, order.attempt);
                tally.add(&subject.reference, verdict, (self.now)());
            }
            subjects.retain(|subject| !settled(subject));
        }
        Ok(subjects)
    }

    fn collection(&self, order: &Order) -> String {
        super::Processor::collection(order).unwrap_or_else(|| self.system.clone())
    }
}

/// What is said of whom there is nothing left to do for on a later attempt. Of whom nothing is there
/// nobody can tell whether there ever was.
fn nothing_left(action: SubjectAction, attempt: u32) -> Verdict {
    let (result, words) = match action {
        SubjectAction::Erase => (
            SubjectResult::Absent,
            format!(
                "nothing of them was there when asked before attempt {attempt}; an earlier attempt \
                 whose answer was lost may have erased it"
            ),
        ),
        SubjectAction::Restrict | SubjectAction::Lift => (
            SubjectResult::Done,
            format!(
                "asked before attempt {attempt}, and nothing was left to do: nothing was sent again"
            ),
        ),
    };
    Verdict { result, grade: Grade::Verified, words, records: 0 }
}

/// Reads an answer.
fn read<T: DeserializeOwned>(reply: &Reply) -> Result<T, Fault> {
    if let Some(fault) = reply.fault() {
        return Err(fault);
    }
    serde_json::from_slice(reply.body())
        .map_err(|_| misshapen(reply, "something that is not of the protocol"))
}

/// Foreign words for evidence: one bounded line, or nothing where they repeat an identity.
fn in_words(text: &str, persons: &SubjectRequest) -> String {
    let line: String =
        text.chars().map(|one| if one.is_control() { ' ' } else { one }).take(MOST_WORDS).collect();
    let lower = line.to_lowercase();
    let values: BTreeSet<String> = persons
        .subjects
        .iter()
        .flat_map(|subject| &subject.identities)
        .map(|identity| identity.value.to_lowercase())
        .collect();
    if lower.contains('@') || values.iter().any(|value| lower.contains(value)) {
        return "its words are left out, because they name somebody".to_owned();
    }
    line.trim().to_owned()
}

#[async_trait]
impl Connector for Own {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            kind: "own".to_owned(),
            erasure_grade: self.erasure_grade.clone(),
            residues: Vec::new(),
            can_verify: true,
            identities: self.identities.clone(),
        }
    }

    async fn check(&self, order: &Order) -> Result<Health, Fault> {
        let nobody = SubjectRequest {
            action: SubjectAction::Erase,
            subjects: Vec::new(),
            regime: String::new(),
            submitted_at: order.moment,
            answer_by: None,
        };
        // Nobody is named where nothing but the line is looked at.
        let told = Told::new(order, order.persons.as_ref().unwrap_or(&nobody), Vec::new());
        let question = Question { protocol: PROTOCOL, reference: None, order: told };
        let reply = self.post("check", &question, Effect::Reads).await?;
        let checked: Checked = read(&reply)?;
        let product = checked.product.chars().filter(|one| !one.is_control()).take(100).collect();
        Ok(Health { product, ..Health::default() })
    }

    async fn describe(&self) -> Result<Schema, Fault> {
        Ok(Schema { product: "own connector".to_owned(), collections: Vec::new() })
    }

    async fn preview(&self, order: &Order) -> Result<Counts, Fault> {
        let persons = persons(&self.system, order)?;
        let (subjects, unknown) = self.told(persons);
        let mut counts = Counts::default();
        for reference in unknown {
            counts.refusals.push(format!("`{reference}`: {}", self.not_understood().words));
        }
        let mut records = 0;
        let mut at_most = false;
        let found = if subjects.is_empty() {
            Some(BTreeMap::new())
        } else {
            self.count("resolve", order, persons, &subjects).await?
        };
        match found {
            None => at_most = true,
            Some(found) => {
                for (reference, count) in &found {
                    records += count.records;
                    if let Some(words) = &count.refused {
                        let words = in_words(words, persons);
                        counts.refusals.push(format!("`{reference}`: {words}"));
                    }
                }
            }
        }
        let mut count = ProbeCount {
            collection: self.collection(order),
            total: records,
            at_most,
            ..ProbeCount::default()
        };
        match persons.action {
            SubjectAction::Erase => count.delete = records,
            SubjectAction::Restrict => count.restrict = records,
            SubjectAction::Lift => count.lift = records,
        }
        counts.collections.push(count);
        Ok(counts)
    }

    async fn execute(&self, order: &Order, progress: &dyn Progress) -> Result<Receipt, Fault> {
        let persons = persons(&self.system, order)?;
        let mut tally = Tally::new(persons.action, super::Processor::collection(order));
        let subjects = self.before(order, persons, &mut tally).await?;
        if subjects.is_empty() {
            return Ok(Receipt::Done(tally.outcome));
        }
        if progress.before_sending().await == Direction::Stop {
            return Ok(Receipt::Stopped(tally.outcome));
        }
        let told = Told::new(order, persons, subjects.clone());
        let question = Question { protocol: PROTOCOL, reference: None, order: told };
        let reply = self.post("execute", &question, Effect::Changes).await?;
        let receipt = self.receipt(order, persons, &reply, &subjects, tally).await?;
        if let Receipt::Done(done) = &receipt {
            let collection = self.collection(order);
            let report = ProgressReport { collection: &collection, done, records_per_second: 0 };
            // Everything is done: there is nothing left to stop.
            let (Direction::Continue | Direction::Stop) = progress.committed(report).await;
        }
        Ok(receipt)
    }

    async fn follow(&self, order: &Order, reference: &str) -> Result<Receipt, Fault> {
        let persons = persons(&self.system, order)?;
        let mut tally = Tally::new(persons.action, super::Processor::collection(order));
        let (subjects, unknown) = self.told(persons);
        for reference in unknown {
            tally.add(&reference, self.not_understood(), (self.now)());
        }
        let told = Told::new(order, persons, subjects.clone());
        let question = Question { protocol: PROTOCOL, reference: Some(reference), order: told };
        let reply = self.post("follow", &question, Effect::Reads).await?;
        self.receipt(order, persons, &reply, &subjects, tally).await
    }

    async fn verify(&self, order: &Order) -> Result<Verification, Fault> {
        let persons = persons(&self.system, order)?;
        let (subjects, unknown) = self.told(persons);
        let counts = if subjects.is_empty() {
            None
        } else {
            self.count("verify", order, persons, &subjects).await?
        };
        let Some(counts) = counts else {
            let method = "the connector offers no way to look again: its word is relied upon";
            let method = method.to_owned();
            return Ok(Verification { method, relied_upon: true, ..Verification::default() });
        };
        let blind = unknown.len() + counts.values().filter(|one| one.refused.is_some()).count();
        let records: u64 = counts.values().map(|count| count.records).sum();
        let collection = self.collection(order);
        let survivors = (records > 0)
            .then_some(Survivor { collection, category: None, records })
            .into_iter()
            .collect();
        let method = format!("asked the connector for each of {} person(s) again", counts.len());
        Ok(Verification { survivors, method, relied_upon: blind > 0, ..Verification::default() })
    }

    async fn forget(&self, _order_key: &str) -> Result<(), Fault> {
        Ok(())
    }
}
