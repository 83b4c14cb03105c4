//! Memory: what this process may still take, so that a trial that needs more is refused in words
//! before an allocation that fails, or the system, ends the process with all of its slots.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Resource, getrlimit};

use crate::disk::size::size_text;

/// Where a process stands towards one bound of its memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bound {
    /// Bytes that it holds of what is bounded.
    taken: u64,
    /// Bytes that it may take beyond them.
    free: u64,
    /// Where they are.
    place: &'static str,
}

/// Memory that the slots share.
pub(crate) struct Memory {
    look: fn() -> Vec<Bound>,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    /// Bytes of all reservations, some of them taken already.
    reserved: u64,
    /// What was taken of each bound when nothing was reserved.
    idle: Vec<Bound>,
}

/// Memory that one trial may take until this is dropped.
pub(crate) struct Reservation<'a> {
    memory: &'a Memory,
    n_bytes: u64,
}

impl Memory {
    pub(crate) fn of_this_process() -> Self {
        Self::seen_by(look)
    }

    /// As told by `look`.
    pub(crate) fn seen_by(look: fn() -> Vec<Bound>) -> Self {
        Self { look, book: Mutex::default() }
    }

    /// Reserves memory for a trial. The error says that there is not enough, in words for people.
    pub(crate) fn reserve(&self, n_bytes: u64) -> Result<Reservation<'_>, String> {
        let mut book = self.lock();
        let bounds = (self.look)();
        if book.reserved == 0 {
            book.idle.clone_from(&bounds);
        }
        for bound in bounds {
            let n_free = book.n_free(&bound);
            if n_bytes > n_free {
                return Err(format!(
                    "training takes {} of memory, and {} are free {}: start a worker with more memory or fewer slots, or make `hidden` or `batch_size` smaller",
                    size_text(n_bytes),
                    size_text(n_free),
                    bound.place
                ));
            }
        }
        book.reserved += n_bytes;
        Ok(Reservation { memory: self, n_bytes })
    }

    /// Nothing is left half done under this lock.
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// What is free beside what is reserved and not taken yet.
    fn n_free(&self, bound: &Bound) -> u64 {
        let idle = self.idle.iter().find(|idle| idle.place == bound.place);
        let n_taken = idle.map_or(0, |idle| bound.taken.saturating_sub(idle.taken));
        bound.free.saturating_sub(self.reserved.saturating_sub(n_taken))
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.memory.lock().reserved -= self.n_bytes;
    }
}

/// What the system tells; what it does not tell bounds nothing.
fn look() -> Vec<Bound> {
    let status = read("/proc/self/status");
    let of_process = |name| kilobytes(&status, name);
    let resident = of_process("VmRSS:").unwrap_or(0);
    let mut bounds = Vec::new();
    let meminfo = read("/proc/meminfo");
    if let Some(available) = kilobytes(&meminfo, "MemAvailable:") {
        let free = available + kilobytes(&meminfo, "SwapFree:").unwrap_or(0);
        bounds.push(Bound { taken: resident, free, place: "on this machine" });
    }
    if let Some(free) = free_in_cgroup(Path::new("/sys/fs/cgroup"), &read("/proc/self/cgroup")) {
        bounds.push(Bound { taken: resident, free, place: "in this container" });
    }
    for (limit, name, place) in [
        (Resource::As, "VmSize:", "below this process's limit (`ulimit -v`)"),
        (Resource::Data, "VmData:", "below this process's limit (`ulimit -d`)"),
    ] {
        if let (Some(limit), Some(taken)) = (getrlimit(limit).current, of_process(name)) {
            bounds.push(Bound { taken, free: limit.saturating_sub(taken), place });
        }
    }
    bounds
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The bytes of a line such as `VmRSS:   16384 kB`.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Bytes that the control groups of this process leave it: of version 2, and of 1.
fn free_in_cgroup(root: &Path, cgroups: &str) -> Option<u64> {
    let groups = cgroups.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let path = path.trim_start_matches('/');
        match controllers {
            "" => Some((root.to_path_buf(), path, ["memory.max", "memory.current", ""])),
            _ if controllers.split(',').any(|it| it == "memory") => {
                let files = ["memory.limit_in_bytes", "memory.usage_in_bytes", "total_"];
                Some((root.join("memory"), path, files))
            }
            _ => None,
        }
    });
    // In a container the group's own path may not be seen, and its root is the group. Each group above
    // bounds it too.
    let folders = groups.flat_map(|(root, path, files)| {
        let folder = root.join(path);
        let above = folder.ancestors().filter(|it| it.starts_with(&root)).map(Path::to_path_buf);
        above.map(move |folder| (folder, files)).collect::<Vec<_>>()
    });
    folders.filter_map(|(folder, files)| free_in_group(&folder, files)).min()
}

fn free_in_group(folder: &Path, [max, current, prefix]: [&str; 3]) -> Option<u64> {
    let number = |name: &str| read(folder.join(name)).trim().parse::<u64>().ok();
    // Without a limit version 2 says `max`, and version 1 a number beyond any machine.
    let (max, current) = (number(max)?, number(current)?);
    let stat = read(folder.join("memory.stat"));
    let of_stat = |name: &str| {
        let name = format!("{prefix}{name} ");
        stat.lines().find_map(|line| line.strip_prefix(&name)?.trim().parse::<u64>().ok())
    };
    // Pages of files go when room is needed.
    let cached = ["inactive_file", "active_file"].into_iter().filter_map(of_stat).sum::<u64>();
    Some(max.saturating_sub(current.saturating_sub(cached)))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A machine with a megabyte left.
    pub(crate) fn small() -> Memory {
        Memory::seen_by(|| vec![Bound { taken: 7 << 20, free: 1 << 20, place: "on this machine" }])
    }

    #[test]
    fn what_is_reserved_and_not_taken_yet_is_not_free() {
        let memory = small();
        let first = memory.reserve(700 << 10).map_err(|_| ()).unwrap();
        let refused = memory.reserve(700 << 10).err().unwrap();
        assert!(
            refused.starts_with(
                "training takes 700.0 KiB of memory, and 324.0 KiB are free on this machine: "
            ),
            "{refused}"
        );
        drop(first);
        assert!(memory.reserve(700 << 10).is_ok());
        let book = Book { reserved: 100, idle: vec![Bound { taken: 50, free: 400, place: "x" }] };
        let n_free = |taken| book.n_free(&Bound { taken, free: 300, place: "x" });
        assert_eq!([n_free(50), n_free(110), n_free(150), n_free(999)], [200, 260, 300, 300]);
    }

    #[test]
    fn the_system_tells_what_is_free() {
        let bounds = look();
        assert!(
            bounds.iter().any(|it| it.place == "on this machine" && it.taken > 0),
            "{bounds:?}"
        );
        assert!(bounds.iter().all(|it| it.free > 1 << 20), "{bounds:?}");
    }

    #[test]
    fn each_control_group_above_bounds_a_process() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("a/b/memory.max", "max\n");
        write("a/b/memory.current", "5\n");
        write("a/memory.max", "1000\n");
        write("a/memory.current", "900\n");
        write("a/memory.stat", "anon 700\ninactive_file 150\nactive_file 50\n");
        assert_eq!(free_in_cgroup(root.path(), "0::/a/b\n"), Some(300));
        assert_eq!(free_in_cgroup(root.path(), "0::/\n"), None);
        write("memory/memory.limit_in_bytes", "500\n");
        write("memory/memory.usage_in_bytes", "450\n");
        write("memory/memory.stat", "inactive_file 1\ntotal_inactive_file 10\n");
        let seen = "4:memory:/not/seen/here\n3:cpuset:/\n0::/a/b\n";
        assert_eq!(free_in_cgroup(root.path(), seen), Some(60));
    }
}
