//! What was measured, as a table for people and as JSON for programs.

use std::path::Path;

use serde::Serialize;

use super::machine::Machine;
use super::measure::{least, median, most, written};

/// One thing that was measured in several rounds.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The figure's letter.
    pub figure: &'static str,
    /// What it is.
    pub what: String,
    /// In what it is counted.
    pub unit: &'static str,
    /// One number a round.
    pub samples: Vec<f64>,
    /// What stands beside it.
    pub beside: Option<Beside>,
}

/// What stands beside a figure, in the same run.
#[derive(Debug, Clone, Serialize)]
pub struct Beside {
    /// What it is.
    pub of: String,
    /// The figure divided by it: the median of the rounds.
    pub ratio: f64,
}

/// All that a run has measured.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// On what.
    pub machine: Machine,
    /// The rows, in the order in which they were measured.
    pub rows: Vec<Row>,
    /// What has to be said beside the table.
    pub remarks: Vec<String>,
}

impl Row {
    /// A row beside which nothing stands.
    pub fn new(
        figure: &'static str,
        what: impl Into<String>,
        unit: &'static str,
        samples: Vec<f64>,
    ) -> Self {
        Self { figure, what: what.into(), unit, samples, beside: None }
    }

    /// The same, with what stands beside it: a number for each round of its own.
    pub fn beside(mut self, of: impl Into<String>, theirs: &[f64]) -> Self {
        let ratios: Vec<f64> =
            self.samples.iter().zip(theirs).map(|(own, their)| own / their).collect();
        self.beside = Some(Beside { of: of.into(), ratio: median(&ratios) });
        self
    }

    fn line(&self) -> String {
        let numbers = [median(&self.samples), least(&self.samples), most(&self.samples)];
        let [median, least, most] = numbers.map(written);
        let beside = self.beside.as_ref();
        let ratio = beside.map_or_else(String::new, |it| format!("{:.2} × {}", it.ratio, it.of));
        format!(
            "| {} | {} | {median} {} | {least} to {most} | {} | {ratio} |",
            self.figure,
            self.what,
            self.unit,
            self.samples.len()
        )
    }
}

impl Report {
    /// A report of this machine in which nothing stands yet.
    pub fn new() -> Self {
        Self { machine: Machine::here(), rows: Vec::new(), remarks: Vec::new() }
    }

    /// Adds a row, and says it at once: a run takes long.
    pub fn add(&mut self, row: Row) {
        println!("{}", row.line());
        self.rows.push(row);
    }

    /// Adds what has to be said beside the table.
    pub fn remark(&mut self, words: impl Into<String>) {
        let words = words.into();
        println!("{words}");
        self.remarks.push(words);
    }

    /// The table, with the machine above and the remarks below.
    pub fn markdown(&self) -> String {
        let mut text = format!("{}\n\n", self.machine.words());
        text.push_str(
            "| | what | median | spread | rounds | beside |\n|---|---|---|---|---|---|\n",
        );
        for row in &self.rows {
            text.push_str(&row.line());
            text.push('\n');
        }
        for remark in &self.remarks {
            text.push('\n');
            text.push_str(remark);
            text.push('\n');
        }
        text
    }

    /// Writes all samples as JSON.
    pub fn write_json(&self, file: &Path) {
        let text = serde_json::to_string_pretty(self).expect("numbers are JSON");
        std::fs::write(file, text + "\n").expect("the file can be written");
    }
}
