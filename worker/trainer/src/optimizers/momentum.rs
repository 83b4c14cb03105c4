//! Momentum (Polyak 1964) and Nesterov's variant in the form of Sutskever et al., ICML 2013:
//! v = mu v + g; w -= lr v, or w -= lr (mu v + g).

use crate::kernels::{CompiledRule, N_SCALARS, Rule};
use crate::numerics::real::Real;
use crate::optimizers::definition::{Decay, Definition, rounded};

pub(super) const MOMENTUM: Definition = Definition {
    name: "momentum",
    keys: &[("momentum", 0.9)],
    decay: Decay::Coupled,
    state_passes: 2.0,
    rule: CompiledRule::of::<Momentum>(),
    scalars: |lr, &[mu, ..], _| rounded([-lr, mu]),
    search: None,
};

pub(super) const NESTEROV: Definition =
    Definition { name: "nesterov", rule: CompiledRule::of::<Nesterov>(), ..MOMENTUM };

struct Momentum;

impl Rule for Momentum {
    const N_STATES: usize = 1;

    #[inline(always)]
    fn apply<R: Real>(&[rate, mu, ..]: &[R; N_SCALARS], w: R, g: R, [v, _]: &mut [R; 2]) -> R {
        *v = mu.fma(*v, g);
        rate.fma(*v, w)
    }
}

struct Nesterov;

impl Rule for Nesterov {
    const N_STATES: usize = 1;

    #[inline(always)]
    fn apply<R: Real>(&[rate, mu, ..]: &[R; N_SCALARS], w: R, g: R, [v, _]: &mut [R; 2]) -> R {
        *v = mu.fma(*v, g);
        rate.fma(mu.fma(*v, g), w)
    }
}

#[cfg(test)]
mod tests {
    use crate::optimizers::tests::{assert_close, config, descend};

    #[test]
    fn both_follow_f64() {
        for name in ["momentum", "nesterov"] {
            let (mut w, mut velocity) = (5.0_f64, 0.0);
            let expected = std::iter::repeat_with(|| {
                let gradient = 3.0 * (w - 2.0);
                velocity = 0.9 * velocity + gradient;
                let ahead = 0.9 * velocity + gradient;
                w -= 0.02 * if name == "momentum" { velocity } else { ahead };
                w
            });
            assert_close(&descend(&config(name, 0.02), 30), expected);
        }
    }
}
