//! The id of a request, which follows from what it is for.

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

/// The id of the request for one person of an order at the processor of a domain: a UUID of
/// version 4 in shape, the same for every attempt. `part` counts the requests for the same person,
/// from 0; there are several only where a dialect has no room for two identities of a type.
pub fn request_id(order_key: &str, subject: &str, domain: &str, part: u32) -> Uuid {
    let mut hash = Sha256::new();
    let domain = domain.to_ascii_lowercase();
    for text in ["quietus opendsr request", order_key, subject, &domain, &part.to_string()] {
        // With its length, so that no two lists of parts look the same.
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    Builder::from_random_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::request_id;

    #[test]
    fn an_id_follows_from_what_it_is_for() {
        let id = request_id("order-1", "p1", "opendsr.example.com", 0);
        assert_eq!(id, request_id("order-1", "p1", "OpenDSR.example.com", 0));
        assert_eq!(id.get_version_num(), 4);
        assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(id.to_string(), id.to_string().to_lowercase());
        for other in [
            request_id("order-2", "p1", "opendsr.example.com", 0),
            request_id("order-1", "p2", "opendsr.example.com", 0),
            request_id("order-1", "p1", "opendsr.example.org", 0),
            request_id("order-1", "p1", "opendsr.example.com", 1),
            request_id("order-1p", "1", "opendsr.example.com", 0),
        ] {
            assert_ne!(id, other);
        }
    }
}
