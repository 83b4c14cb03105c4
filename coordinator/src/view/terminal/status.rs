//! What `coordinator status` tells of a recorded sweep.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use worker::duration;

use crate::view::terminal::{grouped, n_of, printable, table, table_with_header};

/// Failed trials that are named.
const N_FAILURES_SHOWN: usize = 10;

/// Attempts that are named.
const N_GRANTED_SHOWN: usize = 20;

/// Where a recorded sweep stands.
#[derive(Clone, Debug, Default)]
pub struct Status {
    pub name: String,
    pub state: PathBuf,
    /// Whether a coordinator works on it now.
    pub is_running: bool,
    /// Trials of the plan.
    pub n_trials: usize,
    pub n_completed: usize,
    pub n_diverged: usize,
    pub n_failed: usize,
    pub n_cancelled: usize,
    /// In a slot of a worker now; none without a coordinator.
    pub n_running: usize,
    /// Recorded by an earlier form of the sweep file, and no part of it any more.
    pub n_outside: usize,
    pub n_attempts: usize,
    /// Attempts whose worker was lost.
    pub n_lost: usize,
    /// Attempts that ended with their coordinator.
    pub n_ended: usize,
    /// Seconds that coordinators ran, killed ones up to their last commit, and how many did.
    pub ran_s: f64,
    pub n_starts: u64,
    /// By the plan's metric: its score as people read it, and the configuration.
    pub best: Option<(String, String)>,
    pub workers: Vec<WorkerSeen>,
    /// While a coordinator runs, what is in its workers' slots: worker, trial id, configuration, attempt.
    pub granted: Vec<[String; 4]>,
    /// Attempts that wait at their workers for a slot.
    pub n_ahead: usize,
    /// While a coordinator runs, the time to the end by the pace of the finished trials.
    pub eta: Option<Duration>,
    /// Trial id and cause.
    pub failures: Vec<(String, String)>,
    /// What keeps workers from working now, a line each.
    pub troubles: Vec<String>,
}

/// A worker that took part.
#[derive(Clone, Debug)]
pub struct WorkerSeen {
    pub name: String,
    pub isa: String,
    /// As the operating system names the processor.
    pub cpu: String,
    pub n_slots: usize,
    /// Attempts it was given.
    pub n_attempts: usize,
}

impl Status {
    /// Trials with a result.
    fn n_done(&self) -> usize {
        self.n_completed + self.n_diverged
    }

    /// Trials without an outcome.
    fn n_open(&self) -> usize {
        self.n_trials.saturating_sub(self.n_done() + self.n_failed + self.n_cancelled)
    }

    /// `, 1 failed, 2 cancelled`; empty without any.
    fn n_without_result(&self) -> String {
        let counts = [(self.n_failed, "failed"), (self.n_cancelled, "cancelled")];
        let some = counts.into_iter().filter(|(count, _)| *count > 0);
        some.map(|(count, word)| format!(", {} {word}", grouped(count as u64))).collect()
    }

    fn phase(&self) -> &'static str {
        let has = (self.n_cancelled > 0, self.n_failed > 0);
        match (self.is_running, self.n_open(), has) {
            (true, ..) => "running",
            (false, 0, (true, true)) => {
                "ended; the same command runs cancelled trials again, with --retry-failed failed ones too"
            }
            (false, 0, (true, false)) => "ended; the same command runs cancelled trials again",
            (false, 0, (false, true)) => "ended; --retry-failed runs failed trials again",
            (false, 0, _) => "finished",
            (false, ..) => "stopped; the same command resumes it",
        }
    }

    fn outcomes(&self) -> String {
        let counts = [
            ("completed", self.n_completed),
            ("diverged", self.n_diverged),
            ("failed", self.n_failed),
            ("cancelled", self.n_cancelled),
            ("running", self.n_running),
            ("waiting", self.n_open().saturating_sub(self.n_running)),
        ];
        let rows = counts.map(|(word, count)| [word.to_owned(), grouped(count as u64)]);
        table(rows.iter().map(<[String; 2]>::as_slice))
    }

    fn workers(&self) -> String {
        let header = ["worker", "slots", "attempts", "instructions", "processor"];
        let mut rows = vec![header.map(str::to_owned)];
        rows.extend(self.workers.iter().map(|worker| {
            let (n_slots, n_attempts) = (worker.n_slots, worker.n_attempts);
            let (isa, cpu) = (worker.isa.clone(), worker.cpu.clone());
            [worker.name.clone(), n_slots.to_string(), n_attempts.to_string(), isa, cpu]
        }));
        table_with_header(rows.iter().map(<[String; 5]>::as_slice))
    }

    fn granted(&self) -> String {
        let header = ["worker", "trial", "attempt", "configuration"];
        let mut rows = vec![header.map(str::to_owned)];
        rows.extend(self.granted.iter().take(N_GRANTED_SHOWN).map(
            |[worker, id, label, attempt]| {
                let id = id.get(..8).unwrap_or(id).to_owned();
                [worker.clone(), id, attempt.clone(), label.clone()]
            },
        ));
        let mut text = table_with_header(rows.iter().map(<[String; 4]>::as_slice));
        if self.granted.len() > N_GRANTED_SHOWN {
            text +=
                &format!("\n and {} more", grouped((self.granted.len() - N_GRANTED_SHOWN) as u64));
        }
        match self.n_ahead {
            0 => {}
            1 => text += "\n and 1 that waits there for a slot",
            n => text += &format!("\n and {} that wait there for a slot", grouped(n as u64)),
        }
        text
    }

    fn write_failures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nfailed")?;
        for (id, cause) in self.failures.iter().take(N_FAILURES_SHOWN) {
            writeln!(f, " {}: {}", id.get(..8).unwrap_or(id), printable(cause))?;
        }
        if self.failures.len() > N_FAILURES_SHOWN {
            writeln!(f, " and {} more", grouped((self.failures.len() - N_FAILURES_SHOWN) as u64))?;
        }
        Ok(())
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, n_trials) = (printable(&self.name), n_of(self.n_trials, "trial"));
        writeln!(
            f,
            "{name}: {} of {n_trials} done{}, {}",
            grouped(self.n_done() as u64),
            self.n_without_result(),
            self.phase()
        )?;
        writeln!(f, "state: {}", self.state.display())?;
        if let Some(eta) = self.eta {
            writeln!(f, "about {} to go", duration::rounded(eta))?;
        }
        writeln!(f)?;
        writeln!(f, "{}", self.outcomes())?;
        if self.n_outside > 0 {
            writeln!(
                f,
                "\n{} recorded outside the sweep file as it is now",
                n_of(self.n_outside, "trial")
            )?;
        }
        if let Some((score, label)) = &self.best {
            writeln!(f, "\nbest single trial so far: {score} with {}", printable(label))?;
        }
        if !self.granted.is_empty() {
            writeln!(f, "\nwith workers now\n{}", self.granted())?;
        }
        let n_attempts = n_of(self.n_attempts, "attempt");
        let n_lost = grouped(self.n_lost as u64);
        write!(f, "\n{n_attempts}, {n_lost} of them lost with their worker")?;
        if self.n_ended > 0 {
            write!(f, ", {} ended with their coordinator", grouped(self.n_ended as u64))?;
        }
        writeln!(f)?;
        if self.n_starts > 0 {
            let ran = Duration::try_from_secs_f64(self.ran_s).unwrap_or_default();
            let n_starts = n_of(usize::try_from(self.n_starts).unwrap_or(usize::MAX), "start");
            writeln!(f, "running time {} over {n_starts}", duration::rounded(ran))?;
        }
        if !self.workers.is_empty() {
            writeln!(f, "{}", self.workers())?;
        }
        if !self.troubles.is_empty() {
            writeln!(f, "\ntroubles")?;
        }
        for line in &self.troubles {
            writeln!(f, " {}", printable(line))?;
        }
        if self.failures.is_empty() { Ok(()) } else { self.write_failures(f) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopped() -> Status {
        Status {
            name: "full".into(),
            state: "reports/full/.state".into(),
            n_trials: 1_270,
            n_completed: 1_100,
            n_diverged: 15,
            n_failed: 1,
            n_attempts: 1_130,
            n_lost: 4,
            ran_s: 4_000.0,
            n_starts: 3,
            best: Some(("97.81 %".into(), "sgd 0.05 b32 256-128".into())),
            workers: vec![WorkerSeen {
                name: "local-0".into(),
                isa: "avx512".into(),
                cpu: "Some Processor".into(),
                n_slots: 2,
                n_attempts: 1_130,
            }],
            failures: vec![("3fa9c1d2aabb".into(), "out of memory\n".into())],
            ..Status::default()
        }
    }

    #[test]
    fn a_stopped_sweep_reads_as_one() {
        let expected = "\
full: 1,115 of 1,270 trials done, 1 failed, stopped; the same command resumes it
state: reports/full/.state

 completed  1,100
 diverged   15
 failed     1
 cancelled  0
 running    0
 waiting    154

best single trial so far: 97.81 % with sgd 0.05 b32 256-128

1,130 attempts, 4 of them lost with their worker
running time 1h06m over 3 starts
 worker   slots  attempts  instructions  processor
 local-0  2      1130      avx512        Some Processor

failed
 3fa9c1d2: out of memory
";
        assert_eq!(stopped().to_string(), expected);
    }

    #[test]
    fn the_phase_follows_from_the_counts() {
        let mut status = stopped();
        status.is_running = true;
        assert_eq!(status.phase(), "running");
        status = Status { n_trials: 1_116, is_running: false, ..stopped() };
        assert_eq!(status.phase(), "ended; --retry-failed runs failed trials again");
        let given_up = Status { n_trials: 1_120, n_cancelled: 4, ..status.clone() };
        let both = "runs cancelled trials again, with --retry-failed failed ones too";
        assert!(given_up.phase().ends_with(both), "{}", given_up.phase());
        let given_up = Status { n_trials: 1_119, n_failed: 0, ..given_up };
        assert_eq!(given_up.phase(), "ended; the same command runs cancelled trials again");
        status = Status { n_trials: 1_115, n_failed: 0, ..status };
        assert_eq!(status.phase(), "finished");
        let failed = Status { name: "one".into(), n_trials: 1, n_failed: 1, ..Status::default() };
        let text = failed.to_string();
        assert!(text.starts_with("one: 0 of 1 trial done, 1 failed, ended; --retry"), "{text}");
    }

    #[test]
    fn attempts_that_ended_with_their_coordinator_are_not_lost() {
        let text = Status { n_ended: 2, ..stopped() }.to_string();
        let line =
            "\n1,130 attempts, 4 of them lost with their worker, 2 ended with their coordinator\n";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn what_keeps_workers_from_working_is_told() {
        let troubles = vec!["worker w: its disk is full (for 2m00s now)".to_owned()];
        let text = Status { troubles, ..stopped() }.to_string();
        assert!(text.contains("\ntroubles\n worker w: its disk is full"), "{text}");
    }

    #[test]
    fn a_running_sweep_says_what_its_workers_hold_and_how_long_it_takes() {
        let granted = ["local-0", "3fa9c1d2aabb", "sgd 0.05 b32 256-128 seed 1", "2"];
        let status = Status {
            is_running: true,
            granted: vec![granted.map(str::to_owned); 22],
            n_ahead: 3,
            eta: Some(Duration::from_secs(187)),
            ..stopped()
        };
        let text = status.to_string();
        assert!(text.contains("\nabout 3m07s to go\n"), "{text}");
        let row = " local-0  3fa9c1d2  2        sgd 0.05 b32 256-128 seed 1\n";
        assert_eq!(text.matches(row).count(), N_GRANTED_SHOWN, "{text}");
        assert!(text.contains("\n and 2 more\n and 3 that wait there for a slot\n"), "{text}");
        let text = Status { n_ahead: 1, ..status }.to_string();
        assert!(text.contains("\n and 1 that waits there for a slot\n"), "{text}");
    }

    #[test]
    fn many_failures_are_counted() {
        let failures = vec![("ab".to_owned(), "no memory".to_owned()); 12];
        let text = Status { failures, ..stopped() }.to_string();
        assert_eq!(text.matches("no memory").count(), N_FAILURES_SHOWN);
        assert!(text.contains(" and 2 more\n"), "{text}");
    }
}
