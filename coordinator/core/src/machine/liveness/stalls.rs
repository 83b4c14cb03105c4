//! How often the attempts at a trial have stalled.

/// Attempts at a trial that were taken back because they stalled.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stalls {
    pub(crate) n: u32,
    /// The number of the last of them.
    pub(crate) last_attempt: u32,
}
