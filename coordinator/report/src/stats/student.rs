//! Student's t: distribution function by the incomplete beta function, quantiles, and the intervals
//! and tests that rest on them.

use super::{mean, sd};

/// Regularized incomplete beta function I_x(a, b) for a, b > 0 and x in [0, 1], by Lentz's
/// evaluation of its continued fraction (Abramowitz and Stegun 26.5.8).
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let log_front = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b)
        + a * libm::log(x)
        + b * libm::log1p(-x);
    let front = libm::exp(log_front);
    // The fraction converges fast on this side of the mean; the symmetry serves the other.
    if x < (a + 1.0) / (a + b + 2.0) {
        front * beta_fraction(a, b, x) / a
    } else {
        1.0 - front * beta_fraction(b, a, 1.0 - x) / b
    }
}

fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    const MAX_TERMS: u32 = 500;
    let away_from_zero = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for term in 1..=MAX_TERMS {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away_from_zero(1.0 + even * d);
        c = away_from_zero(1.0 + even / c);
        value *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away_from_zero(1.0 + odd * d);
        c = away_from_zero(1.0 + odd / c);
        value *= d * c;
        if (d * c - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}

/// Two-sided p of |t| with `df` degrees of freedom.
fn two_sided_p(t: f64, df: f64) -> f64 {
    incomplete_beta(df / 2.0, 0.5, df / (df + t * t))
}

/// The t that leaves `tail` (0 to 1, both sides together) outside of [-t, t]; by bisection.
fn two_sided_quantile(tail: f64, df: f64) -> f64 {
    let mut low = 0.0;
    let mut high = 1.0;
    while two_sided_p(high, df) > tail {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if two_sided_p(middle, df) > tail {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// Half the width of the 95 % t interval of the mean; `None` for fewer than two values.
pub(crate) fn t_interval(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    Some(two_sided_quantile(0.05, n - 1.0) * sd(values)? / n.sqrt())
}

/// What n paired differences say of their mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PairedTest {
    pub(crate) mean: f64,
    /// 95 % t interval of the mean.
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// Two-sided, against a mean of 0.
    pub(crate) p: f64,
}

/// Paired t test; `None` for fewer than two differences. Differences that are all equal make an
/// interval of no width and a p of 0, or of 1 if all are 0.
pub(crate) fn paired_t(differences: &[f64]) -> Option<PairedTest> {
    let half = t_interval(differences)?;
    let mean = mean(differences)?;
    let n = differences.len() as f64;
    let error = sd(differences)? / n.sqrt();
    let p = match (mean == 0.0, error == 0.0) {
        (true, _) => 1.0,
        (false, true) => 0.0,
        (false, false) => two_sided_p(mean / error, n - 1.0),
    };
    Some(PairedTest { mean, low: mean - half, high: mean + half, p })
}

#[cfg(test)]
mod tests {
    use super::super::fixtures_student::{P_VALUES, PAIRED, QUANTILES};
    use super::*;

    #[test]
    fn quantiles_agree_with_scipy() {
        for &(df, expected) in QUANTILES {
            let t = two_sided_quantile(0.05, df);
            assert!((t / expected - 1.0).abs() < 1e-11, "df {df}: {t} against {expected}");
        }
    }

    #[test]
    fn p_values_agree_with_scipy() {
        for &(t, df, expected) in P_VALUES {
            let p = two_sided_p(t, df);
            assert!((p / expected - 1.0).abs() < 1e-10, "t {t}, df {df}: {p} against {expected}");
        }
    }

    #[test]
    fn paired_test_agrees_with_scipy() {
        for &(differences, mean, low, high, p) in PAIRED {
            let test = paired_t(differences).unwrap();
            for (ours, theirs) in
                [(test.mean, mean), (test.low, low), (test.high, high), (test.p, p)]
            {
                assert!((ours / theirs - 1.0).abs() < 1e-9, "{ours} against {theirs}");
            }
        }
    }

    #[test]
    fn equal_differences_are_certain_and_zeros_say_nothing() {
        assert_eq!(paired_t(&[0.25, 0.25]).unwrap().p, 0.0);
        assert_eq!(paired_t(&[0.0, 0.0, 0.0]).unwrap().p, 1.0);
        assert_eq!(paired_t(&[0.5]), None);
    }
}
