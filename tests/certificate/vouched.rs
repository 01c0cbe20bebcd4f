//! What others vouch for of the invented certificate: two witnesses have signed the head of its log, in
//! Ed25519 and in ML-DSA-44, and a time-stamp authority (`openssl ts` behind HTTP, from `QUIETUS_TEST_TSA`
//! and `QUIETUS_TEST_TSA_FOLDER`) has stamped that head and the certificate's signature.

use quietus::domain::Digest;
use quietus::evidence::anchor_folder::{AnchorFolder, HeadFiles};
use quietus::evidence::cosignature::{CosignatureKind, LOG_TYPE, VerifierKey};
use quietus::evidence::cosigning::CosigningKey;
use quietus::evidence::note::Note;
use quietus::evidence::policy::{Policy, PolicyGroup, PolicyWitness};
use quietus::evidence::time_stamp::{self, Nonce, REQUEST_TYPE, TimeStamp, TimeStampAuthority};
use quietus::evidence::tlog_proof::TlogProof;
use quietus::evidence::trusted_root::TrustedAuthority;
use quietus::evidence::witnessing::Growth;
use quietus::evidence::{TrustedLog, TrustedRoot};

use super::fixture::{Issued, ORIGIN, moment};

/// The name that the authority has here.
pub const AUTHORITY: &str = "notary";

/// The witness that signs in Ed25519.
pub const WITNESS: &str = "witness.example/w1";

/// The witness that signs in ML-DSA-44.
pub const SECOND_WITNESS: &str = "witness.example/w2";

/// A certificate with what others vouch for.
pub struct Vouched {
    /// The bundle with a time stamp over the signature.
    pub bundle: Vec<u8>,
    /// The trusted root with the authority.
    pub trusted_root: Vec<u8>,
    /// The files beside the bundle.
    pub anchors: AnchorFolder,
}

fn from_environment(name: &str) -> String {
    let value = std::env::var_os(name);
    let value = value.unwrap_or_else(|| panic!("{name} is not set: run `tests/run`"));
    value.into_string().expect("text")
}

/// Asks the authority with a key of P-384, which all verifiers of others take.
fn stamp(message: &[u8]) -> (Vec<u8>, TimeStamp) {
    let root = format!("{}/ecdsa/root.pem", from_environment("QUIETUS_TEST_TSA_FOLDER"));
    let root = std::fs::read_to_string(root).expect("a certificate");
    let authority = TimeStampAuthority::from_pem(&root).expect("a certificate");
    let nonce = Nonce([7; 16]);
    let question = reqwest::Client::new()
        .post(format!("{}/ecdsa", from_environment("QUIETUS_TEST_TSA")))
        .header("content-type", REQUEST_TYPE)
        .body(time_stamp::request(&Digest::of(message), nonce));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let answer = runtime.expect("a runtime").block_on(async {
        question.send().await.expect("an answer").bytes().await.expect("bytes").to_vec()
    });
    let stamp = time_stamp::verify(&answer, message, Some(nonce), &authority).expect("it holds");
    (time_stamp::in_der_order(&answer), stamp)
}

/// Both witnesses have to have signed, so that no signature can be taken away unnoticed.
fn policy(issued: &Issued, second: &CosigningKey, witnesses: &[CosigningKey]) -> Policy {
    let log =
        VerifierKey { name: ORIGIN.to_owned(), kind: LOG_TYPE, key: issued.log.key().0.to_vec() };
    let witnesses: Vec<PolicyWitness> = (1..)
        .zip(witnesses)
        .map(|(number, key)| PolicyWitness {
            name: format!("w{number}"),
            cosigner: key.cosigner().clone(),
            url: None,
        })
        .collect();
    let members: Vec<String> = witnesses.iter().map(|one| one.name.clone()).collect();
    Policy {
        logs: vec![log, second.cosigner().verifier_key()],
        witnesses,
        groups: vec![PolicyGroup { name: "both".to_owned(), enough: members.len(), members }],
        quorum: Some("both".to_owned()),
    }
}

/// Has others vouch for a certificate.
pub fn vouched(issued: &Issued) -> Vouched {
    let key = |kind: CosignatureKind, name: &str| CosigningKey::generate(kind, name).expect("key");
    let second = key(CosignatureKind::MlDsa44, ORIGIN);
    let witnesses =
        [key(CosignatureKind::Ed25519, WITNESS), key(CosignatureKind::MlDsa44, SECOND_WITNESS)];
    let place = &issued.read.inclusion;
    let text = Note::parse(&place.checkpoint).expect("a note").text;
    let mut note = place.checkpoint.clone();
    for one in std::iter::once(&second).chain(&witnesses) {
        note += &one.cosign(&text, moment("2026-11-23T03:12:00Z")).expect("signed");
    }
    let (over_signature, _) = stamp(&issued.read.envelope.signature);
    let (over_head, stamped) = stamp(text.as_bytes());
    let authority = TimeStampAuthority::new(stamped.chain).expect("certificates");
    let chain = authority.to_pem().into_bytes();
    let root = TrustedRoot {
        logs: vec![TrustedLog { log: issued.log.clone(), valid_from: None, valid_until: None }],
        authorities: vec![TrustedAuthority {
            url: "https://notary.example/".to_owned(),
            authority,
        }],
    };
    let mut bundle = issued.read.clone();
    bundle.time_stamps = vec![over_signature];
    let proof = TlogProof { index: place.index, path: place.path.clone(), note: note.clone() };
    let growth = Growth { old: place.size, path: Vec::new(), note: note.clone() };
    Vouched {
        bundle: bundle.to_json(),
        trusted_root: root.to_json(),
        anchors: AnchorFolder {
            after: Some(HeadFiles {
                checkpoint: note.into_bytes(),
                growth: growth.to_text().into_bytes(),
                names: vec![(AUTHORITY.to_owned(), stamped.moment)],
                stamps: vec![over_head],
            }),
            chains: vec![(AUTHORITY.to_owned(), chain)],
            proof: Some(proof.to_text().into_bytes()),
            policy: Some(policy(issued, &second, &witnesses).to_string().into_bytes()),
            ..AnchorFolder::default()
        },
    }
}
