//! RMSProp (Hinton, Neural networks for machine learning, lecture 6, 2012), eps outside the root:
//! v = alpha v + (1 - alpha) g^2; w -= lr g / (sqrt(v) + eps).

use crate::kernels::{CompiledRule, N_SCALARS, Rule};
use crate::numerics::real::Real;
use crate::optimizers::definition::{Decay, Definition, rounded};

pub(super) const RMSPROP: Definition = Definition {
    name: "rmsprop",
    keys: &[("alpha", 0.99), ("eps", 1e-8)],
    decay: Decay::Coupled,
    state_passes: 3.0,
    rule: CompiledRule::of::<RmsProp>(),
    scalars: |lr, &[alpha, eps, ..], _| rounded([-lr, alpha, 1.0 - alpha, eps]),
    search: None,
};

struct RmsProp;

impl Rule for RmsProp {
    const N_STATES: usize = 1;

    #[inline(always)]
    fn apply<R: Real>(scalars: &[R; N_SCALARS], w: R, g: R, [v, _]: &mut [R; 2]) -> R {
        let [rate, alpha, c, eps, ..] = *scalars;
        *v = alpha.fma(*v, c * g * g);
        rate.fma(g / (v.sqrt() + eps), w)
    }
}

#[cfg(test)]
mod tests {
    use crate::optimizers::tests::{assert_close, config, descend};

    #[test]
    fn it_follows_f64() {
        let (mut w, mut v) = (5.0_f64, 0.0_f64);
        let expected = std::iter::repeat_with(|| {
            let gradient = 3.0 * (w - 2.0);
            v = 0.99 * v + 0.01 * gradient * gradient;
            w -= 0.01 * gradient / (v.sqrt() + 1e-8);
            w
        });
        assert_close(&descend(&config("rmsprop", 0.01), 40), expected);
    }
}
