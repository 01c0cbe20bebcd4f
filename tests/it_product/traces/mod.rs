//! Traces: a case is one trace from the ring to the certificate, whichever processes worked on it, nobody
//! is named in it, and whoever collects it keeps nobody waiting.

mod alone;
pub mod collector;
mod named;
mod whole;
