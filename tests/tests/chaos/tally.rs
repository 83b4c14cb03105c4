//! What was done to the programs, and what came of it against an undisturbed run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use e2e::{Env, Programs, Way, canonical_files, results};

use crate::SWEEP;
use crate::cast::Cast;
use crate::schedule::Fault;

/// What a run gives that nobody disturbs.
pub struct Undisturbed {
    files: BTreeMap<&'static str, String>,
    trials: BTreeSet<String>,
}

impl Undisturbed {
    pub fn run(programs: Programs) -> Self {
        let env = Env::new(programs);
        env.run(&SWEEP, &[]);
        let report = env.report(&SWEEP);
        let trials = results(&report).into_iter().map(|row| row["trial_id"].clone()).collect();
        Self { files: canonical_files(&report), trials }
    }
}

#[derive(Default)]
pub struct Tally {
    n_rounds: usize,
    n_trials: usize,
    n_attempts: usize,
    n_coordinators_killed: usize,
    n_workers_killed: usize,
    n_coordinators_stopped: usize,
    n_workers_stopped: usize,
    n_cut: usize,
    n_cut_one_way: usize,
    n_full_disks: usize,
    n_full_told: usize,
    pub n_ended_by_disk: usize,
    n_drained: usize,
    n_delayed: usize,
    n_lost: usize,
    n_duplicated: usize,
    n_unexpected: usize,
    n_conflicts: usize,
    /// Everything else, one sentence each.
    wrong: Vec<String>,
}

impl Tally {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn n_kills(&self) -> usize {
        self.n_coordinators_killed + self.n_workers_killed
    }

    pub fn count(&mut self, fault: Fault) {
        let count = match fault {
            Fault::KillCoordinator => &mut self.n_coordinators_killed,
            Fault::KillWorker(_) => &mut self.n_workers_killed,
            Fault::StopCoordinator => &mut self.n_coordinators_stopped,
            Fault::StopWorker(_) => &mut self.n_workers_stopped,
            Fault::Cut(_, Way::Both) => &mut self.n_cut,
            Fault::Cut(_, _) => &mut self.n_cut_one_way,
            Fault::FillDisk => &mut self.n_full_disks,
            Fault::Drain(_) => &mut self.n_drained,
        };
        *count += 1;
    }

    /// A sweep has come to its end.
    pub fn take_round(&mut self, env: &Env, undisturbed: &Undisturbed, cast: &Cast<'_>) {
        let report = env.report(&SWEEP);
        let rows: Vec<String> = results(&report)
            .into_iter()
            .map(|mut row| row.remove("trial_id").expect("an id"))
            .collect();
        let trials: BTreeSet<String> = rows.iter().cloned().collect();
        self.n_rounds += 1;
        self.n_trials += rows.len();
        self.n_delayed += cast.n_delayed();
        self.n_full_told += cast.n_full_told();
        self.n_attempts += env.status(&SWEEP).n_attempts;
        self.n_duplicated += rows.len() - trials.len();
        self.n_lost += undisturbed.trials.difference(&trials).count();
        self.n_unexpected += trials.difference(&undisturbed.trials).count();
        let files = canonical_files(&report);
        if files != undisturbed.files {
            self.wrong.push(format!("round {}: other files: {files:?}", self.n_rounds));
        }
        let verified = env.coordinator(&["verify", &format!("reports/{}", SWEEP.name)]);
        let text = verified.stdout_text();
        self.n_conflicts +=
            text.lines().filter(|line| line.contains("two different digests")).count();
        if verified.code != 0 {
            self.wrong.push(format!("round {}: verify: {text}", self.n_rounds));
        }
        println!(
            "sweep {}: {} trials; kill -9 so far: {}",
            self.n_rounds,
            rows.len(),
            self.n_kills()
        );
    }

    #[track_caller]
    pub fn assert_nothing_lost(&self) {
        let n_wrong = self.n_lost + self.n_duplicated + self.n_unexpected + self.n_conflicts;
        assert_eq!(n_wrong, 0, "{self}");
        assert!(self.wrong.is_empty(), "{:#?}", self.wrong);
        assert_ne!(self.n_rounds, 0, "nothing was done");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_same = if self.wrong.is_empty() { "yes" } else { "NO" };
        let lines = [
            format!("sweeps        {}", self.n_rounds),
            format!("trials        {} recorded in {} attempts", self.n_trials, self.n_attempts),
            format!("kill -9       {}", self.n_kills()),
            format!("  coordinator {}", self.n_coordinators_killed),
            format!("  workers     {}", self.n_workers_killed),
            format!("SIGSTOP       {}", self.n_coordinators_stopped + self.n_workers_stopped),
            format!("  coordinator {}", self.n_coordinators_stopped),
            format!("  workers     {}", self.n_workers_stopped),
            format!("partitions    {}", self.n_cut + self.n_cut_one_way),
            format!("  both ways   {}", self.n_cut),
            format!("  one way     {}", self.n_cut_one_way),
            format!("full disks    {}", self.n_full_disks),
            format!("  told of     {}", self.n_full_told),
            format!("  ended by    {}", self.n_ended_by_disk),
            format!("SIGTERM       {} workers", self.n_drained),
            format!("delayed       {} chunks", self.n_delayed),
            format!("lost          {}", self.n_lost),
            format!("duplicated    {}", self.n_duplicated),
            format!("unexpected    {}", self.n_unexpected),
            format!("conflicts     {}", self.n_conflicts),
            format!("files of an undisturbed run, verify clean: {is_same}"),
        ];
        f.write_str(&lines.join("\n"))
    }
}
