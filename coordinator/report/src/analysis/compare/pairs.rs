//! Every two optimizers compared over their matched points.

use super::paired::{Paired, compare, compare_best, match_points};
use crate::analysis::sweep::Sweep;
use crate::stats::{self, PairedTest};

pub(crate) struct OptimizerPair {
    pub(crate) first: String,
    pub(crate) second: String,
    /// The first is its better side: gains are positive when the first is better.
    pub(crate) paired: Paired,
    /// After Holm's correction over all pairs.
    pub(crate) p: Option<f64>,
}

impl OptimizerPair {
    /// The one that is better beyond doubt, if there is one: interval and corrected p agree.
    pub(crate) fn winner(&self) -> Option<&str> {
        let test = self.paired.test?;
        if self.p? >= 0.05 {
            return None;
        }
        if test.low > 0.0 {
            Some(&self.first)
        } else if test.high < 0.0 {
            Some(&self.second)
        } else {
            None
        }
    }
}

/// The best point of each of two optimizers, seed by seed, and whether on confirm seeds; `None`
/// with fewer than two seeds.
pub(crate) fn best_against_best(
    sweep: &Sweep<'_>,
    first: &str,
    second: &str,
) -> Option<(PairedTest, bool)> {
    let better = sweep.best(sweep.points_of(first))?;
    let than = sweep.best(sweep.points_of(second))?;
    let (paired, is_confirmed) = compare_best(sweep, better, than);
    Some((paired.test?, is_confirmed))
}

pub(crate) fn optimizer_pairs(sweep: &Sweep<'_>) -> Vec<OptimizerPair> {
    let mut pairs = Vec::new();
    for (index, first) in sweep.optimizers.iter().enumerate() {
        for second in &sweep.optimizers[index + 1..] {
            let (a, b) = (sweep.points_of(first), sweep.points_of(second));
            let (matches, n_alone) = match_points(sweep, &a, &b, &["optimizer"]);
            let paired = compare(sweep, &matches, n_alone);
            pairs.push(OptimizerPair {
                first: first.clone(),
                second: second.clone(),
                paired,
                p: None,
            });
        }
    }
    let raw: Vec<f64> = pairs.iter().filter_map(|pair| Some(pair.paired.test?.p)).collect();
    let tested = pairs.iter_mut().filter(|pair| pair.paired.test.is_some());
    for (pair, p) in tested.zip(stats::holm(&raw)) {
        pair.p = Some(p);
    }
    pairs
}
