//! Reports of sweeps with `[confirm]`: fresh seeds alone judge what the grid's seeds selected.
//! Expected statistics come from scipy 1.17.1 (`scipy.stats.ttest_1samp` and its
//! `confidence_interval`).

use report::Best;
use report::input::{Failure, State};
use sweep::Phase;
use trial::Ending;

use super::{FRESH, GRID, confirmed, line, not_yet_confirmed, report};

#[test]
fn headline_claims_and_test_accuracy_come_from_the_confirm_seeds_alone() {
    let (built, page) = report(&confirmed(GRID, FRESH));
    assert!(
        line(&page, "**Best configuration: backtracking.**")
            .contains("Mean validation accuracy **97.20 % ± 0.50** over 3 confirm seeds")
    );
    assert!(page.contains("test accuracy is **96.20 % ± 0.50** (mean over 3 confirm seeds)"));
    assert!(page.contains("on the grid's 3 seeds, 98.10 % ± 0.25 there; next comes sgd"), "{page}");
    assert!(page.contains(
        "figures of best points in this section are of the confirm seeds 1000001 to 1000003 alone"
    ));
    assert_eq!(
        line(&page, "1. **backtracking"),
        "1. **backtracking beats sgd**: *holds*; effect +1.10 pt, interval +0.85 pt to +1.35 pt, \
         p = 0.003, 3 confirm seeds; backtracking against sgd."
    );
    assert!(page.contains("| 1000002 | 97.20 % | 96.10 % | +1.10 pt |"), "the seeds of the claim");
    assert!(page.contains("judged on the confirm seeds alone"));
    assert!(!page.contains("flatters"));
    let best = built.best.expect("a best point");
    assert_eq!((best.n_seeds, format!("{:.4}", best.mean)), (3, "0.9720".into()));
    assert_eq!(built.short_table[1][1..4], ["97.20 %", "0.50", "96.20 %"]);
    assert_eq!(
        best.trial_id,
        confirmed(GRID, FRESH).trials[0].id.to_string(),
        "the lowest grid seed"
    );
}

#[test]
fn the_grid_speaks_with_its_own_seeds() {
    let (_, page) = report(&confirmed(GRID, FRESH));
    let (_, without) = report(&not_yet_confirmed(GRID));
    for start in ["| backtracking − sgd |", "| 1 | backtracking |", "| 2 | sgd |"] {
        assert_eq!(line(&page, start), line(&without, start));
    }
    assert!(page.contains(
        "- Budget: 6 trials in 2 points, 1 epoch each; seeds 1, 2, 3. Then 6 trials of the \
         best points, with the fresh seeds 1000001 to 1000003."
    ));
}

#[test]
fn the_selection_stays_where_the_confirm_seeds_say_otherwise() {
    let (_, page) = report(&confirmed(GRID, [FRESH[1], FRESH[0]]));
    assert!(page.contains("**Best configuration: backtracking.**"));
    assert!(page.contains("On the confirm seeds it is behind sgd (97.20 % ± 0.50)."), "{page}");
    assert!(line(&page, "1. **backtracking").contains("*does not hold*; effect -1.10 pt"));
}

#[test]
fn before_the_confirm_phase_the_report_says_so() {
    let mut input = not_yet_confirmed(GRID);
    input.trials[5].state = State::Open;
    let (built, page) = report(&input);
    assert!(!built.counts.is_complete());
    assert!(page.contains(
        "**Not confirmed**: the best points are trained again with the fresh seeds 1000001 to 1000003 when \
         every trial of the grid has its outcome. So selection and judgement share"
    ), "{page}");
    assert!(page.contains("the verdicts on confirm seeds are still to come"));
    assert!(page.contains("**98.10 % ± 0.25** over 3 seeds"));
}

#[test]
fn a_confirm_phase_under_way_speaks_with_the_seeds_that_both_sides_have() {
    let mut input = confirmed(GRID, FRESH);
    for (index, trial) in input.trials.iter_mut().enumerate() {
        if trial.phase == Phase::Confirm && (index == 5 || trial.seed == 1_000_001) {
            trial.state = State::Open;
        }
    }
    // Backtracking has the second confirm seed, sgd the second and the third.
    let (built, page) = report(&input);
    assert!(!built.counts.is_complete());
    assert!(page.contains("**97.20 %** over 1 confirm seed"), "{page}");
    assert!(line(&page, "1. **backtracking").contains("effect +1.10 pt with 1 seed"));
    for trial in input.trials.iter_mut().filter(|trial| trial.phase == Phase::Confirm) {
        trial.state = State::Open;
    }
    let (_, page) = report(&input);
    assert!(page.contains("its trials with the fresh seeds 1000001 to 1000003 have no result yet"));
    assert!(page.contains("**98.10 % ± 0.25** over 3 seeds"));
}

#[test]
fn points_that_miss_seeds_for_good_are_not_confirmed() {
    let mut input = not_yet_confirmed(GRID);
    for index in [0, 3] {
        input.trials[index].state =
            State::Failed(Some(Failure { cause: "no memory".into(), n_attempts: 2 }));
    }
    let (_, page) = report(&input);
    assert!(page.contains("no point has the results of all its seeds"), "{page}");
    assert!(page.contains("no verdict on confirm seeds is to come"), "{page}");
    check_promises_nothing(&page);
}

fn check_promises_nothing(page: &str) {
    for promise in ["The best points follow", "still to come", "are trained again", " yet"] {
        assert!(!page.contains(promise), "{promise} in {page}");
    }
}

#[test]
fn where_nothing_trained_no_confirm_trial_is_promised() {
    let mut input = not_yet_confirmed(GRID);
    for trial in &mut input.trials {
        let State::Done(done) = &mut trial.state else { unreachable!() };
        done.ending = Ending::Diverged { step: 3, last_finite_loss: None };
    }
    let (_, page) = report(&input);
    assert!(
        line(&page, "- Budget:").ends_with(
            "None with the fresh seeds 1000001 to 1000003: every trial diverged, so there is no best \
             point to train again."
        ),
        "{page}"
    );
    check_promises_nothing(&page);
    input.trials[0].state = State::Open;
    let (_, page) = report(&input);
    assert!(line(&page, "- Budget:").contains("The best points follow"), "{page}");
}

#[test]
fn confirm_trials_that_failed_are_not_to_come() {
    let mut input = confirmed(GRID, FRESH);
    for trial in input.trials.iter_mut().filter(|trial| trial.phase == Phase::Confirm) {
        trial.state = State::Failed(Some(Failure { cause: "no memory".into(), n_attempts: 2 }));
    }
    let (_, page) = report(&input);
    assert!(page.contains("its trials with the fresh seeds 1000001 to 1000003 failed"), "{page}");
    check_promises_nothing(&page);
}

#[test]
fn without_confirm_the_headline_says_that_seeds_are_shared() {
    let mut input = not_yet_confirmed(GRID);
    input.confirm_seeds.clear();
    let (built, page) = report(&input);
    assert!(page.contains("Selection and judgement share their seeds here"));
    assert!(page.contains("selected and judged on the same seeds"));
    assert!(matches!(built.best, Some(Best { n_seeds: 3, .. })));
}
