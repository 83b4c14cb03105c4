//! Seeds shared out to processes, as many as there are cores: the simulated clocks and the simulated
//! chance are one of each for a whole process.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, thread};

use serde_json::{Value, json};

/// In the environment of a process that does one share: `INDEX/NUMBER`.
const SHARE: &str = "SWEEP_SIM_SHARE";

/// In the environment of programs that have a bug: part of what is then wrong. A share ends with the
/// first seed that finds it.
const FOUND: &str = "SWEEP_SIM_FOUND";

/// What some seeds came to.
#[derive(Default)]
pub struct Sum {
    /// Faults, transfers and whatever else is counted, by its name.
    pub counts: BTreeMap<String, u64>,
    pub simulated: Duration,
    pub failed: Vec<String>,
}

impl Sum {
    pub fn count(&mut self, name: impl Into<String>, n: u64) {
        *self.counts.entry(name.into()).or_default() += n;
    }

    fn has_failed_with(&self, words: &str) -> bool {
        self.failed.iter().any(|text| text.contains(words))
    }

    fn add(&mut self, other: Self) {
        for (name, n) in other.counts {
            self.count(name, n);
        }
        self.simulated += other.simulated;
        self.failed.extend(other.failed);
    }

    /// One line for the process that shared the seeds out.
    fn to_line(&self) -> String {
        let simulated_ms = self.simulated.as_millis() as u64;
        json!({ "counts": self.counts, "simulated_ms": simulated_ms, "failed": self.failed })
            .to_string()
    }

    fn from_line(line: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(line).ok()?;
        let counts = value["counts"].as_object()?.iter();
        let failed = value["failed"].as_array()?.iter();
        Some(Self {
            counts: counts
                .map(|(name, n)| Some((name.clone(), n.as_u64()?)))
                .collect::<Option<_>>()?,
            simulated: Duration::from_millis(value["simulated_ms"].as_u64()?),
            failed: failed.map(|text| Some(text.as_str()?.into())).collect::<Option<_>>()?,
        })
    }
}

/// Whether this process does a share alone.
pub fn is_share() -> bool {
    env::var_os(SHARE).is_some()
}

/// Sums up what `run` gives for each of the seeds: all of them here if there is one, or this
/// process's share, which it tells on stdout; else each share in a process of its own.
pub fn run_all(seeds: &[u64], run: impl Fn(u64, &mut Sum)) -> Result<Sum, String> {
    let (mut sum, share) = (Sum::default(), env::var(SHARE).ok());
    if share.is_none() && 1 < seeds.len() {
        return share_out();
    }
    let (index, n_shares) = share.as_deref().map_or(Some((0, 1)), parse).ok_or("no such share")?;
    let found = env::var(FOUND).ok();
    for &seed in seeds.iter().skip(index).step_by(n_shares) {
        run(seed, &mut sum);
        if found.as_ref().is_some_and(|found| sum.has_failed_with(found)) {
            break;
        }
    }
    if share.is_some() {
        println!("{}", sum.to_line());
    }
    Ok(sum)
}

fn parse(share: &str) -> Option<(usize, usize)> {
    let (index, n_shares) = share.split_once('/')?;
    Some((index.parse().ok()?, n_shares.parse().ok()?))
}

fn share_out() -> Result<Sum, String> {
    let n_shares = thread::available_parallelism().map_or(1, Into::into);
    let start = |index: usize| start(&format!("{index}/{n_shares}"));
    let children: Vec<Child> = (0..n_shares).map(start).collect::<Result<_, _>>()?;
    let mut sum = Sum::default();
    for child in children {
        sum.add(end(child)?);
    }
    Ok(sum)
}

fn start(share: &str) -> Result<Child, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.env(SHARE, share).stdout(Stdio::piped());
    command.spawn().map_err(|error| error.to_string())
}

fn end(child: Child) -> Result<Sum, String> {
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    let share = stdout.lines().rev().find_map(Sum::from_line);
    share.ok_or_else(|| format!("a share ended with {}: {stdout}", output.status))
}
