//! The whole product from outside: the real binary on real databases, results proven by raw SQL.
//!
//! PostgreSQL and MariaDB come from `QUIETUS_TEST_POSTGRES_URL` and `QUIETUS_TEST_MARIADB_URL`;
//! without them these tests fail and say so.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]
#![expect(clippy::expect_used, reason = "a test stops where something is not as it must be")]

mod alarms;
mod anchors;
mod backup;
mod company;
mod crash;
mod demo;
mod doctor;
mod drill;
mod house;
mod mail;
mod monitoring;
mod privacy;
mod proof;
mod reappear;
mod request;
mod residue;
mod restore;
mod run;
mod spared;
mod traces;
