//! The spool: what survives, what is offered, what is dropped.

use std::fs::File;

use proto::finished::Outcome;

use crate::disk::datasets::cache_clock::CacheClock;
use crate::disk::spool::*;
use crate::disk::upkeep::DiskLimits;

mod properties;

const STATE: StateId = [1; 16];
const OTHER: StateId = [2; 16];

fn lease(trial: u8) -> Lease {
    Lease { term: 1, trial_id: vec![trial; 32], attempt: 1, nonce: trial.into() }
}

fn outcome(trial: u8) -> Finished {
    let failure = Outcome::Failure(format!("text of {trial}"));
    Finished { lease: Some(lease(trial)), outcome: Some(failure), timings: vec![] }
}

impl Spool {
    /// Takes outcomes in and saves them at once.
    pub(crate) fn append(&mut self, state_id: StateId, outcomes: Vec<Finished>) -> io::Result<()> {
        self.take_in(state_id, outcomes);
        self.save()
    }
}

/// As a worker whose cache folder is the spool's and has kept its time for a while.
fn open(path: &Path) -> io::Result<Spool> {
    let cache_dir = path.parent().unwrap();
    CacheClock::look(cache_dir);
    Spool::open(path, &Upkeep::new(cache_dir, DiskLimits::default()))
}

fn offered(spool: &Spool, state_id: &StateId) -> Vec<u64> {
    let offer = spool.offer(state_id, usize::MAX);
    offer.finished.into_iter().map(|finished| finished.lease.unwrap().nonce).collect()
}

#[test]
fn outcomes_survive_until_acknowledged_and_only_their_state_sees_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let mut spool = open(&path).unwrap();
    spool.append(STATE, vec![outcome(1), outcome(2)]).unwrap();
    spool.append(OTHER, vec![outcome(3)]).unwrap();
    drop(spool);

    let mut spool = open(&path).unwrap();
    assert_eq!(offered(&spool, &STATE), [1, 2]);
    assert_eq!(spool.offer(&STATE, usize::MAX).finished[1], outcome(2));
    assert_eq!(spool.leases(&STATE), [lease(1), lease(2)]);
    assert_eq!(spool.youngest_state(), Some(OTHER));
    spool.acknowledged(&OTHER, &[lease(1), lease(2)]);
    spool.save().unwrap();
    assert_eq!(offered(&spool, &STATE), [1, 2], "another state's acknowledgement");
    spool.acknowledged(&STATE, &[lease(1)]);
    spool.save().unwrap();
    assert_eq!(offered(&spool, &STATE), [2]);
    spool.acknowledged(&STATE, &[lease(2)]);
    spool.save().unwrap();
    assert_eq!(offered(&spool, &OTHER), [3]);
    spool.acknowledged(&OTHER, &[lease(3)]);
    spool.save().unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    spool.append(STATE, vec![outcome(4)]).unwrap();
    assert_eq!(offered(&open(&path).unwrap(), &STATE), [4]);
}

#[test]
fn a_tail_torn_at_any_byte_costs_the_last_entry_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let mut spool = open(&path).unwrap();
    spool.append(STATE, vec![outcome(1)]).unwrap();
    let n_first = spool.file.as_ref().unwrap().n_bytes as usize;
    spool.append(STATE, vec![outcome(2)]).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for n_bytes in n_first..whole.len() {
        std::fs::write(&path, &whole[..n_bytes]).unwrap();
        let mut spool = open(&path).unwrap();
        assert_eq!(offered(&spool, &STATE), [1], "torn at {n_bytes}");
        spool.append(STATE, vec![outcome(3)]).unwrap();
        assert_eq!(offered(&open(&path).unwrap(), &STATE), [1, 3]);
    }
}

#[test]
fn a_flipped_bit_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    open(&path).unwrap().append(STATE, vec![outcome(1)]).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for index in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[index] ^= 4;
        std::fs::write(&path, damaged).unwrap();
        // Without its mark, which is no part of it, it is one of a former build.
        let n_left = usize::from(index < record::MARK.len());
        assert_eq!(open(&path).unwrap().len(), n_left, "bit of byte {index}");
    }
}

#[test]
fn an_offer_keeps_to_its_size_but_never_starves() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(&folder.path().join("spool")).unwrap();
    spool.append(STATE, (1..=9).map(outcome).collect()).unwrap();
    let n_bytes = outcome(1).encoded_len();
    let offer = spool.offer(&STATE, 3 * n_bytes);
    assert_eq!((offer.finished.len(), offer.waiting.len()), (3, 6));
    assert_eq!(offer.waiting[0], lease(4));
    assert_eq!(spool.offer(&STATE, 0).finished.len(), 1);
    assert_eq!(spool.offer(&OTHER, usize::MAX), Offer::default());
}

/// A result of at least this many bytes.
fn history(n_bytes: usize) -> Outcome {
    let epoch = proto::Epoch { epoch: 1, train_loss: 0.5, ..proto::Epoch::default() };
    let history = vec![epoch.clone(); n_bytes.div_ceil(epoch.encoded_len())];
    Outcome::Result(proto::TrialResult { history, ..proto::TrialResult::default() })
}

#[test]
fn room_is_given_back_though_another_state_keeps_an_entry() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let mut spool = open(&path).unwrap();
    spool.append(OTHER, vec![outcome(1)]).unwrap();
    let large = Finished { outcome: Some(history(REWRITE_ABOVE_BYTES as usize / 3)), ..outcome(2) };
    spool.append(STATE, vec![large; 4]).unwrap();
    spool.acknowledged(&STATE, &[lease(2)]);
    spool.save().unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() < 1000);
    spool.append(STATE, vec![outcome(3)]).unwrap();
    let spool = open(&path).unwrap();
    assert_eq!((offered(&spool, &OTHER), offered(&spool, &STATE)), (vec![1], vec![3]));
}

#[test]
fn a_full_disk_leaves_the_outcome_in_memory_until_it_can_be_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let mut spool = open(&path).unwrap();
    spool.file.as_mut().unwrap().file = File::open(&path).unwrap();
    assert!(spool.append(STATE, vec![outcome(1)]).is_err());
    assert!(spool.is_full());
    assert_eq!(offered(&spool, &STATE), [1]);
    spool.file.as_mut().unwrap().file = File::options().write(true).open(&path).unwrap();
    spool.save().unwrap();
    assert!(!spool.is_full());
    assert_eq!(offered(&open(&path).unwrap(), &STATE), [1]);
}

#[test]
fn outcomes_nobody_asks_for_are_dropped_after_two_weeks_and_never_by_a_jump_of_the_clock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let mut spool = open(&path).unwrap();
    spool.append(STATE, vec![outcome(1), outcome(2), outcome(3), outcome(4)]).unwrap();
    let now_s = spool.entries[0].record.written_at_s;
    let old_s = now_s - KEPT_FOR.as_secs() - 60;
    // As old as the cache folder; as of 1970; in a future that nobody has seen; just now.
    for (entry, time_s) in spool.entries.iter_mut().zip([old_s, 0, 10 * now_s, now_s]) {
        Arc::make_mut(&mut entry.record).written_at_s = time_s;
    }
    spool.rewrite().unwrap();
    assert_eq!(offered(&open(&path).unwrap(), &STATE), [2, 3, 4]);
    std::fs::remove_file(folder.path().join("clock")).unwrap();
    spool.rewrite().unwrap();
    let upkeep = Upkeep::new(folder.path(), DiskLimits::default());
    let unaged = Spool::open(&path, &upkeep).unwrap();
    assert_eq!(offered(&unaged, &STATE), [1, 2, 3, 4], "a folder without a time ages nothing");
}

#[test]
fn one_damaged_byte_costs_one_outcome_of_either_format() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let mut spool = open(&path).unwrap();
    spool.append(STATE, (1..=4).map(outcome).collect()).unwrap();
    let records = || spool.entries.iter().map(|entry| &*entry.record);
    let marked: Vec<Vec<u8>> = records().map(Record::encode).collect();
    let unmarked: Vec<Vec<u8>> = records().map(Record::encode_unmarked).collect();
    let mixed =
        vec![unmarked[0].clone(), marked[1].clone(), unmarked[2].clone(), marked[3].clone()];
    for parts in [&marked, &unmarked, &mixed] {
        let from = parts[0].len();
        for index in from + record::MARK.len()..from + parts[1].len() {
            let mut bytes = parts.concat();
            bytes[index] ^= 0x40;
            std::fs::write(&path, &bytes).unwrap();
            let mut spool = open(&path).unwrap();
            assert_eq!(offered(&spool, &STATE), [1, 3, 4], "byte {index}");
            spool.append(STATE, vec![outcome(5)]).unwrap();
            assert_eq!(offered(&open(&path).unwrap(), &STATE), [1, 3, 4, 5], "byte {index}");
        }
    }
}

#[test]
fn an_outcome_that_no_message_takes_is_set_aside_and_told_as_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let huge = Finished { outcome: Some(history(proto::MAX_OUTCOME_BYTES)), ..outcome(1) };
    let record = Record { state_id: STATE, written_at_s: 0, finished: huge.clone() };
    let behind = Record { finished: outcome(2), ..record.clone() };
    // A former build has left it there.
    std::fs::write(&path, [record.encode_unmarked(), behind.encode_unmarked()].concat()).unwrap();
    let spool = open(&path).unwrap();
    let offer = spool.offer(&STATE, proto::MAX_FINISHED_BYTES);
    let [first, second] = &offer.finished[..] else { panic!("both are offered") };
    assert_eq!((&first.lease, second), (&Some(lease(1)), &outcome(2)));
    let Some(Outcome::Failure(text)) = &first.outcome else { panic!("a failure") };
    assert!(text.contains("expected at most"), "{text}");

    let mut kept = std::fs::read_dir(folder.path().join("set-aside")).unwrap().flatten();
    let bytes = std::fs::read(kept.next().unwrap().path()).unwrap();
    assert_eq!(record::read(&bytes).records[0].0.finished, huge);
    assert!(kept.next().is_none());
    assert_eq!(offered(&open(&path).unwrap(), &STATE), [1, 2], "and it stays so");
}

#[test]
fn a_finished_state_takes_what_this_process_put_in_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    open(&path).unwrap().append(STATE, vec![outcome(1)]).unwrap();
    let mut spool = open(&path).unwrap();
    assert_eq!(spool.forget(&STATE), 0);
    assert_eq!(offered(&spool, &STATE), [1]);
    spool.append(STATE, vec![outcome(2)]).unwrap();
    assert_eq!(spool.forget(&STATE), 2);
    assert!(!spool.has_any_of(&STATE));
}

/// A disk that does not answer keeps nobody from taking outcomes in, from naming them, or, once it
/// is known to hang, from handing them in.
#[test]
fn while_work_is_under_way_the_spool_takes_more_and_says_what_is_safe() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let mut spool = open(&path).unwrap();
    spool.append(STATE, vec![outcome(1)]).unwrap();
    spool.take_in(STATE, vec![outcome(2)]);
    let work = spool.begin().unwrap();
    spool.take_in(STATE, vec![outcome(3)]);
    assert!(spool.begin().is_none(), "one at a time");
    assert_eq!(offered(&spool, &STATE), [1]);
    assert_eq!(spool.offer(&STATE, usize::MAX).waiting, [lease(2), lease(3)]);
    assert!(!spool.is_full());
    spool.disk_stalls();
    assert_eq!(offered(&spool, &STATE), [1, 2, 3]);
    assert!(spool.is_full(), "no more work for it");
    spool.acknowledged(&STATE, &[lease(1), lease(2)]);
    spool.end(work.run()).unwrap();
    assert!(!spool.is_full());
    assert_eq!(offered(&open(&path).unwrap(), &STATE), [1, 2], "as the work was when it began");
    spool.save().unwrap();
    assert_eq!(offered(&open(&path).unwrap(), &STATE), [3]);
}

/// Each 44 bytes begin what claims to be a record of all the rest, whose checksum would take half a
/// minute a megabyte.
#[test]
fn a_file_full_of_false_records_is_read_in_time_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let (unit, n_units) = (44, 50_000);
    let mut bytes = Vec::new();
    for index in 1..=n_units {
        bytes.extend(record::MARK);
        bytes.extend(u32::try_from((n_units - index) * unit).unwrap().to_le_bytes());
        bytes.extend([0; 32]);
    }
    let honest = Record { state_id: STATE, written_at_s: 90_000_000_000, finished: outcome(1) };
    bytes.extend(honest.encode());
    std::fs::write(&path, &bytes).unwrap();
    let contents = record::read(&bytes);
    assert!(contents.is_cut_short);
    assert!(contents.n_vain_bytes < (64 << 20) + 4 * bytes.len(), "{}", contents.n_vain_bytes);
    assert_eq!(offered(&open(&path).unwrap(), &STATE), [1], "what is whole is found");
    let mut kept = std::fs::read_dir(folder.path().join("set-aside")).unwrap().flatten();
    assert_eq!(std::fs::read(kept.next().unwrap().path()).unwrap(), bytes, "nothing is lost");
}
