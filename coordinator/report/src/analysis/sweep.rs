//! The sweep as the report sees it: its points in row order, and questions about them.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use sweep::{Objective, Phase};
use trial::{Ending, Value};

use super::metric::{gain, score_of};
use super::points::{Point, Run};
use super::values::{value_label, value_order};
use crate::ReportError;
use crate::input::{Input, State, Trial};

/// How many trials ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub n_trials: usize,
    pub n_completed: usize,
    /// How many of the completed ones learned nothing.
    pub n_collapsed: usize,
    pub n_diverged: usize,
    pub n_failed: usize,
    pub n_cancelled: usize,
    pub n_open: usize,
}

impl Counts {
    fn of(trials: &[Trial]) -> Self {
        let mut counts = Self { n_trials: trials.len(), ..Self::default() };
        for trial in trials {
            match &trial.state {
                State::Open => counts.n_open += 1,
                State::Failed(_) => counts.n_failed += 1,
                State::Cancelled => counts.n_cancelled += 1,
                State::Done(done) => match done.ending {
                    Ending::Diverged { .. } => counts.n_diverged += 1,
                    Ending::Completed { collapsed, .. } => {
                        counts.n_completed += 1;
                        counts.n_collapsed += usize::from(collapsed);
                    }
                },
            }
        }
        counts
    }

    pub fn n_with_result(&self) -> usize {
        self.n_completed + self.n_diverged
    }

    /// Whether every trial completed or diverged.
    pub fn is_complete(&self) -> bool {
        self.n_with_result() == self.n_trials
    }

    /// Whether every trial has its outcome, be it that it failed or was cancelled.
    pub fn is_settled(&self) -> bool {
        self.n_open == 0
    }

    /// The result tables' name without its ending.
    pub(crate) fn results_name(&self) -> &'static str {
        if self.is_complete() { "results" } else { "results-incomplete" }
    }
}

pub(crate) struct Sweep<'a> {
    pub(crate) input: &'a Input,
    optimizer_column: usize,
    /// Points of the grid in row order.
    pub(crate) points: Vec<Point<'a>>,
    /// Best points of the grid with the runs of their confirm seeds alone, in row order.
    confirmed: Vec<Point<'a>>,
    /// Names in row order.
    pub(crate) optimizers: Vec<String>,
    /// Names of the axes, `optimizer` left out, that take more than one value.
    pub(crate) swept_axes: Vec<&'a str>,
    pub(crate) counts: Counts,
}

impl<'a> Sweep<'a> {
    pub(crate) fn new(input: &'a Input) -> Result<Self, ReportError> {
        for trial in &input.trials {
            if trial.values.len() != input.layout.parameters.len() {
                return Err(ReportError::Shape {
                    id: trial.id.to_string(),
                    found: trial.values.len(),
                    expected: input.layout.parameters.len(),
                });
            }
        }
        let column = |name: &'static str| {
            let index = input.layout.parameters.iter().position(|column| column.name == name);
            index.ok_or(ReportError::MissingColumn { name })
        };
        let (optimizer_column, _) = (column("optimizer")?, column("hidden")?);
        let mut sweep = Self {
            input,
            optimizer_column,
            points: group(input, Phase::Grid),
            confirmed: group(input, Phase::Confirm),
            optimizers: Vec::new(),
            swept_axes: Vec::new(),
            counts: Counts::of(&input.trials),
        };
        let names: BTreeSet<&str> = sweep.points.iter().map(|p| sweep.optimizer(p)).collect();
        sweep.optimizers = names.into_iter().map(String::from).collect();
        let axes = input.axes.iter().map(|axis| axis.name);
        sweep.swept_axes =
            axes.filter(|name| *name != "optimizer" && sweep.axis_values(name).len() > 1).collect();
        Ok(sweep)
    }

    pub(crate) fn metric(&self) -> Objective {
        self.input.metric
    }

    pub(crate) fn optimizer<'p>(&self, point: &Point<'p>) -> &'p str {
        match &point.trial().values[self.optimizer_column] {
            Some(Value::Text(name)) => name,
            _ => "",
        }
    }

    /// The place of a point's optimizer among all, which is its colour in every figure.
    pub(crate) fn optimizer_number(&self, point: &Point<'_>) -> usize {
        let name = self.optimizer(point);
        self.optimizers.iter().position(|other| *other == name).unwrap_or(0)
    }

    /// Points of one optimizer, in row order.
    pub(crate) fn points_of(&self, optimizer: &str) -> Vec<&Point<'a>> {
        self.points.iter().filter(|point| self.optimizer(point) == optimizer).collect()
    }

    /// A hyperparameter by name, `depth` among them; `None` if the trial does not use it.
    pub(crate) fn value(&self, trial: &Trial, name: &str) -> Option<Value> {
        let column = if name == "depth" { "hidden" } else { name };
        let index = self.input.layout.parameters.iter().position(|other| other.name == column)?;
        match &trial.values[index] {
            Some(Value::Widths(widths)) if name == "depth" => {
                Some(Value::Count(widths.len() as u64))
            }
            value => value.clone(),
        }
    }

    /// The label of a value, or a dash where the trial does not use it.
    pub(crate) fn label(&self, trial: &Trial, name: &str) -> String {
        self.value(trial, name).map_or_else(|| "–".to_string(), |value| value_label(&value))
    }

    /// Distinct values of an axis among all points, ascending.
    pub(crate) fn axis_values(&self, name: &str) -> Vec<Value> {
        let mut values: Vec<Value> =
            self.points.iter().filter_map(|point| self.value(point.trial(), name)).collect();
        values.sort_by(value_order);
        values.dedup();
        values
    }

    /// The best of some points: highest mean metric over seeds, ties by mean validation loss, then
    /// row order. Points that miss a seed's result take part only when all of them do, and those of
    /// which every result diverged never.
    pub(crate) fn best<'p>(
        &self,
        points: impl IntoIterator<Item = &'p Point<'a>>,
    ) -> Option<&'p Point<'a>>
    where
        'a: 'p,
    {
        self.first_of(points.into_iter().filter(|point| !point.is_all_diverged()))
    }

    /// The best of some points, or where all of them diverged the first one, which shows chance.
    pub(crate) fn best_or_diverged<'p>(&self, points: &[&'p Point<'a>]) -> Option<&'p Point<'a>> {
        self.best(points.iter().copied()).or_else(|| self.first_of(points.iter().copied()))
    }

    fn first_of<'p>(&self, points: impl IntoIterator<Item = &'p Point<'a>>) -> Option<&'p Point<'a>>
    where
        'a: 'p,
    {
        let (complete, partial): (Vec<_>, Vec<_>) = points
            .into_iter()
            .filter(|point| point.mean(self.metric()).is_some())
            .partition(|point| point.is_complete());
        let candidates = if complete.is_empty() { partial } else { complete };
        candidates.into_iter().reduce(
            |best, point| {
                if self.rank(point, best).is_lt() { point } else { best }
            },
        )
    }

    /// `Less` when `a` stands before `b` in the ranking: by the mean metric, ties by mean validation
    /// loss; points of which every result diverged stand last.
    pub(crate) fn rank(&self, a: &Point<'_>, b: &Point<'_>) -> Ordering {
        let diverged = a.is_all_diverged().cmp(&b.is_all_diverged());
        diverged.then_with(|| self.by_mean(a, b))
    }

    fn by_mean(&self, a: &Point<'_>, b: &Point<'_>) -> Ordering {
        self.by_metric(a, b, self.metric())
            .then_with(|| self.by_metric(a, b, Objective::VALID_LOSS))
    }

    /// Whether two points have the same mean metric, accuracies counted in correct answers.
    pub(crate) fn is_tie(&self, a: &Point<'_>, b: &Point<'_>) -> bool {
        self.by_metric(a, b, self.metric()).is_eq()
    }

    /// `Less` when `a` has more correct answers.
    pub(crate) fn by_accuracy(&self, a: &Point<'_>, b: &Point<'_>) -> Ordering {
        self.by_metric(a, b, Objective::VALID_ACCURACY)
    }

    fn by_metric(&self, a: &Point<'_>, b: &Point<'_>, metric: Objective) -> Ordering {
        let n_valid = self.input.data.n_valid;
        if metric == Objective::VALID_ACCURACY {
            return match (a.correct_answers(n_valid), b.correct_answers(n_valid)) {
                (Some((a, n_a)), Some((b, n_b))) => (b * n_a).cmp(&(a * n_b)),
                (a, b) => b.is_some().cmp(&a.is_some()),
            };
        }
        match (a.mean(metric), b.mean(metric)) {
            (Some(a), Some(b)) => 0.0_f64.total_cmp(&(gain(metric, a, b) + 0.0)),
            (a, b) => b.is_some().cmp(&a.is_some()),
        }
    }

    /// The runs of a point with the confirm seeds that have a result, if there are any. They took
    /// no part in its selection.
    pub(crate) fn confirmed(&self, point: &Point<'_>) -> Option<Point<'a>> {
        let same = |other: &&Point<'a>| other.trial().values == point.trial().values;
        let with_results = self.confirmed.iter().find(same)?.with_results();
        (!with_results.runs.is_empty()).then_some(with_results)
    }

    /// What figures of a best point are read from: its confirm seeds, or without any the seeds of
    /// the grid.
    pub(crate) fn judged(&self, point: &Point<'a>) -> Point<'a> {
        self.confirmed(point).unwrap_or_else(|| point.clone())
    }

    /// A few words that name a point: its optimizer and its value on each swept axis.
    pub(crate) fn describe(&self, point: &Point<'_>) -> String {
        let mut words = vec![self.optimizer(point).to_string()];
        for name in &self.swept_axes {
            if let Some(value) = self.value(point.trial(), name) {
                words.push(format!("{} {}", name.replace('_', " "), value_label(&value)));
            }
        }
        words.join(", ")
    }

    /// Seeds of the grid, ascending.
    pub(crate) fn seeds(&self) -> Vec<u32> {
        let mut seeds: Vec<u32> = self
            .points
            .iter()
            .flat_map(|point| point.runs.iter().map(|run| run.trial.seed))
            .collect();
        seeds.sort_unstable();
        seeds.dedup();
        seeds
    }
}

/// Neighbours with equal values make a point; the input is sorted by values, then seed.
fn group(input: &Input, phase: Phase) -> Vec<Point<'_>> {
    let mut points: Vec<Point<'_>> = Vec::new();
    for trial in input.trials.iter().filter(|trial| trial.phase == phase) {
        let run = Run { trial, score: score_of(&trial.state, &input.data) };
        match points.last_mut() {
            Some(point) if point.trial().values == trial.values => point.runs.push(run),
            _ => points.push(Point { runs: vec![run] }),
        }
    }
    points
}
