//! Why a certificate or a signature is not accepted.

/// A certificate that is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// No certificate, too many, or bytes that are none.
    #[error("the certificate cannot be read: it has to be X.509 as PEM, leaf first")]
    Unreadable,
    /// A key of another sort than RSA of 2048 to 8192 bits or P-256.
    #[error(
        "the certificate has a key that OpenDSR does not sign with: RSA of at least 2048 bits or P-256 is needed"
    )]
    Key,
    /// It does not lead to an authority that is trusted.
    #[error("the certificate does not lead to an authority that is trusted")]
    Untrusted,
    /// A list of revoked certificates that cannot be read.
    #[error("a list of revoked certificates cannot be read: it has to be a CRL as PEM")]
    List,
    /// Its authority has revoked it.
    #[error("the certificate is revoked by its authority")]
    Revoked,
    /// Its time has not come.
    #[error("the certificate is not valid yet")]
    NotYet,
    /// Its time is over.
    #[error("the certificate has expired")]
    Expired,
    /// It is for somebody else.
    #[error("the certificate is not issued for `{domain}`")]
    OtherDomain {
        /// The domain it should be issued for.
        domain: String,
    },
}

/// A signature that is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFault {
    /// It is no base64.
    #[error("the signature is no base64")]
    Unreadable,
    /// It was not made by this key over these bytes.
    #[error("the signature was not made by the certificate's key over these bytes")]
    Wrong,
    /// Our own key cannot sign.
    #[error("the signing key cannot be used")]
    Key,
}
