//! The last scene, in another copy of the folder: a backup of before the erasure is put back, the
//! guard stands in the way, and what came back is gone again before anybody uses it.

use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::Timestamp;
use quietus_connectors::{Fault, sample};

use super::asking::Asked;
use super::company::Company;
use super::copied::Copied;
use super::person::{self, Found};
use super::stage::Stage;
use super::{Failure, Untrue, audit, heading, must, right};
use crate::app::Actor;
use crate::app::restore::BeginRestore;
use crate::cli::opening::{number, say};
use crate::cli::{FINE, restores};
use crate::evidence::certificate::{CertificateClass, Predicate};
use crate::evidence::status_list::CertificateStatus;

/// The system whose disk is lost.
const SYSTEM: &str = "crm";
/// Its backup, in the folder of the story.
const BACKUP: &str = "backups/crm.db";
/// The copy of the folder.
const COPY: &str = "a-restore";
/// The certificate of the restore, and the new one of her request, in the copy.
const CERTIFICATE: &str = "restore-certificate";
const HERS: &str = "request-certificate";

/// A backup that was taken before anything was erased.
pub(super) struct Backup {
    file: PathBuf,
    taken_at: Timestamp,
}

impl Backup {
    /// Takes it.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) async fn take(
        company: &Company,
        folder: &Path,
        now: Timestamp,
    ) -> Result<Self, Untrue> {
        let file = folder.join(BACKUP);
        let above = file.parent().unwrap_or(folder);
        std::fs::create_dir_all(above).map_err(|error| Untrue(error.to_string()))?;
        let name = file.display().to_string().replace('\'', "''");
        sample::write(&company.database(SYSTEM), &format!("VACUUM INTO '{name}'")).await?;
        Ok(Self { file, taken_at: now })
    }

    /// Puts it in the place of the database, as whoever restores a database does: past the product.
    fn put_back(&self, company: &Company) -> Result<(), Untrue> {
        let database = company.database(SYSTEM);
        let log = PathBuf::from(format!("{}-wal", database.display()));
        if log.exists() {
            std::fs::remove_file(&log).map_err(|error| Untrue(error.to_string()))?;
        }
        std::fs::copy(&self.file, &database).map_err(|error| Untrue(error.to_string()))?;
        Ok(())
    }
}

/// Tells it.
pub(super) async fn tell(stage: &Stage, asked: &Asked) -> Result<(), Failure> {
    heading(18, "And if a backup of before is restored? (in another copy of the folder)");
    let copied = Copied::of(stage, COPY).await?;
    put_back(stage, &copied).await?;
    let began = Instant::now();
    let case = begin(stage, &copied).await?;
    stand_in_the_way(&copied).await?;
    must(
        restores::carry_out(&copied.product, SYSTEM).await? == FINE,
        "not everything was done again",
    )?;
    let gone = hers(&copied.company).await?;
    must(gone.values().all(|count| *count == 0), "she is still there")?;
    right("she is gone again: plain SQL finds no record of hers in crm");
    let left = overdue(&copied, copied.product.this_second()).await?;
    must(left == 0, "what rules had made due is still there")?;
    right("and so is everything that rules have made due there since");
    let opened = copied.product.open_restored(SYSTEM, &by()).await?;
    must(opened.came_back == 1, "somebody else came back")?;
    right(format!("crm is open after {:.1} seconds", began.elapsed().as_secs_f64()));
    certified(&copied, case, asked).await?;
    copied.product.store.close().await;
    Ok(())
}

fn by() -> Actor {
    Actor("Ada Example".to_owned())
}

/// Her records in the system.
async fn hers(company: &Company) -> Result<Found, Fault> {
    let mut found = person::records(company).await?;
    found.retain(|table, _| table.starts_with("crm."));
    Ok(found)
}

/// What must not be there after a run and is.
async fn overdue(copied: &Copied, moment: Timestamp) -> Result<u64, Fault> {
    let mut found = 0;
    for claim in Company::claims(moment).iter().filter(|one| one.none && one.database == SYSTEM) {
        found += sample::count(&copied.company.database(SYSTEM), &claim.query).await?;
    }
    Ok(found)
}

async fn put_back(stage: &Stage, copied: &Copied) -> Result<(), Untrue> {
    stage.backup.put_back(&copied.company)?;
    let back = hers(&copied.company).await?;
    must(back.values().all(|count| *count > 0), "the backup has not brought her back")?;
    say(format!(
        "   The disk of crm is lost, and its backup of {} is put back. She is there again: {};\n   and so are {} records that rules had made due.",
        stage.day(stage.backup.taken_at),
        person::in_words(&back),
        number(overdue(copied, copied.product.this_second()).await?)
    ));
    Ok(())
}

/// Somebody says so; the case of what rules have made due.
async fn begin(stage: &Stage, copied: &Copied) -> Result<uuid::Uuid, Untrue> {
    let begun = Box::pin(copied.product.begin_restore(BeginRestore {
        system: SYSTEM.to_owned(),
        taken_at: stage.backup.taken_at,
        copy: None,
        announced: true,
        back_since: None,
        reason: "disk lost, OPS-7".to_owned(),
        actor: by(),
    }))
    .await?;
    must(!begun.waits_for_approval, "it exceeds a cap")?;
    must((begun.replays, begun.forgotten) == (1, 0), "her case is not done again")?;
    right("crm is in quarantine: her erasure is done again, and what rules have made due since");
    Ok(begun.case)
}

async fn stand_in_the_way(copied: &Copied) -> Result<(), Untrue> {
    match copied.product.open_restored(SYSTEM, &by()).await {
        Ok(_) => Err(Untrue("it could be opened before anything was done".to_owned())),
        Err(refused) => {
            right("the guard stands in the way of whoever wants to open it now:");
            for line in refused.to_string().lines() {
                say(format!("     {line}"));
            }
            Ok(())
        }
    }
}

async fn certified(copied: &Copied, case: uuid::Uuid, asked: &Asked) -> Result<(), Untrue> {
    let to = copied.folder.join(CERTIFICATE);
    audit::export(&copied.product, case, &to).await?;
    let restore = audit::check_briefly(&to)?;
    must(restore.class == CertificateClass::Restore, "it is no certificate of a restore")?;
    say_what_was_back(copied, &restore)?;
    let to = copied.folder.join(HERS);
    audit::export(&copied.product, asked.case, &to).await?;
    let hers = audit::check_quietly(&to)?;
    let replaced = hers.supersedes.as_ref();
    let replaced = replaced.ok_or_else(|| Untrue("her certificate is the old one".to_owned()))?;
    must(replaced.reason == "reappeared", "her certificate was replaced for another reason")?;
    right(format!(
        "her certificate {} is {} by one that says from when until when her data were back",
        replaced.certificate_id,
        CertificateStatus::Superseded.as_str()
    ));
    Ok(())
}

fn say_what_was_back(copied: &Copied, said: &Predicate) -> Result<(), Untrue> {
    let restore = said.restores.first();
    let restore = restore.ok_or_else(|| Untrue("it tells of no restore".to_owned()))?;
    let persons = restore.persons.as_ref();
    let persons = persons.ok_or_else(|| Untrue("it counts no persons".to_owned()))?;
    must(persons.came_back.0 == 1, "the certificate counts others")?;
    let zone = copied.product.zone();
    let clock = |moment: Timestamp| zone.to_datetime(moment).strftime("%H:%M:%S").to_string();
    say(format!(
        "   It certifies that {} person was back, with {} records, at most from {} until {}.",
        persons.came_back.0,
        restore.records.0,
        clock(restore.back_from),
        clock(restore.gone_again_at)
    ));
    Ok(())
}
