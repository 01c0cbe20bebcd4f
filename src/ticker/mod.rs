//! Room `ticker`.
