//! Closing causes: why an attempt ended without an outcome, and the words that record it.

/// Why an attempt ended without an outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseCause {
    /// Its worker was lost while it ran beside others or for the first time.
    Lost,
    /// Its worker was lost while it ran alone: this counts against the trial.
    LostAlone,
    /// The worker handed it back, or was lost before it began.
    Released,
    /// The coordinator ended, and its own workers with it.
    CoordinatorEnded,
    /// Another attempt brought the outcome first.
    Superseded,
    /// Its slot did nothing for so long that another one was to begin anew.
    Stalled,
    /// The trial had its outcome before, and this attempt's was compared with it.
    Checked,
    /// The trial could not be trained, in the worker's words.
    Failed(String),
}

impl CloseCause {
    /// One of each; the text of a failure is recorded beside its word.
    pub const ALL: [Self; 8] = [
        Self::Lost,
        Self::LostAlone,
        Self::Released,
        Self::CoordinatorEnded,
        Self::Superseded,
        Self::Stalled,
        Self::Checked,
        Self::Failed(String::new()),
    ];

    /// As states record it; states of former builds have the same words.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::LostAlone => "lost_alone",
            Self::Released => "released",
            Self::CoordinatorEnded => "coordinator_ended",
            Self::Superseded => "superseded",
            Self::Stalled => "stalled",
            Self::Checked => "checked",
            Self::Failed(_) => "failed",
        }
    }

    /// The cause of a recorded word, a failure without its text.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.word() == word)
    }

    /// What is recorded beside the word.
    pub fn detail(&self) -> Option<&str> {
        match self {
            Self::Failed(text) => Some(text),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded states and the queries of the store have these.
    #[test]
    fn the_words_stay_as_they_are() {
        let words = CloseCause::ALL.map(|cause| cause.word());
        let recorded = [
            "lost",
            "lost_alone",
            "released",
            "coordinator_ended",
            "superseded",
            "stalled",
            "checked",
            "failed",
        ];
        assert_eq!(words, recorded);
        assert!(words.iter().all(|it| CloseCause::from_word(it).is_some_and(|c| c.word() == *it)));
        assert_eq!(CloseCause::from_word("completed"), None, "it has an outcome");
    }
}
