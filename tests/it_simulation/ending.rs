//! The end of a history: everything is well again, nothing is held, and time goes on until all that
//! a rule or a person wants gone has to be gone.

use jiff::SignedDuration;
use quietus::store::CaseFilter;

use super::calendar::DAY;
use super::database::Faults;
use super::estate::{DATABASES, PLACES};
use super::journal::Row;
use super::laws::{Law, name_of};
use super::processor::Temper;
use super::replica::Replica;
use super::world::{Asked, World};

/// Stretches of quiet, in seconds; together longer than any period but that of notes.
const QUIET: [i64; 5] = [3 * 3_600, DAY + 7, 3 * DAY, 200 * DAY, 800 * DAY];
/// Jobs that are carried out at most in one stretch.
const MOST_JOBS: u32 = 300;
/// How often everything is looked after in one stretch before what is left is a fault.
const MOST_ROUNDS: u32 = 14;
/// How often where what is left is no fault yet.
const ROUNDS_AT_FIRST: u32 = 3;
/// Time between two rounds: longer than the longest pause before another attempt.
const BETWEEN_ROUNDS: i64 = 660;

impl World {
    /// Lets everything come to its end, and checks what has to be so then.
    pub async fn end(&mut self) {
        self.make_well().await;
        for (number, stretch) in QUIET.into_iter().enumerate() {
            self.universe.pass(SignedDuration::from_secs(stretch));
            self.note(format!("all is well for {} hours", stretch / 3_600));
            self.settle(number > 1).await;
            self.check_deeds().await;
            if self.broken.is_some() {
                return;
            }
        }
        self.check_counts().await;
        self.check_proof().await;
        self.check_silence();
    }

    /// Everything is well for a moment: what is dead or stands still goes on, systems answer, nothing
    /// is paused, and little is held.
    pub async fn calm(&mut self) {
        self.note("everything is well for a moment");
        self.heal();
        self.go_on().await;
        for number in 0..self.replicas.len() {
            match &self.replicas[number] {
                Some(replica) => replica.senses.recover(),
                None => self.start(number).await,
            }
        }
        self.resume_all().await;
        for one in 0..self.holds.len().saturating_sub(1) {
            self.let_go(one).await;
        }
    }

    /// Systems answer and tell the truth.
    fn heal(&mut self) {
        for database in &self.systems.databases {
            database.change(|faults| *faults = Faults::default());
        }
        self.systems.processor.set_temper(Temper::Prompt);
    }

    async fn resume_all(&mut self) {
        for one in 0..self.pauses.len() {
            if self.pauses[one].ended.is_none() {
                let number = self.somebody().await;
                self.resume(number, one).await;
            }
        }
    }

    /// Releases a hold if it is in force.
    async fn let_go(&mut self, one: usize) {
        if self.holds[one].released.is_none() {
            let number = self.somebody().await;
            self.release_hold(number, one).await;
        }
    }

    /// Systems answer and tell the truth, processes run with the rules of now, nothing is held.
    async fn make_well(&mut self) {
        self.note("everything is well from now on");
        self.marked = None;
        self.heal();
        if self.dice.chance(50) {
            self.go_on().await;
        }
        for number in 0..self.replicas.len() {
            let in_force = self.in_force(u64::MAX);
            let current = |one: &Replica| {
                self.versions.get(&one.rules) == Some(&self.version) && in_force == self.version
            };
            match self.replicas[number].as_ref().filter(|one| current(one)) {
                Some(replica) if self.standing.is_none() => replica.senses.recover(),
                _ => self.start(number).await,
            }
        }
        for one in 0..self.holds.len() {
            self.let_go(one).await;
        }
        self.resume_all().await;
        // The guard has to see those that its row shows.
        let mut untold = std::mem::take(&mut self.untold);
        untold.retain(|one| !one.shows || self.dice.chance(50));
        self.untold = untold;
    }

    /// Looks after everything and carries everything out, until nothing is left that is overdue;
    /// where it need not be so yet, what is left is no fault.
    async fn settle(&mut self, has_to_be: bool) {
        let most = if has_to_be { MOST_ROUNDS } else { ROUNDS_AT_FIRST };
        for _ in 0..most {
            for untold in std::mem::take(&mut self.untold) {
                self.tell(0, untold).await;
            }
            self.ring().await;
            let number = self.dice.place(self.replicas.len());
            let mut jobs = 0;
            while self.work_once(number).await {
                jobs += 1;
                if jobs > MOST_JOBS {
                    let how = format!("{MOST_JOBS} jobs in a row, and still more");
                    return self.break_law(Law::EverythingDue, how);
                }
            }
            if has_to_be {
                self.ring().await;
            }
            for system in DATABASES {
                self.open_system(number, system).await;
            }
            self.try_again(number).await;
            let done = self.untold.is_empty() && self.overdue().is_none();
            if self.broken.is_some() || done {
                return;
            }
            self.universe.pass(SignedDuration::from_secs(BETWEEN_ROUNDS));
        }
        if let Some(row) = self.overdue().filter(|_| has_to_be) {
            let why = self.standing_of(&row).await;
            self.break_law(Law::EverythingDue, format!("{} is still there{why}", name_of(&row)));
        }
    }

    /// A record that should be gone: by the rules of now as of the last ring of the schedule, or by
    /// the wish of its person, once no law keeps this record itself.
    fn overdue(&self) -> Option<Row> {
        let rang = self.last_ring();
        self.rows().into_iter().find(|row| {
            let due = self.due_at(row, self.version, u64::MAX).is_some_and(|due| due <= rang);
            let wished = |asked: &Asked| {
                Some(&asked.customer) == row.customer.as_ref()
                    && row.born < asked.counted
                    && !self.came_back_forgotten(row, asked)
            };
            due || self.asked_for(row, u64::MAX, rang) && self.asked.iter().any(wished)
        })
    }

    /// Whether a record may have come back with a restore of which nobody could know before the
    /// person was forgotten: that comes a month after the answer, and the restore says how many they
    /// are.
    fn came_back_forgotten(&self, row: &Row, asked: &Asked) -> bool {
        let forgotten = asked.at + SignedDuration::from_hours(28 * 24);
        let system = PLACES[row.place].system;
        self.restores.iter().filter(|one| one.system == system && one.at > asked.at).any(|one| {
            let known_too_late = |known| known > forgotten;
            one.known.is_none_or(known_too_late)
        })
    }

    /// What the product says of a record that should be gone.
    async fn standing_of(&mut self, row: &Row) -> String {
        let number = self.somebody().await;
        let product = self.product(number);
        let due = self.due_at(row, self.version, u64::MAX);
        let mut words = vec![format!("due on {due:?}, as of {}", self.last_ring())];
        let mut cases = Vec::new();
        for asked in self.asked.iter().filter(|one| Some(&one.customer) == row.customer.as_ref()) {
            let Ok(request) = product.rights_request(asked.request).await else { continue };
            let (state, needs) = (request.stored.state, &request.record.needs);
            words.push(format!("its request is {state}, needs {needs:?}"));
            cases.extend(request.stored.case_id);
        }
        let filter = CaseFilter { limit: 3, ..CaseFilter::default() };
        let latest = product.store.list_cases(filter).await.unwrap();
        cases.extend(latest.iter().map(|case| case.id));
        for case in cases {
            words.push(format!("case {case}"));
            for job in product.store.jobs_of_case(case).await.unwrap() {
                words.push(format!(
                    "{:?} of {}: {:?}, next at {}, {:?}",
                    job.kind, job.system, job.state, job.available_at, job.last_fault
                ));
            }
        }
        format!(":\n    {}", words.join("\n    "))
    }
}
