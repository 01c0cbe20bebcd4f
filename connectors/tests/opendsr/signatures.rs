//! What is accepted as a signature, by which certificate, and what is left of it in the end.

use jiff::Timestamp;
use quietus_connectors::opendsr::signature::{
    CertificateFault, ProofFault, SignatureFault, Signer, SigningCertificates, Trust, check_digest,
    proof_of,
};
use secrecy::SecretString;

use super::certificates::{Authority, DOMAIN, Hand, Identity, Issue};

const NOW: &str = "2026-11-23T10:00:00Z";
const BODY: &[u8] = br#"{"subject_request_id":"475974fa-6b42-4370-bb56-b5d845686bb5"}"#;

fn issued(authority: &Authority, hand: Hand) -> Identity {
    authority.issue(&Issue { hand, ..Issue::default() })
}

fn read(identity: &Identity) -> SigningCertificates {
    SigningCertificates::read(identity.bundle.as_bytes()).unwrap()
}

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

#[test]
fn three_ways_of_signing_are_accepted() {
    let authority = Authority::new("A");
    for hand in [Hand::Rsa, Hand::P256, Hand::P256Raw] {
        let identity = issued(&authority, hand);
        let certificates = read(&identity);
        // ECDSA is random: a signature in DER has one of several lengths.
        for _ in 0..40 {
            let signature = identity.sign(BODY);
            assert_eq!(certificates.verify(BODY, &signature), Ok(()), "{hand:?}");
            assert_eq!(certificates.verify(BODY, signature.trim_end_matches('=')), Ok(()));
            let mut altered = BODY.to_vec();
            altered[20] ^= 1;
            assert_eq!(certificates.verify(&altered, &signature), Err(SignatureFault::Wrong));
            if hand == Hand::Rsa {
                break;
            }
        }
        let stranger = issued(&authority, hand);
        let by_stranger = stranger.sign(BODY);
        assert_eq!(certificates.verify(BODY, &by_stranger), Err(SignatureFault::Wrong));
        assert_eq!(certificates.verify(BODY, "no base64!"), Err(SignatureFault::Unreadable));
        assert_eq!(certificates.verify(BODY, ""), Err(SignatureFault::Wrong));
    }
}

#[test]
fn other_ways_of_signing_are_refused() {
    let authority = Authority::new("A");
    let pss = issued(&authority, Hand::RsaPss);
    let refused = read(&pss).verify(BODY, &pss.sign(BODY));
    assert_eq!(refused, Err(SignatureFault::Wrong));
    for hand in [Hand::P384, Hand::Ed25519] {
        let identity = issued(&authority, hand);
        let read = SigningCertificates::read(identity.bundle.as_bytes());
        assert_eq!(read, Err(CertificateFault::Key), "{hand:?}");
    }
}

#[test]
fn a_certificate_is_for_a_domain_and_a_time_and_leads_to_an_authority() {
    let authority = Authority::new("A");
    let trust = Trust::only(authority.pem()).unwrap();
    let certificates = read(&issued(&authority, Hand::Rsa));
    assert_eq!(certificates.names(), [DOMAIN, "opengdpr.processor.example"]);
    let check = |trust: &Trust, domain: &str, at: &str| {
        certificates.check(trust, domain, at.parse().unwrap())
    };
    assert_eq!(check(&trust, DOMAIN, NOW), Ok(()));
    assert_eq!(check(&trust, "opengdpr.processor.example", NOW), Ok(()));
    for domain in ["processor.example", "opendsr.other.example", "127.0.0.1", "not a domain"] {
        let other = Err(CertificateFault::OtherDomain { domain: domain.to_owned() });
        assert_eq!(check(&trust, domain, NOW), other);
    }
    assert_eq!(check(&trust, DOMAIN, "2030-01-01T00:00:01Z"), Err(CertificateFault::Expired));
    assert_eq!(check(&trust, DOMAIN, "2024-12-31T23:59:59Z"), Err(CertificateFault::NotYet));
    let stranger = Trust::only(Authority::new("A").pem()).unwrap();
    assert_eq!(check(&stranger, DOMAIN, NOW), Err(CertificateFault::Untrusted));
    let machine = Trust::of_the_machine(None).unwrap();
    assert_eq!(check(&machine, DOMAIN, NOW), Err(CertificateFault::Untrusted));
    let added = Trust::of_the_machine(Some(authority.pem())).unwrap();
    assert_eq!(check(&added, DOMAIN, NOW), Ok(()));
}

/// Lists stand beside the authorities that are trusted. One that is late names what it named, one
/// that another authority has signed names nothing, and without any nothing is known.
#[test]
fn a_certificate_that_its_authority_has_revoked_vouches_for_nobody() {
    let authority = Authority::new("Authority");
    let (good, bad) = (issued(&authority, Hand::P256), issued(&authority, Hand::P256));
    let check = |identity: &Identity, lists: &[String]| {
        let trust = format!("{}{}", authority.pem(), lists.concat());
        let trust = Trust::only(&trust)?;
        read(identity).check(&trust, DOMAIN, now())
    };
    let list = authority.revoked(&[&bad]);
    assert_eq!(check(&bad, &[]), Ok(()));
    assert_eq!(check(&good, &[list.clone()]), Ok(()));
    assert_eq!(check(&bad, &[list.clone()]), Err(CertificateFault::Revoked));
    let both = [authority.revoked(&[]), list];
    assert_eq!(check(&bad, &both), Err(CertificateFault::Revoked), "no list hides another one");
    let other = Authority::new("Other").revoked(&[&bad]);
    assert_eq!(check(&bad, &[other]), Ok(()), "nobody revokes what others have issued");
    let broken = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n".to_owned();
    assert_eq!(check(&good, &[broken]), Err(CertificateFault::List));
}

#[test]
fn the_leaf_comes_first_and_nothing_else_is_read() {
    let authority = Authority::new("A");
    let identity = issued(&authority, Hand::P256);
    let trust = Trust::only(authority.pem()).unwrap();
    let marker = "-----BEGIN CERTIFICATE-----";
    let mut parts: Vec<String> = identity
        .bundle
        .split(marker)
        .skip(1)
        .map(|part| format!("{marker}{}", part.split("issuer:").next().unwrap()))
        .collect();
    parts.reverse();
    let reversed = SigningCertificates::read(parts.concat().as_bytes()).unwrap();
    assert!(reversed.check(&trust, DOMAIN, now()).is_err());
    let alone = SigningCertificates::read(parts[1].as_bytes()).unwrap();
    assert_eq!(alone.check(&trust, DOMAIN, now()), Err(CertificateFault::Untrusted));
    for wrong in
        ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
    {
        let read = SigningCertificates::read(wrong.as_bytes());
        assert_eq!(read, Err(CertificateFault::Unreadable), "{wrong}");
    }
    let many = identity.bundle.repeat(6);
    assert_eq!(SigningCertificates::read(many.as_bytes()), Err(CertificateFault::Unreadable));
    // What is written again holds the same certificates and nothing between them.
    let written = read(&identity).pem();
    assert!(!written.contains("issuer"));
    assert_eq!(SigningCertificates::read(written.as_bytes()).unwrap().pem(), written);
}

#[test]
fn a_proof_is_checked_from_the_digest_when_the_body_is_gone() {
    let authority = Authority::new("A");
    let trust = Trust::only(authority.pem()).unwrap();
    for hand in [Hand::Rsa, Hand::P256, Hand::P256Raw] {
        let identity = issued(&authority, hand);
        let body = b"{\"encoded_request\":\"bWFyYS5saW5kQGV4YW1wbGUuY29t\"}".to_vec();
        let proof = proof_of(&body, &identity.sign(&body), &read(&identity));
        drop(body);
        let kept = serde_json::to_string(&proof).unwrap();
        assert!(!kept.contains("bWFyYS5saW5k"), "the proof repeats the body");
        let signatory = check_digest(&proof).unwrap();
        assert_eq!(signatory.check(&trust, DOMAIN, now()), Ok(()));
        assert_eq!(
            signatory.check(&trust, DOMAIN, "2031-01-01T00:00:00Z".parse().unwrap()),
            Err(CertificateFault::Expired)
        );
        let mut other = proof.clone();
        other.document_sha256 = "00".repeat(32);
        assert_eq!(check_digest(&other), Err(ProofFault::Signature(SignatureFault::Wrong)));
        other.document_sha256 = "00".repeat(31);
        assert_eq!(check_digest(&other), Err(ProofFault::Incomplete));
        let mut other = proof.clone();
        other.certificates = Some(issued(&authority, hand).bundle);
        assert_eq!(check_digest(&other), Err(ProofFault::Signature(SignatureFault::Wrong)));
        let mut other = proof.clone();
        other.signature = None;
        assert_eq!(check_digest(&other), Err(ProofFault::Incomplete));
        let mut other = proof;
        other.format = "file".to_owned();
        assert_eq!(check_digest(&other), Err(ProofFault::OtherFormat));
    }
}

#[test]
fn our_own_key_signs_what_others_can_check() {
    let authority = Authority::new("A");
    for hand in [Hand::Rsa, Hand::P256] {
        let identity = issued(&authority, hand);
        let key = SecretString::from(identity.key_pem.clone());
        let signer = Signer::read(&key, &identity.bundle).unwrap();
        let signature = signer.sign(BODY).unwrap();
        assert_eq!(read(&identity).verify(BODY, &signature), Ok(()));
        assert!(!format!("{signer:?}").contains("PRIVATE"));
        let other = issued(&authority, hand);
        let refused = Signer::read(&key, &other.bundle).map(|_| ());
        assert_eq!(refused, Err(CertificateFault::Key));
        let refused = Signer::read(&SecretString::from("no key"), &identity.bundle).map(|_| ());
        assert_eq!(refused, Err(CertificateFault::Unreadable));
    }
}
