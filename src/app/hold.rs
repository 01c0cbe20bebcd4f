//! Placing and releasing legal holds. Whoever works under the holds of before stops at the next
//! chunk; a release wakes what was held.

use std::collections::BTreeSet;

use quietus_connectors::{FieldType, Value};
use serde_json::json;
use uuid::Uuid;

use super::circumstances::{HOLD_PURPOSE, SealedScope};
use super::recording::About;
use super::{Actor, AppError, Quietus};
use crate::domain::{CollectionName, HoldScope, SystemName, normalise};
use crate::evidence::EvidenceKind;
use crate::plan::NamedPerson;
pub use crate::store::HoldKey;
use crate::store::NewHold;

/// A hold to place.
pub struct PlaceHold {
    /// The matter it belongs to.
    pub matter: String,
    /// What it covers.
    pub scope: HoldScope,
    /// Why, without personal data.
    pub reason: String,
    /// When somebody must look at it again.
    pub review_on: Option<jiff::civil::Date>,
    /// Who places it.
    pub actor: Actor,
}

impl Quietus {
    /// Places a hold.
    ///
    /// # Errors
    /// Where the scope names something that the data map does not have.
    pub async fn place_hold(&self, hold: PlaceHold) -> Result<Uuid, AppError> {
        self.check_scope(&hold.scope)?;
        if hold.matter.trim().is_empty() || hold.reason.trim().is_empty() {
            return Err(AppError::Input("a hold needs a matter and a reason".to_owned()));
        }
        let id = self.ids.new_id();
        let sealed_scope =
            SealedScope { record: hold.scope.record.clone(), subject: hold.scope.subject.clone() };
        let personal = sealed_scope.record.is_some() || sealed_scope.subject.is_some();
        let sealed = personal
            .then(|| self.vault.seal(HOLD_PURPOSE, &sealed_scope, self.ids.random()))
            .transpose()?;
        let open_scope = HoldScope { record: None, subject: None, ..hold.scope };
        let scope = serde_json::to_value(&open_scope)
            .map_err(|error| AppError::Unreadable { what: "a hold", why: error.to_string() })?;
        let placed = self.record(
            EvidenceKind::HoldPlaced,
            About::default(),
            &json!({
                "hold": id,
                "matter": hold.matter,
                "scope": scope,
                "namesRecordOrPerson": personal,
                "by": hold.actor.0,
            }),
        )?;
        let new_hold = NewHold {
            id,
            matter: hold.matter,
            scope,
            sealed,
            reason: hold.reason,
            placed_by: hold.actor.0,
            review_on: hold.review_on,
        };
        self.store.place_hold(new_hold, self.now(), vec![placed]).await?;
        Ok(id)
    }

    /// Releases one hold or all of a matter; how many were released.
    ///
    /// # Errors
    /// Where none is in force under that name.
    pub async fn release_hold(&self, key: HoldKey, actor: &Actor) -> Result<u64, AppError> {
        let name = match &key {
            HoldKey::Id(id) => id.to_string(),
            HoldKey::Matter(matter) => matter.clone(),
        };
        let released = self.record(
            EvidenceKind::HoldReleased,
            About::default(),
            &json!({ "holdOrMatter": name, "by": actor.0 }),
        )?;
        let count = self.store.release_holds(key, &actor.0, self.now(), vec![released]).await?;
        if count == 0 {
            return Err(AppError::Input(format!(
                "no hold in force is called `{name}`: see `quietus hold list`"
            )));
        }
        self.wake.up();
        Ok(count)
    }

    fn check_scope(&self, scope: &HoldScope) -> Result<(), AppError> {
        if let Some(system) = &scope.system {
            self.system(system.as_str())?;
        }
        if let Some(collection) = &scope.collection {
            self.check_collection(scope.system.as_ref(), collection)?;
        }
        if let Some(category) = &scope.category
            && !self.rules.categories.contains_key(category)
        {
            return Err(AppError::Input(format!("no rule pack declares category `{category}`")));
        }
        if let Some(record) = &scope.record {
            let (Some(system), Some(collection)) = (&scope.system, &scope.collection) else {
                return Err(AppError::Input(
                    "a hold on one record needs its system and its collection".to_owned(),
                ));
            };
            let mapped = &self.map.systems[system].collections[collection];
            let given: Vec<&String> = record.keys().collect();
            if mapped.key.iter().any(|field| !record.contains_key(field))
                || given.len() != mapped.key.len()
            {
                return Err(AppError::Input(format!(
                    "the key of `{system}.{collection}` is ({})",
                    mapped.key.join(", ")
                )));
            }
        }
        if let Some((identity, value)) = &scope.subject {
            self.check_subject(identity, value)?;
        }
        Ok(())
    }

    /// Refuses a person whom no field can have: such a hold would keep nothing, or everything.
    fn check_subject(&self, identity: &str, value: &Value) -> Result<(), AppError> {
        let types = self.types_of_identity(identity);
        if types.is_empty() {
            return Err(AppError::Input(format!(
                "no field of the data map has the identity type `{identity}`"
            )));
        }
        let identities = &self.instance.identities;
        if let Value::Text(text) = value {
            normalise(&identities.of(identity), text)
                .map_err(|error| AppError::Input(error.to_string()))?;
        }
        let person = NamedPerson::read(&self.map, identities, identity, value);
        if types.iter().all(|one| person.values(*one).is_empty()) {
            return Err(AppError::Input(format!(
                "the value of `{identity}` does not fit any of its fields"
            )));
        }
        Ok(())
    }

    /// The types of the fields that have an identity type.
    pub(super) fn types_of_identity(&self, identity: &str) -> BTreeSet<FieldType> {
        let collections = self.map.systems.values().flat_map(|system| system.collections.values());
        let fields = collections.flat_map(|collection| collection.fields.values());
        let own = fields.filter(|field| field.identity.as_deref() == Some(identity));
        own.map(|field| field.field_type).collect()
    }

    fn check_collection(
        &self,
        system: Option<&SystemName>,
        collection: &CollectionName,
    ) -> Result<(), AppError> {
        let mut systems =
            self.map.systems.values().filter(|one| system.is_none_or(|wanted| *wanted == one.name));
        if systems.any(|one| one.collections.contains_key(collection)) {
            return Ok(());
        }
        Err(AppError::Input(format!("the data map has no collection `{collection}` there")))
    }
}
