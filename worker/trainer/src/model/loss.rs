//! Softmax and cross-entropy of one sample, by the contract.

use crate::numerics::exp::exp32;
use crate::numerics::sum::lane_sum;

/// What the network should answer: all weight on the label, or some spread over all classes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Targets {
    /// The target of the right class.
    pub label: f32,
    /// The target of every other class.
    pub others: f32,
}

impl Targets {
    pub(crate) const PLAIN: Self = Self { label: 1.0, others: 0.0 };

    pub(crate) fn smoothed(smoothing: f64, n_classes: usize) -> Self {
        let others = smoothing / n_classes as f64;
        Self { label: (1.0 - smoothing + others) as f32, others: others as f32 }
    }

    pub(crate) fn of(self, class: usize, label: usize) -> f32 {
        if class == label { self.label } else { self.others }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SampleLoss {
    pub loss: f64,
    /// The largest logit, ties to the lowest index, is the label's and none is NaN.
    pub is_correct: bool,
}

/// Loss of one sample; its logits, the first `n_classes` of the row, become softmax probabilities.
/// `exp_below` replaces each x of the row by exp(x - max).
pub(crate) fn softmax(
    row: &mut [f32],
    n_classes: usize,
    label: usize,
    targets: Targets,
    exp_below: impl FnOnce(&mut [f32], f32),
) -> SampleLoss {
    let logits = &row[..n_classes];
    let mut max = logits[0];
    let mut argmax = 0;
    for (class, &z) in logits.iter().enumerate() {
        if z > max {
            (max, argmax) = (z, class);
        }
    }
    let is_correct = argmax == label && !logits.iter().any(|z| z.is_nan());
    let distances = logits.iter().enumerate().map(|(class, &z)| {
        let target = targets.of(class, label);
        let distance = f64::from(max) - f64::from(z);
        if target == 0.0 { 0.0 } else { f64::from(target) * distance }
    });
    let distance = lane_sum(distances);
    exp_below(row, max);
    let exponentials = &mut row[..n_classes];
    let total = lane_sum(exponentials.iter().map(|&e| f64::from(e)));
    exponentials.iter_mut().for_each(|e| *e /= total as f32);
    SampleLoss { loss: libm::log(total) + distance, is_correct }
}

/// The plain way to fill `exp_below` of `softmax`.
pub(crate) fn exp_each(row: &mut [f32], max: f32) {
    row.iter_mut().for_each(|x| *x = exp32(*x - max));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn softmax(logits: &mut [f32], label: usize, targets: Targets) -> SampleLoss {
        super::softmax(logits, logits.len(), label, targets, exp_each)
    }

    #[test]
    fn equal_logits_lose_ln_n() {
        let mut logits = [3.0; 4];
        let sample = softmax(&mut logits, 2, Targets::PLAIN);
        assert!((sample.loss - libm::log(4.0)).abs() < 1e-12);
        assert_eq!(logits, [0.25; 4]);
        assert!(!sample.is_correct, "the lowest index wins a tie");
        assert!(softmax(&mut [3.0; 4], 0, Targets::PLAIN).is_correct);
    }

    #[test]
    fn a_nan_logit_is_wrong_and_its_loss_is_nan() {
        let sample = softmax(&mut [5.0, f32::NAN], 0, Targets::PLAIN);
        assert!(!sample.is_correct);
        assert!(sample.loss.is_nan());
    }

    #[test]
    fn smoothing_follows_its_textbook_form() {
        let z = [0.3_f32, -1.2, 2.0];
        let targets = Targets::smoothed(0.3, 3);
        let total: f64 = libm::exp(0.3) + libm::exp(-1.2) + libm::exp(2.0);
        let cross = |class: usize| libm::log(total) - f64::from(z[class]);
        let expected = 0.8 * cross(1) + 0.1 * cross(0) + 0.1 * cross(2);
        let sample = softmax(&mut z.clone(), 1, targets);
        assert!((sample.loss - expected).abs() < 1e-6);
    }
}
