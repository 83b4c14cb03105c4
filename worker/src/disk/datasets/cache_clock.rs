//! The time of a cache folder, by which the age of what lies in it is told. A wall clock that
//! jumps must not age anything, so this clock counts what the machine has been up since the last
//! look, and across a restart of the machine at most a day, whatever the wall clock says.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};
use std::{fs, io};

use rustix::time::{ClockId, clock_gettime};
use sha2::{Digest as _, Sha256};
use trial::hex::hex;

use crate::disk::files;

const DAY_S: u64 = 24 * 60 * 60;

/// 1 January 2026. No file of a worker is older; one that seems to be has a wrong time.
const EARLIEST_S: u64 = 1_767_225_600;

/// What a look at the clocks saw.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Look {
    /// The cache folder's time, in seconds. It began as those since 1970.
    now_s: u64,
    /// The latest wall clock that was ever seen.
    wall_s: u64,
    /// Names the machine's start, and how long ago it was.
    boot: String,
    up_s: u64,
}

/// A cache folder's time while a process runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheClock {
    began_s: u64,
    began: Instant,
    /// False where the folder has kept no time so far: then nothing has an age.
    is_kept: bool,
}

impl CacheClock {
    /// Looks at the clocks and notes it in the folder.
    pub(crate) fn look(cache_dir: &Path) -> Self {
        let path = cache_dir.join("clock");
        let seen = files::read(&path, 1000).ok().flatten();
        let seen = seen.and_then(|bytes| Look::parse(&String::from_utf8(bytes).ok()?));
        let now = Look::after(seen.as_ref(), wall_s(), boot_id(), up_s());
        let is_noted = note(&path, &now.to_text()).is_ok();
        let is_kept = is_noted && seen.is_some();
        Self { began_s: now.now_s, began: Instant::now(), is_kept }
    }

    pub(crate) fn now_s(&self) -> u64 {
        self.began_s.saturating_add(self.began.elapsed().as_secs())
    }

    /// How long ago a time of this clock was. A time that cannot be right is taken for now.
    pub(crate) fn age(&self, stamp_s: u64) -> Duration {
        if !self.is_kept || !self.is_credible(stamp_s) {
            return Duration::ZERO;
        }
        Duration::from_secs(self.now_s() - stamp_s)
    }

    pub(crate) fn is_credible(&self, stamp_s: u64) -> bool {
        (EARLIEST_S..=self.now_s()).contains(&stamp_s)
    }
}

impl Look {
    /// What there is to see now, `seen` before.
    fn after(seen: Option<&Self>, wall_s: u64, boot: String, up_s: u64) -> Self {
        let Some(seen) = seen else { return Self { now_s: wall_s, wall_s, boot, up_s } };
        let passed_s = if boot == seen.boot {
            up_s.saturating_sub(seen.up_s)
        } else {
            wall_s.saturating_sub(seen.wall_s).min(DAY_S)
        };
        let now_s = seen.now_s.saturating_add(passed_s);
        // Kept at its latest, so that a clock that jumps to and fro passes no day twice.
        Self { now_s, wall_s: wall_s.max(seen.wall_s), boot, up_s }
    }

    /// `None` for what `to_text` did not give: a digit that changed would age the whole folder.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let mut number = || words.next()?.parse().ok();
        let (now_s, wall_s, up_s) = (number()?, number()?, number()?);
        let look = Self { now_s, wall_s, up_s, boot: words.next()?.into() };
        (look.to_text() == text).then_some(look)
    }

    fn to_text(&self) -> String {
        let Self { now_s, wall_s, up_s, boot } = self;
        let words = format!("{now_s} {wall_s} {up_s} {boot}");
        let checksum = hex(&Sha256::digest(&words)[..8]);
        format!("{words} {checksum}\n")
    }
}

/// Without a sync: what the loss of power takes away was no day's work.
fn note(path: &Path, text: &str) -> io::Result<()> {
    let temporary = files::beside(path, "tmp")?;
    let noted = fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, path));
    if noted.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    noted
}

fn wall_s() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn up_s() -> u64 {
    clock_gettime(ClockId::Boottime).tv_sec.unsigned_abs()
}

fn boot_id() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    match text.split_whitespace().next() {
        Some(id) => id.into(),
        None => "unknown".into(),
    }
}

#[cfg(test)]
impl CacheClock {
    /// A clock that was kept and shows this time.
    pub(crate) fn at(now_s: u64) -> Self {
        Self { began_s: now_s, began: Instant::now(), is_kept: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: u64 = 1_800_000_000;

    fn look(seen: &Look, wall_s: u64, boot: &str, up_s: u64) -> Look {
        Look::after(Some(seen), wall_s, boot.into(), up_s)
    }

    #[test]
    fn while_the_machine_is_up_the_wall_clock_is_not_asked() {
        let first = Look::after(None, T, "a".into(), 100);
        assert_eq!(first.now_s, T);
        for wall_s in [0, T, T + 400 * DAY_S] {
            assert_eq!(look(&first, wall_s, "a", 160).now_s, T + 60);
        }
        assert_eq!(look(&first, T, "a", 50).now_s, T, "never backwards");
    }

    #[test]
    fn a_jump_across_a_restart_counts_as_a_day_and_once() {
        let first = Look::after(None, T, "a".into(), 100);
        assert_eq!(look(&first, T + 3600, "b", 10).now_s, T + 3600);
        let jumped = look(&first, T + 4000 * DAY_S, "b", 10);
        assert_eq!(jumped.now_s, T + DAY_S);
        let mut to_and_fro = jumped;
        for start in 0..50 {
            let wall_s = if start % 2 == 0 { T } else { T + 4000 * DAY_S };
            to_and_fro = look(&to_and_fro, wall_s, &format!("c{start}"), 10);
        }
        assert_eq!(to_and_fro.now_s, T + DAY_S);
    }

    #[test]
    fn what_was_noted_is_read_again_and_nonsense_is_not() {
        let cache = tempfile::tempdir().unwrap();
        let first = CacheClock::look(cache.path());
        let second = CacheClock::look(cache.path());
        assert!(!first.is_kept, "nothing was seen before");
        assert!(second.is_kept && second.now_s() - first.now_s() < 60);
        let noted = fs::read_to_string(cache.path().join("clock")).unwrap();
        assert_eq!(Look::parse(&noted).unwrap().to_text(), noted);
        for wrong in ["", "1 2", "a b c d e", "-1 2 3 x y", &noted.replacen('1', "9", 1)] {
            assert_eq!(Look::parse(wrong), None, "{wrong}");
        }
        assert!(!CacheClock::look(&cache.path().join("nowhere")).is_kept);
    }

    #[test]
    fn times_that_cannot_be_right_have_no_age() {
        let clock = CacheClock::at(T);
        assert_eq!(clock.age(T - 10).as_secs(), 10);
        assert_eq!(clock.age(T + DAY_S), Duration::ZERO);
        assert_eq!(clock.age(0), Duration::ZERO);
        let unkept = CacheClock { is_kept: false, ..clock };
        assert_eq!(unkept.age(T - 10), Duration::ZERO);
    }
}
