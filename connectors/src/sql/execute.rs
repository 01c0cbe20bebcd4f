//! One attempt at an order: deletions children first, then treatments, restrictions and lifts.
//!
//! Steps have names, and the progress table keeps the name, so that a later attempt goes on where
//! the last commit was. A name that is no longer there begins from the front with the counts
//! kept, which finds nothing twice.

use std::collections::BTreeMap;

use crate::connector::{Direction, Progress};
use crate::order::Order;
use crate::predicate::Predicate;
use crate::receipt::{CollectionOutcome, Fault, Outcome, Receipt, RefusalKind};
use crate::sql::SqlConnector;
use crate::sql::associations::asked;
use crate::sql::candidates::{Candidates, Gathered};
use crate::sql::catalogue::Catalogue;
use crate::sql::compile::Compiler;
use crate::sql::connection::Session;
use crate::sql::delete::due;
use crate::sql::dissociation::count_dangling;
use crate::sql::faults::{misconfigured, within};
use crate::sql::fragment::{Cell, Fragment};
use crate::sql::joint::Told;
use crate::sql::order_of_deletion::{Group, components, groups};
use crate::sql::progress_table::{FINISHED, ProgressTable};
use crate::sql::restrict::Way;
use crate::sql::scene::Scene;
use crate::sql::standing::{reading, standing_to_read};
use crate::sql::throttle::Throttle;
use crate::sql::together::Together;
use crate::sql::windows::{Flow, Run};
use crate::sql::{drift, gathered_keys, lists, refusals};

/// One step of an order.
enum Step {
    Drop(usize),
    Delete(Group),
    Count(usize),
    Treat(usize, usize),
    Restrict(usize, Way),
}

/// Carries out an order.
pub(crate) async fn execute(
    connector: &SqlConnector,
    order: &Order,
    progress: &dyn Progress,
) -> Result<Receipt, Fault> {
    let mut session = connector.target.open(&order.pace).await?;
    let scene = Scene::new(session.dialect(), order, Catalogue::read(&mut session).await?);
    let drift = drift::find(&scene);
    if !drift.is_empty() {
        session.close().await;
        let found: Vec<String> = drift.iter().map(ToString::to_string).collect();
        return Err(misconfigured(format!(
            "the system differs from the data map: {}",
            found.join("; ")
        )));
    }
    let table = ProgressTable::new(session.dialect(), &connector.progress_table)?;
    let known = scene.catalogue.find_own(&connector.progress_table).is_some();
    let reasons = refusals::find(&scene);
    if !reasons.is_empty() {
        let before = if known { table.read(&mut session, &order.key).await? } else { None };
        session.close().await;
        let done = before.map_or_else(Outcome::default, |(_, _, done)| done);
        return Ok(Receipt::Refused { kind: RefusalKind::Unsafe, reasons, done });
    }
    if !known {
        table.create(&mut session).await?;
    }
    let (mut position, done) = table.take_over(&mut session, order).await?;
    if position.step == FINISHED {
        session.close().await;
        return Ok(Receipt::Done(done));
    }
    if position.step.is_empty() {
        position.dangling = dangling_before(&mut session, &scene, &table, order).await?;
    }
    lists::load(&mut session, &scene).await?;
    // Only after the order was taken over: whoever takes it over from here on fences the first chunk.
    if progress.before_sending().await == Direction::Stop {
        session.close().await;
        return Ok(Receipt::Stopped(done));
    }
    let throttle = Throttle::new(&order.pace);
    let (gathered, together) = (Gathered::new(), Together::default());
    let mut run = Run {
        session,
        scene,
        order,
        progress: Told::One(progress),
        table,
        position,
        done,
        throttle,
        gathered,
        together,
        joint: None,
    };
    let flow = match run.join_steps().await {
        Ok(()) => run.steps().await,
        Err(fault) => Err(fault),
    };
    let Run { session, done, .. } = run;
    session.close().await;
    Ok(match flow? {
        Flow::Finished => Receipt::Done(done),
        Flow::Stopped => Receipt::Stopped(done),
        Flow::Refused(reason) | Flow::Apart(_, reason) => {
            Receipt::Refused { kind: RefusalKind::OverLimit, reasons: vec![reason], done }
        }
    })
}

/// Records whose association led to nobody before anything was done under the order, in any round.
async fn dangling_before(
    session: &mut Session,
    scene: &Scene<'_>,
    table: &ProgressTable,
    order: &Order,
) -> Result<BTreeMap<String, u64>, Fault> {
    let mut dangling = count_dangling(session, scene).await?;
    if let Some(earlier) = earlier_round(&order.key)
        && let Some((_, before, _)) = table.read(session, &earlier).await?
    {
        // What an earlier round left behind must not look as if it had always been there.
        for (name, count) in &mut dangling {
            *count = before.dangling.get(name).copied().unwrap_or(0).min(*count);
        }
    }
    Ok(dangling)
}

/// The key of the round before: of one undertaking they end in `-1`, `-2` and so on.
fn earlier_round(key: &str) -> Option<String> {
    let (stem, round) = key.rsplit_once('-')?;
    let round: u32 = round.parse().ok()?;
    (round > 1).then(|| format!("{stem}-{}", round - 1))
}

impl Run<'_> {
    /// Takes every step that is left.
    pub(crate) async fn steps(&mut self) -> Result<Flow, Fault> {
        let steps = self.plan();
        self.settle().await?;
        let start = steps.iter().position(|(name, _)| *name == self.position.step).unwrap_or(0);
        for (name, step) in steps.iter().skip(start) {
            if self.position.step != *name {
                self.position = self.position.at_step(name.as_str());
            }
            match self.step(step).await? {
                Flow::Finished => {}
                other => return Ok(other),
            }
        }
        self.position = self.position.at_step(FINISHED);
        self.begin().await?;
        self.commit().await?;
        Ok(Flow::Finished)
    }

    /// All steps in their order; makes an entry for each collection that something is done to.
    fn plan(&mut self) -> Vec<(String, Step)> {
        let groups = groups(&self.scene);
        let active = self.scene.active();
        for &member in groups.iter().flat_map(|group| &group.members).chain(&active) {
            self.entry(member);
            let collection = &self.order.instructions[member].collection;
            for done in self.joint.iter_mut().flat_map(|joint| &mut joint.done) {
                done.entry(collection);
            }
        }
        for one in asked(&self.scene) {
            self.entry(one.instruction);
        }
        let name = |what: &str, position: usize| {
            format!("{what} {}", self.order.instructions[position].collection)
        };
        let mut steps = Vec::new();
        for group in groups {
            // Whose the records of a partition are is not told, so of several orders as one they go in
            // chunks.
            for &member in group.members.iter().filter(|_| self.joint.is_none()) {
                steps.push((name("drop", member), Step::Drop(member)));
            }
            steps.push((name("delete", group.members[0]), Step::Delete(group)));
        }
        for &one in &active {
            steps.push((name("count", one), Step::Count(one)));
        }
        for one in children_first(&self.scene) {
            for (index, treatment) in self.order.instructions[one].treatments.iter().enumerate() {
                let name = format!("{} {index} {}", name("treat", one), treatment.category);
                steps.push((name, Step::Treat(one, index)));
            }
        }
        for &one in &active {
            steps.push((name("restrict", one), Step::Restrict(one, Way::Restrict)));
            steps.push((name("lift", one), Step::Restrict(one, Way::Lift)));
        }
        steps
    }

    async fn step(&mut self, step: &Step) -> Result<Flow, Fault> {
        let collection = match step {
            Step::Delete(group) => group.members[0],
            Step::Drop(one) | Step::Count(one) | Step::Treat(one, _) | Step::Restrict(one, _) => {
                *one
            }
        };
        let collection = &self.order.instructions[collection].collection;
        self.take(step).await.map_err(|fault| within(collection, fault))
    }

    async fn take(&mut self, step: &Step) -> Result<Flow, Fault> {
        match step {
            Step::Drop(one) => self.drop_partitions(*one).await,
            Step::Delete(group) => self.delete_group(group).await,
            Step::Count(one) => self.count_left(*one).await,
            Step::Treat(one, treatment) => self.treat(*one, *treatment).await,
            Step::Restrict(one, way) => self.restrict(*one, *way).await,
        }
    }

    fn forget_left(&mut self, instruction: usize) {
        let collection = &self.order.instructions[instruction].collection;
        let parts = self.joint.iter_mut().flat_map(|joint| &mut joint.done);
        for done in std::iter::once(&mut self.done).chain(parts) {
            let entry = done.entry(collection);
            entry.referenced.clear();
            entry.held = 0;
        }
    }

    /// Counts what is due and stays: referred to, or held. The next commit takes the counts along.
    async fn count_left(&mut self, instruction: usize) -> Result<Flow, Fault> {
        // What an earlier attempt counted may have gone since, or be held no longer.
        self.forget_left(instruction);
        if !can_be_left(&self.scene, instruction)? {
            return Ok(Flow::Finished);
        }
        let table = self.scene.table_of(instruction)?;
        let candidates = self.candidates(table, instruction).await?;
        // Of several orders as one, without candidates nothing is done to these records for anybody.
        if candidates.map_or(self.joint.is_some(), |one| one.records == 0) {
            return Ok(Flow::Finished);
        }
        let (names, statement) = left_statement(&self.scene, instruction, candidates)?;
        gathered_keys::gather(&mut self.session, &self.scene, table).await?;
        let rows = self.session.fetch_plain(&statement).await?;
        let Some(joint) = &mut self.joint else {
            if let Some(counts) = rows.first() {
                note_left(self.entry(instruction), &names, counts);
            }
            return Ok(Flow::Finished);
        };
        let collection = &self.order.instructions[instruction].collection;
        for row in &rows {
            let Some((part, counts)) = row.split_last() else { continue };
            let part = usize::try_from(part.count()).unwrap_or(usize::MAX);
            if let Some(done) = joint.done.get_mut(part) {
                note_left(done.entry(collection), &names, counts);
            }
        }
        Ok(Flow::Finished)
    }
}

/// Notes what is due and stays: by what refers to it, and at the end what is held.
fn note_left(entry: &mut CollectionOutcome, names: &[String], counts: &[Cell]) {
    for (name, count) in names.iter().zip(counts) {
        if count.count() > 0 {
            entry.referenced.insert(name.clone(), count.count());
        }
    }
    entry.held = counts.last().map_or(0, Cell::count);
}

/// Collections to treat, those before their parents that reach them by a link. A hold may find its
/// person by a parent's field, and one that comes while the order is under way must still find it.
pub(crate) fn children_first(scene: &Scene<'_>) -> Vec<usize> {
    let active = scene.active();
    let children: Vec<Vec<usize>> = active
        .iter()
        .map(|&parent| {
            let links_here = |child: &usize| {
                let mut links = scene.instruction(*child).links.iter();
                links.any(|link| scene.instruction_of(&link.to) == Some(parent))
            };
            (0..active.len()).filter(|&index| links_here(&active[index])).collect()
        })
        .collect();
    components(&children).into_iter().flatten().map(|index| active[index]).collect()
}

/// Something could keep records that are due.
fn can_be_left(scene: &Scene<'_>, instruction: usize) -> Result<bool, Fault> {
    let one = scene.instruction(instruction);
    let table = scene.table_of(instruction)?;
    let referred = one.delete_when != Predicate::Never && !scene.blockers(table).is_empty();
    Ok(referred || one.held != Predicate::Never)
}

/// Counts of records that are due and stay, by what refers to them, and of held ones at the end.
fn left_statement(
    scene: &Scene<'_>,
    instruction: usize,
    candidates: Option<Candidates>,
) -> Result<(Vec<String>, Fragment), Fault> {
    let one = scene.instruction(instruction);
    let table = scene.table_of(instruction)?;
    let blockers =
        if one.delete_when == Predicate::Never { Vec::new() } else { scene.blockers(table) };
    let compiler = Compiler::new(scene);
    let stand = standing_to_read(&compiler, (table, instruction), candidates)?;
    let place = &stand.1;
    let mut names: Vec<String> =
        blockers.iter().map(|one| scene.name_of_table(one.table)).collect();
    names.sort();
    names.dedup();
    let mut columns = Vec::new();
    // Asked once for all columns where it is a condition of each.
    let is_shared = one.held == Predicate::Never && !names.is_empty() && place.part.is_none();
    for name in &names {
        let mut referring = Vec::new();
        for blocker in blockers.iter().filter(|one| scene.name_of_table(one.table) == *name) {
            referring.push(compiler.referred(place, blocker)?);
        }
        let mut conditions =
            if is_shared { Vec::new() } else { due(&compiler, place, instruction)? };
        conditions.push(Fragment::any(referring));
        columns.push(scene.dialect.count_where(Fragment::all(conditions)));
    }
    columns.push(scene.dialect.count_where(held(&compiler, place, instruction)?));
    let statement = reading(&compiler, &stand, columns, candidates)?;
    let conditions = if is_shared { due(&compiler, place, instruction)? } else { Vec::new() };
    if conditions.is_empty() {
        return Ok((names, statement));
    }
    let joint = if candidates.is_some() { " AND " } else { " WHERE " };
    Ok((names, statement.then(joint).and(Fragment::all(conditions))))
}

/// Held and otherwise due for anything.
pub(crate) fn held(
    compiler: &Compiler<'_, '_>,
    place: &crate::sql::compile::Place,
    instruction: usize,
) -> Result<Fragment, Fault> {
    let one = compiler.scene.instruction(instruction);
    if one.held == Predicate::Never {
        return Ok(Fragment::raw("(1 = 0)"));
    }
    let mut due = vec![one.delete_when.clone(), one.restrict_when.clone(), one.lift_when.clone()];
    due.extend(one.treatments.iter().map(|treatment| treatment.due.clone()));
    let any = Predicate::any(due);
    Ok(Fragment::all(vec![compiler.held(place, &one.held)?, compiler.holds(place, &any)?]))
}

/// Removes what is kept of orders; nothing where the table was never made.
pub(crate) async fn forget(connector: &SqlConnector, keys: &[String]) -> Result<(), Fault> {
    let mut session: Session = connector.target.open(&crate::order::Pace::default()).await?;
    let catalogue = Catalogue::read(&mut session).await?;
    if catalogue.find_own(&connector.progress_table).is_some() {
        let table = ProgressTable::new(session.dialect(), &connector.progress_table)?;
        table.forget(&mut session, keys).await?;
    }
    session.close().await;
    Ok(())
}

/// The orders of which something is kept, those that have stood still for longest first; none where
/// the table was never made.
pub(crate) async fn remembered(connector: &SqlConnector, most: u32) -> Result<Vec<String>, Fault> {
    let mut session: Session = connector.target.open(&crate::order::Pace::default()).await?;
    let catalogue = Catalogue::read(&mut session).await?;
    let mut keys = Vec::new();
    if catalogue.find_own(&connector.progress_table).is_some() {
        let table = ProgressTable::new(session.dialect(), &connector.progress_table)?;
        keys = table.remembered(&mut session, most).await?;
    }
    session.close().await;
    Ok(keys)
}
