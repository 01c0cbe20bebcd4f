//! Opening an instance: read its files and keys, open its store, and bring rules and data map on
//! record.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::tz::TimeZone;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::crash::CrashPlan;
use super::keys::{Access, Keys};
use super::mutation::Mutation;
use super::plan_on_record::PlannedWith;
use super::recording::About;
use super::systems::StandIns;
use super::wake::Wake;
use super::{AppError, Quietus};
use crate::config::{self, Loaded, Process};
use crate::datamap::DataMap;
use crate::domain::{Clock, Digest, Ids};
use crate::evidence::EvidenceKind;
use crate::rights::Regimes;
use crate::schedule::RuleSet;
use crate::store::{Case, Document, DocumentKind, OpenOptions, Store};

/// What an instance is opened with.
pub struct Opening {
    /// Its files.
    pub loaded: Loaded,
    /// Settings of the process.
    pub process: Process,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where identifiers come from.
    pub ids: Arc<dyn Ids>,
}

/// What a simulation puts around an instance.
#[derive(Clone, Default)]
pub struct Surroundings {
    /// What answers in the place of systems; `None` speaks to the systems themselves.
    pub stand_ins: Option<StandIns>,
    /// A fault of the engine; only in a debug build.
    pub mutation: Option<Mutation>,
}

/// A file as it is kept on record.
#[derive(Serialize, Deserialize)]
struct KeptFile {
    name: String,
    text: String,
}

/// Rules, data map and zone that a case pinned.
pub(crate) enum Pinned<'a> {
    /// They are still in force.
    Current(&'a Quietus),
    /// They were read back from the record.
    Earlier(Box<Earlier>),
}

/// What was read back from the record.
pub(crate) struct Earlier {
    map: DataMap,
    rules: RuleSet,
    zone: TimeZone,
}

impl Pinned<'_> {
    pub(crate) fn map(&self) -> &DataMap {
        match self {
            Self::Current(product) => &product.map,
            Self::Earlier(earlier) => &earlier.map,
        }
    }

    pub(crate) fn rules(&self) -> &RuleSet {
        match self {
            Self::Current(product) => &product.rules,
            Self::Earlier(earlier) => &earlier.rules,
        }
    }

    /// The zone in which the case was planned.
    pub(crate) fn zone(&self) -> &TimeZone {
        match self {
            Self::Current(product) => &product.zone,
            Self::Earlier(earlier) => &earlier.zone,
        }
    }
}

fn document(
    kind: DocumentKind,
    digest: Digest,
    files: &[(String, Vec<u8>)],
) -> Result<Document, AppError> {
    let kept: Vec<KeptFile> = files
        .iter()
        .map(|(name, bytes)| KeptFile {
            name: name.clone(),
            text: String::from_utf8_lossy(bytes).into_owned(),
        })
        .collect();
    let content = serde_json::to_vec(&kept)
        .map_err(|error| AppError::Unreadable { what: "a file", why: error.to_string() })?;
    Ok(Document { digest, kind, content })
}

/// The URL of an instance's own database.
///
/// # Errors
/// Where it cannot be read from where the instance file says.
pub(crate) fn store_url(loaded: &Loaded) -> Result<secrecy::SecretString, AppError> {
    let instance = &loaded.instance;
    let url = instance.store.resolve(&instance.folder);
    url.map_err(|error| AppError::Secret(format!("the store: {error}")))
}

impl Quietus {
    /// Opens an instance.
    ///
    /// # Errors
    /// Where a secret, a key or the store cannot be opened.
    pub async fn open(opening: Opening) -> Result<Arc<Self>, AppError> {
        Box::pin(Self::open_among(opening, Surroundings::default())).await
    }

    /// Opens an instance in surroundings of the caller's own.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_among(
        opening: Opening,
        surroundings: Surroundings,
    ) -> Result<Arc<Self>, AppError> {
        let url = store_url(&opening.loaded)?;
        let options = OpenOptions { create: true, ..OpenOptions::default() };
        let store = Store::open(url.expose_secret(), options).await?;
        let mut product = Self::put_together(opening, store, Access::Use).await?;
        product.stand_ins = surroundings.stand_ins;
        product.mutation = surroundings.mutation;
        let product = Arc::new(product);
        product.store.begin_producers(&product.keys.producer, product.now()).await?;
        product.begin_first_log().await?;
        product.keep_epoch().await?;
        product.register_issuer().await?;
        product.publish_documents().await?;
        Ok(product)
    }

    /// Opens an instance over a store that was opened to look at it: nothing is made, nothing is
    /// brought on record, and nothing can be written.
    ///
    /// # Errors
    /// Where a key that is in use cannot be read or is another one.
    pub(crate) async fn open_to_look(
        opening: Opening,
        store: Store,
    ) -> Result<Arc<Self>, AppError> {
        Ok(Arc::new(Self::put_together(opening, store, Access::Look).await?))
    }

    async fn put_together(
        opening: Opening,
        store: Store,
        access: Access,
    ) -> Result<Self, AppError> {
        let Opening { loaded, process, clock, ids } = opening;
        let Loaded { instance, data_map: map, rules, map_files, rule_files, .. } = loaded;
        let zone = TimeZone::get(&instance.controller.zone)
            .map_err(|error| AppError::Input(error.to_string()))?;
        let (keys, vault) = Keys::open(&instance, &store, access).await?;
        let epochs = super::epochs::Epochs::new(&instance.keys);
        Ok(Self {
            map_document: document(DocumentKind::Map, map.digest, &map_files)?,
            rules_document: document(DocumentKind::Rules, rules.digest, &rule_files)?,
            instance,
            map,
            rules,
            regimes: Regimes::built_in().map_err(|error| AppError::Input(error.to_string()))?,
            store,
            clock,
            ids,
            vault: Arc::new(vault),
            epochs: Arc::new(epochs),
            unwritten_tokens: super::kept_tokens::Unwritten::default(),
            keys,
            anchoring: super::anchor::Anchoring::default(),
            zone,
            lease: process.lease.unwrap_or(Duration::from_mins(1)),
            crash: CrashPlan { point: process.crash_point },
            stand_ins: None,
            mutation: None,
            wake: Wake::default(),
            desk: OnceLock::new(),
            callers: super::opendsr::Callers::default(),
            listeners: super::vendor_callbacks::Listeners::default(),
            companies: super::company::Companies::default(),
            stores: super::backup::Stores::default(),
            marks: super::residue::Marks::default(),
            silent: super::patience::Silent::default(),
            certified_up_to: std::sync::Mutex::default(),
            deadlines_looked_at: std::sync::Mutex::default(),
            canaries_looked_at: std::sync::Mutex::default(),
            looks_planted_at: std::sync::Mutex::default(),
            gate: super::re_erasure::Gate::default(),
            house_kept_at: std::sync::Mutex::default(),
            rules_read: super::law::ReadAnew::default(),
            runs_seen: super::silence::RunsSeen::default(),
        })
    }

    /// Brings rules and data map on record the first time they are seen.
    async fn publish_documents(&self) -> Result<(), AppError> {
        let documents = [
            (&self.rules_document, EvidenceKind::RulesPublished),
            (&self.map_document, EvidenceKind::MapPublished),
        ];
        for (document, kind) in documents {
            if self.store.document(document.digest).await?.is_some() {
                continue;
            }
            self.store.keep_document(document.clone(), self.now()).await?;
            let published =
                self.record(kind, About::default(), &json!({ "sha256": document.digest }))?;
            self.store.record_evidence(vec![published], self.now()).await?;
        }
        Ok(())
    }

    /// Rules, data map and zone that a case was planned with. A zone that was changed since in the
    /// instance file must not make anything due that the plan did not.
    pub(crate) async fn pinned(&self, case: &Case) -> Result<Pinned<'_>, AppError> {
        let zone = PlannedWith::of(case)?.zone;
        let same_zone = self.zone.iana_name().unwrap_or("UTC") == zone;
        if same_zone && case.rules_digest == self.rules.digest && case.map_digest == self.map.digest
        {
            return Ok(Pinned::Current(self));
        }
        let map_files = self.kept_files(case.map_digest).await?;
        let rule_files = self.kept_files(case.rules_digest).await?;
        let unreadable = || {
            AppError::Input(
                "the rules or the data map that this case was planned with cannot be read by this version: cancel it and run again".to_owned(),
            )
        };
        let (map, rules) =
            config::compile(&map_files, &rule_files, &zone).map_err(|_| unreadable())?;
        let zone = TimeZone::get(&zone).map_err(|_| unreadable())?;
        Ok(Pinned::Earlier(Box::new(Earlier { map, rules, zone })))
    }

    pub(super) async fn kept_files(
        &self,
        digest: Digest,
    ) -> Result<Vec<(String, Vec<u8>)>, AppError> {
        let missing = || AppError::Unreadable {
            what: "a case",
            why: "its rules or data map are not on record".to_owned(),
        };
        let document = self.store.document(digest).await?.ok_or_else(missing)?;
        let kept: Vec<KeptFile> = serde_json::from_slice(&document.content)
            .map_err(|error| AppError::Unreadable { what: "a document", why: error.to_string() })?;
        Ok(kept.into_iter().map(|file| (file.name, file.text.into_bytes())).collect())
    }
}
