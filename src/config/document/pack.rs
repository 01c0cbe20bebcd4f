//! A rule pack.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::config::leaf::{ActionWord, Day, MissedWord, RoundWord, Window, Words, Zone, leaf};
use crate::config::read::{Entries, List, Read, Reader, document, plain_document};
use crate::config::yaml::{Content, Node};
use crate::domain::{CategoryName, RetentionPeriod, RuleName, ScheduleName, SystemName};
use crate::schedule::Condition;

document! {
    /// A rule pack: categories, when runs begin, how long data are kept and by which law.
    pub struct PackDocument {
        /// Its name.
        required pack: Words,
        /// Its version; raise it with every change.
        required version: Words,
        /// Who wrote it; may not approve runs that exceed its own caps.
        required owner: Words,
        /// Data categories: groups of data with one purpose and one rule.
        optional categories: Entries<CategoryDocument>,
        /// When runs begin.
        optional schedules: Entries<ScheduleDocument>,
        /// The schedule of rules that name none.
        optional schedule: ScheduleName,
        /// The cap of rules that set none.
        optional cap: CapDocument,
        /// Retention rules; of several for one category, a record takes the first that fits.
        optional rules: List<RuleDocument>,
        /// What must be kept at least so long.
        optional minimums: List<LimitDocument>,
        /// What may be kept at most so long.
        optional maximums: List<LimitDocument>,
        /// Categories that are deliberately not disposed of.
        optional exemptions: List<ExemptionDocument>,
    }
}

document! {
    /// A data category.
    pub struct CategoryDocument {
        /// What the data are for.
        required purpose: Words,
    }
}

document! {
    /// When runs begin.
    pub struct ScheduleDocument {
        /// Five fields: minute, hour, day of month, month, day of week.
        required cron: Words,
        /// Time zone in which it is read; the controller's if left out.
        optional zone: Zone,
        /// Jobs start only between these times of day; always if left out.
        optional windows: List<Window>,
        /// No job starts on these days.
        optional blackouts: List<BlackoutDocument>,
        /// What happens to occurrences that were missed: `latest` (one run for all) or `skip`.
        optional missed: MissedWord,
    }
}

document! {
    /// Days on which no job starts.
    pub struct BlackoutDocument {
        /// The first day.
        required from: Day,
        /// The last day.
        required to: Day,
    }
}

document! {
    /// The most that one run may do before a second person has to agree.
    pub struct CapDocument {
        /// Records in one run, or `unlimited`; 100000 if left out.
        optional records: RecordCap,
        /// Share of a collection, such as `10%`, or `unlimited`; 10% if left out.
        optional share: ShareCap,
    }
}

document! {
    /// Why a period is what it is.
    pub struct BasisDocument {
        /// Law and article, contract or interest.
        required citation: Words,
        /// Further words.
        optional note: Words,
    }
}

document! {
    /// A retention rule: a category, a starting point, a period and what happens then.
    pub struct RuleDocument {
        /// Its name; unique in the instance.
        required rule: RuleName,
        /// The category that it disposes of.
        required category: CategoryName,
        /// Only in these systems; in all if left out.
        optional systems: List<SystemName>,
        /// What starts the period; each collection says where it is read.
        required starting_point: Words,
        /// How long from there: an ISO 8601 duration such as `P6M`.
        required period: RetentionPeriod,
        /// How the end is rounded: `end_of_month` or `end_of_calendar_year`.
        optional round: RoundWord,
        /// What happens then: `erase`, `anonymise` or `restrict`.
        required action: ActionWord,
        /// For which records: `country = "DE" and closed_at is not null`; for all if left out.
        optional when: Condition,
        /// Why this period.
        required basis: BasisDocument,
        /// The most that one run may do before a second person has to agree.
        optional cap: CapDocument,
        /// Mark first, act so much later.
        optional grace: RetentionPeriod,
        /// When it is looked at; the pack's schedule if left out.
        optional schedule: ScheduleName,
    }
}

document! {
    /// A statutory minimum or maximum.
    pub struct LimitDocument {
        /// Its name; unique in the instance.
        required name: RuleName,
        /// The category that it applies to.
        required category: CategoryName,
        /// What starts the period.
        required starting_point: Words,
        /// How long from there.
        required period: RetentionPeriod,
        /// How the end is rounded: `end_of_month` or `end_of_calendar_year`.
        optional round: RoundWord,
        /// For which records; for all if left out.
        optional when: Condition,
        /// Whose law.
        required jurisdiction: Words,
        /// Law and article.
        required citation: Words,
        /// In force from this day.
        optional valid_from: Day,
        /// In force until the end of this day.
        optional valid_to: Day,
    }
}

document! {
    /// A category that stays, and why.
    pub struct ExemptionDocument {
        /// The category.
        required category: CategoryName,
        /// Why it stays.
        required reason: Words,
        /// Who decided.
        required owner: Words,
    }
}

plain_document!(
    PackDocument,
    CategoryDocument,
    ScheduleDocument,
    BlackoutDocument,
    CapDocument,
    BasisDocument,
    RuleDocument,
    LimitDocument,
    ExemptionDocument
);

/// Records in one run; `None` is `unlimited`.
#[derive(Debug, Clone, Copy)]
pub struct RecordCap(pub Option<u64>);

leaf!(RecordCap, "RecordCap", {
    "anyOf": [{ "type": "integer", "minimum": 1 }, { "const": "unlimited" }],
});

impl Read for RecordCap {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        match &node.content {
            Content::Text(text) if text == "unlimited" => return Some(Self(None)),
            Content::Number(text) => {
                if let Ok(records @ 1..) = text.replace('_', "").parse() {
                    return Some(Self(Some(records)));
                }
            }
            _ => {}
        }
        let help = "write a whole number of at least 1, or `unlimited` (to stop a rule, remove it)";
        reader.error(node, "this is no cap on records", help);
        None
    }
}

/// Share of a collection in percent; `None` is `unlimited`.
#[derive(Debug, Clone, Copy)]
pub struct ShareCap(pub Option<f64>);

leaf!(ShareCap, "ShareCap", {
    "type": "string",
    "pattern": "^([0-9]+(\\.[0-9]+)?%|unlimited)$",
    "examples": ["10%", "unlimited"],
});

impl Read for ShareCap {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        if let Content::Text(text) = &node.content {
            if text == "unlimited" {
                return Some(Self(None));
            }
            let digits = text.strip_suffix('%').map(str::trim);
            let plain =
                |digits: &&str| digits.bytes().all(|one| one.is_ascii_digit() || one == b'.');
            let share = digits.filter(plain).and_then(|digits| digits.parse::<f64>().ok());
            if let Some(share) = share.filter(|share| *share > 0.0 && *share <= 100.0) {
                return Some(Self(Some(share)));
            }
        }
        let help = "write a percentage above 0% and up to 100%, such as `10%`, or `unlimited`";
        reader.error(node, "this is no cap on a share", help);
        None
    }
}
