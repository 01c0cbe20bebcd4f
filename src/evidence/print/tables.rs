//! The tables behind the first page, and lists of what rests on what.

use super::sheet::{Column, Part, Table};
use super::voice::{Voice, place};
use super::words::fill;
use crate::evidence::certificate::{NotCovered, Predicate};
use crate::evidence::statement::{StatementOutcome, SystemStatement, VerificationType};
use crate::evidence::summary::{Standing, standing, verified};

/// A column of words.
fn column(heading: &str, weight: u16) -> Column {
    Column { heading: heading.to_owned(), number: false, weight }
}

/// A column of numbers.
fn number(heading: &str, weight: u16) -> Column {
    Column { heading: heading.to_owned(), number: true, weight }
}

/// All tables that hold something; the overview is always there.
pub(super) fn tables(voice: &Voice<'_>, predicate: &Predicate) -> Vec<Table> {
    let rest = [
        kept(voice, predicate),
        others(voice, predicate),
        undone_table(voice, predicate),
        files(voice, predicate),
        copies(voice, predicate),
        uncovered(voice, predicate),
    ];
    let rest = rest.into_iter().filter(|table| !table.rows.is_empty());
    [overview(voice, predicate)].into_iter().chain(rest).collect()
}

fn overview(voice: &Voice<'_>, predicate: &Predicate) -> Table {
    let words = voice.words;
    let counts = [
        words.matched,
        words.deleted,
        words.cleared,
        words.anonymised,
        words.restricted,
        words.kept,
        words.left,
    ];
    let mut columns = vec![
        column(words.column_statement, 5),
        column(words.column_place, 26),
        column(words.column_outcome, 13),
        column(words.column_verified, 11),
    ];
    columns.extend(counts.map(|heading| number(heading, 10)));
    let rows = predicate.statements.iter().map(|one| {
        let records = &one.records;
        let kept = one.kept.iter().fold(0_u64, |sum, kept| sum.saturating_add(kept.records.0));
        let mut row = vec![
            one.id.clone(),
            place(one),
            words.outcome(one.outcome).to_owned(),
            voice.yes(verified(one)),
        ];
        let counts = [
            records.matched.0,
            records.deleted.0,
            records.cleared.0,
            records.anonymised.0,
            records.restricted.0,
            kept,
            records.left.0,
        ];
        row.extend(counts.map(|count| voice.number(count)));
        row
    });
    Table {
        heading: words.overview.to_owned(),
        note: Some(words.overview_note.to_owned()),
        columns,
        rows: rows.collect(),
    }
}

fn kept(voice: &Voice<'_>, predicate: &Predicate) -> Table {
    let words = voice.words;
    let mut rows = Vec::new();
    for one in &predicate.statements {
        let name = format!("{} {}", one.id, place(one));
        rows.extend(one.kept.iter().map(|kept| {
            vec![
                name.clone(),
                voice.number(kept.records.0),
                words.reason(kept.reason).to_owned(),
                voice.phrase(&kept.because),
                match kept.first_until {
                    Some(_) => voice.until(kept),
                    None => kept.until.map_or(words.until_open.to_owned(), |day| voice.day(day)),
                },
                kept.review_on.map_or(String::from("–"), |day| voice.day(day)),
                voice.yes(kept.restricted),
            ]
        }));
        rows.extend(voice.staying(one).map(|why| {
            let dash = || String::from("–");
            vec![name.clone(), dash(), why, dash(), dash(), dash(), dash()]
        }));
    }
    Table {
        heading: words.kept_table.to_owned(),
        note: None,
        columns: vec![
            column(words.column_place, 26),
            number(words.column_records, 12),
            column(words.column_reason, 20),
            column(words.column_because, 26),
            column(words.column_until, 17),
            column(words.column_review, 17),
            column(words.column_restricted, 15),
        ],
        rows,
    }
}

fn others(voice: &Voice<'_>, predicate: &Predicate) -> Table {
    let words = voice.words;
    let rows = predicate.statements.iter().filter_map(|one| {
        let party = one.recipient.as_ref()?;
        Some(vec![
            format!("{} {}", one.id, party.name),
            party.notified_at.map_or(String::from("–"), |moment| voice.moment(moment)),
            words.strength(party.grade.as_deref()).to_owned(),
            party.words.as_deref().map_or(String::from("–"), |said| voice.phrase(said)),
            party.receipt_sha256.map_or(words.none_stated.to_owned(), |one| one.to_string()),
        ])
    });
    Table {
        heading: words.others_table.to_owned(),
        note: None,
        columns: vec![
            column(words.column_name, 18),
            column(words.column_told, 20),
            column(words.column_strength, 20),
            column(words.column_words, 24),
            column(words.column_receipt, 30),
        ],
        rows: rows.collect(),
    }
}

/// Why a statement is not done, in words; `None` where it is.
pub(super) fn undone(voice: &Voice<'_>, one: &SystemStatement) -> Option<String> {
    matches!(standing(one), Standing::Pending | Standing::Failed).then(|| {
        one.failure
            .as_ref()
            .map_or(voice.words.no_reason.to_owned(), |why| voice.phrase(&why.reason))
    })
}

fn undone_table(voice: &Voice<'_>, predicate: &Predicate) -> Table {
    let words = voice.words;
    let rows = predicate.statements.iter().filter_map(|one| {
        let why = undone(voice, one)?;
        let failure = one.failure.as_ref();
        let next = failure.and_then(|failure| failure.next_attempt_at);
        Some(vec![
            format!("{} {}", one.id, place(one)),
            words.outcome(one.outcome).to_owned(),
            why,
            failure.map_or(String::from("–"), |failure| failure.attempts.to_string()),
            failure.and_then(|failure| failure.owner.clone()).unwrap_or(String::from("–")),
            next.map_or(String::from("–"), |moment| voice.moment(moment)),
        ])
    });
    Table {
        heading: words.undone_table.to_owned(),
        note: None,
        columns: vec![
            column(words.column_place, 26),
            column(words.column_outcome, 15),
            column(words.column_why, 34),
            number(words.column_attempts, 10),
            column(words.column_owner, 18),
            column(words.column_next, 20),
        ],
        rows: rows.collect(),
    }
}

fn files(voice: &Voice<'_>, predicate: &Predicate) -> Table {
    let words = voice.words;
    let rows = predicate.statements.iter().flat_map(|one| {
        one.files.iter().flat_map(move |files| {
            files.stages.iter().map(move |stage| {
                let looked = files.looked_at.map_or(String::from("–"), |at| voice.moment(at));
                vec![
                    format!("{} {}", one.id, place(one)),
                    voice.phrase(&stage.what),
                    voice.stage(stage),
                    looked,
                ]
            })
        })
    });
    Table {
        heading: words.files_table.to_owned(),
        note: None,
        columns: vec![
            column(words.column_place, 24),
            column(words.column_stage, 30),
            column(words.column_gone_by, 40),
            column(words.column_looked, 20),
        ],
        rows: rows.collect(),
    }
}

fn copies(voice: &Voice<'_>, predicate: &Predicate) -> Table {
    let words = voice.words;
    let rows = predicate.statements.iter().flat_map(|one| {
        one.backup.iter().map(move |copy| {
            let moment =
                |at: Option<jiff::Timestamp>| at.map_or(String::from("–"), |at| voice.moment(at));
            vec![
                format!("{} {}", one.id, place(one)),
                copy.store.clone(),
                moment(copy.newest_copy_containing),
                voice.gone_from(copy),
                moment(copy.listed_at),
                voice.phrase(&copy.mechanism),
            ]
        })
    });
    Table {
        heading: words.copies_table.to_owned(),
        note: None,
        columns: vec![
            column(words.column_place, 24),
            column(words.column_store, 14),
            column(words.column_newest, 20),
            column(words.column_gone_by, 30),
            column(words.column_listed, 20),
            column(words.column_mechanism, 14),
        ],
        rows: rows.collect(),
    }
}

fn uncovered(voice: &Voice<'_>, predicate: &Predicate) -> Table {
    let words = voice.words;
    let rows = predicate
        .scope
        .not_covered
        .iter()
        .map(|one| vec![place_of(voice, one), voice.phrase(&one.reason)]);
    Table {
        heading: words.uncovered_table.to_owned(),
        note: None,
        columns: vec![column(words.column_place, 35), column(words.column_why, 60)],
        rows: rows.collect(),
    }
}

fn place_of(voice: &Voice<'_>, one: &NotCovered) -> String {
    let parts = [
        one.system.as_ref().map(ToString::to_string),
        one.collection.as_ref().map(ToString::to_string),
        one.category.as_ref().map(ToString::to_string),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { voice.words.everywhere.to_owned() } else { parts.join(" / ") }
}

/// What was verified, what is only attested, what rests on others, and the limits.
pub(super) fn lists(voice: &Voice<'_>, predicate: &Predicate) -> Vec<Part> {
    let words = voice.words;
    // Statements of which the same is said share one item.
    let named = |choose: &dyn Fn(&SystemStatement) -> Option<String>| -> Vec<String> {
        let mut said: Vec<(String, Vec<&SystemStatement>)> = Vec::new();
        for one in &predicate.statements {
            let Some(sentence) = choose(one) else { continue };
            match said.iter_mut().find(|(known, _)| *known == sentence) {
                Some((_, statements)) => statements.push(one),
                None => said.push((sentence, vec![one])),
            }
        }
        said.iter().map(|(sentence, statements)| voice.placed(statements, sentence)).collect()
    };
    let looked = named(&|one| {
        let method = voice.phrase(&one.verification.method);
        verified(one).then(|| fill(words.verified_item, &[("method", &method)]))
    });
    let mut attested = vec![words.attested_counts.to_owned()];
    attested.extend(named(&|one| only_attested(voice, one)));
    vec![
        part(words.verified_heading, words.verified_nothing, looked),
        part(words.attested_heading, "", attested),
        part(words.relied_heading, words.relied_nothing, named(&|one| relied_on(voice, one))),
        part(
            words.limits_heading,
            words.none_stated,
            predicate.limits.iter().map(|limit| voice.phrase(limit)).collect(),
        ),
    ]
}

fn part(heading: &str, nothing: &str, mut items: Vec<String>) -> Part {
    let empty = items.is_empty();
    if empty {
        items.push(nothing.to_owned());
    }
    Part { heading: heading.to_owned(), items, empty }
}

fn only_attested(voice: &Voice<'_>, one: &SystemStatement) -> Option<String> {
    let words = voice.words;
    let word = standing(one) == Standing::Unverified
        && one.outcome != StatementOutcome::AttestedByProcessor;
    let why = match one.verification.kind {
        VerificationType::Sampling => words.attested_sample,
        VerificationType::Attestation => words.attested_word,
        VerificationType::None => words.attested_nobody,
        VerificationType::PostQuery => words.attested_unconfirmed,
    };
    let outcome = words.outcome(one.outcome);
    word.then(|| fill(words.attested_item, &[("outcome", outcome), ("why", why)]))
}

fn relied_on(voice: &Voice<'_>, one: &SystemStatement) -> Option<String> {
    let name = [("name", one.system.operator.as_str())];
    if one.outcome == StatementOutcome::AttestedByProcessor {
        Some(fill(voice.words.relied_done, &name))
    } else if one.system.operator != "self" {
        Some(fill(voice.words.relied_run, &name))
    } else {
        None
    }
}
