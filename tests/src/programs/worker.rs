//! A running `worker`, as on another machine.

use std::ops::{Deref, DerefMut};
use std::process::Command;

use crate::programs::process::{Ended, Process};

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

impl DerefMut for RemoteWorker {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.0
    }
}
