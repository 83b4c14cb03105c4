//! Which points and trials a file means, in which order, and which copies are dropped.

use trial::{TrialId, Value};

use crate::tests::{BASE, base_and, base_with, mnist, parse, planned};
use crate::{Cell, Compare, DatasetMeta, DuplicateReason, HeatmapSpec, Objective, Plan, display};

/// The given columns of every point, such as `sgd 0.01 256-128`.
fn rows(plan: &Plan, names: &[&str]) -> Vec<String> {
    let cell = |point: usize, name: &str| {
        plan.value(point, name).map_or("-".to_string(), |value| display(&value))
    };
    (0..plan.points.len())
        .map(|point| names.iter().map(|name| cell(point, name)).collect::<Vec<_>>().join(" "))
        .collect()
}

fn copies(plan: &Plan) -> Vec<String> {
    plan.duplicates_dropped.iter().map(ToString::to_string).collect()
}

#[test]
fn axes_are_crossed_and_points_come_in_the_order_of_the_tables() {
    let plan = planned(BASE);
    assert_eq!(
        rows(&plan, &["optimizer", "learning_rate", "batch_size", "hidden", "depth"]),
        [
            "backtracking 0.01 32 256 1",
            "backtracking 0.01 32 256-128 2",
            "backtracking 0.1 32 256 1",
            "backtracking 0.1 32 256-128 2",
            "sgd 0.01 32 256 1",
            "sgd 0.01 32 256-128 2",
            "sgd 0.1 32 256 1",
            "sgd 0.1 32 256-128 2",
        ]
    );
    assert_eq!(plan.seeds, [1]);
    assert_eq!((plan.split.n_train, plan.split.n_valid), (50_000, 10_000));
    assert!(plan.duplicates_dropped.is_empty());
}

#[test]
fn numbers_are_sorted_by_value_and_layers_one_by_one() {
    let source = base_with("learning_rate", "learning_rate = [2, 0.05, 10, 0.5]");
    let source = source.replace("depth = [1, 2]", "hidden = [[64, 8], [128], [64], [8, 8]]");
    let source = source.replace("widths = [256, 128, 64]\n", "");
    let plan = planned(&source.replace("\"sgd\", ", ""));
    let rows = rows(&plan, &["learning_rate", "hidden"]);
    assert_eq!(&rows[..4], ["0.05 8-8", "0.05 64", "0.05 64-8", "0.05 128"]);
    let rates: Vec<&str> =
        rows.iter().step_by(4).map(|row| row.split(' ').next().unwrap()).collect();
    assert_eq!(rates, ["0.05", "0.5", "2", "10"]);
}

#[test]
fn every_point_runs_with_every_seed_in_ascending_order() {
    let plan = planned(&base_and("[seeds]\nlist = [9, 7, 9]"));
    assert_eq!(plan.trials.len(), 16);
    let trials: Vec<(u32, u32)> =
        plan.trials.iter().take(4).map(|trial| (trial.point, trial.seed)).collect();
    assert_eq!(trials, [(0, 7), (0, 9), (1, 7), (1, 9)]);
    assert_eq!(copies(&plan), ["a seed is listed twice: 1 copy"]);
    assert_eq!(plan.hyperparameters(1).seed, 9);
    let hidden = plan.hyperparameters(2).value("hidden").cloned();
    assert_eq!(hidden, Some(Value::Widths(vec![256, 128])));
}

#[test]
fn an_axis_that_an_optimizer_does_not_use_does_not_multiply_its_points() {
    let source = base_with("optimizer", r#"optimizer = ["sgd", "momentum", "adam"]"#);
    let plan = planned(&format!("{source}momentum = [0.5, 0.9, 0.99]\n"));
    assert_eq!(plan.points.len(), 4 + 12 + 4);
    assert_eq!(
        copies(&plan),
        ["momentum is not used by sgd: 8 copies", "momentum is not used by adam: 8 copies"]
    );
    let rows = rows(&plan, &["optimizer", "momentum", "beta1"]);
    assert_eq!(rows[0], "adam - 0.9");
    assert_eq!(rows[4], "momentum 0.5 -");
    assert_eq!(rows[19], "sgd - -");
}

#[test]
fn values_listed_twice_are_one_value_however_they_are_spelt() {
    let plan = planned(&base_with("learning_rate", "learning_rate = [0.1, 1e-1, 0.10, 1, 1.0]"));
    assert_eq!(plan.points.len(), 8);
    assert_eq!(copies(&plan), ["learning_rate lists a value twice: 12 copies"]);
    assert_eq!(plan.axes[1].values, [Value::Number(0.1), Value::Number(1.0)]);
}

#[test]
fn minus_zero_is_zero() {
    let id = |decay: &str| planned(&base_with("epochs", decay)).trials[0].id;
    assert_eq!(id("decoupled_decay = -0.0"), id("decoupled_decay = 0"));
    assert_eq!(id("decoupled_decay = -0.0"), id(""));
    let plan = planned(&format!("{BASE}decoupled_decay = [0.0, -0.0, 0]\n"));
    assert_eq!(plan.points.len(), 8);
    assert_eq!(plan.axes[4].values, [Value::Number(0.0)]);
}

#[test]
fn a_point_that_two_grids_name_runs_once() {
    let other = BASE[BASE.find("[[grid]]").unwrap()..].replace("[0.01, 0.1]", "[0.1, 0.5]");
    // The same layers as depth 1 and 2 of the widths, under their other name.
    let other = other.replace("depth = [1, 2]", "hidden = [[256, 128], [256]]");
    let plan = planned(&base_and(&other));
    assert_eq!(plan.points.len(), 12);
    assert_eq!(copies(&plan), ["named by two grids: 4 copies"]);
    let names: Vec<&str> = plan.axes.iter().map(|axis| axis.name).collect();
    assert_eq!(names, ["optimizer", "learning_rate", "batch_size", "depth", "hidden"]);
    assert_eq!(plan.axes[1].values.len(), 3);
}

#[test]
fn grids_may_differ_in_their_axes() {
    let other = "[[grid]]\noptimizer = [\"momentum\"]\nlearning_rate = [0.1]\nbatch_size = [32]\ndepth = [1]\nmomentum = [0.5]\nepochs = [3]";
    let plan = planned(&base_and(other));
    let rows = rows(&plan, &["optimizer", "momentum", "epochs"]);
    assert_eq!(rows[4], "momentum 0.5 3");
    assert_eq!(rows[5], "sgd - 10");
}

#[test]
fn zipped_axes_go_in_step() {
    let source = base_with("batch_size", "batch_size = [32, 64]");
    let source = source.replace("depth = [1, 2]", "depth = [1]");
    let plan = planned(&format!("{source}zip = [[\"learning_rate\", \"batch_size\"]]\n"));
    assert_eq!(
        rows(&plan, &["optimizer", "learning_rate", "batch_size"]),
        ["backtracking 0.01 32", "backtracking 0.1 64", "sgd 0.01 32", "sgd 0.1 64"]
    );
}

#[test]
fn exclusions_leave_out_points_that_have_all_their_values() {
    let exclude = "[[grid.exclude]]\noptimizer = \"sgd\"\ndepth = [2]\n[[grid.exclude]]\nlearning_rate = 0.1\nhidden = [256]";
    let plan = planned(&base_and(exclude));
    assert_eq!(
        rows(&plan, &["optimizer", "learning_rate", "depth"]),
        ["backtracking 0.01 1", "backtracking 0.01 2", "backtracking 0.1 2", "sgd 0.01 1"]
    );
    assert_eq!(plan.n_excluded, 4);
}

#[test]
fn an_exclusion_sees_defaults_but_not_keys_that_the_point_does_not_use() {
    let source = base_with("optimizer", r#"optimizer = ["sgd", "momentum"]"#);
    let plan = planned(&format!("{source}[[grid.exclude]]\nmomentum = 0.9\n"));
    assert!(rows(&plan, &["optimizer"]).iter().all(|row| row == "sgd"));
    assert_eq!(plan.points.len(), 4);
}

#[test]
fn fixed_values_hold_for_all_trials_until_an_axis_overrides_them() {
    let source =
        base_with("epochs", "epochs = 3\nlearning_rate = 0.7\nhidden = [8]\ndropout = 0.2");
    let by_hidden = source.replace("depth = [1, 2]", "").replace("widths = [256, 128, 64]\n", "");
    let plan = planned(&by_hidden);
    let of = |trial: usize, name: &str| plan.hyperparameters(trial).value(name).cloned();
    assert_eq!(of(0, "epochs"), Some(Value::Count(3)));
    assert_eq!(of(0, "dropout"), Some(Value::Number(0.2)));
    assert_eq!(of(0, "hidden"), Some(Value::Widths(vec![8])));
    assert_eq!(plan.points.len(), 4);
    assert_eq!(of(0, "learning_rate"), Some(Value::Number(0.01)));
    assert_eq!(
        plan.dropped(),
        ["learning_rate of [train]: every grid that uses it has an axis of it"]
    );
    let plan = planned(&source.replace("learning_rate = [0.01, 0.1]\n", ""));
    assert!(rows(&plan, &["learning_rate"]).iter().all(|row| row == "0.7"));
    let hidden = plan.hyperparameters(1).value("hidden").cloned();
    assert_eq!(hidden, Some(Value::Widths(vec![256, 128])), "the axis depth overrides hidden");
    assert_eq!(plan.overridden, ["hidden"]);
}

#[test]
fn the_default_heatmap_is_over_the_first_axes_that_vary() {
    let plan = planned(BASE);
    assert_eq!(plan.report.metric, Objective::VALID_ACCURACY);
    let expected = HeatmapSpec { x: "learning_rate", y: "depth", cell: Cell::Best };
    assert_eq!(plan.report.heatmaps, [expected]);
    let report = "[report]\nmetric = \"valid_loss\"\nheatmaps = [{ x = \"hidden\", y = \"batch_size\", cell = \"mean\" }]";
    let plan = planned(&base_and(report));
    assert_eq!(plan.report.metric, Objective::VALID_LOSS);
    let expected = HeatmapSpec { x: "hidden", y: "batch_size", cell: Cell::Mean };
    assert_eq!(plan.report.heatmaps, [expected]);
}

#[test]
fn a_split_fills_in_what_the_file_leaves_open() {
    let split = |lines: &str| {
        let plan = planned(&base_with("name = \"mnist\"", &format!("name = \"mnist\"\n{lines}")));
        (plan.split.n_train, plan.split.n_valid)
    };
    assert_eq!(split(""), (50_000, 10_000));
    assert_eq!(split("train = 40_000"), (40_000, 20_000));
    assert_eq!(split("valid = 5_000"), (55_000, 5_000));
    assert_eq!(split("train = 100\nvalid = 50"), (100, 50));
    let of_rows = |n_train_rows| {
        let facts = DatasetMeta { n_train_rows, ..mnist() };
        let plan = crate::tests::plan(&parse(BASE).unwrap(), &facts).unwrap();
        (plan.split.n_train, plan.split.n_valid)
    };
    assert_eq!(of_rows(12_000), (9_600, 2_400), "a fifth");
    assert_eq!(of_rows(49_999), (40_000, 9_999));
    assert_eq!(of_rows(124_800), (114_800, 10_000), "10,000 at most");
    assert_eq!(of_rows(41), (33, 8));
}

#[test]
fn matched_pairs_differ_in_nothing_but_what_the_hypothesis_names() {
    let claim = "[[hypothesis]]\nclaim = \"deeper\"\nbetter = { depth = 2 }\nthan = { depth = 1 }\ncompare = \"matched\"\nmargin = 0.001";
    let plan = planned(&base_and(claim));
    let hypothesis = &plan.hypotheses[0];
    assert_eq!((hypothesis.compare, hypothesis.margin), (Compare::Matched, 0.001));
    let sides = plan.sides(hypothesis);
    assert_eq!((sides.better, sides.than), (vec![1, 3, 5, 7], vec![0, 2, 4, 6]));
    assert_eq!(sides.matched, [(1, 0), (3, 2), (5, 4), (7, 6)]);
}

#[test]
fn an_axis_that_one_side_does_not_use_matches_any_value() {
    let source = base_with("optimizer", r#"optimizer = ["sgd", "momentum"]"#);
    let claim = "momentum = [0.5, 0.9]\n[[hypothesis]]\nclaim = \"m\"\nbetter = { optimizer = \"momentum\" }\nthan = { optimizer = \"sgd\" }\ncompare = \"matched\"";
    let plan = planned(&format!("{source}{claim}\n"));
    let sides = plan.sides(&plan.hypotheses[0]);
    assert_eq!(sides.matched.len(), 8, "each of 4 sgd points twice");
    for (ours, theirs) in sides.matched {
        for name in ["learning_rate", "depth"] {
            assert_eq!(plan.value(ours as usize, name), plan.value(theirs as usize, name));
        }
    }
}

#[test]
fn a_hypothesis_about_depth_matches_layers_named_as_hidden() {
    let source = base_with("depth", "hidden = [[8], [16], [8, 8]]");
    let source = source.replace("widths = [256, 128, 64]\n", "");
    let claim = "[[hypothesis]]\nclaim = \"d\"\nbetter = { depth = 2 }\nthan = { depth = 1 }\ncompare = \"matched\"";
    let plan = planned(&format!("{source}{claim}\n"));
    let matched = plan.sides(&plan.hypotheses[0]).matched;
    assert_eq!(matched.len(), 8, "4 points of depth 2, each against two of depth 1");
}

#[test]
fn deeper_wider_and_longer_trials_cost_more() {
    let plan = planned(&base_with("epochs", "epochs = 4"));
    let cost = |point| plan.cost_macs(point);
    assert!(cost(5) > cost(4), "depth 2 costs more than 1");
    assert!(cost(0) > cost(4), "backtracking costs more than sgd");
    let longer = planned(&base_with("epochs", "epochs = 8"));
    assert!(longer.cost_macs(0) > 1.9 * cost(0));
    let facts = DatasetMeta { nonzero_share: 1.0, ..mnist() };
    let dense = crate::tests::plan(&parse(BASE).unwrap(), &facts).unwrap();
    assert!(dense.cost_macs(0) > planned(BASE).cost_macs(0));
}

#[test]
fn the_sweeps_that_come_with_the_project_are_what_they_say() {
    let full = planned(include_str!("../../../../sweeps/full.toml"));
    assert_eq!((full.points.len(), full.trials.len()), (90, 270));
    assert_eq!((full.split.n_train, full.split.n_valid), (50_000, 10_000));
    assert!(full.duplicates_dropped.is_empty());
    assert_eq!((full.hypotheses.len(), full.report.heatmaps.len()), (4, 2));
    let matched: Vec<usize> =
        full.hypotheses.iter().map(|it| full.sides(it).matched.len()).collect();
    assert_eq!(matched, [0, 30, 18, 30]);
    let quick = planned(include_str!("../../../../sweeps/quick.toml"));
    assert_eq!((quick.points.len(), quick.trials.len()), (32, 64));
    assert_eq!(quick.hypotheses[0].compare, Compare::Best);
}

#[test]
fn a_million_trials_are_planned() {
    // As many points as there may be, so that nothing is saved by sharing a point's seeds.
    let rates = "learning_rate = { log = [1e-4, 1.0], n = 1000 }";
    let source = base_with("learning_rate", rates)
        .replace("batch_size = [32]", "batch_size = { step = 1, from = 1, to = 250 }");
    let plan = planned(&source);
    assert_eq!(plan.trials.len(), 1_000_000);
    let ids: std::collections::BTreeSet<TrialId> =
        plan.trials.iter().map(|trial| trial.id).collect();
    assert_eq!(ids.len(), 1_000_000);
}

#[test]
fn copies_name_the_axis_of_the_file() {
    let plan = planned(&base_with("depth", "depth = [2, 1, 2]"));
    assert_eq!(plan.duplicates_dropped[0].reason, DuplicateReason::ListedTwice { axis: "depth" });
    assert_eq!(plan.duplicates_dropped[0].n_copies, 4);
}
