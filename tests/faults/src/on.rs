//! The faults of builds that have them.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::process::{Signal, getpid, kill_process};

use crate::names::{HANGS, POINTS};

struct Faults {
    /// Hits that are left until the process dies, or a thread hangs.
    points: Mutex<BTreeMap<String, u32>>,
    /// The file that was written to last, and how much of it is on the disk.
    unsynced: Mutex<Option<(File, u64)>>,
}

fn faults() -> &'static Faults {
    static FAULTS: OnceLock<Faults> = OnceLock::new();
    FAULTS.get_or_init(|| {
        let asked = std::env::var("SWEEP_FAULT").unwrap_or_default();
        parse(&asked).unwrap_or_else(|text| {
            eprintln!("error: SWEEP_FAULT: {text}");
            std::process::exit(2)
        })
    })
}

fn parse(asked: &str) -> Result<Faults, String> {
    let mut points = BTreeMap::new();
    for fault in asked.split(',').filter(|fault| !fault.is_empty()) {
        let is_known = |name: &str| POINTS.contains(&name) || HANGS.contains(&name);
        let point = fault.split_once(':').filter(|(name, _)| is_known(name));
        let (name, hit) = point.ok_or_else(|| format!("no point is named `{fault}`"))?;
        let hit = hit.parse().ok().filter(|&hit: &u32| hit > 0);
        let hit = hit.ok_or_else(|| format!("`{fault}` does not end with a hit from 1 on"))?;
        points.insert(name.to_owned(), hit);
    }
    Ok(Faults { points: Mutex::new(points), unsynced: Mutex::default() })
}

/// Kills this process if it is told to die here.
///
/// # Panics
/// If the point is not in the list of all points.
pub fn point(name: &str) {
    assert!(POINTS.contains(&name), "{name} is not in the list of points");
    if is_hit(name) {
        die();
    }
}

/// Hangs this thread forever if it is told to hang here.
///
/// # Panics
/// If the place is not in the list of all places.
pub fn hang(name: &str) {
    assert!(HANGS.contains(&name), "{name} is not in the list of places to hang");
    if is_hit(name) {
        loop {
            std::thread::park();
        }
    }
}

/// Counts a hit; true at the one that was asked for.
fn is_hit(name: &str) -> bool {
    let mut points = lock(&faults().points);
    let Some(n_left) = points.get_mut(name).filter(|n_left| **n_left > 0) else { return false };
    *n_left -= 1;
    *n_left == 0
}

/// As `kill -9` and the loss of power together.
fn die() -> ! {
    if let Some((file, n_synced_bytes)) = lock(&faults().unsynced).take() {
        // What cannot be taken away is as if it had reached the disk in time.
        let _ = file.set_len(n_synced_bytes);
    }
    let _ = kill_process(getpid(), Signal::KILL);
    std::process::abort()
}

/// A file was written to and not synced: a death takes away what lies behind `n_synced_bytes`, as
/// the loss of power would.
pub fn written(file: &File, n_synced_bytes: u64) {
    let mut unsynced = lock(&faults().unsynced);
    if unsynced.is_none() {
        *unsynced = file.try_clone().ok().map(|file| (file, n_synced_bytes));
    }
}

/// That file was synced.
pub fn synced() {
    *lock(&faults().unsynced) = None;
}

/// Nothing is left half done under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_known_or_refused() {
        let faults = parse("hang.worker.slot:1,worker.spool.written:2").ok().unwrap();
        assert_eq!(lock(&faults.points)["hang.worker.slot"], 1);
        assert_eq!(lock(&faults.points)["worker.spool.written"], 2);
        for wrong in ["worker.none", "worker.spool.written", "worker.spool.written:0", "worker.x:1"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
