//! Holds and pauses as lists show them. Whom or which record a hold names is never shown: only
//! that it names one.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use uuid::Uuid;

use crate::app::pause::words;
use crate::app::{AppError, Quietus};
use crate::domain::HoldScope;
use crate::store::HoldFilter;

/// A hold in a list.
#[derive(Debug, Serialize)]
pub struct HoldFacts {
    /// Its identifier.
    pub id: Uuid,
    /// The matter it belongs to.
    pub matter: String,
    /// Only this system.
    pub system: Option<String>,
    /// Only this collection.
    pub collection: Option<String>,
    /// Only this category.
    pub category: Option<String>,
    /// It names a record or a person, sealed.
    pub names_record_or_person: bool,
    /// Why.
    pub reason: String,
    /// Who placed it.
    pub placed_by: String,
    /// When.
    pub placed_at: Timestamp,
    /// When somebody must look at it again.
    pub review_on: Option<Date>,
    /// Who released it; `None` while it holds.
    pub released_by: Option<String>,
    /// When it was released.
    pub released_at: Option<Timestamp>,
}

/// A pause that lasts.
#[derive(Debug, Serialize)]
pub struct PauseFacts {
    /// Its identifier.
    pub id: Uuid,
    /// What is paused, in words.
    pub paused: String,
    /// Who paused it.
    pub paused_by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub paused_at: Timestamp,
}

impl Quietus {
    /// Holds, oldest first; released ones only where `all`.
    ///
    /// # Errors
    /// Where the store is not there or holds something unreadable.
    pub async fn read_holds(&self, all: bool) -> Result<Vec<HoldFacts>, AppError> {
        let filter = if all { HoldFilter::All } else { HoldFilter::Active };
        let mut facts = Vec::new();
        for hold in self.store.list_holds(filter).await? {
            let scope: HoldScope =
                serde_json::from_value(hold.scope).map_err(|_| AppError::Unreadable {
                    what: "a hold",
                    why: "its scope is of another version".to_owned(),
                })?;
            let (released_by, released_at) = hold.released.unzip();
            facts.push(HoldFacts {
                id: hold.id,
                matter: hold.matter,
                system: scope.system.map(|name| name.to_string()),
                collection: scope.collection.map(|name| name.to_string()),
                category: scope.category.map(|name| name.to_string()),
                names_record_or_person: hold.sealed.is_some(),
                reason: hold.reason,
                placed_by: hold.placed_by,
                placed_at: hold.placed_at,
                review_on: hold.review_on,
                released_by,
                released_at,
            });
        }
        Ok(facts)
    }

    /// Pauses that last, oldest first.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn read_pauses(&self) -> Result<Vec<PauseFacts>, AppError> {
        let pauses = self.store.active_pauses().await?;
        let facts = pauses.into_iter().map(|pause| PauseFacts {
            id: pause.id,
            paused: words(&pause.scope),
            paused_by: pause.paused_by,
            reason: pause.reason,
            paused_at: pause.paused_at,
        });
        Ok(facts.collect())
    }
}
