//! What a process takes of the machine, from /proc.

use std::fs;
use std::time::Duration;

/// Clock ticks in a second, the same on every Linux.
const TICKS_PER_S: u64 = 100;

/// The most memory that the process has had so far, in MB.
pub fn peak_mb(pid: u32) -> u64 {
    memory_mb(pid, "VmHWM:")
}

/// The memory that it has now, in MB.
pub fn resident_mb(pid: u32) -> u64 {
    memory_mb(pid, "VmRSS:")
}

fn memory_mb(pid: u32, key: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("a line of memory");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib * 1024 / 1_000_000
}

/// The processor time that it has taken so far.
pub fn cpu_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    // Behind the name in brackets: the state, ten other fields, the time as itself and in the system.
    let fields = stat.rsplit_once(')').expect("a name").1.split_whitespace().skip(11).take(2);
    let n_ticks: u64 = fields.map(|field| field.parse::<u64>().expect("a count")).sum();
    Duration::from_millis(n_ticks * 1000 / TICKS_PER_S)
}

pub fn median(mut times: Vec<Duration>) -> Duration {
    assert!(!times.is_empty(), "nothing was measured");
    times.sort();
    times[times.len() / 2]
}
