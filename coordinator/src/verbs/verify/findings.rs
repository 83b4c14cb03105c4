//! What `verify` looked at, and what is wrong.

use std::fmt;

/// What was looked at, and what is wrong.
#[derive(Debug, Default)]
pub struct Findings {
    checked: Vec<String>,
    pub wrong: Vec<String>,
}

impl Findings {
    pub fn checked(&mut self, what: impl Into<String>) {
        self.checked.push(what.into());
    }

    pub fn wrong(&mut self, what: impl Into<String>) {
        self.wrong.push(what.into());
    }

    /// Findings that may be as many as there are trials.
    pub fn wrong_alike(&mut self, all: Vec<String>) {
        let n_more = all.len().saturating_sub(MAX_ALIKE);
        self.wrong.extend(all.into_iter().take(MAX_ALIKE));
        if 0 < n_more {
            self.wrong.push(format!("and {n_more} more like the last one"));
        }
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.checked.iter().try_for_each(|line| writeln!(f, "checked: {line}"))?;
        self.wrong.iter().try_for_each(|line| writeln!(f, "wrong: {line}"))
    }
}

/// Findings of one kind that are told one by one.
pub const MAX_ALIKE: usize = 10;
