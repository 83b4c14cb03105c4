//! The bounds of losses and gradient norms: what numbers of 32 bits can give.

use std::f64::consts::LN_2;
use std::fmt::Display;

use trial::{Breach, finite_and_not_negative};

/// No loss is larger. A sample's loss is the logarithm of a sum of exponentials, each at most 1, plus
/// the distances of its logits from the largest one, weighted by targets that add up to 1. Where the
/// loss is finite, the logits that count are finite f32, so that a distance is at most 2 x `f32::MAX`,
/// 6.81e38. The rest, 2 % of it, is far more than the logarithm and the rounding of the targets, of
/// the weighted sum and of the mean over samples can add.
const MAX_LOSS: f64 = 7e38;

/// No gradient's norm is larger. Its square is a sum of squares of f32, one for each weight and bias,
/// or, in a line search's Gram form, of products of two f32, one for each pair of a batch's samples.
/// `check_size` lets either be fewer than 2^32: the norm is at most 2^16 x `f32::MAX`, 2.23e43.
const MAX_NORM: f64 = 2.3e43;

/// A sample that is answered wrongly loses at least ln 2: some other class has a logit that is not
/// below the label's, which leaves the label at most half of what the two have. Smoothed targets
/// lose no less, since what they take from the label is spread over classes that share the same
/// total. The exponentials are off by 2^-23 of their value at most, the targets by 2^-24.
const ROUNDING: f64 = 1e-5;

/// A mean loss beside the accuracy over the same samples.
pub(crate) fn loss(field: impl Display, found: f64, accuracy: f64) -> Result<(), Breach> {
    at_most(&field, found, MAX_LOSS)?;
    let least = (1.0 - accuracy) * LN_2 * (1.0 - ROUNDING);
    if found >= least {
        return Ok(());
    }
    let expected =
        format!("{least:.6} or above, since each of the wrong answers loses at least ln 2");
    Err(Breach::new(field, found, expected))
}

/// A mean loss of which no accuracy is known.
pub(crate) fn lone_loss(field: impl Display, found: f64) -> Result<(), Breach> {
    at_most(&field, found, MAX_LOSS)
}

/// The norm of a gradient.
pub(crate) fn norm(field: impl Display, found: f64) -> Result<(), Breach> {
    at_most(&field, found, MAX_NORM)
}

fn at_most(field: &impl Display, found: f64, most: f64) -> Result<(), Breach> {
    finite_and_not_negative(field, found)?;
    if found <= most {
        return Ok(());
    }
    let expected = format!("{most:e} at most, the largest that numbers of 32 bits give");
    Err(Breach::new(field, found, expected))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::loss::{Targets, exp_each, softmax};

    /// Logits of any size, the ends of their range and ties among them.
    fn logits() -> impl Strategy<Value = Vec<f32>> {
        let extremes = vec![f32::MAX, -f32::MAX, 0.0, -0.0, 1e-45, 3.0, 3.000_000_2, -1e30];
        let logit = prop_oneof![
            prop::sample::select(extremes),
            -2.0..2.0_f32,
            any::<f32>().prop_filter("finite", |x| x.is_finite()),
        ];
        prop::collection::vec(logit, 2..40)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn no_sample_leaves_the_bounds(
            mut row in logits(),
            label in 0..40_usize,
            smoothing in prop::sample::select(vec![0.0, 1e-9, 0.1, 0.5, 0.999]),
        ) {
            let n_classes = row.len();
            let targets = match smoothing {
                0.0 => Targets::PLAIN,
                _ => Targets::smoothed(smoothing, n_classes),
            };
            let sample = softmax(&mut row, n_classes, label % n_classes, targets, exp_each);
            prop_assert!(sample.loss.is_finite());
            prop_assert_eq!(loss("loss", sample.loss, f64::from(sample.is_correct)), Ok(()));
        }
    }

    #[test]
    fn the_ends_of_the_range_are_within() {
        let mut row = [f32::MAX, -f32::MAX];
        let sample = softmax(&mut row, 2, 1, Targets::PLAIN, exp_each);
        assert!(sample.loss > 6.8e38);
        assert_eq!(loss("loss", sample.loss, 0.0), Ok(()));
        assert!(loss("loss", 7.1e38, 0.0).is_err() && norm("norm", 1e44).is_err());
    }
}
