//! Stochastic gradient descent (Robbins and Monro 1951): w -= lr g.

use crate::kernels::{CompiledRule, N_SCALARS, Rule};
use crate::numerics::real::Real;
use crate::optimizers::definition::{Decay, Definition, rounded};

pub(super) const SGD: Definition = Definition {
    name: "sgd",
    keys: &[],
    decay: Decay::Coupled,
    state_passes: 0.0,
    rule: CompiledRule::of::<Sgd>(),
    scalars: |lr, _, _| rounded([-lr]),
    search: None,
};

struct Sgd;

impl Rule for Sgd {
    const N_STATES: usize = 0;
    const IS_DESCENT: bool = true;

    #[inline(always)]
    fn apply<R: Real>(&[rate, ..]: &[R; N_SCALARS], w: R, g: R, _: &mut [R; 2]) -> R {
        rate.fma(g, w)
    }
}

#[cfg(test)]
mod tests {
    use crate::optimizers::tests::{assert_close, config, descend};

    #[test]
    fn it_follows_f64_with_both_decays() {
        let mut config = config("sgd", 0.1);
        config.weight_decay = 0.01;
        config.decoupled_decay = 0.02;
        let mut w = 5.0_f64;
        let expected = std::iter::repeat_with(|| {
            let g = 3.0 * (w - 2.0) + 0.01 * w;
            w = w * (1.0 - 0.1 * 0.02) - 0.1 * g;
            w
        });
        assert_close(&descend(&config, 30), expected);
    }
}
