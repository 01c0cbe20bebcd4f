//! Under which name the marks of a rule with grace are kept: a digest of everything that decides
//! which records the rule finds due. A mark speaks for what was said when it was made; whatever
//! is changed since marks anew, so that no record goes that no mark announced.

use serde_json::json;

use super::AppError;
use crate::datamap::DataMap;
use crate::domain::{Digest, RuleName};
use crate::schedule::{Limit, RetentionRule, RuleSet};

/// The name of a rule's marks: over the rule, every rule, limit and exemption of its category, and
/// the collections of each system that has the category.
///
/// # Errors
/// Where the name cannot be written.
pub(crate) fn mark_of(
    map: &DataMap,
    rules: &RuleSet,
    rule: &RetentionRule,
) -> Result<RuleName, AppError> {
    let unreadable =
        |why: String| AppError::Unreadable { what: "what a rule with grace says", why };
    let of_category = rules.rules.iter().filter(|one| one.category == rule.category);
    let limits = rules.limits.iter().filter(|one| one.category == rule.category);
    let content = json!({
        "rule": rule.digest,
        "rules": of_category.map(|one| one.digest).collect::<Vec<_>>(),
        "limits": limits.map(limit_content).collect::<Vec<_>>(),
        "exempt": rules.exemptions.contains_key(&rule.category),
        "systems": systems_with(map, rule),
    });
    let canonical = serde_json_canonicalizer::to_vec(&content)
        .map_err(|error| unreadable(error.to_string()))?;
    RuleName::parse(&Digest::of(&canonical).to_string())
        .map_err(|error| unreadable(error.to_string()))
}

fn limit_content(limit: &Limit) -> serde_json::Value {
    json!({
        "limit": limit.name,
        "minimum": limit.kind == crate::schedule::LimitKind::Minimum,
        "starting_point": limit.starting_point,
        "period": limit.period.to_string(),
        "round": limit.rounding,
        "when": limit.when.to_string(),
        "valid_from": limit.valid_from,
        "valid_to": limit.valid_to,
    })
}

/// Collections as they are understood and not as they are written: a comment or a changed pace
/// must not begin every grace anew. A later version may print them otherwise; it then marks anew.
fn systems_with(map: &DataMap, rule: &RetentionRule) -> Vec<(String, Digest)> {
    let with = map.systems.values().filter(|system| {
        system.collections.values().any(|one| one.categories().contains(&rule.category))
    });
    with.map(|system| {
        let collections = format!("{:?}", system.collections);
        (system.name.to_string(), Digest::of(collections.as_bytes()))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = include_str!("../config/start/systems/example.yaml");
    const RULES: &str = include_str!("../config/start/schedules/retention.yaml");

    /// The name of the marks of the rule on invoices.
    fn mark(map: &str, rules: &str) -> RuleName {
        let file = |text: &str| vec![("a.yaml".to_owned(), text.as_bytes().to_vec())];
        let (map, rules) =
            crate::config::compile(&file(map), &file(rules), "Europe/Berlin").unwrap();
        let rule = rules.rules.iter().find(|one| one.category.as_str() == "order.invoice");
        mark_of(&map, &rules, rule.unwrap()).unwrap()
    }

    fn replaced(text: &str, from: &str, to: &str) -> String {
        assert!(text.contains(from), "`{from}`");
        text.replacen(from, to, 1)
    }

    #[test]
    fn whatever_decides_what_is_due_begins_grace_anew() {
        let now = mark(MAP, RULES);
        let another = "\nrules:\n  - rule: french\n    category: order.invoice\n    when: country = \"FR\"\n    starting_point: order.completed\n    period: P2Y\n    action: erase\n    basis: {citation: x}\n";
        for rules in [
            replaced(RULES, "    period: P1Y\n    action", "    period: P2Y\n    action"),
            replaced(RULES, "\nrules:\n", another),
            replaced(RULES, "period: P8Y", "period: P6Y"),
            replaced(RULES, "    when: country = \"DE\"\n", ""),
            replaced(RULES, "valid_from: 2025-01-01", "valid_from: 2027-01-01"),
        ] {
            assert_ne!(mark(MAP, &rules), now, "{rules}");
        }
        let clock = replaced(MAP, "order.completed: completed_at", "order.completed: sent_at");
        let clock = replaced(
            &clock,
            "      completed_at: {type: timestamp}\n      restricted",
            "      sent_at: {type: timestamp}\n      completed_at: {type: timestamp, exempt: a moment}\n      restricted",
        );
        assert_ne!(mark(&clock, RULES), now);
    }

    #[test]
    fn what_decides_nothing_leaves_the_marks_in_force() {
        let now = mark(MAP, RULES);
        let comment = format!("# looked through by Ada Example\n{MAP}");
        assert_eq!(mark(&comment, RULES), now);
        let pace = replaced(MAP, "# pace:", "pace:");
        assert_eq!(mark(&pace, RULES), now);
        let delivery = replaced(RULES, "    period: P3M\n", "    period: P4M\n");
        assert_eq!(mark(MAP, &delivery), now);
    }
}
