//! Hypotheses of the sweep file, judged by fixed rules.

use std::collections::BTreeMap;

use sweep::{Compare, Condition, Filter, Hypothesis};
use trial::{TrialId, Value};

use super::paired::{Match, Paired, compare, compare_best, match_points};
use crate::analysis::points::Point;
use crate::analysis::sweep::Sweep;
use crate::analysis::values::{place_of, value_order};
use crate::stats::{self, PairedTest};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Holds,
    DoesNotHold,
    NotDistinguishable,
    /// Every trial diverged, on both sides or on one that has to name its best point.
    CannotBeJudged,
}

impl Verdict {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::DoesNotHold => "does not hold",
            Self::NotDistinguishable => "not distinguishable",
            Self::CannotBeJudged => "cannot be judged",
        }
    }
}

pub(crate) struct Judged<'a> {
    pub(crate) hypothesis: &'a Hypothesis,
    pub(crate) paired: Paired,
    /// After Holm's correction over all different comparisons of the file's hypotheses.
    pub(crate) p: Option<f64>,
    /// Whether another hypothesis before it asks the same of the same trials.
    pub(crate) is_repeat: bool,
    pub(crate) verdict: Verdict,
    /// Where each side is its best point.
    pub(crate) best: Option<BestPoints>,
    /// Where the claim cannot be judged.
    pub(crate) untrained: Untrained,
}

/// How many trials each side has if all of them diverged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Untrained {
    pub(crate) better: Option<usize>,
    pub(crate) than: Option<usize>,
}

impl Untrained {
    fn of_best(better: &[&Point<'_>], than: &[&Point<'_>]) -> Self {
        let n_diverged = |points: &[&Point<'_>]| {
            let n: usize = points.iter().map(|point| point.n_diverged()).sum();
            let n_scored = points.iter().flat_map(|point| &point.runs);
            let n_scored = n_scored.filter(|run| run.score.is_some()).count();
            (n > 0 && n == n_scored).then_some(n)
        };
        Self { better: n_diverged(better), than: n_diverged(than) }
    }

    fn of_matched(paired: &Paired) -> Self {
        if !paired.is_all_diverged() {
            return Self::default();
        }
        Self { better: Some(paired.n_runs.0), than: Some(paired.n_runs.1) }
    }
}

/// The points that stand for the sides of a hypothesis.
pub(crate) struct BestPoints {
    pub(crate) better: String,
    pub(crate) than: String,
    /// Judged on confirm seeds alone, none of which selected them.
    pub(crate) is_confirmed: bool,
}

/// In the order of the sweep file.
pub(crate) fn judge_all<'a>(sweep: &Sweep<'a>) -> Vec<Judged<'a>> {
    let compared: Vec<_> =
        sweep.input.hypotheses.iter().map(|h| (h, compare_sides(sweep, h))).collect();
    // The first of those that ask the same.
    let mut firsts: BTreeMap<&Question, usize> = BTreeMap::new();
    let mut raw = Vec::new();
    let places: Vec<(Option<usize>, bool)> = compared
        .iter()
        .map(|(_, compared)| {
            let Some(test) = compared.paired.test else { return (None, false) };
            let n_tests = raw.len();
            let place = *firsts.entry(&compared.question).or_insert(n_tests);
            if place == n_tests {
                raw.push(test.p);
            }
            (Some(place), place < n_tests)
        })
        .collect();
    let corrected = stats::holm(&raw);
    compared
        .into_iter()
        .zip(places)
        .map(|((hypothesis, Compared { paired, best, untrained, .. }), (place, is_repeat))| {
            let p = place.map(|place| corrected[place]);
            let verdict = if untrained != Untrained::default() {
                Verdict::CannotBeJudged
            } else {
                judge(paired.test, p, hypothesis.margin)
            };
            Judged { hypothesis, paired, p, is_repeat, verdict, best, untrained }
        })
        .collect()
}

/// One hypothesis with its sides compared.
struct Compared {
    paired: Paired,
    question: Question,
    best: Option<BestPoints>,
    untrained: Untrained,
}

/// Which points are compared with which, named by the ids of their first trials; the same in both
/// directions, whose tests are the same.
type Question = Vec<(Vec<TrialId>, Vec<TrialId>)>;

fn question(matches: &[Match<'_, '_>]) -> Question {
    let ids = |points: &[&Point<'_>]| -> Vec<TrialId> {
        points.iter().map(|point| point.trial().id).collect()
    };
    let mut question: Question = matches.iter().map(|m| (ids(&m.better), ids(&m.than))).collect();
    question.sort_unstable();
    let mut reversed: Question =
        question.iter().map(|(better, than)| (than.clone(), better.clone())).collect();
    reversed.sort_unstable();
    question.min(reversed)
}

/// The rules, in this order: fewer than two seeds: not distinguishable; the interval ends below the
/// margin: does not hold; it begins above 0 and the corrected p is below 0.05: holds; else not
/// distinguishable.
fn judge(test: Option<PairedTest>, p_corrected: Option<f64>, margin: f64) -> Verdict {
    let (Some(test), Some(p)) = (test, p_corrected) else { return Verdict::NotDistinguishable };
    if test.high < margin {
        Verdict::DoesNotHold
    } else if test.low > 0.0 && p < 0.05 {
        Verdict::Holds
    } else {
        Verdict::NotDistinguishable
    }
}

fn compare_sides<'a>(sweep: &Sweep<'a>, hypothesis: &Hypothesis) -> Compared {
    let better = side(sweep, &hypothesis.better);
    let than = side(sweep, &hypothesis.than);
    if hypothesis.compare == Compare::Best {
        let (Some(b), Some(t)) =
            (sweep.best(better.iter().copied()), sweep.best(than.iter().copied()))
        else {
            let paired = compare(sweep, &[], better.len() + than.len());
            let untrained = Untrained::of_best(&better, &than);
            return Compared { paired, question: Vec::new(), best: None, untrained };
        };
        let (paired, is_confirmed) = compare_best(sweep, b, t);
        let question = question(&[Match { better: vec![b], than: vec![t] }]);
        let (better, than) = (sweep.describe(b), sweep.describe(t));
        let best = Some(BestPoints { better, than, is_confirmed });
        return Compared { paired, question, best, untrained: Untrained::default() };
    }
    let names =
        hypothesis.better.conditions.iter().chain(&hypothesis.than.conditions).map(|it| it.name);
    let (matches, n_alone) = match_points(sweep, &better, &than, &names.collect::<Vec<_>>());
    let paired = compare(sweep, &matches, n_alone);
    let untrained = Untrained::of_matched(&paired);
    Compared { paired, question: question(&matches), best: None, untrained }
}

/// Points that have one of the values asked for on each key.
fn side<'p, 'a>(sweep: &'p Sweep<'a>, wanted: &Filter) -> Vec<&'p Point<'a>> {
    let ascending = |condition: &Condition| {
        let mut values = condition.values.clone();
        values.sort_by(value_order);
        (condition.name, values)
    };
    let wanted: Vec<(&str, Vec<Value>)> = wanted.conditions.iter().map(ascending).collect();
    let fits = |point: &&Point<'a>| {
        wanted.iter().all(|(name, values)| {
            sweep.value(point.trial(), name).is_some_and(|v| place_of(&v, values).is_some())
        })
    };
    sweep.points.iter().filter(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_follow_the_rules_in_order() {
        use Verdict::{DoesNotHold, Holds, NotDistinguishable};
        let test = |low: f64, high: f64| {
            Some(PairedTest { mean: f64::midpoint(low, high), low, high, p: 0.01 })
        };
        for (case, interval, p, margin, expected) in [
            ("one seed", None, None, 0.0, NotDistinguishable),
            ("all below zero", test(-0.3, -0.1), Some(0.01), 0.0, DoesNotHold),
            ("ends at zero", test(-0.3, 0.0), Some(0.01), 0.0, NotDistinguishable),
            ("all above zero", test(0.1, 0.3), Some(0.01), 0.0, Holds),
            ("begins at zero", test(0.0, 0.3), Some(0.01), 0.0, NotDistinguishable),
            (
                "above zero, p too large after Holm",
                test(0.1, 0.3),
                Some(0.06),
                0.0,
                NotDistinguishable,
            ),
            ("p of exactly 0.05", test(0.1, 0.3), Some(0.05), 0.0, NotDistinguishable),
            ("spans zero", test(-0.1, 0.3), Some(0.01), 0.0, NotDistinguishable),
            ("above zero but below the margin", test(0.1, 0.3), Some(0.01), 0.5, DoesNotHold),
            ("spans the margin", test(0.1, 0.7), Some(0.01), 0.5, Holds),
        ] {
            assert_eq!(judge(interval, p, margin), expected, "{case}");
        }
    }
}
