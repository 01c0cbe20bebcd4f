//! One attempt at several orders that are alike, as one order with parts.
//!
//! Every chunk commits what it did for each order under that order's own key, and is fenced by the
//! attempt of each. So whoever goes on with one of them, alone or in other company, finds exactly
//! what was done for it. Nothing begins while a record is a candidate of two orders, and a chunk
//! whose counts do not add up is rolled back.

use std::collections::{BTreeMap, BTreeSet};

use crate::connector::{Direction, Progress};
use crate::order::{Order, Restriction};
use crate::predicate::Predicate;
use crate::receipt::{Fault, Outcome, Receipt};
use crate::sql::SqlConnector;
use crate::sql::associations::concerned;
use crate::sql::candidates::{Candidates, Gathered, Purpose};
use crate::sql::catalogue::Catalogue;
use crate::sql::compile::Compiler;
use crate::sql::connection::Session;
use crate::sql::delete::due;
use crate::sql::faults::{misconfigured, transient};
use crate::sql::fragment::Fragment;
use crate::sql::order_of_deletion::Group;
use crate::sql::progress_table::{FINISHED, Position, ProgressTable, TOGETHER};
use crate::sql::scene::Scene;
use crate::sql::standing::{reading, standing_to_read};
use crate::sql::throttle::Throttle;
use crate::sql::windows::{Flow, Run};
use crate::sql::{drift, lists, parts, refusals, together};
use crate::together::{JointProgress, Together};

/// Who is told of each chunk.
#[derive(Clone, Copy)]
pub(crate) enum Told<'r> {
    /// The engine's side of one order.
    One(&'r dyn Progress),
    /// That of several.
    Together(&'r dyn JointProgress),
}

/// The orders behind one order with parts.
pub(crate) struct Joint<'r> {
    orders: &'r [Order],
    /// What each has done, over all attempts.
    pub(crate) done: Vec<Outcome>,
    chunks: u64,
}

impl Joint<'_> {
    /// Orders that would touch more records than they may, if there are such.
    pub(crate) fn beyond(&self, told: &[(usize, u64)]) -> Option<Flow> {
        let beyond = told.iter().filter(|(part, more)| {
            let (Some(order), Some(done)) = (self.orders.get(*part), self.done.get(*part)) else {
                return true;
            };
            order.most_records.is_some_and(|most| done.changed() + more > most)
        });
        let which: Vec<usize> = beyond.map(|one| one.0).collect();
        let why = "it would touch more records than it may".to_owned();
        (!which.is_empty()).then_some(Flow::Apart(which, why))
    }

    /// Writes what each order has done. By itself an order begins from the front, so where it
    /// stands is told only when it is finished.
    pub(crate) async fn save(
        &mut self,
        table: &ProgressTable,
        session: &mut Session,
        position: &Position,
    ) -> Result<(), Fault> {
        self.chunks += 1;
        let step = if position.step == FINISHED { FINISHED } else { TOGETHER };
        let moved = self.chunks;
        let position = Position { step: step.to_owned(), moved, ..Position::default() };
        table.save_together(session, self.orders, &position, &self.done).await
    }
}

pub(crate) fn told_otherwise() -> Fault {
    transient("records changed while it was told whose they are; the chunk is rolled back")
}

fn apart(why: impl Into<String>) -> Together {
    Together::Apart { which: Vec::new(), why: why.into() }
}

/// Carries out orders together.
pub(crate) async fn execute(
    connector: &SqlConnector,
    orders: &[Order],
    progress: &dyn JointProgress,
) -> Result<Together, Fault> {
    let (order, parts) = match parts::join(orders) {
        Ok(joined) => joined,
        Err(why) => return Ok(apart(why)),
    };
    let mut session = connector.target.open(&order.pace).await?;
    let mut scene = Scene::new(session.dialect(), &order, Catalogue::read(&mut session).await?);
    scene.parts = Some(parts);
    let opened = begin(connector, &mut session, &scene, orders).await;
    let (table, done) = match opened {
        Ok(Begun::Ready(table, done)) => {
            let which: Vec<usize> = (0..orders.len()).collect();
            if progress.before_sending(&which).await.contains(&Direction::Stop) {
                session.close().await;
                return Ok(Together::Receipts(done.into_iter().map(Receipt::Stopped).collect()));
            }
            (table, done)
        }
        Ok(Begun::Ended(answer)) => {
            session.close().await;
            return Ok(answer);
        }
        Err(fault) => {
            session.close().await;
            return Err(fault);
        }
    };
    let mut run = Run {
        session,
        scene,
        order: &order,
        progress: Told::Together(progress),
        table,
        position: Position::default(),
        done: Outcome::default(),
        throttle: Throttle::new(&order.pace),
        gathered: Gathered::new(),
        together: together::Together::default(),
        joint: Some(Joint { orders, done, chunks: 0 }),
    };
    let flow = match run.told_apart().await {
        Ok(Flow::Finished) => run.steps().await,
        other => other,
    };
    let Run { session, joint, .. } = run;
    session.close().await;
    let done = joint.map(|joint| joint.done).unwrap_or_default().into_iter();
    Ok(match flow? {
        Flow::Finished => Together::Receipts(done.map(Receipt::Done).collect()),
        Flow::Stopped => Together::Receipts(done.map(Receipt::Stopped).collect()),
        Flow::Apart(which, why) => Together::Apart { which, why },
        Flow::Refused(why) => apart(why),
    })
}

enum Begun {
    Ready(ProgressTable, Vec<Outcome>),
    Ended(Together),
}

/// Looks whether the orders can be carried out, and together; then makes their attempts the
/// current ones and loads the lists.
async fn begin(
    connector: &SqlConnector,
    session: &mut Session,
    scene: &Scene<'_>,
    orders: &[Order],
) -> Result<Begun, Fault> {
    let drift = drift::find(scene);
    if !drift.is_empty() {
        let found: Vec<String> = drift.iter().map(ToString::to_string).collect();
        return Err(misconfigured(format!(
            "the system differs from the data map: {}",
            found.join("; ")
        )));
    }
    if !refusals::find(scene).is_empty() {
        return Ok(Begun::Ended(apart("the system would refuse them")));
    }
    if let Some(why) = cannot_be_told_apart(scene)? {
        return Ok(Begun::Ended(apart(why)));
    }
    let table = ProgressTable::new(session.dialect(), &connector.progress_table)?;
    if scene.catalogue.find_own(&connector.progress_table).is_none() {
        table.create(session).await?;
    }
    let standing = table.take_over_together(session, orders).await?;
    let finished = standing.iter().filter(|(position, _)| position.step == FINISHED).count();
    let done = || standing.iter().map(|(_, done)| done.clone());
    if finished == orders.len() {
        return Ok(Begun::Ended(Together::Receipts(done().map(Receipt::Done).collect())));
    }
    if finished > 0 {
        let which = (0..orders.len()).filter(|&one| standing[one].0.step == FINISHED).collect();
        let why = "it was finished before".to_owned();
        return Ok(Begun::Ended(Together::Apart { which, why }));
    }
    lists::load(session, scene).await?;
    Ok(Begun::Ready(table, done().collect()))
}

/// Why it cannot be told whose records are; `None` where it can.
fn cannot_be_told_apart(scene: &Scene<'_>) -> Result<Option<String>, Fault> {
    if concerned(scene) {
        return Ok(Some("whose associations are emptied is not told".to_owned()));
    }
    for position in scene.active() {
        let one = scene.instruction(position);
        let table = scene.table_of(position)?;
        if one.manifest {
            return Ok(Some(format!("a manifest is kept of records of `{}`", one.collection)));
        }
        let moved = matches!(one.restriction, Some(Restriction::Move { .. }));
        if moved && one.lift_when != Predicate::Never {
            return Ok(Some(format!("records come back to `{}`", one.collection)));
        }
        if !Candidates::can_be_gathered(scene, (table, position), Purpose::Act) {
            return Ok(Some(format!("records of `{}` are not found by lists", one.collection)));
        }
    }
    Ok(None)
}

impl Run<'_> {
    /// Why a window that changes so much must not stay.
    pub(crate) fn beyond(&self, changed: u64, told: &[(usize, u64)]) -> Option<Flow> {
        match &self.joint {
            None => self.too_many(changed).map(Flow::Refused),
            Some(joint) => joint.beyond(told),
        }
    }

    /// Gathers all candidates before anything is done, and looks whether one is a candidate of two
    /// orders.
    async fn told_apart(&mut self) -> Result<Flow, Fault> {
        let mut which = BTreeSet::new();
        for position in self.scene.active() {
            let table = self.scene.table_of(position)?;
            if let Some(found) = self.candidates(table, position).await? {
                which.extend(found.in_common(&mut self.session, &self.scene).await?);
            }
        }
        if which.is_empty() {
            return Ok(Flow::Finished);
        }
        let why = "a record is theirs and somebody else's".to_owned();
        Ok(Flow::Apart(which.into_iter().collect(), why))
    }

    /// How many records of each part a window changes.
    pub(crate) async fn tell(&mut self, telling: &Fragment) -> Result<Vec<(usize, u64)>, Fault> {
        let rows = self.session.fetch(telling).await?;
        let told = rows.iter().filter_map(|row| match row.as_slice() {
            [part, count] => Some((usize::try_from(part.count()).ok()?, count.count())),
            _ => None,
        });
        Ok(told.collect())
    }

    /// Carries out a statement that tells how many records of each part it has changed: as many of
    /// each as were told before.
    pub(crate) async fn told_again(
        &mut self,
        reporting: &Fragment,
        told: &[(usize, u64)],
    ) -> Result<u64, Fault> {
        let changed: BTreeMap<usize, u64> = self.tell(reporting).await?.into_iter().collect();
        if changed != told.iter().copied().collect() {
            return Err(told_otherwise());
        }
        Ok(changed.values().sum())
    }

    /// Records that could still be in a circle go order by order.
    pub(crate) async fn leave_circles(&mut self, group: &Group) -> Result<Flow, Fault> {
        let mut which = BTreeSet::new();
        for &member in &group.members {
            let table = self.scene.table_of(member)?;
            let Some(candidates) = self.candidates(table, member).await? else { continue };
            let statement = {
                let compiler = Compiler::new(&self.scene);
                let stand = standing_to_read(&compiler, (table, member), Some(candidates))?;
                let condition = Fragment::all(due(&compiler, &stand.1, member)?);
                let count = self.scene.dialect.count_where(condition);
                reading(&compiler, &stand, vec![count], Some(candidates))?
            };
            let left = self.tell(&statement).await?;
            // The count comes first here, and the part behind it.
            let left = left.into_iter().filter(|(count, _)| *count > 0);
            which.extend(left.filter_map(|(_, part)| usize::try_from(part).ok()));
        }
        if which.is_empty() {
            return Ok(Flow::Finished);
        }
        let why = "records of theirs may refer to each other in a circle".to_owned();
        Ok(Flow::Apart(which.into_iter().collect(), why))
    }
}
