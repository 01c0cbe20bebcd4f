//! Composing a mail at the moment at which it goes: to whom, and what stands in it. What is not
//! wanted any more is found out here.

use jiff::{SignedDuration, Timestamp};
use secrecy::ExposeSecret as _;
use serde_json::json;
use uuid::Uuid;

use super::link::{Link, Purpose};
use super::words::{self, TaskFacts};
use crate::app::request::{Fee, letter_text};
use crate::app::task::{is_pending, same_person};
use crate::app::{Actor, AppError, Quietus};
use crate::config::MailSettings;
use crate::datamap::{SecretReference, ThirdParty};
use crate::mail::Address;
use crate::store::{LetterKind, Mail, MailAbout, StoreError, Task, TaskState};

/// A link is good for so long after a task is due, or after its mail was written.
const LINK_LASTS: SignedDuration = SignedDuration::from_hours(14 * 24);
/// No letter goes by mail where nobody has given an address.
const NO_ADDRESS: &str = "there is no e-mail address";

/// A mail, ready to be sent. It may name a person, and does not print.
pub struct Composed {
    pub(super) to: Address,
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) language: String,
}

/// Why a mail is not sent now.
#[derive(Debug)]
pub enum NotComposed {
    /// Nobody wants it any more.
    NotWanted,
    /// Something is missing that somebody can mend.
    Later(String),
    /// It never goes by mail.
    ByHand(&'static str),
    /// The store or a key does not do its part.
    App(AppError),
}

impl From<AppError> for NotComposed {
    fn from(error: AppError) -> Self {
        Self::App(error)
    }
}

impl From<StoreError> for NotComposed {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

impl Quietus {
    /// Composes a mail as of now.
    pub(super) async fn compose_mail(
        &self,
        settings: &MailSettings,
        mail: &Mail,
    ) -> Result<Composed, NotComposed> {
        match (mail.letter_id, mail.job_id) {
            (Some(letter), _) => self.compose_letter(letter).await,
            (None, Some(job)) => self.compose_task(settings, mail, job).await,
            (None, None) => Err(NotComposed::NotWanted),
        }
    }

    async fn compose_letter(&self, id: Uuid) -> Result<Composed, NotComposed> {
        let Some(letter) = self.store.letter(id).await? else { return Err(NotComposed::NotWanted) };
        let request = self.rights_request(letter.request_id).await?;
        // Delivered otherwise, or the person is forgotten.
        let (None, Some(person)) = (&letter.delivered, &request.person) else {
            return Err(NotComposed::NotWanted);
        };
        // A fee that was waived or paid meanwhile is not asked for.
        if letter.kind == LetterKind::Fee && !request.record.fee.as_ref().is_some_and(Fee::is_owed)
        {
            return Err(NotComposed::NotWanted);
        }
        let Some((subject, text)) = letter_text(self, &request, &letter)? else {
            return Err(NotComposed::NotWanted);
        };
        let to = if letter.is_to_person() {
            let contact = person.contact.as_deref().and_then(Address::parse);
            contact.ok_or(NotComposed::ByHand(NO_ADDRESS))?
        } else {
            // A recipient may have left the data map since.
            let system = self.system(&letter.recipient).ok();
            let third_party = system.and_then(|system| system.third_party.as_ref());
            let found = third_party.and_then(|one| one.mail.as_ref());
            self.address_at(found.ok_or(NotComposed::ByHand(NO_ADDRESS))?)?
        };
        Ok(Composed { to, subject, text, language: letter.language })
    }

    /// Reads an address where it is found.
    fn address_at(&self, reference: &SecretReference) -> Result<Address, NotComposed> {
        let text = reference
            .resolve(&self.instance.folder)
            .map_err(|error| NotComposed::Later(format!("an address cannot be read: {error}")))?;
        Address::parse(text.expose_secret()).ok_or_else(|| {
            NotComposed::Later("what is found as an address is none: correct it".to_owned())
        })
    }

    /// Where the address of somebody who works on a task is found.
    pub(super) fn reference_of<'a>(
        settings: &'a MailSettings,
        third_party: &'a ThirdParty,
        name: &str,
    ) -> Option<&'a SecretReference> {
        let task = third_party.task.as_ref()?;
        let own = task.mail.as_ref().filter(|_| same_person(&task.assignee, name));
        own.or_else(|| {
            let mut people = settings.people.iter();
            people.find(|(one, _)| same_person(one, name)).map(|(_, reference)| reference)
        })
    }

    async fn compose_task(
        &self,
        settings: &MailSettings,
        mail: &Mail,
        job: Uuid,
    ) -> Result<Composed, NotComposed> {
        let task = self.store.task(job).await?.ok_or(NotComposed::NotWanted)?;
        let task = self.still_wanted(task).await?;
        let purpose = purpose_of(mail, &task)?;
        // A system that is not worked on by hand any more has nobody who is told.
        let Ok((system, third_party)) = self.third_party_of(&task.system) else {
            return Err(NotComposed::NotWanted);
        };
        let manual = third_party.task.as_ref().ok_or(NotComposed::NotWanted)?;
        let reference = Self::reference_of(settings, third_party, &mail.recipient);
        let to = self.address_at(reference.ok_or(NotComposed::ByHand(NO_ADDRESS))?)?;
        if purpose == Some(Purpose::Confirming) && self.is_address_of_doer(settings, &task, &to) {
            return Err(NotComposed::ByHand(
                "who confirms has the same address as who said that it is done",
            ));
        }
        let link = purpose.zip(settings.pages.as_deref()).map(|(purpose, pages)| {
            let from = mail.written_at.max(task.due_at);
            let until = from.checked_add(LINK_LASTS).unwrap_or(Timestamp::MAX);
            let link = Link { mail: mail.id, purpose, until };
            format!("{pages}/v1/tasks/answer/{}", link.token(&self.vault))
        });
        let mut identities = Vec::new();
        if purpose == Some(Purpose::Doing) && settings.name_persons {
            let actor = Actor(mail.recipient.clone());
            let way = json!({ "way": "a mail", "mail": mail.id });
            identities = self.whom_on_record(&task, &actor, way).await?.1;
        }
        let request = self.store.request_of_case(task.case_id).await?;
        let facts = TaskFacts {
            controller: &self.instance.controller.name,
            system: &task.system,
            owner: &system.owner,
            operator: &third_party.operator,
            instructions: &manual.instructions,
            asked: request.map(|request| request.asked),
            task: &task,
            due: task.due_at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string(),
            overdue: task.due_at <= self.now(),
            to: &mail.recipient,
            link,
            identities,
        };
        let language = words::language_of(manual.language.as_deref());
        let (subject, text) = words::write(language, (mail.about, purpose), &facts)
            .map_err(|error| AppError::Unreadable { what: "a template", why: error.to_string() })?;
        Ok(Composed { to, subject, text, language: language.to_owned() })
    }

    /// Whether an address is that of whoever said what became of a task.
    fn is_address_of_doer(&self, settings: &MailSettings, task: &Task, to: &Address) -> bool {
        let Some((doer, _)) = &task.done else { return false };
        let Ok((_, third_party)) = self.third_party_of(&task.system) else { return false };
        let reference = Self::reference_of(settings, third_party, doer);
        let address = reference.and_then(|reference| self.address_at(reference).ok());
        address.is_some_and(|address| address.is_same(to))
    }
}

/// What the link of a mail is for, where it has one.
///
/// # Errors
/// Where the task is past that, or with somebody else.
fn purpose_of(mail: &Mail, task: &Task) -> Result<Option<Purpose>, NotComposed> {
    let doing = (task.state == TaskState::Open).then_some(Purpose::Doing);
    let confirming = (task.state == TaskState::Done
        && task.done.as_ref().is_some_and(|(by, _)| !same_person(by, &mail.recipient)))
    .then_some(Purpose::Confirming);
    let does_it = doing.filter(|_| same_person(&mail.recipient, &task.assignee));
    let purpose = match mail.about {
        MailAbout::Task => does_it,
        MailAbout::Confirmation => confirming,
        MailAbout::Reminder => does_it.or(confirming),
        MailAbout::Escalation if is_pending(task) => return Ok(None),
        MailAbout::Letter | MailAbout::Escalation => None,
    };
    purpose.map(Some).ok_or(NotComposed::NotWanted)
}
