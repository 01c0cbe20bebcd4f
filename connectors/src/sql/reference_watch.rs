//! Keeps what was gathered of references true while records of a table go.
//!
//! Where a foreign key refuses, a new reference makes the deletion fail and the chunk is rolled
//! back. Everything else is gathered again inside the transaction of each window. SQLite has one
//! writer at a time and tells whether another one was there since.

use std::time::{Duration, Instant};

use crate::receipt::Fault;
use crate::sql::catalogue::Reference;
use crate::sql::connection::Session;
use crate::sql::dialect::Dialect;
use crate::sql::faults::transient;
use crate::sql::fragment::{Cell, Fragment};
use crate::sql::gathered_keys::{self, GatheredKeys, Share};
use crate::sql::scene::{Blocker, Scene};

/// What becomes of records that a window changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    /// They stay where they are.
    Stay,
    /// They move to another table.
    Move,
    /// They are deleted.
    Delete,
}

/// The references to one table during one phase.
#[derive(Debug, Default)]
pub(crate) struct ReferenceWatch {
    parent: usize,
    /// Gathered again in every window.
    again: Vec<Blocker>,
    /// SQLite: versions of the content and of the schema when the keys were gathered.
    versions: Option<(Cell, Cell)>,
    /// SQLite: the foreign keys are off, because they would read the whole child for each record.
    unguarded: bool,
    /// The database itself reads a whole child for each record that goes.
    pub(crate) slow: bool,
}

impl ReferenceWatch {
    /// Gathers what refers to the table and begins to watch it.
    pub(crate) async fn begin(
        session: &mut Session,
        scene: &Scene<'_>,
        parent: usize,
        removal: Removal,
    ) -> Result<Self, Fault> {
        if removal == Removal::Stay {
            return Ok(Self::default());
        }
        let blockers = scene.blockers(parent);
        let gathered = |one: &Blocker| scene.gathered(parent, one).is_some();
        let mut watch = Self { parent, ..Self::default() };
        let searched: Vec<&Reference> = scene
            .catalogue
            .references
            .iter()
            .filter(|one| one.parent == parent && !scene.table(one.child).indexed(&one.fields))
            .collect();
        for reference in &searched {
            tracing::info!(
                parent = scene.table(parent).full_name(),
                child = scene.table(reference.child).full_name(),
                fields = reference.fields.join(", "),
                "a foreign key has no index on its child: the database reads the whole child for each record that goes; create an index"
            );
        }
        watch.slow = !searched.is_empty();
        if scene.dialect == Dialect::Sqlite {
            if blockers.iter().any(gathered) {
                watch.versions = Some(versions(session).await?);
            }
            // Only where each reference that the foreign keys guard is looked at by ourselves.
            let all_seen =
                scene.catalogue.references.iter().filter(|one| one.parent == parent).all(
                    |reference| {
                        blockers.iter().any(|one| {
                            !one.only_held()
                                && one.table == reference.child
                                && one.fields == reference.fields
                                && one.to_fields == reference.to_fields
                        })
                    },
                );
            let all_gathered = searched.iter().all(|reference| {
                blockers.iter().any(|one| {
                    !one.only_held()
                        && one.table == reference.child
                        && one.fields == reference.fields
                        && one.to_fields == reference.to_fields
                        && gathered(one)
                })
            });
            watch.unguarded = removal == Removal::Delete && watch.slow && all_seen && all_gathered;
            watch.slow &= !watch.unguarded;
        } else {
            watch.again =
                blockers.into_iter().filter(|one| gathered(one) && !one.refuses).collect();
        }
        gathered_keys::gather(session, scene, parent).await?;
        watch.guard(session, false).await?;
        Ok(watch)
    }

    /// Looks again inside the transaction of a window; returns how long that took.
    pub(crate) async fn look_again(
        &mut self,
        session: &mut Session,
        scene: &Scene<'_>,
    ) -> Result<Duration, Fault> {
        let began = Instant::now();
        if let Some(before) = self.versions.clone() {
            let now = versions(session).await?;
            if now.1 != before.1 {
                return Err(transient(
                    "the schema changed while records were being deleted; begin again",
                ));
            }
            if now.0 != before.0 {
                gathered_keys::gather_again(session, scene, self.parent).await?;
                self.versions = Some(now);
            }
        }
        for blocker in &self.again {
            if let Some(keys) = GatheredKeys::of(scene, self.parent, blocker, Share::Every) {
                keys.refill(session, keys.every(scene)?).await?;
            }
        }
        Ok(began.elapsed())
    }

    /// Ends the watch.
    pub(crate) async fn end(&self, session: &mut Session) -> Result<(), Fault> {
        self.guard(session, true).await
    }

    async fn guard(&self, session: &mut Session, on: bool) -> Result<(), Fault> {
        if !self.unguarded {
            return Ok(());
        }
        session
            .command(if on { "PRAGMA foreign_keys = ON" } else { "PRAGMA foreign_keys = OFF" })
            .await
    }
}

/// Both change when another connection commits; the schema's also with a change by this one.
async fn versions(session: &mut Session) -> Result<(Cell, Cell), Fault> {
    let content = session.fetch_one(&Fragment::raw("PRAGMA data_version")).await?;
    let schema = session.fetch_one(&Fragment::raw("PRAGMA main.schema_version")).await?;
    Ok((content[0].clone(), schema[0].clone()))
}
