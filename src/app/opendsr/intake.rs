//! Taking in what a controller asks: read, compared with what it has brought before, and handed to
//! the same use case as every other request.

use quietus_connectors::opendsr::intake::{
    Admission, Answer, Complaint, Submission, admit, mark_of, read_submission,
};
use quietus_connectors::opendsr::protocol::{
    IdentityType, Regulation, RequestType, SubjectIdentity,
};

use super::complaint;
use super::desk::{Asking, Desk};
use super::standing::{kept_dialect, source_of, unsigned};
use crate::app::request::{OnBehalf, Requester, TakeIn, Taken};
use crate::app::{Actor, AppError, Quietus};
use crate::domain::{AskedRight, Digest, Normalisation};
use crate::store::{NewOpendsrRequest, OpendsrRequest, Request};

/// The way by which these requests come, and how their controllers made sure who asks.
const OPENDSR: &str = "opendsr";
/// Purpose under which addresses to call back are sealed: they may hold a password of the
/// controller's.
pub(super) const ADDRESSES: &str = "opendsr callback addresses";
/// Purpose of the key under which requests are marked.
const MARKS: &str = "opendsr marks";
/// Looks at what is on record, in case the same comes twice at the same moment.
const MOST_LOOKS: usize = 3;

impl Quietus {
    /// `POST /requests`: 201, and the same 201 for the same bytes.
    ///
    /// # Errors
    /// 400 where it does not fit or its id was used for another one, 409 where the same is under
    /// way.
    pub async fn opendsr_create(
        &self,
        desk: &Desk,
        asking: &Asking,
        body: &[u8],
    ) -> Result<Answer, Complaint> {
        let rules = desk.rules(&asking.controller, self.earliest_submission(desk));
        let submission = read_submission(&rules, asking.dialect, body, self.now())?;
        let id = submission.request.id;
        let sha256 = hex::encode(submission.sha256);
        let tag = self.desk_tag("body", &asking.controller, &sha256).map_err(complaint)?;
        for look in 1..=MOST_LOOKS {
            let known = self.brought_by(&asking.controller, id).await.map_err(complaint)?;
            let before = known.as_ref().map(|(_, brought)| brought.body_tag.0);
            match (admit(tag.0, before, false), known) {
                (Admission::Again, Some((request, brought))) => {
                    return created(desk, asking, (&request, &brought), body);
                }
                (Admission::Duplicate, _) => return Err(Complaint::duplicate()),
                _ => {}
            }
            let asked = self.asked_by(desk, asking, &submission);
            let on_behalf = self.on_behalf(desk, asking, &submission, tag).map_err(complaint)?;
            match self.take_in_through(asked, Some(on_behalf)).await {
                Ok(Taken::UnderWay(_)) => return Err(Complaint::under_way()),
                Ok(Taken::New(_) | Taken::Same(_)) => {}
                // The same may have come at the same moment: then it is on record at the next look.
                Err(AppError::Store(_)) if look < MOST_LOOKS => {}
                Err(AppError::Input(words)) => {
                    let known = self.brought_by(&asking.controller, id).await;
                    if known.map_err(complaint)?.is_none() {
                        return Err(Complaint::new(400, words));
                    }
                }
                Err(error) => return Err(complaint(error)),
            }
        }
        Err(Complaint::new(503, "the same request is being taken in: send it again in a moment"))
    }

    /// The request as every door brings it.
    fn asked_by(&self, desk: &Desk, asking: &Asking, submission: &Submission) -> TakeIn {
        let request = &submission.request;
        let source = source_of(&asking.controller);
        let check = desk
            .settings_of(&asking.controller)
            .map(|one| (one.assurance, OPENDSR.to_owned(), None));
        TakeIn {
            asked: match request.kind {
                RequestType::Erasure => AskedRight::Erasure,
                RequestType::Access => AskedRight::Access,
                RequestType::Portability => AskedRight::Portability,
                RequestType::Rectification => AskedRight::Rectification,
            },
            identities: self.mapped_identities(desk, &request.identities),
            // Clocks differ by a little, and nobody asks in the future.
            received_at: Some(request.submitted_at.min(self.now())),
            channel: OPENDSR.to_owned(),
            requester: Requester::Agent,
            ground: None,
            regime: request.regulation.map(|regulation| match regulation {
                Regulation::Gdpr => "gdpr".to_owned(),
                Regulation::Ccpa => "ccpa".to_owned(),
            }),
            language: None,
            categories: None,
            contact: None,
            check,
            source: Some(source.clone()),
            external_id: Some(request.id.to_string()),
            actor: Actor(source),
        }
    }

    fn on_behalf(
        &self,
        desk: &Desk,
        asking: &Asking,
        submission: &Submission,
        body_tag: Digest,
    ) -> Result<OnBehalf, AppError> {
        let request = &submission.request;
        let controller = asking.controller.as_str();
        let group = request.group.as_deref();
        let urls = Some(&request.callback_urls).filter(|urls| !urls.is_empty());
        let seal = |urls| self.vault.seal(ADDRESSES, urls, self.ids.random());
        let brought = NewOpendsrRequest {
            controller: controller.to_owned(),
            dialect: kept_dialect(asking.dialect),
            body_tag,
            group_tag: group.map(|group| self.group_tag(controller, group)).transpose()?,
            expected_at: self.now(),
            sealed_urls: urls.map(seal).transpose()?,
        };
        let cooling_off = Some(desk.settings.cooling_off).filter(|_| !request.skips_waiting);
        let mark = Digest(mark_of(request, &self.vault.tag(MARKS, controller)));
        Ok(OnBehalf { brought, mark, cooling_off })
    }

    /// Identities in the words of the data map.
    fn mapped_identities(
        &self,
        desk: &Desk,
        identities: &[SubjectIdentity],
    ) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        for one in identities {
            let taken = desk
                .settings
                .identities
                .iter()
                .find(|taken| taken.kind == one.kind && taken.format == one.format);
            let Some(taken) = taken else { continue };
            let of = self.instance.identities.of(&taken.name);
            let phone = matches!(of.normalise, Normalisation::Phone { .. });
            pairs.push((taken.name.clone(), in_full(&one.kind, &one.value, phone)));
        }
        pairs
    }
}

/// An MSISDN has its country and no `+`; without one it would be read as a number of home.
fn in_full(kind: &IdentityType, value: &str, is_phone: bool) -> String {
    if is_phone && kind.as_str() == "msisdn" && !value.starts_with('+') {
        return format!("+{value}");
    }
    value.to_owned()
}

/// The answer to a request that is on record. It follows from the record and from what was sent, so
/// the same request has the same answer.
fn created(
    desk: &Desk,
    asking: &Asking,
    (request, brought): (&Request, &OpendsrRequest),
    body: &[u8],
) -> Result<Answer, Complaint> {
    let id = request.external_id.parse().map_err(|_| Complaint::not_found())?;
    desk.answers(asking)
        .created(id, request.recorded_at, brought.expected_at, body)
        .map_err(unsigned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_msisdn_is_never_read_as_a_number_of_home() {
        let kind = |name: &str| IdentityType::read(name).unwrap();
        assert_eq!(in_full(&kind("msisdn"), "4930901820", true), "+4930901820");
        assert_eq!(in_full(&kind("msisdn"), "+4930901820", true), "+4930901820");
        assert_eq!(in_full(&kind("msisdn"), "4930901820", false), "4930901820");
        assert_eq!(in_full(&kind("imei"), "490154203237518", true), "490154203237518");
    }
}
