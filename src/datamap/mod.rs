//! The data map: what systems, collections, fields and links there are. It reads bytes that it is
//! handed and never touches a system.

pub mod model;

pub use model::{
    Collection, DataMap, ExemptCollection, Field, FieldClass, Role, SecretReference, StartSource,
    System,
};
