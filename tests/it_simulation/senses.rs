//! What a replica perceives: the time, by a clock of its own that may be wrong, and identifiers that
//! follow from the seed. Whoever looks at the clock, draws an identifier or speaks to a system may
//! die or stand still there, so that every such place is one at which a process can end.

use std::future::poll_fn;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use jiff::{SignedDuration, Timestamp};
use quietus::domain::{Clock, Ids};
use uuid::Uuid;

use super::dice::Dice;

/// The true time, and what counts everything that happens.
pub struct Universe {
    now: Mutex<Timestamp>,
    happened: AtomicU64,
    identifiers: AtomicU64,
}

impl Universe {
    /// A universe that begins then.
    pub fn new(now: Timestamp) -> Arc<Self> {
        let (happened, identifiers) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Self { now: Mutex::new(now), happened, identifiers })
    }

    /// The true time.
    pub fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    /// Time goes on.
    pub fn pass(&self, time: SignedDuration) {
        let mut now = self.now.lock().unwrap();
        *now = now.checked_add(time).unwrap();
    }

    /// The number of something that happens now; later ones are greater.
    pub fn tick(&self) -> u64 {
        self.happened.fetch_add(1, Ordering::Relaxed)
    }
}

/// What a dying replica is unwound with.
pub struct Death;

/// What one replica perceives.
pub struct Senses {
    universe: Arc<Universe>,
    /// By how much its clock is ahead, in seconds.
    ahead: AtomicI64,
    dice: Mutex<Dice>,
    /// It is at a step in which it may die or stand still.
    at_work: AtomicBool,
    /// Perceptions until it dies; none where it lives on.
    lives: AtomicI64,
    /// Steps at a system until it dies there; none where it does not.
    falls: AtomicI64,
    /// Steps at a system until it stands still; none where it goes on.
    strides: AtomicI64,
    stands: AtomicBool,
}

impl Senses {
    /// Senses with a clock that is right.
    pub fn new(universe: &Arc<Universe>, dice: Dice) -> Arc<Self> {
        Arc::new(Self {
            universe: Arc::clone(universe),
            ahead: AtomicI64::new(0),
            dice: Mutex::new(dice),
            at_work: AtomicBool::new(false),
            lives: AtomicI64::new(0),
            falls: AtomicI64::new(0),
            strides: AtomicI64::new(0),
            stands: AtomicBool::new(false),
        })
    }

    /// The clock is ahead by so many seconds from now on, or behind.
    pub fn set_ahead(&self, seconds: i64) {
        self.ahead.store(seconds, Ordering::Relaxed);
    }

    /// It dies after so many perceptions; never where there are none.
    pub fn die_after(&self, perceptions: i64) {
        self.lives.store(perceptions, Ordering::Relaxed);
    }

    /// It dies at this step at a system; never where there is none.
    pub fn fall_at(&self, stride: i64) {
        self.falls.store(stride, Ordering::Relaxed);
    }

    /// It stands still at this step at a system; never where there is none.
    pub fn stand_at(&self, stride: i64) {
        self.strides.store(stride, Ordering::Relaxed);
    }

    /// Its clock is right from now on, and it lives on and goes on.
    pub fn recover(&self) {
        self.set_ahead(0);
        self.die_after(0);
        self.fall_at(0);
        self.stand_at(0);
    }

    /// It is at a step from now on, or at none.
    pub fn set_at_work(&self, at_work: bool) {
        self.at_work.store(at_work, Ordering::Relaxed);
    }

    /// Whether it stands still.
    pub fn stands(&self) -> bool {
        self.stands.load(Ordering::Relaxed)
    }

    /// It goes on.
    pub fn go_on(&self) {
        self.stands.store(false, Ordering::Relaxed);
    }

    /// One less of something that happens at a step; whether it happens now.
    fn is_the_last(&self, left: &AtomicI64) -> bool {
        let before = left.load(Ordering::Relaxed);
        if before <= 0 || !self.at_work.load(Ordering::Relaxed) {
            return false;
        }
        left.store(before - 1, Ordering::Relaxed);
        before == 1
    }

    /// A place at which it may die.
    pub fn touch(&self) {
        if self.is_the_last(&self.lives) {
            die();
        }
    }

    /// A place at which it may die or stand still, as by SIGSTOP.
    pub async fn stride(&self) {
        self.touch();
        if self.is_the_last(&self.falls) {
            die();
        }
        if self.is_the_last(&self.strides) {
            self.stands.store(true, Ordering::Relaxed);
            poll_fn(|_| if self.stands() { Poll::Pending } else { Poll::Ready(()) }).await;
        }
    }

    fn reading(&self) -> Timestamp {
        let ahead = SignedDuration::from_secs(self.ahead.load(Ordering::Relaxed));
        self.universe.now().checked_add(ahead).unwrap()
    }
}

/// No hook is called and nothing printed: this is no failure.
fn die() -> ! {
    resume_unwind(Box::new(Death))
}

impl Clock for Senses {
    fn now(&self) -> Timestamp {
        self.touch();
        self.reading()
    }
}

impl Ids for Senses {
    fn new_id(&self) -> Uuid {
        self.touch();
        let number = self.universe.identifiers.fetch_add(1, Ordering::Relaxed);
        let mut tail = [0; 10];
        tail[2..].copy_from_slice(&number.to_be_bytes());
        let ms = u64::try_from(self.reading().as_millisecond()).unwrap();
        uuid::Builder::from_unix_timestamp_millis(ms, &tail).into_uuid()
    }

    fn random(&self) -> [u8; 32] {
        self.touch();
        let mut dice = self.dice.lock().unwrap();
        let mut bytes = [0; 32];
        for part in bytes.chunks_mut(8) {
            part.copy_from_slice(&dice.next().to_be_bytes());
        }
        bytes
    }
}
