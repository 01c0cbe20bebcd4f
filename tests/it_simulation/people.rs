//! What people do in a history: they come, leave and ask to be forgotten, place holds, change rules
//! and pause things.

use jiff::SignedDuration;
use quietus::app::event::PostedEvent;
use quietus::app::hold::PlaceHold;
use quietus::app::request::{Requester, TakeIn, Taken};
use quietus::domain::{
    AskedRight, Assurance, CategoryName, CollectionName, HoldScope, RuleName, SystemName,
};
use quietus::store::{HoldKey, PauseScope};
use quietus_connectors::Value;

use super::calendar::DAY;
use super::estate::{self, LEFT, PLACES, VERSIONS};
use super::journal::Row;
use super::play::somebody;
use super::world::{Asked, Covered, Hold, Pause, Told, World, email_of};

/// Collections whose records are due so long after they came to be.
const DUE_PLACES: [usize; 3] = [1, 2, 4];

impl World {
    /// A step: see `Step`.
    pub fn records(&mut self) {
        for _ in 0..self.dice.between(1, 5) {
            let (place, id) = self.new_record();
            self.note(format!("record {id} comes to be in {}", PLACES[place].collection));
        }
    }

    /// A step: see `Step`.
    pub fn due_records(&mut self) {
        let place = *self.dice.pick(&DUE_PLACES);
        for _ in 0..self.dice.between(2, 6) {
            let id = self.new_due_record(place);
            let collection = PLACES[place].collection;
            self.note(format!("record {id}, which is due soon, comes to be in {collection}"));
        }
    }

    /// A step: see `Step`.
    pub fn customer(&mut self) {
        if self.customers.len() < 9 {
            let customer = self.new_customer();
            self.note(format!("{customer} becomes a customer"));
        }
    }

    /// A step: see `Step`.
    pub async fn event(&mut self) {
        let number = self.somebody().await;
        let customer = self.dice.pick(&self.customers).clone();
        let last = self.told.iter().rev().find(|told| told.customer == customer);
        let revokes = last.is_some_and(|told| !told.revokes);
        let since = last.map(|told| told.occurred);
        let ago = self.dice.between(700, 20 * DAY);
        let mut occurred = self.universe.now() - SignedDuration::from_secs(ago);
        if let Some(since) = since {
            occurred = occurred.max(since + SignedDuration::from_secs(1));
        }
        let posted = PostedEvent {
            name: LEFT.to_owned(),
            key: Value::Text(customer.clone()),
            occurred_at: occurred,
            revokes,
            idempotency_key: None,
            actor: somebody(),
        };
        let told = self.product(number).post_event(posted).await.map(|_| ());
        let what = if revokes { "has come back" } else { "has left" };
        if self.accepted(&format!("{customer} {what} on {occurred}"), told) {
            let (told, at) = (self.journal.tick(), self.universe.now());
            self.told.push(Told { customer, occurred, counted: told, at, revokes });
        }
    }

    /// A step: see `Step`.
    pub async fn requests(&mut self) {
        let number = self.somebody().await;
        // Some come at once, so that systems are asked about several together.
        let many = if self.dice.chance(30) { 3 } else { 1 };
        for _ in 0..many {
            let customer = self.dice.pick(&self.customers).clone();
            self.request(number, customer).await;
        }
    }

    async fn request(&mut self, number: usize, customer: String) {
        if self.asked.iter().any(|asked| asked.customer == customer) {
            return;
        }
        let asked = TakeIn {
            asked: AskedRight::Erasure,
            identities: vec![
                ("customer_id".to_owned(), customer.clone()),
                ("email".to_owned(), email_of(&customer)),
            ],
            received_at: None,
            channel: "web".to_owned(),
            requester: Requester::Person,
            ground: None,
            regime: None,
            language: None,
            categories: None,
            contact: None,
            check: Some((Assurance::High, "login".to_owned(), None)),
            source: None,
            external_id: None,
            actor: somebody(),
        };
        let taken = self.product(number).take_in(asked).await;
        let request = match &taken {
            Ok(Taken::New(request)) => Some(request.stored.id),
            _ => None,
        };
        self.accepted(&format!("{customer} asks to be forgotten"), taken.map(|_| ()));
        if let Some(request) = request {
            let (asked, at) = (self.journal.tick(), self.universe.now());
            self.asked.push(Asked { customer, counted: asked, at, request });
        }
    }

    /// A step: see `Step`.
    pub async fn hold(&mut self) {
        if self.holds.iter().filter(|hold| hold.released.is_none()).count() > 2 {
            return;
        }
        let number = self.somebody().await;
        let covers = self.something_to_hold();
        let matter = format!("M-{}", self.holds.len() + 1);
        let placed = PlaceHold {
            matter: matter.clone(),
            scope: self.scope_of(&covers),
            reason: "a dispute".to_owned(),
            review_on: None,
            actor: somebody(),
        };
        let placed = self.product(number).place_hold(placed).await.map(|_| ());
        if self.accepted(&format!("hold {matter} is placed on {covers:?}"), placed) {
            let placed = self.journal.tick();
            self.holds.push(Hold { covers, matter, placed, released: None });
        }
    }

    /// Mostly something that is due.
    fn something_to_hold(&mut self) -> Covered {
        let record = if self.dice.chance(70) { self.record_in_danger() } else { None };
        let place = match &record {
            Some(row) => row.place,
            None => self.dice.place(PLACES.len()),
        };
        match (self.dice.below(6), record) {
            (0, _) => Covered::System(PLACES[place].system),
            (2, _) => Covered::Category(place),
            (3 | 4, Some(Row { customer: Some(customer), .. })) => Covered::Customer(customer),
            (3 | 4, _) => Covered::Customer(self.dice.pick(&self.customers).clone()),
            (5, Some(row)) => Covered::Record(row.place, row.id),
            _ => Covered::Collection(place),
        }
    }

    fn scope_of(&self, covers: &Covered) -> HoldScope {
        let system = |name: &str| Some(SystemName::parse(name).unwrap());
        let collection = |place: usize| HoldScope {
            system: system(PLACES[place].system),
            collection: Some(CollectionName::parse(PLACES[place].collection).unwrap()),
            ..HoldScope::default()
        };
        match covers {
            Covered::System(name) => HoldScope { system: system(name), ..HoldScope::default() },
            Covered::Collection(place) => collection(*place),
            Covered::Category(place) => HoldScope {
                category: Some(CategoryName::parse(PLACES[*place].category).unwrap()),
                ..HoldScope::default()
            },
            Covered::Customer(customer) => HoldScope {
                subject: Some(("customer_id".to_owned(), Value::Text(customer.clone()))),
                ..HoldScope::default()
            },
            Covered::Record(place, id) => {
                let rows = self.rows();
                let row = rows.iter().find(|row| row.place == *place && row.id == *id);
                let key = row.map(|row| row.values["id"].clone()).unwrap();
                HoldScope { record: Some([("id".to_owned(), key)].into()), ..collection(*place) }
            }
        }
    }

    /// A step: see `Step`.
    pub async fn release(&mut self) {
        let open: Vec<usize> =
            (0..self.holds.len()).filter(|&one| self.holds[one].released.is_none()).collect();
        if open.is_empty() {
            return;
        }
        let number = self.somebody().await;
        let one = *self.dice.pick(&open);
        self.release_hold(number, one).await;
    }

    /// Releases a hold.
    pub async fn release_hold(&mut self, number: usize, one: usize) {
        let matter = self.holds[one].matter.clone();
        // Whatever goes from now on may go because of it.
        self.holds[one].released = Some(self.journal.tick());
        let key = HoldKey::Matter(matter.clone());
        let released = self.product(number).release_hold(key, &somebody()).await.map(|_| ());
        self.accepted(&format!("hold {matter} is released"), released);
    }

    /// A step: see `Step`.
    pub async fn rules(&mut self) {
        self.version = (self.version + 1 + self.dice.place(VERSIONS - 1)) % VERSIONS;
        estate::write(self.folder.path(), self.version);
        self.note(format!("version {} of the rules is in the folder", self.version));
        let all = self.dice.chance(60);
        let one = self.dice.place(self.replicas.len());
        for number in 0..self.replicas.len() {
            if self.replicas[number].is_some() && (all || number == one) {
                self.start(number).await;
                self.note(format!("replica {number} is started with them"));
            }
        }
    }

    /// A step: see `Step`.
    pub async fn pause(&mut self) {
        let number = self.somebody().await;
        if let Some(one) = self.pauses.iter().position(|pause| pause.ended.is_none()) {
            self.resume(number, one).await;
            return;
        }
        let scope = match self.dice.below(4) {
            0 => PauseScope::Everything,
            1 => PauseScope::Rule(
                RuleName::parse(PLACES[self.dice.place(PLACES.len())].collection).unwrap(),
            ),
            _ => PauseScope::System(SystemName::parse(self.troubled_system()).unwrap()),
        };
        let words = quietus::app::pause::words(&scope);
        let paused = self.product(number).pause(scope.clone(), &somebody(), "a look at it").await;
        if self.accepted(&format!("{words} is paused"), paused.map(|_| ())) {
            self.pauses.push(Pause { scope, placed: self.journal.tick(), ended: None });
        }
    }

    /// Lets go on what is paused.
    pub async fn resume(&mut self, number: usize, one: usize) {
        let scope = self.pauses[one].scope.clone();
        // Whatever goes from now on may go because of it.
        self.pauses[one].ended = Some(self.journal.tick());
        let resumed = self.product(number).resume(&scope, &somebody()).await.map(|_| ());
        self.accepted(&format!("{} goes on", quietus::app::pause::words(&scope)), resumed);
    }
}
