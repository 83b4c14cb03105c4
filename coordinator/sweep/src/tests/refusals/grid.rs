//! What is refused of a grid, where, and in which words.

use crate::tests::{BASE, base_and, base_with, check, mnist, parse, plan_recorded, planned};

#[test]
fn axes_that_name_what_is_unknown() {
    check(
        &base_with("optimizer", r#"optimizer = ["sdg", "backtrack"]"#),
        &[
            r#"9:14 unknown optimizer "sdg" | expected the name of an optimizer | did you mean "sgd"? Known: sgd, momentum, nesterov, adam, adamw, rmsprop, lion, backtracking, sls"#,
            r#"9:21 unknown optimizer "backtrack" | expected the name of an optimizer | did you mean "backtracking"? Known: sgd, momentum, nesterov, adam, adamw, rmsprop, lion, backtracking, sls"#,
        ],
    );
    check(
        &base_with("optimizer", r#"optimizer = "sgd""#),
        &[
            r#"9:13 `optimizer` has the wrong type | expected a list of strings, found a string | an axis is a list: write `optimizer = ["sgd"]`"#,
        ],
    );
    check(
        &base_with("optimizer", ""),
        &[
            r#"8:1 `[[grid]]` has no `optimizer` | `optimizer` is missing | add `optimizer = ["sgd", "backtracking"]`"#,
        ],
    );
    check(
        &base_with("learning_rate", "learning_rates = [0.01, 0.1]"),
        &[
            "10:1 unknown key `learning_rates` | not a key of `[[grid]]` | did you mean `learning_rate`?",
        ],
    );
}

#[test]
fn learning_rates() {
    check(
        &base_with("learning_rate", r#"learning_rate = "0.1""#),
        &["10:17 `learning_rate` has the wrong type | expected a list of numbers, found a string"],
    );
    check(
        &base_with("learning_rate", "learning_rate = 0.1"),
        &[
            "10:17 `learning_rate` has the wrong type | expected a list of numbers, found a decimal number | an axis is a list: write `learning_rate = [0.1]`",
        ],
    );
    check(
        &base_with("learning_rate", r#"learning_rate = [0.1, "0.1", true]"#),
        &[
            "10:23 `learning_rate` has the wrong type | expected a number, found a string",
            "10:30 `learning_rate` has the wrong type | expected a number, found a boolean",
        ],
    );
    check(
        &base_with("learning_rate", "learning_rate = []"),
        &[
            "10:17 `learning_rate` has no values | expected a list of numbers with at least one value",
        ],
    );
    check(
        &base_with("learning_rate", "learning_rate = [0.0, -0.1, inf, nan, 1e999]"),
        &[
            "10:18 `learning_rate` cannot be 0.0 | expected a finite number above 0",
            "10:23 `learning_rate` cannot be -0.1 | expected a finite number above 0",
            "10:29 `learning_rate` cannot be inf | expected a finite number above 0",
            "10:34 `learning_rate` cannot be nan | expected a finite number above 0",
            "10:39 `learning_rate` cannot be 1e999 | expected a finite number above 0",
        ],
    );
    check(
        &base_with("learning_rate", "learning_rate = { log = [1e-3, 1.0] }"),
        &[
            "10:17 a range needs other keys | expected `log` and `n`, `linear` and `n`, or `step`, `from` and `to` | write { log = [1e-3, 1.0], n = 7 }, { linear = [0.0, 0.5], n = 6 } or { step = 32, from = 32, to = 128 }",
        ],
    );
    check(
        &base_with("learning_rate", "learning_rate = { log = [1e-3, 1.0], steps = 3 }"),
        &["10:38 unknown key `steps` | not a key of a range | did you mean `step`?"],
    );
    check(
        &base_with("learning_rate", "learning_rate = { linear = [-0.1, 0.1], n = 3 }"),
        &["10:17 `learning_rate` cannot be -0.1 | expected a finite number above 0"],
    );
}

#[test]
fn batch_sizes_and_depths() {
    check(
        &base_with("batch_size", "batch_size = [32.0]"),
        &[
            "11:15 `batch_size` has the wrong type | expected a whole number, found a decimal number",
        ],
    );
    check(
        &base_with("batch_size", "batch_size = [0, 65_537, -1]"),
        &[
            "11:15 `batch_size` cannot be 0 | expected a whole number from 1 to 65536",
            "11:18 `batch_size` cannot be 65537 | expected a whole number from 1 to 65536",
            "11:26 `batch_size` cannot be -1 | expected a whole number from 1 to 65536",
        ],
    );
    check(
        &base_with("batch_size", "batch_size = [50_001]"),
        &[
            "11:15 `batch_size` is larger than the training set | expected at most 50000, the rows that train",
        ],
    );
    check(
        &base_with("batch_size", "batch_size = { linear = [1, 2], n = 3 }"),
        &["11:14 `batch_size` cannot be 1.5 | expected a range of whole numbers"],
    );
    check(
        &base_with("depth", "depth = [0, 4]"),
        &["12:10 `depth` cannot be 0 | expected a whole number from 1 to the number of widths"],
    );
}

#[test]
fn hidden_layers() {
    check(
        &base_with("depth", "depth = [1]\nhidden = [[8]]"),
        &[
            "13:1 `hidden` and `depth` in one grid | expected one of them: both name the hidden layers | use two [[grid]] tables, or write the layers as `hidden` alone",
        ],
    );
    check(
        &base_with("depth", "hidden = [8]"),
        &[
            "12:11 `hidden` has the wrong type | expected a list of widths, found a whole number | each value is a list of widths: write `hidden = [[256, 128]]`",
        ],
    );
    check(
        &base_with("depth", "hidden = [[8], [0]]"),
        &[
            "12:16 `hidden` cannot be [0] | expected a list of up to 64 widths, each from 1 to 16384",
        ],
    );
    check(
        &base_with("depth", ""),
        &["8:1 `[[grid]]` has no `depth` | `depth` is missing | add `depth = [3]`"],
    );
    check(
        &BASE.replace("widths = [256, 128, 64]\n", ""),
        &[
            "11:1 `depth` without widths to take | expected `widths` in `[model]` | add `widths = [256, 128, 64]` under [model]",
        ],
    );
    check(
        &base_and("weight_decay = [0.0, 0.1]"),
        &[
            "13:22 `weight_decay` does not fit the rest | backtracking tests the decrease of the plain loss, so L2 decay would be left out of the test | use `decoupled_decay`, which acts after a step is accepted",
        ],
    );
}

#[test]
fn zip_and_exclude() {
    check(
        &base_and(r#"zip = [["depth", "batch_size"]]"#),
        &[
            "13:8 `zip` pairs axes of different lengths | `batch_size` has 1 value, `depth` has 2 values",
        ],
    );
    check(
        &base_and(r#"zip = [["depth"]]"#),
        &["13:8 `zip` pairs nothing here | expected a list of at least two axis names"],
    );
    check(
        &base_and(r#"zip = [["depth", "learning_rat"]]"#),
        &[
            "13:18 `zip` names `learning_rat`, which is no axis | expected an axis of this grid | did you mean `learning_rate`?",
        ],
    );
    check(
        &base_and(r#"zip = [["depth", "depth"]]"#),
        &["13:18 `zip` names `depth` twice | expected each axis once"],
    );
    check(
        &base_and(r#"zip = "depth""#),
        &["13:7 `zip` has the wrong type | expected a list of lists of axis names, found a string"],
    );
    check(
        &base_and("exclude = 3"),
        &[
            "13:11 `exclude` has the wrong type | expected a list of tables, found a whole number | write `[[grid.exclude]]` with two brackets",
        ],
    );
    check(
        &base_and("[[grid.exclude]]"),
        &[
            "13:1 `[[grid.exclude]]` is empty | expected at least one key of a point, such as `depth = 1`",
        ],
    );
    check(
        &base_and("[[grid.exclude]]\nbatch = 3"),
        &[
            "14:1 unknown key `batch` | not a key of `[[grid.exclude]]` | did you mean `batch_size`?",
        ],
    );
    check(
        &base_and("[[grid.exclude]]\ndepth = 3"),
        &[
            "13:1 this exclusion leaves nothing out | no point of this grid has depth = 3 | correct its values or remove it",
        ],
    );
    check(
        &base_and("[[grid.exclude]]\ndepth = [1, 2]"),
        &["8:1 the sweep has no trials | every combination is left out by `[[grid.exclude]]`"],
    );
    check(
        &base_and("[[grid.exclude]]\ndepth = []"),
        &["14:9 `depth` has no values | expected at least one value"],
    );
}

#[test]
fn a_grid_is_counted_before_it_is_expanded() {
    let axis = |name: &str| format!("{name} = {{ linear = [0.1, 0.2], n = 10_000 }}\n");
    let axes: String = ["momentum", "beta1", "beta2", "alpha", "dropout"].map(axis).concat();
    check(
        &base_and(&axes),
        &[
            "8:1 the sweep has too many trials | over 18 quintillion trials up to here, the limit is 1000000 | give the axes fewer values or use fewer seeds; `zip` pairs axes instead of crossing them",
        ],
    );
    check(
        &base_with("learning_rate", "learning_rate = { linear = [0.1, 0.2], n = 10_001 }"),
        &["10:44 `n` is out of range | expected a whole number from 2 to 10000"],
    );
    let values = "32, ".repeat(10_001);
    check(
        &base_with("batch_size", &format!("batch_size = [{values}]")),
        &["11:14 `batch_size` has too many values | 10001 values, the limit is 10000"],
    );
}

#[test]
fn a_zip_without_its_inner_brackets_and_a_range_within_a_list() {
    check(
        &base_and("zip = [\"depth\", \"learning_rate\"]"),
        &[
            "13:7 `zip` has the wrong type | expected a list of lists of axis names, found a list of strings | write `zip = [[\"depth\", \"learning_rate\"]]`",
        ],
    );
    check(
        &base_with("learning_rate", "learning_rate = [{ log = [1e-3, 1.0], n = 4 }]"),
        &[
            "10:18 `learning_rate` has the wrong type | expected a number, found a table | a range is the whole axis: write `learning_rate = { ... }` without the brackets, and a second [[grid]] for values beside it",
        ],
    );
}

#[test]
fn numbers_that_single_precision_loses() {
    let adam = |key: &str, value: &str| {
        base_with("optimizer", "optimizer = [\"adam\"]")
            .replace("epochs = 10", &format!("epochs = 10\n{key} = {value}"))
    };
    let smallest = "a number from 1.2e-38: a smaller one can become 0 in 32 bits";
    for (key, value, label) in [
        ("eps", "1e-46", format!("expected {smallest}")),
        ("eps", "1e-40", format!("expected {smallest}")),
        ("weight_decay", "1e-300", format!("expected 0, or {smallest}")),
        (
            "beta1",
            "0.99999999999",
            "expected at most 0.9999999: a larger number becomes 1 in 32 bits".to_string(),
        ),
    ] {
        let source = adam(key, value);
        check(
            &source,
            &[&format!("8:{} `{key}` cannot be trained with {value} | {label}", key.len() + 4)],
        );
        plan_recorded(&parse(&source).unwrap(), &mnist(), 10_000).unwrap();
    }
    let rates = base_with("learning_rate", "learning_rate = { log = [1e-300, 0.1], n = 2 }");
    check(
        &rates,
        &[&format!("10:17 `learning_rate` cannot be trained with 1e-300 | expected {smallest}")],
    );
    for (key, value) in
        [("eps", "1e-37"), ("beta2", "0.9999999"), ("weight_decay", "0.0"), ("eps", "1e300")]
    {
        planned(&adam(key, value));
    }
    let search = base_with("optimizer", "optimizer = [\"backtracking\"]") + "armijo_c = [1e-300]\n";
    planned(&search);
}
