//! The secret by which the coordinator knows its own child processes.

use std::fmt::{self, Debug, Formatter};

/// What a coordinator hands to its child processes by a pipe that nobody else reads. A worker that
/// shows it is one of them; others can only say so.
#[derive(Clone, PartialEq, Eq)]
pub struct LocalToken([u8; LocalToken::BYTES]);

impl LocalToken {
    pub const BYTES: usize = worker::LOCAL_TOKEN_BYTES;

    pub fn draw() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; Self::BYTES];
        getrandom::fill(&mut bytes).map(|()| Self(bytes))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn is(&self, shown: &[u8]) -> bool {
        self.0 == shown
    }
}

impl Debug for LocalToken {
    /// It is a secret.
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("LocalToken")
    }
}
