//! The programs that users get, killed, stopped, cut off and without disk space, by a schedule that
//! a seed gives, until nothing is left to train: nothing may be lost. `SWEEP_BIN_DIR` names their
//! folder; `tests/chaos.sh` sets it, and the schedule.

#[path = "chaos/cast.rs"]
mod cast;
#[path = "chaos/schedule.rs"]
mod schedule;
#[path = "chaos/tally.rs"]
mod tally;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use e2e::{Env, Programs, Sweep};

use cast::Cast;
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
    let faulty = [
        ("coordinator", env!("CARGO_BIN_EXE_e2e-coordinator")),
        ("worker", env!("CARGO_BIN_EXE_e2e-worker")),
    ];
    for (name, faulty) in faulty {
        let released = path_of(&folder, name);
        for text in ["SWEEP_FAULT", "hang.worker.spool", "worker.spool.written"] {
            assert!(has_text(faulty, text), "{faulty} is built for tests, and lacks {text}");
            assert!(!has_text(released, text), "{released} contains {text}");
        }
    }
}

fn has_text(program: &str, text: &str) -> bool {
    let bytes = fs::read(program).unwrap_or_else(|error| panic!("{program}: {error}"));
    String::from_utf8_lossy(&bytes).contains(text)
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
    let mut schedule = Schedule::new(asked.seed, asked.n_kills);
    let mut tally = Tally::new();
    let started = Instant::now();
    let goes_on = |schedule: &Schedule| !schedule.is_empty() && started.elapsed() < asked.time;
    while goes_on(&schedule) {
        let env = Env::new(programs);
        let mut cast = Cast::enter(&env, asked.seed);
        while !cast.is_over(&mut tally) {
            match goes_on(&schedule) {
                true => cast.suffer(&mut schedule, &mut tally),
                false => cast.heal_all(),
            }
        }
        tally.take_round(&env, &undisturbed, &cast);
    }
    println!("{tally}\nseconds       {:.0}", started.elapsed().as_secs_f64());
    tally.assert_nothing_lost();
}
