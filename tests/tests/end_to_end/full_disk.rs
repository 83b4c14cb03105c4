//! A state whose disk is full: the sweep waits and says so, and goes on when there is space.

use std::fs;

use e2e::{SmallDisk, Sweep};

use crate::{env, reference};

#[test]
fn a_full_disk_is_waited_out() {
    let env = env();
    let Some(disk) = SmallDisk::mount(env.path("disk"), 6) else {
        eprintln!("skipped: mounting a file system takes root");
        return;
    };
    let coordinator = env.start(&Sweep::LONG, &["--state", "disk/state", "--local-slots", "1"]);
    coordinator.wait_for_trials(6);
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
