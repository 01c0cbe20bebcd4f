//! The authorities that may vouch for a processor's certificate.

use std::fmt;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, TrustAnchor};

use super::faults::CertificateFault;
use crate::outbound::machine_roots;

/// Authorities that are trusted.
#[derive(Clone)]
pub struct Trust {
    anchors: Vec<TrustAnchor<'static>>,
}

impl fmt::Debug for Trust {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<{} authorities>", self.anchors.len())
    }
}

impl Trust {
    /// Those of the machine, or Mozilla's list where it has none, and those that are added as PEM.
    ///
    /// # Errors
    /// `Unreadable` where what is added holds no certificate or one that is none.
    pub fn of_the_machine(added: Option<&str>) -> Result<Self, CertificateFault> {
        let mut roots = machine_roots().clone();
        if let Some(added) = added {
            add(&mut roots, added)?;
        }
        Ok(Self { anchors: roots.roots })
    }

    /// Only those that are given as PEM.
    ///
    /// # Errors
    /// `Unreadable` where there is no certificate or one that is none.
    pub fn only(pem: &str) -> Result<Self, CertificateFault> {
        let mut roots = RootCertStore::empty();
        add(&mut roots, pem)?;
        Ok(Self { anchors: roots.roots })
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
