//! The undisturbed run that all others must equal.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use e2e::{Env, Sweep, canonical_files};

/// The canonical files of `Sweep::LONG`, from one worker with one slot.
pub fn of_long() -> &'static BTreeMap<&'static str, String> {
    static REFERENCE: OnceLock<BTreeMap<&'static str, String>> = OnceLock::new();
    REFERENCE.get_or_init(|| {
        let env = crate::env();
        env.run(&Sweep::LONG, &["--local-slots", "1"]);
        canonical_files(&env.report(&Sweep::LONG))
    })
}

/// The run of `Sweep::LONG` in `env` came to the same, with each trial once.
#[track_caller]
pub fn assert_same(env: &Env) {
    assert_same_files(env);
    let status = env.status(&Sweep::LONG);
    assert_eq!(status.n_completed, Sweep::LONG.n_trials(), "{}", status.text);
}

/// The same, where the state lies elsewhere.
#[track_caller]
pub fn assert_same_files(env: &Env) {
    assert_eq!(&canonical_files(&env.report(&Sweep::LONG)), of_long());
}
