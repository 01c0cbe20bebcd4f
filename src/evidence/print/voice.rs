//! How the sheet speaks to one reader: words, numbers, days and moments in the reader's form.

use jiff::Timestamp;
use jiff::civil::Date;

use super::Printing;
use super::language::Language;
use super::sheet::Fact;
use super::words::{Words, fill, phrase};
use crate::evidence::files::{StatedFiles, StatedStage};
use crate::evidence::statement::{StatedBackup, StatedKept, SystemStatement};

/// A reader's words and forms.
pub(super) struct Voice<'a> {
    pub(super) words: &'static Words,
    pub(super) printing: &'a Printing,
}

impl<'a> Voice<'a> {
    pub(super) fn of(printing: &'a Printing) -> Self {
        Self { words: Words::of(printing.language), printing }
    }

    fn language(&self) -> Language {
        self.printing.language
    }

    pub(super) fn moment(&self, moment: Timestamp) -> String {
        self.language().moment(moment, &self.printing.zone)
    }

    pub(super) fn day(&self, day: Date) -> String {
        self.language().day(day)
    }

    /// The day of a moment, in the reader's zone.
    pub(super) fn day_of(&self, moment: Timestamp) -> String {
        self.day(moment.to_zoned(self.printing.zone.clone()).date())
    }

    pub(super) fn number(&self, number: u64) -> String {
        self.language().number(number)
    }

    pub(super) fn count(&self, items: usize) -> String {
        self.number(u64::try_from(items).unwrap_or(u64::MAX))
    }

    pub(super) fn records(&self, records: u64) -> String {
        if records == 1 {
            return self.words.records_one.to_owned();
        }
        fill(self.words.records_many, &[("count", &self.number(records))])
    }

    pub(super) fn phrase(&self, signed: &str) -> String {
        phrase(self.language(), signed)
    }

    pub(super) fn yes(&self, answer: bool) -> String {
        (if answer { self.words.yes } else { self.words.no }).to_owned()
    }

    #[expect(clippy::unused_self, reason = "it is asked like its neighbours")]
    pub(super) fn fact(&self, label: &'static str, value: impl std::fmt::Display) -> Fact {
        Fact { label: label.to_owned(), value: value.to_string() }
    }

    /// Statements and places in front of what is said of them.
    pub(super) fn placed(&self, statements: &[&SystemStatement], sentence: &str) -> String {
        let chinese = self.language() == Language::Chinese;
        let places: Vec<String> =
            statements.iter().map(|one| format!("{} {}", one.id, place(one))).collect();
        let places = places.join(if chinese { "、" } else { ", " });
        format!("{places}{}{sentence}", if chinese { "：" } else { ": " })
    }

    /// Names one after the other.
    pub(super) fn names(&self, names: &[String]) -> String {
        names.join(if self.language() == Language::Chinese { "、" } else { ", " })
    }

    /// Sentences one after the other.
    pub(super) fn sentences(&self, sentences: impl IntoIterator<Item = String>) -> String {
        let all: Vec<String> = sentences.into_iter().collect();
        all.join(if self.language() == Language::Chinese { "" } else { " " })
    }

    /// What separates parts of a sentence.
    pub(super) fn comma(&self) -> &'static str {
        if self.language() == Language::Chinese { "，" } else { ", " }
    }

    /// Until when something stays: the first and the last of it, where it goes at different times.
    pub(super) fn until(&self, one: &StatedKept) -> String {
        let words = self.words;
        let on = |sentence: &str, day: Date| fill(sentence, &[("day", &self.day(day))]);
        let last = if one.first_until.is_some() { words.until_last } else { words.until };
        let last = one.until.map_or(words.until_open.to_owned(), |day| on(last, day));
        let first = one.first_until.map(|day| on(words.until_first, day));
        first.into_iter().chain([last]).collect::<Vec<_>>().join(self.comma())
    }

    /// Until when something stays, when somebody looks at it again, and whether it is used
    /// meanwhile.
    pub(super) fn stay(&self, one: &StatedKept) -> String {
        let mut parts = vec![self.until(one)];
        parts.extend(
            one.review_on.map(|day| fill(self.words.reviewed_on, &[("day", &self.day(day))])),
        );
        if one.restricted {
            parts.push(self.words.restricted_meanwhile.to_owned());
        }
        parts.join(self.comma())
    }

    /// Records kept for one reason, as one sentence.
    pub(super) fn kept(&self, one: &StatedKept) -> String {
        fill(
            self.words.fact_kept_value,
            &[
                ("records", &self.records(one.records.0)),
                ("reason", self.words.reason(one.reason)),
                ("because", &self.phrase(&one.because)),
                ("rest", &self.stay(one)),
            ],
        )
    }

    /// By when something is gone from the copies in a store, that they were seen to be gone, or why
    /// nobody can say.
    pub(super) fn gone_from(&self, copy: &StatedBackup) -> String {
        let store = ("store", copy.store.as_str());
        if let Some(at) = copy.seen_gone_at {
            return fill(self.words.copies_seen, &[store, ("day", &self.day_of(at))]);
        }
        if let Some(day) = copy.gone_by {
            return fill(self.words.copies_by, &[store, ("day", &self.day(day))]);
        }
        let why = copy.without_day.as_deref().unwrap_or(self.words.no_reason);
        fill(self.words.copies_undated, &[store, ("why", &self.phrase(why))])
    }

    /// By when something is gone from files and logs of its system, that it was seen to be gone, or why
    /// nobody can say.
    pub(super) fn gone_from_files(&self, files: &StatedFiles) -> String {
        if let Some(at) = files.seen_gone_at {
            return fill(self.words.files_seen, &[("day", &self.day_of(at))]);
        }
        if let Some(day) = files.gone_by {
            return fill(self.words.files_by, &[("day", &self.day(day))]);
        }
        let why = files.reason.as_deref().unwrap_or(self.words.no_reason);
        fill(self.words.files_undated, &[("why", &self.phrase(why))])
    }

    /// When one file or log has let it go or will, or why it has not.
    pub(super) fn stage(&self, stage: &StatedStage) -> String {
        let moment = stage.seen_gone_at.map(|at| self.moment(at));
        let day = stage.gone_by.map(|day| self.day(day));
        let why = || self.phrase(stage.reason.as_deref().unwrap_or(self.words.no_reason));
        moment.or(day).unwrap_or_else(why)
    }

    /// Fields that stay in records which stay.
    pub(super) fn staying(&self, one: &SystemStatement) -> Option<String> {
        let fields = one.staying_fields.join(", ");
        (!fields.is_empty()).then(|| fill(self.words.fact_staying, &[("fields", &fields)]))
    }
}

/// System, collection and category of a statement.
pub(super) fn place(statement: &SystemStatement) -> String {
    let collection = statement.collection.as_ref().map(ToString::to_string);
    let category = statement.category.as_ref().map(ToString::to_string);
    [Some(statement.system.id.to_string()), collection, category]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" / ")
}
