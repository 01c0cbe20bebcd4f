//! Which of the three spellings of OpenDSR is spoken.

/// A spelling of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// OpenGDPR 1.0: the old names of paths and headers, no `regulation`.
    V1,
    /// OpenDSR 2.0.
    V2,
    /// OpenDSR 2.0 with identities as a dictionary, groups, and errors without an envelope.
    V3,
}

/// The two headers that make an answer or a callback a signed one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignatureHeaders<'a> {
    /// The domain that the signing certificate is issued for.
    pub domain: &'a str,
    /// The signature, in base64.
    pub signature: &'a str,
}

impl<'a> SignatureHeaders<'a> {
    /// Reads the headers under their new or their old names, which have to be honoured for ever.
    /// `None` where either is missing.
    pub fn read(header: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        [Dialect::V2, Dialect::V1].into_iter().find_map(|dialect| {
            let domain = header(dialect.domain_header())?.trim();
            let signature = header(dialect.signature_header())?.trim();
            Some(Self { domain, signature })
        })
    }
}

impl Dialect {
    /// Reads `v1`, `v2` or `v3`.
    pub fn read(text: &str) -> Option<Self> {
        match text {
            "v1" => Some(Self::V1),
            "v2" => Some(Self::V2),
            "v3" => Some(Self::V3),
            _ => None,
        }
    }

    /// What stands in `api_version`.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::V1 => "1.0",
            Self::V2 => "2.0",
            Self::V3 => "3.0",
        }
    }

    /// Name of the protocol with its version, as people read it.
    pub fn product(self) -> &'static str {
        match self {
            Self::V1 => "OpenGDPR 1.0",
            Self::V2 => "OpenDSR 2.0",
            Self::V3 => "OpenDSR 3.0",
        }
    }

    /// Last part of the path under which requests are made.
    pub fn requests_path(self) -> &'static str {
        match self {
            Self::V1 => "opengdpr_requests",
            Self::V2 | Self::V3 => "requests",
        }
    }

    /// Name of the header with the processor's domain.
    pub fn domain_header(self) -> &'static str {
        match self {
            Self::V1 => "X-OpenGDPR-Processor-Domain",
            Self::V2 | Self::V3 => "X-OpenDSR-Processor-Domain",
        }
    }

    /// Name of the header with the signature.
    pub fn signature_header(self) -> &'static str {
        match self {
            Self::V1 => "X-OpenGDPR-Signature",
            Self::V2 | Self::V3 => "X-OpenDSR-Signature",
        }
    }

    /// Identities are a dictionary with one value for each type, not a list.
    pub fn has_dictionary(self) -> bool {
        self == Self::V3
    }

    /// An error stands in an envelope `error`.
    pub fn wraps_errors(self) -> bool {
        self != Self::V3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_under_both_names() {
        let new = |name: &str| match name {
            "X-OpenDSR-Processor-Domain" => Some(" opendsr.example.com "),
            "X-OpenDSR-Signature" => Some("bmV3"),
            "X-OpenGDPR-Processor-Domain" => Some("opengdpr.example.com"),
            "X-OpenGDPR-Signature" => Some("b2xk"),
            _ => None,
        };
        let read = SignatureHeaders::read(new).unwrap();
        assert_eq!((read.domain, read.signature), ("opendsr.example.com", "bmV3"));
        let old = |name: &str| new(name).filter(|_| name.starts_with("X-OpenGDPR"));
        let read = SignatureHeaders::read(old).unwrap();
        assert_eq!((read.domain, read.signature), ("opengdpr.example.com", "b2xk"));
        // Half of a pair is nothing, also beside half of the other pair.
        let half = |name: &str| {
            new(name)
                .filter(|_| name == "X-OpenDSR-Signature" || name == "X-OpenGDPR-Processor-Domain")
        };
        assert_eq!(SignatureHeaders::read(half), None);
    }

    #[test]
    fn the_three_dialects_have_their_own_names() {
        let of = |text| Dialect::read(text).unwrap();
        assert_eq!(of("v1").requests_path(), "opengdpr_requests");
        assert_eq!(of("v2").requests_path(), "requests");
        assert_eq!(of("v3").api_version(), "3.0");
        assert!(of("v3").has_dictionary() && !of("v2").has_dictionary());
        assert!(of("v1").wraps_errors() && of("v2").wraps_errors() && !of("v3").wraps_errors());
        assert_eq!(Dialect::read("v4"), None);
    }
}
