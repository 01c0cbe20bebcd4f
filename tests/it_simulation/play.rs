//! Carrying out one step of a history.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use quietus::app::restore::BeginRestore;
use quietus::app::{Actor, AppError};
use quietus_connectors::CanaryRow;

use super::calendar::DAY;
use super::estate::{DATABASES, PLACES};
use super::laws::Law;
use super::processor::Temper;
use super::replica::{End, Work, drive};
use super::step::{Step, temper};
use super::world::{Copy, MOST_AHEAD, Moment, Restore, Standing, Untold, World};

/// Steps at systems, at most, until a replica dies or stands still there.
const MOST_STRIDES: i64 = 4;

/// Who does what people do.
pub fn somebody() -> Actor {
    Actor("Ada Example".to_owned())
}

impl World {
    /// Carries out a step.
    pub async fn play(&mut self, step: Step) {
        self.universe.pass(SignedDuration::from_secs(self.dice.between(1, 40)));
        match step {
            Step::Ring => self.ring().await,
            Step::Work(most) => self.work(most).await,
            Step::Minutes => self.time_goes_by(60, (1, 90)),
            Step::Days => self.time_goes_by(3_600, (6, 24 * 12)),
            Step::Months => self.time_goes_by(DAY, (25, 150)),
            Step::Night => self.night(),
            Step::Lease => self.time_goes_by(60, (11, 25)),
            Step::Records => self.records(),
            Step::Due => self.due_records(),
            Step::Customer => self.customer(),
            Step::Event => self.event().await,
            Step::Request => self.requests().await,
            Step::Hold => self.hold().await,
            Step::Release => self.release().await,
            Step::Rules => self.rules().await,
            Step::Pause => self.pause().await,
            Step::Copy => self.copy(),
            Step::Restore => {
                let one = self.dice.place(self.copies.len().max(1));
                self.restore(one);
            }
            Step::PutBack => self.restore(self.copies.len().saturating_sub(1)),
            Step::Tell => self.tell_of_restore().await,
            Step::Open => self.open_quarantine().await,
            Step::Death => self.death(),
            Step::Fall => self.fall(),
            Step::Start => self.start_dead().await,
            Step::Stop => self.stop(),
            Step::Continue => self.go_on().await,
            Step::Clock => self.set_clock(),
            Step::Outage | Step::LostAnswer | Step::Lie | Step::Blind => self.trouble(step),
            Step::Processor => {
                let temper = temper(&mut self.dice);
                self.systems.processor.set_temper(temper);
                self.note(format!("the processor answers from now on: {temper:?}"));
            }
            Step::FalseWord => {
                self.systems.processor.set_temper(Temper::Lying);
                self.note("the processor lies from now on");
            }
            Step::Retry => self.retry().await,
            Step::Calm => self.calm().await,
            // What is drawn in its place comes by itself.
            Step::Plot => {}
        }
    }

    fn time_goes_by(&mut self, unit: i64, (fewest, most): (i64, i64)) {
        let seconds = unit * self.dice.between(fewest, most);
        self.universe.pass(SignedDuration::from_secs(seconds));
        self.note(format!("{} minutes have gone by", seconds / 60));
    }

    /// Until after the schedule has rung next, by the clocks of all who go wrong.
    fn night(&mut self) {
        let rings = self.last_ring().as_second() + DAY - self.universe.now().as_second();
        let seconds = rings + MOST_AHEAD + self.dice.between(0, 3_600);
        self.universe.pass(SignedDuration::from_secs(seconds));
        self.note("it is night");
    }

    /// A replica hears the bell.
    pub async fn ring(&mut self) {
        let number = self.worker().await;
        let product = self.product(number);
        let work: Work = Box::pin(async move {
            let stop = tokio_util::sync::CancellationToken::new();
            quietus::worker::look_after_all(&product, &stop).await;
            Ok(true)
        });
        let since = self.moment();
        self.take(number, "looks after everything", (work, since)).await;
        self.look_at_cases(since).await;
    }

    /// A replica carries out jobs.
    pub async fn work(&mut self, most: u32) {
        let number = self.worker().await;
        for _ in 0..most {
            if !self.work_once(number).await {
                return;
            }
        }
    }

    /// A replica carries out one job; whether there was one, and the replica goes on.
    pub async fn work_once(&mut self, number: usize) -> bool {
        let product = self.product(number);
        let worker = self.replicas[number].as_ref().unwrap().worker.clone();
        let work: Work = Box::pin(async move {
            product.keep_epoch().await?;
            let stop = tokio_util::sync::CancellationToken::new();
            Ok(Box::pin(product.carry_out_next(&worker, &stop)).await?.is_some())
        });
        let since = self.moment();
        self.take(number, "carries out a job", (work, since)).await
    }

    /// Drives a step of a replica; whether it found something to do and the replica goes on.
    async fn take(&mut self, number: usize, what: &str, (work, since): (Work, Moment)) -> bool {
        let senses = Arc::clone(&self.replicas[number].as_ref().unwrap().senses);
        match drive(work, &senses).await {
            End::Done(Ok(found)) => {
                if found {
                    self.note(format!("replica {number} {what}"));
                }
                found
            }
            End::Done(Err(error)) => {
                self.note(format!("replica {number} {what}: {error}"));
                self.break_law(Law::EngineGoesOn, format!("replica {number} {what}: {error}"));
                false
            }
            End::Died => {
                self.replicas[number] = None;
                self.note(format!("replica {number} {what} and dies"));
                false
            }
            End::Stands(_) if self.standing.is_some() => {
                // One that stands still is enough.
                self.replicas[number] = None;
                self.note(format!("replica {number} {what} and dies"));
                false
            }
            End::Stands(work) => {
                self.note(format!("replica {number} {what} and stands still"));
                self.standing = Some(Standing { replica: number, work, since });
                false
            }
        }
    }

    fn copy(&mut self) {
        let system = *self.dice.pick(&DATABASES);
        let content = self.systems.database(system).copy();
        self.copies.push(Copy { taken_at: self.universe.now(), system, content });
        self.note(format!("{system} is copied"));
    }

    /// Puts a database back to this copy, if there is one.
    fn restore(&mut self, one: usize) {
        let Some(Copy { taken_at, system, content }) = self.copies.get(one) else { return };
        let (taken_at, system) = (*taken_at, *system);
        let database = self.systems.database(system);
        let newest = |canaries: &BTreeMap<String, CanaryRow>| {
            canaries.values().map(|row| row.number).max().unwrap_or(0)
        };
        let before = newest(&content.canaries);
        let shows = database.read(|content| newest(&content.canaries)) > before;
        database.put_back(content.clone());
        let place = self.restores.len();
        let at = self.universe.now();
        self.restores.push(Restore { system, at, known: shows.then_some(at) });
        self.untold.push(Untold { system, taken_at, shows, place });
        self.note(format!("{system} is put back to its state of {taken_at}"));
    }

    async fn tell_of_restore(&mut self) {
        let number = self.somebody().await;
        if let Some(untold) = self.untold.pop() {
            self.tell(number, untold).await;
        }
    }

    /// Tells of a restore; what is refused has to be told again.
    pub async fn tell(&mut self, number: usize, untold: Untold) {
        let begun = BeginRestore {
            system: untold.system.to_owned(),
            taken_at: untold.taken_at,
            copy: None,
            announced: true,
            back_since: None,
            reason: "a disk broke".to_owned(),
            actor: somebody(),
        };
        let begun = Box::pin(self.product(number).begin_restore(begun)).await.map(|_| ());
        let words = format!("{} is said to have been put back", untold.system);
        if self.accepted(&words, begun) {
            let told = self.universe.now();
            self.restores[untold.place].known.get_or_insert(told);
        } else {
            self.untold.push(untold);
        }
    }

    async fn open_quarantine(&mut self) {
        let number = self.somebody().await;
        let system = *self.dice.pick(&DATABASES);
        self.open_system(number, system).await;
    }

    /// Opens a system that is in quarantine, if nothing is missing.
    pub async fn open_system(&mut self, number: usize, system: &str) {
        let product = self.product(number);
        let opened = Box::pin(product.open_restored(system, &somebody())).await;
        if opened.is_ok() {
            self.note(format!("{system} is opened after its restore"));
        }
        self.accepted("", opened.map(|_| ()));
    }

    fn death(&mut self) {
        let living = self.living();
        if living.is_empty() {
            return;
        }
        let number = *self.dice.pick(&living);
        // Most places at which it may die lie near the beginning of a step, some far into it.
        let far = [6, 20, 60][self.dice.place(3)];
        let after = self.dice.between(1, far);
        self.replicas[number].as_ref().unwrap().senses.die_after(after);
        self.marked = Some(number);
        self.note(format!("replica {number} will die"));
    }

    fn fall(&mut self) {
        let living = self.living();
        if living.is_empty() {
            return;
        }
        let number = *self.dice.pick(&living);
        let stride = self.dice.between(1, MOST_STRIDES);
        self.replicas[number].as_ref().unwrap().senses.fall_at(stride);
        self.marked = Some(number);
        self.note(format!("replica {number} will die at a system"));
    }

    async fn start_dead(&mut self) {
        let dead = (0..self.replicas.len()).find(|&one| self.replicas[one].is_none());
        if let Some(number) = dead {
            self.start(number).await;
            self.note(format!("replica {number} is started again"));
        }
    }

    fn stop(&mut self) {
        let living = self.living();
        if living.len() < 2 || self.standing.is_some() {
            return;
        }
        let number = *self.dice.pick(&living);
        let stride = self.dice.between(1, MOST_STRIDES);
        self.replicas[number].as_ref().unwrap().senses.stand_at(stride);
        self.marked = Some(number);
        self.note(format!("replica {number} will stand still"));
    }

    /// What stands still goes on.
    pub async fn go_on(&mut self) {
        let Some(Standing { replica, work, since }) = self.standing.take() else { return };
        self.replicas[replica].as_ref().unwrap().senses.go_on();
        self.take(replica, "goes on with what it was at", (work, since)).await;
        self.look_at_cases(since).await;
    }

    fn set_clock(&mut self) {
        let living = self.living();
        if living.is_empty() {
            return;
        }
        let number = *self.dice.pick(&living);
        let ahead = self.dice.between(-MOST_AHEAD, MOST_AHEAD);
        self.replicas[number].as_ref().unwrap().senses.set_ahead(ahead);
        self.note(format!("the clock of replica {number} is ahead by {ahead} s"));
    }

    fn trouble(&mut self, step: Step) {
        let system = self.troubled_system();
        let many = u32::try_from(1 + self.dice.below(2)).unwrap();
        let database = Arc::clone(self.systems.database(system));
        let words = match step {
            Step::Outage => {
                let down = !database.is_down();
                database.change(|faults| faults.down = down);
                if down { "is down" } else { "is up again" }
            }
            Step::LostAnswer => {
                database.change(|faults| faults.lose_answers = many);
                "will lose an answer"
            }
            Step::Lie => {
                database.change(|faults| faults.lies = many);
                "will say that something is gone that is not"
            }
            _ => {
                database.change(|faults| faults.blind = many);
                "will not answer a second look"
            }
        };
        self.note(format!("{system} {words}"));
    }

    /// Mostly a database in which something is due.
    pub fn troubled_system(&mut self) -> &'static str {
        if self.dice.chance(60)
            && let Some(row) = self.record_in_danger()
        {
            return PLACES[row.place].system;
        }
        DATABASES[self.dice.place(DATABASES.len())]
    }

    async fn retry(&mut self) {
        let number = self.somebody().await;
        self.try_again(number).await;
    }

    /// Somebody has what failed tried again.
    pub async fn try_again(&mut self, number: usize) {
        let retried = self.product(number).retry_failed(None, &somebody()).await;
        if retried.as_ref().is_ok_and(|one| one.tried > 0) {
            self.note("what failed is tried again");
        }
        self.accepted("", retried.map(|_| ()));
    }

    /// Whether something that people did was accepted. What does not fit changes nothing and is no
    /// fault; that the store does not do its part is one.
    pub fn accepted(&mut self, words: &str, done: Result<(), AppError>) -> bool {
        match done {
            Ok(()) => {
                if !words.is_empty() {
                    self.note(words);
                }
                true
            }
            Err(error) if error.is_input() || matches!(error, AppError::System { .. }) => {
                if !words.is_empty() {
                    self.note(format!("{words}: refused, {error}"));
                }
                false
            }
            Err(error) => {
                self.break_law(Law::EngineGoesOn, format!("{words}: {error}"));
                false
            }
        }
    }
}
