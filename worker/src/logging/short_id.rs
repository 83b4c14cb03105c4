//! The short id of a trial: how log lines name it.

use trial::hex::hex;

/// The first six digits of its id.
pub(crate) fn short_id(trial_id: &[u8]) -> String {
    hex(&trial_id[..trial_id.len().min(3)])
}
