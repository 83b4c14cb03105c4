//! Reports, replays and exports: what is best, what diverged, numbers as they are printed.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output},
};

use e2e::Sweep;

use crate::env;

/// Runs a command as a page prints it, in the folder `folder`.
fn paste(folder: &Path, command: &str) -> Output {
    let bin = folder.join("bin");
    if !bin.exists() {
        fs::create_dir(&bin).expect("a folder can be made");
        symlink(std::env!("CARGO_BIN_EXE_e2e-coordinator"), bin.join("coordinator"))
            .expect("a link can be made");
    }
    let path = std::env::join_paths(
        [bin]
            .into_iter()
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command).env("PATH", path.expect("a path")).current_dir(folder);
    shell.output().expect("a shell runs")
}

/// The commands of this program that a page shows.
fn commands(page: &str) -> Vec<String> {
    let spans = page.split('`').filter(|span| span.starts_with("coordinator "));
    spans.map(str::to_owned).collect()
}

/// facebookresearch/hydra#1868, #922: paths count from another folder than where the run was started,
/// and what is recorded cannot be run again. A recorded sweep over relative data is replayed, whatever
/// its paths are called, and what the pages print can be pasted.
#[test]
fn a_recorded_sweep_over_own_data_is_replayed_as_the_page_says() {
    let env = env();
    fs::create_dir(env.path("it's größer")).expect("a folder can be made");
    let text = Sweep::SHORT.to_toml().replace("path = \"data\"", "path = \"../data\"");
    env.write("it's größer/my sweep.toml", text);
    let arguments = ["--out", "all reports"];
    env.start_file("it's größer/my sweep.toml", &arguments, &[]).wait().expect(0);
    let report = env.path("all reports/short");
    let page = fs::read_to_string(report.join("report.md")).expect("a page");
    let printed = commands(&page);
    assert_eq!(printed.len(), 2, "the sweep and one row: {page}");
    for command in &printed {
        let listen = if command.contains("--sweep") { " --listen 127.0.0.1:0" } else { "" };
        let ran = paste(&env.path("."), &format!("{command}{listen}"));
        assert!(ran.status.success(), "{command}: {ran:?}");
    }
    let verified = || env.coordinator(&["verify", "all reports/short"]).expect(0);
    verified();

    // From the cache of its workers, once the files are gone.
    fs::rename(env.path("data"), env.path("moved")).expect("it can be moved");
    env.coordinator(&["replay", "all reports/short", "best"]).expect(0);
    fs::remove_dir_all(report.join(".state")).expect("it can be removed");
    let refused = env.coordinator(&["replay", "all reports/short", "best"]).expect(1).stderr_text();
    for part in ["--data DIR", "no such folder", "/datasets/", "sweep.toml is a record"] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    env.coordinator(&["replay", "all reports/short", "best", "--data", "moved"]).expect(0);
    // Its digest is looked at, wherever it comes from.
    let labels = env.path("moved/t10k-labels-idx1-ubyte");
    let mut bytes = fs::read(&labels).expect("labels");
    *bytes.last_mut().expect("a label") ^= 1;
    fs::write(&labels, bytes).expect("they can be written");
    let other = ["replay", "all reports/short", "best", "--data", "moved"];
    let refused = env.coordinator(&other).expect(1).stderr_text();
    assert!(refused.contains("other data, with the digest"), "{refused}");
    verified();
}
