//! MUST SHOW 7: killed at any point between claim and certificate, a run ends as if it had never
//! been disturbed: nothing is lost and nothing is counted twice.
//!
//! A debug build kills itself with signal 9 at a numbered point (`QUIETUS_CRASH_POINT`, see
//! `src/app/crash.rs`). PostgreSQL comes from `QUIETUS_TEST_POSTGRES_URL`.

mod again;
mod points;
