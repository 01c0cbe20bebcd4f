//! Numbers of entries, as their details say them: of each producer every number once.
//!
//! Entries of one batch stand in the log in no order, so that a number is only missing once all
//! are read. Details that were destroyed cannot be asked for their numbers: as many numbers may be
//! missing as there are of them.

use std::collections::{BTreeMap, BTreeSet};

/// The numbers of all producers.
#[derive(Debug, Clone, Default)]
pub struct Numbers {
    producers: BTreeMap<String, Seen>,
}

#[derive(Debug, Clone, Default)]
struct Seen {
    /// Every number up to this one was seen.
    up_to: u64,
    /// Those that were seen beyond it.
    beyond: BTreeSet<u64>,
    doubled: u64,
    unread: u64,
}

impl Seen {
    fn note(&mut self, number: u64) {
        if number <= self.up_to || !self.beyond.insert(number) {
            self.doubled += 1;
            return;
        }
        while self.beyond.remove(&(self.up_to + 1)) {
            self.up_to += 1;
        }
    }

    fn missing(&self) -> u64 {
        let last = self.beyond.last().copied().unwrap_or(self.up_to);
        last - self.up_to - self.beyond.len() as u64
    }
}

impl Numbers {
    /// Notes the number of an entry.
    pub fn note(&mut self, producer: &str, number: u64) {
        self.of(producer).note(number);
    }

    /// Notes an entry whose detail does not say its number any more.
    pub fn note_unread(&mut self, producer: &str) {
        self.of(producer).unread += 1;
    }

    fn of(&mut self, producer: &str) -> &mut Seen {
        self.producers.entry(producer.to_owned()).or_default()
    }

    /// What does not fit. Numbers that were given while an earlier copy of the store was in use
    /// stand twice once what it had lost was put back (`refilled`), and those that come after skip
    /// as many, because entries are counted; else none may.
    pub fn faults(&self, refilled: bool) -> Vec<String> {
        let mut faults = Vec::new();
        for (producer, seen) in &self.producers {
            let skipped = if refilled { seen.doubled } else { 0 };
            let missing = seen.missing().saturating_sub(seen.unread + skipped);
            if missing > 0 {
                faults.push(format!("{missing} number(s) of `{producer}` are missing"));
            }
            if seen.doubled > 0 && !refilled {
                let doubled = seen.doubled;
                faults.push(format!("{doubled} number(s) of `{producer}` stand twice"));
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(numbers: &[u64], unread: u64, refilled: bool) -> Vec<String> {
        let mut seen = Numbers::default();
        for number in numbers {
            seen.note("one", *number);
        }
        (0..unread).for_each(|_| seen.note_unread("one"));
        seen.faults(refilled)
    }

    #[test]
    fn every_number_once_in_any_order() {
        assert_eq!(faults(&[3, 1, 2, 5, 4], 0, false), Vec::<String>::new());
        assert_eq!(faults(&[], 7, false), Vec::<String>::new());
        assert_eq!(faults(&[1, 3], 0, false), ["1 number(s) of `one` are missing"]);
        assert_eq!(faults(&[2, 6], 2, false), ["2 number(s) of `one` are missing"]);
        assert_eq!(faults(&[2, 6], 4, false), Vec::<String>::new());
        assert_eq!(faults(&[1, 2, 2, 1], 0, false), ["2 number(s) of `one` stand twice"]);
        assert_eq!(faults(&[3, 1, 2, 3], 0, true), Vec::<String>::new());
        assert_eq!(faults(&[1, 2, 1, 2, 5], 0, true), Vec::<String>::new());
        assert_eq!(faults(&[1, 2, 1, 2, 6], 0, true), ["1 number(s) of `one` are missing"]);
    }
}
