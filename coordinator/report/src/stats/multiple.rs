//! Holm's correction for several tests at once.

/// Corrected p-values in the order given: the i-th smallest of m is multiplied by m - i + 1, never
/// falls below its predecessors, and is at most 1 (Holm 1979).
pub(crate) fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut corrected = vec![0.0; p_values.len()];
    let mut floor: f64 = 0.0;
    for (done, &index) in order.iter().enumerate() {
        let left = (p_values.len() - done) as f64;
        floor = floor.max((left * p_values[index]).min(1.0));
        corrected[index] = floor;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_statsmodels() {
        // statsmodels.stats.multitest.multipletests(p, method="holm")[1].
        let p = [0.01, 0.04, 0.03, 0.005, 0.6];
        let expected = [0.04, 0.09, 0.09, 0.025, 0.6];
        for (ours, theirs) in holm(&p).iter().zip(expected) {
            assert!((ours - theirs).abs() < 1e-15, "{ours} against {theirs}");
        }
        assert!(holm(&[]).is_empty());
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
    }
}
