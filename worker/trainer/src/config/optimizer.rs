//! An optimizer by its name, and with the numbers of its keys.

use std::fmt;

use crate::optimizers::OPTIMIZERS;
use crate::optimizers::definition::{Decay, Definition, Numbers};

const N_OPTIMIZERS: usize = OPTIMIZERS.len();

/// A row of the table of optimizers; kinds are ordered as the rows are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OptimizerKind(usize);

impl OptimizerKind {
    pub const ALL: [Self; N_OPTIMIZERS] = {
        let mut all = [Self(0); N_OPTIMIZERS];
        let mut i = 0;
        while i < N_OPTIMIZERS {
            all[i] = Self(i);
            i += 1;
        }
        all
    };

    pub fn name(self) -> &'static str {
        self.definition().name
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether each step is chosen by probing the batch's loss along the negative gradient.
    pub fn is_line_search(self) -> bool {
        self.definition().search.is_some()
    }

    /// Whether `weight_decay` acts on the weights instead of the gradient.
    pub fn decays_decoupled(self) -> bool {
        self.definition().decay == Decay::Decoupled
    }

    /// Passes over the weights that an update needs beyond the gradient's own.
    pub(crate) fn state_passes(self) -> f64 {
        self.definition().state_passes
    }

    /// Numbers that each weight has besides itself.
    pub(crate) fn n_states(self) -> usize {
        self.definition().rule.forms().n_states
    }

    pub(crate) fn definition(self) -> &'static Definition {
        OPTIMIZERS[self.0]
    }
}

impl fmt::Debug for OptimizerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

pub const OPTIMIZER_NAMES: &[&str] = &{
    let mut names = [""; N_OPTIMIZERS];
    let mut i = 0;
    while i < N_OPTIMIZERS {
        names[i] = OPTIMIZERS[i].name;
        i += 1;
    }
    names
};

/// An optimizer with the numbers of its own keys, in the order of its definition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Optimizer {
    pub(super) kind: OptimizerKind,
    pub(super) numbers: Numbers,
}

impl Optimizer {
    pub fn kind(&self) -> OptimizerKind {
        self.kind
    }

    /// The value of one of its own keys.
    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        let index = self.kind.definition().keys.iter().position(|&(key, _)| key == name)?;
        Some(self.numbers[index])
    }

    /// Most probes of a step; `None` if the optimizer is not a line search.
    pub(crate) fn max_probes(&self) -> Option<u32> {
        self.number("max_probes").map(|n| n as u32)
    }

    pub(crate) fn numbers(&self) -> &Numbers {
        &self.numbers
    }
}
