//! Backtracking line search on the batch's loss (Armijo 1966) along the negative gradient: each search
//! starts at the learning rate, and a step at which all probes fail is left out.

use crate::optimizers::definition::{Definition, SearchStart};
use crate::optimizers::sgd::SGD;

pub(crate) const BACKTRACKING: Definition = Definition {
    name: "backtracking",
    keys: &[("armijo_c", 1e-4), ("shrink", 0.5), ("max_probes", 30.0)],
    search: Some(SearchStart::LearningRate),
    ..SGD
};
