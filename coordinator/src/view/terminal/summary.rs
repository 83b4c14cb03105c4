//! The end of a run: a short table, what came out, where the report is, and its digest.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Serialize, Serializer};
use worker::duration;

use crate::view::terminal::{n_of, table_with_header};

/// What a run of the coordinator came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    pub name: String,
    pub n_trials: usize,
    pub n_completed: usize,
    pub n_diverged: usize,
    pub n_failed: usize,
    pub n_cancelled: usize,
    /// Completed or diverged ones that were trained a second time and compared.
    pub n_checked: usize,
    pub wall_s: f64,
    /// `report.md`, if one could be written.
    #[serde(serialize_with = "as_text")]
    pub report: Option<PathBuf>,
    /// The same page as one HTML file.
    #[serde(serialize_with = "as_text")]
    pub report_html: Option<PathBuf>,
    /// SHA-256 of `results.csv`, 64 hex digits; only when every trial completed or diverged.
    pub results_sha256: Option<String>,
    /// The command that goes on with what has no outcome, was cancelled or failed.
    pub resume_with: Option<String>,
    /// A header and a row for each optimizer.
    #[serde(skip)]
    pub short_table: Vec<Vec<String>>,
}

/// JSON holds UTF-8 alone: of any other path what can be shown.
fn as_text<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_ref().map(|path| path.to_string_lossy()).serialize(serializer)
}

impl Summary {
    fn outcomes(&self) -> String {
        let counts = [
            (self.n_completed, "completed"),
            (self.n_diverged, "diverged"),
            (self.n_failed, "failed"),
            (self.n_cancelled, "cancelled"),
        ];
        let mut n_open = self.n_trials;
        let mut parts = Vec::new();
        for (count, word) in counts {
            n_open = n_open.saturating_sub(count);
            if count > 0 {
                parts.push(format!("{count} {word}"));
            }
        }
        if n_open > 0 {
            parts.push(format!("{n_open} open"));
        }
        format!("{}: {}", n_of(self.n_trials, "trial"), parts.join(", "))
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without a row of results there is nothing under its header.
        if self.short_table.len() > 1 {
            writeln!(f, "\n{}\n", table_with_header(self.short_table.iter().map(Vec::as_slice)))?;
        }
        let wall = Duration::try_from_secs_f64(self.wall_s).unwrap_or_default();
        writeln!(f, "{} in {}", self.outcomes(), duration::rounded(wall))?;
        if self.n_checked > 0 {
            writeln!(f, "{} trained twice and compared", n_of(self.n_checked, "result"))?;
        }
        if let Some(report) = &self.report {
            writeln!(f, "report: {}", report.display())?;
        }
        if let Some(page) = &self.report_html {
            writeln!(f, "as one page for a browser: {}", page.display())?;
        }
        if let Some(command) = &self.resume_with {
            writeln!(f, "to go on: {command}")?;
        }
        if let Some(digest) = &self.results_sha256 {
            writeln!(f, "results sha256: {digest}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Event;

    fn finished() -> Summary {
        Summary {
            name: "quick".into(),
            n_trials: 36,
            n_completed: 35,
            n_diverged: 1,
            n_checked: 2,
            wall_s: 48.2,
            report: Some("reports/quick/report.md".into()),
            report_html: Some("reports/quick/report.html".into()),
            results_sha256: Some("ab".repeat(32)),
            short_table: [["optimizer", "valid"], ["sgd", "97.1 %"], ["backtracking", "97.8 %"]]
                .map(|row| row.map(str::to_owned).to_vec())
                .to_vec(),
            ..Summary::default()
        }
    }

    #[test]
    fn the_digest_is_the_last_line() {
        let expected = format!(
            "\n optimizer     valid\n sgd           97.1 %\n backtracking  97.8 %\n\n\
             36 trials: 35 completed, 1 diverged in 48s\n\
             2 results trained twice and compared\n\
             report: reports/quick/report.md\n\
             as one page for a browser: reports/quick/report.html\n\
             results sha256: {}\n",
            "ab".repeat(32)
        );
        assert_eq!(finished().to_string(), expected);
    }

    #[test]
    fn an_unfinished_sweep_says_how_to_go_on() {
        let summary = Summary {
            n_completed: 20,
            n_failed: 2,
            results_sha256: None,
            resume_with: Some("coordinator --sweep sweeps/quick.toml".into()),
            ..finished()
        };
        let text = summary.to_string();
        assert!(text.contains("36 trials: 20 completed, 1 diverged, 2 failed, 13 open"), "{text}");
        assert!(text.ends_with("to go on: coordinator --sweep sweeps/quick.toml\n"), "{text}");
    }

    #[test]
    fn a_table_without_rows_is_left_out() {
        let mut summary = Summary { n_completed: 0, n_diverged: 0, n_failed: 36, ..finished() };
        summary.short_table.truncate(1);
        let text = summary.to_string();
        assert!(text.starts_with("36 trials: 36 failed in 48s\n"), "{text}");
    }

    #[test]
    fn programs_get_the_digest_and_the_report() {
        let line = Event::Finished(&finished()).to_line();
        let event: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(event["event"], "finished");
        assert_eq!(event["results_sha256"], "ab".repeat(32));
        assert_eq!(event["report"], "reports/quick/report.md");
        assert_eq!(event["n_trials"], 36);
    }

    #[test]
    fn a_report_at_a_path_that_is_no_text_ends_the_run_like_any_other() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let path = PathBuf::from(OsStr::from_bytes(b"r\xff/report.md"));
        let line = Event::Finished(&Summary { report: Some(path), ..finished() }).to_line();
        assert!(line.contains("\"report\":\"r\u{fffd}/report.md\""), "{line}");
    }
}
