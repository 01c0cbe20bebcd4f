//! What others vouch for: the time bracket of a certificate, and the witnesses of its checkpoint.
//!
//! A stamped head that holds the entry proves that the entry was there by then. The last stamped head
//! without it, `before`, says when the log had not come so far; that it had not grown by then is the
//! issuer's word, because an old head can be stamped at any later time. What a certificate claims has
//! to lie between the two, and a claim outside of them contradicts what the issuer shows. The log's
//! own clock is never believed.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::bundle::Bundle;
use crate::certificate::Certificate;
use crate::cosignature::{CosignatureKind, Cosigner, VerifierKey};
use crate::merkle;
use crate::note::{self, Checkpoint, LogIdentity, Note};
use crate::origin::continued_by;
use crate::policy::Policy;
use crate::time_stamp::{self, TimeStamp, TimeStampError};
use crate::tlog_proof::TlogProof;
use crate::trusted_root::{TrustedRoot, fingerprint};
use crate::verify::{Finding, Source, Step};
use crate::witnessing::Growth;

/// So far the issuer's clock may go ahead of that of an authority.
pub const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// So long after it happened something may come into the log.
pub const LOGGING_DELAY: SignedDuration = SignedDuration::from_mins(10);

/// Most time stamps of one head.
const MOST_STAMPS: usize = 32;

/// A head of the log that others have stamped.
#[derive(Debug, Clone, Copy, Default)]
pub struct AnchoredHead<'a> {
    /// The checkpoint with its signatures.
    pub checkpoint: &'a [u8],
    /// Proof that one of this head and the certificate's continues the other: the body of
    /// `add-checkpoint` for the later one.
    pub growth: &'a [u8],
    /// Answers of time-stamp authorities about the text of the checkpoint.
    pub stamps: &'a [Vec<u8>],
}

/// What came along with a certificate.
#[derive(Debug, Clone, Copy, Default)]
pub struct AnchorFiles<'a> {
    /// The last stamped head without the certificate's entry.
    pub before: Option<AnchoredHead<'a>>,
    /// The first stamped head with it.
    pub after: Option<AnchoredHead<'a>>,
    /// A later head, stamped anew before what stamped the earlier ones aged.
    pub renewed: Option<AnchoredHead<'a>>,
    /// `certificate.tlog-proof`: the checkpoint with the signatures of witnesses.
    pub proof: Option<&'a [u8]>,
    /// `policy.tlog`: which witnesses have to have signed.
    pub policy: Option<(&'a [u8], Source)>,
}

/// What everything here is checked against.
pub(crate) struct Ground<'a> {
    pub bundle: &'a Bundle,
    pub certificate: Option<&'a Certificate>,
    /// The log, where its signature under the certificate's checkpoint holds.
    pub log: Option<&'a LogIdentity>,
    pub root: Option<&'a TrustedRoot>,
    pub files: AnchorFiles<'a>,
}

/// The bounds that time stamps give.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeBracket {
    /// The head `before`, without the entry, existed at this moment; that the log had not grown by
    /// then is the issuer's word.
    pub not_before: Option<Timestamp>,
    /// The signature existed at this moment, so nothing that it claims can be later.
    pub signed_by: Option<Timestamp>,
    /// The entry was in the log at this moment.
    pub logged_by: Option<Timestamp>,
    /// Until when what proves it is thought to be sound.
    pub sound_until: Option<Timestamp>,
}

/// Why nothing more can be said.
enum Ended {
    Fail(String),
    NotChecked(String),
}

fn fail<T>(why: impl Into<String>) -> Result<T, Ended> {
    Err(Ended::Fail(why.into()))
}

fn not_checked<T>(why: impl Into<String>) -> Result<T, Ended> {
    Err(Ended::NotChecked(why.into()))
}

fn step(name: &'static str, ended: Result<String, Ended>) -> Step {
    let (finding, sentence) = match ended {
        Ok(sentence) => (Finding::Pass, sentence),
        Err(Ended::Fail(sentence)) => (Finding::Fail, sentence),
        Err(Ended::NotChecked(sentence)) => (Finding::NotChecked, sentence),
    };
    Step { name, finding, sentence: crate::verify::printable(&sentence) }
}

/// The steps `time`, `policy`, `witnesses` and `post-quantum`.
pub(crate) fn steps(ground: &Ground<'_>) -> Vec<Step> {
    let policy = policy(ground);
    let read = policy.as_ref().ok().map(|(policy, _)| policy);
    vec![
        step("time", time(ground)),
        step("witnesses", witnesses(ground, read)),
        step("post-quantum", post_quantum(ground, read)),
        step("policy", policy.and_then(|(_, said)| said)),
    ]
}

fn time(ground: &Ground<'_>) -> Result<String, Ended> {
    let bracket = bracket(ground)?;
    let Some(certificate) = ground.certificate else {
        return not_checked("The statement is not read, because its signature does not hold.");
    };
    claims_within(certificate, ground, bracket)?;
    let at = |moment: Timestamp| moment.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    let before = match bracket.not_before {
        Some(from) => format!(
            " The last head without it that was stamped is of {}; that the log had not grown by then \
             is the issuer's word.",
            at(from)
        ),
        None => " That it was not there much earlier is not proven.".to_owned(),
    };
    match (bracket.logged_by, bracket.signed_by) {
        (Some(until), _) => Ok(format!(
            "Other parties bear witness that it was in the log at {}, and the moments that it claims \
             fit.{before}",
            at(until)
        )),
        (None, Some(until)) => Ok(format!(
            "Other parties bear witness that it was signed at {}, and the moments that it claims fit; \
             by when it was in the log is not proven.{before}",
            at(until)
        )),
        (None, None) if bracket.not_before.is_some() => {
            not_checked(format!("By when it was in the log is not proven.{before}"))
        }
        (None, None) => not_checked(
            "No time stamp of another party: the moments on the certificate are the issuer's own.",
        ),
    }
}

/// The bounds of an entry, from everything that came along.
fn bracket(ground: &Ground<'_>) -> Result<TimeBracket, Ended> {
    let mut bracket = TimeBracket::default();
    let signature = &ground.bundle.envelope.signature;
    let own = &ground.bundle.time_stamps;
    let heads = [ground.files.before, ground.files.after, ground.files.renewed];
    let some = !own.is_empty() || heads.iter().flatten().any(|head| !head.stamps.is_empty());
    if !some {
        return Ok(bracket);
    }
    let authorities = ground.root.map_or(&[][..], |root| root.authorities.as_slice());
    if authorities.is_empty() {
        return not_checked(
            "There are time stamps, and the trusted root names no authority to check them with: \
             the moments on the certificate are the issuer's own.",
        );
    }
    let mut sound = None;
    for stamp in stamps(ground, own, signature, "the signature")? {
        bracket.signed_by = Some(earlier(bracket.signed_by, stamp.latest()));
        sound = sound.max(Some(stamp.sound_until));
    }
    if let Some(head) = ground.files.before {
        let (size, stamps) = anchored(ground, head, "before")?;
        if size > ground.bundle.inclusion.index {
            return fail("The head `before` holds the entry already.");
        }
        // The first of them: later ones of the same head say nothing more.
        for stamp in stamps {
            bracket.not_before = Some(earlier(bracket.not_before, stamp.earliest()));
        }
    }
    for (head, name) in [(ground.files.after, "after"), (ground.files.renewed, "renewed")] {
        let Some(head) = head else { continue };
        let (size, stamps) = anchored(ground, head, name)?;
        if size <= ground.bundle.inclusion.index {
            return fail(format!("The head `{name}` does not hold the entry yet."));
        }
        for stamp in stamps {
            bracket.logged_by = Some(earlier(bracket.logged_by, stamp.latest()));
            sound = sound.max(Some(stamp.sound_until));
        }
    }
    bracket.sound_until = sound;
    let late = bracket.logged_by.and_then(|until| until.checked_add(CLOCK_SKEW).ok());
    match (bracket.not_before, late) {
        (Some(from), Some(until)) if from > until => {
            fail("The time stamps contradict each other: the later head was stamped first.")
        }
        _ => Ok(bracket),
    }
}

fn earlier(one: Option<Timestamp>, other: Timestamp) -> Timestamp {
    one.map_or(other, |one| one.min(other))
}

/// The time stamps over these bytes that hold. One of an authority that is not trusted says
/// nothing; one that is wrong says that something is wrong.
fn stamps(
    ground: &Ground<'_>,
    answers: &[Vec<u8>],
    message: &[u8],
    what: &str,
) -> Result<Vec<TimeStamp>, Ended> {
    if answers.len() > MOST_STAMPS {
        return fail(format!("There are more than {MOST_STAMPS} time stamps over {what}."));
    }
    let authorities = ground.root.map_or(&[][..], |root| root.authorities.as_slice());
    let mut found = Vec::new();
    for answer in answers {
        let mut refused = None;
        for trusted in authorities {
            match time_stamp::verify(answer, message, None, &trusted.authority) {
                Ok(stamp) => {
                    found.push(stamp);
                    refused = None;
                    break;
                }
                Err(TimeStampError::NotTrusted) => {}
                Err(error) => refused = Some(error),
            }
        }
        if let Some(error) = refused {
            return fail(format!("A time stamp over {what} does not hold: {error}."));
        }
    }
    Ok(found)
}

/// Size and time stamps of a head that belongs to the certificate's log.
fn anchored(
    ground: &Ground<'_>,
    head: AnchoredHead<'_>,
    name: &str,
) -> Result<(u64, Vec<TimeStamp>), Ended> {
    let Some(log) = ground.log else {
        return not_checked("The heads are not checked, because no key of the log is trusted.");
    };
    let own = &ground.bundle.inclusion;
    let read = std::str::from_utf8(head.checkpoint).unwrap_or_default();
    let checkpoint = match note::verify_checkpoint(read, log) {
        Ok(checkpoint) => checkpoint,
        Err(error) => return fail(format!("The head `{name}` is not one of this log: {error}.")),
    };
    let (older, newer) = if checkpoint.size <= own.size {
        ((checkpoint.size, checkpoint.root), (own.size, own.root))
    } else {
        ((own.size, own.root), (checkpoint.size, checkpoint.root))
    };
    let grown = Growth::parse(head.growth).filter(|growth| growth.old == older.0);
    let path = grown.map(|growth| growth.path).unwrap_or_default();
    let same = older.0 == newer.0 && older.1 == newer.1;
    if !same && merkle::check_consistency((older.0, &older.1), (newer.0, &newer.1), &path).is_err()
    {
        return fail(format!(
            "The head `{name}` and the certificate's are not of one history: somebody was shown \
             another log."
        ));
    }
    let text = Note::parse(read).map(|note| note.text).unwrap_or_default();
    let what = format!("the head `{name}`");
    Ok((checkpoint.size, stamps(ground, head.stamps, text.as_bytes(), &what)?))
}

/// Whether what a certificate claims lies in the bracket.
fn claims_within(
    certificate: &Certificate,
    ground: &Ground<'_>,
    bracket: TimeBracket,
) -> Result<(), Ended> {
    let existed = [bracket.signed_by, bracket.logged_by].into_iter().flatten().min();
    let late = existed.and_then(|until| until.checked_add(CLOCK_SKEW).ok());
    let early = bracket.not_before.and_then(|from| from.checked_sub(LOGGING_DELAY).ok());
    let issued = certificate.predicate.issued_at;
    if early.is_some_and(|early| issued < early) {
        return fail(format!(
            "It claims to have been issued at {issued}, but its entry was not in the log yet at {}.",
            bracket.not_before.unwrap_or_default()
        ));
    }
    let mut claims = vec![("to have been issued", issued)];
    let without = ground.files.before.and_then(|head| size_of(head.checkpoint));
    for statement in &certificate.predicate.statements {
        let Some(completed) = statement.completed_at else { continue };
        claims.push(("that something was completed", completed));
        let own = &certificate.predicate.issuer.log;
        let indexes =
            statement.evidence.iter().filter(|one| one.log == *own).map(|one| one.index.0);
        // Where none of its evidence was in the log then, it had not been completed long before.
        let unseen = indexes.min().zip(without).is_some_and(|(index, size)| index >= size);
        if unseen && early.is_some_and(|early| completed < early) {
            return fail(format!(
                "`{}` claims to have been completed at {completed}, but none of its evidence was \
                 in the log yet at {}.",
                statement.id,
                bracket.not_before.unwrap_or_default()
            ));
        }
    }
    for (what, moment) in claims {
        if late.is_some_and(|late| moment > late) {
            return fail(format!(
                "It claims {what} at {moment}, which is later than {}, when it was there already.",
                existed.unwrap_or_default()
            ));
        }
    }
    Ok(())
}

fn size_of(note: &[u8]) -> Option<u64> {
    let note = Note::parse(std::str::from_utf8(note).ok()?).ok()?;
    Some(Checkpoint::parse(&note.text).ok()?.size)
}

type ReadPolicy = (Policy, Result<String, Ended>);

fn policy(ground: &Ground<'_>) -> Result<ReadPolicy, Ended> {
    let Some((bytes, source)) = ground.files.policy else {
        return not_checked("No policy says which witnesses have to have signed.");
    };
    let policy = match Policy::parse(bytes) {
        Ok(policy) => policy,
        Err(error) => return fail(format!("The policy cannot be read: {error}.")),
    };
    let said = match source {
        Source::Given => Ok("The policy was given.".to_owned()),
        Source::Beside => not_checked(format!(
            "The policy came with the certificate. Compare the SHA-256 of the file, `{}`, with one \
             from the issuer.",
            fingerprint(bytes)
        )),
    };
    Ok((policy, said))
}

/// Whether the policy was given, and did not come along with the certificate: whoever makes up a log
/// makes up its witnesses too.
fn is_given(ground: &Ground<'_>) -> bool {
    matches!(ground.files.policy, Some((_, Source::Given)))
}

const UNWITNESSED: &str = "Unwitnessed: no witness signed the checkpoint, and that everybody is \
    shown the same log is not proven.";

/// The checkpoint with its cosignatures, where the entry is in its tree.
fn witnessed_note(ground: &Ground<'_>) -> Result<Note, Ended> {
    let (Some(file), Some(log)) = (ground.files.proof, ground.log) else {
        return not_checked(UNWITNESSED);
    };
    let Some(proof) = TlogProof::parse(file) else {
        return fail("The file `certificate.tlog-proof` is no proof.");
    };
    let head = match note::verify_checkpoint(&proof.note, log) {
        Ok(head) => head,
        Err(error) => return fail(format!("The proof is not one of this log: {error}.")),
    };
    let leaf = merkle::leaf_hash(&ground.bundle.leaf);
    let index = ground.bundle.inclusion.index;
    let same = proof.index == index;
    if !same || merkle::check_inclusion(&leaf, index, head.size, &proof.path, &head.root).is_err() {
        return fail("The entry is not in the tree that the witnesses signed.");
    }
    Note::parse(&proof.note).map_err(|error| Ended::Fail(format!("The proof: {error}.")))
}

fn witnesses(ground: &Ground<'_>, policy: Option<&Policy>) -> Result<String, Ended> {
    let note = witnessed_note(ground)?;
    let Some(policy) = policy else { return not_checked(UNWITNESSED) };
    let mut signed = BTreeSet::new();
    let mut oldest: Option<Timestamp> = None;
    for witness in &policy.witnesses {
        match witness.cosigner.verify(&note) {
            Ok(Some(moment)) => {
                signed.insert(witness.name.as_str());
                oldest = Some(earlier(oldest, moment));
            }
            Ok(None) => {}
            Err(_) => {
                return fail(format!("The signature of the witness `{}` is wrong.", witness.name));
            }
        }
    }
    if signed.is_empty() {
        return match &policy.quorum {
            Some(quorum) if is_given(ground) => {
                fail(format!("{UNWITNESSED} The policy that was given asks for `{quorum}`."))
            }
            _ => not_checked(UNWITNESSED),
        };
    }
    let names: Vec<&str> = signed.iter().copied().collect();
    let names = names.join("`, `");
    if !policy.is_met_by(&signed) {
        return fail(format!("Only `{names}` signed, and that is not what the policy asks for."));
    }
    let said = format!(
        "`{names}` signed the checkpoint{} and had seen nothing that contradicts it",
        oldest.map_or(String::new(), |at| format!(
            ", the first at {}",
            at.strftime("%Y-%m-%d %H:%M:%SZ")
        ))
    );
    match &policy.quorum {
        Some(_) if is_given(ground) => Ok(format!("{said}: the policy's quorum is met.")),
        Some(_) => not_checked(format!(
            "{said}: that meets the quorum of the policy that came with the certificate. Who names \
             the witnesses there has to be asked elsewhere."
        )),
        None => not_checked(format!("{said}; the policy asks for nobody.")),
    }
}

/// The key of a log's second signature: under its own name, or under that of the log of an earlier
/// year that it continues.
fn second_key(origin: &str, policy: &Policy) -> Option<Cosigner> {
    let read = |key: &VerifierKey| Cosigner::parse(&key.to_string()).ok();
    let second = |key: &Cosigner| key.kind() == CosignatureKind::MlDsa44;
    let keys: Vec<Cosigner> = policy.logs.iter().filter_map(read).filter(second).collect();
    let named = |name: &str| keys.iter().find(|key| key.name() == name);
    let earlier = || named(continued_by(origin, keys.iter().map(Cosigner::name))?);
    let key = named(origin).or_else(earlier)?;
    Cosigner::new(origin, key.kind(), key.key())
}

/// The log's own second signature, which a quantum computer does not break.
fn post_quantum(ground: &Ground<'_>, policy: Option<&Policy>) -> Result<String, Ended> {
    const NONE: &str = "No second signature of the log that a quantum computer would not break.";
    let Some(log) = ground.log else { return not_checked(NONE) };
    let own = policy.and_then(|policy| second_key(log.origin(), policy));
    let (Some(own), Some(_)) = (own, ground.files.proof) else { return not_checked(NONE) };
    let said = format!(
        "The log signed its head a second time ({}), which a quantum computer does not break",
        own.kind().as_str()
    );
    match own.verify(&witnessed_note(ground)?) {
        Ok(Some(_)) if is_given(ground) => Ok(format!("{said}.")),
        Ok(Some(_)) => not_checked(format!("{said}, by a key that came with the certificate.")),
        Ok(None) => not_checked(NONE),
        Err(_) => fail("The second signature of the log is wrong."),
    }
}
