//! The whole product from outside: the real binary, real databases, results proven by raw SQL.
//!
//! PostgreSQL and MariaDB come from `QUIETUS_TEST_POSTGRES_URL` and `QUIETUS_TEST_MARIADB_URL`;
//! without them these tests fail and say so.

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
