//! What property tests share: cases that once failed come first, and a budget of time may be given.

use std::time::{Duration, Instant};

use proptest::{
    prelude::{ProptestConfig, Strategy},
    test_runner::{FileFailurePersistence, TestCaseError, TestRunner},
};

/// Runs a property on generated cases: those that once failed, which a file of this crate keeps, and
/// fresh ones, `n_cases` of them or as many as fit into `SWEEP_PROPERTY_SECONDS`.
#[track_caller]
pub fn property<S: Strategy>(
    failed_before: &'static str,
    n_cases: u32,
    cases: &S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let seconds = std::env::var("SWEEP_PROPERTY_SECONDS").ok();
    let seconds =
        seconds.map(|text| text.parse().expect("SWEEP_PROPERTY_SECONDS in whole seconds"));
    let ends = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let persistence = Box::new(FileFailurePersistence::Direct(failed_before));
    let config = ProptestConfig {
        cases: n_cases,
        failure_persistence: Some(persistence),
        ..ProptestConfig::default()
    };
    let mut n_run = 0;
    loop {
        if let Err(failure) = TestRunner::new(config.clone()).run(cases, &test) {
            panic!("{failure}");
        }
        n_run += n_cases;
        if ends.is_none_or(|ends| ends <= Instant::now()) {
            break;
        }
    }
    println!("{n_run} cases");
}
