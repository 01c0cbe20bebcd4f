//! A forecast as people read it: one system at a time, what goes, what stays and why.
//!
//! Rendering only; widths do not depend on the terminal, so the same forecast gives the same text.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use quietus_connectors::Cutoff;

use crate::plan::{
    CapExceeded, CapMeasure, CollectionForecast, Forecast, Kept, KeptWhy, SystemForecast,
};

/// The width of a page, in characters.
const PAGE_WIDTH: u16 = 110;

/// The forecast as tables for people.
pub fn forecast_text(forecast: &Forecast) -> String {
    let mut text = format!("As of {}\n", moment_text(forecast.moment, &forecast.zone));
    for system in &forecast.systems {
        system_text(system, &forecast.zone, &mut text);
    }
    for exceeded in &forecast.caps_exceeded {
        line(&mut text, "", &cap_text(exceeded));
    }
    text
}

/// The forecast as JSON.
///
/// # Errors
/// Never for a forecast of the plan; the encoder's own errors are passed on.
pub fn forecast_json(forecast: &Forecast) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(forecast)
}

fn system_text(system: &SystemForecast, zone: &str, text: &mut String) {
    line(text, "\n", &format!("System `{}`", system.system));
    if !system.counted {
        line(text, "  ", "not counted: the system did not answer");
    }
    for reason in &system.drift {
        line(text, "  ", &format!("stopped: {reason}"));
    }
    for reason in &system.refusals {
        line(text, "  ", &format!("refused: {reason}"));
    }
    if !system.collections.is_empty() {
        line(text, "\n", &changes_table(&system.collections).to_string());
    }
    let kept: Vec<_> = system.collections.iter().filter(|one| !one.kept.is_empty()).collect();
    if !kept.is_empty() {
        line(text, "\n", &kept_table(&kept, zone).to_string());
    }
    for finding in &system.findings {
        line(text, "  ", &format!("note: {}", finding.message));
    }
    for part in &system.exempt {
        line(text, "  ", &format!("exempt: `{}`: {}", part.what, part.reason));
    }
}

fn changes_table(collections: &[CollectionForecast]) -> Table {
    let mut table =
        new_table(&["collection", "records", "delete", "clear", "anonymise", "restrict"]);
    for one in collections {
        let delete =
            if one.at_most { format!("at most {}", one.delete) } else { one.delete.to_string() };
        let anonymised =
            one.anonymise.iter().map(|(category, records)| format!("{category}: {records}"));
        table.add_row([
            one.collection.to_string(),
            one.total.to_string(),
            delete,
            cleared(one),
            anonymised.collect::<Vec<_>>().join("\n"),
            one.restrict.to_string(),
        ]);
    }
    for column in [1, 2, 5] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// What is cleared, by category, and the associations that end, by link.
fn cleared(one: &CollectionForecast) -> String {
    let categories = one.clear.iter().map(|(category, records)| format!("{category}: {records}"));
    let links =
        one.associations.iter().map(|(link, records)| format!("association {link}: {records}"));
    categories.chain(links).collect::<Vec<_>>().join("\n")
}

fn kept_table(collections: &[&CollectionForecast], zone: &str) -> Table {
    let mut table = new_table(&["kept in", "category", "records", "why"]);
    for one in collections {
        for kept in &one.kept {
            let records = kept.records.map_or_else(String::new, |records| records.to_string());
            let category = kept.category.as_ref().map_or_else(String::new, ToString::to_string);
            table.add_row([one.collection.to_string(), category, records, why_text(kept, zone)]);
        }
    }
    if let Some(column) = table.column_mut(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Why records are kept, in words.
fn why_text(kept: &Kept, zone: &str) -> String {
    match &kept.why {
        KeptWhy::Held => "legal hold".to_owned(),
        KeptWhy::Minimum { limit, citation } => format!("minimum `{limit}` ({citation})"),
        KeptWhy::NotYet { started_after } => {
            let starts = started_after.iter().map(|(read_from, cutoff)| {
                format!("{read_from} after {}", cutoff_text(*cutoff, zone))
            });
            let starts: Vec<String> = starts.collect();
            if starts.is_empty() {
                "not due yet".to_owned()
            } else {
                format!("not due yet: {}", starts.join(", or "))
            }
        }
        KeptWhy::NoStartingPoint => "no starting point in the record".to_owned(),
        KeptWhy::NoRule => "no rule's condition holds".to_owned(),
        KeptWhy::Paused { rule } => format!("rule `{rule}` is paused"),
        KeptWhy::InGrace { rule } => format!("rule `{rule}` marks first; its grace is not over"),
        KeptWhy::Exempt { why } => format!("exempt: {why}"),
        KeptWhy::NotReadable { why } => format!("cannot be read: {why}"),
        KeptWhy::Referenced { by } => format!("due, but records in `{by}` that stay refer to them"),
        KeptWhy::Conflict { limit } => {
            format!(
                "CONFLICT: maximum `{limit}` has passed and a minimum keeps them: a person decides"
            )
        }
        KeptWhy::PastMaximum { limit } => {
            format!("maximum `{limit}` has passed and no rule makes them due: shorten the rule")
        }
    }
}

fn cap_text(exceeded: &CapExceeded) -> String {
    let most = match exceeded.measure {
        CapMeasure::Records { most } => format!("{most} records"),
        CapMeasure::Share { most_percent } => {
            format!("{most_percent} % of {} records", exceeded.total)
        }
    };
    format!(
        "CAP: rule `{}` would change {} records of `{}` in `{}`, more than its cap of {most}: a second person, not `{}`, must agree",
        exceeded.rule, exceeded.would_change, exceeded.collection, exceeded.system, exceeded.author
    )
}

/// A table in the style of the product.
pub(super) fn new_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(PAGE_WIDTH)
        .force_no_tty()
        .set_header(header.iter().copied());
    table
}

pub(super) fn line(text: &mut String, before: &str, words: &str) {
    let words = words.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    let written = writeln!(text, "{before}{words}");
    debug_assert!(written.is_ok(), "writing to a string never fails");
}

/// A moment on the wall clock of a zone, with the zone's own abbreviation.
pub(super) fn moment_text(moment: Timestamp, zone: &str) -> String {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let local = moment.to_zoned(zone);
    if local.second() == 0 && local.subsec_nanosecond() == 0 {
        local.strftime("%Y-%m-%d %H:%M %Z").to_string()
    } else {
        local.strftime("%Y-%m-%d %H:%M:%S%.f %Z").to_string()
    }
}

fn cutoff_text(cutoff: Cutoff, zone: &str) -> String {
    match cutoff {
        Cutoff::Moment(moment) => moment_text(moment, zone),
        Cutoff::Day(day) => day.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::{CategoryName, CollectionName, RuleName, SystemName};
    use crate::plan::{ExemptPart, Finding, FindingKind};

    fn kept(category: Option<&str>, records: Option<u64>, why: KeptWhy) -> Kept {
        Kept { category: category.map(|name| CategoryName::parse(name).unwrap()), why, records }
    }

    fn name(text: &str) -> CategoryName {
        CategoryName::parse(text).unwrap()
    }

    fn orders() -> CollectionForecast {
        let after = Cutoff::Moment("2026-03-03T00:00:00Z".parse().unwrap());
        CollectionForecast {
            collection: CollectionName::parse("orders").unwrap(),
            total: 51_200,
            delete: 310,
            at_most: false,
            clear: BTreeMap::from([(name("delivery"), 1_200), (name("invoice"), 310)]),
            anonymise: BTreeMap::from([(name("usage"), 7)]),
            associations: BTreeMap::from([("seller".to_owned(), 4)]),
            restrict: 890,
            kept: vec![
                kept(None, Some(12), KeptWhy::Held),
                kept(None, Some(3), KeptWhy::Referenced { by: "returns".to_owned() }),
                kept(
                    Some("invoice"),
                    Some(890),
                    KeptWhy::Minimum {
                        limit: "ao-147".to_owned(),
                        citation: "AO § 147(3)".to_owned(),
                    },
                ),
                kept(
                    Some("delivery"),
                    Some(60),
                    KeptWhy::NotYet {
                        started_after: vec![
                            ("field `completed_at`".to_owned(), after),
                            (
                                "field `shipped_on`".to_owned(),
                                Cutoff::Day("2026-03-02".parse().unwrap()),
                            ),
                        ],
                    },
                ),
                kept(Some("usage"), Some(4), KeptWhy::Conflict { limit: "tdddg-10".to_owned() }),
                kept(Some("payment"), None, KeptWhy::Exempt { why: "kept by the bank".to_owned() }),
            ],
        }
    }

    fn forecast() -> Forecast {
        let finding = Finding {
            kind: FindingKind::NoRule,
            collection: CollectionName::parse("orders").unwrap(),
            category: Some(name("gift")),
            rule: None,
            message: "no rule disposes of category `gift`: write a rule".to_owned(),
        };
        let part = ExemptPart { what: "public.codes".to_owned(), reason: "no person".to_owned() };
        let system = |name: &str, counted, collections| SystemForecast {
            system: SystemName::parse(name).unwrap(),
            counted,
            collections,
            drift: Vec::new(),
            refusals: Vec::new(),
            findings: Vec::new(),
            exempt: Vec::new(),
        };
        let shop = SystemForecast {
            drift: vec!["field `orders.note` is in the system but not in the data map".to_owned()],
            findings: vec![finding],
            exempt: vec![part],
            ..system("shop", true, vec![orders()])
        };
        Forecast {
            moment: "2026-06-01T00:00:00Z".parse().unwrap(),
            zone: "Europe/Berlin".to_owned(),
            systems: vec![shop, system("support", false, Vec::new())],
            caps_exceeded: vec![CapExceeded {
                system: SystemName::parse("shop").unwrap(),
                collection: CollectionName::parse("orders").unwrap(),
                rule: RuleName::parse("delivery-90d").unwrap(),
                author: "Ada Example".to_owned(),
                would_change: 6_000,
                total: 51_200,
                measure: CapMeasure::Share { most_percent: 10.0 },
            }],
        }
    }

    #[test]
    fn a_forecast_is_readable() {
        insta::assert_snapshot!(forecast_text(&forecast()));
    }

    #[test]
    fn a_forecast_as_json_reads_back() {
        let json = forecast_json(&forecast()).unwrap();
        assert_eq!(serde_json::from_str::<Forecast>(&json).unwrap(), forecast());
    }

    #[test]
    fn moments_name_their_zone_and_keep_seconds_that_matter() {
        let text = |moment: &str, zone| moment_text(moment.parse().unwrap(), zone);
        assert_eq!(text("2028-12-31T23:00:00Z", "Europe/Berlin"), "2029-01-01 00:00 CET");
        assert_eq!(text("2026-06-01T00:00:00Z", "Europe/Berlin"), "2026-06-01 02:00 CEST");
        assert_eq!(text("2026-06-01T00:00:00.000001Z", "UTC"), "2026-06-01 00:00:00.000001 UTC");
    }
}
