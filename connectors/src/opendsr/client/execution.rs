//! One attempt at an order, and asking after it.

use jiff::SignedDuration;

use super::composition::{Composition, asked, compose};
use super::exchange::{Exchange, Found, Signature};
use super::reference::Reference;
use crate::connector::{Direction, Progress, ProgressReport};
use crate::opendsr::protocol::{CreateRequest, Created, ErrorAnswer};
use crate::order::Order;
use crate::outbound::Reply;
use crate::receipt::{Fault, Outcome, Receipt, RefusalKind};

/// When the same is under way under another id, it is asked again after this.
const UNDER_WAY_WAIT: SignedDuration = SignedDuration::from_hours(24);

/// What became of asking for one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// The processor knows it.
    Known,
    /// It was not asked, or said no at once; the reference knows why.
    Refused,
    /// The processor is at it under an id that is not ours.
    UnderWay,
}

/// Makes the requests that have not been made yet.
pub(super) async fn execute(
    exchange: &Exchange,
    order: &Order,
    progress: &dyn Progress,
) -> Result<Receipt, Fault> {
    let settings = &exchange.settings;
    let request = asked(settings, order)?;
    let discovery = exchange.erasing_discovery().await?;
    let compositions = compose(settings, &discovery, order, request)?;
    if compositions.iter().any(|one| one.requests.is_ok())
        && !(settings.accepts_unsigned && discovery.certificate_url.is_none())
    {
        exchange.good_certificates().await?;
    }
    let asking = compositions.iter().filter_map(|one| one.requests.as_ref().ok());
    let requests: usize = asking.map(Vec::len).sum();
    if let Some(most) = order.most_records.filter(|most| requests as u64 > *most) {
        return Ok(Receipt::Refused {
            kind: RefusalKind::OverLimit,
            reasons: vec![format!(
                "{requests} requests would be made of `{}`, and at most {most} records may be \
                 touched: raise the limit, or look whether the right persons are named",
                settings.domain
            )],
            done: Outcome::default(),
        });
    }
    let nothing = Outcome::default();
    if progress.before_sending().await == Direction::Stop {
        return Ok(Receipt::Stopped(nothing));
    }
    let mut reference = Reference::new(&settings.domain);
    let mut under_way = 0_usize;
    let mut refused = 0_usize;
    let count = compositions.len();
    for (index, composition) in compositions.into_iter().enumerate() {
        match ask(exchange, order.attempt, composition, &mut reference).await? {
            Asked::Known => {}
            Asked::Refused => refused += 1,
            Asked::UnderWay => under_way += 1,
        }
        let report =
            ProgressReport { collection: &settings.system, done: &nothing, records_per_second: 0 };
        let direction = progress.committed(report).await;
        if direction == Direction::Stop && index + 1 < count {
            return Ok(Receipt::Stopped(nothing));
        }
    }
    let now = exchange.now();
    if under_way > 0 {
        return Ok(Receipt::Deferred {
            until: now.saturating_add(UNDER_WAY_WAIT).unwrap_or(now),
            why: format!(
                "`{}` is already erasing under another id for {under_way} of {count} persons, and \
                 takes ours when that is over",
                settings.domain
            ),
        });
    }
    if refused == count {
        let reasons: Vec<_> = reference.reasons().into_iter().take(5).collect();
        return Err(Fault::Rejected {
            message: format!("system `{}`: {}", settings.system, reasons.join("; ")),
        });
    }
    Ok(reference.receipt(now, None, request.answer_by))
}

/// Asks after the requests of a reference.
pub(super) async fn follow(
    exchange: &Exchange,
    order: &Order,
    text: &str,
) -> Result<Receipt, Fault> {
    let settings = &exchange.settings;
    let mut reference = Reference::read(text).map_err(|error| Fault::Rejected {
        message: format!("system `{}`: {error}", settings.system),
    })?;
    let answer_by = order.persons.as_ref().and_then(|request| request.answer_by);
    let mut pause = None;
    for (count, id) in reference.open().into_iter().enumerate() {
        let now = exchange.now();
        match exchange.look_up(id).await {
            Ok(Found::Standing(says, proof)) => reference.record(id, &says, proof, now),
            Ok(Found::Nothing) => {
                let words = format!(
                    "`{}` took the request in and does not know it any more: ask what became of it",
                    settings.domain
                );
                reference.lost(id, now, &words);
            }
            Ok(Found::Gone) => {
                let words = format!(
                    "`{}` no longer keeps what became of the request: ask",
                    settings.domain
                );
                reference.lost(id, now, &words);
            }
            // What the others said is not lost by it.
            Err(Fault::Transient { retry_after_ms, .. })
                if count > 0 || retry_after_ms.is_some() =>
            {
                let wanted = retry_after_ms.and_then(|wanted| i64::try_from(wanted).ok());
                pause = wanted.map(SignedDuration::from_millis);
                reference.begin_with(id);
                break;
            }
            Err(fault) => return Err(fault),
        }
    }
    Ok(reference.receipt(exchange.now(), pause, answer_by))
}

/// Makes the requests for one person.
async fn ask(
    exchange: &Exchange,
    attempt: u32,
    composition: Composition,
    reference: &mut Reference,
) -> Result<Asked, Fault> {
    let Composition { subject, requests, skipped } = composition;
    let requests = match requests {
        Ok(requests) => requests,
        Err(why) => {
            reference.refused(&subject, None, exchange.now(), why);
            return Ok(Asked::Refused);
        }
    };
    let mut asked = Asked::Refused;
    for request in requests {
        // An earlier attempt may have made it and lost the answer.
        if attempt > 1 && found(exchange, &request, &subject, &skipped, reference).await? {
            asked = known(asked);
            continue;
        }
        let body = request.write(exchange.settings.dialect, &exchange.settings.domain);
        let reply = exchange.create(body.clone()).await?;
        match reply.status() {
            200..=299 => {
                let (created, proof) = taken(exchange, &reply, &request, &body).await?;
                reference.taken(&subject, request.id, &skipped, created.expected_at, proof);
                asked = known(asked);
            }
            status @ (400 | 409) => {
                if found(exchange, &request, &subject, &skipped, reference).await? {
                    asked = known(asked);
                } else if status == 409 {
                    asked = Asked::UnderWay;
                } else {
                    let words = format!(
                        "`{}` does not take the request{}",
                        exchange.settings.domain,
                        ErrorAnswer::read(reply.body()).words()
                    );
                    reference.refused(&subject, Some(request.id), exchange.now(), words);
                }
            }
            404 | 405 | 410 => {
                return Err(exchange.settings.misconfigured(
                    "there is nothing to make requests of at this address: check the address and \
                     the parameter `dialect`",
                ));
            }
            _ => {
                let unusual = || exchange.settings.misconfigured("the answer is not of OpenDSR");
                return Err(reply.fault().unwrap_or_else(unusual));
            }
        }
    }
    Ok(asked)
}

/// One request of several is known; that another one has to wait stays so.
fn known(before: Asked) -> Asked {
    if before == Asked::UnderWay { before } else { Asked::Known }
}

/// Whether the processor has the request already; if so, the reference knows it then.
async fn found(
    exchange: &Exchange,
    request: &CreateRequest,
    subject: &str,
    skipped: &[String],
    reference: &mut Reference,
) -> Result<bool, Fault> {
    let now = exchange.now();
    match exchange.look_up(request.id).await? {
        Found::Standing(says, proof) => {
            reference.taken(subject, request.id, skipped, says.expected_at, None);
            reference.record(request.id, &says, proof, now);
            Ok(true)
        }
        Found::Gone => {
            reference.taken(subject, request.id, skipped, None, None);
            let words = format!(
                "`{}` had the request and no longer keeps what became of it: ask",
                exchange.settings.domain
            );
            reference.lost(request.id, now, &words);
            Ok(true)
        }
        Found::Nothing => Ok(false),
    }
}

/// Checks the answer to a request that was taken in. What it repeats of the request is dropped
/// with it.
async fn taken(
    exchange: &Exchange,
    reply: &Reply,
    request: &CreateRequest,
    sent: &[u8],
) -> Result<(Created, Option<crate::subject::Proof>), Fault> {
    let settings = &exchange.settings;
    let proof = exchange.proof(reply, Signature::Needed).await?;
    let created = Created::read(reply.body()).map_err(|_| Fault::Unknown {
        message: format!(
            "system `{}`: `{}` answered {} with what cannot be read: the request may have been \
             taken in",
            settings.system,
            settings.domain,
            reply.status()
        ),
    })?;
    if !created.speaks_of(request.id, sent) {
        return Err(settings.misconfigured(&format!(
            "`{}` confirms another request than was sent: do not rely on it, and ask",
            settings.domain
        )));
    }
    Ok((created, proof))
}
