//! Windows on the key: the unit of work of every phase.
//!
//! A window is found by one look into the key's index and changed by one statement; no record
//! travels. Each window is one transaction together with its line in the progress table.

use std::time::{Duration, Instant};

use crate::connector::{Direction, ProgressReport};
use crate::order::{Order, RecordKey};
use crate::receipt::{CollectionOutcome, Fault, Outcome};
use crate::sql::candidates::{Candidates, Gathered, Purpose};
use crate::sql::compile::{Compiler, Place};
use crate::sql::connection::Session;
use crate::sql::dialect::{Dialect, KeyCompare};
use crate::sql::dissociation::Emptying;
use crate::sql::faults::transient;
use crate::sql::fragment::{Cell, Fragment};
use crate::sql::joint::{Joint, Told, told_otherwise};
use crate::sql::keys::Keys;
use crate::sql::listing::Listing;
use crate::sql::parts;
use crate::sql::progress_table::{Position, ProgressTable};
use crate::sql::reference_watch::{ReferenceWatch, Removal};
use crate::sql::scene::Scene;
use crate::sql::standing::{Standing, standing};
use crate::sql::throttle::Throttle;
use crate::sql::together::Together;

/// How a phase ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Nothing is left to do in it.
    Finished,
    /// The engine asked to stop.
    Stopped,
    /// Going on would touch more records than the order allows.
    Refused(String),
    /// Some of several orders have to be carried out by themselves, and why.
    Apart(Vec<usize>, String),
}

/// One attempt at an order.
pub(crate) struct Run<'r> {
    pub(crate) session: Session,
    pub(crate) scene: Scene<'r>,
    pub(crate) order: &'r Order,
    pub(crate) progress: Told<'r>,
    pub(crate) table: ProgressTable,
    pub(crate) position: Position,
    pub(crate) done: Outcome,
    pub(crate) throttle: Throttle,
    /// What was gathered in this attempt, by table and instruction.
    pub(crate) gathered: Gathered,
    pub(crate) together: Together,
    /// Of several orders as one: those orders.
    pub(crate) joint: Option<Joint<'r>>,
}

/// Statements of one window. All of `counted` must change the same number of records, those of
/// which `condition` holds.
#[derive(Debug, Default)]
pub(crate) struct Statements {
    pub(crate) before: Vec<Fragment>,
    /// What names the parents that go, where associations with them are emptied.
    pub(crate) going: Vec<Fragment>,
    pub(crate) emptyings: Vec<Emptying>,
    pub(crate) counted: Vec<Fragment>,
    pub(crate) condition: Fragment,
    /// How the keys of what goes are told, where a manifest is kept of it.
    pub(crate) listing: Option<Listing>,
}

/// What one window has changed.
#[derive(Debug, Default)]
struct Changed {
    records: u64,
    /// Of several orders as one: how many records of each part.
    told: Vec<(usize, u64)>,
    /// Associations emptied: the instruction, the name and how many.
    emptied: Vec<(usize, String, u64)>,
    /// Keys of what goes, where a manifest is kept of it.
    going: Vec<RecordKey>,
    /// How long looking at other tables took.
    looking: Duration,
}

impl Changed {
    fn all(&self) -> u64 {
        self.records + self.emptied.iter().map(|one| one.2).sum::<u64>()
    }
}

/// How the statements of a window are written: with the table as it stands in a statement, its
/// place and the bounds of the window.
pub(crate) type Write<'w> = dyn Fn(&Compiler<'_, '_>, &Standing, &Place, Vec<Fragment>) -> Result<Statements, Fault>
    + Send
    + Sync
    + 'w;

/// Work on one table, window by window.
pub(crate) struct Job<'j> {
    pub(crate) table: usize,
    pub(crate) instruction: usize,
    pub(crate) removal: Removal,
    pub(crate) write: &'j Write<'j>,
    pub(crate) record: &'j (dyn Fn(&mut CollectionOutcome, u64) + Send + Sync),
}

impl Run<'_> {
    /// Goes through the table from the position's key to its end.
    pub(crate) async fn windows(&mut self, job: &Job<'_>) -> Result<Flow, Fault> {
        if self.position.complete {
            return Ok(Flow::Finished);
        }
        let candidates = self.candidates(job.table, job.instruction).await?;
        if candidates.is_none() && self.joint.is_some() {
            return Ok(Flow::Apart(Vec::new(), "whose records are cannot be told".to_owned()));
        }
        if candidates.is_some_and(|one| one.records == 0) {
            self.position.complete = true;
            return Ok(Flow::Finished);
        }
        let mut watch =
            ReferenceWatch::begin(&mut self.session, &self.scene, job.table, job.removal).await?;
        if watch.slow {
            self.throttle.begin_small();
        }
        if candidates.is_none() && !self.finds_any(job).await? {
            self.record(job, 0, &[]);
            self.position.complete = true;
        }
        let flow = self.each_window(job, candidates, &mut watch).await?;
        watch.end(&mut self.session).await?;
        Ok(flow)
    }

    /// Whether a walk from the position to the end of the table would change anything. Most tables
    /// have nothing most nights; an index on the date says so at once, where a walk looks at every key.
    async fn finds_any(&mut self, job: &Job<'_>) -> Result<bool, Fault> {
        let (statements, _) = self.statements(job, None, None)?;
        // What goes is gathered first, in each window, and the condition speaks of that.
        if !statements.before.is_empty() || !statements.going.is_empty() {
            return Ok(true);
        }
        let (standing, _) =
            standing(&Compiler::new(&self.scene), (job.table, job.instruction), None)?;
        let head = format!("SELECT COUNT(*) FROM (SELECT 1 FROM {} WHERE ", standing.from);
        let any = statements.condition.within(&head, " LIMIT 1) AS quietus_any");
        Ok(self.session.count(&any).await? > 0)
    }

    async fn each_window(
        &mut self,
        job: &Job<'_>,
        candidates: Option<Candidates>,
        watch: &mut ReferenceWatch,
    ) -> Result<Flow, Fault> {
        while !self.position.complete {
            let began = Instant::now();
            let upper = self.upper(job, candidates).await?;
            let (statements, telling) = self.statements(job, candidates, upper.as_deref())?;
            self.begin().await?;
            let changes = self.change(&statements, telling.as_ref(), watch).await?;
            let records = changes.all();
            if let Some(flow) = self.beyond(records, &changes.told) {
                self.roll_back().await?;
                return Ok(flow);
            }
            self.list(job.instruction, &changes.going).await?;
            self.record(job, changes.records, &changes.told);
            self.note_emptied(changes.emptied);
            self.position.moved += changes.records;
            self.position.complete = upper.is_none();
            self.position.after = upper;
            if self.together.goes_on(&self.order.pace) {
                continue;
            }
            self.commit().await?;
            // Smaller windows would not make the look at other tables any shorter.
            let took = began.elapsed().saturating_sub(changes.looking);
            let flow = self.report(job.instruction, records, took).await?;
            if flow != Flow::Finished {
                return Ok(flow);
            }
        }
        Ok(Flow::Finished)
    }

    async fn change(
        &mut self,
        statements: &Statements,
        telling: Option<&(Fragment, String)>,
        watch: &mut ReferenceWatch,
    ) -> Result<Changed, Fault> {
        for statement in &statements.before {
            self.session.execute(statement).await?;
        }
        let looking = watch.look_again(&mut self.session, &self.scene).await?;
        let told = match telling {
            Some((telling, _)) => self.tell(telling).await?,
            None => Vec::new(),
        };
        let emptied = self.empty(&statements.going, &statements.emptyings).await?;
        let (mut changed, mut going) = (None, Vec::new());
        let dialect = self.scene.dialect;
        for statement in &statements.counted {
            let reporting =
                telling.and_then(|(_, part)| parts::reporting(dialect, part, statement));
            let count = match (reporting, &statements.listing) {
                (Some(reporting), _) => self.told_again(&reporting, &told).await?,
                (None, Some(listing)) => {
                    going = listing.delete(&mut self.session, statement).await?;
                    going.len() as u64
                }
                (None, None) => self.session.execute(statement).await?,
            };
            if changed.is_some_and(|before| before != count) {
                return Err(transient(
                    "records changed while they were being moved; the chunk is rolled back",
                ));
            }
            changed = Some(count);
        }
        let records = changed.unwrap_or(0);
        if telling.is_some() && told.iter().map(|one| one.1).sum::<u64>() != records {
            return Err(told_otherwise());
        }
        Ok(Changed { records, told, emptied, going, looking })
    }

    /// Empties associations inside the transaction that is open.
    pub(crate) async fn empty(
        &mut self,
        going: &[Fragment],
        emptyings: &[Emptying],
    ) -> Result<Vec<(usize, String, u64)>, Fault> {
        let mut parents = 0;
        for statement in going {
            parents = self.session.execute(statement).await?;
        }
        let mut emptied = Vec::new();
        for one in emptyings.iter().filter(|_| parents > 0) {
            let count = self.session.execute(&one.statement).await?;
            if let Some(name) = one.association.clone().filter(|_| count > 0) {
                emptied.push((one.instruction, name, count));
            }
        }
        Ok(emptied)
    }

    /// Adds associations to the counts of their collections; several orders as one have none.
    pub(crate) fn note_emptied(&mut self, emptied: Vec<(usize, String, u64)>) {
        for (instruction, name, count) in emptied {
            *self.entry(instruction).treated.entry(name).or_default() += count;
        }
    }

    /// Why so many more records must not be touched, if the order forbids it.
    pub(crate) fn too_many(&self, more: u64) -> Option<String> {
        let most = self.order.most_records?;
        (self.done.changed() + more > most).then(|| {
            format!(
                "the order would touch more than {most} records: look at the preview, then raise the limit or narrow the rule"
            )
        })
    }

    /// Begins a transaction where none is open.
    pub(crate) async fn begin(&mut self) -> Result<(), Fault> {
        if self.together.begins(&self.done) {
            self.session.begin().await?;
        }
        Ok(())
    }

    /// Rolls back what is not committed, with its counts.
    pub(crate) async fn roll_back(&mut self) -> Result<(), Fault> {
        self.scene.settled.clear();
        if let Some(before) = self.together.ends() {
            self.done = before;
        }
        self.session.rollback().await
    }

    /// Writes the position and commits it with what was changed.
    pub(crate) async fn commit(&mut self) -> Result<(), Fault> {
        match &mut self.joint {
            None => {
                let Self { table, session, order, position, done, .. } = self;
                table.save(session, order, position, done).await?;
            }
            Some(joint) => joint.save(&self.table, &mut self.session, &self.position).await?,
        }
        self.session.commit().await?;
        self.scene.settled.clear();
        self.together.ends();
        Ok(())
    }

    /// Tells the engine and waits as the pace asks.
    pub(crate) async fn report(
        &mut self,
        instruction: usize,
        changed: u64,
        took: Duration,
    ) -> Result<Flow, Fault> {
        self.throttle.note(changed, took);
        let direction = match (self.progress, &self.joint) {
            (Told::Together(progress), Some(joint)) => progress.committed(&joint.done).await,
            (Told::Together(_), None) => Direction::Stop,
            (Told::One(progress), _) => {
                let report = ProgressReport {
                    collection: &self.order.instructions[instruction].collection,
                    done: &self.done,
                    records_per_second: self.throttle.records_per_second(),
                };
                progress.committed(report).await
            }
        };
        if direction == Direction::Stop {
            return Ok(Flow::Stopped);
        }
        self.throttle.wait(&mut self.session, changed, took).await?;
        Ok(Flow::Finished)
    }

    /// The counts of a collection.
    pub(crate) fn entry(&mut self, instruction: usize) -> &mut CollectionOutcome {
        self.done.entry(&self.order.instructions[instruction].collection)
    }

    /// Counts what a window has changed.
    fn record(&mut self, job: &Job<'_>, changed: u64, told: &[(usize, u64)]) {
        let collection = &self.order.instructions[job.instruction].collection;
        match &mut self.joint {
            None => (job.record)(self.done.entry(collection), changed),
            Some(joint) => {
                for &(part, changed) in told {
                    if let Some(done) = joint.done.get_mut(part) {
                        (job.record)(done.entry(collection), changed);
                    }
                }
            }
        }
    }

    /// The keys that the order could mean in a table, gathered once an attempt; `None` where the
    /// table itself has to be walked. After a crash they are gathered anew: what is done is no
    /// longer among them, and the position still stands in the same order of keys.
    pub(crate) async fn candidates(
        &mut self,
        table: usize,
        instruction: usize,
    ) -> Result<Option<Candidates>, Fault> {
        if let Some(known) = self.gathered.get(&(table, instruction)) {
            return Ok(*known);
        }
        let at = (table, instruction);
        let how = (Purpose::Act, Some((&self.gathered, self.throttle.window())));
        let found = Candidates::gather(&mut self.session, &self.scene, at, how).await?;
        self.gathered.insert(at, found);
        Ok(found)
    }

    /// The last key of the next window, or `None` where the rest of the table is one window.
    async fn upper(
        &mut self,
        job: &Job<'_>,
        candidates: Option<Candidates>,
    ) -> Result<Option<Vec<Cell>>, Fault> {
        // What was gathered fits into one window as a whole.
        let whole =
            |one: Candidates| one.stand_behind().is_some() || one.records <= self.throttle.window();
        if candidates.is_some_and(whole) {
            return Ok(None);
        }
        let statement = {
            let compiler = Compiler::new(&self.scene);
            let (from, place) = match candidates {
                None => compiler.main(job.table, Some(job.instruction))?,
                Some(one) => {
                    let (name, place) = (one.name(self.scene.dialect), one.place());
                    (format!("{name} AS {}", place.prefix), place)
                }
            };
            let keys = Keys::of(&compiler, &place, job.instruction);
            let selected = keys.selected(&compiler, &place)?;
            let names = keys.names(&compiler, &place)?.join(", ");
            // PostgreSQL would turn every key that it skips into text.
            let inside = self.scene.dialect == Dialect::Postgres;
            let head = if inside { &names } else { &selected };
            let mut statement = Fragment::raw(format!("SELECT {head} FROM {from}"));
            if let Some(after) = &self.position.after {
                let bound = keys.compare(&compiler, &place, KeyCompare::After, after)?;
                statement = statement.then(" WHERE ").and(bound);
            }
            let statement = statement
                .then(&format!(" ORDER BY {names} LIMIT 1 OFFSET {}", self.throttle.window() - 1));
            if inside {
                statement
                    .within(&format!("SELECT {selected} FROM ("), &format!(") AS {}", place.prefix))
            } else {
                statement
            }
        };
        Ok(self.session.fetch(&statement).await?.into_iter().next())
    }

    fn statements(
        &self,
        job: &Job<'_>,
        candidates: Option<Candidates>,
        upper: Option<&[Cell]>,
    ) -> Result<(Statements, Option<(Fragment, String)>), Fault> {
        let compiler = Compiler::new(&self.scene);
        let (standing, place) = standing(&compiler, (job.table, job.instruction), candidates)?;
        let written = candidates.filter(|one| one.stand_behind().is_none());
        let cut = written.map_or_else(|| place.clone(), Candidates::place);
        let keys = Keys::of(&compiler, &cut, job.instruction);
        let mut bounds = Vec::new();
        if let Some(after) = &self.position.after {
            bounds.push(keys.compare(&compiler, &cut, KeyCompare::After, after)?);
        }
        if let Some(upper) = upper {
            bounds.push(keys.compare(&compiler, &cut, KeyCompare::UpTo, upper)?);
        }
        if let Some(candidates) = candidates {
            bounds = candidates.bounds(&compiler, &place, bounds)?;
        }
        let statements = (job.write)(&compiler, &standing, &place, bounds)?;
        let condition = &statements.condition;
        let telling = place.part.as_ref().map(|part| {
            let telling =
                parts::telling(compiler.dialect(), &standing, (&place, part), condition.clone());
            (telling, part.clone())
        });
        Ok((statements, telling))
    }
}
