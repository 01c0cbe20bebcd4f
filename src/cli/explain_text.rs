//! An explanation as people read it: each category with its rule, its dates and why it stays.
//!
//! Rendering only; it shows moments, names and reasons, and no other value of the record.

use jiff::Timestamp;

use super::plan_text::{line, moment_text, new_table};
use crate::plan::{CategoryExplanation, Explanation, LimitExplanation, RecordState, State};

/// The explanation as a table for people.
pub fn explanation_text(explanation: &Explanation) -> String {
    let zone = &explanation.zone;
    let mut text = String::new();
    let head = format!(
        "One record of `{}` in system `{}`, as of {}",
        explanation.collection,
        explanation.system,
        moment_text(explanation.moment, zone)
    );
    line(&mut text, "", &head);
    line(&mut text, "", &record_text(&explanation.record, zone));
    let mut table = new_table(&["category", "rule", "starts", "purpose ends", "limits", "so"]);
    for category in &explanation.categories {
        table.add_row([
            format!("{}\n{}", category.category, category.fields.join("\n")),
            rule_text(category),
            start_text(category, zone),
            optional_moment(category.purpose_end, zone),
            limits_text(category, zone),
            state_text(category, zone),
        ]);
    }
    line(&mut text, "\n", &table.to_string());
    for (field, reason) in &explanation.exempt_fields {
        line(&mut text, "", &format!("exempt: `{field}`: {reason}; it goes with the record"));
    }
    text
}

/// The explanation as JSON.
///
/// # Errors
/// Never for an explanation of the plan; the encoder's own errors are passed on.
pub fn explanation_json(explanation: &Explanation) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(explanation)
}

fn record_text(record: &RecordState, zone: &str) -> String {
    match record {
        RecordState::Due => {
            "The record is due: it goes with the next run, unless what stays refers to it."
                .to_owned()
        }
        RecordState::DueOn { at } => {
            format!("The record goes at {} or after.", moment_text(*at, zone))
        }
        RecordState::Held { holds } => format!("The record is kept: {}.", holds_text(holds)),
        RecordState::Stays { categories } => {
            let names: Vec<String> = categories.iter().map(|name| format!("`{name}`")).collect();
            format!("The record stays: no date is known for {}.", names.join(", "))
        }
        RecordState::Kept => {
            "The record is kept: nothing in its collection is disposed of.".to_owned()
        }
    }
}

fn rule_text(category: &CategoryExplanation) -> String {
    let Some(rule) = &category.rule else { return "none".to_owned() };
    let period = category.period.map_or_else(String::new, |period| format!(": {period}"));
    let basis = category.basis.as_ref().map_or("", |basis| basis.citation.as_str());
    format!("{rule}{period}\n({basis})")
}

fn start_text(category: &CategoryExplanation, zone: &str) -> String {
    let Some((name, value)) = &category.start else { return "not yet".to_owned() };
    let when = match (value.moment, value.day) {
        (Some(moment), _) => moment_text(moment, zone),
        (None, Some(day)) => day.to_string(),
        (None, None) => String::new(),
    };
    format!("{when}\n{name}, {}", value.read_from)
}

fn limits_text(category: &CategoryExplanation, zone: &str) -> String {
    let limit = |kind: &str, one: &LimitExplanation| {
        let end = match (one.applies, one.end) {
            (false, _) => "does not apply".to_owned(),
            (true, Some(end)) => format!("until {}", moment_text(end, zone)),
            (true, None) => "not begun".to_owned(),
        };
        let law = match (one.law_from, one.law_until) {
            (None, None) => String::new(),
            (Some(from), None) => format!("; law from {from}"),
            (None, Some(until)) => format!("; law until {until}"),
            (Some(from), Some(until)) => format!("; law from {from} until {until}"),
        };
        let conflict = if one.conflict { "; CONFLICT: a person decides" } else { "" };
        format!("{kind} {} ({}) {end}{law}{conflict}", one.name, one.citation)
    };
    let minimums = category.minimums.iter().map(|one| limit("minimum", one));
    let maximums = category.maximums.iter().map(|one| limit("maximum", one));
    minimums.chain(maximums).collect::<Vec<_>>().join("\n")
}

fn state_text(category: &CategoryExplanation, zone: &str) -> String {
    match &category.state {
        State::Due => "due".to_owned(),
        State::DueOn { at } => format!("due on {}", moment_text(*at, zone)),
        State::KeptByMinimum { limit, citation, until } => {
            let until = until.map_or_else(
                || "until its period has begun and ended".to_owned(),
                |until| format!("until {}", moment_text(until, zone)),
            );
            format!("kept by `{limit}` ({citation}) {until}")
        }
        State::Held { holds } => holds_text(holds),
        State::Exempt { reason } => format!("exempt: {reason}"),
        State::NoRule => "no rule speaks for it".to_owned(),
        State::NoStartingPoint => "no starting point".to_owned(),
        State::Paused => "the rule is paused".to_owned(),
        State::InGrace { over_at: Some(at) } => {
            format!("marked; grace is over at {}", moment_text(*at, zone))
        }
        State::InGrace { over_at: None } => "to be marked by the next run".to_owned(),
        State::Restricted => "restricted".to_owned(),
        State::NotReadable { why } => format!("kept: {why}"),
    }
}

fn holds_text(holds: &[uuid::Uuid]) -> String {
    let names: Vec<String> = holds.iter().map(ToString::to_string).collect();
    format!("legal hold {}", names.join(", "))
}

fn optional_moment(moment: Option<Timestamp>, zone: &str) -> String {
    moment.map_or_else(|| "not known".to_owned(), |moment| moment_text(moment, zone))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CategoryName, CollectionName, RetentionPeriod, RuleName, SystemName};
    use crate::plan::StartValue;
    use crate::schedule::{Action, LegalBasis};

    fn moment(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn limit(name: &str, citation: &str, end: &str, conflict: bool) -> LimitExplanation {
        LimitExplanation {
            name: RuleName::parse(name).unwrap(),
            citation: citation.to_owned(),
            applies: true,
            end: Some(moment(end)),
            law_from: None,
            law_until: None,
            conflict,
        }
    }

    fn delivery() -> CategoryExplanation {
        CategoryExplanation {
            category: CategoryName::parse("delivery").unwrap(),
            fields: vec!["delivery_address".to_owned(), "delivery_note".to_owned()],
            rule: Some(RuleName::parse("delivery-90d").unwrap()),
            action: Some(Action::Erase),
            basis: Some(LegalBasis { citation: "GDPR 6(1)(b)".to_owned(), note: None }),
            period: Some(RetentionPeriod::parse("P90D").unwrap()),
            start: Some((
                "order.completed".to_owned(),
                StartValue {
                    read_from: "field `completed_at`".to_owned(),
                    moment: Some(moment("2020-03-05T10:00:00Z")),
                    day: None,
                },
            )),
            purpose_end: Some(moment("2020-06-03T09:00:00Z")),
            minimums: Vec::new(),
            maximums: Vec::new(),
            erase_at: Some(moment("2020-06-03T09:00:00Z")),
            due: true,
            state: State::Due,
        }
    }

    fn explanation() -> Explanation {
        let until = moment("2028-12-31T23:00:00Z");
        let invoice = CategoryExplanation {
            category: CategoryName::parse("invoice").unwrap(),
            fields: vec!["invoice_name".to_owned()],
            minimums: vec![limit("ao-147", "AO § 147(3)", "2028-12-31T23:00:00Z", false)],
            maximums: vec![limit("tdddg-10", "TDDDG § 10", "2020-09-05T10:00:00Z", true)],
            erase_at: Some(until),
            due: false,
            state: State::KeptByMinimum {
                limit: RuleName::parse("ao-147").unwrap(),
                citation: "AO § 147(3)".to_owned(),
                until: Some(until),
            },
            ..delivery()
        };
        let gift = CategoryExplanation {
            category: CategoryName::parse("gift").unwrap(),
            fields: vec!["greeting".to_owned()],
            start: None,
            purpose_end: None,
            erase_at: None,
            due: false,
            state: State::NoStartingPoint,
            ..delivery()
        };
        Explanation {
            system: SystemName::parse("shop").unwrap(),
            collection: CollectionName::parse("orders").unwrap(),
            moment: moment("2026-06-01T00:00:00Z"),
            zone: "Europe/Berlin".to_owned(),
            categories: vec![delivery(), invoice, gift],
            exempt_fields: vec![("country".to_owned(), "needed for statistics".to_owned())],
            record: RecordState::DueOn { at: until },
        }
    }

    #[test]
    fn an_explanation_is_readable() {
        insta::assert_snapshot!(explanation_text(&explanation()));
    }

    #[test]
    fn an_explanation_as_json_reads_back() {
        let json = explanation_json(&explanation()).unwrap();
        assert_eq!(serde_json::from_str::<Explanation>(&json).unwrap(), explanation());
    }

    #[test]
    fn every_state_of_a_record_is_said() {
        let said = |state| record_text(&state, "UTC");
        let held = said(RecordState::Held { holds: vec![uuid::Uuid::nil()] });
        assert!(held.contains("legal hold 00000000-"), "{held}");
        let names = vec![CategoryName::parse("gift").unwrap()];
        assert!(said(RecordState::Stays { categories: names }).contains("`gift`"));
        assert!(said(RecordState::Due).contains("next run"));
        assert!(said(RecordState::Kept).contains("nothing in its collection"));
    }
}
