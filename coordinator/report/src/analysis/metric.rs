//! A trial's score, as the best epoch shows it, and how scores are compared and printed.

use sweep::{Objective, Score, number_text};

use crate::input::{DatasetMeta, Done, State};
use trial::known::{VALID_ACCURACY, VALID_LOSS};
use trial::{Ending, EpochRecord, Goal, Unit};

/// What counts for a trial; `None` while it has no result.
pub(crate) fn score_of(state: &State, data: &DatasetMeta) -> Option<Score> {
    let State::Done(done) = state else { return None };
    match done.ending {
        Ending::Completed { .. } => best_epoch(done).map(Score::at),
        Ending::Diverged { .. } => {
            Some(Score::chance(data.largest_valid_class_share, data.n_classes))
        }
    }
}

/// The complete epoch with the highest validation accuracy, ties by lower loss, then
/// the earlier one; a completed trial names it itself.
pub(crate) fn best_epoch(done: &Done) -> Option<&EpochRecord> {
    if let Ending::Completed { best_epoch, .. } = done.ending {
        return done.history.iter().find(|epoch| epoch.epoch == best_epoch);
    }
    done.history.iter().reduce(|best, epoch| {
        let order = epoch[VALID_ACCURACY]
            .total_cmp(&best[VALID_ACCURACY])
            .then(best[VALID_LOSS].total_cmp(&epoch[VALID_LOSS]));
        if order.is_gt() { epoch } else { best }
    })
}

/// How much better `a` is than `b`: positive when better, whatever the metric's direction.
pub(crate) fn gain(metric: Objective, a: f64, b: f64) -> f64 {
    match metric.goal {
        Goal::Maximize => a - b,
        Goal::Minimize => b - a,
    }
}

/// What a log axis shows of a metric, lower being better: the error in per cent or the loss. Nothing
/// at all, which has no logarithm, counts as half a row of those that validate, or a tiny loss.
pub(crate) fn error(metric: Objective, value: f64, n_valid: u32) -> f64 {
    match metric.unit {
        Unit::Share => ((1.0 - value) * 100.0).max(half_row(n_valid)),
        Unit::Plain => value.max(1e-6),
    }
}

/// Half a row of those that validate, in per cent.
pub(crate) fn half_row(n_valid: u32) -> f64 {
    50.0 / f64::from(n_valid.max(1))
}

/// The name of `error` on such an axis.
pub(crate) fn error_label(metric: Objective) -> String {
    let unit = if metric.unit == Unit::Share { ", %" } else { "" };
    format!("{}{unit} (log)", metric.error_title)
}

/// A value of the metric with its unit: `98.12 %` or `0.0612`.
pub(crate) fn score_text(metric: Objective, value: f64) -> String {
    match metric.unit {
        Unit::Share => format!("{} %", percent(value)),
        Unit::Plain => loss_text(value),
    }
}

/// A loss, or how far losses lie apart: four decimals, and an exponent where these would show
/// nothing or would show digits without end.
pub(crate) fn loss_text(value: f64) -> String {
    const N_DIGITS: usize = 3;
    match value.abs() {
        size if size == 0.0 || (1e-3..1e6).contains(&size) => format!("{value:.4}"),
        _ => number_text(significant(value, N_DIGITS)),
    }
}

/// The nearest number with this many significant digits.
pub(crate) fn significant(x: f64, n_digits: usize) -> f64 {
    format!("{x:.*e}", n_digits - 1).parse().unwrap_or(x)
}

/// A standard deviation or half an interval of the metric, without a unit: `0.10` or `0.0031`.
pub(crate) fn spread_text(metric: Objective, value: f64) -> String {
    match metric.unit {
        Unit::Share => percent(value),
        Unit::Plain => loss_text(value),
    }
}

/// A signed gain with its unit: `+0.12 pt` (percentage points) or `+0.0031`.
pub(crate) fn points_of(metric: Objective, gain: f64) -> String {
    match metric.unit {
        Unit::Share => format!("{} pt", signed(gain * 100.0, 2)),
        Unit::Plain if gain.abs() >= 1e6 => {
            format!("{}{}", if gain > 0.0 { "+" } else { "" }, loss_text(gain))
        }
        Unit::Plain => signed(gain, 4),
    }
}

/// A share as per cent with two decimals, without the sign of per cent.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.2}", share * 100.0)
}

fn signed(value: f64, decimals: usize) -> String {
    let text = format!("{value:+.decimals$}");
    // A difference that rounds to nothing has no direction.
    if text.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
        text
    } else {
        format!("{:.decimals$}", 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gains_are_positive_when_better() {
        assert!(gain(Objective::VALID_ACCURACY, 0.98, 0.97) > 0.0);
        assert!(gain(Objective::VALID_LOSS, 0.06, 0.07) > 0.0);
    }

    #[test]
    fn gains_print_with_sign_and_unit() {
        assert_eq!(points_of(Objective::VALID_ACCURACY, 0.00123), "+0.12 pt");
        assert_eq!(points_of(Objective::VALID_ACCURACY, -0.00001), "0.00 pt");
        assert_eq!(points_of(Objective::VALID_LOSS, -0.0123), "-0.0123");
        assert_eq!(points_of(Objective::VALID_LOSS, -1.23456e20), "-1.23e20");
    }

    #[test]
    fn losses_of_any_size_say_something() {
        for (loss, text) in [
            (0.0, "0.0000"),
            (0.061_25, "0.0612"),
            (2.25, "2.2500"),
            (1234.5, "1234.5000"),
            (0.000_512_3, "0.000512"),
            (3.123_456e-7, "3.12e-7"),
            (8.25e17, "8.25e17"),
        ] {
            assert_eq!(loss_text(loss), text);
        }
    }
}
