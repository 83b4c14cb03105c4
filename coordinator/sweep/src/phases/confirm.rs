//! `[confirm]`: the best points of the grid are trained again with fresh seeds, so that the seeds
//! that selected a point do not judge it. Which points these are is a function of recorded outcomes.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::Range;

use toml::de::DeValue;
use trial::{Goal, TrialId};

use crate::file::objective::Objective;
use crate::file::problem::{Problem, Problems, Spanned};
use crate::file::reader::{Table, count};
use crate::file::spec::{Compare, SweepFile};
use crate::identity::Identity;
use crate::limits::MAX_TRIALS;
use crate::plan::{Phase, Plan, Trial};
use crate::score::Score;

pub(crate) const CONFIRM_KEYS: &[&str] = &["seeds"];

/// Confirm trials run with this seed and those after it.
pub const FIRST_CONFIRM_SEED: u32 = 1_000_001;

/// What a trial of the grid came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// None yet; a cancelled trial, which runs again, counts as such.
    Open,
    Failed,
    /// Completed.
    Scored(Score),
    /// Counts as this score, which is chance.
    Diverged(Score),
}

/// `[confirm]`: the number of fresh seeds. `seeds` are those of the grid.
pub(crate) fn read(root: &Table, seeds: &[u32], problems: &mut Problems) -> Option<Spanned<u32>> {
    let table = root.section("confirm", "`[confirm]`", CONFIRM_KEYS, problems)?;
    if table.item("seeds").is_none() {
        table.missing("seeds", "add `seeds = 10`", problems);
    }
    let item = table.item("seeds")?;
    let read = count("seeds", item, 1..=MAX_TRIALS as u32);
    let n_seeds = problems.ok(read.map_err(|problem| match item.get_ref() {
        DeValue::Array(_) => problem.help(format!(
            "`seeds` is how many fresh seeds there are, which are {FIRST_CONFIRM_SEED} and those after it"
        )),
        _ => problem,
    }))?;
    let fresh = fresh_seeds(n_seeds.value);
    if let Some(taken) = seeds.iter().find(|seed| fresh.contains(seed)) {
        let (first, last) = (fresh.start, fresh.end - 1);
        let message = "`[confirm]` needs seeds that `[seeds]` does not name";
        let label = format!("these are {first} to {last}, and `[seeds]` names {taken}");
        let problem = Problem::at(n_seeds.span.clone(), message, label);
        problems.push(problem.help(format!("take seeds below {first} for the grid")));
    }
    Some(n_seeds)
}

fn fresh_seeds(n: u32) -> Range<u32> {
    FIRST_CONFIRM_SEED..FIRST_CONFIRM_SEED + n
}

/// Notes when the grid and its confirm trials are too many together.
pub(crate) fn check(file: &SweepFile, plan: &Plan, problems: &mut Problems) {
    let Some(confirm) = &file.confirm else { return };
    let n_trials = (plan.trials.len() + plan.n_confirm_max()) as u64;
    if MAX_TRIALS < n_trials {
        let label = format!("{n_trials} trials with those of the grid, the limit is {MAX_TRIALS}");
        let message = "the sweep has too many trials";
        problems.push(Problem::at(confirm.span.clone(), message, label));
    }
}

impl Plan {
    /// Ascending; empty without `[confirm]`.
    pub fn confirm_seeds(&self) -> Range<u32> {
        fresh_seeds(self.n_confirm_seeds)
    }

    /// The sets of points whose best one is confirmed, each set once: the points of each optimizer
    /// and those of each side of a hypothesis about best points. None without `[confirm]`.
    pub fn contests(&self) -> Vec<Vec<u32>> {
        if self.n_confirm_seeds == 0 {
            return Vec::new();
        }
        let points: Vec<u32> = (0..self.points.len() as u32).collect();
        let mut contests: BTreeSet<Vec<u32>> = self.by_variant(&points).into_values().collect();
        for hypothesis in self.hypotheses.iter().filter(|it| it.compare == Compare::Best) {
            let sides = self.sides(hypothesis);
            contests.extend([sides.better, sides.than]);
        }
        contests.into_iter().collect()
    }

    /// Confirm trials if no point is the best of two contests.
    pub fn n_confirm_max(&self) -> usize {
        self.contests().len() * self.n_confirm_seeds as usize
    }

    /// The confirm trials that the outcomes of the grid's trials call for, in the order in which
    /// they are to run. None before every trial of the grid has its outcome. A point takes part
    /// when none of its trials failed and not all of them diverged; the highest mean metric over its seeds is the best, ties by
    /// lower mean validation loss, then by row order.
    pub fn confirm_trials(&self, outcomes: &[Outcome]) -> Vec<Trial> {
        assert_eq!(outcomes.len(), self.grid().len(), "one outcome for each trial of the grid");
        if outcomes.contains(&Outcome::Open) {
            return Vec::new();
        }
        let standings: Vec<Option<Standing>> = outcomes
            .chunks(self.seeds.len())
            .map(|outcomes| Standing::of(outcomes, self.split.n_valid))
            .collect();
        let best = |contest: Vec<u32>| self.best_of(&contest, &standings);
        let chosen: BTreeSet<u32> = self.contests().into_iter().filter_map(best).collect();
        let mut trials: Vec<Trial> =
            chosen.into_iter().flat_map(|point| self.confirm_trials_of(point)).collect();
        trials.sort_by(|a, b| {
            let cost = |trial: &Trial| self.cost_macs(trial.point as usize);
            a.seed.cmp(&b.seed).then(cost(b).total_cmp(&cost(a))).then(a.point.cmp(&b.point))
        });
        trials
    }

    /// The confirm trial with this id, whichever point it confirms.
    pub fn confirm_trial(&self, id: TrialId) -> Option<Trial> {
        let points = 0..self.points.len() as u32;
        points.flat_map(|point| self.confirm_trials_of(point)).find(|trial| trial.id == id)
    }

    fn confirm_trials_of(&self, point: u32) -> Vec<Trial> {
        let seeds = self.confirm_seeds();
        let hyperparameters = self.points.hyperparameters(point as usize, seeds.start);
        let identity = Identity::new(self.interface, self.dataset_digest, self.split);
        let texts = identity.texts(&hyperparameters);
        let trial = |seed| Trial { id: texts.id(seed), point, seed, phase: Phase::Confirm };
        seeds.map(trial).collect()
    }

    fn best_of(&self, contest: &[u32], standings: &[Option<Standing>]) -> Option<u32> {
        let metric = self.report.metric;
        let standing = |point: u32| standings[point as usize].as_ref().map(|it| (point, it));
        contest
            .iter()
            .filter_map(|&point| standing(point))
            .min_by(|(_, a), (_, b)| a.rank(b, metric))
            .map(|(point, _)| point)
    }
}

/// What counts of a point that has the scores of all its seeds, at least one of them of a trial
/// that completed.
struct Standing {
    /// Correct answers over all seeds: whole numbers, so that equal means are equal to the bit.
    n_correct: u64,
    mean_loss: f64,
}

impl Standing {
    fn of(outcomes: &[Outcome], n_valid: u32) -> Option<Self> {
        // Chance is nothing to confirm.
        if outcomes.iter().all(|outcome| matches!(outcome, Outcome::Diverged(_))) {
            return None;
        }
        let score = |outcome: &Outcome| match outcome {
            Outcome::Scored(score) | Outcome::Diverged(score) => Some(*score),
            Outcome::Open | Outcome::Failed => None,
        };
        let scores: Vec<Score> = outcomes.iter().map(score).collect::<Option<_>>()?;
        let correct = |score: &Score| (score.accuracy * f64::from(n_valid)).round() as u64;
        let loss: f64 = scores.iter().map(|score| score.loss).sum();
        Some(Self {
            n_correct: scores.iter().map(correct).sum(),
            mean_loss: loss / scores.len() as f64,
        })
    }

    /// `Less` when this one is better.
    fn rank(&self, other: &Self, metric: Objective) -> Ordering {
        let by_loss = self.mean_loss.total_cmp(&other.mean_loss);
        match metric.goal {
            Goal::Maximize => other.n_correct.cmp(&self.n_correct).then(by_loss),
            Goal::Minimize => by_loss,
        }
    }
}
