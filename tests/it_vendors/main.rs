//! Definitions of vendors through the whole product: the real binary against the exchange on
//! loopback that plays the ten vendors.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]
#![expect(clippy::expect_used, reason = "a test stops where something is not as it must be")]

#[path = "../../connectors/tests/processor/exchange.rs"]
#[expect(dead_code, reason = "the exchange is that of the connectors' own tests")]
mod exchange;
#[path = "../../connectors/tests/processor/vendors/mod.rs"]
mod vendors;

mod instance;
mod planned;
mod rehearsed;
mod renewed;
mod tried;
