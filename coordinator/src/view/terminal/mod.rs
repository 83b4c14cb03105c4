//! What people read on a terminal: the summary at a sweep's end, the plan and the status of one.

pub mod echo;
pub mod frame;
pub mod labels;
mod layout;
mod plan;
pub mod screen;
mod status;
mod summary;

pub use layout::{cut, cut_middle, width_of, wrapped};
pub use plan::{Machine, plan};
pub use status::{Status, WorkerSeen};
pub use summary::Summary;

/// Text on one line, without the characters that steer a terminal.
pub use report::shown as printable;
pub use trial::wording::{grouped, n_of, n_of_n};

use sweep::{Objective, Score};
use trial::Unit;

use layout::{table, table_with_header};

/// `97.81 %` for 0.97812.
pub fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// `97.81 %`, or `validation loss 0.2925` where that is what a report ranks by.
pub fn score_text(metric: Objective, score: &Score) -> String {
    match metric.unit {
        Unit::Share => percent(score.of(metric)),
        Unit::Plain => format!("{} {:.4}", metric.title, score.of(metric)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(percent(0.97812), "97.81 %");
    }
}
