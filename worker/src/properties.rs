//! How properties are tried: a short run by default, and as long as `SWEEP_PROPERTY_SECONDS` says,
//! each property for itself.

use std::{
    env,
    time::{Duration, Instant},
};

use proptest::{
    prelude::*,
    test_runner::{TestCaseResult, TestRunner},
};

/// Tries a property, whose failures are saved beside its crate under the name of `file`.
pub(crate) fn check<S: Strategy>(
    file: &'static str,
    strategy: S,
    property: impl Fn(S::Value) -> TestCaseResult,
) {
    let config =
        ProptestConfig { cases: 128, source_file: Some(file), ..ProptestConfig::default() };
    let seconds = env::var("SWEEP_PROPERTY_SECONDS").ok().and_then(|text| text.parse().ok());
    let budget = Duration::from_secs(seconds.unwrap_or(0));
    let began = Instant::now();
    let mut runner = TestRunner::new(config);
    loop {
        if let Err(error) = runner.run(&strategy, &property) {
            panic!("{error}\n{runner}");
        }
        if began.elapsed() >= budget {
            return;
        }
    }
}
