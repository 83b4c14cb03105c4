//! A running `coordinator`.

use std::ops::{Deref, DerefMut};
use std::process::Command;

use crate::programs::process::{Ended, Process, children_of};

/// A coordinator that was started with `--output json`, so that each recorded trial is a line.
#[derive(Debug)]
pub struct Coordinator(Process);

impl Coordinator {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(Process::start(command))
    }

    /// `http://127.0.0.1:PORT`, once it listens.
    pub fn url(&self) -> String {
        self.0.in_stderr("line that tells the address", |lines| {
            lines.iter().find_map(|line| line.strip_prefix("listening on ")).map(str::to_owned)
        })
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.url().trim_start_matches("http://").to_owned()
    }

    /// Returns when `n` trials were recorded by this process.
    pub fn wait_for_trials(&self, n: usize) {
        self.0.in_stdout(&format!("{n} recorded trials"), |lines| {
            let n_trials = lines.iter().filter(|line| line.contains(r#""event":"trial""#)).count();
            (n <= n_trials).then_some(())
        });
    }

    /// Returns when it has shown a running trial with `n` epochs behind it.
    pub fn wait_for_epochs(&self, n: u64) {
        self.0.in_stdout(&format!("trial with {n} epochs"), |lines| {
            epochs_shown(lines).any(|epoch| n <= epoch).then_some(())
        });
    }

    /// Returns when it has told that it stops.
    pub fn wait_for_stopping(&self) {
        self.0.in_stderr("word of the stop", |lines| {
            lines.iter().any(|line| line.starts_with("stopping")).then_some(())
        });
    }

    /// The process ids of its local workers.
    pub fn local_workers(&self) -> Vec<u32> {
        children_of(self.0.pid(), "local-worker")
    }

    /// `kill -9`; returns when it is gone.
    pub fn kill(self) {
        self.0.kill();
    }

    pub fn wait(self) -> Ended {
        self.0.wait()
    }

    /// Waits for its end by itself, but not for workers that hold its output.
    #[track_caller]
    pub fn wait_for_exit(self, code: i32) {
        self.0.wait_for_exit(code);
    }
}

/// Epochs of the first running trial in each progress event.
fn epochs_shown(lines: &[String]) -> impl Iterator<Item = u64> {
    lines.iter().filter_map(|line| {
        let event: serde_json::Value = serde_json::from_str(line).ok()?;
        event["running"][0]["epoch"].as_u64()
    })
}

impl Deref for Coordinator {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.0
    }
}

impl DerefMut for Coordinator {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.0
    }
}
