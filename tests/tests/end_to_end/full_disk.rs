//! A state whose disk is full: the sweep waits and says so, and goes on when there is space.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use e2e::Sweep;

use crate::{env, reference};

/// A small file system in memory, taken away when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where this process may not mount.
    fn mount(path: PathBuf) -> Option<Self> {
        fs::create_dir(&path).expect("a folder can be made");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=6m", "tmpfs"]).arg(&path);
        let status = command.stderr(Stdio::null()).status().ok()?;
        status.success().then(|| Self(path))
    }

    /// Writes a file until nothing more fits.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = File::create(&path).expect("a file can be made");
        for block in [vec![0; 1 << 16], vec![0; 1]] {
            let error = loop {
                if let Err(error) = file.write_all(&block) {
                    break error;
                }
            };
            assert_eq!(error.kind(), ErrorKind::StorageFull);
        }
        path
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, since a killed program may still hold a file for a moment.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_waited_out() {
    let env = env();
    let Some(disk) = SmallDisk::mount(env.path("disk")) else {
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
