//! Momentum (Polyak 1964) and Nesterov's variant in the form of Sutskever et al., ICML 2013:
//! v = mu v + g; w -= lr v, or w -= lr (mu v + g).

pub(super) fn heavy_ball(lr: f32, mu: f32, w: f32, g: f32, state: &mut [f32; 2]) -> f32 {
    state[0] = mu.mul_add(state[0], g);
    (-lr).mul_add(state[0], w)
}

pub(super) fn nesterov(lr: f32, mu: f32, w: f32, g: f32, state: &mut [f32; 2]) -> f32 {
    state[0] = mu.mul_add(state[0], g);
    (-lr).mul_add(mu.mul_add(state[0], g), w)
}

#[cfg(test)]
mod tests {
    use crate::config::OptimizerKind;
    use crate::optimizers::tests::{assert_close, config, descend};

    #[test]
    fn both_follow_f64() {
        for kind in [OptimizerKind::Momentum, OptimizerKind::Nesterov] {
            let (mut w, mut velocity) = (5.0_f64, 0.0);
            let expected = std::iter::repeat_with(|| {
                let gradient = 3.0 * (w - 2.0);
                velocity = 0.9 * velocity + gradient;
                let ahead = 0.9 * velocity + gradient;
                w -= 0.02 * if kind == OptimizerKind::Momentum { velocity } else { ahead };
                w
            });
            assert_close(&descend(&config(kind, 0.02), 30), expected);
        }
    }
}
