//! Section 1: the answer first.

pub mod confirm;
pub mod hypotheses;

use sweep::Objective;
use trial::{Unit, Value};

use crate::analysis::{Point, Sweep, loss_text, points_of, value_label};
use crate::markdown::page::{Left, Page, Right, count, escape, thousands};
use crate::markdown::phrases::mean_with_interval;
use crate::markdown::phrases::words;
use crate::stats;
use confirm::{headline_sentence, n_seeds};

pub(crate) fn write(page: &mut Page, sweep: &Sweep<'_>) {
    page.heading(2, "1. Answer first");
    if sweep.counts.n_with_result() == 0 {
        page.block(&nothing_to_answer_with(sweep));
        return;
    }
    if let Some(best) = sweep.best(&sweep.points) {
        best_sentence(page, sweep, best);
        others_sentence(page, sweep, best);
        headline_sentence(page, sweep, best);
        optimizers_table(page, sweep);
        few_seeds_remark(page, sweep);
    } else {
        page.block(&format!(
            "**No configuration trained**: {} of {} diverged{}, so none is the best. Try smaller learning rates.",
            thousands(sweep.counts.n_diverged as u64),
            count(sweep.counts.n_trials, "trial"),
            missing_results(sweep),
        ));
    }
    hypotheses::write(page, sweep);
}

fn nothing_to_answer_with(sweep: &Sweep<'_>) -> String {
    let counts = sweep.counts;
    if counts.n_failed + counts.n_cancelled == 0 {
        return "No trial has a result yet, so there is nothing to answer with.".to_string();
    }
    let causes = if counts.n_failed > 0 { " Section 8 has the causes of failures." } else { "" };
    format!(
        "**No trial has a result**: of {}{}, so there is nothing to answer with.{causes}",
        count(counts.n_trials, "trial"),
        missing_results(sweep),
    )
}

/// `, 2 failed, 1 open`; empty when all trials have a result.
fn missing_results(sweep: &Sweep<'_>) -> String {
    let counts = sweep.counts;
    let missing =
        [(counts.n_failed, "failed"), (counts.n_cancelled, "cancelled"), (counts.n_open, "open")];
    let some = missing.into_iter().filter(|(n, _)| *n > 0);
    some.map(|(n, word)| format!(", {} {word}", thousands(n as u64))).collect()
}

fn best_sentence(page: &mut Page, sweep: &Sweep<'_>, best: &Point<'_>) {
    let metric = sweep.metric();
    let judged = sweep.judged(best);
    let scores = judged.scores(metric);
    let tests = judged.test_accuracies();
    let mut text = format!(
        "**Best configuration{}: {}.** Mean {} **{}** over {}",
        if sweep.counts.n_open > 0 { " so far" } else { "" },
        escape(&sweep.describe(best)),
        metric.title,
        mean_with_interval(metric, &scores),
        n_seeds(sweep, best, scores.len()),
    );
    text.push_str(match scores.len() {
        1 => " (one seed: no interval can be given).",
        _ => " (± is the 95 % t interval over seeds).",
    });
    text.push_str(&format!(" The {} of a trial is that of its best epoch.", metric.title));
    if tests.is_empty() {
        text.push_str(" There is no test accuracy for it.");
    } else {
        let tests_text = mean_with_interval(Objective::VALID_ACCURACY, &tests);
        text.push_str(&format!(
            " Its test accuracy is **{tests_text}** (mean over {}); nothing was selected on the test set.",
            n_seeds(sweep, best, tests.len()),
        ));
    }
    if judged.n_diverged() > 0 {
        text.push_str(&format!(
            " {} of its {} diverged and counted as chance.",
            judged.n_diverged(),
            n_seeds(sweep, best, judged.runs.len())
        ));
    }
    page.block(&text);
    page.block(&configuration(sweep, best));
}

/// Every hyperparameter of a point, unused ones left out: by its optimizer, or for want of hidden
/// units.
fn configuration(sweep: &Sweep<'_>, point: &Point<'_>) -> String {
    const OF_HIDDEN_UNITS: [&str; 2] = ["activation", "dropout"];
    let hidden = sweep.value(point.trial(), "hidden");
    let has_units = !matches!(hidden, Some(Value::Widths(widths)) if widths.is_empty());
    let is_used = |name: &str| has_units || !OF_HIDDEN_UNITS.contains(&name);
    let columns = sweep.input.layout.parameters.iter().filter(|column| is_used(column.name));
    let values = columns.filter_map(|column| {
        let value = sweep.value(point.trial(), column.name)?;
        Some(format!("{} {}", escape(&words(column.name)), escape(&value_label(&value))))
    });
    format!("In full: {}.", values.collect::<Vec<_>>().join(", "))
}

/// What the best point beat.
fn others_sentence(page: &mut Page, sweep: &Sweep<'_>, best: &Point<'_>) {
    let others: Vec<&Point<'_>> =
        sweep.points.iter().filter(|point| !std::ptr::eq(*point, best)).collect();
    let Some(second) = sweep.best(others.iter().copied()) else {
        let n_diverged = others.iter().filter(|point| point.is_all_diverged()).count();
        page.block(&match n_diverged {
            0 => "It is the only point with a result, so it beat nothing.".to_string(),
            n => format!(
                "It is the only point that trained, so it beat nothing: all trials of {} diverged.",
                count(n, "other point")
            ),
        });
        return;
    };
    let metric = sweep.metric();
    let (Some(mean), Some(second_mean)) = (best.mean(metric), second.mean(metric)) else { return };
    let n_ranked = sweep.points.iter().filter(|point| point.mean(metric).is_some()).count();
    let mut selected = format!(
        "It was selected among {}{} by {}",
        count(n_ranked, "point"),
        if n_ranked < sweep.points.len() { " with a result" } else { "" },
        metric.title
    );
    if sweep.confirmed(best).is_some() {
        selected.push_str(&format!(
            " on the grid's {}, {} there",
            count(best.scores(metric).len(), "seed"),
            mean_with_interval(metric, &best.scores(metric)),
        ));
    }
    let second_name = escape(&sweep.describe(second));
    let second_text = mean_with_interval(metric, &second.scores(metric));
    let seeds = count(second.scores(metric).len(), "seed");
    if sweep.is_tie(best, second) {
        let choice = tie_break(best, second);
        page.block(&format!(
            "{selected}; it is tied with {second_name} ({second_text}, {seeds}) and chosen by {choice}."
        ));
        return;
    }
    let gain = points_of(metric, crate::analysis::gain(metric, mean, second_mean));
    page.block(&format!(
        "{selected}; next comes {second_name} with {second_text} ({gain} for the best, {seeds})."
    ));
}

/// What decided between two points of equal metric.
fn tie_break(best: &Point<'_>, second: &Point<'_>) -> String {
    match (best.mean(Objective::VALID_LOSS), second.mean(Objective::VALID_LOSS)) {
        (Some(a), Some(b)) if a < b => {
            format!("its lower validation loss ({} against {})", loss_text(a), loss_text(b))
        }
        _ => "the order of rows, as their validation losses are equal too".to_string(),
    }
}

/// The best point of each optimizer.
fn optimizers_table(page: &mut Page, sweep: &Sweep<'_>) {
    if sweep.optimizers.len() < 2 {
        return;
    }
    let header = [
        (Left, "best of each optimizer"),
        (Right, sweep.metric().title),
        (Right, "test accuracy"),
        (Right, "seeds"),
        (Right, "diverged"),
    ];
    let row = |name: &String| {
        let points = sweep.points_of(name);
        let Some(point) = sweep.best(points.iter().copied()) else {
            let n_diverged: usize = points.iter().map(|point| point.n_diverged()).sum();
            let dash = || "–".to_string();
            let ending = format!("*{}*", sweep.endings(&points));
            return vec![escape(name), ending, dash(), dash(), n_diverged.to_string()];
        };
        let judged = sweep.judged(point);
        let scores = judged.scores(sweep.metric());
        let kind = match sweep.confirmed(point) {
            Some(_) => " confirm",
            None if sweep.input.confirm_seeds.is_empty() => "",
            None => " grid",
        };
        vec![
            escape(&sweep.describe(point)),
            mean_with_interval(sweep.metric(), &scores),
            mean_with_interval(Objective::VALID_ACCURACY, &judged.test_accuracies()),
            format!("{}{kind}", scores.len()),
            judged.n_diverged().to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = sweep.optimizers.iter().map(row).collect();
    page.table(&header, &rows);
}

/// Intervals that look like bounds and are none.
fn few_seeds_remark(page: &mut Page, sweep: &Sweep<'_>) {
    let best = sweep.optimizers.iter().filter_map(|name| sweep.best(sweep.points_of(name)));
    let scores = best.map(|point| sweep.judged(point).scores(sweep.metric()));
    if scores.into_iter().any(|scores| is_loose(sweep.metric(), &scores)) {
        page.block(
            "So few seeds hardly bound a mean: with 2, or where an interval leaves the possible range, \
             take the intervals above as a warning rather than as bounds.",
        );
    }
}

/// Whether the interval says next to nothing: two seeds, or an end beyond what is possible.
fn is_loose(metric: Objective, scores: &[f64]) -> bool {
    let (Some(mean), Some(half)) = (stats::mean(scores), stats::t_interval(scores)) else {
        return false;
    };
    let is_beyond = metric.unit == Unit::Share && mean + half > 1.0;
    scores.len() == 2 || is_beyond || mean - half < 0.0
}
