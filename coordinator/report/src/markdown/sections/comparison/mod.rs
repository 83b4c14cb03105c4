//! Section 3: the optimizers compared, over seeds and at equal budgets.

pub mod budgets;
pub mod convergence;
pub mod curves;
pub mod pareto;
pub mod spread;
pub mod tradeoffs;

use crate::analysis::{
    Clock, OptimizerPair, Sweep, best_against_best, is_distinguishable, optimizer_pairs, points_of,
};
use crate::markdown::page::n_of_n;
use crate::markdown::page::{Left, Page, Right, count, escape};
use crate::markdown::phrases::{COLLAPSED, failures_text, p_text};
use crate::stats::{self, MIN_PAIRS};

/// Pairs that get a column of per-seed differences.
const MAX_PAIRS_BY_SEED: usize = 6;
const MAX_SEEDS: usize = 20;
/// With more optimizers only the pairs with the best one are shown.
const MAX_ALL_AGAINST_ALL: usize = 4;

pub(crate) fn write(page: &mut Page, sweep: &Sweep<'_>, clock: &Clock) {
    page.heading(2, "3. Optimizer comparison");
    if sweep.optimizers.len() < 2 {
        page.block("The sweep has one optimizer, so there is nothing to compare it with.");
    } else {
        let mut pairs = optimizer_pairs(sweep);
        // Holm's correction is over those that can be tested.
        let (n_pairs, n_tests) =
            (pairs.len(), pairs.iter().filter(|pair| pair.p.is_some()).count());
        let best = sweep.best(&sweep.points).map(|point| sweep.optimizer(point));
        if let Some(best) = best.filter(|_| sweep.optimizers.len() > MAX_ALL_AGAINST_ALL) {
            pairs.retain(|pair| pair.first == best || pair.second == best);
        }
        pairs_table(page, sweep, &pairs, n_pairs, n_tests);
        sentences(page, sweep, &pairs);
        seeds_table(page, sweep, &pairs);
    }
    budgets::write(page, sweep, clock);
}

fn pairs_table(
    page: &mut Page,
    sweep: &Sweep<'_>,
    pairs: &[OptimizerPair],
    n_pairs: usize,
    n_tests: usize,
) {
    page.block(&format!(
        "Points that are equal on every other axis are compared seed by seed. Per seed the \
         differences of {} are averaged over the points, and the seeds are the sample: points share \
         initial weights and batch order, so they are no replicates. p is two-sided from the paired \
         t test, corrected by Holm over {}; the interval is not corrected.{}",
        sweep.metric().title,
        tested_text(n_pairs, n_tests),
        if pairs.len() < n_pairs {
            " Shown are the pairs with the optimizer of the best configuration."
        } else {
            ""
        },
    ));
    if sweep.counts.n_collapsed > 0 && sweep.input.hypotheses.is_empty() {
        page.block(COLLAPSED);
    }
    let header = [
        (Left, "pair"),
        (Right, "points"),
        (Right, "seeds"),
        (Right, "difference"),
        (Right, "95 % interval"),
        (Right, "p"),
        (Right, "won / equal / lost"),
        (Left, "better"),
    ];
    let rows: Vec<Vec<String>> = pairs.iter().map(|pair| pair_row(sweep, pair)).collect();
    page.table(&header, &rows);
}

fn tested_text(n_pairs: usize, n_tests: usize) -> String {
    match (n_pairs, n_tests) {
        (1, _) => "the one pair".to_string(),
        (_, 0) => format!("all {n_pairs} pairs"),
        (_, n) if n == n_pairs => format!("all {n_pairs} pairs"),
        (_, n) => format!("the {n} of {n_pairs} pairs that can be tested"),
    }
}

fn pair_row(sweep: &Sweep<'_>, pair: &OptimizerPair) -> Vec<String> {
    let paired = &pair.paired;
    let dash = || "–".to_string();
    if paired.is_all_diverged() {
        return all_diverged_row(pair);
    }
    let gains: Vec<f64> = paired.seeds.iter().map(|seed| seed.gain).collect();
    let interval = paired.test.map(|test| {
        let (low, high) =
            (points_of(sweep.metric(), test.low), points_of(sweep.metric(), test.high));
        format!("{low} to {high}")
    });
    vec![
        format!("{} − {}", escape(&pair.first), escape(&pair.second)),
        paired.n_matched.to_string(),
        paired.seeds.len().to_string(),
        stats::mean(&gains).map_or_else(dash, |mean| points_of(sweep.metric(), mean)),
        interval.unwrap_or_else(dash),
        pair.p.map_or_else(dash, |p| p_text(p).replace("p = ", "").replace("p ", "")),
        format!("{} / {} / {}", paired.n_won, paired.n_equal, paired.n_lost),
        better_text(pair),
    ]
}

/// Chance against chance: no difference to speak of.
fn all_diverged_row(pair: &OptimizerPair) -> Vec<String> {
    let dash = || "–".to_string();
    vec![
        format!("{} − {}", escape(&pair.first), escape(&pair.second)),
        pair.paired.n_matched.to_string(),
        pair.paired.seeds.len().to_string(),
        dash(),
        dash(),
        dash(),
        dash(),
        "*all trials diverged*".to_string(),
    ]
}

/// The winner; one that only the other's failures make is no bare one.
fn better_text(pair: &OptimizerPair) -> String {
    if pair.paired.n_matched == 0 {
        return "*nothing to compare*".to_string();
    }
    let Some(winner) = pair.winner() else { return "*not distinguishable*".to_string() };
    if !pair.paired.is_decided_by_failures() {
        return escape(winner);
    }
    let loser = if winner == pair.first { &pair.second } else { &pair.first };
    format!("{}, by failures of {}", escape(winner), escape(loser))
}

/// What the table cannot say: too few seeds, other tests, equal bits, dropped points.
fn sentences(page: &mut Page, sweep: &Sweep<'_>, pairs: &[OptimizerPair]) {
    const MAX_OPEN: usize = 12;
    let mut lines = Vec::new();
    let n_seeds = pairs.iter().map(|pair| pair.paired.seeds.len()).max().unwrap_or(0);
    if n_seeds == 0 {
        lines.push("- No matched points have all their results.".to_string());
    } else if pairs.iter().all(|pair| pair.paired.test.is_none()) {
        // One seed, or nothing that trained: no interval is shown that could be explained.
    } else if n_seeds < MIN_PAIRS {
        lines.push(format!(
            "- With {} no exact Wilcoxon test can reach p < 0.05 (that takes {MIN_PAIRS} seeds), so \
             none is shown; the t interval leans on normal differences.",
            count(n_seeds, "seed")
        ));
    }
    for pair in pairs {
        let paired = &pair.paired;
        let name = format!("{} − {}", escape(&pair.first), escape(&pair.second));
        if let Some(p) = paired.wilcoxon_p {
            lines
                .push(format!("- {name}: exact Wilcoxon (Pratt) {} before correction.", p_text(p)));
        }
        if let Some((low, high)) = paired.bootstrap {
            let (low, high) = (points_of(sweep.metric(), low), points_of(sweep.metric(), high));
            lines.push(format!("- {name}: bootstrap 95 % interval {low} to {high}."));
        }
        if paired.n_bit_equal > 0 {
            lines.push(format!(
                "- {name}: {} of trials have losses and accuracies equal to the last bit in every epoch: there both \
                 took the very same steps, and the optimizers cannot be told apart.",
                n_of_n(paired.n_bit_equal, paired.n_run_pairs, "pair"),
            ));
        }
        if let Some(text) = failures_text(sweep, paired) {
            lines.push(format!("- {name}: {text}."));
        }
        lines.extend(best_against_grid(sweep, pair).map(|text| format!("- {name}: {text}")));
        if paired.n_dropped > 0 {
            lines.push(format!(
                "- {name}: {} without a partner or without all results left out.",
                count(paired.n_dropped, "point")
            ));
        }
    }
    if lines.len() > MAX_OPEN {
        page.folded(&format!("{} on these pairs", count(lines.len(), "remark")), |page| {
            page.block(&lines.join("\n"));
        });
    } else if !lines.is_empty() {
        page.block(&lines.join("\n"));
    }
}

/// Reconciles a winner over the grid with best points that nothing tells apart.
fn best_against_grid(sweep: &Sweep<'_>, pair: &OptimizerPair) -> Option<String> {
    let winner = pair.winner()?;
    let (test, is_confirmed) = best_against_best(sweep, &pair.first, &pair.second)?;
    if is_distinguishable(test) {
        return None;
    }
    let metric = sweep.metric();
    Some(format!(
        "over the whole grid, which is what an untuned choice gives, {} is better; best against best \
         the difference{} is {} ({} to {}), which is not distinguishable from 0.",
        escape(winner),
        if is_confirmed { " on the confirm seeds" } else { "" },
        points_of(metric, test.mean),
        points_of(metric, test.low),
        points_of(metric, test.high),
    ))
}

fn has_seeds(pair: &OptimizerPair) -> bool {
    !pair.paired.seeds.is_empty() && !pair.paired.is_all_diverged()
}

fn seeds_table(page: &mut Page, sweep: &Sweep<'_>, pairs: &[OptimizerPair]) {
    let shown: Vec<&OptimizerPair> =
        pairs.iter().filter(|pair| has_seeds(pair)).take(MAX_PAIRS_BY_SEED).collect();
    let names: Vec<String> =
        shown.iter().map(|p| format!("{} − {}", escape(&p.first), escape(&p.second))).collect();
    let mut header = vec![(Right, "seed")];
    header.extend(names.iter().map(|name| (Right, name.as_str())));
    let rows: Vec<Vec<String>> = sweep
        .seeds()
        .into_iter()
        .take(MAX_SEEDS)
        .map(|seed| {
            let gain = |pair: &&OptimizerPair| {
                let found = pair.paired.seeds.iter().find(|other| other.seed == seed);
                found.map_or_else(|| "–".to_string(), |s| points_of(sweep.metric(), s.gain))
            };
            std::iter::once(seed.to_string()).chain(shown.iter().map(gain)).collect()
        })
        .collect();
    if !shown.is_empty() {
        page.block("Mean difference of each seed:");
        page.table(&header, &rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pairs_that_can_be_tested_are_corrected_for() {
        assert_eq!(tested_text(1, 1), "the one pair");
        assert_eq!(tested_text(6, 6), "all 6 pairs");
        assert_eq!(tested_text(6, 3), "the 3 of 6 pairs that can be tested");
    }
}
