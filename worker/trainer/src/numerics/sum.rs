//! Sums of f64 in the contract's order: 16 virtual lanes, then a fixed tree.

pub(crate) const N_LANES: usize = 16;

/// Sixteen running sums; the term with index i goes to lane i mod 16, indices ascending.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LaneSum([f64; N_LANES]);

impl LaneSum {
    pub(crate) fn new() -> Self {
        Self([0.0; N_LANES])
    }

    pub(crate) fn add(&mut self, index: usize, term: f64) {
        self.0[index % N_LANES] += term;
    }

    pub(crate) fn lanes_mut(&mut self) -> &mut [f64; N_LANES] {
        &mut self.0
    }

    /// The tree: s\[k\] += s\[k + 8\], then + 4, + 2, + 1.
    pub(crate) fn total(mut self) -> f64 {
        for width in [8, 4, 2, 1] {
            for k in 0..width {
                self.0[k] += self.0[k + width];
            }
        }
        self.0[0]
    }
}

/// The sum of the terms by lanes of their position.
pub(crate) fn lane_sum(terms: impl IntoIterator<Item = f64>) -> f64 {
    let mut sum = LaneSum::new();
    terms.into_iter().enumerate().for_each(|(index, term)| sum.add(index, term));
    sum.total()
}
