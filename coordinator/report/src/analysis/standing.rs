//! How trials ended, in words: what stands where points have no best one.

use super::points::Point;
use super::sweep::Sweep;
use crate::input::State;

impl Sweep<'_> {
    /// Such as `all 6 diverged`, `4 diverged, 2 failed` or `no result yet`.
    pub(crate) fn endings(&self, points: &[&Point<'_>]) -> String {
        let trials = || points.iter().flat_map(|point| &point.runs).map(|run| run.trial);
        let count = |is: fn(&State) -> bool| trials().filter(|trial| is(&trial.state)).count();
        let n_diverged = points.iter().map(|point| point.n_diverged()).sum::<usize>();
        let n_done = count(|state| matches!(state, State::Done(_)));
        let counts = [
            (n_done - n_diverged, "completed"),
            (n_diverged, "diverged"),
            (count(|state| matches!(state, State::Failed(_))), "failed"),
            (count(|state| matches!(state, State::Cancelled)), "cancelled"),
            (count(|state| matches!(state, State::Open)), "open"),
        ];
        let some: Vec<(usize, &str)> = counts.into_iter().filter(|(n, _)| *n > 0).collect();
        match some.as_slice() {
            [] | [(_, "open")] => "no result yet".to_string(),
            [(1, word)] => (*word).to_string(),
            [(n, word)] => format!("all {n} {word}"),
            several => {
                let parts = several.iter().map(|(n, word)| format!("{n} {word}"));
                parts.collect::<Vec<_>>().join(", ")
            }
        }
    }

    /// The optimizers that have no best point, each with how its trials ended.
    pub(crate) fn without_best(&self) -> Vec<(&str, String)> {
        let ending = |name: &'_ String| {
            let points = self.points_of(name);
            self.best(points.iter().copied()).is_none().then(|| self.endings(&points))
        };
        let named = self.optimizers.iter();
        named.filter_map(|name| Some((name.as_str(), ending(name)?))).collect()
    }
}
