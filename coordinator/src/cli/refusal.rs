//! Why a command is refused: its words, the sweep file, or something that happened.

use std::path::PathBuf;

use crate::view::Misplaced;

/// Why a run cannot start.
#[derive(Debug)]
pub enum Refusal {
    /// Exit code 2: the user's words are off.
    Usage(String),
    /// Exit code 2: the sweep file is off. Already printed.
    SweepFile { path: PathBuf, problems: Vec<Misplaced> },
    /// Exit code 1.
    Runtime(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Runtime(error.into())
    }
}
