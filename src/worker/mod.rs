//! Workers: claim a job, carry it out, again. After a crash they do what they always do: claim what
//! is available, also jobs whose lease has ended. Each keeps to a lane: a sweep of millions of records
//! makes no person wait, and a third party that is slow makes no database wait.
//!
//! A second loop hears the bell: it opens due cases, certifies finished cases and moves evidence into
//! the log. A third one carries requests on as soon as they come. Of replicas that share a store, one
//! at a time does either. Others tell other controllers how their requests stand, send mail, ask those
//! who vouch for the log, watch the stores of copies, look whether data of persons are back, carry
//! drills on, look what somebody has to see to, and tell of it, each by itself, so that whoever does
//! not answer keeps nothing else waiting. The last one stops a process for whose version the schema is
//! not any more.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::drill::DrillPace;
use crate::app::lead::{HOUSEKEEPING, Lead, REQUESTS};
use crate::app::{AppError, Lane, Quietus};

/// Longest time between two looks at the store.
const LONGEST_REST: Duration = Duration::from_secs(2);
/// Longest time between two looks at requests, for whoever hears no hints.
const BETWEEN_REQUESTS: Duration = Duration::from_secs(1);
/// Shortest time between two looks at requests: what comes meanwhile is carried on together.
const REQUESTS_GATHER: Duration = Duration::from_millis(50);
/// Time between two questions for the lead, of which there are so many between two rings of the bell.
const BETWEEN_ASKED: Duration = Duration::from_secs(1);
const MOST_ASKED_FOR_THE_LEAD: u32 = 4;
/// Time between two looks at the schema.
const BETWEEN_SCHEMAS: Duration = Duration::from_secs(5);
/// Time between two sweeps of the mails.
const BETWEEN_SWEEPS: Duration = Duration::from_secs(2);
/// Time between two looks at those who vouch for the log.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);
/// Time between two looks at which stores nobody has listed for long.
const BETWEEN_STORES: Duration = Duration::from_mins(1);
/// Time between two looks at who is to be looked for again.
const BETWEEN_LATER_LOOKS: Duration = Duration::from_mins(1);
/// Time between two steps of a drill.
const BETWEEN_DRILLS: Duration = Duration::from_secs(2);
/// Time between two looks at whether it is time to look for alarms.
const BETWEEN_ALARMS: Duration = Duration::from_secs(5);
/// Whoever has just started has not caught up yet: what lasts longer is looked for.
const CAUGHT_UP_AFTER: Duration = Duration::from_mins(1);
/// Time to the next sweep where a secret cannot be read or the store is not there.
const AFTER_AN_ERROR: Duration = Duration::from_secs(30);
/// Finished cases that are certified before everything else has its turn again.
const CASES_IN_A_TURN: u32 = 100;
/// Pause after the store was not there.
const STORE_PAUSE: Duration = Duration::from_secs(3);

/// Starts `count` workers in each lane that go on until `stop`; each finishes or stops its job at a
/// chunk.
pub fn start(product: &Arc<Quietus>, count: u32, stop: &CancellationToken, tasks: &TaskTracker) {
    let process = product.ids.new_id().simple().to_string();
    for lane in product.lanes() {
        for number in 1..=count {
            let (product, lane, stop) = (Arc::clone(product), lane.clone(), stop.clone());
            let name = format!("{}-{}-{number}", &process[20..], lane.as_str());
            tasks.spawn(async move { work(&product, (&lane, &name), &stop).await });
        }
    }
}

/// Exchanges hints with other replicas until `stop`. Without it everybody looks by themselves.
pub fn start_hints(product: &Arc<Quietus>, stop: &CancellationToken, tasks: &TaskTracker) {
    let (product, stop) = (Arc::clone(product), stop.clone());
    tasks.spawn(async move {
        while !stop.is_cancelled() {
            tokio::select! {
                exchanged = product.exchange_hints() => match exchanged {
                    Ok(()) => return,
                    Err(error) => report("hints of other replicas are not heard", &error),
                },
                () = stop.cancelled() => return,
            }
            pause(AFTER_AN_ERROR, &stop).await;
        }
    });
}

/// Sends what is due by e-mail until `stop`, in a loop of its own: a slow mail server keeps nothing
/// else waiting. What is being sent when the stop comes is sent to its end.
pub fn start_mail(product: &Arc<Quietus>, stop: &CancellationToken, tasks: &TaskTracker) {
    if !product.has_mail() {
        return;
    }
    let (product, stop) = (Arc::clone(product), stop.clone());
    tasks.spawn(async move {
        while !stop.is_cancelled() {
            let rest = match product.send_mails().await {
                Ok(_) => BETWEEN_SWEEPS,
                Err(error) => {
                    report("mails could not be sent", &error);
                    AFTER_AN_ERROR
                }
            };
            pause(rest, &stop).await;
        }
    });
}

/// Asks those who vouch for the log until `stop`, in a loop of its own: an authority or a witness
/// that does not answer keeps nothing else waiting.
pub fn start_anchors(product: &Arc<Quietus>, stop: &CancellationToken, tasks: &TaskTracker) {
    if !product.has_anchors() {
        return;
    }
    let (product, stop) = (Arc::clone(product), stop.clone());
    tasks.spawn(async move {
        while !stop.is_cancelled() {
            let rest = tokio::select! {
                looked = product.advance_anchors() => match looked {
                    Ok(_) => BETWEEN_LOOKS,
                    Err(error) => {
                        report("the log could not be anchored", &error);
                        AFTER_AN_ERROR
                    }
                },
                // A question that is cut off is asked again.
                () = stop.cancelled() => return,
            };
            pause(rest, &stop).await;
        }
    });
}

/// Watches stores of copies until `stop`, in a loop of its own: a store that does not answer keeps
/// nothing else waiting.
pub fn start_backups(product: &Arc<Quietus>, stop: &CancellationToken, tasks: &TaskTracker) {
    if !product.has_stores() {
        return;
    }
    let (product, stop) = (Arc::clone(product), stop.clone());
    tasks.spawn(async move {
        while !stop.is_cancelled() {
            tokio::select! {
                _ = product.watch_stores() => {}
                () = stop.cancelled() => return,
            }
            pause(BETWEEN_STORES, &stop).await;
        }
    });
}

/// Carries out what two persons want erased inside copies until `stop`, in a loop of its own: writing
/// archives anew takes hours. What is cut off is begun again.
pub fn start_inside_erasures(
    product: &Arc<Quietus>,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) {
    if !product.has_stores() {
        return;
    }
    let (product, stop) = (Arc::clone(product), stop.clone());
    tasks.spawn(async move {
        while !stop.is_cancelled() {
            tokio::select! {
                carried_out = product.carry_out_approved_inside() => if let Err(error) = carried_out {
                    report("files could not be erased inside of copies", &error);
                },
                () = stop.cancelled() => return,
            }
            pause(BETWEEN_STORES, &stop).await;
        }
    });
}

/// Looks until `stop` whether data of persons are back, in a loop of its own: counting them may take
/// long. What is cut off is looked at again.
pub fn start_later_looks(product: &Arc<Quietus>, stop: &CancellationToken, tasks: &TaskTracker) {
    let (product, stop) = (Arc::clone(product), stop.clone());
    tasks.spawn(async move {
        while !stop.is_cancelled() {
            tokio::select! {
                looked = product.look_for_due() => if let Err(error) = looked {
                    report("persons could not be looked for again", &error);
                },
                () = stop.cancelled() => return,
            }
            pause(BETWEEN_LATER_LOOKS, &stop).await;
        }
    });
}

/// Begins drills that are due and carries them on until `stop`, in a loop of its own. What is cut
/// off is taken up again.
pub fn start_drills(product: &Arc<Quietus>, stop: &CancellationToken, tasks: &TaskTracker) {
    let (product, stop) = (Arc::clone(product), stop.clone());
    tasks.spawn(async move {
        while !stop.is_cancelled() {
            let rest = tokio::select! {
                advanced = product.advance_drills(DrillPace::Patient) => match advanced {
                    Ok(_) => BETWEEN_DRILLS,
                    Err(error) => {
                        report("a drill could not be carried on", &error);
                        AFTER_AN_ERROR
                    }
                },
                () = stop.cancelled() => return,
            };
            pause(rest, &stop).await;
        }
    });
}

/// Looks for alarms, and tells of them, until `stop`, each in a loop of its own: a webhook that does not
/// hear keeps no look waiting. A message that is cut off is told again under the same identifier.
pub fn start_alarms(product: &Arc<Quietus>, stop: &CancellationToken, tasks: &TaskTracker) {
    let Some(pace) = product.pace_of_alarms() else { return };
    let (looking, until) = (Arc::clone(product), stop.clone());
    tasks.spawn(async move {
        pause(CAUGHT_UP_AFTER.min(pace), &until).await;
        while !until.is_cancelled() {
            let rest = tokio::select! {
                looked = looking.look_for_alarms_in_turn() => match looked {
                    Ok(_) => BETWEEN_ALARMS,
                    Err(error) => {
                        report("nobody could look for alarms", &error);
                        AFTER_AN_ERROR
                    }
                },
                () = until.cancelled() => return,
            };
            pause(rest, &until).await;
        }
    });
    let (telling, until) = (Arc::clone(product), stop.clone());
    tasks.spawn(async move {
        while !until.is_cancelled() {
            let rest = tokio::select! {
                told = telling.tell_alarms() => match told {
                    Ok(_) => BETWEEN_SWEEPS,
                    Err(error) => {
                        report("alarms could not be told", &error);
                        AFTER_AN_ERROR
                    }
                },
                () = until.cancelled() => return,
            };
            pause(rest, &until).await;
        }
    });
}

async fn work(product: &Quietus, (lane, name): (&Lane, &str), stop: &CancellationToken) {
    // Nothing is carried out under a law of before.
    while let Err(error) = product.bring_rules_in_force().await {
        report("the rules could not be brought in force", &error);
        pause(STORE_PAUSE, stop).await;
        if stop.is_cancelled() {
            return;
        }
    }
    while !stop.is_cancelled() {
        if let Err(error) = product.keep_epoch().await {
            report("the month's key could not be opened", &error);
        }
        match product.carry_out_next_in(lane, name, stop).await {
            Ok(Some(_)) => {}
            Ok(None) => rest(product, stop).await,
            Err(error) => {
                report("a worker could not go on", &error);
                pause(STORE_PAUSE, stop).await;
            }
        }
    }
}

/// Carries requests of persons on until `stop`, in a loop of its own, as soon as they come: neither a
/// plan that counts millions of records nor certificates keep them waiting. What is begun when the
/// stop comes is carried to its end.
pub fn start_requests(product: &Arc<Quietus>, stop: &CancellationToken, tasks: &TaskTracker) {
    let (product, stop) = (Arc::clone(product), stop.clone());
    let lead = product.lead_in(REQUESTS);
    tasks.spawn(async move {
        while !stop.is_cancelled() {
            let rest = match Box::pin(advance_requests(&product, &lead)).await {
                Ok(Advanced::Whole) => REQUESTS_GATHER,
                // What is stuck, or another replica's, is asked about again, and not at every hint.
                Ok(Advanced::InPart) => BETWEEN_REQUESTS,
                Err(error) => {
                    report("requests could not be carried on", &error);
                    STORE_PAUSE
                }
            };
            pause(rest, &stop).await;
            tokio::select! {
                () = product.wait_for_hint_of_requests(BETWEEN_REQUESTS) => {}
                () = stop.cancelled() => {}
            }
        }
    });
}

/// How far requests whose time has come were carried on.
enum Advanced {
    Whole,
    InPart,
}

/// Carries requests on in the lead; where another replica has it, that one does it.
async fn advance_requests(product: &Quietus, lead: &Lead) -> Result<Advanced, AppError> {
    if let Err(error) = product.keep_epoch().await {
        report("the month's key could not be opened", &error);
    }
    product.refuse_to_stand_behind().await?;
    if !product.has_requests_to_advance().await? {
        return Ok(Advanced::Whole);
    }
    let stuck = product.in_the_lead(lead, Box::pin(product.advance_requests())).await?;
    Ok(match stuck.transpose()? {
        Some(0) => Advanced::Whole,
        Some(_) | None => Advanced::InPart,
    })
}

/// Stops the process, as a signal does, once the schema of the store is not for its version any more.
pub fn start_schema_watch(product: &Arc<Quietus>, stop: &CancellationToken, tasks: &TaskTracker) {
    let (product, stop) = (Arc::clone(product), stop.clone());
    tasks.spawn(async move {
        loop {
            pause(BETWEEN_SCHEMAS, &stop).await;
            if stop.is_cancelled() {
                return;
            }
            match product.is_overtaken().await {
                Ok(None) => {}
                Ok(Some(why)) => {
                    tracing::error!(%why, "this process stops");
                    stop.cancel();
                }
                // That the store is not there is told by whoever works with it.
                Err(error) => tracing::debug!(%error, "the schema could not be looked at"),
            }
        }
    });
}

/// Starts the loop that calls other controllers back, where they may ask at all.
pub fn start_telling(product: &Arc<Quietus>, stop: &CancellationToken, tasks: &TaskTracker) {
    if product.instance.opendsr.is_none() {
        return;
    }
    let product = Arc::clone(product);
    let stop = stop.clone();
    tasks.spawn(async move {
        while !stop.is_cancelled() {
            let told = tokio::select! {
                told = product.tell_controllers() => told,
                // A call that is cut off is on record and made again.
                () = stop.cancelled() => return,
            };
            match told {
                Ok(()) => pause(LONGEST_REST, &stop).await,
                Err(error) => {
                    report("controllers could not be told", &error);
                    pause(STORE_PAUSE, &stop).await;
                }
            }
        }
    });
}

async fn rest(product: &Quietus, stop: &CancellationToken) {
    tokio::select! {
        () = product.wait_for_hint(LONGEST_REST) => {}
        () = stop.cancelled() => {}
    }
}

async fn pause(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = stop.cancelled() => {}
    }
}

/// Whether requests are carried on along with everything else.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Requests {
    Along,
    /// By a loop of their own.
    Elsewhere,
}

/// Looks once after everything that is not a job: due schedules, requests whose time has come,
/// finished cases, the log. Whether finished cases are left that are certified in the next turn.
async fn look_after(product: &Quietus, requests: Requests) -> bool {
    if let Err(error) = product.keep_epoch().await {
        report("the month's key could not be opened", &error);
    }
    if let Err(error) = product.refuse_to_stand_behind().await {
        report("the store is an older copy", &error);
        return false;
    }
    if let Err(error) = product.fire_due().await {
        report("due schedules could not be looked at", &error);
    }
    // Before anybody is forgotten: who came back with a restore while nobody looked has to be known.
    if let Err(error) = Box::pin(product.look_after_restores()).await {
        report("restores could not be looked after", &error);
    }
    if requests == Requests::Along
        && let Err(error) = product.advance_requests().await
    {
        report("requests could not be carried on", &error);
    }
    let more = product.certify_some(CASES_IN_A_TURN).await.unwrap_or_else(|error| {
        report("finished cases could not be certified", &error);
        false
    });
    if let Err(error) = product.keep_house().await {
        report("epochs and old evidence could not be looked at", &error);
    }
    if let Err(error) = product.warn_of_deadlines().await {
        report("the deadlines of requests could not be looked at", &error);
    }
    if let Err(error) = product.remind_of_tasks().await {
        report("nobody could be reminded of tasks", &error);
    }
    more
}

/// Looks after everything until nothing of it waits for its turn.
pub async fn look_after_all(product: &Quietus, stop: &CancellationToken) {
    while look_after(product, Requests::Along).await && !stop.is_cancelled() {}
}

/// The same for a process among others, but for requests ([`start_requests`]): a turn at a time in the
/// lead. Where another replica has it, that one looks after everything.
pub async fn look_after_in_the_lead(product: &Quietus, lead: &Lead, stop: &CancellationToken) {
    let mut asked = 0;
    while !stop.is_cancelled() {
        let turn = Box::pin(look_after(product, Requests::Elsewhere));
        match product.in_the_lead(lead, turn).await {
            Ok(Some(true)) => {}
            // Whoever has it may have died at work.
            Ok(None) if asked < MOST_ASKED_FOR_THE_LEAD => {
                asked += 1;
                pause(BETWEEN_ASKED, stop).await;
            }
            Ok(_) => return,
            Err(error) => {
                report("nobody knows who looks after everything", &error);
                return;
            }
        }
    }
}

/// The wish of this process to look after everything.
pub fn housekeeping(product: &Quietus) -> Lead {
    product.lead_in(HOUSEKEEPING)
}

fn report(what: &str, error: &AppError) {
    tracing::error!(%error, "{what}");
}
