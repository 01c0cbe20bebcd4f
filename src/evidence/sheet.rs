//! What both printed forms say: one arrangement of a certificate into tables and sentences.
//!
//! The printed forms are for reading. They say what was verified, what is only attested, what rests
//! on others, what stays, what was not done and what is not covered; and that they prove nothing.

use super::bundle::Bundle;
use super::certificate::{Certificate, NotCovered, Predicate};
use super::statement::{
    StatedCutOff, StatedFailure, StatedKept, StatedRule, StatementOutcome, SystemStatement,
    VerificationType,
};
use super::summary::{Overall, Standing, standing, verified};
use super::trusted_root::fingerprint;
use crate::domain::Digest;

/// Why nobody should rely on a printed form.
pub const NO_WEIGHT: &str = "This page is for reading and proves nothing by itself. The proof is \
     the signed file certificate.sigstore.json; VERIFY.txt says how to check it.";

const ATTESTED: &str = "How many records were matched, deleted, cleared, anonymised and restricted: \
     the counts are those that the systems reported while it was done.";

/// One line of a table of two columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is.
    pub label: &'static str,
    /// What it says.
    pub value: String,
}

/// One statement in the overview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Name of the statement.
    pub id: String,
    /// System, collection, category.
    pub place: String,
    /// Matched, deleted, cleared, anonymised, restricted, kept, left.
    pub counts: [String; 7],
    /// How it ended.
    pub outcome: &'static str,
    /// Whether it was verified.
    pub verified: &'static str,
}

/// Headings of [`Row::counts`].
pub const COUNT_HEADINGS: [&str; 7] =
    ["matched", "deleted", "cleared", "anonymised", "restricted", "kept", "left"];

/// One statement in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// Name and place.
    pub heading: String,
    /// What it says.
    pub facts: Vec<Fact>,
}

/// A heading with sentences under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The heading.
    pub heading: &'static str,
    /// What stands under it, where nothing else does.
    pub nothing: &'static str,
    /// Sentences.
    pub items: Vec<String>,
}

/// A certificate arranged for printing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// The claim as one word.
    pub overall: &'static str,
    /// The claim as a sentence.
    pub headline: &'static str,
    /// Identity, trigger and scope.
    pub facts: Vec<Fact>,
    /// One row for each statement.
    pub overview: Vec<Row>,
    /// Each statement in full.
    pub details: Vec<Detail>,
    /// Verified, attested, relied on, kept, not done, not covered.
    pub parts: Vec<Part>,
    /// Digests and log position.
    pub proof: Vec<Fact>,
}

/// Arranges a certificate. `trusted_root` and `issuer_key` are the files beside it.
pub fn sheet(
    certificate: &Certificate,
    bundle: &Bundle,
    trusted_root: &[u8],
    issuer_key: &[u8],
) -> Sheet {
    let predicate = &certificate.predicate;
    Sheet {
        overall: predicate.summary.overall.as_str(),
        headline: headline(predicate.summary.overall),
        facts: facts(predicate),
        overview: predicate.statements.iter().map(row).collect(),
        details: predicate.statements.iter().map(detail).collect(),
        parts: parts(predicate),
        proof: proof(certificate, bundle, trusted_root, issuer_key),
    }
}

fn headline(overall: Overall) -> &'static str {
    match overall {
        Overall::Complete => {
            "Everything that was due is gone, and a second look found nothing left."
        }
        Overall::CompleteWithExceptions => {
            "Everything that was due is gone and was looked for again, except for what is kept for \
             the reasons below."
        }
        Overall::Partial => {
            "This is not complete: something is pending, was skipped or was not verified."
        }
        Overall::Failed => "This is not complete: something failed.",
    }
}

fn fact(label: &'static str, value: impl std::fmt::Display) -> Fact {
    Fact { label, value: value.to_string() }
}

fn facts(predicate: &Predicate) -> Vec<Fact> {
    let trigger = &predicate.trigger;
    let scope = &predicate.scope;
    let mut facts = vec![
        fact("Certificate", predicate.certificate_id),
        fact("Kind", predicate.class.as_str()),
        fact("Issuer", &predicate.issuer.name),
        fact("Issued at", predicate.issued_at),
        fact("Speaks for", predicate.as_of),
        fact("Made by", format!("{} {}", predicate.tool.name, predicate.tool.version)),
        fact("Case", trigger.case_id),
        fact("Planned at", trigger.planned_at),
    ];
    let optional = [
        ("Schedule", trigger.schedule.as_ref().map(ToString::to_string)),
        ("Occurrence", trigger.occurrence.map(|moment| moment.to_string())),
        ("Approved by", trigger.approved_by.clone()),
        ("Supersedes", predicate.supersedes.as_ref().map(|old| old.certificate_id.to_string())),
    ];
    facts.extend(optional.into_iter().filter_map(|(label, value)| Some(fact(label, value?))));
    facts.push(fact(
        "Systems",
        format!("{} stated of {} in scope", scope.systems_stated, scope.systems_in_scope),
    ));
    facts.push(fact("Data map", scope.data_map_sha256));
    facts.push(fact("Rule set", scope.rule_set_sha256));
    facts.push(fact("Plan", scope.plan_sha256));
    facts
}

/// System, collection and category of a statement.
fn place(statement: &SystemStatement) -> String {
    let collection = statement.collection.as_ref().map(ToString::to_string);
    let category = statement.category.as_ref().map(ToString::to_string);
    [Some(statement.system.id.to_string()), collection, category]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" / ")
}

fn row(statement: &SystemStatement) -> Row {
    let records = &statement.records;
    let kept = statement.kept.iter().fold(0_u64, |sum, kept| sum.saturating_add(kept.records.0));
    Row {
        id: statement.id.clone(),
        place: place(statement),
        counts: [
            records.matched.to_string(),
            records.deleted.to_string(),
            records.cleared.to_string(),
            records.anonymised.to_string(),
            records.restricted.to_string(),
            kept.to_string(),
            records.left.to_string(),
        ],
        outcome: statement.outcome.as_str(),
        verified: if verified(statement) { "yes" } else { "no" },
    }
}

fn detail(statement: &SystemStatement) -> Detail {
    let system = &statement.system;
    let region = system.region.as_deref().unwrap_or("region not stated");
    let mut facts =
        vec![fact("System", format!("{}, run by {}, {region}", system.kind, system.operator))];
    if statement.rules.is_empty() {
        facts.push(fact("Rule", no_rule(statement)));
    }
    facts.extend(statement.rules.iter().map(|rule| {
        let StatedRule { id, version, sha256, basis } = rule;
        fact("Rule", format!("{id} version {version}, sha256 {sha256} ({basis})"))
    }));
    facts.extend(statement.cut_offs.iter().map(cut_off));
    facts.push(fact("Action", statement.action));
    facts.push(fact("Outcome", statement.outcome));
    facts.push(fact(
        "Method",
        format!(
            "{} with {} (NIST SP 800-88: {})",
            statement.method.technique, statement.method.tool, statement.method.nist80088
        ),
    ));
    let look = &statement.verification;
    facts.push(match look.at {
        Some(at) => {
            fact("Verified", format!("{} at {at}: {} ({})", look.kind, look.result, look.method))
        }
        None => fact("Verified", format!("no ({})", look.method)),
    });
    if let (Some(started), Some(completed)) = (statement.started_at, statement.completed_at) {
        facts.push(fact("Time", format!("{started} to {completed}")));
    }
    facts.extend(statement.kept.iter().map(|one| fact("Kept", kept(one))));
    facts.extend(staying(statement).map(|one| fact("Kept", one)));
    facts.extend(statement.failure.iter().map(|one| fact("Not done", failure(one))));
    if let Some(one) = &statement.exception {
        let until = one.until.map_or("no end stated".to_owned(), |day| format!("until {day}"));
        facts.push(fact(
            "Exception",
            format!("{} {}, {}, {until}", one.regime, one.provision, one.law),
        ));
    }
    facts.extend(statement.evidence.iter().map(|one| {
        fact(
            "Evidence",
            format!("entry {} of {}, detail sha256 {}", one.index, one.log, one.detail_sha256),
        )
    }));
    Detail { heading: format!("{}  {}", statement.id, place(statement)), facts }
}

/// Records go as a whole where the rules of all their categories want it.
fn no_rule(statement: &SystemStatement) -> &'static str {
    if statement.collection.is_some() && statement.category.is_none() {
        "none of its own: records go as a whole where the rules of all their categories, stated above, are due"
    } else {
        "none applied"
    }
}

fn cut_off(one: &StatedCutOff) -> Fact {
    fact(
        "Cut-off",
        format!(
            "{} at or before {} (rule {}, period {})",
            one.starting_point, one.at_or_before, one.rule, one.period
        ),
    )
}

fn kept(one: &StatedKept) -> String {
    let until = one.until.map(|day| format!(", until {day}")).unwrap_or_default();
    let review = one.review_on.map(|day| format!(", reviewed on {day}")).unwrap_or_default();
    let restricted = if one.restricted { ", restricted meanwhile" } else { "" };
    format!("{} records, {}: {}{until}{review}{restricted}", one.records, one.reason, one.because)
}

/// Fields that stay in records which stay.
fn staying(one: &SystemStatement) -> Option<String> {
    let fields = one.staying_fields.join("`, `");
    (!one.staying_fields.is_empty()).then(|| {
        format!(
            "`{fields}` of the category, until the record goes: rules, links or the key need it"
        )
    })
}

fn failure(one: &StatedFailure) -> String {
    let owner = one.owner.as_ref().map(|name| format!(", to be settled by {name}"));
    let next = one.next_attempt_at.map(|moment| format!(", next attempt at {moment}"));
    format!(
        "{} (attempts: {}{}{})",
        one.reason,
        one.attempts,
        owner.unwrap_or_default(),
        next.unwrap_or_default()
    )
}

fn parts(predicate: &Predicate) -> Vec<Part> {
    let named = |choose: &dyn Fn(&SystemStatement) -> Option<String>| -> Vec<String> {
        predicate
            .statements
            .iter()
            .filter_map(|one| Some(format!("{} {}: {}", one.id, place(one), choose(one)?)))
            .collect()
    };
    let stays = predicate.statements.iter().flat_map(|one| {
        let kept = one.kept.iter().map(kept).chain(staying(one));
        kept.map(move |stay| format!("{} {}: {stay}", one.id, place(one)))
    });
    let limits = predicate.limits.iter().cloned();
    vec![
        Part {
            heading: "Verified by a second look",
            nothing: "Nothing was verified.",
            items: named(&|one| {
                verified(one)
                    .then(|| format!("nothing left that was due ({})", one.verification.method))
            }),
        },
        Part {
            heading: "Attested by the issuer only",
            nothing: "",
            items: [ATTESTED.to_owned()].into_iter().chain(named(&attested)).collect(),
        },
        Part {
            heading: "Relied on from others",
            nothing: "Nothing rests on the word of a third party.",
            items: named(&relied_on),
        },
        Part {
            heading: "Kept, and why",
            nothing: "Nothing that was due is kept.",
            items: stays.collect(),
        },
        Part {
            heading: "Not done, and why",
            nothing: "Nothing was left undone.",
            items: named(&undone),
        },
        Part {
            heading: "Not covered",
            nothing: "",
            items: predicate.scope.not_covered.iter().map(not_covered).chain(limits).collect(),
        },
    ]
}

fn attested(one: &SystemStatement) -> Option<String> {
    let word = standing(one) == Standing::Unverified
        && one.outcome != StatementOutcome::AttestedByProcessor;
    let looked = match one.verification.kind {
        VerificationType::Sampling => "only a sample was looked at again",
        VerificationType::Attestation => "somebody says so, nobody looked again",
        VerificationType::None => "nobody looked again",
        VerificationType::PostQuery => "the second look does not confirm it",
    };
    word.then(|| format!("says `{}`, and {looked}", one.outcome))
}

fn relied_on(one: &SystemStatement) -> Option<String> {
    if one.outcome == StatementOutcome::AttestedByProcessor {
        Some(format!("{} says that it was done", one.system.operator))
    } else if one.system.operator != "self" {
        Some(format!("the system is run by {}", one.system.operator))
    } else {
        None
    }
}

fn undone(one: &SystemStatement) -> Option<String> {
    if !matches!(standing(one), Standing::Pending | Standing::Failed) {
        return None;
    }
    let why = one.failure.as_ref().map_or("no reason stated".to_owned(), failure);
    Some(format!("{}, {why}", one.outcome))
}

fn not_covered(one: &NotCovered) -> String {
    let place = [
        one.system.as_ref().map(ToString::to_string),
        one.collection.as_ref().map(ToString::to_string),
        one.category.as_ref().map(ToString::to_string),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>();
    let place = if place.is_empty() { "everywhere".to_owned() } else { place.join(" / ") };
    format!("{place}: {}", one.reason)
}

fn proof(
    certificate: &Certificate,
    bundle: &Bundle,
    trusted_root: &[u8],
    issuer_key: &[u8],
) -> Vec<Fact> {
    let subject = certificate.subject.first().map(|subject| subject.digest.sha256.to_string());
    vec![
        fact("Log", &certificate.predicate.issuer.log),
        fact(
            "Log entry",
            format!("{} in a log of {} entries", bundle.inclusion.index, bundle.inclusion.size),
        ),
        fact("Root of the log", bundle.inclusion.root),
        fact("Statement (sha256)", Digest::of(&bundle.envelope.payload)),
        fact("manifest.json (sha256)", subject.unwrap_or_default()),
        fact("issuer.pub.pem (sha256)", fingerprint(issuer_key)),
        fact("trusted_root.json (sha256)", fingerprint(trusted_root)),
        fact("Time stamp", "none: the moments are the issuer's own"),
        fact("Witnesses", "none"),
        fact("Status", "unknown: ask the issuer whether a later certificate supersedes this one"),
    ]
}
