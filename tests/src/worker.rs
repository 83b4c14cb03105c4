//! A running `worker`, as on another machine.

use std::{ops::Deref, process::Command};

use crate::process::{Ended, Process};

#[derive(Debug)]
pub struct RemoteWorker(Process);

impl RemoteWorker {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(Process::start(command))
    }

    /// `kill -9`; returns when it is gone.
    pub fn kill(self) {
        self.0.kill();
    }

    pub fn wait(self) -> Ended {
        self.0.wait()
    }
}

impl Deref for RemoteWorker {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.0
    }
}
