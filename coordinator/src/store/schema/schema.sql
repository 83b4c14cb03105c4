-- The durable state of one sweep. Ids and digests are blobs, causes and outcomes are words, floats
-- are IEEE doubles; a NaN cannot be stored and never occurs.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE workers (
    worker_id BLOB PRIMARY KEY,
    name      TEXT NOT NULL,
    isa       TEXT NOT NULL,
    cpu       TEXT NOT NULL,
    n_slots   INTEGER NOT NULL,
    is_local  INTEGER NOT NULL,
    -- When it first joined. This and every other time of day counts milliseconds since 1970 (UTC);
    -- it is for people, no decision uses it, and it is NULL where an older schema did not know it.
    joined_ms INTEGER
) STRICT, WITHOUT ROWID;

-- Starts of a coordinator on this state.
CREATE TABLE terms (
    term     INTEGER PRIMARY KEY,
    began_ms INTEGER,
    -- The time of its last commit.
    seen_ms  INTEGER,
    -- NULL while it runs, and after it was killed.
    ended_ms INTEGER,
    -- From its start to its last commit by the clock that nobody sets.
    ran_ms   INTEGER
) STRICT;

-- Every trial that anything is recorded of, numbered in the order of its first record: rows of
-- trials that run at the same time lie side by side, so that a commit writes few pages.
CREATE TABLE trials (
    trial           INTEGER PRIMARY KEY,
    trial_id        BLOB NOT NULL,
    phase           TEXT NOT NULL,
    seed            INTEGER NOT NULL,
    hyperparameters TEXT NOT NULL  -- JSON
) STRICT;

CREATE TABLE attempts (
    trial       INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    term        INTEGER NOT NULL,
    nonce       INTEGER NOT NULL,
    worker_id   BLOB NOT NULL,
    is_alone    INTEGER NOT NULL,
    is_local    INTEGER NOT NULL,
    -- NULL while it runs; 'completed' if it brought the outcome before it was closed otherwise.
    closed      TEXT,
    detail      TEXT,
    -- Whether it still counts against the trial's budgets.
    is_forgiven INTEGER NOT NULL DEFAULT 0,
    -- When it was granted and closed.
    began_ms    INTEGER,
    ended_ms    INTEGER,
    PRIMARY KEY (trial, attempt)
) STRICT, WITHOUT ROWID;

-- Exactly one row for each trial that has its outcome.
CREATE TABLE outcomes (
    trial              INTEGER PRIMARY KEY,
    outcome            TEXT NOT NULL CHECK (outcome IN ('completed', 'diverged', 'failed', 'cancelled')),
    cause              TEXT,
    -- The attempt that brought a completed or diverged outcome.
    attempt            INTEGER,
    digest             BLOB,
    best_epoch         INTEGER,
    test_accuracy      REAL,
    collapsed          INTEGER,
    diverged_step      INTEGER,
    last_finite_loss   REAL,
    n_steps            INTEGER,
    grad_samples       INTEGER,
    probe_samples      INTEGER,
    macs_textbook      INTEGER,
    macs_executed      INTEGER,
    backtracks_mean    REAL,
    backtracks_p95     INTEGER,
    backtracks_max     INTEGER,
    steps_without_step INTEGER
) STRICT;

-- `epochs` is made beside these: trial, epoch and a column for each measure that `meta` declares.

CREATE TABLE timings (
    trial          INTEGER NOT NULL,
    epoch          INTEGER NOT NULL,
    wall_s         REAL NOT NULL,
    cpu_s          REAL NOT NULL,
    worker         TEXT NOT NULL,
    isa            TEXT NOT NULL,
    attempt        INTEGER NOT NULL,
    n_slots_in_use INTEGER NOT NULL,
    PRIMARY KEY (trial, epoch)
) STRICT, WITHOUT ROWID;

-- Completions that differ from the recorded one: evidence of a broken machine.
CREATE TABLE conflicts (
    trial   INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    digest  BLOB NOT NULL,
    PRIMARY KEY (trial, attempt)
) STRICT, WITHOUT ROWID;
