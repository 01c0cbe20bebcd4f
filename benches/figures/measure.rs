//! Numbers: samples, rates, memory, sizes, and whether points lie on a straight line.

use std::path::Path;
use std::time::Duration;

/// Exact up to 2^53, and nothing that is counted here is more.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub fn as_float(count: u64) -> f64 {
    count as f64
}

/// So many in so long, as so many a second.
pub fn rate(count: u64, took: Duration) -> f64 {
    as_float(count) / took.as_secs_f64()
}

/// The one in the middle; of an even number the higher one of both. Not a number where there is none.
pub fn median(samples: &[f64]) -> f64 {
    share(samples, 0.5)
}

/// The sample below which this share of all lies. Not a number where there is none.
pub fn share(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a length is a place in it"
    )]
    let place = (as_float(sorted.len() as u64) * share) as usize;
    sorted.get(place.min(last)).copied().unwrap_or(f64::NAN)
}

/// The least sample.
pub fn least(samples: &[f64]) -> f64 {
    samples.iter().copied().fold(f64::NAN, f64::min)
}

/// The greatest sample.
pub fn most(samples: &[f64]) -> f64 {
    samples.iter().copied().fold(f64::NAN, f64::max)
}

/// A number for people: digits where they say something.
pub fn written(number: f64) -> String {
    let size = number.abs();
    if size >= 100.0 {
        grouped(number)
    } else if size >= 10.0 {
        format!("{number:.1}")
    } else {
        format!("{number:.2}")
    }
}

fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |rest| ("-", rest));
    let mut text = String::from(sign);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// What a process holds in memory now, and what it has held at most, in KiB; zero elsewhere than on
/// Linux.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// Now.
    pub resident_kib: u64,
    /// At most.
    pub peak_kib: u64,
}

impl Memory {
    /// Of this process.
    pub fn own() -> Self {
        Self::read("/proc/self/status")
    }

    /// Of another one.
    pub fn of(process: u32) -> Self {
        Self::read(&format!("/proc/{process}/status"))
    }

    fn read(path: &str) -> Self {
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let digits = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
            digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
        };
        Self { resident_kib: number("VmRSS:"), peak_kib: number("VmHWM:") }
    }
}

/// KiB as MiB.
pub fn mib(kib: u64) -> f64 {
    as_float(kib) / 1024.0
}

/// The bytes of an SQLite file with its companions.
pub fn sqlite_bytes(file: &Path) -> u64 {
    let companions = ["", "-wal", "-shm"].map(|end| format!("{}{end}", file.display()));
    companions.iter().filter_map(|path| std::fs::metadata(path).ok()).map(|one| one.len()).sum()
}

/// The straight line that lies nearest to some points (least squares).
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// Its height at zero.
    pub base: f64,
    /// How much it rises for each one.
    pub slope: f64,
    /// How much of the difference between the points it explains; 1 is all of it.
    pub fit: f64,
}

impl Line {
    /// Through these points; at least two of them differ.
    pub fn through(points: &[(f64, f64)]) -> Self {
        let many = as_float(points.len() as u64);
        let mean = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / many;
        let (mean_x, mean_y) = (mean(&|point| point.0), mean(&|point| point.1));
        let sum = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>();
        let spread_x = sum(&|point| (point.0 - mean_x).powi(2));
        let slope = sum(&|point| (point.0 - mean_x) * (point.1 - mean_y)) / spread_x;
        let base = mean_y - slope * mean_x;
        let spread_y = sum(&|point| (point.1 - mean_y).powi(2));
        let missed = sum(&|point| (point.1 - base - slope * point.0).powi(2));
        Self { base, slope, fit: 1.0 - missed / spread_y }
    }

    /// Its height there.
    pub fn at(self, x: f64) -> f64 {
        self.base + self.slope * x
    }
}
