//! RMSProp (Hinton, Neural networks for machine learning, lecture 6, 2012), eps outside the root:
//! v = alpha v + (1 - alpha) g^2; w -= lr g / (sqrt(v) + eps).

pub(super) fn apply(
    lr: f32,
    [alpha, c]: [f32; 2],
    eps: f32,
    w: f32,
    g: f32,
    state: &mut [f32; 2],
) -> f32 {
    state[0] = alpha.mul_add(state[0], (c * g) * g);
    (-lr).mul_add(g / (state[0].sqrt() + eps), w)
}

#[cfg(test)]
mod tests {
    use crate::config::OptimizerKind;
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
        assert_close(&descend(&config(OptimizerKind::RmsProp, 0.01), 40), expected);
    }
}
