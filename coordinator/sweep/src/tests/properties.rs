//! Properties of all sweep files, on generated ones.

use std::collections::BTreeSet;

use proptest::prelude::*;
use trial::TrialId;

use crate::tests::{BASE, mnist, parse, plan, planned};

const AXES: [(&str, &[&str]); 6] = [
    ("optimizer", &["\"sgd\"", "\"momentum\"", "\"adam\"", "\"backtracking\""]),
    ("learning_rate", &["0.01", "0.05", "1e-1", "2", "0.5"]),
    ("batch_size", &["16", "32", "64"]),
    ("depth", &["1", "2", "3"]),
    ("momentum", &["0.5", "0.9"]),
    ("dropout", &["0.0", "0.25"]),
];

/// A file with these axes, in this order of lines and values, with a comment here and there.
fn file(axes: &[(&str, Vec<&str>)], has_comments: bool) -> String {
    let comment = if has_comments { "  # a comment" } else { "" };
    let head = &BASE[..BASE.find("optimizer").unwrap()];
    let line =
        |(name, values): &(&str, Vec<&str>)| format!("{name} = [{}]{comment}\n", values.join(", "));
    format!("{head}{}", axes.iter().map(line).collect::<String>())
}

fn ids(source: &str) -> Vec<TrialId> {
    planned(source).trials.iter().map(|trial| trial.id).collect()
}

/// Each axis with some of its values, never none, in any order. The optimizer `momentum` is always
/// among them, because the axis of its name would be refused without it.
fn axes() -> impl Strategy<Value = Vec<(&'static str, Vec<&'static str>)>> {
    let axis = |(name, values): (&'static str, &'static [&'static str])| {
        proptest::sample::subsequence(values, 1..=values.len()).prop_shuffle().prop_map(
            move |mut values| {
                if name == "optimizer" && !values.contains(&"\"momentum\"") {
                    values.push("\"momentum\"");
                }
                (name, values)
            },
        )
    };
    AXES.map(axis).to_vec()
}

proptest! {
    #[test]
    fn order_and_comments_change_nothing(
        (axes, shuffled) in axes().prop_flat_map(|axes| {
            let reversed = axes.iter().cloned().map(|(name, mut values)| {
                values.reverse();
                (name, values)
            });
            (Just(axes.clone()), Just(reversed.collect::<Vec<_>>()).prop_shuffle())
        }),
    ) {
        prop_assert_eq!(ids(&file(&axes, false)), ids(&file(&shuffled, true)));
    }

    #[test]
    fn every_trial_is_there_once_and_copies_account_for_the_rest(axes in axes()) {
        let plan = planned(&file(&axes, false));
        let n_combinations: usize = axes.iter().map(|(_, values)| values.len()).product();
        let n_copies: u64 = plan.duplicates_dropped.iter().map(|copies| copies.n_copies).sum();
        prop_assert_eq!(plan.points.len() as u64 + n_copies, n_combinations as u64);
        let distinct: BTreeSet<TrialId> = plan.trials.iter().map(|trial| trial.id).collect();
        prop_assert_eq!(distinct.len(), plan.trials.len());
    }

    #[test]
    fn more_values_only_add_trials(axes in axes()) {
        let all: Vec<(&str, Vec<&str>)> =
            AXES.iter().map(|(name, values)| (*name, values.to_vec())).collect();
        let all: BTreeSet<TrialId> = ids(&file(&all, false)).into_iter().collect();
        prop_assert!(ids(&file(&axes, false)).iter().all(|id| all.contains(id)));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn no_slip_in_a_good_file_makes_it_panic(
        at in 0..BASE.len(), n_cut in 0..20usize, slip in "[\\[\\]{}=\",.#\n0-9a-z_-]{0,6}",
    ) {
        let source = format!("{}{slip}{}", &BASE[..at], &BASE[(at + n_cut).min(BASE.len())..]);
        let problems = match parse(&source).and_then(|file| plan(&file, &mnist())) {
            Ok(_) => Vec::new(),
            Err(problems) => {
                prop_assert!(!problems.is_empty());
                problems
            }
        };
        for span in problems.into_iter().filter_map(|problem| problem.span) {
            prop_assert!(source.get(span).is_some(), "spans lie on character boundaries");
        }
    }
}
