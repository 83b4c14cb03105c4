//! A state whose disk is full: the sweep waits and says so, and goes on when there is space.

use std::fs;

use e2e::{Coordinator, Env, SmallDisk, Sweep};

use crate::{env, reference};

/// A sweep that has done some trials, with its state on a disk of its own; `None` where this process may
/// not mount one.
fn on_a_small_disk() -> Option<(Env, SmallDisk, Coordinator)> {
    let env = env();
    let Some(disk) = SmallDisk::mount(env.path("disk"), 9) else {
        eprintln!("skipped: mounting a file system takes root");
        return None;
    };
    let coordinator = env.start(&Sweep::LONG, &["--state", "disk/state", "--local-slots", "1"]);
    coordinator.wait_for_trials(6);
    Some((env, disk, coordinator))
}

#[test]
fn a_full_disk_is_waited_out() {
    let Some((env, disk, coordinator)) = on_a_small_disk() else { return };
    let filler = disk.fill();
    let state = disk.path().join("state");
    let told = coordinator.in_stderr("word of the full disk", |lines| {
        lines.iter().find(|line| line.contains("the disk is full")).cloned()
    });
    assert!(told.contains(&state.display().to_string()), "{told}");
    assert!(told.contains("bytes free"), "{told}");
    fs::remove_file(filler).expect("it can be removed");
    coordinator.wait().expect(0);
    reference::assert_same_files(&env);
}

/// Checkpoints cost time to make again, and a result that waits costs everybody's.
#[test]
fn checkpoints_make_room_for_results() {
    let Some((env, disk, coordinator)) = on_a_small_disk() else { return };
    let folder = disk.path().join("state/checkpoints").join("a".repeat(64));
    fs::create_dir_all(&folder).expect("a folder can be made");
    // The first makes too little room. The second makes enough even if each result is committed by
    // itself: the write-ahead log grows to some 4 MiB before its pages go into the database.
    let files = [(format!("7-{}.part", "b".repeat(64)), 1), (format!("6-{}", "c".repeat(64)), 4)];
    for (name, n_mib) in files {
        fs::write(folder.join(name), vec![0; n_mib << 20]).expect("it fits");
    }
    disk.fill();
    let ended = coordinator.wait().expect(0);
    let log = ended.stderr_text();
    assert_eq!(log.matches("the disk is full: removed 1 checkpoint file;").count(), 2, "{log}");
    reference::assert_same_files(&env);
}
