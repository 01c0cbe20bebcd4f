//! Which authorities are trusted: those of the machine, else those that we bring, and those that
//! the user adds.

use std::sync::{Arc, OnceLock};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::receipt::Fault;

/// A machine without certificates of its own (a slim container) gets Mozilla's list.
pub(crate) fn machine_roots() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    let read = || {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        roots
    };
    ROOTS.get_or_init(read)
}

/// Configuration of TLS.
///
/// # Errors
/// `Misconfigured` where `trust` holds no certificate or one that cannot be read.
pub(super) fn client_config(system: &str, trust: Option<&str>) -> Result<ClientConfig, Fault> {
    let wrong = |why: &str| Fault::Misconfigured {
        message: format!(
            "system `{system}`: the certificates to trust {why}: give the authority's \
             certificate as PEM"
        ),
    };
    let mut roots = machine_roots().clone();
    if let Some(trust) = trust {
        let mut added = 0;
        for certificate in CertificateDer::pem_slice_iter(trust.as_bytes()) {
            let certificate = certificate.map_err(|_| wrong("are no PEM"))?;
            roots.add(certificate).map_err(|_| wrong("hold one that cannot be read"))?;
            added += 1;
        }
        if added == 0 {
            return Err(wrong("hold none"));
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| wrong("cannot be used with this build"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
