//! An S3-compatible bucket: each version of each object is a copy.
//!
//! What is current is a whole copy; what was replaced, or deleted without naming a version, can
//! still be had by its identifier and holds what it held. Markers hold nothing. An object's key and
//! its version make the identifier of a copy, with `#` between them.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use super::dump_names::DumpNames;
use super::s3_ends::{Standing, ends_at, longest_days, standing};
use super::settings::BackupSettings;
use super::{
    BackupCopy, BackupStore, CopyKind, Expiry, InsideCopy, InsideErasure, InsidePart, Stay,
    StoreRetention,
};
use crate::objects::{
    Addressing, Bucket, BucketSettings, Entry, EntryKind, LifeCycleRule, Lock, RetentionMode,
    Versioning,
};
use crate::receipt::{Fault, Health};

/// Region where nothing is said: what stores that have none take.
const REGION: &str = "us-east-1";

/// What a bucket may be expected to have.
const FEATURES: &[&str] = &["versions", "lock", "life_cycle"];

/// A bucket with copies.
pub(super) struct S3 {
    pub(super) settings: BackupSettings,
    pub(super) bucket: Bucket,
    names: Option<DumpNames>,
    older_by: SignedDuration,
    must_have: Vec<String>,
}

/// Key and version.
pub(super) type Name = (String, String);

impl S3 {
    pub(super) fn open(settings: &BackupSettings) -> Result<Self, Fault> {
        settings.examine("s3")?;
        let zone = settings.told("zone").unwrap_or("UTC");
        let zone = TimeZone::get(zone).map_err(|_| {
            settings.misconfigured("`zone` is no time zone: write it like `Europe/Berlin`")
        })?;
        let names = settings.told("files").map(|pattern| DumpNames::of_keys(pattern, zone));
        let names = names.transpose();
        let names = names.map_err(|why| settings.misconfigured(&format!("`files` {why}")))?;
        let dated = names.as_ref().is_some_and(DumpNames::have_moments);
        if !dated && !settings.longest_run.is_positive() {
            return Err(settings.misconfigured(
                "the objects are dated by their end only: say how long a backup takes at most, \
                 under `longest_run`",
            ));
        }
        let must_have = settings.list("must_have");
        if let Some(other) = must_have.iter().find(|one| !FEATURES.contains(&one.as_str())) {
            return Err(settings.misconfigured(&format!(
                "`must_have` has `{other}`: there are `{}`",
                FEATURES.join("`, `")
            )));
        }
        Ok(Self {
            bucket: Bucket::open(&bucket_settings(settings)?)?,
            names,
            older_by: settings.length("older_by")?.unwrap_or_default(),
            must_have,
            settings: settings.clone(),
        })
    }

    /// The part of a key that `files` is about.
    fn fits(&self, key: &str) -> bool {
        let below = key.strip_prefix(self.bucket.address().prefix());
        // Consoles make an empty object for a folder.
        below.is_some_and(|name| match &self.names {
            Some(names) => names.fit(name),
            None => !key.ends_with('/'),
        })
    }

    /// Entries that fit, by their keys.
    async fn entries(&self) -> Result<BTreeMap<String, Vec<Entry>>, Fault> {
        let mut entries: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        for entry in self.bucket.versions(self.bucket.address().prefix()).await? {
            if self.fits(&entry.key) {
                entries.entry(entry.key.clone()).or_default().push(entry);
            }
        }
        Ok(entries)
    }

    /// What keeps each of these versions; without the feature, nothing does.
    async fn locks(&self, names: &[Name]) -> Result<BTreeMap<Name, Lock>, Fault> {
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        if self.bucket.can_lock().await? {
            return self.bucket.locks(names).await;
        }
        Ok(names.iter().map(|name| (name.clone(), Lock::default())).collect())
    }

    fn copy(
        &self,
        one: &Standing<'_>,
        lock: &Lock,
        (rules, versioning): (&[LifeCycleRule], Versioning),
    ) -> Result<BackupCopy, Fault> {
        let Entry { key, version, modified, .. } = one.entry;
        let began = match &self.names {
            Some(names) if names.have_moments() => {
                let below = key.strip_prefix(self.bucket.address().prefix()).unwrap_or(key);
                let moment = names.moment(below).ok_or_else(|| {
                    self.settings.misconfigured(
                        "the name of an object fits `files`, and what should be its moment is \
                         none, such as a thirteenth month: rename the object",
                    )
                })?;
                // Nothing holds what came after it was written.
                Some(moment.min(*modified))
            }
            _ => modified.checked_sub(self.settings.longest_run).ok(),
        };
        Ok(BackupCopy {
            id: format!("{key}#{version}"),
            kind: if one.replaced.is_none() { CopyKind::Whole } else { CopyKind::Version },
            holds_from: began.and_then(|began| began.checked_sub(self.older_by).ok()),
            taken_at: *modified,
            series: String::new(),
            needs: Vec::new(),
            stay: stay(lock, (self.settings.now)()),
            ends_at: ends_at(one, rules, versioning),
        })
    }

    /// Key and version of an identifier, if it could be one of this store.
    fn name(&self, id: &str) -> Option<Name> {
        let (key, version) = id.rsplit_once('#')?;
        let sound = self.fits(key) && !version.is_empty();
        sound.then(|| (key.to_owned(), version.to_owned()))
    }

    /// Takes the markers away of which nothing is left that they could hide. While a version is
    /// left, its marker stays: without it, the version would be there again for everybody.
    async fn sweep(&self, keys: &BTreeSet<&String>) -> Result<BTreeSet<Name>, Fault> {
        let (mut left, mut markers) = (BTreeSet::new(), Vec::new());
        for (key, entries) in
            self.entries().await?.into_iter().filter(|(key, _)| keys.contains(key))
        {
            let bare = entries.iter().all(|one| one.kind == EntryKind::Marker);
            for entry in entries {
                let name = (key.clone(), entry.version);
                if entry.kind == EntryKind::Version {
                    left.insert(name);
                } else if bare {
                    markers.push(name);
                }
            }
        }
        let removal = self.bucket.remove(&markers).await?;
        if let Some((_, code)) = removal.kept.first() {
            return Err(self.settings.misconfigured(&format!(
                "the versions are removed, and the markers of their deletion are not (`{code}`): \
                 grant `s3:DeleteObjectVersion` for them too"
            )));
        }
        Ok(left)
    }

    /// Looks whether versions that could not be found one by one are listed no longer.
    async fn have_gone(&self, names: &[Name]) -> Result<(), Fault> {
        let listed: BTreeSet<Name> = self
            .entries()
            .await?
            .into_values()
            .flatten()
            .map(|entry| (entry.key, entry.version))
            .collect();
        if names.iter().any(|name| listed.contains(name)) {
            return Err(self.settings.misconfigured(
                "the store lists versions and does not find them one by one: check `endpoint`, and \
                 what stands between",
            ));
        }
        Ok(())
    }

    /// What it has, of what it may be expected to have.
    async fn features(&self) -> Result<(Versioning, bool, Vec<LifeCycleRule>), Fault> {
        let versioning = self.bucket.versioning().await?;
        Ok((versioning, self.bucket.can_lock().await?, self.bucket.life_cycle().await?))
    }
}

#[async_trait]
impl BackupStore for S3 {
    fn kind(&self) -> &'static str {
        "s3"
    }

    async fn check(&self) -> Result<Health, Fault> {
        self.bucket.try_versions().await?;
        let (versioning, locks, rules) = self.features().await?;
        let prefix = self.bucket.address().prefix();
        let enabled = rules.iter().filter(|rule| rule.enabled && touches(rule, prefix)).count();
        for one in &self.must_have {
            let lost = match one.as_str() {
                "versions" if versioning != Versioning::Enabled => {
                    "it keeps no versions any more: what is written over or deleted is lost at \
                     once; switch versioning on again"
                }
                "lock" if !locks => {
                    "it has no object lock: whoever has the keys can remove every copy; make a \
                     bucket that has it"
                }
                "life_cycle" if enabled == 0 => {
                    "no rule of its life cycle removes anything: copies stay for ever; switch the \
                     rule on again"
                }
                _ => continue,
            };
            return Err(self.settings.misconfigured(&format!("{lost} (`must_have`)")));
        }
        let versions = match versioning {
            Versioning::Never => "without versions",
            Versioning::Enabled => "with versions",
            Versioning::Suspended => "with versions suspended",
        };
        let lock = if locks { "with object lock" } else { "without object lock" };
        let off = rules.iter().filter(|rule| !rule.enabled).count();
        let cycle = match (enabled, off) {
            (0, 0) => "without a life cycle".to_owned(),
            (on, 0) => format!("with a life cycle of {on} rule(s)"),
            (on, off) => format!("with a life cycle of {on} rule(s) and {off} switched off"),
        };
        let product = format!("S3-compatible bucket {versions}, {lock}, {cycle}");
        Ok(Health { product, ..Health::default() })
    }

    async fn copies(&self) -> Result<Vec<BackupCopy>, Fault> {
        let versioning = self.bucket.versioning().await?;
        let rules = self.bucket.life_cycle().await?;
        let entries = self.entries().await?;
        let (mut all, now) = (Vec::new(), (self.settings.now)());
        for entries in entries.values() {
            all.extend(standing(&entries.iter().collect::<Vec<_>>(), now));
        }
        let name = |one: &Standing<'_>| (one.entry.key.clone(), one.entry.version.clone());
        let names: Vec<Name> = all.iter().map(name).collect();
        let locks = self.locks(&names).await?;
        let missing: Vec<Name> =
            names.into_iter().filter(|name| !locks.contains_key(name)).collect();
        if !missing.is_empty() {
            self.have_gone(&missing).await?;
        }
        let mut copies = Vec::new();
        for one in &all {
            // What has gone since it was listed is no copy.
            if let Some(lock) = locks.get(&name(one)) {
                copies.push(self.copy(one, lock, (&rules, versioning))?);
            }
        }
        copies.sort_by_key(|copy| (copy.taken_at, copy.id.clone()));
        Ok(copies)
    }

    async fn retention(&self) -> Result<Option<StoreRetention>, Fault> {
        let versioning = self.bucket.versioning().await?;
        let rules = self.bucket.life_cycle().await?;
        let prefix = self.bucket.address().prefix();
        // Only what holds for every object that can be there.
        let all: Vec<&LifeCycleRule> = rules
            .iter()
            .filter(|rule| rule.larger_than.is_none() && rule.smaller_than.is_none())
            .filter(|rule| rule.covers(prefix, 0))
            .collect();
        let current = all.iter().filter_map(|rule| rule.days).min();
        let counted = all.iter().filter(|rule| rule.newer_noncurrent == 0);
        let noncurrent = counted.filter_map(|rule| rule.days_noncurrent).min();
        let days = longest_days(current, noncurrent, versioning);
        Ok(days.map(|days| StoreRetention {
            within: Some(format!("P{days}D")),
            ..StoreRetention::default()
        }))
    }

    async fn expire(&self, ids: &[String]) -> Result<Expiry, Fault> {
        let mut named: BTreeMap<Name, &String> = BTreeMap::new();
        if ids.is_empty() {
            return Ok(Expiry::default());
        }
        for id in ids {
            // Whoever could name a key could have any object removed.
            let Some(name) = self.name(id) else {
                return Err(Fault::Rejected {
                    message: format!(
                        "backup store `{}`: a name that is none of its copies was to be removed: \
                         nothing was",
                        self.settings.system
                    ),
                });
            };
            named.insert(name, id);
        }
        let entries = self.entries().await?;
        let listed: BTreeSet<Name> = entries
            .values()
            .flatten()
            .filter(|entry| entry.kind == EntryKind::Version)
            .map(|entry| (entry.key.clone(), entry.version.clone()))
            .collect();
        let there: Vec<Name> =
            named.keys().filter(|name| listed.contains(*name)).cloned().collect();
        let mut kept = self.keeps(&there).await?;
        let free: Vec<Name> = there.into_iter().filter(|name| !kept.contains_key(name)).collect();
        let removal = self.bucket.remove(&free).await?;
        let refused: Vec<Name> = removal.kept.iter().map(|(name, _)| name.clone()).collect();
        // A lock that came between the look and the removal.
        let later = self.keeps(&refused).await?;
        for (name, code) in removal.kept {
            let stay = later.get(&name).cloned().unwrap_or_else(|| not_removed(&code));
            kept.insert(name, stay);
        }
        let keys: BTreeSet<&String> = named.keys().map(|(key, _)| key).collect();
        let left = self.sweep(&keys).await?;
        let mut expiry = Expiry::default();
        for (name, id) in &named {
            if let Some(stay) = kept.remove(name) {
                expiry.kept.push(((*id).clone(), stay));
            } else if left.contains(name) {
                return Err(Fault::Transient {
                    message: format!(
                        "backup store `{}`: the store said that a version is removed, and still \
                         lists it",
                        self.settings.system
                    ),
                    retry_after_ms: None,
                });
            } else {
                expiry.gone.push((*id).clone());
            }
        }
        Ok(expiry)
    }

    async fn holding(&self, parts: &[InsidePart]) -> Result<Vec<InsideCopy>, Fault> {
        self.holding_inside(parts).await
    }

    async fn erase_inside(&self, parts: &[InsidePart]) -> Result<InsideErasure, Fault> {
        self.erase_objects(parts).await
    }
}

impl S3 {
    /// What keeps those of these versions that something keeps.
    pub(super) async fn keeps(&self, names: &[Name]) -> Result<BTreeMap<Name, Stay>, Fault> {
        let now = (self.settings.now)();
        let locks = self.locks(names).await?;
        Ok(locks.into_iter().filter_map(|(name, lock)| Some((name, stay(&lock, now)?))).collect())
    }
}

/// The store says no, and no lock is the reason.
pub(super) fn not_removed(code: &str) -> Stay {
    let why = format!(
        "the store does not remove it (`{code}`): grant `s3:DeleteObjectVersion` to the access key, \
         and see whether the bucket asks for a second factor"
    );
    Stay { until: None, why }
}

/// A rule that removes something below a prefix.
fn touches(rule: &LifeCycleRule, prefix: &str) -> bool {
    let removes = rule.days.is_some() || rule.at.is_some() || rule.days_noncurrent.is_some();
    removes && (rule.prefix.starts_with(prefix) || prefix.starts_with(&rule.prefix))
}

/// Why a version stays, at this moment.
fn stay(lock: &Lock, now: Timestamp) -> Option<Stay> {
    if lock.held {
        return Some(Stay {
            until: None,
            why: "a legal hold is on this version: who placed it has to lift it".to_owned(),
        });
    }
    let (mode, until) = lock.retained.filter(|(_, until)| *until > now)?;
    let why = match mode {
        RetentionMode::Governance => {
            "retained in governance mode: it goes after that day; it is never removed before, also \
             where somebody could"
        }
        RetentionMode::Compliance => {
            "retained in compliance mode: nobody can remove it before that day"
        }
    };
    Some(Stay { until: Some(until), why: why.to_owned() })
}

fn bucket_settings(settings: &BackupSettings) -> Result<BucketSettings, Fault> {
    let addressing = match settings.told("addressing") {
        None => None,
        Some("path") => Some(Addressing::Path),
        Some("host") => Some(Addressing::Host),
        Some(_) => return Err(settings.misconfigured("`addressing` is `path` or `host`")),
    };
    let secret = |name: &str| SecretString::from(settings.told(name).unwrap_or_default());
    Ok(BucketSettings {
        who: format!("backup store `{}`", settings.system),
        place: settings.place.expose_secret().to_owned(),
        endpoint: settings.told("endpoint").map(str::to_owned),
        region: settings.told("region").unwrap_or(REGION).to_owned(),
        addressing,
        access_key: secret("access_key"),
        secret_key: secret("secret_key"),
        session_token: settings.told("session_token").map(SecretString::from),
        private_hosts: settings.list("private_hosts"),
        trust: settings.told("trust").map(|told| pem(settings, told)).transpose()?,
        now: settings.now.clone(),
    })
}

/// Certificates as they were told, or those of a file.
fn pem(settings: &BackupSettings, told: &str) -> Result<String, Fault> {
    if told.contains("-----BEGIN") {
        return Ok(told.to_owned());
    }
    std::fs::read_to_string(told).map_err(|error| {
        settings.misconfigured(&format!(
            "the file of `trust` cannot be read ({}): name a file with certificates as PEM",
            error.kind()
        ))
    })
}
