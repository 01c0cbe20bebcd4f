//! The whole product from outside: the real binary, real databases, results proven by raw SQL.
//!
//! PostgreSQL and MariaDB come from `QUIETUS_TEST_POSTGRES_URL` and `QUIETUS_TEST_MARIADB_URL`;
//! without them these tests fail and say so.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]
#![expect(clippy::expect_used, reason = "a test stops where something is not as it must be")]

#[path = "../company/mod.rs"]
mod company;

mod caps;
mod changes;
mod exactly;
mod idle;
mod liars;
mod outage;
mod persons;
mod stops;
mod timer;
mod windows;
