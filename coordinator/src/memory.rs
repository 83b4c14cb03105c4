//! Memory that this machine, or the container that we run in, has.

use std::fs;

/// Bytes; `None` where the system does not tell.
pub fn of_machine() -> Option<u64> {
    let read = |path| fs::read_to_string(path).ok();
    let installed = read("/proc/meminfo").and_then(|text| installed(&text))?;
    // cgroup 2, then 1; without a limit they say `max`, or a number beyond any machine.
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limits = limits.into_iter().filter_map(read).filter_map(|text| text.trim().parse().ok());
    limits.chain([installed]).min()
}

fn installed(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_its_memory() {
        assert_eq!(installed("MemTotal:       16384 kB\nMemFree: 1 kB\n"), Some(16 << 20));
        assert_eq!(installed("nothing"), None);
        if cfg!(target_os = "linux") {
            assert!(of_machine().is_some_and(|bytes| bytes > 64 << 20));
        }
    }
}
