//! What is refused of a file but for its grids and questions, where, and in which words.

use crate::tests::{
    BASE, DatasetMeta, base_and, base_with, check, draft, mnist, parse, plan, render,
};

#[test]
fn what_is_not_toml_is_refused_where_it_stops_being() {
    check("not toml at all", &["1:5 this is not valid TOML | key with no value, expected `=`"]);
    check(
        "name = \"x\" oops\n[dataset\n",
        &[
            "1:12 this is not valid TOML | unexpected key or value, expected newline, `#`",
            "2:9 this is not valid TOML | unclosed table, expected `]`",
        ],
    );
    check(
        "\u{0}\u{1}ELF",
        &[
            "1:1 this is not valid TOML | invalid unquoted key, expected letters, numbers, `-`, `_`",
            "1:6 this is not valid TOML | key with no value, expected `=`",
        ],
    );
    check(
        &base_with(r#"name = "base""#, "name = \"a\"\nname = \"b\""),
        &["2:1 this is not valid TOML | duplicate key"],
    );
}

#[test]
fn names_of_the_file_itself() {
    check(
        "",
        &[
            r#"file the sweep file has no `name` | `name` is missing | add `name = "my-sweep"` as the first line"#,
            r#"file the sweep file has no `[dataset]` | `[dataset]` is missing | add `[dataset]` with `name = "mnist"`"#,
            "file the sweep file has no `[[grid]]` | `[[grid]]` is missing | add `[[grid]]` with `optimizer`, `learning_rate`, `batch_size` and `depth`",
        ],
    );
    check(
        &base_with(r#"name = "base""#, r#"nam = "base""#),
        &["1:1 unknown key `nam` | not a key of the sweep file | did you mean `name`?"],
    );
    check(
        &base_with(r#"name = "base""#, r#"name = "Base Case""#),
        &[
            "1:8 `name` cannot name a folder everywhere | expected 1 to 64 of a-z, 0-9, _ and -, the first a letter or a digit | the report goes to reports/<name>/",
        ],
    );
    check(
        &base_with(r#"name = "base""#, "name = 3"),
        &["1:8 `name` has the wrong type | expected a string, found a whole number"],
    );
    check(
        &base_with(r#"name = "base""#, "name = \"a\"\ngrids = 1\nseed = 3"),
        &[
            "2:1 unknown key `grids` | not a key of the sweep file | did you mean `grid`?",
            "3:1 unknown key `seed` | not a key of the sweep file | did you mean `seeds`?",
        ],
    );
    check(
        &base_and("[figures]\nn = 10"),
        &[
            "13:2 unknown key `figures` | not a key of the sweep file | known keys: name, description, dataset, model, train, grid, seeds, confirm, report, hypothesis",
        ],
    );
    check(
        &BASE.replace("[[grid]]", "[grid]"),
        &[
            "8:1 `grid` has the wrong type | expected a list of tables, found a table | write `[[grid]]` with two brackets",
        ],
    );
    check(
        "name = \"x\"\ngrid = []\n[dataset]\nname = \"mnist\"\n",
        &["2:8 no grid | expected at least one `[[grid]]`"],
    );
    check(
        "name = \"x\"\ndataset = 3\ngrid = [1]\n",
        &[
            "2:11 `[dataset]` has the wrong type | expected a table, found a whole number",
            "3:9 `[[grid]]` has the wrong type | expected a table, found a whole number",
        ],
    );
}

#[test]
fn the_data_set_and_its_split() {
    check(
        &base_with(r#"name = "mnist""#, ""),
        &[
            r#"2:1 `[dataset]` has no `name` | `name` is missing | add `name = "mnist"`, or `format = "idx"` and `path`"#,
        ],
    );
    check(
        &base_with(r#"name = "mnist""#, "name = \"mnist\"\nformat = \"idx\""),
        &[
            "4:10 two data sets | expected no `format` beside `name`, which names an embedded data set",
        ],
    );
    check(
        &base_with(r#"name = "mnist""#, "name = \"mnist\"\npath = \"idx\""),
        &[r#"4:8 `path` without `format` | expected `format = "idx"` instead of `name`"#],
    );
    check(
        &base_with(r#"name = "mnist""#, "format = \"csv\"\npath = \"x\""),
        &[r#"3:10 `format` cannot be "csv" | expected "idx""#],
    );
    check(
        &base_with(r#"name = "mnist""#, r#"format = "idx""#),
        &[
            r#"2:1 `[dataset]` has no `path` | `path` is missing | add `path = "folder"`: the folder of the four IDX files"#,
        ],
    );
    check(
        &base_with(r#"name = "mnist""#, "name = \"mnist\"\nlabel = \"y\""),
        &[
            "4:1 unknown key `label` | not a key of `[dataset]` | known keys: name, format, path, train, valid, scale",
        ],
    );
    check(
        &base_with(r#"name = "mnist""#, "name = \"mnist\"\nscale = \"log\""),
        &[r#"4:9 `scale` cannot be "log" | expected "unit" or "standard""#],
    );
    check(
        &base_with(r#"name = "mnist""#, "name = \"mnist\"\ntrain = 0\nvalid = \"x\""),
        &[
            "4:9 `train` is out of range | expected a whole number from 1 to 4294967295",
            "5:9 `valid` has the wrong type | expected a whole number, found a string",
        ],
    );
    check(
        &base_with(r#"name = "mnist""#, "name = \"mnist\"\ntrain = 60_000"),
        &[
            "4:9 the split does not fit the training file | 60,000 to train and 0 to validate, of 60,000 rows | at least one row must train and one must validate",
        ],
    );
    check(
        &base_with(r#"name = "mnist""#, "name = \"mnist\"\ntrain = 50_000\nvalid = 10_001"),
        &[
            "5:9 the split does not fit the training file | 50,000 to train and 10,001 to validate, of 60,000 rows | at least one row must train and one must validate",
        ],
    );
    check(
        &base_with(r#"name = "mnist""#, "name = \"mnist\"\nvalid = 60_000"),
        &[
            "4:9 the split does not fit the training file | 0 to train and 60,000 to validate, of 60,000 rows | at least one row must train and one must validate",
        ],
    );
    check(
        &base_with(r#"name = "mnist""#, "name = \"mnist\"\ntrain = 31"),
        &[
            "12:15 `batch_size` is larger than the training set | expected at most 31, the rows that train",
        ],
    );
}

#[test]
fn model_and_fixed_hyperparameters() {
    check(
        &base_with("widths", "width = [256]"),
        &["5:1 unknown key `width` | not a key of `[model]` | did you mean `widths`?"],
    );
    check(
        &base_with("widths", "widths = 256"),
        &[
            "5:10 `widths` has the wrong type | expected a list of whole numbers, found a whole number",
        ],
    );
    check(
        &base_with("widths", "widths = [256, 0]"),
        &[
            "5:10 `widths` are out of range | expected a list of up to 64 widths, each from 1 to 16384",
        ],
    );
    check(
        &base_with("widths", "widths = [256, 128]\nactivation = \"tanh\""),
        &[r#"6:14 unknown activation "tanh" | expected "relu" | known: relu"#],
    );
    check(
        &base_with("widths", "widths = [256]"),
        &[
            "12:13 `depth` is larger than the number of widths | expected 1 | add widths to `[model] widths`, or leave this depth out",
        ],
    );
    check(
        &base_with("epochs", "epochs = 0"),
        &["7:10 `epochs` cannot be 0 | expected a whole number from 1 to 10000"],
    );
    check(
        &base_with("epochs", "epoch = 10"),
        &["7:1 unknown key `epoch` | not a key of `[train]` | did you mean `epochs`?"],
    );
    check(
        &base_with("epochs", "epochs = [5, 10]"),
        &[
            "7:10 `epochs` has the wrong type | expected a whole number, found a list | to try several values, move the key to [[grid]]",
        ],
    );
    check(
        &base_with("epochs", "epochs = 10.5"),
        &["7:10 `epochs` has the wrong type | expected a whole number, found a decimal number"],
    );
    check(
        &base_with("epochs", "epochs = 99999999999999999999999"),
        &[
            "7:10 `epochs` cannot be 99999999999999999999999 | expected a whole number from 1 to 10000",
        ],
    );
    check(
        &base_with("epochs", "weight_decay = 1e-4"),
        &[
            "7:16 `weight_decay` does not fit the rest | backtracking tests the decrease of the plain loss, so L2 decay would be left out of the test | use `decoupled_decay`, which acts after a step is accepted",
        ],
    );
    check(
        &base_with("epochs", "depth = 2"),
        &[
            "7:1 unknown key `depth` | not a key of `[train]` | `depth` is an axis: write `depth = [1, 2]` in [[grid]]; one depth for all is `hidden = [256, 128]` under [train]",
        ],
    );
}

#[test]
fn the_default_split_needs_two_rows() {
    let source = BASE;
    let facts = DatasetMeta { n_train_rows: 1, ..mnist() };
    let problems = plan(&parse(source).unwrap(), &facts).unwrap_err();
    assert_eq!(
        render(source, &problems),
        "3:8 the data set is too small to train and to validate | its training file has 1 row | at least one row must train and one must validate"
    );
}

#[test]
fn seeds() {
    check(
        &base_and("[seeds]\nn = 0"),
        &["14:5 `n` is out of range | expected a whole number from 1 to 1000000"],
    );
    check(
        &base_and("[seeds]"),
        &[
            "13:1 `[seeds]` needs `n` or `list` | expected one of them: `n = 3` means the seeds 1, 2 and 3",
        ],
    );
    check(
        &base_and("[seeds]\nn = 1\nlist = [1]"),
        &[
            "13:1 `[seeds]` has both `n` and `list` | expected one of them: `n = 3` means the seeds 1, 2 and 3",
        ],
    );
    check(
        &base_and("[seeds]\nlist = []"),
        &["13:1 `list` has no values | expected at least one seed"],
    );
    check(
        &base_and("[seeds]\nlist = [1, -1, 4294967296]"),
        &[
            "14:12 `list` is out of range | expected a whole number from 0 to 4294967295",
            "14:16 `list` is out of range | expected a whole number from 0 to 4294967295",
        ],
    );
    check(
        &base_and("[seeds]\nn = 125_001"),
        &[
            "8:1 the sweep has too many trials | 1000008 trials up to here, the limit is 1000000 | give the axes fewer values or use fewer seeds; `zip` pairs axes instead of crossing them",
        ],
    );
    check(
        &base_and("[seeds]\nn = 2_000_000"),
        &["14:5 `n` is out of range | expected a whole number from 1 to 1000000"],
    );
}

/// Without its points a file cannot be planned, and complaints of planning would be false.
#[test]
fn a_file_without_sound_points_is_not_planned() {
    for source in [
        base_and("[seeds]\nn = 0"),
        base_with("epochs", "epochs = 0"),
        base_with("[model]", "[modle]"),
        base_with("batch_size", "batch_size = []"),
        base_with("[dataset]", "[dataset]\ntrain = 0"),
    ] {
        let draft = draft(&source);
        assert!(draft.file.is_none() && !draft.problems.is_empty(), "{source}");
    }
}

#[test]
fn seeds_that_are_told_in_two_ways_or_in_the_wrong_one() {
    let seeds = |lines: &str| base_and(&format!("[seeds]\n{lines}"));
    check(
        &seeds("n = 3\nlist = [1, 2]"),
        &[
            "13:1 `[seeds]` has both `n` and `list` | expected one of them: `n = 3` means the seeds 1, 2 and 3",
        ],
    );
    check(
        &seeds("n = [1, 2]"),
        &[
            "14:5 `n` has the wrong type | expected a whole number, found a list | `n` is how many seeds there are; name them with `list = [1, 2]`",
        ],
    );
    check(
        &base_and("[confirm]\nseeds = [7, 8]"),
        &[
            "14:9 `seeds` has the wrong type | expected a whole number, found a list | `seeds` is how many fresh seeds there are, which are 1000001 and those after it",
        ],
    );
}

#[test]
fn a_key_in_another_section_is_told_where_it_belongs() {
    let seeds =
        "seeds have a section of their own: write [seeds] with `n = 3` or `list = [1, 2, 3]`";
    let train = base_with("epochs", "seed = 3\nwidths = [8]\nmetric = \"valid_loss\"");
    check(
        &train,
        &[
            &format!("7:1 unknown key `seed` | not a key of `[train]` | {seeds}"),
            "8:1 unknown key `widths` | not a key of `[train]` | `widths` belongs in [model]",
            "9:1 unknown key `metric` | not a key of `[train]` | `metric` belongs in [report]",
        ],
    );
    check(
        &base_and("seeds = [1, 2]"),
        &[&format!("13:1 unknown key `seeds` | not a key of `[[grid]]` | {seeds}")],
    );
    check(
        &format!("epochs = 3\n{}", base_with("widths", "widths = [256, 128]\nhidden = [8]")),
        &[
            "1:1 unknown key `epochs` | not a key of the sweep file | `epochs` belongs under [train], or as a list in [[grid]]",
            "7:1 unknown key `hidden` | not a key of `[model]` | `hidden` belongs under [train], or as a list in [[grid]]",
        ],
    );
}
