//! Bytes as lowercase hexadecimal digits, for names of files and for people.

use std::fmt::Write as _;

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// How log lines name a trial: the first six digits of its id.
pub(crate) fn short_id(trial_id: &[u8]) -> String {
    hex(&trial_id[..trial_id.len().min(3)])
}
