//! Names become addresses here, and addresses that are not public are thrown away.
//!
//! The check is made on the very addresses that are then connected to, so a name that changes its
//! mind between check and use gains nothing.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::is_public;

/// The name leads to addresses that may not be spoken to.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to no public address")]
pub(super) struct NotPublic;

/// Resolves through the operating system.
pub(super) struct Resolver {
    /// Names that may have a private address.
    pub private: Arc<BTreeSet<String>>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let name = name.as_str().to_ascii_lowercase();
        let private = self.private.contains(&name);
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0))
                .await?
                .filter(|address| private || is_public(address.ip()))
                .collect();
            if found.is_empty() {
                return Err(NotPublic.into());
            }
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}
