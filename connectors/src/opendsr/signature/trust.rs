//! The authorities that may vouch for a processor's certificate, and what they have revoked.
//!
//! Lists of revoked certificates (RFC 5280) stand in the same PEM as the authorities that are added.
//! None is fetched: where a list lies is said by the very certificate that is in doubt.

use std::fmt;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, TrustAnchor};
use webpki::{CertRevocationList, OwnedCertRevocationList};

use super::faults::CertificateFault;
use crate::outbound::machine_roots;

/// Authorities that are trusted.
#[derive(Clone)]
pub struct Trust {
    anchors: Vec<TrustAnchor<'static>>,
    /// What their lists say is revoked. Whoever has no list here has revoked nothing that we know.
    revoked: Vec<Arc<CertRevocationList<'static>>>,
}

impl fmt::Debug for Trust {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<{} authorities, {} lists>", self.anchors.len(), self.revoked.len())
    }
}

impl Trust {
    /// Those of the machine, or Mozilla's list where it has none, and those that are added as PEM.
    ///
    /// # Errors
    /// `Unreadable` where what is added holds no certificate or one that is none.
    pub fn of_the_machine(added: Option<&str>) -> Result<Self, CertificateFault> {
        let mut roots = machine_roots().clone();
        let mut revoked = Vec::new();
        if let Some(added) = added {
            add(&mut roots, added)?;
            revoked = lists(added)?;
        }
        Ok(Self { anchors: roots.roots, revoked })
    }

    /// Only those that are given as PEM.
    ///
    /// # Errors
    /// `Unreadable` where there is no certificate or one that is none.
    pub fn only(pem: &str) -> Result<Self, CertificateFault> {
        let mut roots = RootCertStore::empty();
        add(&mut roots, pem)?;
        Ok(Self { anchors: roots.roots, revoked: lists(pem)? })
    }

    pub(super) fn revoked(&self) -> impl Iterator<Item = &CertRevocationList<'static>> {
        self.revoked.iter().map(Arc::as_ref)
    }

    pub(super) fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
    }
}

fn add(roots: &mut RootCertStore, pem: &str) -> Result<(), CertificateFault> {
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| CertificateFault::Unreadable)?;
        roots.add(certificate).map_err(|_| CertificateFault::Unreadable)?;
    }
    if roots.len() == before { Err(CertificateFault::Unreadable) } else { Ok(()) }
}

fn lists(pem: &str) -> Result<Vec<Arc<CertRevocationList<'static>>>, CertificateFault> {
    let read = |list: Result<CertificateRevocationListDer<'_>, _>| {
        let list = list.map_err(|_: rustls::pki_types::pem::Error| CertificateFault::List)?;
        let list = OwnedCertRevocationList::from_der(&list).map_err(|_| CertificateFault::List)?;
        Ok(Arc::new(CertRevocationList::from(list)))
    };
    CertificateRevocationListDer::pem_slice_iter(pem.as_bytes()).map(read).collect()
}
