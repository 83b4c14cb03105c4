//! The programs that users get, killed, stopped, cut off and without disk space, by a schedule that
//! a seed gives, until nothing is left to train: nothing may be lost. `SWEEP_BIN_DIR` names their
//! folder; `tests/chaos.sh` sets it, and the schedule.

#[path = "chaos/cast.rs"]
mod cast;
#[path = "chaos/schedule.rs"]
mod schedule;
#[path = "chaos/tally.rs"]
mod tally;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use cast::Cast;
use e2e::{Env, Programs, Sweep};
use schedule::Schedule;
use tally::{Tally, Undisturbed};

/// Forty-eight trials of some 150 ms.
const SWEEP: Sweep = Sweep { name: "chaos", epochs: 300, n_seeds: 2, ..Sweep::LONG };

/// How long, and how much of it.
struct Asked {
    seed: u64,
    n_kills: usize,
    time: Duration,
}

fn number(variable: &str, default: u64) -> u64 {
    let text = std::env::var(variable).ok().filter(|text| !text.is_empty());
    text.map_or(default, |text| {
        text.parse().unwrap_or_else(|_| panic!("{variable}: expected a whole number, got {text}"))
    })
}

fn asked() -> Asked {
    Asked {
        seed: number("SWEEP_CHAOS_SEED", 1),
        n_kills: number("SWEEP_CHAOS_KILLS", 20) as usize,
        time: Duration::from_secs(60 * number("SWEEP_CHAOS_MINUTES", 1)),
    }
}

/// The folder of release programs; `None`, with a word about it, where none is given.
fn programs() -> Option<PathBuf> {
    let folder = std::env::var_os("SWEEP_BIN_DIR").map(PathBuf::from);
    if folder.is_none() {
        println!(
            "skipped: SWEEP_BIN_DIR names no folder of release programs (tests/chaos.sh does)"
        );
    }
    folder
}

/// The harness keeps the paths of programs for as long as it runs.
fn path_of(folder: &Path, name: &str) -> &'static str {
    let path = folder.canonicalize().unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let path = path.join(name);
    assert!(path.is_file(), "{}: no such program", path.display());
    Box::leak(path.into_os_string().into_string().expect("a path in UTF-8").into_boxed_str())
}

#[test]
fn release_programs_have_no_faults() {
    let Some(folder) = programs() else { return };
    for name in ["coordinator", "worker"] {
        let bytes = fs::read(path_of(&folder, name)).expect("a program can be read");
        let is_there = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(is_there("SWEEP_ISA"), "{name}: the search finds what is there");
        for text in ["SWEEP_FAULT", "bug.spool_not_synced", "worker.spool.written"] {
            assert!(!is_there(text), "{name} contains {text}");
        }
    }
}

#[test]
fn nothing_is_lost_in_chaos() {
    let Some(folder) = programs() else { return };
    let programs = Programs {
        coordinator: path_of(&folder, "coordinator"),
        worker: path_of(&folder, "worker"),
    };
    let asked = asked();
    println!(
        "again: tests/chaos.sh --seed {} --kills {} --minutes {}",
        asked.seed,
        asked.n_kills,
        asked.time.as_secs() / 60
    );
    let undisturbed = Undisturbed::run(programs);
    let mut schedule = Schedule::new(asked.seed);
    let mut tally = Tally::new();
    let started = Instant::now();
    while tally.n_kills() < asked.n_kills && started.elapsed() < asked.time {
        let env = Env::new(programs);
        let mut cast = Cast::enter(&env, asked.seed);
        while !cast.is_over(&mut tally) {
            let goes_on = tally.n_kills() < asked.n_kills && started.elapsed() < asked.time;
            match goes_on {
                true => cast.suffer(&mut schedule, &mut tally),
                false => cast.heal_all(),
            }
        }
        tally.take_round(&env, &undisturbed, cast.n_delayed());
    }
    println!("{tally}, {:.0} s", started.elapsed().as_secs_f64());
    tally.assert_nothing_lost();
}
