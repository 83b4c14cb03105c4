//! Reference values of the exact signed-rank test, computed by enumerating all 2^n sign patterns over
//! scipy.stats.rankdata ranks (scipy 1.17.1); rows without zeros or ties also equal
//! scipy.stats.wilcoxon(method="exact").

/// Differences and their two-sided p.
pub(super) const CASES: &[(&[f64], f64)] = &[
    (&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 0.03125),
    (&[-1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 0.0625),
    (&[1.0, -2.0, 3.0, -4.0, 5.0, 6.0, 7.0], 0.21875),
    (&[0.5, -0.1, 0.3, 0.2, 0.9, 1.1, -0.7, 0.4], 0.1484375),
    (&[0.0, 1.0, 2.0, -3.0, 4.0, 5.0, 6.0], 0.125),
    (&[0.0, 0.0, 1.0, 1.0, -1.0, 2.0, 2.0, 3.0], 0.125),
    (&[0.0, 0.0, 0.0, 0.0, 0.0, 0.0], 1.0),
    (&[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, -1.0, -1.0, 2.0, 2.0], 0.072265625),
    (
        &[-1.542, 0.065, -0.967, 0.571, 0.457, 0.113, -2.217, -0.239, 0.251, 0.413, -1.23, -0.178],
        0.4697265625,
    ),
];
