//! How far jobs have come, while somebody watches.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use uuid::Uuid;

use super::opening::say;
use crate::app::progress::Done;
use crate::domain::JobState;
use crate::store::Job;

/// Progress bars, one for each system; plain lines where nobody watches a terminal.
pub(super) struct Bars {
    all: MultiProgress,
    shown: std::sync::Mutex<BTreeMap<Uuid, ProgressBar>>,
    told: std::sync::Mutex<BTreeMap<Uuid, u32>>,
}

impl Bars {
    pub(super) fn new() -> Self {
        Self {
            all: MultiProgress::new(),
            shown: std::sync::Mutex::default(),
            told: std::sync::Mutex::default(),
        }
    }

    pub(super) fn show(&self, jobs: &[Job]) {
        let Ok(mut bars) = self.shown.lock() else { return };
        for job in jobs {
            let bar = bars.entry(job.id).or_insert_with(|| self.new_bar(job));
            let done: Option<Done> =
                job.done.clone().and_then(|done| serde_json::from_value(done).ok());
            let changed = done.map_or(0, |done| done.total().changed());
            self.tell_fault(job);
            bar.set_position(changed);
            bar.set_message(match &job.last_fault {
                Some(fault) if job.state != JobState::Completed => {
                    format!("{}: {}", job.state, fault.message)
                }
                _ => job.state.to_string(),
            });
            if job.state.is_final() && !bar.is_finished() {
                bar.abandon();
            }
        }
    }

    /// Without a terminal there are no bars: each new fault is told as a line.
    fn tell_fault(&self, job: &Job) {
        let Some(fault) = &job.last_fault else { return };
        if job.state == JobState::Completed || std::io::stderr().is_terminal() {
            return;
        }
        let Ok(mut told) = self.told.lock() else { return };
        if told.insert(job.id, job.attempt) != Some(job.attempt) {
            say(format!(
                "  {}: attempt {} {}: {}",
                job.system, job.attempt, fault.kind, fault.message
            ));
        }
    }

    fn new_bar(&self, job: &Job) -> ProgressBar {
        let style = ProgressStyle::with_template(
            "  {prefix:14} {bar:28.green} {human_pos:>11} records  {per_sec:>14}  {msg}",
        );
        let bar = self.all.add(ProgressBar::new(job.total_estimate.unwrap_or(0).max(1)));
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("━╸ "));
        }
        bar.set_prefix(job.system.clone());
        bar
    }

    pub(super) fn finish(&self) {
        if let Ok(bars) = self.shown.lock() {
            bars.values().filter(|bar| !bar.is_finished()).for_each(ProgressBar::abandon);
        }
    }
}
