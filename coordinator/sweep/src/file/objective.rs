//! The objective of a sweep: the measure that selects the best configuration, and how people read it.

use trial::known::{VALID_ACCURACY, VALID_LOSS};
use trial::{Goal, Number, Unit};

/// A measure with a goal, read at each trial's best epoch. A trial that diverged counts as chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Objective {
    pub measure: Number,
    pub goal: Goal,
    pub unit: Unit,
    /// Such as "validation accuracy".
    pub title: &'static str,
    /// What is left to the ideal, on an axis where less is better: such as "validation error".
    pub error_title: &'static str,
}

impl Objective {
    pub const VALID_ACCURACY: Self = Self {
        measure: VALID_ACCURACY,
        goal: Goal::Maximize,
        unit: Unit::Share,
        title: "validation accuracy",
        error_title: "validation error",
    };
    pub const VALID_LOSS: Self = Self {
        measure: VALID_LOSS,
        goal: Goal::Minimize,
        unit: Unit::Plain,
        title: "validation loss",
        error_title: "validation loss",
    };

    /// Those that a sweep file can name, the default one first.
    pub const ALL: [Self; 2] = [Self::VALID_ACCURACY, Self::VALID_LOSS];

    pub const NAMES: [&str; 2] = [VALID_ACCURACY.0, VALID_LOSS.0];

    /// The name of its measure.
    pub fn name(self) -> &'static str {
        self.measure.0
    }
}
