//! Which seeds speak where: the words on confirm seeds, and on selection and judgement that share
//! seeds for want of them.

use sweep::{Compare, Phase};

use crate::analysis::{Judged, Point, Sweep, Verdict, gain};
use crate::input::{State, Trial};
use crate::markdown::page::{Page, count, escape};
use crate::markdown::phrases::mean_with_interval;

/// `seeds 1000001 to 1000010`; `None` if the sweep has no confirm seeds.
pub(crate) fn confirm_seeds(sweep: &Sweep<'_>) -> Option<String> {
    match sweep.input.confirm_seeds.as_slice() {
        [] => None,
        [only] => Some(format!("seed {only}")),
        [first, .., last] => Some(format!("seeds {first} to {last}")),
    }
}

/// `3 seeds`, or `10 confirm seeds` where a best point has some.
pub(crate) fn n_seeds(sweep: &Sweep<'_>, best: &Point<'_>, n: usize) -> String {
    let noun = if sweep.confirmed(best).is_some() { "confirm seed" } else { "seed" };
    count(n, noun)
}

/// After the headline: whose seeds it is of.
pub(crate) fn headline_sentence(page: &mut Page, sweep: &Sweep<'_>, best: &Point<'_>) {
    let Some(seeds) = confirm_seeds(sweep) else {
        if sweep.points.len() > 1 {
            page.block(
                "Selection and judgement share their seeds here, which flatters the best points; \
                 with `[confirm]` in its file a sweep trains them again with fresh ones.",
            );
        }
        return;
    };
    let n_grid = count(sweep.seeds().len(), "seed");
    if sweep.confirmed(best).is_some() {
        page.block(&format!(
            "Apart from that, figures of best points in this section are of the confirm {seeds} alone, \
             which took no part in the selection. Sections 2 to 7 show the grid with its own {n_grid}."
        ));
        others_on_confirm_seeds(page, sweep, best);
        return;
    }
    let (NotConfirmed::Later(reason) | NotConfirmed::Never(reason)) = not_confirmed(sweep, &seeds);
    page.block(&format!(
        "**Not confirmed**: {reason}. So selection and judgement share the grid's {n_grid}, which \
         flatters the best points.",
    ));
}

/// Why the best point has no result of a confirm seed, and whether one is still to come.
pub(crate) enum NotConfirmed {
    Later(String),
    Never(String),
}

pub(crate) fn not_confirmed(sweep: &Sweep<'_>, seeds: &str) -> NotConfirmed {
    use NotConfirmed::{Later, Never};
    let mut of_confirm = sweep.input.trials.iter().filter(|trial| trial.phase == Phase::Confirm);
    if of_confirm.clone().next().is_some() {
        let is_to_come = |trial: &Trial| matches!(trial.state, State::Open | State::Cancelled);
        return if of_confirm.any(is_to_come) {
            Later(format!("its trials with the fresh {seeds} have no result yet"))
        } else {
            Never(format!("its trials with the fresh {seeds} failed"))
        };
    }
    let counts = sweep.counts;
    if counts.n_open + counts.n_cancelled > 0 {
        return Later(format!(
            "the best points are trained again with the fresh {seeds} when every trial of the grid has \
             its outcome"
        ));
    }
    Never(match (counts.n_completed, counts.n_failed) {
        (0, 0) => "every trial diverged, so there is no best point to train again".to_string(),
        (0, _) => "no trial completed, so there is no best point to train again".to_string(),
        _ => "no point has the results of all its seeds, so none was trained again with fresh ones"
            .to_string(),
    })
}

/// The selection stays, whatever the confirm seeds say: to select by them would share seeds again.
fn others_on_confirm_seeds(page: &mut Page, sweep: &Sweep<'_>, best: &Point<'_>) {
    let metric = sweep.metric();
    let mean = |point: &Point<'_>| sweep.confirmed(point)?.mean(metric);
    let Some(best_mean) = mean(best) else { return };
    let ahead: Vec<String> = sweep
        .optimizers
        .iter()
        .filter_map(|name| sweep.best(sweep.points_of(name)))
        .filter(|point| mean(point).is_some_and(|other| gain(metric, other, best_mean) > 0.0))
        .map(|point| {
            let scores = sweep.judged(point).scores(metric);
            format!("{} ({})", escape(&sweep.describe(point)), mean_with_interval(metric, &scores))
        })
        .collect();
    if !ahead.is_empty() {
        page.block(&format!(
            "On the confirm seeds it is behind {}. The selection stays all the same: to select by \
             these seeds would make them judges of their own choice.",
            ahead.join(" and ")
        ));
    }
}

/// After hypotheses about best points: on which seeds they were judged.
pub(crate) fn hypotheses_sentence(page: &mut Page, sweep: &Sweep<'_>, judged: &[Judged<'_>]) {
    let of_best = || {
        judged.iter().filter(|it| {
            it.hypothesis.compare == Compare::Best && it.verdict != Verdict::CannotBeJudged
        })
    };
    if of_best().next().is_none() {
        return;
    }
    let is_confirmed = |it: &Judged<'_>| it.best.as_ref().is_some_and(|best| best.is_confirmed);
    let Some(seeds) = confirm_seeds(sweep) else {
        page.block(
            "Best points were selected and judged on the same seeds, which flatters both sides; \
             fresh seeds would settle it.",
        );
        return;
    };
    if of_best().all(is_confirmed) {
        page.block(
            "Best points were selected on the grid's seeds and are judged on the confirm seeds alone; \
             matched points are compared on the grid's seeds.",
        );
        return;
    }
    let outlook = match not_confirmed(sweep, &seeds) {
        NotConfirmed::Later(_) => "; the verdicts on confirm seeds are still to come",
        NotConfirmed::Never(_) => "; no verdict on confirm seeds is to come",
    };
    page.block(&format!(
        "Claims about best points without confirm seeds are judged on the seeds that selected these \
         points, which flatters both sides{outlook}."
    ));
}
