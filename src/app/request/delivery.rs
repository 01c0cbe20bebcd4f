//! Delivering letters: who reads them, who has delivered them and how, and what may not be done
//! before one of them is delivered.

use jiff::SignedDuration;
use serde_json::json;
use uuid::Uuid;

use super::letters::{PERSON, PURPOSE, SealedLetter, writes_to_person};
use super::record::{Move, OpenRequest};
use crate::app::fire::SCHEDULER;
use crate::app::{Actor, AppError, Quietus};
use crate::domain::{AskedRight, RequestState};
use crate::store::{Delivery, Letter, LetterKind, Request};

/// A request that waits for a notice to be delivered is looked at so often.
const LOOKED_AT_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// A letter that is opened to be delivered. It may name the person, and does not print.
#[derive(Clone)]
pub struct OpenLetter {
    /// As the store has it.
    pub letter: Letter,
    /// Where it goes, where the person has said so.
    pub to: Option<String>,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
}

/// Subject and text of a letter; `None` once its person is forgotten.
pub(crate) fn letter_text(
    product: &Quietus,
    request: &OpenRequest,
    letter: &Letter,
) -> Result<Option<(String, String)>, AppError> {
    let (Some(vault), Some(sealed)) = (product.request_vault(&request.stored)?, &letter.sealed)
    else {
        return Ok(None);
    };
    let SealedLetter { subject, text } = vault.open(PURPOSE, sealed)?;
    Ok(Some((subject, text)))
}

impl Quietus {
    /// All letters of a request, in the order in which they were written.
    ///
    /// # Errors
    /// Where there is no such request.
    pub async fn letters_of(&self, request: Uuid) -> Result<Vec<Letter>, AppError> {
        self.rights_request(request).await?;
        self.write_due_letters(request).await;
        Ok(self.store.letters_of_request(request).await?)
    }

    /// Opens a letter to deliver it; that somebody has read it is on record.
    ///
    /// # Errors
    /// Where there is no such letter, or the person is forgotten.
    pub async fn open_letter(&self, id: Uuid, actor: &Actor) -> Result<OpenLetter, AppError> {
        let letter = self.letter(id).await?;
        let request = self.rights_request(letter.request_id).await?;
        let person = request.person()?;
        let Some((subject, text)) = letter_text(self, &request, &letter)? else {
            return Err(AppError::Input(format!("letter `{id}` went with its person")));
        };
        let none = serde_json::Value::Null;
        let read = self.letter_entry(&request.stored, &letter, "read", actor, &none)?;
        self.store.record_evidence(vec![read], self.now()).await?;
        let to = person.contact.clone().filter(|_| letter.recipient == PERSON);
        Ok(OpenLetter { letter, to, subject, text })
    }

    /// Somebody has delivered a letter, or says why that is not possible.
    ///
    /// # Errors
    /// Where there is no such letter, its delivery is on record, or the law knows no such excuse.
    pub async fn letter_delivered(
        &self,
        id: Uuid,
        (delivery, reason): (Delivery, Option<String>),
        actor: &Actor,
    ) -> Result<(), AppError> {
        let letter = self.letter(id).await?;
        let excuse = matches!(delivery, Delivery::Impossible | Delivery::Disproportionate);
        if excuse && letter.kind != LetterKind::Recipient {
            return Err(AppError::Input(format!(
                "letter `{id}` is to the person: only notices to recipients may be `{delivery}` (GDPR article 19)"
            )));
        }
        if excuse && reason.is_none() {
            return Err(AppError::Input(format!("say with a reason why it is `{delivery}`")));
        }
        let request = self.rights_request(letter.request_id).await?;
        let how = (actor.0.as_str(), delivery, reason);
        if !self.put_delivery_on_record(&request.stored, &letter, how).await? {
            return Err(AppError::Input(format!(
                "the delivery of letter `{id}` is on record already: see `quietus letter list {}`",
                letter.request_id
            )));
        }
        if letter.kind == LetterKind::BeforeLifting {
            self.look_at_soon(&request).await?;
        }
        Ok(())
    }

    /// A third party was told on the way of its own: its notice, where it has one that nobody has
    /// delivered, is delivered.
    pub(crate) async fn recipient_told(
        &self,
        case: Uuid,
        system: &str,
        by: &str,
        delivery: Delivery,
    ) -> Result<(), AppError> {
        let Some(request) = self.store.request_of_case(case).await? else { return Ok(()) };
        for letter in self.store.letters_of_request(request.id).await? {
            let notice = letter.kind == LetterKind::Recipient && letter.recipient == system;
            if notice && letter.delivered.is_none() {
                self.put_delivery_on_record(&request, &letter, (by, delivery, None)).await?;
            }
        }
        Ok(())
    }

    /// Whether a request may be carried out as far as notices go: a restriction is lifted only
    /// after the person was told (GDPR article 18(3)). Where it may not, the request says so and
    /// is looked at again.
    pub(super) async fn was_told_before_lifting(
        &self,
        request: &mut OpenRequest,
    ) -> Result<bool, AppError> {
        if request.stored.asked != AskedRight::Lifting || !writes_to_person(request) {
            return Ok(true);
        }
        self.write_due_letters(request.stored.id).await;
        let letters = self.store.letters_of_request(request.stored.id).await?;
        let mut notices = letters.iter().filter(|one| one.kind == LetterKind::BeforeLifting);
        if notices.any(|letter| letter.delivered.is_some()) {
            request.record.needs = None;
            return Ok(true);
        }
        let needs = format!(
            "the notice before a restriction is lifted is not delivered: see `quietus letter list {}`",
            request.stored.id
        );
        let is_new = request.record.needs.as_ref() != Some(&needs);
        let engine = Actor(SCHEDULER.to_owned());
        let evidence = if is_new {
            let what = "waits until the notice before lifting is delivered";
            vec![self.record_change(request, what, &engine, None)?]
        } else {
            Vec::new()
        };
        request.record.needs = Some(needs);
        let look_at = self.now().checked_add(LOOKED_AT_EVERY).ok();
        let next = Move { look_at, ..Move::stay(&request.stored) };
        self.keep_request(request, next, evidence).await?;
        Ok(false)
    }

    /// A request that waited for its notice goes on. Where somebody changes it at this moment, it
    /// is looked at within the hour all the same.
    pub(crate) async fn look_at_soon(&self, request: &OpenRequest) -> Result<(), AppError> {
        if request.stored.state != RequestState::Ready {
            return Ok(());
        }
        let next = Move { look_at: Some(self.now()), ..Move::stay(&request.stored) };
        let change = self.change_of(request, next)?;
        if !self.store.change_request(change, self.now(), Vec::new()).await? {
            tracing::info!(request = %request.stored.id, "it is looked at within the hour");
        }
        self.wake.up();
        Ok(())
    }

    async fn letter(&self, id: Uuid) -> Result<Letter, AppError> {
        self.store.letter(id).await?.ok_or_else(|| {
            AppError::Input(format!(
                "there is no letter `{id}`: see `quietus letter list` with its request"
            ))
        })
    }

    async fn put_delivery_on_record(
        &self,
        request: &Request,
        letter: &Letter,
        (by, delivery, reason): (&str, Delivery, Option<String>),
    ) -> Result<bool, AppError> {
        let detail = json!({ "how": delivery.as_str(), "reason": reason });
        let actor = Actor(by.to_owned());
        let what = match delivery {
            Delivery::Impossible | Delivery::Disproportionate => "not delivered",
            Delivery::Mail | Delivery::Interface | Delivery::Hand => "delivered",
        };
        let evidence = self.letter_entry(request, letter, what, &actor, &detail)?;
        let delivered = (by.to_owned(), delivery, self.now());
        Ok(self.store.letter_delivered(letter.id, delivered, reason, vec![evidence]).await?)
    }
}
