//! The laws, and those of them that are checked while a history goes on: on each deed that a system
//! has written down.

use jiff::Timestamp;

use quietus::store::PauseScope;

use super::calendar::{DAY, Period};
use super::estate::{CUSTOMERS, PLACES, PROCESSOR, VERSIONS};
use super::journal::{Deed, Row, Under};
use super::world::{Covered, Hold, MOST_AHEAD, Pause, World};

/// What must always be so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Law {
    /// Nothing goes before its date, by the rules with which it was planned, but by the wish of the
    /// person, and nothing that a minimum in force keeps.
    NothingEarly,
    /// Nothing is touched under a hold that was in force when its chunk was begun.
    NothingHeld,
    /// Nothing is touched where somebody has paused it before its chunk was begun.
    NothingPaused,
    /// Nothing goes that no rule speaks of and that belongs to nobody who has asked.
    NothingBeyond,
    /// What is due goes, once nothing stands in its way.
    EverythingDue,
    /// An order has one outcome, is never carried out by two, and its certificate counts what went.
    OneOutcome,
    /// No certificate says `complete` while something that it speaks of is there.
    NoFalseComplete,
    /// The log and every certificate verify.
    LogVerifies,
    /// No name of a person is outside of what is sealed.
    NothingTold,
    /// No step of the product ends with an error of its own.
    EngineGoesOn,
}

impl Law {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::NothingEarly => "nothing is erased early",
            Self::NothingHeld => "nothing is touched under a legal hold",
            Self::NothingPaused => "nothing is touched while it is paused",
            Self::NothingBeyond => "nothing is erased beyond the plan",
            Self::EverythingDue => "everything due is erased",
            Self::OneOutcome => "an order has one outcome",
            Self::NoFalseComplete => "no certificate is `complete` and wrong",
            Self::LogVerifies => "the log and the certificates verify",
            Self::NothingTold => "nobody is named outside of what is sealed",
            Self::EngineGoesOn => "the engine goes on",
        }
    }
}

/// A law that was broken.
#[derive(Debug, Clone)]
pub struct Broken {
    /// Which.
    pub law: Law,
    /// How.
    pub how: String,
}

/// With what a case was planned.
#[derive(Debug, Clone, Copy)]
pub struct Planned {
    /// The version of the rules.
    pub version: usize,
    /// The moment.
    pub moment: Timestamp,
}

/// When the minimum of a version has ended, where there is one.
fn end_by_law(place: usize, version: usize, start: Timestamp) -> Option<Timestamp> {
    PLACES[place].minimums.map(|minimums: [Period; VERSIONS]| minimums[version].end(start))
}

impl Hold {
    /// Whether it covers a record.
    pub fn covers(&self, row: &Row) -> bool {
        match &self.covers {
            Covered::System(system) => PLACES[row.place].system == *system,
            Covered::Collection(place) | Covered::Category(place) => *place == row.place,
            Covered::Customer(customer) => row.customer.as_ref() == Some(customer),
            Covered::Record(place, id) => *place == row.place && *id == row.id,
        }
    }

    /// Whether it covers what the processor knows of a customer. Holds on the category that the
    /// processor has cover all of it.
    fn covers_at_processor(&self, customer: &str) -> bool {
        match &self.covers {
            Covered::Category(place) => *place == CUSTOMERS,
            Covered::Customer(held) => held == customer,
            Covered::System(system) => *system == PROCESSOR,
            Covered::Collection(_) | Covered::Record(..) => false,
        }
    }

    /// Whether it was in force from before a chunk was begun until after it.
    fn in_force(&self, begun: u64, done: u64) -> bool {
        self.placed < begun && self.released.is_none_or(|released| released > done)
    }
}

impl World {
    /// Notes the first law that was broken.
    pub fn break_law(&mut self, law: Law, how: String) {
        self.broken.get_or_insert(Broken { law, how });
    }

    /// When a customer has left, as it was known at a moment of the universe's count.
    fn left_at(&self, customer: &str, known: u64) -> Option<Timestamp> {
        let told = self.told.iter().filter(|one| one.customer == customer && one.counted < known);
        let last = told.max_by_key(|one| (one.occurred, one.counted))?;
        (!last.revokes).then_some(last.occurred)
    }

    /// The version of the rules that was in force at a moment of the universe's count.
    pub fn in_force(&self, counted: u64) -> usize {
        let mut before = self.came_in_force.iter().filter(|(at, _)| *at < counted);
        before.next_back().map_or(0, |(_, version)| *version)
    }

    /// When a record is due by the rules of a version and the minimums in force, with the events that
    /// were known then.
    pub fn due_at(&self, row: &Row, version: usize, known: u64) -> Option<Timestamp> {
        let start = match row.start {
            Some(start) => Some(start),
            None => self.left_at(row.customer.as_deref()?, known),
        };
        let start = start?;
        let laws = [version, self.in_force(known)];
        let ends = laws.into_iter().filter_map(|one| end_by_law(row.place, one, start));
        ends.chain([PLACES[row.place].periods[version].end(start)]).max()
    }

    /// Whether somebody had asked to be forgotten, and no law in force keeps the record at that moment.
    pub fn asked_for(&self, row: &Row, before: u64, moment: Timestamp) -> bool {
        let asked = |customer: &String| {
            self.asked.iter().any(|one| one.customer == *customer && one.counted < before)
        };
        let end = row.start.and_then(|start| end_by_law(row.place, self.in_force(before), start));
        let kept = end.is_some_and(|end| end > moment);
        row.customer.as_ref().is_some_and(asked) && !kept
    }

    /// Checks what systems have written down since the last time.
    pub async fn check_deeds(&mut self) {
        let news = self.journal.read(|deeds| deeds[self.checked..].to_vec());
        self.checked += news.len();
        for (number, deed) in news {
            match deed {
                Deed::Erased(row, under) => {
                    self.check_hold(&row, &under, (number, true));
                    self.check_pause(&row, &under, (number, true));
                    self.check_fence(&row, &under, number);
                    self.check_date(&row, &under).await;
                }
                // What a hold on a category keeps is restricted: the rest of its uses end.
                Deed::Restricted(row, under) => {
                    self.check_hold(&row, &under, (number, false));
                    self.check_pause(&row, &under, (number, false));
                }
                Deed::Forgot(customer, under) => self.check_forgotten(&customer, &under, number),
                Deed::Called(_) | Deed::Looked(..) | Deed::Restored(_) => {}
            }
        }
    }

    fn check_hold(&mut self, row: &Row, under: &Under, (done, erased): (u64, bool)) {
        let held = self
            .holds
            .iter()
            .filter(|hold| erased || !matches!(hold.covers, Covered::Category(_)))
            .find(|hold| hold.covers(row) && hold.in_force(under.begun, done))
            .map(|hold| hold.matter.clone());
        if let Some(matter) = held {
            let how = format!("{} went under hold {matter}, by order {}", name_of(row), under.key);
            self.break_law(Law::NothingHeld, how);
        }
    }

    fn check_forgotten(&mut self, customer: &str, under: &Under, done: u64) {
        let of = |one: &Hold| one.covers_at_processor(customer) && one.in_force(under.begun, done);
        // Whoever was asked before the hold is asked after: what is on its way is not called back.
        let called = |(number, deed): &(u64, Deed)| match deed {
            Deed::Called(called) if called.key == under.key => Some(*number),
            _ => None,
        };
        let first = self.journal.read(|deeds| deeds.iter().find_map(called));
        let held = self
            .holds
            .iter()
            .find(|hold| of(hold) && first.is_some_and(|first| hold.placed < first))
            .map(|hold| hold.matter.clone());
        if let Some(matter) = held {
            let how = format!("the processor forgot {customer} under hold {matter}");
            self.break_law(Law::NothingHeld, how);
        }
        if !self.asked.iter().any(|one| one.customer == customer && one.counted < done) {
            let how = format!("the processor forgot {customer}, who has not asked");
            self.break_law(Law::NothingBeyond, how);
        }
    }

    /// Whether somebody has paused what was done. A rule that is paused keeps nobody from going who
    /// has asked, and what is restricted is restricted by no rule.
    fn check_pause(&mut self, row: &Row, under: &Under, (done, erased): (u64, bool)) {
        let of = &PLACES[row.place];
        let asked = !erased || self.asked_for(row, under.begun, under.moment);
        let covers = |pause: &Pause| match &pause.scope {
            PauseScope::Everything => true,
            PauseScope::System(name) => name.as_str() == of.system,
            PauseScope::Rule(name) => name.as_str() == of.collection && !asked,
            PauseScope::Case(_) => false,
        };
        let in_force = |pause: &Pause| {
            pause.placed < under.begun && pause.ended.is_none_or(|ended| ended > done)
        };
        if let Some(pause) = self.pauses.iter().find(|one| covers(one) && in_force(one)) {
            let words = quietus::app::pause::words(&pause.scope);
            let how = format!("{} went while {words} is paused: {}", name_of(row), under.key);
            self.break_law(Law::NothingPaused, how);
        }
    }

    /// Nobody commits for a job once somebody else has begun with it. A database that is put back
    /// knows no more of who that was than its copy did.
    fn check_fence(&mut self, row: &Row, under: &Under, done: u64) {
        let system = PLACES[row.place].system;
        let later = |other: &Under| {
            other.job == under.job && (other.call > under.call || other.attempt > under.attempt)
        };
        let lost = self.journal.read(|deeds| {
            let before = deeds.iter().take_while(|(number, _)| *number < done);
            before.fold(false, |lost, (_, deed)| match deed {
                Deed::Called(other) => lost || later(other),
                Deed::Restored(restored) => lost && *restored != system,
                _ => lost,
            })
        });
        if lost {
            let how = format!("a chunk of order {} was committed by who had lost it", under.key);
            self.break_law(Law::OneOutcome, how);
        }
    }

    /// Whether a record might go: by the rules with which the order's case was planned, or by the
    /// wish of its person; and in both cases by the minimums in force.
    async fn check_date(&mut self, row: &Row, under: &Under) {
        if under.moment.as_second() > self.universe.now().as_second() + MOST_AHEAD {
            let how = format!("order {} is as of {}, which is to come", under.key, under.moment);
            self.break_law(Law::NothingEarly, how);
        }
        if self.asked_for(row, under.begun, under.moment) {
            return;
        }
        let Some(Planned { version, moment }) = self.planned(under).await else {
            let how = format!("{} went by order {}, of no case", name_of(row), under.key);
            return self.break_law(Law::NothingBeyond, how);
        };
        // Nothing may be due by the order that is not by the case.
        let moment = moment.min(under.moment);
        match self.due_at(row, version, under.begun) {
            None => {
                let how = format!("{} went, and nothing ever made it due", name_of(row));
                self.break_law(Law::NothingBeyond, how);
            }
            Some(due) if due > moment => {
                // What is kept for decades is as good as kept for ever.
                let decades = due.as_second() - moment.as_second() > 20 * 365 * DAY;
                let law = if decades { Law::NothingBeyond } else { Law::NothingEarly };
                let how = format!(
                    "{} is due on {due} by version {version} and went as of {moment}, by order {}",
                    name_of(row),
                    under.key
                );
                self.break_law(law, how);
            }
            Some(_) => {}
        }
    }

    /// With what the case of an order was planned.
    async fn planned(&mut self, under: &Under) -> Option<Planned> {
        let job = under.job?;
        if let Some(planned) = self.planned.get(&job) {
            return Some(*planned);
        }
        let number = self.somebody().await;
        let store = self.product(number).store.clone();
        let case = store.job(job).await.unwrap()?.case_id;
        let case = store.case(case).await.unwrap()?;
        let version = self.versions.get(&case.rules_digest).copied()?;
        let planned = Planned { version, moment: case.moment };
        self.planned.insert(job, planned);
        Some(planned)
    }
}

/// A record in words.
pub fn name_of(row: &Row) -> String {
    let of = &PLACES[row.place];
    let customer = row.customer.as_deref().unwrap_or("nobody");
    format!("{}.{} {} (of {customer})", of.system, of.collection, row.id)
}
