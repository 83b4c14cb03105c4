//! `[confirm]`: what is refused, which points are chosen, and which trials follow.

use crate::tests::{base_and, check, planned};
use crate::{Outcome, Phase, Plan, Score, Trial};

/// 8 points: two optimizers, two rates and two depths, each with two seeds.
fn confirmed() -> Plan {
    planned(&base_and("[seeds]\nn = 2\n[confirm]\nseeds = 3"))
}

fn scored(accuracy: f64, loss: f64) -> Outcome {
    Outcome::Scored(Score { accuracy, loss })
}

/// Every seed of each point with its accuracy and loss.
fn outcomes(points: &[(f64, f64)]) -> Vec<Outcome> {
    points.iter().flat_map(|&(accuracy, loss)| [scored(accuracy, loss); 2]).collect()
}

fn chosen(plan: &Plan, outcomes: &[Outcome]) -> Vec<u32> {
    let mut points: Vec<u32> =
        plan.confirm_trials(outcomes).iter().map(|trial| trial.point).collect();
    points.sort_unstable();
    points.dedup();
    points
}

#[test]
fn seeds_that_cannot_be_fresh_are_refused() {
    check(
        &base_and("[seeds]\nlist = [1, 1_000_003, 7]\n[confirm]\nseeds = 3"),
        &[
            "16:9 `[confirm]` needs seeds that `[seeds]` does not name | these are 1000001 to 1000003, and `[seeds]` names 1000003 | take seeds below 1000001 for the grid",
        ],
    );
    assert_eq!(
        planned(&base_and("[seeds]\nlist = [1_000_004]\n[confirm]\nseeds = 3")).confirm_seeds(),
        1_000_001..1_000_004
    );
    check(
        &base_and("[confirm]\nseeds = 0"),
        &["14:9 `seeds` is out of range | expected a whole number from 1 to 1000000"],
    );
    check(
        &base_and("[confirm]\nseeds = \"ten\""),
        &["14:9 `seeds` has the wrong type | expected a whole number, found a string"],
    );
    check(
        &base_and("[confirm]"),
        &["13:1 `[confirm]` has no `seeds` | `seeds` is missing | add `seeds = 10`"],
    );
    check(
        &base_and("[confirm]\nseed = 3"),
        &["14:1 unknown key `seed` | not a key of `[confirm]` | did you mean `seeds`?"],
    );
    check(
        &base_and("[confirm]\nseeds = 500_000"),
        &[
            "14:9 the sweep has too many trials | 1000008 trials with those of the grid, the limit is 1000000",
        ],
    );
}

#[test]
fn without_it_nothing_follows() {
    let plan = planned(&base_and("[seeds]\nn = 2"));
    assert!(plan.contests().is_empty());
    assert_eq!(plan.n_confirm_max(), 0);
    assert!(plan.confirm_trials(&outcomes(&[(0.9, 0.1); 8])).is_empty());
}

#[test]
fn the_best_point_of_each_optimizer_is_trained_again_with_fresh_seeds() {
    let plan = confirmed();
    assert_eq!(plan.contests(), [[0, 1, 2, 3], [4, 5, 6, 7]]);
    assert_eq!(plan.n_confirm_max(), 6);
    let mut scores = [(0.9, 0.1); 8];
    scores[2].0 = 0.95;
    scores[7].0 = 0.91;
    let trials = plan.confirm_trials(&outcomes(&scores));
    let mut seeds: Vec<(u32, u32)> = trials.iter().map(|it| (it.point, it.seed)).collect();
    seeds.sort_unstable();
    let expected: Vec<(u32, u32)> = [2, 7]
        .into_iter()
        .flat_map(|point| (1_000_001..=1_000_003).map(move |seed| (point, seed)))
        .collect();
    assert_eq!(seeds, expected);
    assert!(trials.iter().all(|trial| trial.phase == Phase::Confirm));
    assert!(trials.is_sorted_by_key(|trial| trial.seed), "a seed of every point before the next");
    for trial in &trials {
        assert_eq!(plan.confirm_trial(trial.id), Some(*trial));
        assert!(plan.grid().iter().all(|other| other.id != trial.id));
    }
    assert_eq!(plan.confirm_trial(plan.trials[0].id), None, "one of the grid");
}

#[test]
fn a_confirm_trial_is_the_trial_that_a_grid_with_its_seed_would_have() {
    let plan = confirmed();
    let as_grid = planned(&base_and("[seeds]\nlist = [1_000_002]"));
    let trials = plan.confirm_trials(&outcomes(&[(0.9, 0.1); 8]));
    let of_first = |it: &&Trial| it.point == 0 && it.seed == 1_000_002;
    assert_eq!(trials.iter().find(of_first).map(|it| it.id), Some(as_grid.trials[0].id));
}

#[test]
fn sides_of_hypotheses_about_best_points_compete_too_and_a_point_runs_once() {
    let plan = planned(&base_and(
        "[confirm]\nseeds = 3\n[[hypothesis]]\nclaim = \"c\"\nbetter = { depth = 2 }\nthan = { depth = 1 }\n\
         [[hypothesis]]\nclaim = \"d\"\nbetter = { optimizer = \"sgd\" }\nthan = { optimizer = \"backtracking\" }\n\
         [[hypothesis]]\nclaim = \"e\"\nbetter = { learning_rate = 0.1 }\nthan = { learning_rate = 0.01 }\ncompare = \"matched\"",
    ));
    assert_eq!(plan.contests(), [[0, 1, 2, 3], [0, 2, 4, 6], [1, 3, 5, 7], [4, 5, 6, 7]]);
    let mut scores = [scored(0.9, 0.1); 8];
    scores[5] = scored(0.95, 0.1);
    // The best of sgd, of backtracking (and of the deep ones), of the shallow ones.
    scores[4] = scored(0.93, 0.1);
    scores[3] = scored(0.92, 0.1);
    assert_eq!(chosen(&plan, &scores), [3, 4, 5]);
}

#[test]
fn ties_go_to_the_lower_loss_and_then_to_the_first_row() {
    let plan = confirmed();
    let mut scores = [(0.9, 0.1); 8];
    assert_eq!(chosen(&plan, &outcomes(&scores)), [0, 4]);
    scores[6].1 = 0.09;
    assert_eq!(chosen(&plan, &outcomes(&scores)), [0, 6]);
    // Equal numbers of correct answers are equal, in whatever order they come.
    let mut swapped = outcomes(&scores);
    swapped[2] = scored(0.1, 0.05);
    swapped[3] = scored(0.7, 0.05);
    swapped[0] = scored(0.7, 0.2);
    swapped[1] = scored(0.1, 0.2);
    for other in &mut swapped[4..8] {
        *other = scored(0.2, 0.1);
    }
    assert_eq!(chosen(&plan, &swapped), [1, 6]);
}

#[test]
fn by_loss_the_lowest_wins_whatever_the_accuracy() {
    let plan = planned(&base_and(
        "[seeds]\nn = 2\n[confirm]\nseeds = 3\n[report]\nmetric = \"valid_loss\"",
    ));
    let mut scores = [(0.9, 0.1); 8];
    scores[1] = (0.2, 0.05);
    scores[7] = (0.99, 0.2);
    assert_eq!(chosen(&plan, &outcomes(&scores)), [1, 4]);
}

#[test]
fn nothing_is_chosen_before_the_grid_is_done_and_points_with_failures_take_no_part() {
    let plan = confirmed();
    let mut scores = outcomes(&[(0.9, 0.1); 8]);
    scores[4] = scored(0.99, 0.1);
    scores[5] = Outcome::Open;
    assert!(plan.confirm_trials(&scores).is_empty());
    scores[5] = Outcome::Failed;
    assert_eq!(chosen(&plan, &scores), [0, 4]);
    for other in &mut scores[8..] {
        *other = Outcome::Failed;
    }
    assert_eq!(chosen(&plan, &scores), [0], "an optimizer without a whole point has none");
}

#[test]
fn a_point_of_which_every_trial_diverged_is_never_chosen() {
    let plan = confirmed();
    let chance = Score { accuracy: 0.12, loss: 2.3 };
    let mut scores = vec![Outcome::Diverged(chance); 16];
    assert!(plan.confirm_trials(&scores).is_empty(), "nothing is better than chance");
    // Even where what completed is worse than chance.
    scores[5] = scored(0.08, 9.0);
    assert_eq!(chosen(&plan, &scores), [2]);
}
