//! A client before a processor, and an order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::Timestamp;
use quietus_connectors::opendsr::Client;
use quietus_connectors::{
    Connector, Direction, Fault, Identity, Order, Pace, ProcessorSettings, Progress,
    ProgressReport, Receipt, Subject, SubjectAction, SubjectRequest, Testimony,
};
use secrecy::SecretString;

use super::certificates::{Authority, DOMAIN, Hand, Issue};
use super::processor::Processor;

pub const NOW: &str = "2026-11-23T10:00:00Z";

pub struct Scene {
    pub authority: Authority,
    pub processor: Processor,
    pub parameters: BTreeMap<String, SecretString>,
    pub version: &'static str,
    pub clock: Arc<Mutex<Timestamp>>,
}

impl Scene {
    pub async fn new(hand: Hand) -> Self {
        let authority = Authority::new("Authority");
        let identity = authority.issue(&Issue { hand, ..Issue::default() });
        let processor = Processor::start(identity).await;
        let mut scene = Self {
            authority,
            processor,
            parameters: BTreeMap::new(),
            version: "v2",
            clock: Arc::new(Mutex::new(NOW.parse().unwrap())),
        };
        scene.set("domain", DOMAIN);
        scene
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.parameters.insert(name.to_owned(), SecretString::from(value.to_owned()));
    }

    pub fn settings(&self) -> ProcessorSettings {
        let clock = Arc::clone(&self.clock);
        ProcessorSettings {
            system: "marketing".to_owned(),
            address: Some(format!("http://{}/{}", self.processor.address, self.version)),
            definition: None,
            parameters: self.parameters.clone(),
            private_hosts: vec![self.processor.address.to_string()],
            trust: Some(self.authority.pem().to_owned()),
            now: Arc::new(move || *clock.lock().unwrap()),
            tokens: None,
        }
    }

    pub fn client(&self) -> Client {
        Client::new(self.settings()).unwrap()
    }

    pub fn now(&self) -> Timestamp {
        *self.clock.lock().unwrap()
    }
}

pub fn subject(reference: &str, identities: &[(&str, &str)]) -> Subject {
    let identity =
        |(kind, value): &(&str, &str)| Identity { kind: (*kind).into(), value: (*value).into() };
    Subject {
        reference: reference.to_owned(),
        identities: identities.iter().map(identity).collect(),
    }
}

pub fn order_for(subjects: Vec<Subject>) -> Order {
    Order {
        key: "case-7-marketing".to_owned(),
        attempt: 1,
        moment: NOW.parse().unwrap(),
        instructions: Vec::new(),
        lists: Vec::new(),
        pace: Pace::default(),
        most_records: None,
        persons: Some(SubjectRequest {
            action: SubjectAction::Erase,
            subjects,
            regime: "gdpr".to_owned(),
            submitted_at: "2026-11-20T08:30:00Z".parse().unwrap(),
            answer_by: None,
        }),
    }
}

pub fn order() -> Order {
    order_for(vec![subject("p1", &[("email", "mara.lind@example.com")])])
}

/// Says go on, or stop after so many reports.
pub struct Steps(pub Mutex<u32>);

impl Steps {
    pub fn all() -> Self {
        Self(Mutex::new(u32::MAX))
    }
}

#[async_trait]
impl Progress for Steps {
    async fn committed(&self, _report: ProgressReport<'_>) -> Direction {
        let mut left = self.0.lock().unwrap();
        *left -= 1;
        if *left == 0 { Direction::Stop } else { Direction::Continue }
    }
}

/// Calls everything off before anything is sent.
pub struct CalledOff;

#[async_trait]
impl Progress for CalledOff {
    async fn committed(&self, _report: ProgressReport<'_>) -> Direction {
        Direction::Stop
    }

    async fn before_sending(&self) -> Direction {
        Direction::Stop
    }
}

pub async fn execute(client: &Client, order: &Order) -> Result<Receipt, Fault> {
    client.execute(order, &Steps::all()).await
}

/// The reference of a pending receipt, and when to ask again. It names no person.
pub fn pending(receipt: Receipt) -> (String, Timestamp) {
    match receipt {
        Receipt::Pending { reference, ask_at } => {
            for personal in ["mara", "lind", "example.com", "C-17"] {
                assert!(!reference.contains(personal), "the reference names a person: {reference}");
            }
            (reference, ask_at)
        }
        other => panic!("not pending: {other:?}"),
    }
}

/// The testimonies of a receipt that is done.
pub fn testimonies(receipt: Receipt) -> Vec<Testimony> {
    match receipt {
        Receipt::Done(outcome) => {
            assert!(outcome.collections.is_empty());
            assert!(!format!("{outcome:?}").contains("mara"));
            outcome.testimonies
        }
        other => panic!("not done: {other:?}"),
    }
}

/// Moves the time to the moment of the next question and asks.
pub async fn follow(scene: &Scene, client: &Client, receipt: Receipt) -> Receipt {
    let (reference, ask_at) = pending(receipt);
    *scene.clock.lock().unwrap() = ask_at;
    client.follow(&order(), &reference).await.unwrap()
}

pub fn message(result: Result<Receipt, Fault>) -> (&'static str, String) {
    let fault = match result {
        Err(fault) => fault,
        Ok(receipt) => panic!("no fault: {receipt:?}"),
    };
    let text = fault.to_string();
    for personal in ["mara", "lind", "example.com", "C-17"] {
        assert!(!text.contains(personal), "the fault names a person: {text}");
    }
    let kind = match fault {
        Fault::Transient { .. } => "transient",
        Fault::Misconfigured { .. } => "misconfigured",
        Fault::Rejected { .. } => "rejected",
        Fault::Unknown { .. } => "unknown",
    };
    (kind, text)
}
