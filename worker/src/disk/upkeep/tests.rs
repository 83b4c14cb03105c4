//! Upkeep of a cache folder whose files have all kinds of ages and holders.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::disk::locks::{Lock, Mode};
use crate::disk::upkeep::*;

const NOW_S: u64 = 1_800_000_000;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn upkeep(cache_dir: &Path, max_cache_bytes: u64) -> Upkeep {
    for folder in ["datasets", "checkpoints", "set-aside"] {
        fs::create_dir_all(cache_dir.join(folder)).unwrap();
    }
    let limits = DiskLimits { max_cache_bytes, ..DiskLimits::default() };
    let (cache_dir, clock) = (cache_dir.into(), CacheClock::at(NOW_S));
    Upkeep { cache_dir, limits, clock, promised: Arc::default() }
}

/// A small file system in memory, taken away when dropped.
pub(crate) struct SmallDisk(TempDir);

impl SmallDisk {
    /// `None` where this process may not mount.
    pub(crate) fn mount(n_mib: usize) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={n_mib}m"), "tmpfs"]).arg(folder.path());
        if !mount.output().is_ok_and(|it| it.status.success()) {
            eprintln!("left out: this process may not mount a small disk");
            return None;
        }
        Some(Self(folder))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, since what is under test may still hold a file for a moment.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn put(upkeep: &Upkeep, name: &str, n_bytes: usize, age: Duration) -> PathBuf {
    let path = upkeep.cache_dir.join(name);
    fs::write(&path, vec![7; n_bytes]).unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW_S) - age;
    File::open(&path).unwrap().set_modified(time).unwrap();
    path
}

fn digest(name: char) -> String {
    name.to_string().repeat(64)
}

#[test]
fn what_was_not_used_for_long_goes_and_nothing_else() {
    let cache = tempfile::tempdir().unwrap();
    let upkeep = upkeep(cache.path(), u64::MAX);
    let put = |name: String, days: u32| put(&upkeep, &name, 10, days * DAY);
    let stay = [
        put(format!("datasets/{}", digest('a')), 29),
        put(format!("datasets/{}.part", digest('a')), 2),
        put(format!("checkpoints/{}", digest('a')), 13),
        put("datasets/notes.txt".into(), 3000),
        put("checkpoints/README".into(), 3000),
        put("precious".into(), 3000),
    ];
    let go = [
        put(format!("datasets/{}", digest('b')), 31),
        put(format!("datasets/{}.part", digest('b')), 4),
        put(format!("datasets/{}.0011.part", digest('b')), 4),
        put(format!("checkpoints/{}", digest('b')), 15),
        put(format!("checkpoints/{}.0011.tmp", digest('b')), 2),
        put("set-aside/x.outcome".into(), 31),
    ];
    upkeep.tidy();
    assert!(stay.iter().all(|path| path.exists()), "{stay:?}");
    assert!(go.iter().all(|path| !path.exists()), "{go:?}");
    assert!(!fetch_lock_of('b', cache.path()).exists());
}

fn fetch_lock_of(name: char, cache: &Path) -> PathBuf {
    inventory::fetch_lock(&cache.join("datasets").join(digest(name)))
}

#[test]
fn the_oldest_go_until_the_rest_is_within_the_bound_but_not_what_is_used() {
    let cache = tempfile::tempdir().unwrap();
    let upkeep = upkeep(cache.path(), 250);
    let dataset =
        |name, days: u32| put(&upkeep, &format!("datasets/{}", digest(name)), 100, days * DAY);
    let (used, old, middle, young) =
        (dataset('a', 9), dataset('b', 8), dataset('c', 7), dataset('d', 1));
    let lock = Lock::try_take_existing(&used, Mode::Shared).unwrap().unwrap();
    let part = put(&upkeep, &format!("datasets/{}.part", digest('e')), 100, 2 * DAY);
    let fetching = Lock::try_take(&inventory::fetch_lock(&part), Mode::Exclusive).unwrap();
    upkeep.tidy();
    let there = [&used, &old, &middle, &young, &part].map(|path| path.exists());
    assert_eq!(there, [true, false, false, false, true]);
    drop((lock, fetching));
    upkeep.tidy();
    assert!(used.exists() && part.exists(), "200 bytes are within the bound");
}

#[test]
fn a_part_that_its_worker_has_for_itself_stays_while_it_is_locked() {
    let cache = tempfile::tempdir().unwrap();
    let upkeep = upkeep(cache.path(), 0);
    let part = put(&upkeep, &format!("datasets/{}.0011.part", digest('a')), 100, 9 * DAY);
    let lock = Lock::try_take_existing(&part, Mode::Exclusive).unwrap().unwrap();
    upkeep.tidy();
    assert!(part.exists() && !fetch_lock_of('a', cache.path()).exists());
    drop(lock);
    upkeep.tidy();
    assert!(!part.exists());
}

#[test]
fn a_clock_that_jumps_removes_nothing() {
    let cache = tempfile::tempdir().unwrap();
    let upkeep = upkeep(cache.path(), u64::MAX);
    let checkpoint = put(&upkeep, &format!("checkpoints/{}", digest('a')), 10, Duration::ZERO);
    // Written while the machine thought it was 1970, or 2100.
    let wrong = [SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + 47_000 * DAY];
    for time in wrong {
        File::open(&checkpoint).unwrap().set_modified(time).unwrap();
        upkeep.tidy();
        assert!(checkpoint.exists());
        let stamped = fs::metadata(&checkpoint).unwrap().modified().unwrap();
        let n_off_s = stamped.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() - NOW_S;
        assert!(n_off_s < 60, "its age counts from now on");
    }
}

/// A disk of 8 MiB of which a 20th is the reserve.
#[test]
fn old_things_make_room_on_a_full_disk_and_the_reserve_is_kept() {
    let Some(disk) = SmallDisk::mount(8) else { return };
    let upkeep = upkeep(disk.path(), u64::MAX);
    let old = put(&upkeep, &format!("datasets/{}", digest('a')), 3 << 20, 2 * DAY);
    let young = put(&upkeep, &format!("datasets/{}", digest('b')), 3 << 20, DAY);
    let fits = upkeep.make_room(1 << 20);
    let is_kept = old.exists();
    let made = upkeep.make_room(4 << 20);
    let there = [old.exists(), young.exists()];
    let never = upkeep.make_room(8 << 20);
    assert!(fits.is_ok() && is_kept);
    assert!(made.is_ok(), "{made:?}");
    assert_eq!(there, [false, true]);
    let text = never.unwrap_err().to_string();
    assert!(text.contains("--cache-dir") && text.contains("8.0 MiB needed"), "{text}");
}

#[test]
fn a_file_system_without_blocks_tells_nothing() {
    assert!(Disk::told(4096, 0, 0).is_none());
    let full = Disk::told(4096, 100, 0).unwrap();
    assert_eq!((full.n_bytes, full.n_free), (409_600, 0));
}
