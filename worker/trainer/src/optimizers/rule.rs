//! A rule with its scalars of one step.

/// A rule with its scalars of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rule {
    /// w = fma(-lr, g, w).
    Sgd {
        lr: f32,
    },
    Momentum {
        lr: f32,
        mu: f32,
    },
    Nesterov {
        lr: f32,
        mu: f32,
    },
    Adam {
        a: f32,
        b1: f32,
        c1: f32,
        b2: f32,
        c2: f32,
        e: f32,
    },
    RmsProp {
        lr: f32,
        alpha: f32,
        c: f32,
        eps: f32,
    },
    Lion {
        lr: f32,
        b1: f32,
        c1: f32,
        b2: f32,
        c2: f32,
    },
}
