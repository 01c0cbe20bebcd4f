//! Quietus.
