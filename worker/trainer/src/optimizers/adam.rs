//! Adam (Kingma and Ba, arXiv 1412.6980) and AdamW (Loshchilov and Hutter, arXiv 1711.05101), with
//! the bias corrections moved into step size and eps: m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2,
//! w -= a m / (sqrt(v) + e), a = lr sqrt(1 - b2^t) / (1 - b1^t), e = eps sqrt(1 - b2^t).

use crate::optimizers::rule::Rule;

/// `powers` become beta1^t and beta2^t of this step.
pub(super) fn rule(lr: f64, [beta1, beta2]: [f64; 2], eps: f64, powers: &mut [f64; 2]) -> Rule {
    powers[0] *= beta1;
    powers[1] *= beta2;
    let root = (1.0 - powers[1]).sqrt();
    Rule::Adam {
        a: (lr * root / (1.0 - powers[0])) as f32,
        b1: beta1 as f32,
        c1: (1.0 - beta1) as f32,
        b2: beta2 as f32,
        c2: (1.0 - beta2) as f32,
        e: (eps * root) as f32,
    }
}

pub(super) fn apply(
    [a, e]: [f32; 2],
    [b1, c1]: [f32; 2],
    [b2, c2]: [f32; 2],
    w: f32,
    g: f32,
    state: &mut [f32; 2],
) -> f32 {
    state[0] = b1.mul_add(state[0], c1 * g);
    state[1] = b2.mul_add(state[1], (c2 * g) * g);
    (-a).mul_add(state[0] / (state[1].sqrt() + e), w)
}

#[cfg(test)]
mod tests {
    use crate::config::OptimizerKind;
    use crate::optimizers::tests::{assert_close, config, descend};

    /// The textbook form with corrected moments.
    #[test]
    fn both_follow_f64() {
        for kind in [OptimizerKind::Adam, OptimizerKind::AdamW] {
            let mut config = config(kind, 0.05);
            config.weight_decay = 0.1;
            let (mut w, mut m, mut v, mut t) = (5.0_f64, 0.0, 0.0, 0);
            let expected = std::iter::repeat_with(|| {
                t += 1;
                let decoupled = kind == OptimizerKind::AdamW;
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
