//! The rules and the data map in force, and every earlier version that something was planned
//! under, as it was written. Connections and tokens are no part of it.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

use crate::app::{AppError, Quietus};
use crate::datamap::{Collection, FieldClass, StartSource, System};
use crate::domain::{Digest, RetentionPeriod, Rounding};
use crate::schedule::{Action, Cap, LegalBasis, Limit, LimitKind, RetentionRule, Schedule};
use crate::store::DocumentKind;

/// The rules in force.
#[derive(Debug, Serialize)]
pub struct RulesInForce {
    /// Digest of their files, under which they are on record.
    pub digest: Digest,
    /// Retention rules, in the order in which they are tried.
    pub rules: Vec<RuleFacts>,
    /// Statutory minimums and maximums.
    pub limits: Vec<LimitFacts>,
    /// Categories that stay, with the reason and who decided.
    pub exemptions: BTreeMap<String, ExemptionFacts>,
    /// When runs begin.
    pub schedules: BTreeMap<String, ScheduleFacts>,
    /// Categories, each with what it is for.
    pub categories: BTreeMap<String, String>,
}

/// A retention rule.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the words of `RetentionRule`")]
pub struct RuleFacts {
    pub name: String,
    pub version: String,
    pub digest: Digest,
    pub author: String,
    pub category: String,
    pub systems: Vec<String>,
    pub starting_point: String,
    pub period: RetentionPeriod,
    pub rounding: Rounding,
    pub action: Action,
    pub when: String,
    pub basis: LegalBasis,
    pub schedule: String,
    pub cap: CapFacts,
    pub grace: Option<RetentionPeriod>,
}

/// The most that one run may do without a second person; `None` is unlimited.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the words of `Cap`")]
pub struct CapFacts {
    pub records: Option<u64>,
    pub share_percent: Option<f64>,
}

/// A statutory minimum or maximum.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the words of `Limit`")]
pub struct LimitFacts {
    pub name: String,
    pub version: String,
    pub kind: LimitKind,
    pub category: String,
    pub starting_point: String,
    pub period: RetentionPeriod,
    pub rounding: Rounding,
    pub when: String,
    pub jurisdiction: String,
    pub citation: String,
    pub valid_from: Option<Date>,
    pub valid_to: Option<Date>,
}

/// Why a category stays.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the words of `Exemption`")]
pub struct ExemptionFacts {
    pub reason: String,
    pub owner: String,
}

/// When runs begin.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the words of `Schedule`")]
pub struct ScheduleFacts {
    pub cron: String,
    pub zone: String,
    pub windows: Vec<String>,
    pub blackouts: Vec<(Date, Date)>,
}

/// The data map in force.
#[derive(Debug, Serialize)]
pub struct MapInForce {
    /// Digest of its files, under which it is on record.
    pub digest: Digest,
    /// Systems.
    pub systems: Vec<SystemFacts>,
}

/// A connected system.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the words of `System`")]
pub struct SystemFacts {
    pub name: String,
    pub kind: String,
    pub role: &'static str,
    pub owner: String,
    pub region: Option<String>,
    pub collections: Vec<CollectionFacts>,
    pub exempt: Vec<ExemptCollectionFacts>,
}

/// A collection that is not swept.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the words of `ExemptCollection`")]
pub struct ExemptCollectionFacts {
    pub collection: String,
    pub reason: String,
}

/// A mapped collection.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the words of `Collection`")]
pub struct CollectionFacts {
    pub name: String,
    pub key: Vec<String>,
    pub fields: BTreeMap<String, FieldFacts>,
    pub links: BTreeMap<String, String>,
    pub starting_points: BTreeMap<String, String>,
}

/// A field: it has a category, is exempt, or is part of the structure.
#[derive(Debug, Serialize)]
#[expect(missing_docs, reason = "the words of `Field`")]
pub struct FieldFacts {
    #[serde(rename = "type")]
    pub field_type: quietus_connectors::FieldType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exempt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
}

/// Which documents are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Documents {
    /// Rule packs.
    Rules,
    /// The data map.
    Map,
}

impl From<&RetentionRule> for RuleFacts {
    fn from(rule: &RetentionRule) -> Self {
        let Cap { records, share_percent } = rule.cap;
        Self {
            name: rule.name.to_string(),
            version: rule.version.clone(),
            digest: rule.digest,
            author: rule.author.clone(),
            category: rule.category.to_string(),
            systems: rule.systems.iter().map(ToString::to_string).collect(),
            starting_point: rule.starting_point.clone(),
            period: rule.period,
            rounding: rule.rounding,
            action: rule.action,
            when: rule.when.to_string(),
            basis: rule.basis.clone(),
            schedule: rule.schedule.to_string(),
            cap: CapFacts { records, share_percent },
            grace: rule.grace,
        }
    }
}

impl From<&Limit> for LimitFacts {
    fn from(limit: &Limit) -> Self {
        Self {
            name: limit.name.to_string(),
            version: limit.version.clone(),
            kind: limit.kind,
            category: limit.category.to_string(),
            starting_point: limit.starting_point.clone(),
            period: limit.period,
            rounding: limit.rounding,
            when: limit.when.to_string(),
            jurisdiction: limit.jurisdiction.clone(),
            citation: limit.citation.clone(),
            valid_from: limit.valid_from,
            valid_to: limit.valid_to,
        }
    }
}

impl From<&Schedule> for ScheduleFacts {
    fn from(schedule: &Schedule) -> Self {
        let hours = |time: &jiff::civil::Time| time.strftime("%H:%M").to_string();
        Self {
            cron: schedule.cron.clone(),
            zone: schedule.zone.clone(),
            windows: schedule
                .windows
                .iter()
                .map(|(from, to)| format!("{}-{}", hours(from), hours(to)))
                .collect(),
            blackouts: schedule.blackouts.clone(),
        }
    }
}

impl From<&System> for SystemFacts {
    fn from(system: &System) -> Self {
        Self {
            name: system.name.to_string(),
            kind: system.kind.clone(),
            role: role_word(system),
            owner: system.owner.clone(),
            region: system.region.clone(),
            collections: system.collections.values().map(Into::into).collect(),
            exempt: system
                .exempt
                .iter()
                .map(|one| ExemptCollectionFacts {
                    collection: one.source.clone(),
                    reason: one.reason.clone(),
                })
                .collect(),
        }
    }
}

fn role_word(system: &System) -> &'static str {
    use crate::datamap::Role;
    match system.role {
        Role::Database => "database",
        Role::Backup => "backup",
        Role::Processor => "processor",
        Role::Files => "files",
        Role::Queue => "queue",
    }
}

impl From<&Collection> for CollectionFacts {
    fn from(collection: &Collection) -> Self {
        let fields = collection.fields.iter().map(|(name, field)| {
            let (category, exempt) = match &field.class {
                FieldClass::Category(category) => (Some(category.to_string()), None),
                FieldClass::Exempt(reason) => (None, Some(reason.clone())),
                FieldClass::Structure => (None, None),
            };
            let identity = field.identity.clone();
            (name.clone(), FieldFacts { field_type: field.field_type, category, exempt, identity })
        });
        let starting_points = collection.starting_points.iter().map(|(name, source)| {
            let words = match source {
                StartSource::Field(_) => "a field".to_owned(),
                StartSource::Latest(fields) => format!("the latest of {} fields", fields.len()),
                StartSource::Event { event, .. } => format!("the event `{event}`"),
            };
            (name.clone(), words)
        });
        Self {
            name: collection.name.to_string(),
            key: collection.key.clone(),
            fields: fields.collect(),
            links: collection
                .links
                .iter()
                .map(|link| (link.name.clone(), link.to.clone()))
                .collect(),
            starting_points: starting_points.collect(),
        }
    }
}

impl Quietus {
    /// The rules in force.
    pub fn read_rules(&self) -> RulesInForce {
        let rules = &self.rules;
        let exemptions = rules.exemptions.iter().map(|(category, one)| {
            let facts = ExemptionFacts { reason: one.reason.clone(), owner: one.owner.clone() };
            (category.to_string(), facts)
        });
        RulesInForce {
            digest: rules.digest,
            rules: rules.rules.iter().map(Into::into).collect(),
            limits: rules.limits.iter().map(Into::into).collect(),
            exemptions: exemptions.collect(),
            schedules: rules
                .schedules
                .iter()
                .map(|(name, schedule)| (name.to_string(), schedule.into()))
                .collect(),
            categories: rules
                .categories
                .iter()
                .map(|(name, purpose)| (name.to_string(), purpose.clone()))
                .collect(),
        }
    }

    /// The data map in force.
    pub fn read_map(&self) -> MapInForce {
        MapInForce {
            digest: self.map.digest,
            systems: self.map.systems.values().map(Into::into).collect(),
        }
    }

    /// Files on record under a digest, as JSON: a list of names and texts; `None` where there are
    /// none of this kind.
    ///
    /// # Errors
    /// Where the store is not there.
    pub async fn read_document(
        &self,
        documents: Documents,
        digest: Digest,
    ) -> Result<Option<Vec<u8>>, AppError> {
        let wanted = match documents {
            Documents::Rules => DocumentKind::Rules,
            Documents::Map => DocumentKind::Map,
        };
        let found = self.store.document(digest).await?;
        Ok(found.filter(|document| document.kind == wanted).map(|document| document.content))
    }
}
