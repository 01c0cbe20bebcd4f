//! What a process holds, as the machine counts it.

/// Resident memory of a process in KiB; `None` where it is gone.
pub fn resident_kib(process: u32) -> Option<u64> {
    of(process, "VmRSS:")
}

/// The most that it was, in KiB.
pub fn peak_kib(process: u32) -> Option<u64> {
    of(process, "VmHWM:")
}

fn of(process: u32, word: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(word))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
