//! What the store does not take: a state that is damaged, newer or against its own rules, and more than
//! a worker may make it keep.

use coordinator_core::event::{CloseCause, Record, WorkerInfo};
use coordinator_core::lease::{TrialIndex, WorkerId};
use coordinator_core::limits::MAX_WORKERS;
use trial::{Digest, Ending, Timing};

use super::{Reader, Store, close, completed, facts, grant, history, plan, timing};

#[test]
fn a_state_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sweep.db");
    drop(Store::open(&path, trainer::measures()).unwrap());
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    let error = Store::open(&path, trainer::measures()).unwrap_err().to_string();
    assert!(error.contains("schema 99,"), "{error}");
    assert!(Reader::open(&path).is_err());
}

#[test]
fn what_workers_can_make_us_keep_is_bounded() {
    let plan = plan(2);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sweep.db");
    let mut store = Store::open(&path, trainer::measures()).unwrap();
    let ending = Ending::Diverged { step: 7, last_finite_loss: None };
    let Record::Completed { trial, attempt, worker, result, .. } = completed(0, 1, ending) else {
        unreachable!()
    };
    let long = "x\u{1b}".repeat(1 << 20);
    let timings = vec![Timing { worker: long[..9].repeat(100), ..timing() }];
    let records = [
        grant(0, 1, false),
        Record::Completed { trial, attempt, worker, result, timings },
        grant(1, 1, false),
        close(1, 1, CloseCause::Failed(long.clone())),
        Record::Failed { trial: TrialIndex(1), cause: long },
    ];
    store.commit(&plan, &records).unwrap();
    for _ in 0..3 {
        let conflict =
            Record::Conflict { trial: TrialIndex(0), attempt: 1, digest: Digest([9; 32]) };
        store.commit(&plan, &[conflict]).unwrap();
    }
    // One that was granted something stays, however many others come.
    let join = |n: u32| {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&n.to_le_bytes());
        let facts = WorkerInfo {
            name: "w".into(),
            isa: "portable".into(),
            cpu: "model".into(),
            n_slots: 2,
            local_index: None,
        };
        Record::WorkerJoined { worker: WorkerId(id), facts }
    };
    store.commit(&plan, &(0..30_720).map(join).collect::<Vec<_>>()).unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, u64>(0)).unwrap();
    assert_eq!(number("SELECT max(length(worker)) FROM timings"), proto::MAX_NAME_BYTES as u64);
    assert_eq!(number("SELECT max(length(detail)) FROM attempts"), proto::MAX_TEXT_BYTES as u64);
    assert_eq!(number("SELECT max(length(cause)) FROM outcomes"), proto::MAX_TEXT_BYTES as u64);
    assert_eq!(number("SELECT count(*) FROM attempts WHERE instr(detail, char(27))"), 0);
    assert_eq!(number("SELECT count(*) FROM conflicts"), 1);
    assert_eq!(number("SELECT count(*) FROM workers"), 2 * MAX_WORKERS as u64);
}

/// As many as can be connected, of which the one that came first gets its trial last.
#[test]
fn a_worker_that_waits_for_its_first_trial_is_not_forgotten() {
    let plan = plan(2);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sweep.db");
    let mut store = Store::open(&path, trainer::measures()).unwrap();
    store.begin_term(3, &[("sweep", "{}")]).unwrap();
    let first = Record::WorkerJoined { worker: WorkerId([1; 16]), facts: facts() };
    store.commit(&plan, &[first]).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(5));
    let join = |n: usize| {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&n.to_le_bytes());
        Record::WorkerJoined { worker: WorkerId(id), facts: facts() }
    };
    store.commit(&plan, &(1..MAX_WORKERS).map(join).collect::<Vec<_>>()).unwrap();
    store.commit(&plan, &[grant(0, 1, false)]).unwrap();
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.check().unwrap(), Vec::<String>::new());
    assert_eq!(reader.open_attempts().unwrap().len(), 1, "people see it");
}

#[test]
fn a_damaged_database_is_refused_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sweep.db");
    let plan = plan(2);
    Store::open(&path, trainer::measures()).unwrap().commit(&plan, &history()).unwrap();
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(folder.path().join("sweep.db.schema-2"), "a copy").unwrap();
    // A page in the middle, the header, and all but the header.
    let n_pages = whole.len() / 4096;
    for page in 0..n_pages {
        let mut bytes = whole.clone();
        bytes[page * 4096..][..64].fill(0xa5);
        std::fs::write(&path, &bytes).unwrap();
        let refused =
            Store::open(&path, trainer::measures()).expect_err("a page is damaged").to_string();
        for part in ["damaged", "--fresh", ".recover", "sweep.db.schema-2"] {
            assert!(refused.contains(part), "page {page}: {refused}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "nothing was changed");
    }
}

#[test]
fn each_broken_rule_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sweep.db");
    let plan = plan(1);
    let mut store = Store::open(&path, trainer::measures()).unwrap();
    store.begin_term(3, &[]).unwrap();
    let ending = Ending::Completed { best_epoch: 1, test_accuracy: None, collapsed: false };
    let joined = |id| Record::WorkerJoined { worker: WorkerId([id; 16]), facts: facts() };
    let grants = [
        joined(1),
        joined(2),
        grant(0, 1, false),
        close(0, 1, CloseCause::Lost),
        grant(0, 2, false),
    ];
    store
        .commit(&plan, &[&grants[..], &[completed(0, 2, ending), grant(1, 1, false)]].concat())
        .unwrap();
    assert_eq!(Reader::open(&path).unwrap().check().unwrap(), Vec::<String>::new());
    for (sql, finding) in [
        (
            "DELETE FROM attempts WHERE attempt = 1 AND closed = 'lost'",
            "attempts that are not numbered 1, 2, 3",
        ),
        ("UPDATE attempts SET term = 2 WHERE attempt = 2", "earlier term"),
        ("DELETE FROM trials", "number 1 was granted and is not among the trials"),
        (
            "INSERT INTO trials SELECT trial + 9, trial_id, phase, seed, '' FROM trials",
            "several numbers",
        ),
        ("UPDATE attempts SET closed = NULL", "brought no outcome"),
        ("DELETE FROM outcomes", "attempt that completed, and no result"),
        ("UPDATE outcomes SET digest = NULL", "without its digest"),
        ("DELETE FROM epochs WHERE epoch = 1", "epochs that are not 1, 2, 3"),
        ("DELETE FROM outcomes", "has epochs and no result"),
        ("DELETE FROM terms", "term that is not recorded"),
        ("UPDATE attempts SET ended_ms = began_ms - 1 WHERE attempt = 2", "ended before it began"),
        ("UPDATE attempts SET ended_ms = NULL WHERE attempt = 2", "closed without an end"),
        ("UPDATE terms SET ended_ms = seen_ms - 1", "times contradict each other"),
        ("INSERT INTO conflicts SELECT trial, 3, digest FROM outcomes", "two different digests"),
        ("UPDATE trials SET trial = 4294967295 WHERE trial = 2", "not among 1, 2, 3"),
        ("UPDATE attempts SET closed = NULL", "more open attempts"),
        (
            "INSERT INTO attempts SELECT trial, attempt + 1, term, nonce, worker_id, 0, 0, NULL,
             NULL, 0, began_ms, NULL FROM attempts WHERE trial = 2",
            "two open attempts of one worker",
        ),
    ] {
        let broken = folder.path().join("broken.db");
        Reader::open(&path).unwrap().copy_to(&broken).unwrap();
        rusqlite::Connection::open(&broken).unwrap().execute_batch(sql).unwrap();
        let findings = Reader::open(&broken).unwrap().check().unwrap();
        assert!(findings.iter().any(|line| line.contains(finding)), "{sql}: {findings:?}");
        std::fs::remove_file(broken).unwrap();
    }
}
