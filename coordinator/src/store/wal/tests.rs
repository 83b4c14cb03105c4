//! Logs with a changed byte are refused and torn ones are not, wherever it is.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use coordinator_core::event::Record;

use super::{FRAME_HEADER_BYTES, HEADER_BYTES, check};
use crate::store::connection::Store;
use crate::store::schema::rescue::{mark_of, with_suffix};
use crate::store::tests::{history, killed, plan};
use crate::store::{Reader, TrialState};

const FRAME_BYTES: usize = FRAME_HEADER_BYTES + 4096;

fn one_by_one() -> Vec<Vec<Record>> {
    history().into_iter().map(|record| vec![record]).collect()
}

/// Where each commit of a log ends.
fn ends(log: &[u8]) -> Vec<usize> {
    let frames = log[HEADER_BYTES..].chunks_exact(FRAME_BYTES).enumerate();
    let commits = frames.filter(|(_, frame)| frame[4..8] != [0; 4]);
    commits.map(|(at, _)| HEADER_BYTES + (at + 1) * FRAME_BYTES).collect()
}

fn n_attempts(path: &Path) -> u64 {
    Reader::open(path).unwrap().attempt_counts().unwrap().n_attempts
}

#[test]
fn a_changed_byte_is_refused_wherever_commits_lie_behind_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = killed(folder.path(), &one_by_one());
    let (database, wal) = (fs::read(&path).unwrap(), with_suffix(&path, "-wal"));
    let log = fs::read(&wal).unwrap();
    let ends = ends(&log);
    assert!(ends.len() > 20, "{ends:?}");
    let behind = ends[ends.len() - 3];
    let in_header = (0..HEADER_BYTES).step_by(3);
    let in_frames = (HEADER_BYTES..behind).step_by(FRAME_BYTES).flat_map(|frame| {
        // Page number, size, salts, checksum, the page's first and last bytes.
        [3, 6, 9, 13, 17, 21, 24, FRAME_BYTES - 1].map(|at| frame + at)
    });
    for at in in_header.chain(in_frames) {
        let mut bad = log.clone();
        bad[at] ^= 4;
        fs::write(&wal, &bad).unwrap();
        let mut refusals = vec![check(&path)];
        // Those who open it ask the same.
        if at % 5 == 0 {
            refusals.extend([
                Store::open(&path, trainer::measures()).map(drop),
                Reader::open(&path).map(drop),
            ]);
        }
        for refused in refusals {
            let refused = refused.expect_err(&format!("byte {at}")).to_string();
            for part in ["sweep.db-wal", "would drop", "--fresh", "sweep.db.mark"] {
                assert!(refused.contains(part), "byte {at}: {refused}");
            }
        }
        assert!(fs::read(&wal).unwrap() == bad && fs::read(&path).unwrap() == database);
    }
    fs::write(&wal, &log).unwrap();
    assert_eq!(n_attempts(&path), 12);
    Store::open(&path, trainer::measures()).unwrap();
}

#[test]
fn the_end_that_a_loss_of_power_tears_is_not_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = killed(folder.path(), &one_by_one());
    let wal = with_suffix(&path, "-wal");
    let log = fs::read(&wal).unwrap();
    // Any part of the last commit may not have reached the disk, in any order.
    let ends = ends(&log);
    let last = ends[ends.len() - 2];
    assert!(log.len() - last > FRAME_BYTES, "a commit of several frames");
    for at in (last..log.len()).step_by(512) {
        let mut torn = log.clone();
        torn[at..log.len().min(at + 512)].fill(0);
        fs::write(&wal, &torn).unwrap();
        check(&path).unwrap();
    }
    for n_bytes in (0..log.len()).step_by(1_000) {
        fs::write(&wal, &log[..n_bytes]).unwrap();
        check(&path).unwrap();
    }
}

/// A second life writes over the torn end of the first, and leaves frames of it behind its own.
#[test]
fn what_a_torn_end_leaves_behind_later_commits_is_not_damage() {
    let folder = tempfile::tempdir().unwrap();
    let path = killed(folder.path(), &[vec![], history(), history()[..6].to_vec()]);
    let wal = with_suffix(&path, "-wal");
    let log = fs::read(&wal).unwrap();
    let ends = ends(&log);
    let [before, after] = ends[ends.len() - 3..ends.len() - 1] else { unreachable!() };
    assert!(after - before > 4 * FRAME_BYTES, "a long commit");
    let mut torn = log[..after].to_vec();
    torn[before + FRAME_BYTES / 2] ^= 1;
    fs::write(&wal, &torn).unwrap();
    fs::remove_file(mark_of(&path)).unwrap();
    let mut store = Store::open(&path, trainer::measures()).unwrap();
    store.commit(&plan(2), &history()[..1]).unwrap();
    let now = fs::read(&wal).unwrap();
    assert_eq!(now.len(), torn.len(), "the rest of the torn commit lies behind");
    assert_ne!(now, torn);
    check(&path).unwrap();
}

#[test]
fn nothing_is_found_in_a_log_that_is_being_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sweep.db");
    let mut store = Store::open(&path, trainer::measures()).unwrap();
    let is_over = AtomicBool::new(false);
    let n_checks = std::thread::scope(|scope| {
        let checks = scope.spawn(|| {
            let mut n_checks = 0;
            while !is_over.load(Ordering::Relaxed) {
                check(&path).unwrap();
                n_checks += 1;
            }
            n_checks
        });
        store.connection.pragma_update(None, "wal_autocheckpoint", 20).unwrap();
        store.connection.pragma_update(None, "synchronous", "OFF").unwrap();
        for _ in 0..2_000 {
            store.commit(&plan(1), &history()[..6]).unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
        checks.join().unwrap()
    });
    assert!(n_checks > 20, "{n_checks}");
}

#[test]
fn a_log_that_is_gone_or_cut_short_is_noticed_by_the_mark() {
    let folder = tempfile::tempdir().unwrap();
    let path = killed(folder.path(), &one_by_one());
    let (wal, mark) = (with_suffix(&path, "-wal"), mark_of(&path));
    let (database, log) = (fs::read(&path).unwrap(), fs::read(&wal).unwrap());
    let marked = fs::read(&mark).unwrap();
    let last = ends(&log)[ends(&log).len() - 2];
    for left in [None, Some(0), Some(HEADER_BYTES), Some(log.len() / 3), Some(last)] {
        let cut = |left: Option<usize>| match left {
            None => fs::remove_file(&wal).unwrap(),
            Some(n_bytes) => fs::write(&wal, &log[..n_bytes]).unwrap(),
        };
        cut(left);
        for refused in
            [Store::open(&path, trainer::measures()).map(drop), Reader::open(&path).map(drop)]
        {
            let refused = refused.expect_err(&format!("{left:?} bytes left")).to_string();
            for part in ["last commits are missing", "3 outcomes", "sweep.db.mark", "--fresh"] {
                assert!(refused.contains(part), "{left:?}: {refused}");
            }
            assert_eq!(fs::read(&path).unwrap(), database, "nothing was changed");
        }
        // As the message says: it goes on with what is left.
        fs::remove_file(&mark).unwrap();
        drop(Store::open(&path, trainer::measures()).unwrap());
        for (file, bytes) in [(&path, &database), (&wal, &log), (&mark, &marked)] {
            fs::write(file, bytes).unwrap();
        }
        let _ = fs::remove_file(with_suffix(&path, "-shm"));
    }
    assert_eq!(n_attempts(&path), 12);
    assert!(
        Reader::open(&path)
            .unwrap()
            .trials()
            .unwrap()
            .values()
            .any(|row| { matches!(row.state, TrialState::Done { .. }) })
    );
}

#[test]
fn a_mark_of_another_state_or_a_damaged_one_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = killed(folder.path(), &one_by_one());
    let mark = mark_of(&path);
    let other = tempfile::tempdir().unwrap();
    let foreign = other.path().join("sweep.db");
    let mut store = Store::open(&foreign, trainer::measures()).unwrap();
    let description = serde_json::json!({ "state_id": vec![8_u8; 16] }).to_string();
    store.begin_term(1, &[("sweep", &description)]).unwrap();
    fs::copy(&mark, mark_of(&foreign)).unwrap();
    Reader::open(&foreign).unwrap();
    fs::remove_file(with_suffix(&path, "-wal")).unwrap();
    let marked = fs::read(&mark).unwrap();
    for bad in [&marked[..40], &b"sweep-mark-1 x"[..], &[0xff; 300][..], &[][..]] {
        fs::write(&mark, bad).unwrap();
        Reader::open(&path).map(drop).unwrap();
    }
    fs::write(&mark, &marked).unwrap();
    fs::remove_file(&path).unwrap();
    let gone = Store::open(&path, trainer::measures()).unwrap_err().to_string();
    assert!(gone.contains("sweep.db.mark") && gone.contains("--fresh"), "{gone}");
    assert!(!path.exists(), "no other takes its place");
}
