//! Adam (Kingma and Ba, arXiv 1412.6980) and AdamW (Loshchilov and Hutter, arXiv 1711.05101), with
//! the bias corrections moved into step size and eps: m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2,
//! w -= a m / (sqrt(v) + e), a = lr sqrt(1 - b2^t) / (1 - b1^t), e = eps sqrt(1 - b2^t).

use crate::kernels::{CompiledRule, N_SCALARS, Rule};
use crate::numerics::real::Real;
use crate::optimizers::definition::{Decay, Definition, Numbers, rounded};

pub(crate) const ADAM: Definition = Definition {
    name: "adam",
    keys: &[("beta1", 0.9), ("beta2", 0.999), ("eps", 1e-8)],
    decay: Decay::Coupled,
    state_passes: 4.0,
    rule: CompiledRule::of::<Adam>(),
    scalars,
    search: None,
};

pub(super) const ADAMW: Definition = Definition { name: "adamw", decay: Decay::Decoupled, ..ADAM };

/// `powers` become beta1^t and beta2^t of this step.
fn scalars(lr: f64, numbers: &Numbers, powers: &mut [f64; 2]) -> [f32; N_SCALARS] {
    let [beta1, beta2, eps, ..] = *numbers;
    powers[0] *= beta1;
    powers[1] *= beta2;
    let root = (1.0 - powers[1]).sqrt();
    let a = lr * root / (1.0 - powers[0]);
    rounded([-a, beta1, 1.0 - beta1, beta2, 1.0 - beta2, eps * root])
}

struct Adam;

impl Rule for Adam {
    const N_STATES: usize = 2;

    #[inline(always)]
    fn apply<R: Real>(scalars: &[R; N_SCALARS], w: R, g: R, [m, v]: &mut [R; 2]) -> R {
        let [rate, b1, c1, b2, c2, e] = *scalars;
        *m = b1.fma(*m, c1 * g);
        *v = b2.fma(*v, c2 * g * g);
        rate.fma(*m / (v.sqrt() + e), w)
    }
}

#[cfg(test)]
mod tests {
    use crate::optimizers::tests::{assert_close, config, descend};

    /// The textbook form with corrected moments.
    #[test]
    fn both_follow_f64() {
        for name in ["adam", "adamw"] {
            let mut config = config(name, 0.05);
            config.weight_decay = 0.1;
            let (mut w, mut m, mut v, mut t) = (5.0_f64, 0.0, 0.0, 0);
            let expected = std::iter::repeat_with(|| {
                t += 1;
                let decoupled = name == "adamw";
                let gradient = 3.0 * (w - 2.0) + if decoupled { 0.0 } else { 0.1 * w };
                m = 0.9 * m + 0.1 * gradient;
                v = 0.999 * v + 0.001 * gradient * gradient;
                let (m_hat, v_hat): (f64, f64) =
                    (m / (1.0 - libm::pow(0.9, t.into())), v / (1.0 - libm::pow(0.999, t.into())));
                w -= 0.05 * (m_hat / (v_hat.sqrt() + 1e-8) + if decoupled { 0.1 * w } else { 0.0 });
                w
            });
            assert_close(&descend(&config, 60), expected);
        }
    }
}
