//! ECDSA over P-256 as tokens and as everybody else write it: points in an octet string and signatures
//! as two numbers, against plain points and DER.

/// Bytes of a number of P-256.
const NUMBER: usize = 32;
/// Tag of an octet string, of an integer, of a sequence (X.690).
const OCTETS: u8 = 0x04;
const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
/// `prime256v1` as an object identifier in DER (SEC 2; RFC 5480, section 2.1.1.1).
pub(super) const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// The uncompressed point out of `CKA_EC_POINT`: an octet string by the standard, the bare point from
/// tokens that read it otherwise.
pub(super) fn point(value: &[u8]) -> Option<[u8; 65]> {
    let bare = match value {
        [OCTETS, 65, bare @ ..] if bare.len() == 65 => bare,
        bare => bare,
    };
    let point = <[u8; 65]>::try_from(bare).ok()?;
    (point[0] == 0x04).then_some(point)
}

/// A signature in DER (`ECDSA-Sig-Value`, RFC 3279, section 2.2.3), of two numbers of 32 bytes.
pub(super) fn to_der(raw: &[u8]) -> Option<Vec<u8>> {
    if raw.len() != 2 * NUMBER {
        return None;
    }
    let (r, s) = raw.split_at(NUMBER);
    let (r, s) = (integer(r)?, integer(s)?);
    let length = u8::try_from(r.len() + s.len()).ok()?;
    let mut der = vec![SEQUENCE, length];
    der.extend(r);
    der.extend(s);
    Some(der)
}

/// A positive number in DER; zero is no part of a signature.
fn integer(bytes: &[u8]) -> Option<Vec<u8>> {
    let first = bytes.iter().position(|byte| *byte != 0)?;
    let bytes = &bytes[first..];
    // The highest bit of an integer is its sign.
    let sign = usize::from(bytes[0] >= 0x80);
    let mut der = vec![INTEGER, u8::try_from(bytes.len() + sign).ok()?];
    der.extend(std::iter::repeat_n(0, sign));
    der.extend(bytes);
    Some(der)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_read_in_both_forms() {
        let mut bare = [7; 65];
        bare[0] = 0x04;
        let mut wrapped = vec![0x04, 65];
        wrapped.extend(bare);
        assert_eq!(point(&bare), Some(bare));
        assert_eq!(point(&wrapped), Some(bare));
        assert_eq!(point(&wrapped[1..]), None);
        assert_eq!(point(&bare[..64]), None);
        let mut compressed = bare;
        compressed[0] = 0x02;
        assert_eq!(point(&compressed), None);
    }

    #[test]
    fn numbers_have_a_sign_and_no_zeros_before_them() {
        let mut raw = [0; 64];
        (raw[31], raw[32], raw[63]) = (0x7f, 0x80, 0x01);
        let der = to_der(&raw).expect("a signature");
        assert_eq!(&der[..5], &[0x30, 38, 0x02, 1, 0x7f]);
        assert_eq!(&der[5..9], &[0x02, 33, 0, 0x80]);
        assert_eq!(der.len(), 40);
        assert_eq!(to_der(&[0; 64]), None);
        assert_eq!(to_der(&raw[1..]), None);
    }

    #[test]
    fn another_implementation_reads_what_is_written() {
        use aws_lc_rs::rand::SystemRandom;
        use aws_lc_rs::signature::{
            ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
            UnparsedPublicKey,
        };
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, pair.public_key().as_ref());
        // Often enough for numbers with their highest bit set and with zeros before them.
        for message in 0..600_u32 {
            let message = message.to_be_bytes();
            let raw = pair.sign(&SystemRandom::new(), &message).expect("signed");
            let der = to_der(raw.as_ref()).expect("DER");
            public.verify(&message, &der).expect("verified");
        }
    }
}
