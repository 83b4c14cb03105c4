//! Checkpoints that break off, arrive damaged, or are damaged on the disk.

use std::sync::Arc;

use super::*;

const TRIAL: TrialIndex = TrialIndex(3);
const ID: TrialId = TrialId::from_bytes([0xab; 32]);

fn bytes(epoch: u32) -> Vec<u8> {
    (0..1000 + epoch).map(|at| (at * epoch) as u8).collect()
}

fn checkpoint(epoch: u32) -> Checkpoint {
    let bytes = bytes(epoch);
    let digest = Digest::of(&bytes);
    Checkpoint { digest, n_bytes: bytes.len() as u64, epoch }
}

fn open(state: &Path) -> Arc<CheckpointFiles> {
    Arc::new(CheckpointFiles::open(state).unwrap())
}

fn receiving(files: &Arc<CheckpointFiles>, epoch: u32) -> Receiving {
    files.receive(TRIAL, ID, checkpoint(epoch)).unwrap().unwrap()
}

fn put(files: &Arc<CheckpointFiles>, epoch: u32) {
    let mut receiving = receiving(files, epoch);
    receiving.write(&bytes(epoch)).unwrap();
    assert!(receiving.is_whole());
}

fn found(files: &CheckpointFiles) -> Vec<u32> {
    let found = files.found(|id| (id == ID).then_some(TRIAL)).unwrap();
    let mut epochs: Vec<u32> = found
        .into_iter()
        .map(|(trial, it)| {
            assert_eq!((trial, it), (TRIAL, checkpoint(it.epoch)));
            it.epoch
        })
        .collect();
    epochs.sort_unstable();
    epochs
}

/// All bytes of a checkpoint, in pieces.
fn read(files: &CheckpointFiles, epoch: u32) -> Option<Vec<u8>> {
    let whole = files.open_whole(ID, checkpoint(epoch).digest).unwrap()?;
    let mut bytes = Vec::new();
    while let piece = whole.read_at(bytes.len() as u64, 300).unwrap()
        && !piece.is_empty()
    {
        bytes.extend(piece);
    }
    assert_eq!(bytes.len() as u64, whole.n_bytes());
    Some(bytes)
}

#[test]
fn what_breaks_off_goes_on_where_it_stopped() {
    let state = tempfile::tempdir().unwrap();
    let files = open(state.path());
    let bytes = bytes(2);
    let mut first = receiving(&files, 2);
    first.write(&bytes[..300]).unwrap();
    assert!(files.receive(TRIAL, ID, checkpoint(2)).unwrap().is_none(), "one at a time");
    drop(first);
    let mut second = receiving(&files, 2);
    assert_eq!((second.n_bytes(), second.is_whole()), (300, false));
    assert_eq!(read(&files, 2), None, "not yet whole");
    second.write(&bytes[300..]).unwrap();
    assert_eq!(read(&files, 2), Some(bytes));
    drop(second);
    assert!(receiving(&files, 2).is_whole(), "sent again");
}

#[test]
fn other_bytes_than_announced_are_refused_and_leave_nothing() {
    let state = tempfile::tempdir().unwrap();
    let files = open(state.path());
    let mut wrong = bytes(2);
    wrong[7] ^= 1;
    let mut receiving_wrong = receiving(&files, 2);
    assert!(receiving_wrong.write(&wrong).is_err());
    drop(receiving_wrong);
    assert!(receiving(&files, 2).write(&[0; 5000]).is_err(), "too many");
    assert_eq!(receiving(&files, 2).n_bytes(), 0);
    put(&files, 2);
    assert_eq!(found(&files), [2]);
}

#[test]
fn only_what_is_kept_stays_and_parts_go_at_the_next_start() {
    let state = tempfile::tempdir().unwrap();
    let files = open(state.path());
    for epoch in [1, 2, 3] {
        put(&files, epoch);
    }
    files.keep(ID, &[checkpoint(3), checkpoint(2)]).unwrap();
    assert_eq!(found(&files), [2, 3]);
    receiving(&files, 4).write(&[1; 10]).unwrap();
    fs::write(state.path().join("checkpoints/stray"), "x").unwrap();
    drop(files);

    let files = open(state.path());
    assert_eq!(found(&files), [2, 3]);
    assert_eq!(receiving(&files, 4).n_bytes(), 0);
    assert!(!state.path().join("checkpoints/stray").exists());
    assert_eq!(files.ended(TRIAL), Some(ID));
    files.keep(ID, &[]).unwrap();
    assert_eq!((found(&files), files.ended(TRIAL)), (vec![], None));
    assert_eq!(fs::read_dir(state.path().join("checkpoints")).unwrap().count(), 0);
}

#[test]
fn a_damaged_one_is_not_there_any_more() {
    let state = tempfile::tempdir().unwrap();
    let files = open(state.path());
    put(&files, 1);
    let path = files.folder_of(ID).join(name_of(&checkpoint(1)));
    let mut damaged = bytes(1);
    damaged[500] ^= 1;
    fs::write(&path, damaged).unwrap();
    assert_eq!(read(&files, 1), None);
    assert!(!path.exists());
    put(&files, 1);
    fs::write(&path, &bytes(1)[..9]).unwrap();
    put(&files, 1);
    assert_eq!(read(&files, 1), Some(bytes(1)));
}

#[test]
fn no_clock_that_is_set_wrong_makes_checkpoints_old() {
    let state = tempfile::tempdir().unwrap();
    let folder = |digit: &str| state.path().join("checkpoints").join(digit.repeat(64));
    let day = Duration::from_secs(24 * 60 * 60);
    let long_ago = std::time::SystemTime::UNIX_EPOCH + 1000 * day;
    for (digit, n_days) in [("a", 0), ("b", 10)] {
        fs::create_dir_all(folder(digit)).unwrap();
        File::open(folder(digit)).unwrap().set_modified(long_ago + n_days * day).unwrap();
    }
    CheckpointFiles::open(state.path()).unwrap();
    assert!(folder("a").is_dir() && folder("b").is_dir(), "ten days lie between them");
    File::open(folder("b")).unwrap().set_modified(long_ago + 20 * day).unwrap();
    CheckpointFiles::open(state.path()).unwrap();
    assert!(!folder("a").exists() && folder("b").is_dir());
}

const OTHER: TrialIndex = TrialIndex(4);
const OTHER_ID: TrialId = TrialId::from_bytes([0xcd; 32]);
const MIB: u64 = 1024 * 1024;

/// Files on a disk that has as much free as the file `free` of the state says.
fn open_on_disk(state: &Path, n_free: u64) -> Arc<CheckpointFiles> {
    let mut files = CheckpointFiles::open(state).unwrap();
    files.n_free = |folder| {
        let text = fs::read_to_string(folder.with_file_name("free")).ok()?;
        text.parse().ok()
    };
    set_free(state, n_free);
    Arc::new(files)
}

fn set_free(state: &Path, n_bytes: u64) {
    fs::write(state.join("free"), n_bytes.to_string()).unwrap();
}

fn is_refused<T: std::fmt::Debug>(result: io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == io::ErrorKind::StorageFull)
}

fn n_files(files: &CheckpointFiles, id: TrialId) -> usize {
    files_in(&files.folder_of(id)).unwrap().len()
}

#[test]
fn what_is_still_to_come_for_one_trial_is_not_promised_to_another() {
    let state = tempfile::tempdir().unwrap();
    let files = open_on_disk(state.path(), RESERVE_BYTES + 100 * MIB);
    let large = |digit| Checkpoint { digest: Digest([digit; 32]), n_bytes: 60 * MIB, epoch: 1 };
    let mut first = files.receive(TRIAL, ID, large(1)).unwrap().unwrap();
    assert!(is_refused(files.receive(OTHER, OTHER_ID, large(2))));
    assert_eq!(n_files(&files, OTHER_ID), 0, "nothing is left of the refused one");
    // What has arrived is no longer free, and no longer to come.
    first.write(&vec![1; 30 * MIB as usize]).unwrap();
    set_free(state.path(), RESERVE_BYTES + 89 * MIB);
    assert!(is_refused(files.receive(OTHER, OTHER_ID, large(2))));
    set_free(state.path(), RESERVE_BYTES + 90 * MIB);
    drop(files.receive(OTHER, OTHER_ID, large(2)).unwrap().unwrap());
    set_free(state.path(), RESERVE_BYTES + 60 * MIB);
    assert!(is_refused(files.receive(OTHER, OTHER_ID, large(2))));
    drop(first);
    assert!(files.receive(OTHER, OTHER_ID, large(2)).unwrap().is_some());
}

#[test]
fn a_disk_that_fills_meanwhile_keeps_its_reserve_and_no_part() {
    let state = tempfile::tempdir().unwrap();
    let files = open_on_disk(state.path(), RESERVE_BYTES + MIB);
    let mut first = receiving(&files, 2);
    first.write(&bytes(2)[..300]).unwrap();
    set_free(state.path(), RESERVE_BYTES + 299);
    assert!(is_refused(first.write(&bytes(2)[300..600])));
    drop(first);
    assert_eq!(n_files(&files, ID), 0);
    set_free(state.path(), RESERVE_BYTES + MIB);
    put(&files, 2);
    assert_eq!(found(&files), [2]);
}

/// Some file systems over a network tell nothing: that is no full disk.
#[test]
fn a_disk_that_tells_nothing_takes_checkpoints() {
    let state = tempfile::tempdir().unwrap();
    let files = open_on_disk(state.path(), 0);
    assert!(is_refused(files.receive(TRIAL, ID, checkpoint(1))), "it is full");
    fs::remove_file(state.path().join("free")).unwrap();
    put(&files, 1);
    assert_eq!(found(&files), [1]);
}

#[test]
fn room_is_made_by_what_costs_least_to_lose() {
    let state = tempfile::tempdir().unwrap();
    let files = open(state.path());
    put(&files, 1);
    put(&files, 2);
    let mut third = receiving(&files, 3);
    third.write(&bytes(3)[..300]).unwrap();
    assert_eq!(files.make_room().unwrap(), 1, "the part");
    assert_eq!(found(&files), [1, 2]);
    assert!(is_refused(third.write(&bytes(3)[300..])), "its beginning is gone");
    drop(third);
    assert_eq!((files.make_room().unwrap(), found(&files)), (1, vec![2]));
    assert_eq!((files.make_room().unwrap(), found(&files)), (1, vec![]));
    assert_eq!(files.make_room().unwrap(), 0);
    put(&files, 3);
    assert_eq!(found(&files), [3]);
}
