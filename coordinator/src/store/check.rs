//! What must hold in every state, asked of SQLite: one line per finding.

use super::{Reader, StoreError};
use rusqlite::types::Value;

/// Rows shown of each rule that is broken.
const MAX_ROWS: usize = 5;

/// A rule, and the query for the rows that break it: the trial's number and what to show.
struct Rule {
    broken: &'static str,
    sql: &'static str,
}

const RULES: [Rule; 14] = [
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
        // Queries on broken pages would only repeat it in other words.
        if findings.is_empty() {
            for rule in &RULES {
                self.apply(rule, &mut findings)?;
            }
        }
        Ok(findings)
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
                    Value::Text(text) => text,
                    other => format!("{other:?}"),
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
