//! The store on both databases: one body of tests, run against SQLite, against PostgreSQL, and against
//! PostgreSQL behind a pooler that lends connections for one transaction.
//!
//! PostgreSQL tests need `QUIETUS_TEST_POSTGRES_URL`, a server on which they may create databases, and
//! `QUIETUS_TEST_PGBOUNCER_URL` and `QUIETUS_TEST_PGBOUNCER_LENIENT_URL`, two poolers before it; without
//! them they fail and say so.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]

/// Runs each of these bodies on both databases, and behind a pooler.
macro_rules! on_both {
    ($($name:ident,)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::stage::Stage::sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::stage::Stage::postgres().await).await;
            })*
        }
        mod pooled {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::stage::Stage::pooled().await).await;
            })*
        }
    };
}

mod stage;

mod alarms;
mod anchors;
mod append_only;
mod approvals;
mod breakers;
mod cases;
mod certificates;
mod claims;
mod connection;
mod data_keys;
mod drills;
mod ended_restrictions;
mod holds;
mod inside_erasures;
mod lanes;
mod later_looks;
mod letters;
mod log;
mod log_chain;
mod looks;
mod mails;
mod opendsr;
mod own_records;
mod pooler;
mod producers;
mod re_erasure;
mod record_manifests;
mod renewed_tokens;
mod requests;
mod restores;
mod rules_in_force;
mod schedules;
mod schema;
mod settlement;
mod signing_keys;
mod status_lists;
mod tasks;
mod together;
mod troubles;
mod turns;
mod vendor_callbacks;
