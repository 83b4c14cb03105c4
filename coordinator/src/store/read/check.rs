//! What must hold in every state, asked of SQLite: one line per finding.

use proto::text::clean_line;
use rusqlite::types::Value;
use trial::wording::n_of;

use super::{ranges, shape};
use crate::store::Reader;
use crate::store::error::StoreError;

/// Rows shown of each rule that is broken.
const MAX_ROWS: usize = 5;

/// A rule, and the query for the rows that break it: the trial's number and what to show.
struct Rule {
    broken: &'static str,
    sql: &'static str,
}

const RULES: [Rule; 29] = [
    Rule {
        broken: "has a number that is not among 1, 2, 3, ...; number",
        sql: "SELECT trial, trial AS shown FROM trials WHERE trial > (SELECT count(*) FROM trials)",
    },
    Rule {
        broken: "has more open attempts than it can have; their count",
        sql: "SELECT trial, count(*) AS shown FROM attempts LEFT JOIN outcomes USING (trial)
              WHERE closed IS NULL GROUP BY trial
              HAVING count(*) > CASE WHEN outcome IS NULL THEN 2
                                WHEN outcome IN ('completed', 'diverged') THEN 1 ELSE 0 END",
    },
    Rule {
        broken: "has two open attempts of one worker; the later one",
        sql: "SELECT trial, max(attempt) AS shown FROM attempts WHERE closed IS NULL
              GROUP BY trial, worker_id HAVING count(*) > 1",
    },
    Rule {
        broken: "is recorded under several numbers; their count",
        sql: "SELECT trial, count(*) AS shown FROM trials GROUP BY trial_id HAVING 1 < count(*)",
    },
    Rule {
        broken: "has attempts that are not numbered 1, 2, 3, ...; their count and last number",
        sql: "SELECT trial, count(*) || ', ' || max(attempt) AS shown FROM attempts GROUP BY trial
              HAVING min(attempt) <> 1 OR max(attempt) <> count(*)",
    },
    Rule {
        broken: "was granted under an earlier term than the attempt before; attempt",
        sql: "SELECT b.trial, b.attempt AS shown FROM attempts a JOIN attempts b
              ON a.trial = b.trial AND a.attempt + 1 = b.attempt WHERE b.term < a.term",
    },
    Rule {
        broken: "was granted and is not among the trials; attempts",
        sql: "SELECT trial, count(*) AS shown FROM attempts
              WHERE trial NOT IN (SELECT trial FROM trials) GROUP BY trial",
    },
    Rule {
        broken: "names an attempt that brought no outcome, or none at all; attempt",
        sql: "SELECT o.trial, o.attempt AS shown FROM outcomes o LEFT JOIN attempts a USING (trial, attempt)
              WHERE outcome IN ('completed', 'diverged') AND a.closed IS NULL",
    },
    Rule {
        broken: "has an attempt that completed, and no result; attempt",
        sql: "SELECT a.trial, a.attempt AS shown FROM attempts a LEFT JOIN outcomes o USING (trial)
              WHERE a.closed = 'completed' AND coalesce(o.outcome, '') NOT IN ('completed', 'diverged')",
    },
    Rule {
        broken: "has a result without its digest; attempt",
        sql: "SELECT trial, attempt AS shown FROM outcomes
              WHERE outcome IN ('completed', 'diverged') AND coalesce(length(digest), 0) <> 32",
    },
    Rule {
        broken: "has epochs that are not 1, 2, 3, ...; their count and last number",
        sql: "SELECT trial, count(*) || ', ' || max(epoch) AS shown FROM epochs GROUP BY trial
              HAVING min(epoch) <> 1 OR max(epoch) <> count(*)",
    },
    Rule {
        broken: "has epochs and no result; epochs",
        sql: "SELECT trial, count(*) AS shown FROM epochs WHERE trial NOT IN
              (SELECT trial FROM outcomes WHERE outcome IN ('completed', 'diverged'))
              GROUP BY trial",
    },
    Rule {
        broken: "was granted to a worker that never joined; attempt",
        sql: "SELECT trial, attempt AS shown FROM attempts
              WHERE worker_id NOT IN (SELECT worker_id FROM workers)",
    },
    Rule {
        broken: "has an attempt that failed without a cause, or a cause without a failure; attempt",
        sql: "SELECT trial, attempt AS shown FROM attempts
              WHERE (coalesce(closed, '') = 'failed') <> (detail IS NOT NULL)",
    },
    Rule {
        broken: "has an outcome and is not among the trials; outcome",
        sql: "SELECT trial, outcome AS shown FROM outcomes
              WHERE trial NOT IN (SELECT trial FROM trials)",
    },
    Rule {
        broken: "failed without a cause, or has a cause without a failure; outcome",
        sql: "SELECT trial, outcome AS shown FROM outcomes
              WHERE (outcome = 'failed') <> (cause IS NOT NULL)",
    },
    Rule {
        broken: "has a result without its counts; outcome",
        sql: "SELECT trial, outcome AS shown FROM outcomes
              WHERE outcome IN ('completed', 'diverged')
              AND (attempt IS NULL OR n_steps IS NULL OR grad_samples IS NULL OR probe_samples IS NULL
                   OR macs_textbook IS NULL OR macs_executed IS NULL OR steps_without_step IS NULL)",
    },
    Rule {
        broken: "has no result, and numbers of one; outcome",
        sql: "SELECT trial, outcome AS shown FROM outcomes WHERE outcome IN ('failed', 'cancelled')
              AND coalesce(attempt, digest, best_epoch, test_accuracy, collapsed, diverged_step,
                           last_finite_loss, n_steps, grad_samples, probe_samples, macs_textbook,
                           macs_executed, backtracks_mean, backtracks_p95, backtracks_max,
                           steps_without_step) IS NOT NULL",
    },
    Rule {
        broken: "lacks what its ending has, or has what it lacks; outcome",
        sql: "SELECT trial, outcome AS shown FROM outcomes
              WHERE (outcome = 'completed') <> (best_epoch IS NOT NULL)
              OR (outcome = 'completed') <> (collapsed IS NOT NULL)
              OR (outcome = 'diverged') <> (diverged_step IS NOT NULL)
              OR (outcome <> 'completed' AND test_accuracy IS NOT NULL)
              OR (outcome <> 'diverged' AND last_finite_loss IS NOT NULL)",
    },
    Rule {
        broken: "has only some of the numbers of its backtracks; outcome",
        sql: "SELECT trial, outcome AS shown FROM outcomes
              WHERE (backtracks_mean IS NULL) <> (backtracks_p95 IS NULL)
              OR (backtracks_mean IS NULL) <> (backtracks_max IS NULL)",
    },
    Rule {
        broken: "has only some of the step sizes of an epoch; epoch",
        sql: "SELECT trial, epoch AS shown FROM epochs
              WHERE (step_min IS NULL) <> (step_median IS NULL)
              OR (step_min IS NULL) <> (step_max IS NULL)",
    },
    Rule {
        broken: "has times of no epoch that it has; epoch",
        sql: "SELECT t.trial, t.epoch AS shown FROM timings t
              LEFT JOIN epochs e USING (trial, epoch) WHERE e.epoch IS NULL",
    },
    Rule {
        broken: "has times of a later attempt than brought its result; attempt",
        sql: "SELECT t.trial, t.attempt AS shown FROM timings t JOIN outcomes o USING (trial)
              WHERE t.attempt > o.attempt",
    },
    Rule {
        broken: "has a conflict of an attempt that was never granted, or with its own digest; attempt",
        sql: "SELECT c.trial, c.attempt AS shown FROM conflicts c
              LEFT JOIN attempts a USING (trial, attempt) LEFT JOIN outcomes o USING (trial)
              WHERE a.attempt IS NULL OR o.digest = c.digest",
    },
    Rule {
        broken: "was granted under a term that is not recorded; attempt",
        sql: "SELECT trial, attempt AS shown FROM attempts WHERE term NOT IN (SELECT term FROM terms)",
    },
    Rule {
        broken: "has an attempt that ended before it began; attempt",
        sql: "SELECT trial, attempt AS shown FROM attempts WHERE ended_ms < began_ms",
    },
    Rule {
        broken: "has an attempt that is closed without an end, or ended without being closed; attempt",
        sql: "SELECT trial, attempt AS shown FROM attempts WHERE began_ms IS NOT NULL
              AND (closed IS NULL) <> (ended_ms IS NULL)",
    },
    Rule {
        broken: "was granted under a term whose times contradict each other; term",
        sql: "SELECT min(trial) AS trial, term AS shown FROM attempts JOIN terms USING (term)
              WHERE terms.seen_ms < terms.began_ms OR terms.ended_ms < terms.seen_ms
              OR terms.ran_ms < 0 GROUP BY term",
    },
    Rule {
        broken: "gave two different digests, so some worker's arithmetic cannot be trusted; attempt",
        sql: "SELECT trial, attempt AS shown FROM conflicts",
    },
];

impl Reader {
    /// The findings of SQLite's own check and of the rules; empty if all is well.
    pub fn check(&self) -> Result<Vec<String>, StoreError> {
        self.findings().map_err(StoreError::read)
    }

    fn findings(&self) -> rusqlite::Result<Vec<String>> {
        let mut statement = self.connection.prepare("PRAGMA integrity_check")?;
        let lines = statement.query_map([], |row| row.get::<_, String>(0))?;
        let mut findings = Vec::new();
        for line in lines {
            let line = line?;
            if line != "ok" {
                findings.push(format!("integrity_check: {line}"));
            }
        }
        // Queries on broken pages would only repeat it in other words, and on other tables fail.
        if findings.is_empty() {
            findings = shape::broken(&self.connection, self.measures())?;
        }
        if findings.is_empty() {
            findings = ranges::broken(&self.connection, self.measures())?;
            for rule in &RULES {
                self.apply(rule, &mut findings)?;
            }
        }
        Ok(findings)
    }

    /// The latest start of a coordinator; 0 before the first.
    pub fn last_term(&self) -> Result<u64, StoreError> {
        let sql = "SELECT coalesce(max(term), 0) FROM terms WHERE term >= 0";
        let read = || self.connection.query_row(sql, [], |row| row.get(0));
        read().map_err(StoreError::read)
    }

    fn apply(&self, rule: &Rule, findings: &mut Vec<String>) -> rusqlite::Result<()> {
        let sql = format!(
            "SELECT iif(trial_id IS NULL, 'number ' || trial, lower(hex(trial_id))), shown
             FROM ({}) LEFT JOIN trials USING (trial)",
            rule.sql
        );
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut n_rows = 0;
        while let Some(row) = rows.next()? {
            n_rows += 1;
            if n_rows <= MAX_ROWS {
                let trial: String = row.get(0)?;
                let shown = match row.get(1)? {
                    Value::Null => "none".into(),
                    Value::Integer(n) => n.to_string(),
                    Value::Text(text) => clean_line(&text, 100),
                    Value::Real(number) => number.to_string(),
                    Value::Blob(bytes) => n_of(bytes.len(), "byte"),
                };
                findings.push(format!("trial {trial} {}: {shown}", rule.broken));
            }
        }
        if MAX_ROWS < n_rows {
            findings.push(format!("and {} more of the last kind", n_rows - MAX_ROWS));
        }
        Ok(())
    }
}
