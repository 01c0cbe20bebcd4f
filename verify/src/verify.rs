//! Checks a certificate offline, step by step: PASS, FAIL or NOT CHECKED, each with a sentence.
//!
//! Never one green tick: what was not checked is named. A trusted root or key that came with the
//! certificate vouches for nothing by itself, and the step says so. Only bytes whose signature
//! holds are read as a certificate. No input, however broken, makes this panic.

use serde::Serialize;

use crate::anchors::{self, AnchorFiles, Ground, Vouched};
use crate::bundle::Bundle;
use crate::certificate::{Certificate, MANIFEST_NAME, PREDICATE_TYPE, STATEMENT_TYPE};
use crate::digest::Digest;
use crate::issuer_keys::{issuer_key, known_keys};
use crate::keys::IssuerPublicKey;
use crate::status::{self, StatusFiles};
use crate::trust_folder::CheckedTrust;
use crate::trusted_root::{TrustedLog, TrustedRoot, fingerprint};
use crate::{copies, files, hashedrekord, key_validity, manifest, origin, summary};

/// What one step found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Finding {
    /// It holds.
    #[serde(rename = "PASS")]
    Pass,
    /// It does not hold.
    #[serde(rename = "FAIL")]
    Fail,
    /// Nobody knows, and the sentence says why.
    #[serde(rename = "NOT CHECKED")]
    NotChecked,
}

impl Finding {
    /// The word that people read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::NotChecked => "NOT CHECKED",
        }
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its name.
    pub name: &'static str,
    /// What it found.
    pub finding: Finding,
    /// What that means.
    pub sentence: String,
}

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// The steps in their order.
    pub steps: Vec<Step>,
    /// The certificate, where its signature holds.
    #[serde(skip)]
    pub certificate: Option<Certificate>,
    /// The bundle, where it could be read.
    #[serde(skip)]
    pub bundle: Option<Bundle>,
    /// With what, of all that the verifying person has from the issuer, it was compared.
    pub anchor: Anchor,
    /// What holds of what others vouch for.
    #[serde(skip)]
    pub vouched: Vouched,
}

/// What the verifying person had from the issuer on another way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Anchor {
    /// Nothing: the files agree with each other, and all of them may be forged.
    Nothing,
    /// The trusted root: the log is the issuer's.
    TrustedRoot,
    /// The issuer's key: the signature is the issuer's.
    IssuerKey,
    /// Both.
    Both,
}

impl Anchor {
    fn of(material: &Material<'_>) -> Self {
        let given = |file: Option<(&[u8], Source)>| matches!(file, Some((_, Source::Given)));
        match (given(material.trusted_root), given(material.issuer_key)) {
            (false, false) => Self::Nothing,
            (true, false) => Self::TrustedRoot,
            (false, true) => Self::IssuerKey,
            (true, true) => Self::Both,
        }
    }

    /// What it means for somebody who relies on the certificate; `None` where nothing is lacking.
    pub fn warning(self) -> Option<&'static str> {
        match self {
            Self::Nothing => Some(
                "nothing here was compared with what you have from the issuer: a forged folder \
                 looks the same; give --trusted-root and --issuer-key",
            ),
            Self::TrustedRoot => Some(
                "the key was not compared with the one that you have from the issuer; give \
                 --issuer-key",
            ),
            Self::IssuerKey => Some(
                "the log was not compared with the trusted root that you have from the issuer; \
                 give --trusted-root",
            ),
            Self::Both => None,
        }
    }
}

impl Verdict {
    /// Whether no step failed. It does not mean that every step was checked, and without an
    /// [`Anchor`] it says nothing about who made the files.
    pub fn passed(&self) -> bool {
        self.steps.iter().all(|step| step.finding != Finding::Fail)
    }

    /// What a step found.
    pub fn finding(&self, name: &str) -> Option<Finding> {
        self.steps.iter().find(|step| step.name == name).map(|step| step.finding)
    }
}

/// Where a trusted file came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The verifying person named it.
    Given,
    /// It lay beside the certificate.
    Beside,
}

/// What is verified, and against what.
#[derive(Debug, Clone, Copy, Default)]
pub struct Material<'a> {
    /// `certificate.sigstore.json`.
    pub bundle: &'a [u8],
    /// `trusted_root.json`.
    pub trusted_root: Option<(&'a [u8], Source)>,
    /// `issuer.pub.pem`.
    pub issuer_key: Option<(&'a [u8], Source)>,
    /// The file that the certificate is about: `manifest.json`, or a person's
    /// `subject-opening.json`.
    pub manifest: Option<&'a [u8]>,
    /// Time stamps and cosignatures that came along.
    pub anchors: AnchorFiles<'a>,
    /// What says whether it still is the last word.
    pub status: StatusFiles<'a>,
    /// The signed trust folder that the trusted files are from.
    pub trust: Option<&'a CheckedTrust>,
}

/// The steps so far.
pub(crate) struct Steps(Vec<Step>);

impl Steps {
    pub(crate) fn pass(&mut self, name: &'static str, sentence: impl AsRef<str>) {
        self.record(name, Finding::Pass, sentence.as_ref());
    }

    pub(crate) fn fail(&mut self, name: &'static str, sentence: impl AsRef<str>) {
        self.record(name, Finding::Fail, sentence.as_ref());
    }

    pub(crate) fn skip(&mut self, name: &'static str, sentence: impl AsRef<str>) {
        self.record(name, Finding::NotChecked, sentence.as_ref());
    }

    /// Steps that go on from one that was taken elsewhere, if there is one.
    pub(crate) fn after(step: Option<Step>) -> Self {
        Self(step.into_iter().collect())
    }

    pub(crate) fn into_steps(self) -> Vec<Step> {
        self.0
    }

    fn record(&mut self, name: &'static str, finding: Finding, sentence: &str) {
        self.0.push(Step { name, finding, sentence: printable(sentence) });
    }
}

/// Verifies a certificate.
pub fn verify(material: &Material<'_>) -> Verdict {
    let mut steps = Steps::after(material.trust.map(|trust| trust.step.clone()));
    let anchor = Anchor::of(material);
    let bundle = match Bundle::from_json(material.bundle) {
        Ok(bundle) => bundle,
        Err(error) => {
            steps.fail("bundle", sentence(&error.to_string()));
            let vouched = Vouched::default();
            return Verdict { steps: steps.0, certificate: None, bundle: None, anchor, vouched };
        }
    };
    steps.pass("bundle", "The file is a Sigstore bundle with one certificate and one log entry.");
    let key = issuer_key(&mut steps, material, &bundle);
    let certificate = key.and_then(|key| signature(&mut steps, &bundle, &key));
    if let Some(key) = key {
        log_entry(&mut steps, &bundle, &key);
    } else {
        for name in ["signature", "log-entry"] {
            steps.skip(name, "There is no key to check it with.");
        }
    }
    let root = material.trusted_root.and_then(|(bytes, _)| TrustedRoot::from_json(bytes).ok());
    let log = trusted_log(&mut steps, material, &bundle);
    let holds = checkpoint(&mut steps, &bundle, log.as_ref(), certificate.as_ref());
    if holds {
        inclusion(&mut steps, &bundle);
    } else {
        steps.skip("inclusion", "The head that the proof leads to is not one that is trusted.");
    }
    let (found, vouched) = anchors::steps(&Ground {
        bundle: &bundle,
        certificate: certificate.as_ref(),
        log: log.as_ref().filter(|_| holds).map(|trusted| &trusted.log),
        root: root.as_ref(),
        files: material.anchors,
    });
    steps.0.extend(found);
    if let Some(trust) = material.trust.and_then(|trust| trust.predicate.as_ref()) {
        let (certificate, bracket) = (certificate.as_ref(), vouched.bracket);
        let ground = key_validity::Ground { trust, key, certificate, bracket };
        steps.0.push(key_validity::step(&ground));
    }
    if let Some(certificate) = &certificate {
        subject(&mut steps, certificate, material.manifest);
        statements(&mut steps, certificate);
        evidence(&mut steps, certificate);
        steps.0.extend(files::step(certificate));
        steps.0.extend(copies::step(certificate, material.status.now));
    } else {
        let why = "The statement is not read, because its signature does not hold.";
        for name in ["subject", "manifest", "statements", "evidence"] {
            steps.skip(name, why);
        }
    }
    steps.0.push(status::step(&status::Ground {
        certificate: certificate.as_ref(),
        payload: &bundle.envelope.payload,
        keys: &known_keys(material, key),
        root: root.as_ref(),
        files: material.status,
    }));
    Verdict { steps: steps.0, certificate, bundle: Some(bundle), anchor, vouched }
}

/// Texts from a file must not steer the terminal that they are printed on.
pub fn printable(text: &str) -> String {
    text.chars().map(|one| if one.is_control() { '\u{fffd}' } else { one }).collect()
}

/// Makes an error message a sentence.
pub(crate) fn sentence(message: &str) -> String {
    let mut characters = message.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    format!("{}{}.", first.into_iter().collect::<String>(), characters.as_str())
}

fn signature(steps: &mut Steps, bundle: &Bundle, key: &IssuerPublicKey) -> Option<Certificate> {
    const NAME: &str = "signature";
    let envelope = &bundle.envelope;
    let expected = crate::dsse::key_name(key);
    if envelope.key_id != expected || bundle.key_hint != expected {
        steps.fail(NAME, "The certificate names another key than the one it was verified with.");
        return None;
    }
    if !key.verifies(&envelope.signed_bytes(), &envelope.signature) {
        steps.fail(NAME, "The signature is not the issuer's over this statement.");
        return None;
    }
    match serde_json::from_slice::<Certificate>(&envelope.payload) {
        Ok(certificate)
            if certificate.statement_type == STATEMENT_TYPE
                && certificate.predicate_type == PREDICATE_TYPE =>
        {
            steps.pass(NAME, "The issuer signed this statement (ECDSA P-256, DSSE).");
            Some(certificate)
        }
        Ok(_) => {
            steps.fail(NAME, "What the issuer signed is another kind of statement.");
            None
        }
        Err(error) => {
            steps.fail(NAME, format!("What the issuer signed cannot be read: {error}."));
            None
        }
    }
}

fn log_entry(steps: &mut Steps, bundle: &Bundle, key: &IssuerPublicKey) {
    if hashedrekord::leaf(&bundle.envelope, key) == bundle.leaf {
        steps.pass("log-entry", "The log entry holds exactly this digest, signature and key.");
    } else {
        steps.fail("log-entry", "The log entry does not belong to this certificate.");
    }
}

fn trusted_log(steps: &mut Steps, material: &Material<'_>, bundle: &Bundle) -> Option<TrustedLog> {
    const NAME: &str = "trusted-root";
    let Some((bytes, source)) = material.trusted_root else {
        steps.fail(NAME, "There is no trusted root: give the issuer's with `--trusted-root`.");
        return None;
    };
    let root = match TrustedRoot::from_json(bytes) {
        Ok(root) => root,
        Err(error) => {
            steps.fail(NAME, sentence(&error.to_string()));
            return None;
        }
    };
    let origin = bundle.inclusion.checkpoint.lines().next().unwrap_or_default();
    let known = root.log(&bundle.log_id).cloned();
    let continued = || root.continued_by(origin).filter(|it| it.log.full_id() == bundle.log_id);
    let Some(log) = known.or_else(continued) else {
        steps.fail(NAME, "The trusted root does not know the log of this certificate.");
        return None;
    };
    match source {
        Source::Given if root.log(&bundle.log_id).is_none() => steps.pass(
            NAME,
            "The trusted root that was given knows the log of an earlier year, which this one \
             continues with the same key.",
        ),
        Source::Given => steps.pass(NAME, "The trusted root that was given knows the log."),
        Source::Beside => steps.skip(
            NAME,
            format!(
                "The trusted root came with the certificate. Compare the SHA-256 of the file, \
                 `{}`, with one from the issuer.",
                fingerprint(bytes)
            ),
        ),
    }
    Some(log)
}

/// Whether the head of the proof is one that the trusted log signed.
fn checkpoint(
    steps: &mut Steps,
    bundle: &Bundle,
    log: Option<&TrustedLog>,
    certificate: Option<&Certificate>,
) -> bool {
    const NAME: &str = "checkpoint";
    let Some(trusted) = log else {
        steps.skip(NAME, "The signature of the log is not checked, because no key is trusted.");
        return false;
    };
    let head = match bundle.signed_head(&trusted.log) {
        Ok(head) => head,
        Err(why) => {
            steps.fail(NAME, sentence(&why));
            return false;
        }
    };
    if let Some(certificate) = certificate {
        let issued = certificate.predicate.issued_at;
        let too_early = trusted.valid_from.is_some_and(|from| issued < from);
        let too_late = trusted.valid_until.is_some_and(|until| issued > until);
        if too_early || too_late {
            steps.fail(NAME, "The certificate was issued when the log's key was not in use.");
            return true;
        }
        // What is signed at the turn of a year may come into the log that follows.
        if !origin::follows(trusted.log.origin(), &certificate.predicate.issuer.log) {
            steps.fail(NAME, "The certificate names another log than the one that it is in.");
            return true;
        }
    }
    steps.pass(
        NAME,
        format!(
            "The log `{}` signed its head: {} entries, root {}.",
            trusted.log.origin(),
            head.size,
            head.root.short()
        ),
    );
    true
}

fn inclusion(steps: &mut Steps, bundle: &Bundle) {
    let place = &bundle.inclusion;
    match bundle.check_inclusion() {
        Ok(()) => steps.pass(
            "inclusion",
            format!("The entry is number {} of {} in that log.", place.index, place.size),
        ),
        Err(why) => steps.fail("inclusion", sentence(&why)),
    }
}

fn subject(steps: &mut Steps, certificate: &Certificate, file: Option<&[u8]>) {
    let [subject] = certificate.subject.as_slice() else {
        steps.fail("subject", "The certificate does not name exactly one subject.");
        steps.skip("manifest", "There is no subject to compare a file with.");
        return;
    };
    let digest = subject.digest.sha256;
    if certificate.predicate.is_of_counts() {
        let computed = manifest::manifest(&certificate.predicate).map(|bytes| Digest::of(&bytes));
        if subject.name == MANIFEST_NAME && computed == Some(digest) {
            steps.pass("subject", "The subject is the digest of the counts that are certified.");
        } else {
            steps
                .fail("subject", "The subject is not the digest of the counts that are certified.");
        }
    } else {
        steps.skip(
            "subject",
            "Whom or what it is about is known to the holder of the opening only.",
        );
    }
    match file.map(Digest::of) {
        Some(found) if found == digest => {
            steps.pass("manifest", format!("The file `{}` is the one signed for.", subject.name));
        }
        Some(_) => {
            steps.fail(
                "manifest",
                format!("The file `{}` is not the one signed for.", subject.name),
            );
        }
        None => steps.skip("manifest", format!("No file `{}` was given.", subject.name)),
    }
}

fn statements(steps: &mut Steps, certificate: &Certificate) {
    let problems = summary::violations(&certificate.predicate);
    if problems.is_empty() {
        let predicate = &certificate.predicate;
        steps.pass(
            "statements",
            format!(
                "{} statements about {} of {} systems amount to `{}`.",
                predicate.statements.len(),
                predicate.scope.systems_stated,
                predicate.scope.systems_in_scope,
                predicate.summary.overall.as_str()
            ),
        );
    } else {
        steps.fail("statements", format!("The certificate is not sound: {}.", problems.join("; ")));
    }
}

fn evidence(steps: &mut Steps, certificate: &Certificate) {
    let entries: usize =
        certificate.predicate.statements.iter().map(|statement| statement.evidence.len()).sum();
    let sentence = if entries == 0 {
        "The statements name no log entries of their own.".to_owned()
    } else {
        format!(
            "The {entries} log entries behind the statements are not part of this file; an auditor \
             asks the issuer to open them."
        )
    };
    steps.skip("evidence", sentence);
}
