//! Each bug that can be planted in the core, and the tests that fail with it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use coordinator_core::faults::{Bug, plant};
use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRng, TestRunner};

use crate::model::steps::{Step, step};
use crate::model::world::TTL_MS;
use crate::{dispatch, trouble};

/// Random histories in which a bug must show.
const N_HISTORIES: u32 = 2_000;

/// Who catches a bug.
enum Catcher {
    /// The random histories, whatever the seed.
    Histories,
    /// A test of its own.
    Test(fn()),
}

/// Who catches a bug, and part of what is then said to be wrong.
fn catcher(bug: Bug) -> (Catcher, &'static str) {
    use Catcher::{Histories, Test};
    match bug {
        Bug::AttemptReused => (Histories, "attempt"),
        Bug::DrainIsLoss => (
            Test(crate::a_drained_worker_gives_its_trials_back_without_charge),
            "charged for the drain",
        ),
        Bug::DuplicateOverwrites => (
            Test(dispatch::a_copy_of_other_bits_is_a_conflict),
            "an acknowledged result is lost",
        ),
        Bug::FailureWithoutRequeue => (Histories, "waits if ready"),
        Bug::LateResultRefused => (Histories, "every attempt here was granted"),
        Bug::LossesUncounted => (
            Test(crate::a_trial_that_kills_every_worker_fails_after_its_budget_and_the_rest_ends),
            "the core equals its records",
        ),
        Bug::LostGrantNotResent => (
            Test(crate::grants_of_a_lost_reply_are_sent_again_with_the_same_attempt),
            "[(0, 1), (1, 1)]",
        ),
        Bug::NoFencing => {
            (Test(a_failure_of_a_stale_attempt_changes_nothing), "a stale failure counts")
        }
        Bug::RestartIsLoss => (
            Test(
                crate::trials_of_the_coordinators_own_workers_go_back_without_charge_when_it_restarts,
            ),
            "charged for the restart",
        ),
        Bug::SleepIsSilence | Bug::WallClockInLease => (
            Test(crate::silence_is_not_held_against_workers_while_the_coordinator_slept),
            "lost its session",
        ),
        Bug::StaleCheckpoint => (
            Test(trouble::a_lost_workers_trial_goes_on_elsewhere_from_the_last_checkpoint),
            "a stale lease publishes nothing",
        ),
    }
}

#[test]
fn every_planted_bug_is_caught() {
    for bug in Bug::ALL {
        plant(Some(bug));
        let (catcher, expected) = catcher(bug);
        let found = match catcher {
            Catcher::Histories => found_by_histories(),
            Catcher::Test(test) => catch_unwind(AssertUnwindSafe(test)).err().map(text_of),
        };
        plant(None);
        println!("{bug:?}: {found:?}");
        let is_caught = found.as_ref().is_some_and(|text| text.contains(expected));
        assert!(is_caught, "{bug:?}: expected `{expected}`, found {found:?}");
    }
    assert_eq!(found_by_histories(), None, "without a bug nothing is found");
}

fn text_of(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref().cloned()).unwrap_or_default()
}

/// What is wrong in one of the random histories.
fn found_by_histories() -> Option<String> {
    let config = ProptestConfig {
        cases: N_HISTORIES,
        max_shrink_iters: 0,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let histories = (any::<bool>(), prop::collection::vec(step(), 1..30));
    let told = runner.run(&histories, |(is_late, steps)| {
        crate::live_through(is_late, &steps);
        Ok(())
    });
    match told {
        Err(TestError::Fail(reason, _)) => Some(reason.message().to_owned()),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
        Ok(()) => None,
    }
}

/// Worker 0 is taken for lost, its trial goes to worker 1, and then it reports a failure.
#[test]
fn a_failure_of_a_stale_attempt_changes_nothing() {
    let mut world = crate::world_at_work();
    world.run(&Step::Wait(TTL_MS));
    world.join(1);
    let trial = world.running(0)[0];
    while !world.running(1).contains(&trial) {
        world.finish(1, false);
        world.sync(1, true);
    }
    world.finish(0, true);
    world.join(0);
    world.sync(0, true);
    assert_eq!(world.core.trial(trial).n_failures, 0, "a stale failure counts");
    world.sync(1, true);
    assert!(world.running(1).contains(&trial), "worker 1 trains on");
}
