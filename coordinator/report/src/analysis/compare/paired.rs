//! Two groups of points compared seed by seed. The seed is the random unit: points share initial
//! weights and batch order, so they are averaged within a seed and never counted as replicates.

use std::collections::BTreeMap;

use trial::known::{TRAIN_ACCURACY, TRAIN_LOSS, VALID_ACCURACY, VALID_LOSS};

use crate::analysis::metric::gain;
use crate::analysis::points::{Point, Run};
use crate::analysis::sweep::Sweep;
use crate::analysis::values::{same_axis, value_label};
use crate::stats::{self, PairedTest};

/// Points of both sides that are equal on every axis not under comparison.
pub(crate) struct Match<'p, 'a> {
    pub(crate) better: Vec<&'p Point<'a>>,
    pub(crate) than: Vec<&'p Point<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SeedPair {
    pub(crate) seed: u32,
    /// Means of the metric over the matched points.
    pub(crate) better: f64,
    pub(crate) than: f64,
    /// How much better the better side is; positive when it is.
    pub(crate) gain: f64,
}

/// What a comparison shows.
pub(crate) struct Paired {
    pub(crate) seeds: Vec<SeedPair>,
    pub(crate) n_matched: usize,
    /// Points without a partner, or whose match misses a result.
    pub(crate) n_dropped: usize,
    pub(crate) n_won: usize,
    pub(crate) n_equal: usize,
    pub(crate) n_lost: usize,
    /// Pairs of runs, one a match and seed, and how many of them are equal in every epoch's bits.
    pub(crate) n_run_pairs: usize,
    pub(crate) n_bit_equal: usize,
    /// Runs on each side, and those of them that diverged and count as chance.
    pub(crate) n_runs: (usize, usize),
    pub(crate) n_diverged: (usize, usize),
    /// Runs on each side that completed without learning.
    pub(crate) n_collapsed: (usize, usize),
    /// `None` when nothing diverged or collapsed at all, or everywhere.
    pub(crate) trained: Option<Trained>,
    /// `None` for fewer than two seeds.
    pub(crate) test: Option<PairedTest>,
    pub(crate) wilcoxon_p: Option<f64>,
    pub(crate) bootstrap: Option<(f64, f64)>,
}

/// The same comparison over the matches where nothing diverged or collapsed.
pub(crate) struct Trained {
    pub(crate) n_matched: usize,
    pub(crate) gain: f64,
    pub(crate) test: Option<PairedTest>,
}

impl Paired {
    /// Runs on each side that diverged or collapsed.
    pub(crate) fn n_failed_to_train(&self) -> (usize, usize) {
        (self.n_diverged.0 + self.n_collapsed.0, self.n_diverged.1 + self.n_collapsed.1)
    }

    /// Whether nothing trained on either side: chance against chance says nothing.
    pub(crate) fn is_all_diverged(&self) -> bool {
        self.n_matched > 0 && self.n_diverged == self.n_runs
    }

    /// Whether the effect changes its sign, or stops being distinguishable, without the matches
    /// where something diverged or collapsed.
    pub(crate) fn is_decided_by_failures(&self) -> bool {
        let (Some(all), Some(trained)) = (self.test, &self.trained) else { return false };
        all.mean * trained.gain < 0.0
            || (is_distinguishable(all) && !trained.test.is_some_and(is_distinguishable))
    }
}

/// Whether the interval leaves 0 out.
pub(crate) fn is_distinguishable(test: PairedTest) -> bool {
    test.low > 0.0 || test.high < 0.0
}

/// Compares the matches whose runs all have a result; `n_unmatched` points found no partner.
pub(crate) fn compare(sweep: &Sweep<'_>, matches: &[Match<'_, '_>], n_unmatched: usize) -> Paired {
    let (full, lacking): (Vec<_>, Vec<_>) = matches
        .iter()
        .partition(|m| m.better.iter().chain(&m.than).all(|point| point.is_complete()));
    let seeds = seed_pairs(sweep, &full);
    let (n_runs, n_diverged) =
        (sides(&full, |point| point.runs.len()), sides(&full, |point| point.n_diverged()));
    // Chance against chance is no sample of anything.
    let gains: Vec<f64> = seeds.iter().map(|pair| pair.gain).collect();
    let gains = if n_diverged == n_runs { Vec::new() } else { gains };
    let point_gains: Vec<f64> = full
        .iter()
        .filter_map(|m| {
            Some(gain(sweep.metric(), side_mean(sweep, &m.better)?, side_mean(sweep, &m.than)?))
        })
        .collect();
    let run_pairs: Vec<(&Run<'_>, &Run<'_>)> = full.iter().flat_map(|m| run_pairs(m)).collect();
    let dropped =
        |side: fn(&Match<'_, '_>) -> usize| lacking.iter().map(|m| side(m)).sum::<usize>();
    Paired {
        n_matched: full.len(),
        n_dropped: n_unmatched + dropped(|m| m.better.len()) + dropped(|m| m.than.len()),
        n_won: point_gains.iter().filter(|g| **g > 0.0).count(),
        n_equal: point_gains.iter().filter(|g| **g == 0.0).count(),
        n_lost: point_gains.iter().filter(|g| **g < 0.0).count(),
        n_run_pairs: run_pairs.len(),
        n_bit_equal: run_pairs.iter().filter(|(a, b)| same_bits(a, b)).count(),
        n_runs,
        n_diverged,
        n_collapsed: sides(&full, |point| point.n_collapsed()),
        trained: among_trained(sweep, &full),
        test: stats::paired_t(&gains),
        wilcoxon_p: stats::wilcoxon_p(&gains),
        bootstrap: stats::bootstrap_interval(&gains),
        seeds,
    }
}

/// Two best points compared on their confirm seeds, or on the seeds of the grid, which selected
/// them, while one of them has none; whether it was on confirm seeds.
pub(crate) fn compare_best(
    sweep: &Sweep<'_>,
    better: &Point<'_>,
    than: &Point<'_>,
) -> (Paired, bool) {
    let of_two = |better: &Point<'_>, than: &Point<'_>| {
        compare(sweep, &[Match { better: vec![better], than: vec![than] }], 0)
    };
    match (sweep.confirmed(better), sweep.confirmed(than)) {
        (Some(better), Some(than)) => (of_two(&better, &than), true),
        _ => (of_two(better, than), false),
    }
}

/// A count over the points of each side.
fn sides(matches: &[&Match<'_, '_>], n: impl Fn(&Point<'_>) -> usize) -> (usize, usize) {
    let sum = |points: &[&Point<'_>]| points.iter().map(|point| n(point)).sum::<usize>();
    (matches.iter().map(|m| sum(&m.better)).sum(), matches.iter().map(|m| sum(&m.than)).sum())
}

fn among_trained(sweep: &Sweep<'_>, full: &[&Match<'_, '_>]) -> Option<Trained> {
    let is_trained =
        |m: &Match<'_, '_>| m.better.iter().chain(&m.than).all(|point| point.is_trained());
    let trained: Vec<_> = full.iter().copied().filter(|m| is_trained(m)).collect();
    if trained.len() == full.len() {
        return None;
    }
    let gains: Vec<f64> = seed_pairs(sweep, &trained).iter().map(|pair| pair.gain).collect();
    Some(Trained {
        n_matched: trained.len(),
        gain: stats::mean(&gains)?,
        test: stats::paired_t(&gains),
    })
}

fn seed_pairs(sweep: &Sweep<'_>, matches: &[&Match<'_, '_>]) -> Vec<SeedPair> {
    if matches.is_empty() {
        return Vec::new();
    }
    let metric = sweep.metric();
    let side = |points: &[&Point<'_>], seed: u32| {
        let scores: Option<Vec<f64>> =
            points.iter().map(|point| point.score_of_seed(seed, metric)).collect();
        stats::mean(&scores?)
    };
    let seeds = matches[0].better[0].runs.iter().map(|run| run.trial.seed);
    let of_seed = |seed: u32| {
        // A seed counts only when all matches have it on both sides.
        let pairs: Option<Vec<(f64, f64)>> =
            matches.iter().map(|m| Some((side(&m.better, seed)?, side(&m.than, seed)?))).collect();
        let (better, than): (Vec<f64>, Vec<f64>) = pairs?.into_iter().unzip();
        let gains: Vec<f64> = better.iter().zip(&than).map(|(b, t)| gain(metric, *b, *t)).collect();
        Some(SeedPair {
            seed,
            better: stats::mean(&better)?,
            than: stats::mean(&than)?,
            gain: stats::mean(&gains)?,
        })
    };
    seeds.filter_map(of_seed).collect()
}

fn side_mean(sweep: &Sweep<'_>, points: &[&Point<'_>]) -> Option<f64> {
    let means: Option<Vec<f64>> = points.iter().map(|point| point.mean(sweep.metric())).collect();
    stats::mean(&means?)
}

/// Runs of equal seeds, where each side of a match is one point.
fn run_pairs<'m>(m: &'m Match<'_, '_>) -> Vec<(&'m Run<'m>, &'m Run<'m>)> {
    let ([better], [than]) = (m.better.as_slice(), m.than.as_slice()) else { return Vec::new() };
    better.runs.iter().filter_map(|run| Some((run, than.run_of_seed(run.trial.seed)?))).collect()
}

/// Whether two runs went the same way: every loss and accuracy equal to the last bit. Their digests
/// differ all the same when one of them records the steps of a line search, and their gradient
/// norms when it computes them in another form. Two that diverged are never the same: they may have
/// left each other within the epoch that no history holds, and equal digests of nothing prove
/// nothing.
fn same_bits(a: &Run<'_>, b: &Run<'_>) -> bool {
    if a.is_diverged() || b.is_diverged() {
        return false;
    }
    let (Some(a), Some(b)) = (a.done(), b.done()) else { return false };
    let same = |pick: fn(&trial::EpochRecord) -> f64| {
        a.history.iter().map(pick).map(f64::to_bits).eq(b
            .history
            .iter()
            .map(pick)
            .map(f64::to_bits))
    };
    !a.history.is_empty()
        && same(|e| e[TRAIN_LOSS])
        && same(|e| e[VALID_LOSS])
        && same(|e| e[VALID_ACCURACY])
        && same(|e| e[TRAIN_ACCURACY])
}

/// Pairs up points that are equal on every axis but `compared`, and counts those left alone. An
/// axis that one side does not use at all (momentum, for sgd) is no hindrance.
pub(crate) fn match_points<'p, 'a>(
    sweep: &Sweep<'a>,
    better: &[&'p Point<'a>],
    than: &[&'p Point<'a>],
    compared: &[&str],
) -> (Vec<Match<'p, 'a>>, usize) {
    let is_compared = |name: &str| compared.iter().any(|other| same_axis(other, name));
    let used_by = |points: &[&Point<'a>], name: &str| {
        points.iter().any(|point| sweep.value(point.trial(), name).is_some())
    };
    let axes: Vec<&str> = sweep
        .input
        .axes
        .iter()
        .map(|axis| axis.name)
        .filter(|name| !is_compared(name) && used_by(better, name) && used_by(than, name))
        .collect();
    let key = |point: &Point<'a>| -> Vec<String> {
        let label = |name: &&str| sweep.value(point.trial(), name).map(|v| value_label(&v));
        axes.iter().map(|name| label(name).unwrap_or_default()).collect()
    };
    let mut matches: BTreeMap<Vec<String>, Match<'p, 'a>> = BTreeMap::new();
    let empty = || Match { better: Vec::new(), than: Vec::new() };
    for &point in better {
        matches.entry(key(point)).or_insert_with(empty).better.push(point);
    }
    for &point in than {
        matches.entry(key(point)).or_insert_with(empty).than.push(point);
    }
    let (paired, alone): (Vec<_>, Vec<_>) =
        matches.into_values().partition(|m| !m.better.is_empty() && !m.than.is_empty());
    (paired, alone.iter().map(|m| m.better.len() + m.than.len()).sum())
}
