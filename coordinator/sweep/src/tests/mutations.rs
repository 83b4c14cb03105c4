//! Properties of every text as a sweep file: it is planned, or its problems are told at places inside
//! it; nothing panics.

use properties::check;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::tests::{BASE, draft, mnist, plan, plan_recorded};
use crate::{DatasetMeta, check_without_data};

/// Cases of each property.
const N_CASES: u32 = 1_000;

/// Cases that once failed.
const FAILED_BEFORE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/tests/mutations.txt");

/// Everything that a sweep file can say, in a file that is fine.
const WHOLE: &str = r#"name = "whole"
description = "ü, 中, \u0001"
[dataset]
name = "mnist"
train = 5_000
valid = 1_000
scale = "standard"
[model]
widths = [32, 16]
activation = "relu"
[train]
epochs = 4
patience = 2
dropout = 0.1
[[grid]]
optimizer = ["sgd", "momentum"]
learning_rate = { log = [1e-3, 1.0], n = 4 }
batch_size = { step = 8, from = 8, to = 24 }
depth = [1, 2]
momentum = [0.5, 0.9]
zip = [["depth", "momentum"]]
[[grid.exclude]]
optimizer = "momentum"
batch_size = [8, 16]
[[grid]]
optimizer = ["sls"]
learning_rate = { linear = [0.1, 0.5], n = 3 }
batch_size = [32]
hidden = [[], [8], [8, 4]]
max_probes = [10]
[seeds]
list = [3, 1, 2]
[confirm]
seeds = 2
[report]
metric = "valid_loss"
heatmaps = [{ x = "learning_rate", y = "depth", cell = "mean" }]
[[hypothesis]]
claim = "c"
better = { optimizer = "momentum" }
than = { optimizer = ["sgd", "sls"] }
compare = "best"
margin = 0.01
"#;

/// What slips look like: wrong types, numbers beyond every range, other alphabets, broken syntax.
const SLIPS: [&str; 40] = [
    "0",
    "-1",
    "1e400",
    "-0.0",
    "nan",
    "inf",
    "5e-324",
    "1.7976931348623157e308",
    "0x7fffffffffffffff",
    "99999999999999999999999999999999999999999",
    "1979-05-27T07:32:00Z",
    "true",
    "\"\"",
    "\"sgd\"",
    "[]",
    "{}",
    "[[]]",
    "[[[[[[[[1]]]]]]]]",
    "{ log = [1e-300, 1e300], n = 3 }",
    "{ linear = [1.0, 1.0000000000000002], n = 9 }",
    "{ step = 1e-300, from = 0, to = 1 }",
    "ключ",
    "\"ключ\" = 1",
    "\u{feff}",
    "\r\n",
    "\r",
    "\t",
    "\0",
    "\u{202e}",
    "=",
    "[[",
    "]]",
    "'''",
    "\"\"\"",
    "#",
    ".",
    "momentum = 0.9",
    "depth",
    "a.b.c = 1",
    "\\",
];

/// Reads and plans a text in every way that the programs do.
fn is_answered(source: &str) -> Result<(), TestCaseError> {
    let facts = DatasetMeta { n_train_rows: 7_000, ..mnist() };
    let draft = draft(source);
    let mut problems = draft.problems;
    match draft.file {
        None => prop_assert!(!problems.is_empty(), "neither a file nor a problem"),
        Some(file) => {
            match plan(&file, &facts) {
                Ok(plan) => prop_assert!(!plan.trials.is_empty() && plan.slot_bytes() > 0),
                Err(more) => {
                    prop_assert!(!more.is_empty());
                    problems.extend(more);
                }
            }
            problems.extend(plan_recorded(&file, &facts, 1_000).err().unwrap_or_default());
            problems.extend(check_without_data(&file));
        }
    }
    for problem in problems {
        prop_assert!(!problem.message.is_empty() && !problem.label.is_empty());
        if let Some(span) = problem.span {
            prop_assert!(source.get(span.clone()).is_some(), "{span:?} is not in the text");
        }
    }
    Ok(())
}

fn slip() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(SLIPS.to_vec()).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => any::<f64>().prop_map(|x| format!("{x:e}")),
        1 => any::<i128>().prop_map(|n| n.to_string()),
    ]
}

/// Where words begin and end.
fn places(source: &str) -> Vec<usize> {
    let is_edge = |pair: &(usize, char)| !pair.1.is_alphanumeric() && pair.1 != '_';
    let edges = source.char_indices().filter(is_edge);
    edges.flat_map(|(at, c)| [at, at + c.len_utf8()]).chain([0, source.len()]).collect()
}

#[derive(Clone, Debug)]
enum Change {
    /// Puts a slip in place of the text between two edges of words.
    Replace(prop::sample::Index, usize, String),
    /// Puts a slip in place of a key's whole value.
    Value(prop::sample::Index, String),
    RepeatLine(prop::sample::Index),
    MoveLine(prop::sample::Index, prop::sample::Index),
    Cut(prop::sample::Index),
    CarriageReturns,
}

fn change() -> impl Strategy<Value = Change> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        8 => (index(), 0..4_usize, slip()).prop_map(|(at, n, slip)| Change::Replace(at, n, slip)),
        8 => (index(), slip()).prop_map(|(at, slip)| Change::Value(at, slip)),
        2 => index().prop_map(Change::RepeatLine),
        2 => (index(), index()).prop_map(|(from, to)| Change::MoveLine(from, to)),
        1 => index().prop_map(Change::Cut),
        1 => Just(Change::CarriageReturns),
    ]
}

fn changed(source: &str, change: &Change) -> String {
    let mut lines: Vec<&str> = source.split_inclusive('\n').collect();
    match change {
        _ if lines.is_empty() => String::new(),
        Change::Replace(at, n, slip) => {
            let mut places = places(source);
            places.sort_unstable();
            places.dedup();
            let from = at.index(places.len());
            let to = (from + n).min(places.len() - 1);
            format!("{}{slip}{}", &source[..places[from]], &source[places[to]..])
        }
        Change::Value(at, slip) => {
            let at = at.index(lines.len());
            let line = lines[at].split_once('=').map(|(key, _)| format!("{key}= {slip}\n"));
            let (before, after) = (lines[..at].concat(), lines[at + 1..].concat());
            format!("{before}{}{after}", line.as_deref().unwrap_or(lines[at]))
        }
        Change::RepeatLine(at) => {
            let at = at.index(lines.len());
            lines.insert(at, lines[at]);
            lines.concat()
        }
        Change::MoveLine(from, to) => {
            let line = lines.remove(from.index(lines.len()));
            lines.insert(to.index(lines.len() + 1), line);
            lines.concat()
        }
        Change::Cut(at) => {
            let places = places(source);
            source[..places[at.index(places.len())]].to_owned()
        }
        Change::CarriageReturns => source.replace('\n', "\r\n"),
    }
}

#[test]
fn the_whole_file_is_fine_as_it_is() {
    assert!(crate::tests::try_plan(WHOLE).is_ok(), "{:?}", crate::tests::try_plan(WHOLE));
}

#[test]
fn any_slips_in_a_good_file_are_answered() {
    let base = prop::sample::select(vec![BASE, WHOLE]);
    check(
        FAILED_BEFORE,
        N_CASES,
        &(base, prop::collection::vec(change(), 1..6)),
        |(base, changes)| {
            let source =
                changes.iter().fold(base.to_owned(), |text, change| changed(&text, change));
            is_answered(&source)
        },
    );
}

#[test]
fn any_text_is_answered() {
    let tokens = prop::collection::vec(prop_oneof![slip(), words()], 0..40);
    check(FAILED_BEFORE, N_CASES, &tokens, |tokens| is_answered(&tokens.concat()));
}

/// Pieces of sweep files.
fn words() -> impl Strategy<Value = String> {
    let lines: Vec<&str> = WHOLE.split_inclusive('\n').collect();
    prop::sample::select(lines).prop_map(str::to_owned)
}

#[test]
fn deep_nesting_ends_in_a_problem() {
    for (open, close) in [("[", "]"), ("{ a = ", " }")] {
        let value = format!("{}1{}", open.repeat(200_000), close.repeat(200_000));
        for source in [format!("x = {value}\n"), format!("{BASE}hidden = {value}\n"), value] {
            let draft = draft(&source);
            assert!(draft.file.is_none() && !draft.problems.is_empty());
        }
    }
    let dotted = format!("{}a = 1\n", "a.".repeat(100_000));
    assert!(!draft(&dotted).problems.is_empty());
    assert!(!draft(&format!("[{}a]\n", "a.".repeat(100_000))).problems.is_empty());
}

#[test]
fn a_byte_order_mark_and_carriage_returns_change_nothing() {
    let ids = |source: &str| -> Vec<String> {
        crate::tests::planned(source).trials.iter().map(|trial| trial.id.to_string()).collect()
    };
    let crlf = WHOLE.replace('\n', "\r\n");
    assert_eq!(ids(WHOLE), ids(&crlf));
    assert_eq!(ids(WHOLE), ids(&format!("\u{feff}{crlf}")));
    // Places count from the text as it is.
    let source = format!("\u{feff}{}", WHOLE.replace("epochs = 4", "epoks = 4"));
    let problem = &draft(&source).problems[0];
    assert_eq!(&source[problem.span.clone().unwrap()], "epoks");
}
