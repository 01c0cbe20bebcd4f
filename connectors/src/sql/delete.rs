//! Deleting records as a whole, children first.
//!
//! A record goes only where nothing that is left refers to it. Collections that refer to
//! themselves or to each other are passed over until nothing moves; what then remains in circles
//! is left to `circles`.

use crate::predicate::Predicate;
use crate::receipt::Fault;
use crate::sql::compile::{Compiler, Place};
use crate::sql::dialect::Dialect;
use crate::sql::dissociation::Dissociation;
use crate::sql::fragment::Fragment;
use crate::sql::listing::Listing;
use crate::sql::order_of_deletion::Group;
use crate::sql::reference_watch::Removal;
use crate::sql::standing::Standing;
use crate::sql::windows::{Flow, Job, Run, Statements};

/// After so many passes the rest is deleted by its closed set, however deep references run.
const MOST_PASSES: u32 = 12;

/// `delete_when` holds and no hold does.
pub(crate) fn due(
    compiler: &Compiler<'_, '_>,
    place: &Place,
    instruction: usize,
) -> Result<Vec<Fragment>, Fault> {
    let instruction = compiler.scene.instruction(instruction);
    let mut conditions = Vec::new();
    if instruction.delete_when != Predicate::Always {
        conditions.push(compiler.holds(place, &instruction.delete_when)?);
    }
    conditions.extend(unheld(compiler, place, &instruction.held)?);
    Ok(conditions)
}

/// No hold holds.
pub(crate) fn unheld(
    compiler: &Compiler<'_, '_>,
    place: &Place,
    held: &Predicate,
) -> Result<Option<Fragment>, Fault> {
    if *held == Predicate::Never { Ok(None) } else { compiler.unheld(place, held).map(Some) }
}

impl Run<'_> {
    /// Deletes what can go from a group of collections.
    pub(crate) async fn delete_group(&mut self, group: &Group) -> Result<Flow, Fault> {
        loop {
            while self.position.member < group.members.len() {
                let flow = self.delete_member(group.members[self.position.member]).await?;
                if flow != Flow::Finished {
                    return Ok(flow);
                }
                self.position.member += 1;
                self.position.after = None;
                self.position.complete = false;
            }
            if !group.circular {
                return Ok(Flow::Finished);
            }
            if self.position.moved == 0 || self.position.pass >= MOST_PASSES {
                return if self.joint.is_some() {
                    self.leave_circles(group).await
                } else {
                    self.delete_circles(group).await
                };
            }
            self.position.pass += 1;
            self.position.member = 0;
            self.position.moved = 0;
        }
    }

    async fn delete_member(&mut self, instruction: usize) -> Result<Flow, Fault> {
        let table = self.scene.table_of(instruction)?;
        let dissociation = Dissociation::of(&self.scene, table);
        if let Some(dissociation) = &dissociation {
            dissociation.define(&mut self.session, &self.scene).await?;
        }
        let dissociation = dissociation.as_ref();
        let cascades = dissociation.is_some()
            || self.scene.blockers(table).iter().any(|one| one.cascade || one.only_held());
        let write = move |compiler: &Compiler<'_, '_>,
                          standing: &Standing,
                          place: &Place,
                          bounds: Vec<Fragment>| {
            let mut conditions = bounds;
            conditions.extend(due(compiler, place, instruction)?);
            conditions.extend(compiler.unreferred(place)?);
            let condition = Fragment::all(conditions);
            let mut statements = Statements::default();
            if cascades && compiler.dialect() == Dialect::Postgres {
                // A child inserted between the look and the deletion would be taken along or lose
                // what it refers to. Once
                // the parents are locked no child can come, and the deletion looks again.
                statements.before.push(
                    Fragment::raw(format!("SELECT 1 FROM {} WHERE ", standing.from))
                        .and(condition.clone())
                        .then(" FOR UPDATE")
                        .within("SELECT count(*) FROM (", ") AS quietus_locked"),
                );
            }
            if let Some(dissociation) = dissociation {
                let scene = compiler.scene;
                statements.going =
                    dissociation.filling(compiler, standing, place, condition.clone())?;
                let goes_too = |compiler: &Compiler<'_, '_>, child: &Place, one: usize| {
                    // Of a collection's links to itself the other ends may be in this very window.
                    let own = one == instruction;
                    own.then(|| due(compiler, child, one).map(Fragment::all)).transpose()
                };
                statements.emptyings = dissociation.emptyings(scene, &goes_too)?;
            }
            if compiler.scene.instruction(instruction).manifest {
                let listing = Listing::of(compiler, (standing, place), condition.clone())?;
                statements.listing = Some(listing);
            }
            statements.counted.push(Fragment::raw(standing.deletion()).and(condition.clone()));
            statements.condition = condition;
            Ok(statements)
        };
        self.windows(&Job {
            table,
            instruction,
            removal: Removal::Delete,
            write: &write,
            record: &|entry, changed| entry.deleted += changed,
        })
        .await
    }
}
