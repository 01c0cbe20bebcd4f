//! Room `cli`.
pub mod check;
pub mod draft;
pub mod init;
pub mod schema;
