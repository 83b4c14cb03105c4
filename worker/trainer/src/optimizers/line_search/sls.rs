//! SLS (Vaswani et al., arXiv 1905.09997), a line search that remembers its step: eta grows by
//! 2^(1/batches per epoch) each step, is capped, and falls back to a tiny step when all probes fail.

use crate::optimizers::definition::{Definition, SearchStart};
use crate::optimizers::sgd::SGD;

pub(crate) const SLS: Definition = Definition {
    name: "sls",
    keys: &[("armijo_c", 0.1), ("shrink", 0.9), ("max_probes", 100.0), ("max_step", 10.0)],
    search: Some(SearchStart::LastStep),
    ..SGD
};
