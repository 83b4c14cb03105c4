//! A point of the grid with its runs, one a seed.

use sweep::{Objective, Score};
use trial::Ending;

use crate::input::{Done, State, Trial};
use crate::stats;

/// One trial with what counts for it.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) trial: &'a Trial,
    pub(crate) score: Option<Score>,
}

impl<'a> Run<'a> {
    pub(crate) fn done(&self) -> Option<&'a Done> {
        match &self.trial.state {
            State::Done(done) => Some(done),
            _ => None,
        }
    }

    pub(crate) fn is_diverged(&self) -> bool {
        self.done().is_some_and(|done| matches!(done.ending, Ending::Diverged { .. }))
    }

    pub(crate) fn is_collapsed(&self) -> bool {
        self.done()
            .is_some_and(|done| matches!(done.ending, Ending::Completed { collapsed: true, .. }))
    }

    pub(crate) fn test_accuracy(&self) -> Option<f64> {
        match self.done()?.ending {
            Ending::Completed { test_accuracy, .. } => test_accuracy,
            Ending::Diverged { .. } => None,
        }
    }
}

/// One combination of hyperparameters with its runs in seed order; never empty.
#[derive(Clone)]
pub(crate) struct Point<'a> {
    pub(crate) runs: Vec<Run<'a>>,
}

impl<'a> Point<'a> {
    /// The trial that lends its values to the point.
    pub(crate) fn trial(&self) -> &'a Trial {
        self.runs[0].trial
    }

    /// The same point without the runs that have no score; may be empty, unlike any other.
    pub(crate) fn with_results(&self) -> Self {
        Self { runs: self.runs.iter().filter(|run| run.score.is_some()).copied().collect() }
    }

    /// Whether each seed has a score.
    pub(crate) fn is_complete(&self) -> bool {
        self.runs.iter().all(|run| run.score.is_some())
    }

    /// The metric of each run that has a score, in seed order.
    pub(crate) fn scores(&self, metric: Objective) -> Vec<f64> {
        self.runs.iter().filter_map(|run| Some(run.score?.of(metric))).collect()
    }

    /// Mean over the seeds; `None` without any score.
    pub(crate) fn mean(&self, metric: Objective) -> Option<f64> {
        stats::mean(&self.scores(metric))
    }

    /// Mean number of correct answers as a fraction of whole numbers, so that equal counts are equal
    /// whatever their order of summation; `None` without any score.
    pub(crate) fn correct_answers(&self, n_valid: u32) -> Option<(u64, u64)> {
        let scores = self.scores(Objective::VALID_ACCURACY);
        let correct = |share: &f64| (share * f64::from(n_valid)).round() as u64;
        (!scores.is_empty()).then(|| (scores.iter().map(correct).sum(), scores.len() as u64))
    }

    pub(crate) fn sd(&self, metric: Objective) -> Option<f64> {
        stats::sd(&self.scores(metric))
    }

    /// Test accuracies of the completed runs.
    pub(crate) fn test_accuracies(&self) -> Vec<f64> {
        self.runs.iter().filter_map(Run::test_accuracy).collect()
    }

    pub(crate) fn n_diverged(&self) -> usize {
        self.runs.iter().filter(|run| run.is_diverged()).count()
    }

    pub(crate) fn n_collapsed(&self) -> usize {
        self.runs.iter().filter(|run| run.is_collapsed()).count()
    }

    /// Whether it has results and all of them diverged: a score of chance that nothing was trained for.
    pub(crate) fn is_all_diverged(&self) -> bool {
        self.n_diverged() > 0
            && self.runs.iter().all(|run| run.score.is_none() || run.is_diverged())
    }

    /// Whether no run diverged or collapsed.
    pub(crate) fn is_trained(&self) -> bool {
        self.n_diverged() == 0 && self.n_collapsed() == 0
    }

    /// The metric of one seed's run.
    pub(crate) fn score_of_seed(&self, seed: u32, metric: Objective) -> Option<f64> {
        Some(self.run_of_seed(seed)?.score?.of(metric))
    }

    /// Runs stand in seed order.
    pub(crate) fn run_of_seed(&self, seed: u32) -> Option<&Run<'a>> {
        let place = self.runs.binary_search_by_key(&seed, |run| run.trial.seed).ok()?;
        Some(&self.runs[place])
    }
}
