//! Dropout of hidden units (Srivastava et al., JMLR 15, 2014) by counters, so that a mask can be
//! drawn again.

use crate::numerics::rng::{Purpose, draw};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Dropout {
    seed: u32,
    /// A unit is kept iff its word is at least this.
    threshold: f64,
    /// The factor of what is kept.
    pub scale: f32,
}

impl Dropout {
    /// `None` if nothing is dropped.
    pub(crate) fn new(share: f64, seed: u32) -> Option<Self> {
        let threshold = share * 4_294_967_296.0;
        let scale = (1.0 / (1.0 - share)) as f32;
        (share > 0.0).then_some(Self { seed, threshold, scale })
    }

    /// Drops units of one sample's activations. `layer` counts from 1, `position` from 0 in the
    /// batch.
    pub(crate) fn apply(&self, step: u64, layer: usize, position: usize, units: &mut [f32]) {
        for (group, four) in units.chunks_mut(4).enumerate() {
            let counter = [step as u32, layer as u32, position as u32, group as u32];
            let words = draw(self.seed, Purpose::Dropout, counter);
            for (unit, word) in four.iter_mut().zip(words) {
                *unit = if f64::from(word) >= self.threshold { *unit * self.scale } else { 0.0 };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_drops_its_share_and_keeps_the_mean() {
        let dropout = Dropout::new(0.3, 5).unwrap();
        let mut units = vec![1.0; 100_000];
        dropout.apply(1, 1, 0, &mut units);
        let kept = units.iter().filter(|&&x| x != 0.0).count();
        assert!((69_000..71_000).contains(&kept), "{kept}");
        assert!(units.iter().all(|&x| x == 0.0 || x == 1.0 / 0.7));
        let mut again = vec![1.0; 100_000];
        dropout.apply(1, 1, 0, &mut again);
        assert_eq!(units, again);
        dropout.apply(2, 1, 0, &mut again);
        assert_ne!(units, again);
        assert!(Dropout::new(0.0, 5).is_none());
    }
}
