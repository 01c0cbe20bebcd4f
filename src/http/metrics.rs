//! Numbers for Prometheus in its text form: open requests by right and law, those that press, and
//! the age of the oldest; those who vouch for the log; stores of copies; later looks; drills;
//! schedules, rules and work; breakers and backlogs; alarms. No label says anything of a person.

use std::fmt::Write as _;

use axum::extract::State;

use super::answer::{Answer, bytes};
use super::{
    Api, alarm_metrics, anchor_metrics, backup_metrics, drill_metrics, house_metrics, look_metrics,
    residue_metrics, run_metrics, system_metrics,
};
use crate::app::reading::alarms::RequestGauge;

/// Media type of the text form.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Name of the metric of restored systems.
const QUARANTINES: &str = "quietus_systems_in_quarantine";

/// A metric: its name, what it says, and where its value comes from.
type Metric = (&'static str, &'static str, fn(&RequestGauge) -> u64);

const METRICS: [Metric; 4] = [
    ("quietus_requests_open", "Requests of persons that are not answered yet.", |it| it.open),
    (
        "quietus_requests_at_risk",
        "Open requests whose internal target or promise is over, or whose slowest third party can no longer be asked in time; overdue ones aside.",
        |it| it.at_risk,
    ),
    ("quietus_requests_overdue", "Open requests whose last day by law is over.", |it| it.overdue),
    (
        "quietus_requests_oldest_age_seconds",
        "Time since the oldest open request was received.",
        |it| it.oldest_seconds,
    ),
];

/// `GET /metrics`.
pub async fn metrics(State(api): State<Api>) -> Answer {
    let gauges = api.product.request_gauges().await?;
    let mut text = String::new();
    for (name, help, value) in METRICS {
        // Writing into a text cannot fail.
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge").unwrap_or_default();
        for ((right, regime), gauge) in &gauges {
            let value = value(gauge);
            writeln!(text, "{name}{{right=\"{right}\",regime=\"{regime}\"}} {value}")
                .unwrap_or_default();
        }
    }
    let (announced, noticed) = api.product.quarantines().await?;
    writeln!(
        text,
        "# HELP {QUARANTINES} Restored systems that are in quarantine.\n# TYPE {QUARANTINES} gauge\n\
         {QUARANTINES}{{announced=\"true\"}} {announced}\n\
         {QUARANTINES}{{announced=\"false\"}} {noticed}"
    )
    .unwrap_or_default();
    text += &anchor_metrics::exposition(&api.product.anchor_report().await?, api.product.now());
    text += &residue_metrics::exposition(&api.product.residue_gauges().await?, api.product.now());
    text += &backup_metrics::exposition(&api.product.store_standings(), api.product.now());
    text += &look_metrics::exposition(&api.product.later_look_counts().await?, api.product.now());
    text +=
        &drill_metrics::exposition(&api.product.read_drill_standing().await?, api.product.now());
    text += &house_metrics::exposition(api.product.own_records_overdue().await?);
    text += &run_metrics::exposition(
        &api.product.schedule_standings().await?,
        &api.product.rule_standings().await?,
        &api.product.work_gauges().await?,
        api.product.now(),
    );
    let (systems, waits) = (api.product.asked_systems(), api.product.what_waits().await?);
    text += &system_metrics::exposition(&systems, &waits, api.product.now());
    let alarms = api.product.alarm_gauges().await?;
    text += &alarm_metrics::exposition(alarms.as_ref(), api.product.now());
    Ok(bytes(EXPOSITION, text.into_bytes()))
}
