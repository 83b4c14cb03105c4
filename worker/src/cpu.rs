//! What this machine is: its usable cores, its CPU's name, its host name, and a thread's CPU time.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Cores this process may use: its affinity, cut down to the CPU quota of its cgroup. At least 1.
pub fn usable_cores() -> usize {
    // The standard library looks at the affinity mask and at cgroup quotas (v1 and v2).
    std::thread::available_parallelism().map_or(1, |n| n.get())
}

/// The CPU's name as the kernel tells it, or the architecture's where it tells none.
pub(crate) fn cpu_name() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    model_name(&text).unwrap_or(std::env::consts::ARCH).to_string()
}

fn model_name(cpuinfo: &str) -> Option<&str> {
    cpuinfo.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim())
    })
}

/// This machine's host name.
pub(crate) fn host_name() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match text.trim() {
        "" => "worker".to_string(),
        name => name.to_string(),
    }
}

/// CPU time that the calling thread has used so far.
pub(crate) fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    // The kernel gives 0 <= tv_nsec < 10^9 and a clock that starts at zero.
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_name_is_found_among_the_other_lines() {
        let text = "processor\t: 0\nmodel\t\t: 17\nmodel name\t: AMD EPYC: 9B14 \n";
        assert_eq!(model_name(text), Some("AMD EPYC: 9B14"));
        assert_eq!(model_name("processor\t: 0\n"), None);
    }

    #[test]
    fn cpu_time_grows_with_work_and_not_with_sleep() {
        let before = thread_cpu_time();
        std::thread::sleep(Duration::from_millis(30));
        assert!(thread_cpu_time() - before < Duration::from_millis(20));
        let mut sum = 0_u64;
        while thread_cpu_time() - before < Duration::from_millis(20) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(usable_cores() >= 1);
    }
}
