//! Commands as programs and pages print them: found in a text, and run by a shell as they are.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::programs::Programs;

/// What a command begins with. A text that means another program's is not understood here.
const STARTS: [&str; 7] =
    ["coordinator ", "worker ", "cargo ", "sqlite3 ", "tensorboard ", "SWEEP_", "tests/"];

/// What the programs of the shell are, beside this machine's own.
const SHIMS: [(&str, &str); 4] = [
    ("coordinator", COORDINATOR),
    ("worker", "exec \"$WORKER\" \"$@\"\n"),
    // `cargo run --release --bin coordinator -- ...` starts the program that the tests have built.
    (
        "cargo",
        "[ \"$1 $2 $3 $5\" = 'run --release --bin --' ] || exit 96\nname=$4\nshift 5\nexec \"$name\" \"$@\"\n",
    ),
    // It shows a folder forever; here it is enough that the folder is there.
    ("tensorboard", "[ $# = 2 ] && [ \"$1\" = --logdir ] && [ -d \"$2\" ]\n"),
];

/// With a port of its own for each run that names none: the usual one may belong to another test.
const COORDINATOR: &str = "\
for word do case $word in --sweep*) sweep=yes ;; --listen*) listen=yes ;; esac; done
[ \"$sweep\" ] && [ -z \"$listen\" ] && set -- \"$@\" --listen 127.0.0.1:0
exec \"$COORDINATOR\" \"$@\"
";

/// The commands in a text: between backticks, and behind a colon up to the end of the line. A line on
/// usage is a pattern of commands and not one of them.
pub fn printed_commands(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with("Usage: ")) {
        let parts: Vec<&str> = line.split('`').collect();
        let spans = parts.iter().skip(1).step_by(2).map(|span| span.trim());
        commands.extend(spans.filter(|span| is_command(span)).map(str::to_owned));
        let ends = line.match_indices(": ").map(|(at, colon)| &line[at + colon.len()..]);
        commands.extend(ends.filter(|end| is_command(end)).take(1).map(str::to_owned));
    }
    commands
}

/// The commands that stand on lines of their own: in the code blocks of a page or comment, and among
/// the examples of a help text, where three spaces and what it does may follow.
pub fn example_commands(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.trim_start_matches(['#', ' ']));
    let commands = lines.filter(|line| is_command(line));
    commands.map(|line| line.split("   ").next().unwrap_or(line).trim_end().to_owned()).collect()
}

fn is_command(text: &str) -> bool {
    STARTS.iter().any(|start| text.starts_with(start))
}

/// `sh` with the programs under test on its path, and a home of its own.
pub(crate) fn shell(programs: &Programs, home: &Path, command: &str) -> Command {
    let bin = home.join("bin");
    if !bin.exists() {
        write_shims(&bin);
    }
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let path = [bin].into_iter().chain(std::env::split_paths(&rest));
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command);
    shell.env("PATH", std::env::join_paths(path).expect("a path")).env("HOME", home);
    shell.env("COORDINATOR", programs.coordinator).env("WORKER", programs.worker);
    for name in ["SWEEP_ISA", "SWEEP_CACHE_DIR", "XDG_CACHE_HOME"] {
        shell.env_remove(name);
    }
    shell
}

fn write_shims(bin: &PathBuf) {
    fs::create_dir_all(bin).expect("a folder can be made");
    for (name, text) in SHIMS {
        let path = bin.join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}")).expect("a file can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be run");
    }
}
