//! Keeping the tokens that a vendor replaces: sealed in the store, renewed by one process at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use quietus_connectors::{Fault, TokenKeeper, Tokens};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::Quietus;
use super::vault::Vault;
use crate::domain::{Clock, Ids};
use crate::store::{Lead, Store, StoreError};

/// How long the right to renew lasts where it is not given back: longer than the longest call.
const RIGHT: Duration = Duration::from_mins(2);
/// Pauses before another try to write renewed tokens down, in milliseconds. The vendor has thrown
/// the old ones away, so this is worth a wait.
const PAUSES_MS: [u64; 5] = [100, 300, 1_000, 3_000, 5_000];

/// Tokens that could not be written down yet, by system.
pub(crate) type Unwritten = Arc<Mutex<BTreeMap<String, Tokens>>>;

/// Tokens as they are sealed.
#[derive(Serialize, Deserialize)]
struct Sealed {
    refresh: String,
    access: String,
    until: Timestamp,
    descend_from: String,
}

/// Keeps the tokens of one system.
struct KeptTokens {
    system: String,
    /// Who has the right to renew: this connector.
    holder: String,
    store: Store,
    vault: Arc<Vault>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    unwritten: Unwritten,
}

impl Quietus {
    /// What keeps the tokens of a system.
    pub(super) fn token_keeper(&self, system: &str) -> Arc<dyn TokenKeeper> {
        Arc::new(KeptTokens {
            system: system.to_owned(),
            holder: self.ids.new_id().to_string(),
            store: self.store.clone(),
            vault: Arc::clone(&self.vault),
            clock: Arc::clone(&self.clock),
            ids: Arc::clone(&self.ids),
            unwritten: Arc::clone(&self.unwritten_tokens),
        })
    }
}

impl KeptTokens {
    fn purpose(&self) -> String {
        format!("renewed tokens of {}", self.system)
    }

    /// The name of the right to renew among the leases.
    fn right(&self) -> String {
        format!("tokens of {}", self.system)
    }

    fn busy(&self, error: &StoreError) -> Fault {
        tracing::warn!(system = self.system, %error, "renewed tokens cannot be read or written");
        let message = format!("system `{}`: our own store does not answer", self.system);
        Fault::Transient { message, retry_after_ms: None }
    }

    async fn write(&self, tokens: &Tokens) -> Result<(), Fault> {
        let content = Sealed {
            refresh: tokens.refresh.expose_secret().to_owned(),
            access: tokens.access.expose_secret().to_owned(),
            until: tokens.until,
            descend_from: tokens.descend_from.clone(),
        };
        let sealed = self.vault.seal(&self.purpose(), &content, self.ids.random());
        let sealed = sealed.map_err(|error| Fault::Misconfigured { message: error.to_string() })?;
        let now = self.clock.now();
        let written = self.store.keep_renewed_tokens(&self.system, sealed, now).await;
        written.map_err(|error| self.busy(&error))?;
        self.remember(None);
        Ok(())
    }

    /// Tokens that this process has and the store has not.
    fn unwritten(&self) -> Option<Tokens> {
        let unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        unwritten.get(&self.system).cloned()
    }

    fn remember(&self, tokens: Option<Tokens>) {
        let mut unwritten = self.unwritten.lock().unwrap_or_else(PoisonError::into_inner);
        match tokens {
            Some(tokens) => unwritten.insert(self.system.clone(), tokens),
            None => unwritten.remove(&self.system),
        };
    }
}

#[async_trait]
impl TokenKeeper for KeptTokens {
    async fn kept(&self) -> Result<Option<Tokens>, Fault> {
        if let Some(tokens) = self.unwritten() {
            self.write(&tokens).await?;
            return Ok(Some(tokens));
        }
        let sealed = self.store.renewed_tokens(&self.system).await;
        let Some(sealed) = sealed.map_err(|error| self.busy(&error))? else { return Ok(None) };
        let content: Sealed = self
            .vault
            .open(&self.purpose(), &sealed)
            .map_err(|error| Fault::Misconfigured { message: error.to_string() })?;
        Ok(Some(Tokens {
            refresh: SecretString::from(content.refresh),
            access: SecretString::from(content.access),
            until: content.until,
            descend_from: content.descend_from,
        }))
    }

    async fn claim(&self) -> Result<bool, Fault> {
        if self.store.only_looks() {
            let message = "its token has to be renewed, and whoever only looks renews none";
            return Err(Fault::Transient { message: message.to_owned(), retry_after_ms: None });
        }
        let now = self.clock.now();
        let until = now.checked_add(RIGHT).unwrap_or(now);
        let right = self.right();
        let lead = Lead { name: &right, holder: &self.holder, until };
        self.store.try_lead(lead, now).await.map_err(|error| self.busy(&error))
    }

    async fn keep(&self, tokens: &Tokens) -> Result<(), Fault> {
        self.remember(Some(tokens.clone()));
        let mut written = self.write(tokens).await;
        for pause in PAUSES_MS {
            if written.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(pause)).await;
            written = self.write(tokens).await;
        }
        if let Err(fault) = written {
            // As long as this process lives, its next look writes them down.
            tracing::error!(
                system = self.system, %fault,
                "renewed tokens are only in this process: let the store answer before it ends"
            );
        }
        self.give_back().await;
        Ok(())
    }

    async fn give_back(&self) {
        if let Err(error) = self.store.yield_lead(&self.right(), &self.holder).await {
            tracing::warn!(system = self.system, %error, "the right to renew ends by itself");
        }
    }
}
