//! The log, those who vouch for it, certificates, drills, and our own records.

use jiff::{SignedDuration, Timestamp};

use super::{Finding, Found, is_longer_than};
use crate::app::Quietus;
use crate::app::anchor::standing::AnchorStanding;
use crate::app::log_standing::Standing;
use crate::domain::{AlarmKind, RetentionPeriod, Rounding};

/// Evidence that waits longer for the log was forgotten: a process that runs moves it at once.
const PUBLISHED_WITHIN: SignedDuration = SignedDuration::from_mins(5);
/// The re-erasure list is written as often as the log is.
const LISTED_WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// Whoever vouches and has not for longer is asked in vain.
const VOUCHED_WITHIN: SignedDuration = SignedDuration::from_hours(24);
/// A case whose last job ended longer ago should have its certificate.
const CERTIFIED_WITHIN: SignedDuration = SignedDuration::from_mins(15);
/// Cases without a certificate that are looked at.
const MOST_CASES: u32 = 100;

impl Quietus {
    /// The log and the re-erasure list.
    pub(super) async fn log_at_fault(&self) -> Found {
        let mut found = Vec::new();
        let logs = self.store.logs().await?;
        let standing = self.log_standing(&logs).await?;
        if let Some(why) = standing.why() {
            let wrong = Finding::wrong("log", format!("nothing is published: {why}"))
                .kind(AlarmKind::LogStopped);
            let wrong = match standing {
                Standing::Behind { .. } | Standing::Unknown { .. } => wrong.advice(
                    "nothing is carried out either; bring the database forward from the re-erasure list (`quietus recover PLACE`), or the log from its export",
                ),
                _ => wrong,
            };
            found.push(wrong.command("quietus log status"));
        }
        let waiting = self.store.unpublished().await?;
        if let Some(since) =
            waiting.entries_since.filter(|at| self.has_lasted(PUBLISHED_WITHIN, *at))
        {
            found.push(
                Finding::wrong(
                    "log",
                    format!("{} entries wait to be published, and nobody does", waiting.entries),
                )
                .kind(AlarmKind::LogWaiting)
                .since(since)
                .advice("`quietus run` does it all the time; this does it once")
                .command("quietus run --once"),
            );
        }
        if let Some(list) = self.list_standing().await?
            && list.waiting > 0
            && list.written_at.is_none_or(|at| self.has_lasted(LISTED_WITHIN, at))
        {
            found.push(
                Finding::wrong(
                    "re-erasure list",
                    format!(
                        "{} changes are not in it: what it lacks is lost with the database",
                        list.waiting
                    ),
                )
                .kind(AlarmKind::ListWaiting)
                .since(list.written_at)
                .command("quietus list export"),
            );
        }
        Ok(found)
    }

    pub(super) fn has_lasted(&self, limit: SignedDuration, since: Timestamp) -> bool {
        is_longer_than(limit, since, self.now())
    }

    /// Who should vouch for the log and does not.
    pub(super) async fn anchors_at_fault(&self) -> Found {
        if !self.has_anchors() {
            return Ok(Vec::new());
        }
        let report = self.anchor_report().await?;
        let begun = self.store.logs().await?.iter().map(|log| log.created_at).max();
        let mut found = Vec::new();
        for one in &report.all {
            let behind = one.size.is_none_or(|size| size < report.size);
            if behind && self.is_anchor_late(one, begun) {
                let entries = report.size.saturating_sub(one.size.unwrap_or(0));
                let what = format!("it does not vouch for the newest {entries} entries of the log");
                found.push(
                    Finding::wrong(format!("{} {}", one.role.as_str(), one.name), what)
                        .kind(AlarmKind::AnchorLate)
                        .since(one.at.or(begun))
                        .advice("this asks it and says why it does not")
                        .command("quietus anchor now"),
                );
            } else if one.ages {
                found.push(
                    Finding::look(
                        format!("{} {}", one.role.as_str(), one.name),
                        "what it stamped is not sound for much longer",
                    )
                    .kind(AlarmKind::AnchorAgeing)
                    .advice("give it its authority's new certificate, or name another authority")
                    .command("quietus anchor list"),
                );
            }
        }
        if report.renewal_due {
            found.push(
                Finding::wrong("log", "no time stamp over it is sound for long: old certificates lose their proof of time")
                    .kind(AlarmKind::AnchorRenewal)
                    .command("quietus anchor now"),
            );
        }
        Ok(found)
    }

    /// It has not vouched for a day beyond the pace that was agreed with it.
    fn is_anchor_late(&self, one: &AnchorStanding, begun: Option<Timestamp>) -> bool {
        let Some(last) = one.at.or(begun) else { return false };
        let authorities = &self.instance.anchors.authorities;
        let every = authorities.iter().find(|authority| authority.name == one.name);
        let next = every.map_or(last, |authority| self.due_after(last, &authority.every));
        self.has_lasted(VOUCHED_WITHIN, next)
    }

    /// A moment so much later.
    pub(super) fn due_after(&self, moment: Timestamp, period: &RetentionPeriod) -> Timestamp {
        period.due_at(moment, Rounding::None, &self.zone)
    }

    /// Those who vouch in few words.
    pub(super) fn anchors_in_words(&self) -> String {
        let anchors = &self.instance.anchors;
        let (authorities, witnesses) = (anchors.authorities.len(), anchors.witnesses.len());
        if authorities + witnesses == 0 {
            return "nobody is asked to vouch (`anchors` in `quietus.yaml`)".to_owned();
        }
        format!("{authorities} time-stamp authorities and {witnesses} witnesses vouch")
    }

    /// Certificates that are owed, not proven, or not vouched for.
    pub(super) async fn certificates_at_fault(&self) -> Found {
        let mut found = Vec::new();
        for case in self.store.cases_to_certify(None, MOST_CASES).await? {
            let jobs = self.store.jobs_of_case(case.id).await?;
            let ended =
                jobs.iter().filter_map(|job| job.settled_at).max().unwrap_or(case.created_at);
            if self.has_lasted(CERTIFIED_WITHIN, ended) {
                found.push(
                    Finding::wrong(
                        format!("case {}", case.id),
                        "all of it is done, and it has no certificate",
                    )
                    .kind(AlarmKind::CertificateOwed)
                    .since(ended)
                    .advice("this makes it, or says why it cannot be made")
                    .command("quietus run --once"),
                );
            }
        }
        let waiting = self.store.unpublished().await?;
        if let Some(since) =
            waiting.unproven_since.filter(|at| self.has_lasted(PUBLISHED_WITHIN, *at))
        {
            let what = format!("{} are signed and not proven to be in the log", waiting.unproven);
            found.push(
                Finding::wrong("certificates", what)
                    .kind(AlarmKind::CertificateUnproven)
                    .since(since)
                    .command("quietus run --once"),
            );
        }
        if self.has_anchors()
            && let Some((many, since)) = self.store.unanchored().await?
            && self.has_lasted(VOUCHED_WITHIN, since)
        {
            let what = format!("not enough others vouch for {many} of them");
            found.push(
                Finding::wrong("certificates", what)
                    .kind(AlarmKind::CertificateUnvouched)
                    .since(since)
                    .advice("this asks those who do, and says why one does not")
                    .command("quietus anchor now"),
            );
        }
        Ok(found)
    }

    /// The latest drill.
    pub(super) async fn drills_at_fault(&self) -> Found {
        let standing = self.read_drill_standing().await?;
        let mut found = Vec::new();
        let Some(latest) = &standing.latest else { return Ok(found) };
        let place = format!("drill {}", latest.drill);
        let show = format!("quietus drill show {}", latest.drill);
        if latest.is_not_done() {
            let why = latest.why.as_deref().unwrap_or("nobody knows why");
            found.push(
                Finding::wrong(&place, format!("it was not done: {why}"))
                    .kind(AlarmKind::DrillNotDone)
                    .since(latest.ended_at)
                    .advice("once the cause is mended, this begins another one")
                    .command("quietus drill run"),
            );
        }
        if latest.late {
            found.push(
                Finding::wrong(&place, format!("an erasure took longer than {}", standing.at_most))
                    .kind(AlarmKind::DrillLate)
                    .since(latest.asked_at)
                    .command(&show),
            );
        }
        if standing.to_clean > 0 {
            let what =
                format!("in {} systems something of an ended one may be left", standing.to_clean);
            found.push(
                Finding::look("drills", what)
                    .kind(AlarmKind::DrillLeft)
                    .command("quietus drill list"),
            );
        }
        Ok(found)
    }

    /// Our own records.
    pub(super) async fn house_at_fault(&self) -> Found {
        let late = self.own_records_overdue().await?;
        if late.is_zero() {
            return Ok(Vec::new());
        }
        let since = self.now().checked_sub(late).ok();
        Ok(vec![
            Finding::wrong("own records", "records of Quietus itself should have gone and have not")
                .kind(AlarmKind::OwnRecordsOverdue)
                .since(since)
                .advice("a hold, a pause or a cap may keep them; where none does, the second command lets them go")
                .command("quietus house list")
                .command("quietus run --once --schedule quietus"),
        ])
    }
}
