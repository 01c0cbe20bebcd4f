//! Each statement in full, the background of the case, and where the proof lies.

use super::first_page::decided;
use super::sheet::{Detail, Fact};
use super::voice::{Voice, place};
use super::words::fill;
use super::{Vouching, vouching};
use crate::domain::Digest;
use crate::evidence::bundle::Bundle;
use crate::evidence::certificate::{Certificate, Predicate};
use crate::evidence::statement::{
    StatedCutOff, StatedException, StatedFailure, StatedRecipient, SystemStatement,
};
use crate::evidence::trusted_root::fingerprint;

pub(super) fn detail(voice: &Voice<'_>, statement: &SystemStatement) -> Detail {
    let words = voice.words;
    let mut facts = vec![system(voice, statement)];
    facts.extend(rules(voice, statement));
    facts.extend(statement.cut_offs.iter().map(|one| cut_off(voice, one)));
    let limits_from = statement.limits_rule_set_sha256;
    facts.extend(limits_from.map(|digest| voice.fact(words.fact_limits_from, digest)));
    facts.push(voice.fact(words.fact_action, words.action(statement.action)));
    facts.push(voice.fact(words.fact_outcome, words.outcome(statement.outcome)));
    facts.push(method(voice, statement));
    facts.push(look(voice, statement));
    if let (Some(start), Some(end)) = (statement.started_at, statement.completed_at) {
        let values = [("start", &*voice.moment(start)), ("end", &*voice.moment(end))];
        facts.push(voice.fact(words.fact_time, fill(words.fact_time_value, &values)));
    }
    facts.extend(statement.kept.iter().map(|one| voice.fact(words.fact_kept, voice.kept(one))));
    facts.extend(voice.staying(statement).map(|one| voice.fact(words.fact_kept, one)));
    facts.extend(
        statement
            .files
            .iter()
            .map(|files| voice.fact(words.files_table, voice.gone_from_files(files))),
    );
    facts.extend(
        statement.backup.iter().map(|one| voice.fact(words.copies_table, voice.gone_from(one))),
    );
    facts.extend(
        statement.failure.iter().map(|one| voice.fact(words.fact_undone, failure(voice, one))),
    );
    facts.extend(statement.exception.iter().map(|one| exception(voice, one)));
    facts.extend(statement.recipient.iter().map(|one| recipient(voice, one)));
    facts.extend(statement.evidence.iter().map(|one| {
        let values = [
            ("index", &*voice.number(one.index.0)),
            ("log", &*one.log),
            ("digest", &*one.detail_sha256.to_string()),
        ];
        voice.fact(words.fact_evidence, fill(words.fact_evidence_value, &values))
    }));
    Detail { heading: format!("{}  {}", statement.id, place(statement)), facts }
}

fn system(voice: &Voice<'_>, statement: &SystemStatement) -> Fact {
    let words = voice.words;
    let system = &statement.system;
    let own = system.operator == "self";
    let operator = if own { words.operator_self } else { &system.operator };
    let values = [
        ("kind", words.kind(system.kind)),
        ("operator", operator),
        ("region", system.region.as_deref().unwrap_or(words.region_unknown)),
    ];
    voice.fact(words.fact_system, fill(words.fact_system_value, &values))
}

fn rules(voice: &Voice<'_>, statement: &SystemStatement) -> Vec<Fact> {
    let words = voice.words;
    if statement.rules.is_empty() {
        // Records go as a whole where the rules of all their categories want it.
        let whole = statement.collection.is_some() && statement.category.is_none();
        let why = if whole { words.rule_of_categories } else { words.rule_none };
        return vec![voice.fact(words.fact_rule, why)];
    }
    let rules = statement.rules.iter().map(|rule| {
        let values = [
            ("id", rule.id.as_str()),
            ("version", &*rule.version),
            ("basis", &*rule.basis),
            ("sha256", &*rule.sha256.to_string()),
        ];
        voice.fact(words.fact_rule, fill(words.fact_rule_value, &values))
    });
    rules.collect()
}

fn cut_off(voice: &Voice<'_>, one: &StatedCutOff) -> Fact {
    let values = [
        ("point", one.starting_point.as_str()),
        ("moment", &*voice.moment(one.at_or_before)),
        ("rule", one.rule.as_str()),
        ("period", &*one.period),
    ];
    voice.fact(voice.words.fact_cut_off, fill(voice.words.fact_cut_off_value, &values))
}

fn method(voice: &Voice<'_>, statement: &SystemStatement) -> Fact {
    let method = &statement.method;
    let values = [
        ("technique", &*voice.phrase(&method.technique)),
        ("tool", &*method.tool),
        ("grade", voice.words.grade(method.nist80088)),
    ];
    voice.fact(voice.words.fact_method, fill(voice.words.fact_method_value, &values))
}

fn look(voice: &Voice<'_>, statement: &SystemStatement) -> Fact {
    let words = voice.words;
    let look = &statement.verification;
    let method = voice.phrase(&look.method);
    let Some(at) = look.at else {
        return voice
            .fact(words.fact_verified, fill(words.fact_verified_not, &[("method", &method)]));
    };
    let values = [
        ("look", words.look(look.kind)),
        ("moment", &*voice.moment(at)),
        ("found", words.found(look.result)),
        ("method", &*method),
    ];
    voice.fact(words.fact_verified, fill(words.fact_verified_value, &values))
}

fn failure(voice: &Voice<'_>, one: &StatedFailure) -> String {
    let words = voice.words;
    let mut rest =
        vec![fill(words.attempts_part, &[("count", &voice.number(one.attempts.into()))])];
    rest.extend(one.owner.as_ref().map(|name| fill(words.owner_part, &[("name", name)])));
    rest.extend(
        one.next_attempt_at
            .map(|moment| fill(words.next_part, &[("moment", &voice.moment(moment))])),
    );
    fill(
        words.fact_undone_value,
        &[("reason", &voice.phrase(&one.reason)), ("rest", &rest.join(voice.comma()))],
    )
}

fn exception(voice: &Voice<'_>, one: &StatedException) -> Fact {
    let words = voice.words;
    let until = one
        .until
        .map_or(words.until_open.to_owned(), |day| fill(words.until, &[("day", &voice.day(day))]));
    let values = [
        ("regime", one.regime.as_str()),
        ("provision", &*one.provision),
        ("law", &*one.law),
        ("until", &*until),
    ];
    voice.fact(words.fact_exception, fill(words.fact_exception_value, &values))
}

fn recipient(voice: &Voice<'_>, one: &StatedRecipient) -> Fact {
    let words = voice.words;
    let values = [("name", one.name.as_str()), ("strength", words.strength(one.grade.as_deref()))];
    voice.fact(words.fact_recipient, fill(words.promised_by, &values))
}

/// Case, plan, data map, and what is on record of a request.
pub(super) fn background(voice: &Voice<'_>, predicate: &Predicate) -> Vec<Fact> {
    let words = voice.words;
    let trigger = &predicate.trigger;
    let scope = &predicate.scope;
    let mut facts = vec![
        voice.fact(words.fact_kind, words.class(predicate.class)),
        voice.fact(words.fact_tool, format!("{} {}", predicate.tool.name, predicate.tool.version)),
        voice.fact(words.fact_case, trigger.case_id),
        voice.fact(words.fact_planned, voice.moment(trigger.planned_at)),
    ];
    let request = |name: &str| {
        let value = predicate.request.as_ref()?.pointer(name)?;
        value.as_str().map(str::to_owned)
    };
    let day = |text: String| {
        let moment = text.parse().map(|moment| voice.day_of(moment));
        moment.or_else(|_| text.parse().map(|day| voice.day(day))).unwrap_or(text)
    };
    let optional = [
        (words.fact_schedule, trigger.schedule.as_ref().map(ToString::to_string)),
        (words.fact_occurrence, trigger.occurrence.map(|moment| voice.moment(moment))),
        (words.fact_approved, trigger.approved_by.clone()),
        (words.fact_regime, request("/regime")),
        (words.fact_identity, request("/identityCheck/method")),
        (words.fact_answer_by, request("/answerBy").map(day)),
        (
            words.fact_supersedes,
            predicate.supersedes.as_ref().map(|old| old.certificate_id.to_string()),
        ),
    ];
    let optional = optional.into_iter();
    facts.extend(optional.filter_map(|(label, value)| Some(voice.fact(label, value?))));
    facts.push(voice.fact(words.fact_data_map, scope.data_map_sha256));
    facts.push(voice.fact(words.fact_rule_set, scope.rule_set_sha256));
    facts.push(voice.fact(words.fact_plan, scope.plan_sha256));
    facts
}

/// Digests to compare, the place in the log, and what nobody vouches for.
pub(super) fn proof(
    voice: &Voice<'_>,
    certificate: &Certificate,
    bundle: &Bundle,
    (trusted_root, issuer_key): (&[u8], &[u8]),
    vouched: &Vouching,
) -> Vec<Fact> {
    let words = voice.words;
    let inclusion = &bundle.inclusion;
    let place =
        [("index", &*voice.number(inclusion.index)), ("size", &*voice.number(inclusion.size))];
    let file = |name: &str, digest: Digest| Fact {
        label: fill(words.proof_file, &[("name", name)]),
        value: digest.to_string(),
    };
    let mut facts = vec![
        voice.fact(words.proof_log, &certificate.predicate.issuer.log),
        voice.fact(words.proof_entry, fill(words.proof_entry_value, &place)),
        voice.fact(words.proof_root, inclusion.root),
        voice.fact(words.proof_statement, Digest::of(&bundle.envelope.payload)),
    ];
    facts.extend(certificate.subject.iter().map(|one| file(&one.name, one.digest.sha256)));
    facts.push(file("issuer.pub.pem", fingerprint(issuer_key)));
    facts.push(file("trusted_root.json", fingerprint(trusted_root)));
    facts.extend(vouching::full(voice, vouched));
    facts.push(match (decided(voice), voice.printing.superseded_by) {
        (Some((word, _)), _) => {
            voice.fact(words.proof_status, fill(words.proof_status_decided, &[("word", word)]))
        }
        (None, Some(id)) => voice.fact(
            words.proof_status,
            fill(words.proof_status_superseded, &[("id", &id.to_string())]),
        ),
        (None, None) => voice.fact(words.proof_status, words.proof_status_unknown),
    });
    facts
}
