//! Lion (Chen et al., arXiv 2302.06675): u = sign(b1 m + (1 - b1) g); w -= lr u;
//! m = b2 m + (1 - b2) g. Its decay is decoupled.

use crate::kernels::{CompiledRule, N_SCALARS, Rule};
use crate::numerics::real::Real;
use crate::optimizers::definition::{Decay, Definition, rounded};

pub(super) const LION: Definition = Definition {
    name: "lion",
    keys: &[("beta1", 0.9), ("beta2", 0.99)],
    decay: Decay::Decoupled,
    state_passes: 2.0,
    rule: CompiledRule::of::<Lion>(),
    scalars: |lr, &[beta1, beta2, ..], _| rounded([-lr, beta1, 1.0 - beta1, beta2, 1.0 - beta2]),
    search: None,
};

struct Lion;

impl Rule for Lion {
    const N_STATES: usize = 1;

    #[inline(always)]
    fn apply<R: Real>(scalars: &[R; N_SCALARS], w: R, g: R, [m, _]: &mut [R; 2]) -> R {
        let [rate, b1, c1, b2, c2, _] = *scalars;
        let direction = sign(b1.fma(*m, c1 * g));
        *m = b2.fma(*m, c2 * g);
        rate.fma(direction, w)
    }
}

/// 1, -1, or +0 for zeros and NaN.
#[inline(always)]
fn sign<R: Real>(x: R) -> R {
    let zero = x.constant(0.0);
    let positive = zero.select_less(x, x.constant(1.0), zero);
    x.select_less(zero, x.constant(-1.0), positive)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimizers::tests::{assert_close, config, descend};

    #[test]
    fn it_follows_f64() {
        let mut config = config("lion", 0.03);
        config.weight_decay = 0.1;
        let (mut w, mut m) = (5.0_f64, 0.0_f64);
        let expected = std::iter::repeat_with(|| {
            let gradient = 3.0 * (w - 2.0);
            let direction = (0.9 * m + 0.1 * gradient).signum();
            m = 0.99 * m + 0.01 * gradient;
            w -= 0.03 * (direction + 0.1 * w);
            w
        });
        assert_close(&descend(&config, 50), expected);
    }

    #[test]
    fn the_sign_of_a_zero_is_zero() {
        let signs = [0.0_f32, -0.0, f32::NAN, 1e-40, -1e-40].map(|x| sign(x).to_bits());
        assert_eq!(signs, [0.0_f32, 0.0, 0.0, 1.0, -1.0].map(f32::to_bits));
    }
}
