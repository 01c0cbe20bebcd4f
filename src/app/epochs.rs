//! Keys of epochs and of cases: what evidence means is sealed under a key of its case, and that key
//! is wrapped with the key of a month, which is in `epochs/` of the keys folder and never in the
//! store. So whoever has a copy of the store, and of the keys folder of another time, reads nothing
//! whose key or whose month is gone.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::keys::{new_vault_secret, read_or_make, vault_secret};
use super::recording::About;
use super::vault::{Vault, VaultError};
use super::{AppError, Quietus};
use crate::config;
use crate::domain::{Digest, EpochName, Ids};
use crate::evidence::EvidenceKind;
use crate::store::{DataKey, DetailKey, Refused};

/// Folder of the epochs' keys, in the keys folder.
const FOLDER: &str = "epochs";
/// Purpose of the keyed digest by which an epoch's key is known again.
const CHECK: &str = "key epoch";
/// Purpose under which the key of a case is wrapped.
const DATA_KEY: &str = "data key";
/// No more keys of cases than this stay in memory.
const MOST_KEYS: usize = 1000;
/// A process seals no longer than this under the key of a case, because another one may have
/// shredded the case meanwhile; in seconds.
const LONGEST_USE: i64 = 600;

/// The keys of epochs, as far as they were needed, and those of the cases at hand.
pub(crate) struct Epochs {
    folder: PathBuf,
    opened: Mutex<Opened>,
}

#[derive(Default)]
struct Opened {
    vaults: BTreeMap<EpochName, Arc<Vault>>,
    current: Option<EpochName>,
    cases: HashMap<Option<Uuid>, CaseKey>,
}

#[derive(Clone)]
struct CaseKey {
    row: DataKey,
    vault: Arc<Vault>,
    made_at: Timestamp,
}

/// A key that is to be wrapped, or was unwrapped.
pub(crate) type OpenKey = Zeroizing<[u8; 32]>;

fn file_of(epoch: &EpochName) -> String {
    format!("{epoch}.key")
}

fn no_epoch() -> AppError {
    AppError::Secret("no month's key is open: open the instance again".to_owned())
}

/// By what an epoch's key is known again; nothing follows from it.
pub(super) fn check_of(vault: &Vault, epoch: &EpochName) -> Result<Digest, AppError> {
    let tag = vault.tag(CHECK, epoch.as_str());
    Ok(Digest(tag.try_into().map_err(|_| VaultError::Sealing)?))
}

impl Epochs {
    pub(super) fn new(keys: &Path) -> Self {
        Self { folder: keys.join(FOLDER), opened: Mutex::default() }
    }

    fn opened(&self) -> MutexGuard<'_, Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The epoch whose key wraps new keys.
    pub(super) fn current(&self) -> Option<EpochName> {
        self.opened().current.clone()
    }

    /// The key of an epoch, made where it was `never_used`.
    fn read(&self, epoch: &EpochName, never_used: bool) -> Result<Arc<Vault>, AppError> {
        if let Some(vault) = self.opened().vaults.get(epoch) {
            return Ok(Arc::clone(vault));
        }
        let used = (!never_used).then_some("what was sealed in that month and opens with it only");
        let name = file_of(epoch);
        let secret = read_or_make(&self.folder, &name, used, new_vault_secret)?;
        let vault = Arc::new(Vault::new(&*vault_secret(&secret, &name)?)?);
        self.opened().vaults.insert(epoch.clone(), Arc::clone(&vault));
        Ok(vault)
    }

    /// Whether the file of an epoch's key is in its place.
    pub(super) fn has_file(&self, epoch: &EpochName) -> bool {
        self.folder.join(file_of(epoch)).exists()
    }

    /// Writes over the file of an epoch's key and removes it; nothing happens where there is none.
    pub(super) fn destroy(&self, epoch: &EpochName) -> Result<(), AppError> {
        config::destroy_key(&self.folder, &file_of(epoch))
            .map_err(|error| AppError::Secret(error.to_string()))?;
        let mut opened = self.opened();
        opened.vaults.remove(epoch);
        opened.cases.retain(|_, key| key.row.epoch != *epoch);
        Ok(())
    }

    fn begin(&self, epoch: EpochName) {
        let mut opened = self.opened();
        opened.current = Some(epoch);
        opened.cases.clear();
    }

    /// Wraps a key for a purpose with the key of the current epoch.
    pub(crate) fn wrap(
        &self,
        purpose: &str,
        key: &OpenKey,
        random: [u8; 32],
    ) -> Result<(EpochName, Vec<u8>), AppError> {
        let epoch = self.current().ok_or_else(no_epoch)?;
        let text = Zeroizing::new(hex::encode(key.as_slice()));
        let wrapped = self.read(&epoch, false)?.seal(purpose, &*text, random)?;
        Ok((epoch, wrapped))
    }

    /// Unwraps a key that was wrapped for the same purpose with the key of an epoch.
    pub(crate) fn unwrap(
        &self,
        purpose: &str,
        epoch: &EpochName,
        wrapped: &[u8],
    ) -> Result<OpenKey, AppError> {
        open_key(&*self.read(epoch, false)?, purpose, wrapped)
    }

    /// A digest of a value, keyed with the key of the current epoch.
    pub(super) fn tag(
        &self,
        purpose: &str,
        value: &[u8],
    ) -> Result<(EpochName, Vec<u8>), AppError> {
        let epoch = self.current().ok_or_else(no_epoch)?;
        let tag = self.read(&epoch, false)?.tag(purpose, &hex::encode(value));
        Ok((epoch, tag))
    }

    /// A digest of a value, keyed with the key of an epoch; `None` where that key is not here.
    pub(super) fn tag_of(
        &self,
        epoch: &EpochName,
        purpose: &str,
        value: &[u8],
    ) -> Result<Option<Vec<u8>>, AppError> {
        if !self.is_here(epoch) {
            return Ok(None);
        }
        Ok(Some(self.read(epoch, false)?.tag(purpose, &hex::encode(value))))
    }

    /// Whether the key of an epoch can be had.
    pub(super) fn is_here(&self, epoch: &EpochName) -> bool {
        let is_here = self.opened().vaults.contains_key(epoch) || self.has_file(epoch);
        if !is_here {
            tracing::warn!(%epoch, "the key of this month is not in the keys folder");
        }
        is_here
    }

    /// Wraps the key of a case anew with the key of the current epoch.
    pub(super) fn rewrap(&self, key: &DataKey, random: [u8; 32]) -> Result<DataKey, AppError> {
        let opened = self.unwrap(DATA_KEY, &key.epoch, &key.wrapped)?;
        let (epoch, wrapped) = self.wrap(DATA_KEY, &opened, random)?;
        Ok(DataKey { epoch, wrapped, ..key.clone() })
    }

    /// A key under which details of a case (or of no case) are sealed, with the row that has to be
    /// written with them. One that the store has refused is not used again: another process has
    /// shredded what it sealed.
    pub(super) fn key_for(
        &self,
        case: Option<Uuid>,
        ids: &dyn Ids,
        now: Timestamp,
    ) -> Result<(DataKey, Arc<Vault>), AppError> {
        let known = self.opened().cases.get(&case).cloned();
        if let Some(key) = known
            && !key.row.refused.is_told()
            && (case.is_none() || now.duration_since(key.made_at).as_secs().abs() < LONGEST_USE)
        {
            return Ok((key.row, key.vault));
        }
        let (row, vault) = self.new_key(case, ids)?;
        let vault = Arc::new(vault);
        let mut opened = self.opened();
        if opened.cases.len() >= MOST_KEYS {
            opened.cases.clear();
        }
        let kept = CaseKey { row: row.clone(), vault: Arc::clone(&vault), made_at: now };
        opened.cases.insert(case, kept);
        Ok((row, vault))
    }

    /// A key of its own for something of a case, with the row that has to be written with it.
    pub(super) fn new_key(
        &self,
        case: Option<Uuid>,
        ids: &dyn Ids,
    ) -> Result<(DataKey, Vault), AppError> {
        let secret = Zeroizing::new(ids.random());
        let (epoch, wrapped) = self.wrap(DATA_KEY, &secret, ids.random())?;
        let refused = Refused::default();
        let row = DataKey { id: ids.new_id(), case_id: case, epoch, wrapped, refused };
        Ok((row, Vault::new(&secret)?))
    }

    /// Forgets the keys of a case, or those of no case.
    pub(super) fn forget(&self, case: Option<Uuid>) {
        self.opened().cases.remove(&case);
    }

    /// The vault of a detail's key; `None` where the key is destroyed, or its month's.
    pub(super) fn vault_of(&self, key: &DetailKey) -> Result<Option<Vault>, AppError> {
        let Some(wrapped) = &key.wrapped else { return Ok(None) };
        if !self.is_here(&key.epoch) {
            return Ok(None);
        }
        let secret = self.unwrap(DATA_KEY, &key.epoch, wrapped)?;
        Ok(Some(Vault::new(&secret)?))
    }
}

/// Opens a wrapped key with the key that wraps it.
pub(super) fn open_key(vault: &Vault, purpose: &str, wrapped: &[u8]) -> Result<OpenKey, AppError> {
    let text = Zeroizing::new(vault.open::<String>(purpose, wrapped)?);
    let mut key = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.as_bytes(), key.as_mut_slice()).map_err(|_| VaultError::Opening)?;
    Ok(key)
}

impl Quietus {
    /// Begins the epoch of the present month, where that has not been done: from then on its key
    /// wraps new keys. Costs nothing where there is nothing to do.
    ///
    /// # Errors
    /// Where the store is not there, or the month's key is missing or another than the one on record:
    /// all processes of an instance share one keys folder.
    pub async fn keep_epoch(&self) -> Result<(), AppError> {
        let month = EpochName::of(self.now());
        if self.epochs.current().is_some_and(|current| current >= month) {
            return Ok(());
        }
        let known = self.store.key_epochs().await?;
        // A clock that was set back does not go back to an earlier month's key.
        let newest = known.iter().filter(|one| one.left_at.is_none()).map(|one| &one.name).max();
        let name = newest.map_or(month.clone(), |newest| month.max(newest.clone()));
        let never_used = known.iter().all(|one| one.name != name);
        let vault = self.epochs.read(&name, never_used)?;
        let check = check_of(&vault, &name)?;
        let added = self.record(
            EvidenceKind::KeyAdded,
            About::default(),
            &json!({ "key": "epoch", "name": name.as_str() }),
        )?;
        let on_record = self.store.begin_epoch(&name, check, self.now(), vec![added]).await?;
        if on_record.key_check != check {
            return Err(AppError::Secret(format!(
                "`{}` is another key than the one that this store knows of that month: all processes of an instance share one keys folder; copy the file from where it was made",
                self.epochs.folder.join(file_of(&name)).display()
            )));
        }
        self.epochs.begin(name);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::SystemIds;

    fn november() -> EpochName {
        EpochName::parse("2026-11").unwrap()
    }

    fn epochs(folder: &Path) -> Epochs {
        let epochs = Epochs::new(folder);
        epochs.read(&november(), true).unwrap();
        epochs.begin(november());
        epochs
    }

    fn noon() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn detail_key(row: &DataKey) -> DetailKey {
        DetailKey { id: row.id, epoch: row.epoch.clone(), wrapped: Some(row.wrapped.clone()) }
    }

    #[test]
    fn a_case_has_one_key_and_another_case_another() {
        let folder = tempfile::tempdir().unwrap();
        let epochs = epochs(folder.path());
        let case = Some(Uuid::from_u128(1));
        let (one, vault) = epochs.key_for(case, &SystemIds, noon()).unwrap();
        let (again, _) = epochs.key_for(case, &SystemIds, noon()).unwrap();
        let (other, _) = epochs.key_for(None, &SystemIds, noon()).unwrap();
        assert_eq!(one, again);
        assert_ne!(one.id, other.id);
        let sealed = vault.seal("x", &"text", [1; 32]).unwrap();
        let opened = epochs.vault_of(&detail_key(&one)).unwrap().unwrap();
        assert_eq!(opened.open::<String>("x", &sealed).unwrap(), "text");
        let other = epochs.vault_of(&detail_key(&other)).unwrap().unwrap();
        assert!(other.open::<String>("x", &sealed).is_err());
        epochs.forget(case);
        assert_ne!(epochs.key_for(case, &SystemIds, noon()).unwrap().0.id, one.id);
    }

    /// Another process has shredded what belongs to no case.
    #[test]
    fn a_key_that_the_store_refused_is_not_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let epochs = epochs(folder.path());
        for case in [None, Some(Uuid::from_u128(1))] {
            let (one, _) = epochs.key_for(case, &SystemIds, noon()).unwrap();
            one.refused.tell();
            let (other, _) = epochs.key_for(case, &SystemIds, noon()).unwrap();
            assert_ne!(one.id, other.id);
            assert_eq!(epochs.key_for(case, &SystemIds, noon()).unwrap().0.id, other.id);
        }
    }

    #[test]
    fn what_a_destroyed_epoch_wrapped_stays_closed() {
        let folder = tempfile::tempdir().unwrap();
        let epochs = epochs(folder.path());
        let (row, _) = epochs.key_for(None, &SystemIds, noon()).unwrap();
        assert!(epochs.has_file(&november()));
        epochs.destroy(&november()).unwrap();
        epochs.destroy(&november()).unwrap();
        assert!(!epochs.has_file(&november()));
        assert!(epochs.vault_of(&detail_key(&row)).unwrap().is_none());
        assert!(epochs.unwrap(DATA_KEY, &november(), &row.wrapped).is_err());
        // Nor does a new key of the same name open it.
        epochs.read(&november(), true).unwrap();
        assert!(epochs.unwrap(DATA_KEY, &november(), &row.wrapped).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_its_owners() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        epochs(folder.path());
        let path = folder.path().join("epochs/2026-11.key");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = Epochs::new(folder.path()).read(&november(), false).err().unwrap();
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
}
