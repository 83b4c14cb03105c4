//! The few figures that a terminal shows when a report is done.

use trial::Unit;

use crate::analysis::{Clock, Sweep, percent, score_text, spread_text};
use crate::markdown::amount;
use crate::stats;

/// The best configuration, selected by the sweep's metric on the validation split.
#[derive(Clone, Debug, PartialEq)]
pub struct Best {
    /// Its optimizer and its values on the swept axes, in words.
    pub description: String,
    /// Id of its first seed's trial in the grid, 64 hex digits.
    pub trial_id: String,
    /// Mean of the sweep's metric over seeds (the confirm seeds, if there are any), and half its 95 % interval (two seeds or more).
    pub mean: f64,
    pub half_interval: Option<f64>,
    /// Mean over the seeds that completed, share from 0 to 1.
    pub test_accuracy: Option<f64>,
    pub n_seeds: usize,
}

pub(crate) fn best(sweep: &Sweep<'_>) -> Option<Best> {
    let point = sweep.best(&sweep.points)?;
    let judged = sweep.judged(point);
    let scores = judged.scores(sweep.metric());
    Some(Best {
        description: sweep.describe(point),
        trial_id: point.trial().id.to_string(),
        mean: stats::mean(&scores)?,
        half_interval: stats::t_interval(&scores),
        test_accuracy: stats::mean(&judged.test_accuracies()),
        n_seeds: scores.len(),
    })
}

pub(crate) fn short_table(sweep: &Sweep<'_>) -> Vec<Vec<String>> {
    let metric = sweep.metric();
    let name = match metric.unit {
        Unit::Share => "valid accuracy",
        Unit::Plain => "valid loss",
    };
    let header = ["best of each optimizer", name, "± 95 %", "test", "cpu s", "seeds"];
    let clock = Clock::of(sweep);
    let dash = || "–".to_string();
    let mut rows = vec![header.map(String::from).to_vec()];
    for optimizer in &sweep.optimizers {
        let points = sweep.points_of(optimizer);
        let Some(point) = sweep.best(points.iter().copied()) else {
            let name = optimizer.clone();
            rows.push(vec![name, sweep.endings(&points), dash(), dash(), dash(), dash()]);
            continue;
        };
        let judged = sweep.judged(point);
        let scores = judged.scores(metric);
        let half = stats::t_interval(&scores).map(|half| spread_text(metric, half));
        let test = stats::mean(&judged.test_accuracies());
        rows.push(vec![
            sweep.describe(point),
            stats::mean(&scores).map_or_else(dash, |mean| score_text(metric, mean)),
            half.unwrap_or_else(dash),
            test.map_or_else(dash, |test| format!("{} %", percent(test))),
            clock.mean_cpu_s(&judged).map_or_else(dash, |s| amount(s, 1)),
            scores.len().to_string(),
        ]);
    }
    rows
}
