//! On what was measured, and when.

use quietus::domain::Clock as _;
use quietus::telemetry::SystemClock;
use serde::Serialize;

use super::measure::as_float;

/// What a reader has to know before believing a digit.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// The day, in UTC.
    pub day: String,
    /// Which processor.
    pub processor: String,
    /// How many of its cores.
    pub cores: usize,
    /// How much memory, in GiB.
    pub memory_gib: f64,
    /// The kernel.
    pub kernel: String,
    /// How many processes wanted to run when the measurement began, over a minute.
    pub load: String,
    /// The servers and programs that stand beside it.
    pub others: Vec<String>,
}

fn line_of(file: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim_start_matches([' ', '\t', ':']).trim().to_owned())
}

impl Machine {
    /// This machine, now.
    pub fn here() -> Self {
        let memory = line_of("/proc/meminfo", "MemTotal:");
        let kib = memory.and_then(|text| text.strip_suffix(" kB")?.trim().parse().ok());
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            day: SystemClock.now().strftime("%Y-%m-%d").to_string(),
            processor: line_of("/proc/cpuinfo", "model name").unwrap_or_else(|| "?".to_owned()),
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            memory_gib: as_float(kib.unwrap_or(0)) / 1_048_576.0,
            kernel: kernel.trim().to_owned(),
            load: load.split_whitespace().next().unwrap_or("?").to_owned(),
            others: Vec::new(),
        }
    }

    /// In one line.
    pub fn words(&self) -> String {
        let mut words = vec![
            self.day.clone(),
            format!("{} ({} cores)", self.processor, self.cores),
            format!("{:.0} GiB", self.memory_gib),
            format!("Linux {}", self.kernel),
            format!("load {} when it began", self.load),
        ];
        words.extend(self.others.iter().cloned());
        words.join(", ")
    }
}
