//! Why a data set cannot be used.

/// Why a data set cannot be used. `message` says what is wrong and names the path, `expected` what
/// should be there, `help` what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}; expected {expected}; {help}")]
pub struct DatasetError {
    pub message: String,
    pub expected: String,
    pub help: String,
}
