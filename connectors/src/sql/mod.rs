//! One SQL body with dialects: PostgreSQL, MariaDB/MySQL and SQLite.
//!
//! What is due is decided by the database itself, in set-based statements over windows of the
//! key; no record travels to this process. Nothing that stays ever loses what it refers to.

mod associations;
mod candidates;
mod catalogue;
mod catalogue_mariadb;
mod catalogue_postgresql;
mod catalogue_sqlite;
mod check;
mod circles;
mod compile;
mod connection;
mod deletable;
mod delete;
mod dialect;
mod dissociation;
mod drift;
mod execute;
mod faults;
mod following;
mod forms;
mod fragment;
mod gathered_keys;
mod guard;
mod inheritance;
mod inspect;
mod joint;
mod keys;
mod listing;
mod lists;
mod memberships;
mod of_persons;
mod order_of_deletion;
mod parents;
mod partitions;
mod parts;
mod plant;
mod pooler;
mod preview;
mod progress_table;
mod reference_watch;
mod referred;
mod refusals;
pub(crate) mod residues;
mod resolve;
mod restrict;
mod scene;
mod settled;
mod sqlite_moments;
mod sqlite_numbers;
mod standing;
mod steering;
mod strategy;
mod text_equality;
mod throttle;
mod together;
mod treat;
mod unknown_moments;
mod unseen_references;
mod values;
mod verify;
mod windows;

use async_trait::async_trait;

use crate::connector::{Connector, Progress};
use crate::guard::CanarySight;
use crate::kinds::Settings;
use crate::order::{Order, Pace, RecordKey};
use crate::plant::PlantedRecord;
use crate::predicate::FieldRef;
use crate::receipt::{Counts, Fault, Health, Receipt, Verification};
use crate::residue::{ResidueLook, ResidueSight};
use crate::schema::{Capabilities, Schema};
use crate::sql::catalogue::Catalogue;
use crate::sql::connection::Target;
use crate::sql::dialect::Dialect;
use crate::sql::faults::misconfigured;
use crate::subject::{Answer, Question};
use crate::together::{JointProgress, Together};
use crate::value::Record;

/// Opens a SQL connector.
pub(crate) fn open(kind: &str, settings: Settings) -> Result<Box<dyn Connector>, Fault> {
    let dialect = Dialect::of_kind(kind).ok_or_else(|| {
        misconfigured(format!(
            "kind `{kind}` is not known: use one of {}",
            crate::kinds().join(", ")
        ))
    })?;
    let target = Target::new(dialect, settings.url)?;
    Ok(Box::new(SqlConnector {
        kind: kind.to_owned(),
        target,
        progress_table: settings.progress_table,
    }))
}

/// A connected SQL database.
pub(crate) struct SqlConnector {
    kind: String,
    target: Target,
    progress_table: String,
}

#[async_trait]
impl Connector for SqlConnector {
    fn capabilities(&self) -> Capabilities {
        let residues: &[&str] = match self.target.dialect {
            Dialect::Postgres => &[
                "dead rows until the next vacuum of the table, and what they held in free pages until those are used again",
                "write-ahead log segments until they are recycled or archived ones expire",
                "replicas until they have caught up, and backups until they expire",
            ],
            Dialect::MariaDb => &[
                "binary logs until they are purged",
                "the redo log until it is overwritten",
                "undo records until purge has passed",
                "what deleted records held in free pages until those are used again",
                "replicas until they have caught up, and backups until they expire",
            ],
            Dialect::Sqlite => &[
                "the write-ahead log until its next checkpoint",
                "copies and backups of the file until they expire",
            ],
        };
        Capabilities {
            kind: self.kind.clone(),
            erasure_grade: "deleted".to_owned(),
            residues: residues.iter().map(|&one| one.to_owned()).collect(),
            can_verify: true,
            identities: Vec::new(),
        }
    }

    async fn check(&self, order: &Order) -> Result<Health, Fault> {
        check::check(self, order).await
    }

    async fn describe(&self) -> Result<Schema, Fault> {
        let mut session = self.target.open(&Pace::default()).await?;
        let catalogue = Catalogue::read(&mut session).await?;
        session.close().await;
        Ok(catalogue.schema(&self.progress_table))
    }

    async fn preview(&self, order: &Order) -> Result<Counts, Fault> {
        preview::preview(self, order).await
    }

    async fn inspect(
        &self,
        order: &Order,
        collection: &str,
        key: &RecordKey,
        fields: &[FieldRef],
    ) -> Result<Option<Record>, Fault> {
        inspect::inspect(self, order, collection, key, fields).await
    }

    async fn resolve(&self, order: &Order, questions: &[Question]) -> Result<Vec<Answer>, Fault> {
        resolve::resolve(self, order, questions).await
    }

    async fn execute(&self, order: &Order, progress: &dyn Progress) -> Result<Receipt, Fault> {
        execute::execute(self, order, progress).await
    }

    async fn verify(&self, order: &Order) -> Result<Verification, Fault> {
        verify::verify(self, order).await
    }

    async fn forget(&self, order_key: &str) -> Result<(), Fault> {
        execute::forget(self, std::slice::from_ref(&order_key.to_owned())).await
    }

    async fn preview_together(&self, orders: &[Order]) -> Result<Vec<Counts>, Fault> {
        preview::preview_together(self, orders).await
    }

    async fn execute_together(
        &self,
        orders: &[Order],
        progress: &dyn JointProgress,
    ) -> Result<Together, Fault> {
        joint::execute(self, orders, progress).await
    }

    async fn verify_together(&self, orders: &[Order]) -> Result<Vec<Verification>, Fault> {
        verify::verify_together(self, orders).await
    }

    async fn remembered(&self, most: u32) -> Result<Vec<String>, Fault> {
        execute::remembered(self, most).await
    }

    async fn forget_all(&self, order_keys: &[String]) -> Result<(), Fault> {
        execute::forget(self, order_keys).await
    }

    async fn look_at_residues(&self, look: &ResidueLook) -> Result<Vec<ResidueSight>, Fault> {
        residues::look(self, look).await
    }

    async fn plant(
        &self,
        order: &Order,
        records: &[PlantedRecord],
    ) -> Result<Vec<RecordKey>, Fault> {
        plant::plant(self, order, records).await
    }

    async fn planted(&self, order: &Order, records: &[PlantedRecord]) -> Result<u64, Fault> {
        plant::planted(self, order, records).await
    }

    async fn unplant(&self, order: &Order, records: &[PlantedRecord]) -> Result<u64, Fault> {
        plant::unplant(self, order, records).await
    }

    async fn canary(&self, name: &str) -> Result<CanarySight, Fault> {
        guard::canary(self, name).await
    }

    async fn set_canary(&self, name: &str, number: u64, at: jiff::Timestamp) -> Result<(), Fault> {
        guard::set_canary(self, name, number, at).await
    }

    async fn can_come_in(&self, accounts: &[String]) -> Result<Vec<String>, Fault> {
        guard::can_come_in(self, accounts).await
    }

    async fn keep_out(&self, accounts: &[String]) -> Result<(), Fault> {
        guard::keep_out(self, accounts).await
    }

    async fn let_in(&self, accounts: &[String]) -> Result<(), Fault> {
        guard::let_in(self, accounts).await
    }

    async fn cannot_keep_out(&self, accounts: &[String]) -> Result<Vec<String>, Fault> {
        guard::cannot_keep_out(self, accounts).await
    }
}
