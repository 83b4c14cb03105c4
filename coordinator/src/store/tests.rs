//! The store against its definition, the ledger: whatever is committed comes back as the ledger
//! says, and results come back as they were.

mod limits;
mod queries;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use coordinator_core::event::{CloseCause, Record, WorkerInfo};
use coordinator_core::lease::{Lease, OpenLease, TrialIndex, WorkerId};
use coordinator_core::ledger::Ledger;
use sweep::{self, DatasetMeta, Plan};
use trainer::measures;
use trial::known::{
    GRAD_SAMPLES, GRADIENT_NORM, LEARNING_RATE, N_BACKTRACKS, PROBE_SAMPLES, TRAIN_ACCURACY,
    TRAIN_LOSS, VALID_ACCURACY, VALID_LOSS,
};
use trial::{
    Backtracks, Digest, Ending, EpochRecord, StepSizes, Timing, TrialId, TrialResult, Work,
};

use super::write::closed_words;
use super::{Reader, TrialReader, TrialState};
use crate::store::connection::Store;

mod odd_rows;

pub fn plan(seeds: u32) -> Plan {
    let text = format!(
        "name = \"t\"\n[dataset]\nname = \"mnist\"\ntrain = 100\nvalid = 50\n\
         [[grid]]\noptimizer = [\"sgd\"]\nlearning_rate = [0.1, 0.2]\nbatch_size = [10]\n\
         hidden = [[4]]\n[seeds]\nn = {seeds}\n"
    );
    planned(&text)
}

/// The plan of a sweep file over a data set of 150 rows.
pub fn planned(text: &str) -> Plan {
    let facts = DatasetMeta {
        digest: Digest([7; 32]),
        n_train_rows: 150,
        n_test_rows: 10,
        n_inputs: 9,
        n_classes: 3,
        nonzero_share: 0.2,
    };
    sweep::plan(&sweep::parse(text, trainer::interface()).unwrap(), &facts).unwrap()
}

fn grant(trial: u32, attempt: u32, alone: bool) -> Record {
    let lease =
        Lease { trial: TrialIndex(trial), attempt, term: 3, nonce: u64::MAX - u64::from(trial) };
    let worker = WorkerId([attempt as u8; 16]);
    Record::Granted(OpenLease { lease, worker, alone, local: alone })
}

fn close(trial: u32, attempt: u32, cause: CloseCause) -> Record {
    Record::Closed { trial: TrialIndex(trial), attempt, cause }
}

fn result(ending: Ending) -> TrialResult {
    let mut epoch = EpochRecord::new(measures(), 1);
    epoch[TRAIN_LOSS] = 0.1 + 0.2;
    epoch[TRAIN_ACCURACY] = 0.5;
    epoch[VALID_LOSS] = f64::MIN_POSITIVE;
    epoch[VALID_ACCURACY] = 1.0;
    epoch[LEARNING_RATE] = 0.1;
    StepSizes::put(Some(StepSizes { min: 0.1, median: 0.2, max: 0.3 }), &mut epoch);
    epoch[N_BACKTRACKS] = 4;
    epoch[GRADIENT_NORM] = 1e300;
    epoch[GRAD_SAMPLES] = 100;
    epoch[PROBE_SAMPLES] = 140;

    let work = Work {
        n_steps: 10,
        grad_samples: 100,
        probe_samples: 140,
        macs_textbook: i64::MAX.cast_unsigned(),
        macs_executed: 3,
        backtracks: Some(Backtracks { mean: 0.4, p95: 2, max: 3 }),
        steps_without_step: 1,
    };
    let mut plain = epoch.clone();
    plain.epoch = 2;
    StepSizes::put(None, &mut plain);
    TrialResult { ending, history: vec![epoch, plain], work, digest: Digest([5; 32]) }
}

fn timing() -> Timing {
    Timing {
        epoch: 1,
        wall_s: 0.25,
        cpu_s: 0.125,
        worker: "w".into(),
        isa: "portable".into(),
        attempt: 1,
        n_slots_in_use: 2,
    }
}

fn completed(trial: u32, attempt: u32, ending: Ending) -> Record {
    let result = Box::new(result(ending));
    let (trial, worker) = (TrialIndex(trial), WorkerId([attempt as u8; 16]));
    Record::Completed { trial, attempt, worker, result, timings: vec![timing()] }
}

fn facts() -> WorkerInfo {
    WorkerInfo {
        name: "w".into(),
        isa: "portable".into(),
        cpu: "model".into(),
        n_slots: 2,
        local_index: None,
    }
}

/// A history that uses every record and every cause.
pub fn history() -> Vec<Record> {
    let joined = |id| Record::WorkerJoined { worker: WorkerId([id; 16]), facts: facts() };
    vec![
        joined(1),
        joined(2),
        joined(3),
        joined(4),
        joined(5),
        joined(6),
        joined(9),
        grant(0, 1, false),
        grant(1, 1, false),
        grant(2, 1, false),
        close(0, 1, CloseCause::Lost),
        close(1, 1, CloseCause::Failed("out of memory".into())),
        grant(0, 2, true),
        close(0, 2, CloseCause::LostAlone),
        Record::Failed { trial: TrialIndex(0), cause: "lost".into() },
        completed(
            2,
            1,
            Ending::Completed { best_epoch: 2, test_accuracy: Some(0.9), collapsed: true },
        ),
        grant(3, 1, false),
        close(3, 1, CloseCause::Released),
        Record::Cancelled { trial: TrialIndex(3) },
        Record::Reopened { trial: TrialIndex(0) },
        grant(0, 3, false),
        close(0, 3, CloseCause::CoordinatorEnded),
        grant(1, 2, false),
        close(1, 2, CloseCause::Superseded),
        completed(1, 1, Ending::Diverged { step: 7, last_finite_loss: None }),
        Record::Conflict { trial: TrialIndex(1), attempt: 2, digest: Digest([6; 32]) },
        grant(0, 4, false),
        // A copy, which outlives the first attempt.
        grant(0, 5, false),
        close(0, 4, CloseCause::Lost),
        grant(0, 6, false),
        close(0, 6, CloseCause::Stalled),
        // Audits of recorded trials, of which one is still open.
        grant(1, 3, false),
        close(1, 3, CloseCause::Checked),
        grant(2, 2, false),
    ]
}

/// The database of a coordinator that was killed after these commits, which lie in its log; the last
/// one is in the mark too.
pub fn killed(folder: &Path, commits: &[Vec<Record>]) -> PathBuf {
    let live = tempfile::tempdir().unwrap();
    let mut store = Store::open(&live.path().join("sweep.db"), trainer::measures()).unwrap();
    let description = serde_json::json!({ "state_id": vec![7_u8; 16] }).to_string();
    store.begin_term(3, &[("sweep", &description)]).unwrap();
    let (last, others) = commits.split_last().unwrap();
    others.iter().for_each(|commit| store.commit(&plan(2), commit).unwrap());
    std::thread::sleep(std::time::Duration::from_millis(120));
    store.commit(&plan(2), last).unwrap();
    for name in ["sweep.db", "sweep.db-wal", "sweep.db.mark"] {
        std::fs::copy(live.path().join(name), folder.join(name)).unwrap();
    }
    folder.join("sweep.db")
}

#[test]
fn each_prefix_of_a_history_loads_as_the_ledger_says() {
    let plan = plan(2);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sweep.db");
    let mut ledger = Ledger::empty(plan.trials.len());
    for record in history() {
        Store::open(&path, trainer::measures())
            .unwrap()
            .commit(&plan, std::slice::from_ref(&record))
            .unwrap();
        ledger.book(&record);
        let loaded = Store::open(&path, trainer::measures()).unwrap().load(&plan).unwrap();
        assert_eq!(loaded.ledger, ledger, "after {record:?}");
        assert_eq!(loaded.outside.n_recorded, 0);
    }
}

#[test]
fn a_reader_gives_back_results_bit_for_bit() {
    let plan = plan(2);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sweep.db");
    Store::open(&path, trainer::measures()).unwrap().commit(&plan, &history()).unwrap();
    let reader = Reader::open(&path).unwrap();
    let mut trials = reader.trials().unwrap();
    let mut state = |trial: usize| trials.remove(&plan.trials[trial].id).unwrap().state;
    let ending = Ending::Completed { best_epoch: 2, test_accuracy: Some(0.9), collapsed: true };
    match state(2) {
        TrialState::Done { result: read, timings } => {
            assert_eq!(*read, result(ending));
            assert_eq!(timings, [timing()]);
        }
        other => panic!("{other:?}"),
    }
    let diverged = Ending::Diverged { step: 7, last_finite_loss: None };
    assert!(matches!(state(1), TrialState::Done { result, .. } if result.ending == diverged));
    assert!(matches!(state(3), TrialState::Cancelled));
    assert!(matches!(state(0), TrialState::Open));
    let counts = reader.attempt_counts().unwrap();
    assert_eq!((counts.n_attempts, counts.n_lost, counts.n_conflicts), (12, 3, 1));
    let open = reader.open_attempts().unwrap();
    let shown = open.iter().map(|it| (it.attempt, it.is_in_slot, it.has_outcome));
    assert_eq!(shown.collect::<Vec<_>>(), [(5, true, false), (2, true, true)]);
}

/// The worker has two slots.
#[test]
fn what_a_worker_got_beyond_its_slots_waits_in_the_order_of_the_grants() {
    let plan = plan(3);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sweep.db");
    let mut store = Store::open(&path, trainer::measures()).unwrap();
    let grants = |trials: &[u32]| trials.iter().map(|it| grant(*it, 1, false)).collect::<Vec<_>>();
    let joined = Record::WorkerJoined { worker: WorkerId([1; 16]), facts: facts() };
    store.commit(&plan, &[vec![joined], grants(&[5, 2, 4])].concat()).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(5));
    store.commit(&plan, &grants(&[0, 1])).unwrap();
    let place = |id: TrialId| plan.trials.iter().position(|it| it.id == id).unwrap();
    let in_slots = || {
        let open = Reader::open(&path).unwrap().open_attempts().unwrap();
        assert!(open.iter().all(|it| it.n_slots == 2));
        open.iter().filter(|it| it.is_in_slot).map(|it| place(it.trial_id)).collect::<Vec<_>>()
    };
    assert_eq!(in_slots(), [5, 2]);
    store.commit(&plan, &[close(5, 1, CloseCause::Released)]).unwrap();
    assert_eq!(in_slots(), [2, 4]);
}

/// Whatever a commit writes, the rules of a state take; what they find is the conflict that is there.
#[test]
fn what_is_committed_breaks_no_rule() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sweep.db");
    let mut store = Store::open(&path, trainer::measures()).unwrap();
    store.begin_term(3, &[("sweep", "{}")]).unwrap();
    store.commit(&plan(2), &history()).unwrap();
    let findings = Reader::open(&path).unwrap().check().unwrap();
    let [finding] = &findings[..] else { panic!("{findings:#?}") };
    assert!(finding.contains("gave two different digests"), "{finding}");
    let connection = rusqlite::Connection::open(&path).unwrap();
    let mut statement = connection
        .prepare("SELECT DISTINCT closed FROM attempts WHERE closed IS NOT NULL")
        .unwrap();
    let words = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let written: BTreeSet<String> = words.map(Result::unwrap).collect();
    let known: BTreeSet<String> = closed_words().into_iter().map(String::from).collect();
    assert_eq!(written, known, "the history uses every word");
}

#[test]
fn a_batch_that_cannot_be_written_leaves_nothing() {
    let plan = plan(2);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sweep.db");
    let mut store = Store::open(&path, trainer::measures()).unwrap();
    // The same attempt twice breaks the primary key: the first grant must not survive.
    store.commit(&plan, &[grant(0, 1, false), grant(0, 1, false)]).unwrap_err();
    store.commit(&plan, &[grant(1, 1, false), grant(0, 1, false)]).unwrap();
    store.commit(&plan, &[grant(2, 1, false)]).unwrap();
    let mut ledger = Ledger::empty(plan.trials.len());
    (0..3).for_each(|trial| ledger.book(&grant(trial, 1, false)));
    assert_eq!(store.load(&plan).unwrap().ledger, ledger);
}

#[test]
fn trials_that_the_file_no_longer_names_are_counted_and_kept() {
    let (wide, narrow) = (plan(3), plan(1));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sweep.db");
    let mut store = Store::open(&path, trainer::measures()).unwrap();
    let ending = Ending::Diverged { step: 1, last_finite_loss: None };
    let place = |seed| wide.trials.iter().position(|trial| trial.seed == seed).unwrap() as u32;
    let (kept, left_out, left_open) = (place(1), place(2), place(3));
    let records = [grant(kept, 1, false), grant(left_out, 1, false), grant(left_open, 1, false)];
    store.commit(&wide, &records).unwrap();
    store.commit(&wide, &[completed(kept, 1, ending), completed(left_out, 1, ending)]).unwrap();
    let recorded = store.load(&narrow).unwrap();
    assert_eq!(recorded.outside.n_recorded, 1);
    // Numbered by their first records.
    assert_eq!(recorded.outside.open, [3]);
    // One that the file names again later has its number still.
    store.commit(&wide, &[close(left_open, 1, CloseCause::Released)]).unwrap();
    store.close_attempts(&recorded.outside.open).unwrap();
    assert_eq!(store.load(&wide).unwrap().ledger.trials[left_open as usize].n_attempts, 1);
    assert_eq!(recorded.ledger.trials.iter().filter(|t| t.status.is_terminal()).count(), 1);
}

#[test]
fn times_survive_a_kill_and_a_clock_that_is_set_back() {
    let plan = plan(2);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sweep.db");
    let mut store = Store::open(&path, trainer::measures()).unwrap();
    store.begin_term(3, &[("sweep", "{}")]).unwrap();
    let joined = |n| Record::WorkerJoined { worker: WorkerId([n; 16]), facts: facts() };
    let granted = [grant(0, 1, true), grant(1, 1, false)];
    store.commit(&plan, &(1..=9).map(joined).chain(granted).collect::<Vec<_>>()).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(30));
    assert!(Reader::open(&path).unwrap().unrecorded_s().unwrap() >= 0.03, "it runs on");
    store.touch().unwrap();
    // Killed: the term has no end. The clock goes on to the year 2096 for a moment.
    drop(store);
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("UPDATE attempts SET began_ms = 4e12 WHERE trial = 2").unwrap();
    let mut store = Store::open(&path, trainer::measures()).unwrap();
    store.begin_term(4, &[]).unwrap();
    let ended = [close(0, 1, CloseCause::CoordinatorEnded), close(1, 1, CloseCause::Released)];
    store.commit(&plan, &ended).unwrap();
    store.end_term().unwrap();
    let reader = Reader::open(&path).unwrap();
    assert_eq!(
        (reader.unrecorded_s().unwrap(), reader.attempt_counts().unwrap().n_ended),
        (0.0, 1)
    );
    let terms = reader.terms().unwrap();
    assert_eq!(terms[0].ended_ms, None);
    assert!(terms[0].ran_ms >= Some(30) && reader.ran_s().unwrap() >= 0.03, "{terms:?}");
    assert!(terms[1].ended_ms == terms[1].seen_ms && terms[1].ended_ms.is_some(), "{terms:?}");
    let times = |sql| {
        connection.query_row(sql, [], |row| Ok((row.get::<_, u64>(0)?, row.get(1)?))).unwrap()
    };
    let (_, ended_ms): (u64, u64) =
        times("SELECT began_ms, ended_ms FROM attempts WHERE closed = 'coordinator_ended'");
    assert_eq!(Some(ended_ms), terms[0].seen_ms, "it ended with its coordinator");
    let (began_ms, ended_ms) =
        times("SELECT began_ms, ended_ms FROM attempts WHERE closed = 'released'");
    assert_eq!(began_ms, ended_ms);
    assert_eq!(reader.check().unwrap(), Vec::<String>::new());
}

#[test]
fn one_trial_reads_as_among_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sweep.db");
    let plan = plan(2);
    let mut store = Store::open(&path, trainer::measures()).unwrap();
    let ending = Ending::Completed { best_epoch: 1, test_accuracy: None, collapsed: false };
    let failed = Record::Failed { trial: TrialIndex(2), cause: "no memory".into() };
    let records =
        [grant(0, 1, false), completed(0, 1, ending), grant(1, 1, true), grant(2, 1, true), failed];
    store.commit(&plan, &records).unwrap();
    let reader = Reader::open(&path).unwrap();
    let mut all = reader.trials().unwrap();
    let one_by_one = TrialReader::new(&reader).unwrap();
    for trial in &plan.trials {
        let (one, among) = (one_by_one.trial(&trial.id).unwrap(), all.remove(&trial.id));
        assert_eq!(format!("{one:?}"), format!("{among:?}"));
    }
    assert!(all.is_empty());
}
