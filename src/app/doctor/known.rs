//! What a running process knows of its own instance without asking a connected system or a store of
//! copies. Alarms are made of it, so it is looked at again and again.

use std::time::Duration;

use super::finding::{Area, Finding, Mark};
use super::{Manner, ground};
use crate::app::Quietus;
use crate::domain::AlarmKind;

/// Findings of an area that are told one by one; the worst and then the oldest.
const MOST_TOLD: usize = 200;

/// The areas that are looked at, in the order in which to mend them. Files, and what a process makes of
/// them, are judged by whoever has just read them; connected systems by whoever asks them.
pub const TOLD_AREAS: [&str; 22] = [
    "keys",
    "clock",
    "log",
    "pauses",
    "quarantine",
    "breakers",
    "backlogs",
    "schedules",
    "approvals",
    "jobs",
    "rules",
    "requests",
    "tasks",
    "mails",
    "later looks",
    "copies",
    "files and logs",
    "anchors",
    "certificates",
    "drills",
    "own records",
    "alarms",
];

/// An area, and whether what is not found there is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownArea {
    /// What was found there; nothing where all is well.
    pub area: Area,
    /// All of it was seen: what is not among the findings is not there.
    pub is_whole: bool,
}

impl Quietus {
    /// What this process knows of each area of [`TOLD_AREAS`]. Asks nobody but its own store, and
    /// reads the rights of its key files.
    pub async fn examine_known(&self) -> Vec<KnownArea> {
        let manner =
            Manner { offline: true, overdue: false, patience: Duration::ZERO, most: MOST_TOLD };
        let mut areas = vec![self.keys_area(manner, ground::exposed(&self.instance)).await];
        areas.extend(Box::pin(self.examine_all(manner)).await);
        areas.retain(|area| TOLD_AREAS.contains(&area.name));
        areas.into_iter().map(|area| self.known(area)).collect()
    }

    fn known(&self, mut area: Area) -> KnownArea {
        let unseen = area.findings.iter().any(|one| one.kind == Some(AlarmKind::AreaUnseen));
        let is_whole =
            !unseen && area.more == 0 && (area.name != "copies" || self.knows_all_stores());
        area.findings.retain(is_told);
        KnownArea { area, is_whole }
    }
}

/// Whether there is anything for somebody to see to.
fn is_told(finding: &Finding) -> bool {
    match (finding.mark, finding.kind) {
        (Mark::Well, _)
        // That one folder holds both is how somebody has set it up, and nothing that has happened.
        | (_, Some(AlarmKind::KeyBesideStore))
        // It asks for a pause and gets it; where that lasts, it is wrong.
        | (Mark::Look, Some(AlarmKind::SystemLeftAlone)) => false,
        _ => true,
    }
}
