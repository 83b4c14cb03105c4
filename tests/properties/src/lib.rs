//! How a property is tried: on the cases that once failed, and on fresh ones for as long as
//! `SWEEP_PROPERTY_SECONDS` says.

use std::env;
use std::time::{Duration, Instant};

use proptest::prelude::{ProptestConfig, Strategy};
use proptest::test_runner::{FileFailurePersistence, TestCaseResult, TestRunner};

/// Runs a property on generated cases: those that once failed, which the file `failed_before` of the
/// crate keeps, and fresh ones, `n_cases` of them or as many as fit into `SWEEP_PROPERTY_SECONDS`.
///
/// # Panics
///
/// The property does not hold; the text has the smallest case found. Or the variable is not whole
/// seconds.
#[track_caller]
pub fn check<S: Strategy>(
    failed_before: &'static str,
    n_cases: u32,
    cases: &S,
    property: impl Fn(S::Value) -> TestCaseResult,
) {
    let seconds = env::var("SWEEP_PROPERTY_SECONDS").ok();
    let seconds =
        seconds.map(|text| text.parse().expect("SWEEP_PROPERTY_SECONDS in whole seconds"));
    let ends = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let config = ProptestConfig {
        cases: n_cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(failed_before))),
        ..ProptestConfig::default()
    };
    let mut n_tried = 0_u64;
    loop {
        if let Err(failure) = TestRunner::new(config.clone()).run(cases, &property) {
            panic!("{failure}");
        }
        n_tried += u64::from(n_cases);
        if ends.is_none_or(|ends| ends <= Instant::now()) {
            break;
        }
    }
    println!("{n_tried} cases");
}
