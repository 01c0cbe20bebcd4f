//! Speaking SMTP: one message to one address over one connection, and the truth about what became
//! of it.
//!
//! The only room that names lettre. It knows neither letters nor tasks, reads no secret and writes
//! no log: what a server answers may repeat an address, so only its codes are kept.

pub mod address;
pub mod message;
pub mod server;

pub use address::Address;
pub use message::Message;
pub use server::{Encryption, NotSent, Server, Step, Trouble};
