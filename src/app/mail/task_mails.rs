//! Which mails tasks ask for: to whoever does one, to a second person who confirms it, reminders
//! before and after it is due, and one to whoever owns the system once it is overdue. Each has an
//! identifier that follows from what it is for, so it is written once.

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use super::MOST_ATTEMPTS;
use crate::app::task::{is_pending, same_person};
use crate::app::{AppError, Quietus};
use crate::config::MailSettings;
use crate::datamap::{System, ThirdParty};
use crate::domain::{Digest, RetentionPeriod, Rounding};
use crate::store::{Mail, MailAbout, MailState, Task, TaskState};

/// Most tasks that are looked at.
const MOST_TASKS: u32 = 1000;
/// Most reminders of a task that is overdue.
const MOST_REMINDERS: u32 = 366;

/// A mail that a task asks for.
struct Wanted {
    about: MailAbout,
    recipient: String,
    /// Tells reminders apart.
    occasion: String,
}

impl Wanted {
    /// The same for the same mail of the same task.
    fn id(&self, job: Uuid) -> Uuid {
        let name = format!("mail {job} {} {} {}", self.about, self.recipient, self.occasion);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&Digest::of(name.as_bytes()).0[..16]);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }
}

impl Quietus {
    /// Writes the mails that tasks ask for now and that are not written yet.
    pub(super) async fn write_task_mails(&self, settings: &MailSettings) -> Result<(), AppError> {
        let known: BTreeSet<Uuid> =
            self.store.mails_of_pending_tasks().await?.into_iter().collect();
        for task in self.store.list_tasks(true, MOST_TASKS).await? {
            let Ok((system, third_party)) = self.third_party_of(&task.system) else { continue };
            for wanted in self.wanted_mails(settings, &task, (system, third_party)) {
                let id = wanted.id(task.job_id);
                if known.contains(&id) {
                    continue;
                }
                if wanted.about == MailAbout::Reminder {
                    self.call_off_earlier_reminders(task.job_id).await?;
                }
                self.store.write_mail(&self.new_mail(id, &wanted, task.job_id)).await?;
            }
        }
        Ok(())
    }

    fn new_mail(&self, id: Uuid, wanted: &Wanted, job: Uuid) -> Mail {
        let now = self.now();
        Mail {
            id,
            about: wanted.about,
            letter_id: None,
            job_id: Some(job),
            recipient: wanted.recipient.clone(),
            state: MailState::Due,
            written_at: now,
            next_at: now,
            attempts: 0,
            attempts_allowed: MOST_ATTEMPTS,
            tried_at: None,
            fault: None,
            settled_at: None,
        }
    }

    /// After an outage nobody gets all the reminders that were missed, but the latest.
    async fn call_off_earlier_reminders(&self, job: Uuid) -> Result<(), AppError> {
        for mail in self.store.mails_of_task(job).await? {
            if mail.about == MailAbout::Reminder && mail.state == MailState::Due {
                self.store.call_off_mail(mail.id, self.now()).await?;
            }
        }
        Ok(())
    }

    fn wanted_mails(
        &self,
        settings: &MailSettings,
        task: &Task,
        (system, third_party): (&System, &ThirdParty),
    ) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        let has_address = |name: &str| Self::reference_of(settings, third_party, name).is_some();
        let mut want = |about: MailAbout, recipient: &str, occasion: String| {
            wanted.push(Wanted { about, recipient: recipient.to_owned(), occasion });
        };
        let next = match task.state {
            TaskState::Open => Some(task.assignee.clone()).filter(|name| has_address(name)),
            TaskState::Done => second_person(task, system, third_party, has_address),
            TaskState::Confirmed | TaskState::CalledOff => None,
        };
        if let Some(name) = &next {
            let open = task.state == TaskState::Open;
            let about = if open { MailAbout::Task } else { MailAbout::Confirmation };
            want(about, name, String::new());
            if self.is_due_soon(task, settings.remind_before.as_ref()) {
                want(MailAbout::Reminder, name, "before".to_owned());
            }
            let overdue = self.times_overdue(task.due_at, &settings.remind_every);
            if overdue > 0 {
                want(MailAbout::Reminder, name, format!("overdue {overdue}"));
            }
        }
        let overdue = is_pending(task) && task.due_at <= self.now();
        if overdue && has_address(&system.owner) && next.as_deref() != Some(&system.owner) {
            want(MailAbout::Escalation, &system.owner, String::new());
        }
        wanted
    }

    /// Whether the time has come to remind of a task that is not due yet. One that was opened later
    /// than that is fresh in everybody's mind.
    fn is_due_soon(&self, task: &Task, before: Option<&RetentionPeriod>) -> bool {
        let Some(before) = before else { return false };
        let ahead = |from: Timestamp| before.due_at(from, Rounding::None, &self.zone);
        let now = self.now();
        task.due_at > now && ahead(now) >= task.due_at && ahead(task.opened_at) < task.due_at
    }

    /// How often somebody is to have been reminded since a moment: at the moment itself, and then
    /// after each period.
    fn times_overdue(&self, due_at: Timestamp, every: &RetentionPeriod) -> u32 {
        let (mut times, mut moment) = (0, due_at);
        while moment <= self.now() && times < MOST_REMINDERS {
            times += 1;
            let next = every.due_at(moment, Rounding::None, &self.zone);
            if next <= moment {
                break;
            }
            moment = next;
        }
        times
    }
}

/// Who confirms what somebody said of a task: whoever the data map names, else whoever owns the
/// system, else whoever should have done it; never who said it.
fn second_person(
    task: &Task,
    system: &System,
    third_party: &ThirdParty,
    has_address: impl Fn(&str) -> bool,
) -> Option<String> {
    let (said_by, _) = task.done.as_ref()?;
    let named = third_party.task.as_ref().and_then(|manual| manual.confirmer.as_ref());
    named
        .into_iter()
        .chain([&system.owner, &task.assignee])
        .find(|name| !same_person(name, said_by) && has_address(name))
        .cloned()
}
