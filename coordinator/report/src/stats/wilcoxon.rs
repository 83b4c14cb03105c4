//! Exact Wilcoxon signed-rank test with Pratt's treatment of zeros.

/// Fewer pairs than this cannot reach p < 0.05 whatever they show.
pub(crate) const MIN_PAIRS: usize = 6;

/// The work grows with the third power of the pairs; sweeps have far fewer seeds.
const MAX_PAIRS: usize = 200;

/// Two-sided exact p of paired differences: zeros take part in the ranking and are then dropped
/// (Pratt 1959), ties share their mean rank. `None` for fewer than `MIN_PAIRS` pairs.
pub(crate) fn wilcoxon_p(differences: &[f64]) -> Option<f64> {
    if !(MIN_PAIRS..=MAX_PAIRS).contains(&differences.len()) {
        return None;
    }
    let ranks = doubled_ranks(differences);
    let signed = || ranks.iter().zip(differences).filter(|(_, d)| **d != 0.0);
    let total: usize = signed().map(|(rank, _)| rank).sum();
    let positive: usize = signed().filter(|(_, d)| **d > 0.0).map(|(rank, _)| rank).sum();
    let smaller = positive.min(total - positive);

    // shares[s]: the share of all sign patterns whose positive ranks sum up to s.
    let mut shares = vec![0.0; total + 1];
    shares[0] = 1.0;
    for (&rank, _) in signed() {
        for sum in (0..=total).rev() {
            let with = if sum >= rank { shares[sum - rank] } else { 0.0 };
            shares[sum] = 0.5 * shares[sum] + 0.5 * with;
        }
    }
    let tail: f64 = shares[..=smaller].iter().sum();
    Some((2.0 * tail).min(1.0))
}

/// Twice the rank of each absolute difference, so that shared ranks stay whole.
fn doubled_ranks(differences: &[f64]) -> Vec<usize> {
    let sizes: Vec<f64> = differences.iter().map(|d| d.abs()).collect();
    sizes
        .iter()
        .map(|size| {
            let below = sizes.iter().filter(|other| *other < size).count();
            let equal = sizes.iter().filter(|other| *other == size).count();
            2 * below + equal + 1
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixtures_wilcoxon::CASES;
    use super::*;

    #[test]
    fn exact_p_agrees_with_enumeration() {
        for &(differences, expected) in CASES {
            let p = wilcoxon_p(differences).unwrap();
            assert!((p - expected).abs() < 1e-12, "{differences:?}: {p} against {expected}");
        }
    }

    #[test]
    fn five_pairs_are_too_few() {
        assert_eq!(wilcoxon_p(&[1.0, 2.0, 3.0, 4.0, 5.0]), None);
    }
}
