//! What keeps a version from being removed: retention until a date, and legal holds.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use crate::outbound::{Method, Reply};
use crate::receipt::Fault;

use super::bucket::{Answer, Bucket, Wanted};
use super::xml::Element;

/// Versions that are asked about side by side.
const AT_ONCE: usize = 16;
/// What stores say of a version, or of a bucket, that has nothing of the kind.
const NOTHING: &[&str] = &["NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError"];
/// What they say of a version that has gone since.
const GONE: &[&str] = &["NoSuchKey", "NoSuchVersion", "NoSuchObject"];

/// How a version is retained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetentionMode {
    /// Those with a further permission may remove it all the same; Quietus never does.
    Governance,
    /// Nobody may.
    Compliance,
}

/// What keeps a version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// How, and until when.
    pub retained: Option<(RetentionMode, Timestamp)>,
    /// A legal hold, which has no end of its own.
    pub held: bool,
}

/// What the headers of one version say; what they leave out may be hidden.
#[derive(Debug, Clone, Default)]
struct Said {
    /// The store gives no headers of this one, because it is encrypted with a key of the customer's.
    hidden: bool,
    retained: Option<(RetentionMode, Timestamp)>,
    held: Option<bool>,
}

/// What a call of its own says of a version.
enum Told<T> {
    /// The version is not there any more.
    Gone,
    /// Nothing of the kind was set.
    Nothing,
    Is(T),
}

impl Bucket {
    /// Versions of this bucket can be locked.
    ///
    /// # Errors
    /// Where the store does not tell.
    pub async fn can_lock(&self) -> Result<bool, Fault> {
        let what = "its settings of object lock";
        let wanted =
            Wanted::get(what, "s3:GetBucketObjectLockConfiguration", &[("object-lock", "")]);
        // Stores without the feature answer in many ways; that it is not there is one of them.
        let absent =
            [NOTHING, &["NotImplemented", "InvalidRequest", "InvalidBucketState"]].concat();
        let Some(root) = self.document(&wanted, "ObjectLockConfiguration", &absent).await? else {
            return Ok(false);
        };
        match root.word("ObjectLockEnabled") {
            Some("Enabled") => Ok(true),
            _ => Err(self.nonsense(what)),
        }
    }

    /// What keeps each of these versions, by key and version. Those that have gone meanwhile are
    /// left out.
    ///
    /// Stores leave headers out for those who may not read them, so that a header that is missing
    /// says nothing until another version has shown that it would be there; else it is asked for
    /// by a call of its own.
    ///
    /// # Errors
    /// Where a store does not tell of one of them.
    pub async fn locks(
        &self,
        versions: &[(String, String)],
    ) -> Result<BTreeMap<(String, String), Lock>, Fault> {
        // Names are moved: futures that borrow what a stream gives cannot be sent between threads.
        let asked = stream::iter(versions.to_vec()).map(|name| async move {
            let said = self.headers(&name.0, &name.1).await?;
            Ok::<_, Fault>((name, said))
        });
        let said: Vec<_> = asked.buffer_unordered(AT_ONCE).try_collect().await?;
        let there = || said.iter().filter_map(|(_, said)| said.as_ref());
        let shows_retention = there().any(|said| said.retained.is_some());
        let shows_holds = there().any(|said| said.held.is_some());
        let asked = stream::iter(said).map(|(name, said)| async move {
            let (key, version) = (&name.0, &name.1);
            let Some(said) = said else { return Ok(None) };
            let mut lock = Lock { retained: said.retained, held: said.held.unwrap_or_default() };
            if said.retained.is_none() && (said.hidden || !shows_retention) {
                match self.retention(key, version).await? {
                    Told::Gone => return Ok(None),
                    Told::Nothing => {}
                    Told::Is(retained) => lock.retained = Some(retained),
                }
            }
            if said.held.is_none() && (said.hidden || !shows_holds) {
                match self.hold(key, version).await? {
                    Told::Gone => return Ok(None),
                    Told::Nothing => {}
                    Told::Is(()) => lock.held = true,
                }
            }
            Ok::<_, Fault>(Some((name, lock)))
        });
        let locks: Vec<_> = asked.buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(locks.into_iter().flatten().collect())
    }

    /// What the headers of a version say; `None` where it has gone.
    async fn headers(&self, key: &str, version: &str) -> Result<Option<Said>, Fault> {
        let (what, grant) = ("the headers of a version", "s3:GetObjectVersion");
        let query = [("versionId", version)];
        let wanted =
            Wanted { method: Method::HEAD, key: Some(key), ..Wanted::get(what, grant, &query) };
        match self.send(&wanted).await? {
            // An answer to `HEAD` has no body that could tell why.
            Answer::No(refusal) if refusal.status == 404 => Ok(None),
            Answer::No(refusal) if refusal.status == 400 => {
                Ok(Some(Said { hidden: true, ..Said::default() }))
            }
            Answer::No(refusal) => Err(self.no(&refusal, &wanted)),
            Answer::Yes(reply) => said(&reply).map(Some).ok_or_else(|| self.nonsense(what)),
        }
    }

    /// Retention by a call of its own.
    async fn retention(
        &self,
        key: &str,
        version: &str,
    ) -> Result<Told<(RetentionMode, Timestamp)>, Fault> {
        let (what, grant) = ("the retention of a version", "s3:GetObjectRetention");
        let told = self.of_version(key, version, ("retention", "Retention"), (what, grant)).await?;
        let root = match told {
            Told::Is(root) => root,
            Told::Nothing => return Ok(Told::Nothing),
            Told::Gone => return Ok(Told::Gone),
        };
        // A retention that was lifted is told as an empty element.
        let (mode, until) = (root.word("Mode"), root.word("RetainUntilDate"));
        if mode.is_none() && until.is_none() {
            return Ok(Told::Nothing);
        }
        let read = mode.zip(until).and_then(|(mode, until)| retained(mode, until));
        read.map(Told::Is).ok_or_else(|| self.nonsense(what))
    }

    /// A hold by a call of its own.
    async fn hold(&self, key: &str, version: &str) -> Result<Told<()>, Fault> {
        let (what, grant) = ("the legal hold of a version", "s3:GetObjectLegalHold");
        let told =
            self.of_version(key, version, ("legal-hold", "LegalHold"), (what, grant)).await?;
        let root = match told {
            Told::Is(root) => root,
            Told::Nothing => return Ok(Told::Nothing),
            Told::Gone => return Ok(Told::Gone),
        };
        match root.word("Status") {
            Some("ON") => Ok(Told::Is(())),
            Some("OFF") => Ok(Told::Nothing),
            _ => Err(self.nonsense(what)),
        }
    }

    /// A document of a version.
    async fn of_version(
        &self,
        key: &str,
        version: &str,
        (part, root): (&str, &str),
        (what, grant): (&'static str, &'static str),
    ) -> Result<Told<Element>, Fault> {
        let query = [(part, ""), ("versionId", version)];
        let wanted = Wanted { key: Some(key), ..Wanted::get(what, grant, &query) };
        match self.send(&wanted).await? {
            Answer::No(refusal) if refusal.is_one_of(GONE) => Ok(Told::Gone),
            Answer::No(refusal) if refusal.is_one_of(NOTHING) => Ok(Told::Nothing),
            Answer::No(refusal) => Err(self.no(&refusal, &wanted)),
            Answer::Yes(reply) => {
                let document = Element::parse(reply.body(), root);
                document.map(Told::Is).ok_or_else(|| self.nonsense(what))
            }
        }
    }
}

/// `None` where a header says what nobody understands.
fn said(reply: &Reply) -> Option<Said> {
    let mode = reply.header("x-amz-object-lock-mode");
    let until = reply.header("x-amz-object-lock-retain-until-date");
    let retained = match (mode, until) {
        (None, None) => None,
        (Some(mode), Some(until)) => Some(retained(mode, until)?),
        _ => return None,
    };
    let held = match reply.header("x-amz-object-lock-legal-hold") {
        None => None,
        Some("ON") => Some(true),
        Some("OFF") => Some(false),
        Some(_) => return None,
    };
    Some(Said { hidden: false, retained, held })
}

fn retained(mode: &str, until: &str) -> Option<(RetentionMode, Timestamp)> {
    let mode = match mode {
        "GOVERNANCE" => RetentionMode::Governance,
        "COMPLIANCE" => RetentionMode::Compliance,
        _ => return None,
    };
    Some((mode, until.parse().ok()?))
}
