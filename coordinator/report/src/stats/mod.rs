//! Statistics in our own code: every sum runs in the order of its input, so that the printed digits
//! never depend on threads.

mod bootstrap;
#[cfg(test)]
mod fixtures_student;
#[cfg(test)]
mod fixtures_wilcoxon;
mod multiple;
mod philox;
mod student;
mod wilcoxon;

pub(crate) use bootstrap::bootstrap_interval;
pub(crate) use multiple::holm;
pub(crate) use student::{PairedTest, paired_t, t_interval};
pub(crate) use wilcoxon::{MIN_PAIRS, wilcoxon_p};

/// Arithmetic mean; `None` for an empty slice.
pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Sample standard deviation (n - 1 below the line); `None` for fewer than two values.
pub(crate) fn sd(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let mean = mean(values)?;
    let squares: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

/// Middle value, or the mean of the two middle ones; `None` for an empty slice.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    match n {
        0 => None,
        _ if n % 2 == 1 => Some(sorted[n / 2]),
        _ => Some(f64::midpoint(sorted[n / 2 - 1], sorted[n / 2])),
    }
}

/// Expected best of k points drawn without replacement from `values`, for k from 1 to their number
/// or `max_k`: the mean of the largest over all subsets of size k, sum of v_(i) C(i-1, k-1) / C(n, k) (after Dodge et al.,
/// "Show Your Work", 2019, there with replacement).
pub(crate) fn best_of_k(values: &[f64], max_k: usize) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    (1..=n.min(max_k))
        .map(|k| {
            // The weight of the largest value is k / n; each step down multiplies it by
            // C(i-2, k-1) / C(i-1, k-1) = (i - k) / (i - 1).
            let mut weight = k as f64 / n as f64;
            let mut sum = 0.0;
            for i in (k..=n).rev() {
                sum += sorted[i - 1] * weight;
                if i > 1 {
                    weight *= (i - k) as f64 / (i - 1) as f64;
                }
            }
            sum
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mean_sd_and_median_of_known_values() {
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        assert_eq!(mean(&values), Some(5.0));
        assert!((sd(&values).unwrap() - (32.0_f64 / 7.0).sqrt()).abs() < 1e-15);
        assert_eq!(median(&values), Some(4.5));
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!((mean(&[]), sd(&[1.0]), median(&[])), (None, None, None));
    }

    #[test]
    fn best_of_k_equals_the_mean_over_all_subsets() {
        let values = [0.3, 0.9, 0.1, 0.7, 0.5];
        let curve = best_of_k(&values, 99);
        assert_eq!(best_of_k(&values, 3), curve[..3]);
        for k in 1..=values.len() {
            let mut bests = Vec::new();
            for subset in 0_u32..1 << values.len() {
                if subset.count_ones() as usize == k {
                    let inside = (0..values.len()).filter(|i| subset >> i & 1 == 1);
                    bests.push(inside.map(|i| values[i]).fold(f64::MIN, f64::max));
                }
            }
            assert!((curve[k - 1] - mean(&bests).unwrap()).abs() < 1e-12, "k = {k}");
        }
    }
}
