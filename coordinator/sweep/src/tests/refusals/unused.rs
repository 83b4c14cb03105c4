//! What nothing uses is refused, wherever it stands; what something uses is not.

use crate::tests::{BASE, base_and, base_with, check, mnist, parse, plan_recorded, planned};

/// `BASE` with other optimizers and lines after its end.
fn of(optimizers: &str, lines: &str) -> String {
    base_with("optimizer", &format!("optimizer = [{optimizers}]")) + lines + "\n"
}

#[test]
fn a_fixed_key_that_no_optimizer_uses() {
    let fixed = |optimizers: &str, key: &str| {
        of(optimizers, "").replace("epochs = 10", &format!("epochs = 10\n{key}"))
    };
    check(
        &fixed("\"sgd\"", "momentum = 0.9"),
        &[
            "8:1 `momentum` has no effect | sgd does not use it | did you mean the optimizer `momentum` or `nesterov`? Otherwise remove the key",
        ],
    );
    check(
        &fixed("\"sgd\", \"adam\"", "momentum = 0.9\nalpha = 0.5"),
        &[
            "8:1 `momentum` has no effect | sgd and adam do not use it | did you mean the optimizer `momentum` or `nesterov`? adam has `beta1` for it. Otherwise remove the key",
            "9:1 `alpha` has no effect | sgd and adam do not use it | did you mean the optimizer `rmsprop`? adam has `beta2` for it. Otherwise remove the key",
        ],
    );
    check(
        &fixed("\"adamw\"", "decoupled_decay = 0.01\narmijo_c = 0.1"),
        &[
            "8:1 `decoupled_decay` has no effect | adamw does not use it | did you mean the optimizer `sgd`, `momentum`, `nesterov`, `adam`, `rmsprop`, `backtracking` or `sls`? adamw has `weight_decay` for it. Otherwise remove the key",
            "9:1 `armijo_c` has no effect | adamw does not use it | did you mean the optimizer `backtracking` or `sls`? Otherwise remove the key",
        ],
    );
    planned(&fixed("\"sgd\", \"nesterov\"", "momentum = 0.9"));
}

#[test]
fn a_fixed_key_that_one_of_two_grids_uses_is_used() {
    let other = BASE[BASE.find("[[grid]]").unwrap()..].replace("\"sgd\"", "\"momentum\"");
    planned(&base_and(&other).replace("epochs = 10", "epochs = 10\nmomentum = 0.5"));
}

#[test]
fn an_axis_that_no_optimizer_of_its_grid_uses() {
    let problem = "13:1 `momentum` has no effect | sgd does not use it | did you mean the optimizer `momentum` or `nesterov`? Otherwise remove the key";
    for axis in ["[0.9]", "[0.5, 0.9]", "{ linear = [0.5, 0.9], n = 3 }"] {
        check(&of("\"sgd\"", &format!("momentum = {axis}")), &[problem]);
    }
    check(
        &of("\"sgd\"", "momentum = [0.5, 0.9]\nzip = [[\"learning_rate\", \"momentum\"]]"),
        &[problem],
    );
    let other = "[[grid]]\noptimizer = [\"momentum\"]\nlearning_rate = [0.1]\nbatch_size = [8]\ndepth = [3]";
    check(&of("\"sgd\"", &format!("momentum = [0.5]\n{other}")), &[problem]);
    assert_eq!(planned(&of("\"sgd\", \"momentum\"", "momentum = [0.5, 0.9]")).points.len(), 12);
}

#[test]
fn a_fixed_key_that_each_grid_of_its_users_overrides_is_told() {
    let other = BASE[BASE.find("[[grid]]").unwrap()..].replace("\"sgd\"", "\"momentum\"");
    let other = other + "\nmomentum = [0.5, 0.8]\n";
    let plan = planned(&base_and(&other).replace("epochs = 10", "epochs = 10\nmomentum = 0.9"));
    assert_eq!(plan.overridden, ["momentum"]);
}

#[test]
fn widths_behind_the_deepest_are_told() {
    let sentence = "64 of [model] widths: no depth of the sweep reaches them".to_owned();
    let plan = planned(&base_with("depth", "depth = [1, 2]"));
    assert!(plan.dropped().contains(&sentence), "{:?}", plan.dropped());
    let plan = planned(&base_with("depth", "depth = [1, 3]"));
    assert!(plan.idle_widths.is_empty());
}

#[test]
fn an_exclusion_that_is_listed_twice() {
    let one = "[[grid.exclude]]\ndepth = 1\n";
    check(
        &base_and(&format!("{one}{one}")),
        &[
            "15:1 an exclusion is listed twice | the grid leaves out depth = 1 already | remove one of them, or correct its values",
        ],
    );
}

#[test]
fn an_exclusion_that_others_cover() {
    let wide = "[[grid.exclude]]\ndepth = 1\n";
    let narrow = "[[grid.exclude]]\ndepth = 1\noptimizer = \"sgd\"\n";
    let problem = |line: usize, filter: &str| {
        format!(
            "{line}:1 an exclusion has no effect | other exclusions of the grid leave out {filter} already | remove it, or correct its values"
        )
    };
    let narrow_filter = "depth = 1, optimizer = sgd";
    check(&base_and(&format!("{wide}{narrow}")), &[&problem(15, narrow_filter)]);
    check(&base_and(&format!("{narrow}{wide}")), &[&problem(13, narrow_filter)]);
    let halves = "[[grid.exclude]]\ndepth = 1\nlearning_rate = 0.1\n[[grid.exclude]]\ndepth = 1\nlearning_rate = 0.01\n";
    check(&base_and(&format!("{halves}{narrow}")), &[&problem(19, narrow_filter)]);
    let beside = "[[grid.exclude]]\ndepth = [1, 2]\noptimizer = \"sgd\"\n";
    planned(&base_and(&format!("{wide}{beside}")));
    let recorded = parse(&base_and(&format!("{wide}{narrow}"))).unwrap();
    assert_eq!(plan_recorded(&recorded, &mnist(), 10_000).unwrap().n_excluded, 4);
}

#[test]
fn a_zip_that_pairs_nothing() {
    let empty = base_and("zip = []");
    check(
        &empty,
        &[
            "13:7 `zip` has no effect | expected a list of at least two axis names in it | write `zip = [[\"batch_size\", \"learning_rate\"]]`, or remove the key",
        ],
    );
    let single = base_with("learning_rate", "learning_rate = [0.1]");
    check(
        &format!("{single}zip = [[\"batch_size\", \"learning_rate\"]]\n"),
        &[
            "13:8 `zip` has no effect | each of these axes has one value, so there is nothing to pair | give the axes more values, or remove the list",
        ],
    );
    planned(&base_and("zip = [[\"depth\", \"learning_rate\"]]"));
    let recorded = parse(&empty).unwrap();
    assert_eq!(plan_recorded(&recorded, &mnist(), 10_000).unwrap().points.len(), 8);
}

#[test]
fn a_margin_beyond_every_difference() {
    let claim = |margin: &str| {
        base_and(&format!(
            "[[hypothesis]]\nclaim = \"c\"\nbetter = {{ optimizer = \"sgd\" }}\nthan = {{ optimizer = \"backtracking\" }}\nmargin = {margin}"
        ))
    };
    let problem = "17:10 `margin` is larger than any difference | expected a share from 0 to 1, as accuracies are: 0.01 is one percentage point";
    check(&claim("5"), &[&format!("{problem} | for 5 percentage points write `margin = 0.05`")]);
    check(&claim("1.0e3"), &[problem]);
    planned(&claim("0.05"));
    planned(&claim("1"));
    planned(&(claim("5") + "[report]\nmetric = \"valid_loss\"\n"));
    let recorded = plan_recorded(&parse(&claim("5")).unwrap(), &mnist(), 10_000).unwrap();
    assert_eq!(recorded.hypotheses[0].margin, 5.0);
}

#[test]
fn widths_that_no_depth_takes() {
    check(
        &base_with("depth", "hidden = [[8]]"),
        &[
            "5:1 `widths` has no effect | expected a grid with `depth`, which takes the first of them | the layers come from `hidden`; remove one of the two",
        ],
    );
}

#[test]
fn exclusions_and_sides_with_values_that_nothing_has() {
    check(
        &base_and("[[grid.exclude]]\noptimizer = \"sgd\"\ndepth = [2, 3, 4]"),
        &[
            "13:1 depth = 3 or 4 has no effect here | no point of this grid has depth = 3 or 4, optimizer = sgd | correct these values or remove them",
        ],
    );
    check(
        &base_and(
            "[[hypothesis]]\nclaim = \"c\"\nbetter = { optimizer = [\"sgd\", \"adam\"] }\nthan = { optimizer = \"backtracking\" }",
        ),
        &[
            "15:10 optimizer = adam has no effect here | no point of the sweep has optimizer = adam | correct these values or remove them",
        ],
    );
    let other = BASE[BASE.find("[[grid]]").unwrap()..].replace("depth = [1, 2]", "depth = [3]");
    check(
        &base_and(&format!("{other}[[grid.exclude]]\ndepth = 3")),
        &["13:1 this grid has no trials | every combination is left out by its `[[grid.exclude]]`"],
    );
}

#[test]
fn a_heatmap_that_is_there_twice() {
    let heatmap = "{ x = \"depth\", y = \"learning_rate\" }";
    check(
        &base_and(&format!("[report]\nheatmaps = [{heatmap}, {heatmap}]")),
        &["14:51 a heatmap is listed twice | the report would show the same figure again"],
    );
}

#[test]
fn a_hypothesis_that_is_there_twice() {
    let claim =
        |words: &str, sides: &str| format!("[[hypothesis]]\nclaim = \"{words}\"\n{sides}\n");
    let one = "better = { optimizer = \"sgd\" }\nthan = { optimizer = \"backtracking\" }";
    // The same points under other names, and all values of an axis.
    let other = "better = { optimizer = [\"sgd\"], depth = [2, 1] }\nthan = { optimizer = \"backtracking\", learning_rate = [0.1, 0.01] }\nmargin = -0.0\ncompare = \"best\"";
    let problem = |line: usize| {
        format!(
            "{line}:1 a hypothesis is stated twice | a hypothesis before it compares the same points by the same rule | remove one of the two, or correct its sides"
        )
    };
    check(&base_and(&[claim("a", one), claim("a", one)].concat()), &[&problem(17)]);
    check(&base_and(&[claim("a", one), claim("b", other)].concat()), &[&problem(17)]);
    let matched = format!("{one}\ncompare = \"matched\"");
    let all = [claim("a", one), claim("b", &matched), claim("c", &matched)].concat();
    check(&base_and(&all), &[&problem(22)]);
    let reversed = "better = { optimizer = \"backtracking\" }\nthan = { optimizer = \"sgd\" }";
    let margin = format!("{one}\nmargin = 0.1");
    let distinct =
        [claim("a", one), claim("a", reversed), claim("a", &margin), claim("a", &matched)];
    planned(&base_and(&distinct.concat()));
    let recorded = base_and(&[claim("a", one), claim("a", one)].concat());
    let recorded = plan_recorded(&parse(&recorded).unwrap(), &mnist(), 10_000).unwrap();
    assert_eq!(recorded.hypotheses.len(), 2, "a former build accepted it");
}

#[test]
fn keys_that_the_other_values_leave_without_effect() {
    check(
        &base_with("epochs", "epochs = 10\npatience = 9"),
        &[
            "8:1 `patience` has no effect | no trial has more than patience + 1 epochs, so none can stop early | take fewer epochs of patience, or remove the key",
        ],
    );
    planned(&base_with("epochs", "epochs = 10\npatience = 8"));
    let linear = base_with("depth", "hidden = [[]]").replace("widths = [256, 128, 64]\n", "");
    check(
        &format!("{linear}dropout = [0.0, 0.5]\n"),
        &[
            "12:1 `dropout` has no effect | no network of the sweep has hidden units to drop | give `hidden` a layer, or remove the key",
        ],
    );
    planned(&format!("{}dropout = [0.5]\n", linear.replace("[[]]", "[[], [8]]")));
}

#[test]
fn dropouts_that_multiply_networks_without_hidden_units() {
    let mixed = base_with("depth", "hidden = [[], [8]]").replace("widths = [256, 128, 64]\n", "");
    let axis = format!("{mixed}dropout = [0.0, 0.2, 0.5]\n");
    let problem = "12:1 `dropout` multiplies equal trials | networks without hidden layers have no units to drop, so these are the same trials again | give `hidden = [[]]` a [[grid]] of its own without `dropout`, or leave the others out: [[grid.exclude]] with `hidden = []` and all dropouts but one";
    check(&axis, &[problem]);
    let left_out = format!("{axis}[[grid.exclude]]\nhidden = []\ndropout = [0.2, 0.5]\n");
    assert_eq!(planned(&left_out).points.len(), 4 + 12);
    let own = "[[grid]]\noptimizer = [\"sgd\", \"backtracking\"]\nlearning_rate = [0.01, 0.1]\nbatch_size = [32]\nhidden = [[]]\n";
    let layered = axis.replace("[[], [8]]", "[[8]]");
    assert_eq!(planned(&format!("{layered}{own}")).points.len(), 4 + 12);
    planned(&format!("{mixed}dropout = [0.5]\n"));
    let recorded = plan_recorded(&parse(&axis).unwrap(), &mnist(), 10_000).unwrap();
    assert_eq!(recorded.points.len(), 24, "a former build trained them");
}

#[test]
fn the_name_of_an_optimizer_is_no_key() {
    check(
        &base_with("epochs", "nesterov = true"),
        &[
            "7:1 unknown key `nesterov` | not a key of `[train]` | `nesterov` is an optimizer: write `optimizer = [\"nesterov\"]` in [[grid]]",
        ],
    );
}

/// A build that refused less recorded it.
#[test]
fn a_recorded_sweep_with_an_unused_key_has_the_same_trials() {
    let source = of("\"sgd\"", "");
    let recorded = of("\"sgd\"", "momentum = [0.9]");
    let recorded = plan_recorded(&parse(&recorded).unwrap(), &mnist(), 10_000).unwrap();
    assert_eq!(recorded.trials, planned(&source).trials);
}
