//! A number about our own records, for Prometheus: the alarm is any age above 0.

use jiff::SignedDuration;

/// The number in the text form.
pub(super) fn exposition(overdue: SignedDuration) -> String {
    let name = "quietus_own_records_overdue_seconds";
    let help =
        "For how long the oldest of our own records should have gone; 0 where none should have.";
    let seconds = overdue.as_secs().max(0);
    format!("# HELP {name} {help}\n# TYPE {name} gauge\n{name} {seconds}\n")
}
