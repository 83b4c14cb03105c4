//! The real tonic stack over a simulated network: crashes, partitions and delays by seed. Whatever
//! happens, the sweep ends with the table of a plain loop, and nothing that was acknowledged is lost.
//!
//! `SWEEP_SIM_SEED=123 cargo test -p e2e --test simulation` replays one seed and prints its trace;
//! `SWEEP_SIM_SEEDS=5000` runs this many instead of 300. A seed means the same again only with
//! `--cfg tokio_unstable`, which `.cargo/config.toml` sets: a `RUSTFLAGS` in the environment makes
//! cargo ignore that file.

mod checks;
mod environment;
mod faults;
mod log;
mod measure;
mod program;
mod script;
mod shares;
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, thread};

use e2e::{Env, Programs, Sweep};
use mad_turmoil::time::SimClocksGuard;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::log::{Log, Writer};
use crate::shares::Sum;
use crate::world::{Simulated, Site};

const PROGRAMS: Programs = Programs {
    coordinator: env!("CARGO_BIN_EXE_e2e-coordinator"),
    worker: env!("CARGO_BIN_EXE_e2e-worker"),
};

const SWEEP: Sweep = Sweep {
    name: "simulated",
    optimizers: r#"["sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop", "lion"]"#,
    learning_rates: "[0.1]",
    batch_sizes: "[16]",
    depths: "[1]",
    epochs: script::N_EPOCHS,
    n_seeds: 6,
    ..Sweep::SHORT
};

/// Trials of this sweep may end before all epochs are done.
fn sweep_file() -> String {
    SWEEP.to_toml().replace("[train]\n", "[train]\npatience = 1\n")
}

const N_SEEDS: u64 = 300;

/// Seeds that are run twice.
const N_TRACED: u64 = 5;

/// Seeds that once found something.
const CORPUS: [u64; 0] = [];

/// What the programs say of checkpoints that travel, and of workers that are not trusted.
const COUNTED: [(&str, &str); 5] = [
    ("checkpoints published", "published the checkpoint of epoch"),
    ("checkpoints not published", "its checkpoint was not published"),
    ("checkpoints fetched", "fetched the checkpoint of epoch"),
    ("checkpoints not fetched", "no checkpoint of epoch"),
    ("workers held back", "it gets none for"),
];

type Test = fn(&Site) -> Result<(), String>;

fn main() -> ExitCode {
    let filters = filters();
    let chosen = |name| filters.is_empty() || filters.iter().any(|it| str::contains(name, it));
    // A harness that lists the tests of all binaries finds none here.
    if env::args().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let env = Env::new(PROGRAMS);
    let sweep = env.write("simulated.toml", sweep_file());
    let folder = memory_or_disk().join(format!("sweep-simulation-{}", std::process::id()));
    let site = Site { sweep, n_trials: SWEEP.n_trials(), folder: folder.clone() };
    take_over_clocks_and_chance();
    let tests: [(&str, Test); 3] = [
        ("a_measure_of_its_own_is_in_every_table", measure::is_in_every_table),
        ("the_same_seed_gives_the_same_trace", same_trace),
        ("whatever_happens_the_table_is_that_of_a_plain_loop", plain_table),
    ];
    let mut code = ExitCode::SUCCESS;
    // A share, or one seed, is the last test's.
    let is_last_alone = shares::is_share() || number("SWEEP_SIM_SEED").is_some();
    let n_before = if is_last_alone { tests.len() - 1 } else { 0 };
    for (name, test) in tests.into_iter().skip(n_before).filter(|(name, _)| chosen(name)) {
        match test(&site) {
            Ok(()) if shares::is_share() => {}
            Ok(()) => println!("test {name} ... ok"),
            Err(text) => {
                println!("test {name} ... FAILED\n{text}");
                code = ExitCode::FAILURE;
            }
        }
    }
    let _ = fs::remove_dir_all(folder);
    code
}

/// Parts of the names of tests to run. What is meant for the usual harness changes nothing.
fn filters() -> Vec<String> {
    let mut filters = Vec::new();
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--test-threads" | "--skip" | "--color" | "--format" => drop(arguments.next()),
            flag if flag.starts_with('-') => {}
            _ => filters.push(argument),
        }
    }
    filters
}

/// For the rest of the process.
fn take_over_clocks_and_chance() {
    mad_turmoil::rand::set_rng(StdRng::seed_from_u64(0));
    std::mem::forget(SimClocksGuard::init());
    coordinator::parts::silence();
}

/// Syncs cost nothing in memory.
fn memory_or_disk() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.into() } else { env::temp_dir() }
}

/// On a thread of its own: its hash maps take their keys from the seed.
fn simulate(site: &Site, seed: u64, log: &Log, network: bool) -> Result<Simulated, String> {
    thread::scope(|scope| {
        let run = || {
            *mad_turmoil::rand::get_rng() = StdRng::seed_from_u64(seed);
            align_task_ids();
            let writer = Writer { log: log.clone(), network };
            tracing::subscriber::with_default(writer, || world::simulate(site, seed, log))
        };
        let ended = scope.spawn(run).join();
        ended.unwrap_or_else(|_| Err("it panicked, see above".into()))
    })
}

/// Tokio drops the tasks of a crashed host in an order that depends on their numbers, which count
/// through the whole process, modulo a small power of two.
fn align_task_ids() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("no I/O is needed");
    let next = || runtime.spawn(async {}).id().to_string().parse::<u64>();
    while next().is_ok_and(|id| id % 1024 != 0) {}
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is no number")))
}

/// Those of the corpus first, unless one is asked for.
fn seeds() -> Vec<u64> {
    match number("SWEEP_SIM_SEED") {
        Some(seed) => vec![seed],
        None => {
            let n_seeds = number("SWEEP_SIM_SEEDS").unwrap_or(N_SEEDS);
            CORPUS.into_iter().chain(0..n_seeds).collect()
        }
    }
}

/// The simulated clocks have taken the place of `std`'s.
fn real_s() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

fn plain_table(site: &Site) -> Result<(), String> {
    let (began, seeds) = (real_s(), seeds());
    let sum = shares::run_all(&seeds, |seed, sum| check(site, seed, seeds.len() == 1, sum))?;
    if shares::is_share() {
        return Ok(());
    }
    let (n_seeds, wall_s) = (seeds.len(), real_s() - began);
    let counts: Vec<String> = sum.counts.iter().map(|(name, n)| format!("{name}: {n}")).collect();
    println!(
        "{n_seeds} seeds in {wall_s:.1} s, {:.1}/s; simulated {:.2} h; {}",
        n_seeds as f64 / wall_s,
        sum.simulated.as_secs_f64() / 3600.0,
        counts.join(", ")
    );
    if sum.failed.is_empty() {
        return Ok(());
    }
    Err(format!("{} seeds failed:\n{}", sum.failed.len(), sum.failed.join("\n")))
}

fn check(site: &Site, seed: u64, prints: bool, sum: &mut Sum) {
    let log = Log::default();
    match simulate(site, seed, &log, false) {
        Ok(run) => {
            run.faults.iter().for_each(|fault| sum.count(fault.name(), 1));
            sum.simulated += run.lasted;
        }
        Err(text) => sum.failed.push(format!(
            "{text}; replay: SWEEP_SIM_SEED={seed} cargo test -p e2e --test simulation"
        )),
    }
    let told = log.told();
    for (name, words) in COUNTED {
        let n_lines = told.lines.iter().filter(|line| line.contains(words)).count();
        sum.count(name, n_lines as u64);
    }
    if prints {
        println!("{}", told.lines.join("\n"));
    }
}

fn same_trace(site: &Site) -> Result<(), String> {
    for seed in 1..=N_TRACED {
        let trace = || {
            let log = Log::default();
            let result = simulate(site, seed, &log, true);
            let mut lines = std::mem::take(&mut log.told().lines);
            lines.push(format!("{:?}", result.map(|it| it.lasted)));
            lines
        };
        let [first, second] = [trace(), trace()];
        let lines = first.iter().zip(&second).enumerate();
        if let Some((at, (a, b))) = lines.into_iter().find(|(_, (a, b))| a != b) {
            return Err(format!("seed {seed}, line {at}:\n{a}\n{b}"));
        }
        if first.len() != second.len() || first.len() < 1000 {
            return Err(format!("seed {seed}: {} and {} lines", first.len(), second.len()));
        }
    }
    Ok(())
}
