//! What is refused of the questions to a sweep: metric, heatmaps, hypotheses.

use crate::check_without_data;
use crate::tests::{base_and, check, draft, mnist, plan, render, try_plan};

#[test]
fn metric_and_heatmaps() {
    check(
        &base_and("[report]\nmetric = \"accuracy\""),
        &[r#"14:10 `metric` cannot be "accuracy" | expected "valid_accuracy" or "valid_loss""#],
    );
    check(
        &base_and("[report]\nheatmaps = [{ x = \"learning_rat\", y = \"momentum\" }]"),
        &[
            "14:19 a heatmap names `learning_rat`, which is no axis | expected an axis of a grid | did you mean `learning_rate`?",
            "14:39 a heatmap names `momentum`, which is no axis | expected an axis of a grid | axes: batch_size, depth, learning_rate, optimizer",
        ],
    );
    check(
        &base_and(
            "[report]\nheatmaps = [{ x = \"depth\", y = \"depth\" }, { x = \"depth\" }, { x = \"depth\", y = \"hidden\", cell = \"worst\" }]",
        ),
        &[
            "14:13 a heatmap needs two axes | expected two axes, found `depth` twice",
            r#"14:43 a heatmap has no `y` | `y` is missing | add `y = "learning_rate"`"#,
            r#"14:96 `cell` cannot be "worst" | expected "best" or "mean""#,
        ],
    );
}

#[test]
fn hypotheses() {
    check(
        &base_and("[[hypothesis]]"),
        &[
            r#"13:1 `[[hypothesis]]` has no `claim` | `claim` is missing | add `claim = "what you expect"`"#,
            r#"13:1 `[[hypothesis]]` has no `better` | `better` is missing | add `better = { optimizer = "backtracking" }`"#,
            r#"13:1 `[[hypothesis]]` has no `than` | `than` is missing | add `than = { optimizer = "sgd" }`"#,
        ],
    );
    check(
        &base_and("[[hypothesis]]\nclaim = \"c\"\nbetter = { depth = 3 }\nthan = { depth = 1 }"),
        &[
            "15:10 a hypothesis about no point | no point of the sweep has depth = 3 | `depth` takes the values 1, 2",
        ],
    );
    check(
        &base_and(
            "[[hypothesis]]\nclaim = \"c\"\nbetter = { depth = 2, momentum = 0.5 }\nthan = { optimizer = \"lion\" }",
        ),
        &[
            "15:10 a hypothesis about no point | no point of the sweep has depth = 2, momentum = 0.5 | no optimizer of the sweep uses `momentum`",
            "16:8 a hypothesis about no point | no point of the sweep has optimizer = lion | `optimizer` takes the values \"backtracking\", \"sgd\"",
        ],
    );
    check(
        &base_and(
            "[[hypothesis]]\nclaim = \"c\"\nbetter = { depth = [1, 2] }\nthan = { depth = 1 }",
        ),
        &[
            "16:8 both sides of a hypothesis hold for the same point | expected sides without a common point",
        ],
    );
    check(
        &base_and(
            "[[hypothesis]]\nclaim = \"c\"\nbetter = { deep = 2 }\nthan = { depth = 1 }\ncompare = \"worst\"\nmargin = -1",
        ),
        &[
            "15:12 unknown key `deep` | not a key of `better` | known keys: optimizer, learning_rate, batch_size, hidden, depth, activation, epochs, momentum, beta1, beta2, eps, alpha, armijo_c, shrink, max_probes, max_step, weight_decay, decoupled_decay, dropout, label_smoothing, schedule, patience",
            r#"17:11 `compare` cannot be "worst" | expected "best" or "matched""#,
            "18:10 `margin` is out of range | expected a finite number from 0",
        ],
    );
    let one_depth_each = |compare: &str| {
        let other_grid = "[[grid]]\noptimizer = [\"sgd\"]\nlearning_rate = [0.5]\nbatch_size = [32]\ndepth = [3]";
        let sides = "claim = \"c\"\nbetter = { depth = 3 }\nthan = { depth = 1 }";
        base_and(&format!("{other_grid}\n[[hypothesis]]\n{sides}\ncompare = \"{compare}\""))
    };
    assert!(try_plan(&one_depth_each("best")).is_ok());
    check(
        &one_depth_each("matched"),
        &[
            r#"18:1 nothing to match | no two points are equal on all other axes | `compare = "best"` compares each side's best point"#,
        ],
    );
}

/// What is wrong elsewhere hides nothing that planning finds.
#[test]
fn questions_about_no_point_are_told_beside_all_else() {
    let questions = "[report]\nmetric = \"accuracy\"\n\
        [[hypothesis]]\nbetter = { depth = 1 }\nthan = { depth = 2 }\n\
        [[hypothesis]]\nclaim = \"c\"\nbetter = { depth = 3 }\nthan = { depth = 1 }";
    let source = base_and(questions).replace("\"base\"", "\"Base\"");
    let draft = draft(&source);
    let read = render(&source, &draft.problems);
    let places =
        ["1:8 `name` cannot", "14:10 `metric` cannot", "15:1 `[[hypothesis]]` has no `claim`"];
    assert!(read.lines().zip(places).all(|(line, place)| line.starts_with(place)), "{read}");
    assert_eq!(read.lines().count(), places.len(), "{read}");
    let file = draft.file.expect("its points are sound");
    let planned = render(&source, &plan(&file, &mnist()).unwrap_err());
    assert!(planned.starts_with("20:10 a hypothesis about no point"), "{planned}");
    assert_eq!(render(&source, &check_without_data(&file)), planned);
}

#[test]
fn a_split_that_does_not_fit_hides_no_hypothesis() {
    let source =
        base_and("[[hypothesis]]\nclaim = \"c\"\nbetter = { depth = 3 }\nthan = { depth = 1 }")
            .replace("name = \"mnist\"", "name = \"mnist\"\ntrain = 60_000");
    check(
        &source,
        &[
            "4:9 the split does not fit the training file | 60,000 to train and 0 to validate, of 60,000 rows | at least one row must train and one must validate",
            "16:10 a hypothesis about no point | no point of the sweep has depth = 3 | `depth` takes the values 1, 2",
        ],
    );
}
