//! Time stamps: over heads of the log, and over signatures of certificates.

use jiff::SignedDuration;

use super::super::{AppError, Quietus};
use super::asking::Question;
use super::due::{Moment, is_renewal_due, is_stamp_due};
use super::{AnchorTally, AskedFor, BEFORE_ALL, text_of};
use crate::config::AuthoritySettings;
use crate::domain::RetentionPeriod;
use crate::evidence::dsse::{Envelope, WireEnvelope};
use crate::evidence::pem;
use crate::evidence::time_stamp::{self, ANSWER_TYPE, Nonce, REQUEST_TYPE, TimeStamp};
use crate::store::{Certificate, Checkpoint, NewTimeStamp, Stamped};

/// Certificates that are stamped in one look.
const CERTIFICATES: u32 = 20;

/// So far an authority's clock may differ from ours.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(5);

impl Quietus {
    /// So long before a time stamp is no longer sound the log is stamped anew.
    pub(super) fn renew_before(&self) -> RetentionPeriod {
        #[expect(clippy::expect_used, reason = "ninety days are a period")]
        let usual = || RetentionPeriod::parse("P90D").expect("ninety days are a period");
        self.instance.anchors.renew_before.unwrap_or_else(usual)
    }

    /// Has the head stamped by everybody who is due, and by those whose time stamps age.
    pub(super) async fn ask_authorities(
        &self,
        asked: &AskedFor<'_>,
    ) -> Result<AnchorTally, AppError> {
        let AskedFor { head, waits, .. } = *asked;
        let mut tally = AnchorTally::default();
        let moment = Moment { now: self.now(), zone: &self.zone, size: head.size, waits };
        for authority in &self.instance.anchors.authorities {
            if !self.may_ask(&authority.name) {
                continue;
            }
            let last = self.store.newest_time_stamp(&authority.name, &head.log_id).await?;
            if is_stamp_due(moment, last, &authority.every) {
                self.stamp_head(authority, head, &mut tally).await?;
            }
        }
        self.renew(head, &mut tally).await?;
        Ok(tally)
    }

    /// Stamps the newest head of a log anew where no time stamp over it is sound for long.
    async fn renew(&self, newest: &Checkpoint, tally: &mut AnchorTally) -> Result<(), AppError> {
        let before = self.renew_before();
        for authority in &self.instance.anchors.authorities {
            let sound_until = self.store.stamped_until(&newest.log_id).await?;
            let last = self.store.newest_time_stamp(&authority.name, &newest.log_id).await?;
            let due = is_renewal_due(self.now(), &self.zone, last, sound_until, &before);
            if due && self.may_ask(&authority.name) {
                self.stamp_head(authority, newest, tally).await?;
            }
        }
        Ok(())
    }

    async fn stamp_head(
        &self,
        authority: &AuthoritySettings,
        head: &Checkpoint,
        tally: &mut AnchorTally,
    ) -> Result<(), AppError> {
        let about = Stamped::Head { log_id: head.log_id.clone(), size: head.size };
        let text = text_of(head)?;
        self.stamp(authority, about, text.as_bytes(), tally).await
    }

    /// Has signatures of certificates stamped for which nobody vouches yet.
    pub(super) async fn stamp_certificates(&self) -> Result<AnchorTally, AppError> {
        let mut tally = AnchorTally::default();
        for certificate in self.store.certificates_to_anchor(BEFORE_ALL, CERTIFICATES).await? {
            let id = certificate.summary.id;
            let stamps = self.store.time_stamps_of_certificate(id).await?;
            let signature = signature_of(&certificate)?;
            for authority in &self.instance.anchors.authorities {
                let has = stamps.iter().any(|one| one.authority == authority.name);
                if authority.certificates_too && !has && self.may_ask(&authority.name) {
                    let about = Stamped::Certificate(id);
                    self.stamp(authority, about, &signature, &mut tally).await?;
                }
            }
        }
        Ok(tally)
    }

    async fn stamp(
        &self,
        authority: &AuthoritySettings,
        about: Stamped,
        message: &[u8],
        tally: &mut AnchorTally,
    ) -> Result<(), AppError> {
        let (answer, stamp) = match self.ask_for_time(authority, message).await {
            Ok(answered) => answered,
            Err(fault) => {
                tally.faults.extend(self.asked(&authority.name, Some(fault)));
                return Ok(());
            }
        };
        self.asked(&authority.name, None);
        let chain = stamp.chain.iter().map(|one| pem::encode("CERTIFICATE", one)).collect();
        let kept = NewTimeStamp {
            id: self.ids.new_id(),
            about,
            authority: authority.name.clone(),
            url: authority.url.clone(),
            answer,
            chain,
            stamped_at: stamp.moment,
            sound_until: stamp.sound_until,
        };
        self.store.keep_time_stamp(kept, self.now()).await?;
        tally.stamped += 1;
        Ok(())
    }

    /// Asks an authority, and checks everything that its answer says.
    async fn ask_for_time(
        &self,
        authority: &AuthoritySettings,
        message: &[u8],
    ) -> Result<(Vec<u8>, TimeStamp), String> {
        let random = self.ids.random();
        let mut nonce = Nonce([0; 16]);
        nonce.0.copy_from_slice(&random[..16]);
        let imprint = crate::domain::Digest::of(message);
        let reply = self
            .put(Question {
                name: &authority.name,
                url: &authority.url,
                trust: None,
                media_type: REQUEST_TYPE,
                body: time_stamp::request(&imprint, nonce),
            })
            .await?;
        if reply.status() != 200 {
            return Err(format!("it answered {}, and not with a time stamp", reply.status()));
        }
        // Some authorities give no type or another one; the answer itself is what counts.
        if reply.header("content-type").is_some_and(|kind| !kind.starts_with(ANSWER_TYPE)) {
            tracing::debug!(name = authority.name, "a time stamp came under another media type");
        }
        let answer = reply.body().to_vec();
        let stamp = time_stamp::verify(&answer, message, Some(nonce), &authority.trusted)
            .map_err(|error| error.to_string())?;
        let apart = stamp.moment.duration_since(self.now()).abs();
        if apart > CLOCKS_APART.saturating_add(stamp.accuracy) {
            return Err(format!(
                "its clock and ours differ by {} seconds: set the clock of this machine",
                apart.as_secs()
            ));
        }
        Ok((answer, stamp))
    }
}

/// The bytes of a certificate's signature.
pub(super) fn signature_of(certificate: &Certificate) -> Result<Vec<u8>, AppError> {
    let wire: WireEnvelope = serde_json::from_slice(&certificate.envelope)
        .map_err(|error| AppError::Evidence(error.to_string()))?;
    let envelope = Envelope::try_from(wire).map_err(|why| AppError::Evidence(why.to_owned()))?;
    Ok(envelope.signature)
}
