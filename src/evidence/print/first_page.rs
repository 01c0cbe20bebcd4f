//! The first page: the verdict, who, what, when, and in short what is kept, promised and not done.

use super::sheet::{Fact, Part, Tone, Verdict};
use super::voice::{Voice, place};
use super::words::fill;
use super::{Vouching, tables, vouching};
use crate::domain::SystemName;
use crate::evidence::certificate::{Certificate, CertificateClass, OPENING_NAME, Predicate};
use crate::evidence::files::StatedFiles;
use crate::evidence::statement::{StatementOutcome, SystemStatement};
use crate::evidence::status_list::CertificateStatus;
use crate::evidence::summary::{Overall, Standing, standing, verified};

/// Most sentences under one heading; the tables hold the rest.
const SENTENCES: usize = 4;

/// Whether it says that nothing was there at all.
fn nothing_held(predicate: &Predicate) -> bool {
    predicate.about() == CertificateClass::NotHeld
        || predicate.about() == CertificateClass::RightsRequest
            && predicate.statements.iter().all(|one| one.outcome == StatementOutcome::NotFound)
}

/// Whether copies for recovery are all that stays.
fn only_copies(predicate: &Predicate) -> bool {
    predicate
        .statements
        .iter()
        .all(|one| one.kept.is_empty() && one.staying_fields.is_empty() && one.exception.is_none())
}

/// Whether files or logs of its system can still hold what a statement says is gone.
fn files_hold_it(statement: &SystemStatement) -> bool {
    statement.files.as_ref().is_some_and(StatedFiles::is_pending)
}

pub(super) fn verdict(voice: &Voice<'_>, predicate: &Predicate) -> Verdict {
    let words = voice.words;
    let (tone, word, sentence) = match predicate.summary.overall {
        Overall::Complete if nothing_held(predicate) => {
            (Tone::Good, words.not_held, words.not_held_sentence)
        }
        Overall::Complete => (Tone::Good, words.complete, words.complete_sentence),
        Overall::CompleteWithExceptions if only_copies(predicate) => {
            let in_files = predicate.statements.iter().any(files_hold_it);
            let sentence = if in_files { words.files_sentence } else { words.copies_sentence };
            (Tone::Mixed, words.exceptions, sentence)
        }
        Overall::CompleteWithExceptions => {
            (Tone::Mixed, words.exceptions, words.exceptions_sentence)
        }
        Overall::Partial => (Tone::Mixed, words.partial, words.partial_sentence),
        Overall::Failed => (Tone::Bad, words.failed, words.failed_sentence),
    };
    let earlier = predicate.supersedes.as_ref().map(|old| {
        let other = fill(words.replaces_other, &[("word", &old.reason)]);
        let reason = match old.reason.as_str() {
            "final" => words.replaces_final,
            "tried-again" => words.replaces_tried_again,
            "reappeared" => words.replaces_reappeared,
            "error" => words.replaces_error,
            "backup-expired" => words.replaces_backup_expired,
            "residues-gone" => words.replaces_residues_gone,
            "looked-again" => words.replaces_looked_again,
            "kept-looked-at" => words.replaces_kept_looked_at,
            _ => &other,
        };
        fill(words.replaces, &[("id", &old.certificate_id.to_string()), ("reason", reason)])
    });
    if let Some((decided, warning)) = decided(voice) {
        let later = voice.printing.superseded_by;
        let later = later.map(|id| fill(words.superseded_by, &[("id", &id.to_string())]));
        let said = fill(words.said_then, &[("word", word)]);
        let sentences = [Some(warning.to_owned()), later, Some(said)];
        let sentences = sentences.into_iter().flatten().collect();
        // What is looked into may still turn out to be true.
        let disputed = voice.printing.decided == Some(CertificateStatus::Disputed);
        let tone = if disputed { Tone::Mixed } else { Tone::Bad };
        return Verdict { tone, word: decided.to_owned(), sentences };
    }
    let Some(later) = voice.printing.superseded_by else {
        let sentences = [Some(sentence.to_owned()), earlier].into_iter().flatten().collect();
        return Verdict { tone, word: word.to_owned(), sentences };
    };
    Verdict {
        tone: Tone::Past,
        word: words.superseded.to_owned(),
        sentences: vec![
            words.superseded_sentence.to_owned(),
            fill(words.superseded_by, &[("id", &later.to_string())]),
            fill(words.said_then, &[("word", word)]),
        ],
    }
}

/// What somebody decided about it: the word, and what that means for whoever reads it.
pub(super) fn decided(voice: &Voice<'_>) -> Option<(&'static str, &'static str)> {
    let words = voice.words;
    match voice.printing.decided? {
        CertificateStatus::Withdrawn => Some((words.withdrawn, words.withdrawn_sentence)),
        CertificateStatus::Disputed => Some((words.disputed, words.disputed_sentence)),
        CertificateStatus::Current | CertificateStatus::Superseded => None,
    }
}

pub(super) fn facts(voice: &Voice<'_>, certificate: &Certificate, vouched: &Vouching) -> Vec<Fact> {
    let (words, predicate) = (voice.words, &certificate.predicate);
    let issuer = &predicate.issuer;
    let scope = &predicate.scope;
    let (stated, count): (u64, u64) = (scope.systems_stated.into(), scope.systems_in_scope.into());
    let systems = match (stated, count) {
        (1, 1) => words.systems_one,
        _ if stated == count => words.systems_value,
        _ => words.systems_missing,
    };
    let mut facts = vec![
        voice.fact(words.issuer, format!("{} ({})", issuer.name, words.role(issuer.role))),
        voice.fact(words.about, about(voice, predicate)),
        voice.fact(words.issued_at, voice.moment(predicate.issued_at)),
        voice.fact(
            words.as_of,
            fill(words.as_of_note, &[("moment", &voice.moment(predicate.as_of))]),
        ),
        voice.fact(
            words.systems,
            fill(systems, &[("count", &voice.number(count)), ("stated", &voice.number(stated))]),
        ),
        voice.fact(words.to_whom, whom(voice, certificate)),
    ];
    if let Some(pending) = &predicate.pending {
        let days = [
            (words.next_review, pending.next_review_at),
            (words.next_final, pending.final_certificate_by),
        ];
        facts.extend(
            days.into_iter()
                .filter_map(|(label, moment)| Some(voice.fact(label, voice.day_of(moment?)))),
        );
    }
    facts.push(vouching::short(voice, vouched));
    // Where a later one is known, the verdict says so.
    if voice.printing.superseded_by.is_none() && decided(voice).is_none() {
        facts.push(voice.fact(words.proof_status, words.proof_status_unknown));
    }
    facts.push(voice.fact(words.certificate, predicate.certificate_id));
    facts
}

fn about(voice: &Voice<'_>, predicate: &Predicate) -> String {
    let words = voice.words;
    if let Some(schedule) = &predicate.trigger.schedule {
        return fill(words.about_schedule, &[("schedule", schedule.as_str())]);
    }
    let Some(request) = &predicate.request else {
        return words.class(predicate.about()).to_owned();
    };
    let text = |name: &str| request.get(name).and_then(serde_json::Value::as_str);
    let received = text("receivedAt").and_then(|text| text.parse().ok());
    let Some((right, received)) = text("right").zip(received) else {
        return words.about_request_plain.to_owned();
    };
    let other = fill(words.right_other, &[("right", right)]);
    let right = match right {
        "erasure" => words.right_erasure,
        "restriction" => words.right_restriction,
        "objection" => words.right_objection,
        "access" => words.right_access,
        _ => &other,
    };
    fill(words.about_request, &[("right", right), ("day", &voice.day_of(received))])
}

fn whom(voice: &Voice<'_>, certificate: &Certificate) -> String {
    let opening = certificate.subject.iter().find(|one| one.name == OPENING_NAME);
    opening.map_or(voice.words.to_whom_counts.to_owned(), |subject| {
        fill(voice.words.to_whom_opening, &[("digest", &subject.digest.sha256.to_string())])
    })
}

pub(super) fn points(voice: &Voice<'_>, predicate: &Predicate) -> Vec<Part> {
    let words = voice.words;
    let statements = &predicate.statements;
    let kept = statements.iter().flat_map(|one| {
        let stays = one.kept.iter().map(|kept| voice.kept(kept)).chain(voice.staying(one));
        stays.map(move |stay| with_place(voice, one, &stay))
    });
    let promised = statements.iter().filter_map(|one| promised(voice, one));
    let undone = statements.iter().filter_map(|one| {
        let why = tables::undone(voice, one)?;
        Some(with_place(
            voice,
            one,
            &format!("{}{}{why}", words.outcome(one.outcome), voice.comma()),
        ))
    });
    let limits = predicate.limits.len() + predicate.scope.not_covered.len();
    let mut parts: Vec<Part> = wrong(voice, predicate).into_iter().collect();
    parts.push(Part {
        heading: words.point_done.to_owned(),
        items: done(voice, statements),
        empty: false,
    });
    parts.extend(copies(voice, statements));
    parts.extend([
        shortened(voice, words.point_kept, words.point_kept_none, kept.collect()),
        shortened(voice, words.point_promised, words.point_promised_none, promised.collect()),
        shortened(voice, words.point_undone, words.point_undone_none, undone.collect()),
        Part {
            heading: words.point_limits.to_owned(),
            items: vec![fill(words.point_limits_sentence, &[("count", &voice.count(limits))])],
            empty: false,
        },
    ]);
    parts
}

/// What was wrong with the certificate that a correction takes the place of.
fn wrong(voice: &Voice<'_>, predicate: &Predicate) -> Option<Part> {
    let words = voice.words;
    let correction = predicate.correction.as_ref()?;
    let between = if voice.comma() == "，" { "、" } else { ", " };
    let named = |sentence: &str, systems: &[SystemName]| {
        let systems: Vec<&str> = systems.iter().map(SystemName::as_str).collect();
        (!systems.is_empty()).then(|| fill(sentence, &[("systems", &systems.join(between))]))
    };
    let items = [
        Some(fill(words.wrong_words, &[("words", &correction.what_was_wrong)])),
        named(words.wrong_again, &correction.looked_again_in),
        named(words.wrong_on_record, &correction.on_record_only),
    ];
    let items = items.into_iter().flatten().collect();
    Some(Part { heading: words.point_wrong.to_owned(), items, empty: false })
}

/// When each system was rid of it, and when its files and its copies are; nothing where nobody looks
/// at files and no store copies it.
fn copies(voice: &Voice<'_>, statements: &[SystemStatement]) -> Option<Part> {
    let words = voice.words;
    let mut items: Vec<String> = Vec::new();
    let stated = |one: &&SystemStatement| !one.backup.is_empty() || one.files.is_some();
    for one in statements.iter().filter(stated) {
        let system = one.system.id.as_str();
        let live = one
            .completed_at
            .map(|at| fill(words.copies_live, &[("system", system), ("day", &voice.day_of(at))]));
        let live = live.unwrap_or_else(|| system.to_owned());
        let files = one.files.iter().map(|files| voice.gone_from_files(files));
        let stores = one.backup.iter().map(|copy| voice.gone_from(copy));
        let below: Vec<String> = files.chain(stores).collect();
        let item = format!("{live}; {}", below.join("; "));
        if !items.contains(&item) {
            items.push(item);
        }
    }
    let with_files = statements.iter().any(|one| one.files.is_some());
    let heading = if with_files { words.point_files } else { words.point_copies };
    (!items.is_empty()).then(|| shortened(voice, heading, "", items))
}

fn with_place(voice: &Voice<'_>, one: &SystemStatement, sentence: &str) -> String {
    let colon = if voice.comma() == "，" { "：" } else { ": " };
    format!("{}{colon}{sentence}", place(one))
}

fn done(voice: &Voice<'_>, statements: &[SystemStatement]) -> Vec<String> {
    let words = voice.words;
    let confirmed = statements
        .iter()
        .filter(|one| matches!(standing(one), Standing::Complete | Standing::Retained))
        .filter(|one| verified(one))
        .count();
    let empty = statements
        .iter()
        .filter(|one| one.outcome == StatementOutcome::NotFound && verified(one))
        .count();
    let sentence = match confirmed {
        0 => words.point_done_none,
        all if all == statements.len() => words.point_done_all,
        _ => words.point_done_some,
    };
    let values = [("done", &*voice.count(confirmed)), ("count", &*voice.count(statements.len()))];
    let mut sentences = vec![fill(sentence, &values)];
    if empty > 0 {
        sentences.push(fill(words.point_not_found, &[("count", &voice.count(empty))]));
    }
    sentences
}

/// What rests on the word of a third party; nothing where somebody of ours looked.
fn promised(voice: &Voice<'_>, one: &SystemStatement) -> Option<String> {
    let words = voice.words;
    if let Some(party) = &one.recipient {
        let grade = party.grade.as_deref();
        if grade == Some("verified") && verified(one) {
            return None;
        }
        let values = [("name", party.name.as_str()), ("strength", words.strength(grade))];
        return Some(fill(words.promised_by, &values));
    }
    (one.outcome == StatementOutcome::AttestedByProcessor)
        .then(|| fill(words.promised_silent, &[("name", &one.system.operator)]))
}

fn shortened(voice: &Voice<'_>, heading: &str, nothing: &str, mut items: Vec<String>) -> Part {
    let empty = items.is_empty();
    if empty {
        items.push(nothing.to_owned());
    } else if items.len() > SENTENCES {
        let more = items.len() - SENTENCES;
        items.truncate(SENTENCES);
        items.push(fill(voice.words.point_more, &[("count", &voice.count(more))]));
    }
    Part { heading: heading.to_owned(), items, empty }
}
