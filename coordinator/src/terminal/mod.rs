//! What people read on a terminal: the summary at a sweep's end, the plan and the status of one.

mod layout;
mod plan;
mod status;
mod summary;

pub use layout::{cut, cut_middle, width_of, wrapped};
pub use plan::{Machine, plan};
pub use status::{Status, WorkerSeen};
pub use summary::Summary;

/// Text on one line, without the characters that steer a terminal.
pub use report::shown as printable;

use coordinator_core::sweep::{Metric, Score};
use layout::{table, table_with_header};

/// `97.81 %` for 0.97812.
pub fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// `97.81 %`, or `validation loss 0.2925` where that is what a report ranks by.
pub fn score_text(metric: Metric, score: &Score) -> String {
    match metric {
        Metric::ValidAccuracy => percent(score.accuracy),
        Metric::ValidLoss => format!("validation loss {:.4}", score.loss),
    }
}

/// `1 trial`, `2 trials`, `12,500 trials`.
pub fn n_of(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(count as u64))
}

/// `1,234,567`.
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (count, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(count), text);
        }
        assert_eq!((n_of(1, "trial"), n_of(2, "trial")), ("1 trial".into(), "2 trials".into()));
        assert_eq!(percent(0.97812), "97.81 %");
    }
}
