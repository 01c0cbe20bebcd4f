//! A simulated world: the systems, the replicas on one store, what people have done, and the history
//! in words.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use quietus::app::Quietus;
use quietus::domain::Digest;
use quietus::store::PauseScope;
use quietus_connectors::{Record, Value};
use uuid::Uuid;

use super::calendar::DAY;
use super::database::{Content, Database};
use super::dice::Dice;
use super::estate::{CUSTOMERS, DATABASES, PLACES, PLANTED, RINGS_AT};
use super::heard::Heard;
use super::journal::{Journal, Row};
use super::laws::{Broken, Planned};
use super::mutation::Mutation;
use super::plots::Plots;
use super::processor::Processor;
use super::replica::{Replica, Systems, Work};
use super::senses::{Senses, Universe};
use super::template;

/// When every history begins.
const BEGINS: &str = "2026-01-05T09:00:00Z";
/// Replicas on one store.
pub const REPLICAS: usize = 2;
/// By how much a clock may be wrong, in seconds.
pub const MOST_AHEAD: i64 = 600;
/// Customers at the beginning.
const CUSTOMERS_AT_FIRST: usize = 4;

/// What a hold of the simulation covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Covered {
    /// Everything in a system.
    System(&'static str),
    /// A collection.
    Collection(usize),
    /// A category, which is in one collection.
    Category(usize),
    /// Everything about a customer.
    Customer(String),
    /// One record.
    Record(usize, String),
}

/// A hold.
#[derive(Debug, Clone)]
pub struct Hold {
    /// What it covers.
    pub covers: Covered,
    /// Its matter.
    pub matter: String,
    /// When it was placed.
    pub placed: u64,
    /// When it was released.
    pub released: Option<u64>,
}

/// A pause.
#[derive(Debug, Clone)]
pub struct Pause {
    /// What it covers.
    pub scope: PauseScope,
    /// When it began.
    pub placed: u64,
    /// When it ended.
    pub ended: Option<u64>,
}

/// A moment: by the universe's count, and by the true time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// By the count.
    pub counted: u64,
    /// By the time.
    pub at: Timestamp,
}

/// A customer has left, or has come back.
#[derive(Debug, Clone)]
pub struct Told {
    /// Whose number.
    pub customer: String,
    /// When it happened.
    pub occurred: Timestamp,
    /// When it was told, by the universe's count.
    pub counted: u64,
    /// When it was told, by the true time.
    pub at: Timestamp,
    /// The customer came back.
    pub revokes: bool,
}

/// Somebody wants to be forgotten.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Whose number.
    pub customer: String,
    /// When, by the universe's count.
    pub counted: u64,
    /// When, by the true time.
    pub at: Timestamp,
    /// The request.
    pub request: Uuid,
}

/// A copy of a database.
pub struct Copy {
    /// When it was taken, by the true time.
    pub taken_at: Timestamp,
    /// Of which database.
    pub system: &'static str,
    /// What was there.
    pub content: Content,
}

/// A restore that nobody has told of yet.
#[derive(Debug, Clone, Copy)]
pub struct Untold {
    /// Of which database.
    pub system: &'static str,
    /// Whose state of then it holds.
    pub taken_at: Timestamp,
    /// Our own row there shows it: it counts lower than before.
    pub shows: bool,
    /// Its place among all restores.
    pub place: usize,
}

/// A restore that was.
#[derive(Debug, Clone, Copy)]
pub struct Restore {
    /// Of which database.
    pub system: &'static str,
    /// When, by the true time.
    pub at: Timestamp,
    /// From when on somebody could know of it, by the true time: at once where our own row there
    /// shows it, else from when it was told; `None` until then.
    pub known: Option<Timestamp>,
}

/// A step that stands still, and whose.
pub struct Standing {
    /// The replica.
    pub replica: usize,
    /// What it was at.
    pub work: Work,
    /// When it began with it.
    pub since: Moment,
}

/// The world.
pub struct World {
    /// The seed of it all.
    pub seed: u64,
    /// Chance.
    pub dice: Dice,
    /// The true time.
    pub universe: Arc<Universe>,
    /// What was done to systems.
    pub journal: Arc<Journal>,
    /// The systems.
    pub systems: Systems,
    /// The instance's folder.
    pub folder: tempfile::TempDir,
    /// Processes; `None` where one is dead.
    pub replicas: Vec<Option<Replica>>,
    /// Processes started so far.
    pub started: u64,
    /// The step that stands still, if one does.
    pub standing: Option<Standing>,
    /// The replica that something will happen to in what it does next.
    pub marked: Option<usize>,
    /// Steps that come in a row.
    pub plots: Plots,
    /// When which version of the rules came in force, as the journal counts.
    pub came_in_force: Vec<(u64, usize)>,
    /// The version of the rules in the folder.
    pub version: usize,
    /// Versions by digest.
    pub versions: BTreeMap<Digest, usize>,
    /// Customers who were ever there, by number.
    pub customers: Vec<String>,
    /// Records made so far.
    pub made: u64,
    /// Holds.
    pub holds: Vec<Hold>,
    /// Events.
    pub told: Vec<Told>,
    /// Requests.
    pub asked: Vec<Asked>,
    /// Pauses.
    pub pauses: Vec<Pause>,
    /// Copies of databases, oldest first.
    pub copies: Vec<Copy>,
    /// Restores that nobody has told of yet.
    pub untold: Vec<Untold>,
    /// All restores.
    pub restores: Vec<Restore>,
    /// With what the case of each job was planned.
    pub planned: BTreeMap<Uuid, Planned>,
    /// When cases were opened, or somewhat before.
    pub opened: BTreeMap<Uuid, Moment>,
    /// When cases were looked at last: those that are new since were not opened before.
    pub cases_seen: Moment,
    /// Certificates that were looked at.
    pub certified: BTreeMap<Uuid, u64>,
    /// Up to where the journal was looked at.
    pub checked: usize,
    /// The history in words.
    pub history: Vec<String>,
    /// The first law that was broken.
    pub broken: Option<Broken>,
    /// What the product has logged.
    pub heard: Heard,
}

impl World {
    /// The world of a seed, with its first people and records.
    pub async fn new(seed: u64, mutation: Option<Mutation>, heard: Heard) -> Self {
        let universe = Universe::new(BEGINS.parse().unwrap());
        let journal = Journal::new(&universe);
        let databases = DATABASES.iter().map(|name| Database::new(name, &journal)).collect();
        let processor = Processor::new(&journal);
        let folder = template::instance().await;
        let mut world = Self {
            seed,
            dice: Dice::of(seed, 1),
            journal,
            systems: Systems { databases, processor, mutation },
            folder,
            replicas: (0..REPLICAS).map(|_| None).collect(),
            started: 0,
            standing: None,
            marked: None,
            plots: Plots::of(seed),
            came_in_force: Vec::new(),
            version: 0,
            versions: BTreeMap::new(),
            customers: Vec::new(),
            made: 0,
            holds: Vec::new(),
            told: Vec::new(),
            asked: Vec::new(),
            pauses: Vec::new(),
            copies: Vec::new(),
            untold: Vec::new(),
            restores: Vec::new(),
            planned: BTreeMap::new(),
            opened: BTreeMap::new(),
            cases_seen: Moment { counted: 0, at: universe.now() },
            certified: BTreeMap::new(),
            checked: 0,
            history: Vec::new(),
            broken: None,
            heard,
            universe,
        };
        for _ in 0..CUSTOMERS_AT_FIRST {
            world.new_customer();
        }
        for _ in 0..14 {
            world.new_record();
        }
        for number in 0..REPLICAS {
            world.start(number).await;
        }
        world
    }

    /// The folder as a path.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a replica, or starts it anew, with the rules that are in the folder.
    pub async fn start(&mut self, number: usize) {
        if self.standing.as_ref().is_some_and(|one| one.replica == number) {
            self.standing = None;
        }
        self.replicas[number] = None;
        self.started += 1;
        let senses = Senses::new(&self.universe, Dice::of(self.seed, 100 + self.started));
        let worker = format!("replica-{number}-life-{}", self.started);
        let with = (worker, senses, self.systems.clone());
        let replica = Replica::open(self.folder.path(), with).await;
        self.versions.insert(replica.rules, self.version);
        replica.product.seed_schedules().await.unwrap();
        replica.product.bring_rules_in_force().await.unwrap();
        self.came_in_force.push((self.journal.tick(), self.version));
        self.replicas[number] = Some(replica);
    }

    /// Some replica that lives; one is started where none does.
    pub async fn somebody(&mut self) -> usize {
        let living: Vec<usize> = self.living();
        if living.is_empty() {
            self.start(0).await;
            self.note("replica 0 is started, because none is left");
            return 0;
        }
        *self.dice.pick(&living)
    }

    /// The replica that something will happen to, if one is marked and lives; otherwise some replica.
    pub async fn worker(&mut self) -> usize {
        match self.marked.take().filter(|number| self.living().contains(number)) {
            Some(number) => number,
            None => self.somebody().await,
        }
    }

    /// This moment.
    pub fn moment(&self) -> Moment {
        Moment { counted: self.journal.tick(), at: self.universe.now() }
    }

    /// Replicas that live and do not stand still.
    pub fn living(&self) -> Vec<usize> {
        let stands =
            |number: usize| self.standing.as_ref().is_some_and(|one| one.replica == number);
        (0..REPLICAS).filter(|&one| self.replicas[one].is_some() && !stands(one)).collect()
    }

    /// The product of a replica that lives.
    pub fn product(&self, number: usize) -> Arc<Quietus> {
        Arc::clone(&self.replicas[number].as_ref().expect("a living replica").product)
    }

    /// Notes what happens, with the time.
    pub fn note(&mut self, words: impl AsRef<str>) {
        let line = format!("{}  {}", self.universe.now(), words.as_ref());
        self.history.push(line);
    }

    /// The latest moment at which the schedule has rung.
    pub fn last_ring(&self) -> Timestamp {
        let second = self.universe.now().as_second();
        let day = (second - RINGS_AT).div_euclid(DAY);
        Timestamp::from_second(day * DAY + RINGS_AT).unwrap()
    }

    /// Somebody becomes a customer.
    pub fn new_customer(&mut self) -> String {
        let number = format!("{PLANTED}-c{}", self.customers.len() + 1);
        self.customers.push(number.clone());
        self.put(CUSTOMERS, Some(&number), None);
        self.systems.processor.add(&number);
        number
    }

    /// A record comes to be, of some age.
    pub fn new_record(&mut self) -> (usize, String) {
        let place = 1 + self.dice.place(PLACES.len() - 1);
        let start = self.some_start(place);
        (place, self.record_of_somebody(place, start))
    }

    /// A record comes to be that is due when the schedule rings next, or a second later.
    pub fn new_due_record(&mut self, place: usize) -> String {
        let rings = self.last_ring().as_second() + DAY;
        let end = Timestamp::from_second(rings + self.dice.between(0, 1)).unwrap();
        let of = &PLACES[place];
        let minimum = of.minimums.map(|minimums| minimums[self.version]);
        let starts = [Some(of.periods[self.version]), minimum];
        let first = starts.into_iter().flatten().filter_map(|period| period.start(end)).min();
        let start = match first {
            Some(start) => start,
            None => self.some_start(place),
        };
        self.record_of_somebody(place, start)
    }

    fn record_of_somebody(&mut self, place: usize, start: Timestamp) -> String {
        let customer = PLACES[place].customer.map(|_| self.dice.pick(&self.customers).clone());
        self.put(place, customer.as_deref(), Some(start))
    }

    /// Some time ago, or so that a period ends when the schedule rings, or a second later.
    fn some_start(&mut self, place: usize) -> Timestamp {
        let now = self.universe.now();
        if self.dice.chance(40) {
            let rings = self.last_ring().as_second() + DAY * self.dice.between(1, 60);
            let end = rings + self.dice.between(0, 1);
            let period = PLACES[place].periods[self.version];
            let start = period.start(Timestamp::from_second(end).unwrap());
            if let Some(start) = start.filter(|start| *start <= now) {
                return start;
            }
        }
        let days = self.dice.between(0, 200);
        Timestamp::from_second(now.as_second() - days * DAY - self.dice.between(0, DAY)).unwrap()
    }

    fn put(&mut self, place: usize, customer: Option<&str>, start: Option<Timestamp>) -> String {
        self.made += 1;
        let of = &PLACES[place];
        let mut values = Record::new();
        let id = if of.customer == Some("id") {
            customer.unwrap().to_owned()
        } else {
            values.insert("id".to_owned(), Value::Integer(i64::try_from(self.made).unwrap()));
            format!("{:05}", self.made)
        };
        if let (Some(field), Some(customer)) = (of.customer, customer) {
            values.insert(field.to_owned(), Value::Text(customer.to_owned()));
        }
        if let (Some(field), Some(start)) = (of.start, start) {
            values.insert(field.to_owned(), Value::Timestamp(start));
        }
        let planted = match (of.planted, customer) {
            ("email", Some(customer)) => email_of(customer),
            (field, _) => format!("{PLANTED} {field} {}", self.made),
        };
        values.insert(of.planted.to_owned(), Value::Text(planted));
        if of.restricts {
            values.insert("restricted".to_owned(), Value::Null);
        }
        let customer = customer.map(str::to_owned);
        let born = self.journal.tick();
        let row = Row { place, id: id.clone(), customer, start, born, values };
        self.systems.database(of.system).insert(row);
        id
    }

    /// A record that is due within a day, or some record; `None` where there is none.
    pub fn record_in_danger(&mut self) -> Option<Row> {
        let rows = self.rows();
        let soon = Timestamp::from_second(self.universe.now().as_second() + DAY).unwrap();
        let is_due =
            |row: &&Row| self.due_at(row, self.version, u64::MAX).is_some_and(|due| due <= soon);
        let due: Vec<&Row> = rows.iter().filter(is_due).collect();
        if due.is_empty() {
            return (!rows.is_empty()).then(|| self.dice.pick(&rows).clone());
        }
        Some((*self.dice.pick(&due)).clone())
    }

    /// Everything that is in databases.
    pub fn rows(&self) -> Vec<Row> {
        let all = self.systems.databases.iter();
        all.flat_map(|one| one.read(|content| content.rows.values().cloned().collect::<Vec<_>>()))
            .collect()
    }
}

/// The address of a customer.
pub fn email_of(customer: &str) -> String {
    format!("{customer}@mail.example")
}
