//! Lion (Chen et al., arXiv 2302.06675): u = sign(b1 m + (1 - b1) g); w -= lr u;
//! m = b2 m + (1 - b2) g. Its decay is decoupled.

pub(super) fn apply(
    lr: f32,
    [b1, c1]: [f32; 2],
    [b2, c2]: [f32; 2],
    w: f32,
    g: f32,
    state: &mut [f32; 2],
) -> f32 {
    let direction = sign(b1.mul_add(state[0], c1 * g));
    state[0] = b2.mul_add(state[0], c2 * g);
    (-lr).mul_add(direction, w)
}

/// 1, -1, or +0 for zeros and NaN.
fn sign(x: f32) -> f32 {
    let positive = if x > 0.0 { 1.0 } else { 0.0 };
    if x < 0.0 { -1.0 } else { positive }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::OptimizerKind;
    use crate::optimizers::tests::{assert_close, config, descend};

    #[test]
    fn it_follows_f64() {
        let mut config = config(OptimizerKind::Lion, 0.03);
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
        let signs = [0.0, -0.0, f32::NAN, 1e-40, -1e-40].map(|x| sign(x).to_bits());
        assert_eq!(signs, [0.0_f32, 0.0, 0.0, 1.0, -1.0].map(f32::to_bits));
    }
}
