//! What went wrong on the way, as a fault that names no more than the host.

use std::error::Error;
use std::io;

use super::call::Effect;
use super::resolver::NotPublic;
use crate::receipt::Fault;

/// No answer came.
pub(super) fn of_sending(
    system: &str,
    host: &str,
    effect: Effect,
    error: &reqwest::Error,
) -> Fault {
    if let Some(fault) = of_the_connection(system, host, error) {
        return fault;
    }
    let (what, before) = match (error.is_connect(), error.is_timeout()) {
        (true, true) => ("could not be reached in time", true),
        (true, false) => ("could not be reached", true),
        (false, true) => ("did not answer in time", false),
        // An error of the builder is one of ours: nothing was sent.
        (false, false) if error.is_builder() => ("cannot be sent this request", true),
        (false, false) => ("broke the connection before its answer was complete", false),
    };
    let said = format!("system `{system}`: `{host}` {what}");
    match (before, effect) {
        (true, _) | (false, Effect::Reads) => {
            Fault::Transient { message: said, retry_after_ms: None }
        }
        (false, Effect::Changes) => Fault::Unknown {
            message: format!("{said} to a change, which may or may not have happened"),
        },
    }
}

/// Failures to connect that no patience mends.
fn of_the_connection(system: &str, host: &str, error: &reqwest::Error) -> Option<Fault> {
    if in_chain(error, <dyn Error + 'static>::is::<NotPublic>) {
        return Some(Fault::Misconfigured {
            message: format!(
                "system `{system}`: `{host}` has a private address: if it is meant, write the \
                 host with its port under `private_hosts`"
            ),
        });
    }
    let distrusted = in_chain(error, |cause| {
        matches!(
            cause.downcast_ref::<rustls::Error>(),
            Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented)
        )
    });
    distrusted.then(|| Fault::Misconfigured {
        message: format!(
            "system `{system}`: the certificate of `{host}` is not trusted: check the address, or \
             give the certificate of its authority under `trust`"
        ),
    })
}

/// Looks through the causes, also through those that `io::Error` wraps and does not name as its
/// source.
fn in_chain(
    error: &(dyn Error + 'static),
    wanted: impl Fn(&(dyn Error + 'static)) -> bool,
) -> bool {
    let mut next = Some(error);
    while let Some(cause) = next {
        if wanted(cause) {
            return true;
        }
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
    }
    false
}
