//! What somebody does behind the link of a mail: looks at a task, is shown whom it is about, says
//! what became of it, or confirms as a second person what another one said.
//!
//! Looking changes nothing, because programs that read mail follow every link. Whom it is about is
//! shown only to whoever asks for it with the form of the page, and each look is on record.

use quietus_connectors::Identity;
use serde_json::json;
use uuid::Uuid;

use super::link::{Link, form, is_form};
use super::words::{asked_in, language_of};
use crate::app::task::{SaidOfTask, Way, is_pending, same_person};
use crate::app::{Actor, AppError, Quietus};
use crate::store::{Mail, MailAbout, StoreError, Task, TaskState};

pub use super::link::Purpose;

/// Why somebody behind a link is turned away. No message holds personal data.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// It is none of ours, or not as it was sent.
    #[error("this link is not one that was sent from here, or a part of it is missing")]
    Forged,
    /// Its time is over.
    #[error("the time of this link is over: ask for the task at the console of quietus")]
    Expired,
    /// What it was for has been done, or is not wanted any more.
    #[error("nothing is left to do with this link: {0}")]
    Over(WhyOver),
    /// The form was open for too long, or comes from another page.
    #[error("the form is too old: open the link of the mail again; nothing was changed")]
    Form,
    /// What was written does not fit.
    #[error("{0}")]
    Unfit(String),
    /// The store or a key does not do its part.
    #[error(transparent)]
    App(#[from] AppError),
}

/// Why nothing is left to do with a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WhyOver {
    /// Nobody wants it any more.
    #[error("the task was called off")]
    CalledOff,
    /// It has an answer.
    #[error("somebody has said what became of the task")]
    Said,
    /// It has none that could be confirmed.
    #[error("nobody has said yet what became of the task")]
    NotSaid,
    /// It has been confirmed.
    #[error("the task is confirmed")]
    Confirmed,
    /// Whoever holds the link gave the answer.
    #[error("whoever said it cannot confirm it")]
    SamePerson,
}

impl From<StoreError> for LinkError {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

/// What the page behind a link shows. It names nobody whom the task is about.
pub struct LinkPage {
    /// What the link is for.
    pub purpose: Purpose,
    /// The task.
    pub task: Task,
    /// It is overdue.
    pub overdue: bool,
    /// When it is due, on the clock of the instance.
    pub due: String,
    /// The third party, as the data map names it.
    pub operator: String,
    /// What to do, in words.
    pub instructions: String,
    /// What the person asked, in the language of the page.
    pub asked: &'static str,
    /// The language of whoever works on the task: `en`, `de` or `zh`.
    pub language: &'static str,
    /// Who holds the link.
    pub holder: String,
    /// The controller.
    pub controller: String,
    /// What the form of this page carries.
    pub form: String,
}

/// What somebody says behind a link.
#[derive(Debug, Clone)]
pub enum LinkAnswer {
    /// What became of the task.
    Said(SaidOfTask),
    /// It is confirmed.
    Confirmed,
}

/// A link that is good now, with what it leads to.
struct Good {
    link: Link,
    mail: Mail,
    task: Task,
}

impl Quietus {
    /// The page behind a link. Changes nothing.
    ///
    /// # Errors
    /// Where the link is not good, or not any more.
    pub async fn look_behind_link(&self, token: &str) -> Result<LinkPage, LinkError> {
        let good = self.good_link(token).await?;
        self.page_of(token, good).await
    }

    /// The page with whom the task is about; that it was shown is put on record first.
    ///
    /// # Errors
    /// Where the link or the form is not good, or the person is forgotten.
    pub async fn show_behind_link(
        &self,
        token: &str,
        given: &str,
    ) -> Result<(LinkPage, Vec<Identity>), LinkError> {
        let good = self.good_link(token).await?;
        self.check_form(token, given)?;
        let actor = Actor(good.mail.recipient.clone());
        let way = json!({ "way": "link of a mail", "mail": good.mail.id });
        let (_, identities) = self.whom_on_record(&good.task, &actor, way).await?;
        Ok((self.page_of(token, good).await?, identities))
    }

    /// Takes the answer of whoever holds a link.
    ///
    /// # Errors
    /// Where the link or the form is not good, or the answer does not fit the link.
    pub async fn answer_behind_link(
        &self,
        token: &str,
        given: &str,
        answer: LinkAnswer,
    ) -> Result<(), LinkError> {
        let good = self.good_link(token).await?;
        self.check_form(token, given)?;
        let actor = Actor(good.mail.recipient.clone());
        let (job, way) = (good.task.job_id, Way::Link(good.mail.id));
        let answered = match (good.link.purpose, answer) {
            (Purpose::Doing, LinkAnswer::Said(said)) => {
                self.report_task_by(job, said, &actor, way).await
            }
            (Purpose::Confirming, LinkAnswer::Confirmed) => {
                self.confirm_task_by(job, &actor, way).await
            }
            (Purpose::Doing, LinkAnswer::Confirmed)
            | (Purpose::Confirming, LinkAnswer::Said(_)) => {
                return Err(LinkError::Unfit("this link is not for that".to_owned()));
            }
        };
        answered.map_err(|error| match error {
            // Between the look and the answer somebody else was faster, or a field does not fit.
            AppError::Input(words) => LinkError::Unfit(words),
            other => other.into(),
        })
    }

    /// The language of whoever a link was sent to; English where the link is none of ours.
    pub async fn language_behind_link(&self, token: &str) -> &'static str {
        let found = async {
            let link = Link::read(token, &self.vault)?;
            let mail = self.store.mail(link.mail).await.ok()??;
            let task = self.store.task(mail.job_id?).await.ok()??;
            let (_, third_party) = self.third_party_of(&task.system).ok()?;
            third_party.task.as_ref()?.language.clone()
        };
        language_of(found.await.as_deref())
    }

    fn check_form(&self, token: &str, given: &str) -> Result<(), LinkError> {
        if is_form(given, token, &self.vault, self.now()) { Ok(()) } else { Err(LinkError::Form) }
    }

    /// Reads a link and looks whether it is still good.
    async fn good_link(&self, token: &str) -> Result<Good, LinkError> {
        let link = Link::read(token, &self.vault).ok_or(LinkError::Forged)?;
        if link.until <= self.now() {
            return Err(LinkError::Expired);
        }
        let mail = self.store.mail(link.mail).await?.ok_or(LinkError::Forged)?;
        let job = mail.job_id.ok_or(LinkError::Forged)?;
        if mail.about == MailAbout::Escalation {
            return Err(LinkError::Forged);
        }
        let task = self.store.task(job).await?.ok_or(LinkError::Forged)?;
        self.still_for(link.purpose, &mail, &task).await?;
        Ok(Good { link, mail, task })
    }

    async fn still_for(&self, purpose: Purpose, mail: &Mail, task: &Task) -> Result<(), LinkError> {
        let called_off = LinkError::Over(WhyOver::CalledOff);
        if task.state == TaskState::CalledOff {
            return Err(called_off);
        }
        let job = self.store.job(task.job_id).await?;
        if is_pending(task) && job.is_some_and(|job| job.cancel_requested.is_some()) {
            return Err(called_off);
        }
        match (purpose, task.state) {
            (Purpose::Doing, TaskState::Open) | (Purpose::Confirming, TaskState::Done) => {}
            (Purpose::Doing, _) => {
                return Err(LinkError::Over(WhyOver::Said));
            }
            (Purpose::Confirming, TaskState::Open) => {
                return Err(LinkError::Over(WhyOver::NotSaid));
            }
            (Purpose::Confirming, _) => return Err(LinkError::Over(WhyOver::Confirmed)),
        }
        let said_it = |by: &str| same_person(by, &mail.recipient);
        let same = task.done.as_ref().is_some_and(|(by, _)| said_it(by));
        if purpose == Purpose::Confirming && same {
            return Err(LinkError::Over(WhyOver::SamePerson));
        }
        Ok(())
    }

    async fn page_of(&self, token: &str, good: Good) -> Result<LinkPage, LinkError> {
        let Good { link, mail, task } = good;
        let (_, third_party) = self.third_party_of(&task.system)?;
        let instructions = third_party.task.as_ref().map(|task| task.instructions.clone());
        let request = self.store.request_of_case(task.case_id).await?;
        let request = request.ok_or_else(|| missing_request(task.job_id))?;
        let language = third_party.task.as_ref().and_then(|task| task.language.as_deref());
        let language = language_of(language);
        Ok(LinkPage {
            purpose: link.purpose,
            overdue: task.due_at <= self.now(),
            due: task.due_at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string(),
            operator: third_party.operator.clone(),
            instructions: instructions.unwrap_or_default(),
            asked: asked_in(language, request.asked),
            language,
            holder: mail.recipient,
            controller: self.instance.controller.name.clone(),
            form: form(token, &self.vault, self.now()),
            task,
        })
    }
}

fn missing_request(job: Uuid) -> AppError {
    AppError::Unreadable { what: "a task", why: format!("the request of `{job}` is missing") }
}
