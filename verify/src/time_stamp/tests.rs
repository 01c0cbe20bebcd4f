//! Time stamps that openssl made: by an RSA key, and by one of P-384.

use super::*;

const RSA: &[u8] = include_bytes!("fixtures/rsa.tsr");
const ECDSA: &[u8] = include_bytes!("fixtures/ecdsa.tsr");
const RSA_ROOT: &str = include_str!("fixtures/rsa-root.pem");
const ECDSA_ROOT: &str = include_str!("fixtures/ecdsa-root.pem");
const RSA_SIGNER: &str = include_str!("fixtures/rsa-signer.pem");
const MESSAGE: &[u8] = b"checkpoint\n";

fn authority(pem: &str) -> TimeStampAuthority {
    TimeStampAuthority::from_pem(pem).expect("certificates")
}

fn check(answer: &[u8], message: &[u8], pem: &str) -> Result<TimeStamp, TimeStampError> {
    verify(answer, message, None, &authority(pem))
}

#[test]
fn what_openssl_stamped_holds_under_its_root_and_under_its_own_certificate() {
    for (answer, root) in [(RSA, RSA_ROOT), (ECDSA, ECDSA_ROOT)] {
        let stamp = check(answer, MESSAGE, root).expect("holds");
        assert!(stamp.moment.to_string().starts_with("2026-11-29T01:12:"), "{}", stamp.moment);
        assert_eq!(stamp.accuracy, SignedDuration::from_secs(1));
        assert_eq!(stamp.chain.len(), 2);
        assert_eq!(stamp.latest().duration_since(stamp.earliest()), SignedDuration::from_secs(2));
    }
    assert!(is_on_a_curve(ECDSA) && !is_on_a_curve(RSA) && !is_on_a_curve(b""));
    let pinned = check(RSA, MESSAGE, RSA_SIGNER).expect("holds");
    assert_eq!(pinned.chain.len(), 1);
    let both = check(RSA, MESSAGE, &format!("{RSA_SIGNER}\nremark\n{RSA_ROOT}")).expect("holds");
    assert_eq!(both.chain.len(), 2);
    assert_eq!(authority(RSA_SIGNER).common_name().as_deref(), Some("Example Time Stamps rsa"));
}

#[test]
fn certificates_are_put_in_the_order_of_der_and_nothing_else_changes() {
    for (answer, root) in [(RSA, RSA_ROOT), (ECDSA, ECDSA_ROOT)] {
        let ordered = in_der_order(answer);
        assert_ne!(ordered, answer, "openssl has written them in another order");
        assert_eq!(ordered.len(), answer.len());
        let token = token::read(&ordered).expect("a token");
        assert!(token.certificates.is_sorted() && token.certificates.len() == 2);
        assert_eq!(check(&ordered, MESSAGE, root), check(answer, MESSAGE, root));
        assert_eq!(in_der_order(&ordered), ordered);
    }
    for other in [&b""[..], b"no answer", &RSA[..100]] {
        assert_eq!(in_der_order(other), other);
    }
}

#[test]
fn the_end_of_soundness_is_the_earlier_of_certificate_and_algorithm() {
    let stamp = check(RSA, MESSAGE, RSA_ROOT).expect("holds");
    assert_eq!(stamp.sound_until.to_string(), "2035-12-31T23:59:59Z");
}

#[test]
fn other_bytes_authorities_and_numbers_are_refused() {
    assert_eq!(check(RSA, b"other", RSA_ROOT), Err(TimeStampError::OtherImprint));
    assert_eq!(check(RSA, MESSAGE, ECDSA_ROOT), Err(TimeStampError::NotTrusted));
    let asked = verify(RSA, MESSAGE, Some(Nonce([7; 16])), &authority(RSA_ROOT));
    assert_eq!(asked, Err(TimeStampError::OtherNonce));
    assert_eq!(check(b"", MESSAGE, RSA_ROOT), Err(TimeStampError::Malformed));
    assert_eq!(
        check(&[0x30, 0x03, 0x02, 0x01, 0x02], MESSAGE, RSA_ROOT),
        Err(TimeStampError::Malformed)
    );
    let refused = check(&[0x30, 0x05, 0x30, 0x03, 0x02, 0x01, 0x02], MESSAGE, RSA_ROOT);
    assert_eq!(refused, Err(TimeStampError::Refused { status: 2, words: String::new() }));
}

/// No byte of what an authority says or signs can change. The rest of an answer are certificates
/// that are not needed here, and marks of form. Not every byte of the certificates is tried: checks
/// of signatures are slow where nothing is optimised.
#[test]
fn no_changed_byte_gives_another_moment() {
    for (answer, root, stride) in [(RSA, RSA_ROOT, 37), (ECDSA, ECDSA_ROOT, 23)] {
        let good = check(answer, MESSAGE, root).expect("holds");
        let mut refused = 0;
        let said =
            answer.windows(4).position(|part| part == [0x02, 0x01, 0x01, 0x06]).expect("info");
        let places = (0..answer.len()).step_by(stride).chain(said..said + 100);
        let places: std::collections::BTreeSet<usize> = places.collect();
        for place in &places {
            let place = *place;
            let mut changed = answer.to_vec();
            changed[place] ^= 1;
            match check(&changed, MESSAGE, root) {
                Ok(stamp) => assert_eq!(stamp.moment, good.moment, "byte {place}"),
                Err(_) => refused += 1,
            }
        }
        assert!(refused >= 100, "{refused} of {}", places.len());
        for length in 0..answer.len() {
            assert!(check(&answer[..length], MESSAGE, root).is_err(), "{length} bytes");
        }
    }
}

#[test]
fn a_certificate_for_something_else_stamps_nothing() {
    // A root signs no time stamps, and a text is no certificate.
    let root = authority(RSA_ROOT);
    let read = Certificate::read(&root.certificates()[0]).expect("certificate");
    assert!(read.is_authority() && !read.signs_time());
    let signer = authority(RSA_SIGNER);
    let signer = Certificate::read(&signer.certificates()[0]).expect("certificate");
    assert!(!signer.is_authority() && signer.signs_time());
    assert!(signer.is_issued_by(&read) && read.is_issued_by(&read) && !read.is_issued_by(&signer));
    assert_eq!(TimeStampAuthority::from_pem("text"), None);
    assert_eq!(
        TimeStampAuthority::from_pem(
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
        ),
        None
    );
}

#[test]
fn a_question_is_what_openssl_asks() {
    let nonce = Nonce([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    let bytes = request(&crate::digest::Digest::of(MESSAGE), nonce);
    let parts = element(&bytes).and_then(|one| one.is(SEQUENCE)?.inside()).expect("sequence");
    assert_eq!(parts.len(), 4);
    // A first bit that is set would make it negative.
    assert_eq!(parts[2].value.len(), 17);
    assert_eq!(plain_integer(parts[2].value), nonce.0);
    let small = Nonce([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5]);
    assert_eq!(small.integer(), [5]);
    assert_eq!(Nonce([0; 16]).integer(), [0]);
}
