//! Room `config`.
pub mod leaf;
pub mod problem;
pub mod read;
pub mod report;
pub mod yaml;
