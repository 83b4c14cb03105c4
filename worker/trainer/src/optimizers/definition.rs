//! What an optimizer is: a row of the table.

use crate::kernels::{CompiledRule, N_SCALARS};

/// Keys that an optimizer may have of its own.
pub(crate) const N_NUMBERS: usize = 6;

/// The values of an optimizer's own keys in the order of its definition; counts are whole numbers.
pub(crate) type Numbers = [f64; N_NUMBERS];

/// An optimizer. Formulas and citations stand with each in its file.
#[derive(Debug)]
pub(crate) struct Definition {
    pub name: &'static str,
    /// The keys that it uses besides those of all optimizers, with its defaults.
    pub keys: &'static [(&'static str, f64)],
    pub decay: Decay,
    /// Passes over the weights that an update needs beyond the gradient's own, for estimates.
    pub state_passes: f64,
    pub rule: CompiledRule,
    /// The rule's scalars of the next step, from the learning rate, the numbers, and two running
    /// products that start at 1 and are kept from step to step.
    pub scalars: fn(f64, &Numbers, &mut [f64; 2]) -> [f32; N_SCALARS],
    /// Where each search for a step starts, if a line search chooses the rate of each.
    pub search: Option<SearchStart>,
}

/// What `weight_decay` acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decay {
    /// The gradient: L2.
    Coupled,
    /// The weights.
    Decoupled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SearchStart {
    /// At the learning rate.
    LearningRate,
    /// At the last step size, grown.
    LastStep,
}

/// Scalars rounded once; those that the rule lacks are 0.
pub(crate) fn rounded<const N: usize>(scalars: [f64; N]) -> [f32; N_SCALARS] {
    const { assert!(N <= N_SCALARS) }
    let mut all = [0.0; N_SCALARS];
    all.iter_mut().zip(scalars).for_each(|(rounded, scalar)| *rounded = scalar as f32);
    all
}
