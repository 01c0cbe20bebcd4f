//! Quietus: a retention and erasure orchestrator.
//!
//! One corridor: a rule becomes a plan, a plan becomes jobs, a job sends one order to one
//! connector, the connector returns a receipt, the receipt becomes evidence, and evidence becomes
//! a certificate. The rooms below stand in the order of that corridor.

pub mod domain;

pub mod datamap;
pub mod rights;
pub mod schedule;

pub mod plan;

pub mod evidence;
pub mod mail;
pub mod pkcs11;
pub mod store;

pub mod app;
pub mod http;
pub mod ticker;
pub mod witness;
pub mod worker;

pub mod cli;
pub mod config;
pub mod telemetry;
