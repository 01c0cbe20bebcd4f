//! One thread for each module: it alone speaks to it, one call after another.
//!
//! Many modules are not made for several threads, and a token that hangs must hold up nobody for longer
//! than [`LONGEST`]. A module is loaded once in a process and stays.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use super::fault::TokenFault;
use super::module::Module;

/// How long somebody waits for a token; as long as for a signer command.
pub const LONGEST: Duration = Duration::from_secs(30);
/// So many calls may wait for one module.
const MOST_WAITING: usize = 64;

type Work = Box<dyn FnOnce(&mut Module) + Send>;

static THREADS: LazyLock<Mutex<BTreeMap<PathBuf, SyncSender<Work>>>> =
    LazyLock::new(Mutex::default);

/// Has the thread of a module do something, and waits for it.
pub(super) fn ask<T: Send + 'static>(
    module: &Path,
    work: impl FnOnce(&mut Module) -> Result<T, TokenFault> + Send + 'static,
) -> Result<T, TokenFault> {
    let (answer, answered) = sync_channel(1);
    // Whoever asked may have gone by then; the work is done all the same.
    let work = move |module: &mut Module| answer.try_send(work(module)).unwrap_or_default();
    send(module, Box::new(work))?;
    answered.recv_timeout(LONGEST).unwrap_or(Err(TokenFault::Silent))
}

fn send(module: &Path, work: Work) -> Result<(), TokenFault> {
    let mut threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    let work = match threads.get(module) {
        None => work,
        Some(known) => match known.try_send(work) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Full(_)) => return Err(TokenFault::Silent),
            // It ended; another one takes its place.
            Err(TrySendError::Disconnected(work)) => work,
        },
    };
    let sender = begin(module)?;
    sender.try_send(work).map_err(|_| TokenFault::Silent)?;
    threads.insert(module.to_owned(), sender);
    Ok(())
}

fn begin(module: &Path) -> Result<SyncSender<Work>, TokenFault> {
    let (sender, receiver): (SyncSender<Work>, Receiver<Work>) = sync_channel(MOST_WAITING);
    let module = module.to_owned();
    std::thread::Builder::new()
        .name("pkcs11".to_owned())
        .spawn(move || {
            let mut module = Module::new(module);
            while let Ok(work) = receiver.recv() {
                work(&mut module);
            }
        })
        .map_err(|error| TokenFault::Refused(error.to_string()))?;
    Ok(sender)
}
