//! Terminals, colours and pipes.

use std::process::Command;

use e2e::{Sweep, eventually};

use crate::env;

/// Whether a text holds a colour; the live view moves the cursor, which is another sequence.
fn has_color(text: &str) -> bool {
    text.split("\u{1b}[").skip(1).any(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != ';');
        end.is_some_and(|end| rest[end..].starts_with('m'))
    })
}

/// ekzhang/bore#65: the log of a program on a terminal is coloured although `NO_COLOR` is set.
#[test]
fn no_color_means_no_color() {
    let env = env();
    env.write("endless.toml", Sweep::ENDLESS.to_toml());
    let run = ["--sweep", "endless.toml", "--listen", "127.0.0.1:0", "--time-limit", "2s", "-v"];
    let written = |variables: &[(&str, &str)]| {
        let mut terminal = env.start_in_terminal(&run, 80, 24, variables);
        terminal.wait();
        terminal.written()
    };
    assert!(has_color(&written(&[])), "colours are there where they may be");
    assert!(!has_color(&written(&[("NO_COLOR", "1")])));
}

/// ekzhang/bore#65, for the worker.
#[test]
fn no_color_means_no_color_in_a_worker() {
    let env = env();
    let mut terminal = env.start_worker_in_terminal(&[("NO_COLOR", "1"), ("RUST_LOG", "info")]);
    eventually("a line of the log", || terminal.written().contains("coordinator").then_some(()));
    assert!(!has_color(&terminal.written()), "{}", terminal.written());
    terminal.signal(e2e::Signal::TERM);
    terminal.wait();
}

/// astral-sh/uv#11560: a terminal that knows no sequences (`TERM=dumb`) gets them all the same.
#[test]
fn a_dumb_terminal_gets_plain_lines() {
    let env = env();
    env.write("short.toml", Sweep::SHORT.to_toml());
    let run = ["--sweep", "short.toml", "--listen", "127.0.0.1:0"];
    let mut terminal = env.start_in_terminal(&run, 80, 24, &[("TERM", "dumb")]);
    assert_eq!(terminal.wait(), 0);
    let written = terminal.written();
    assert!(!written.contains('\u{1b}'), "{written}");
    assert!(written.contains("16 trials") && written.contains("results sha256"), "{written}");
}

/// astral-sh/uv#11560, for the worker.
#[test]
fn a_dumb_terminal_gets_plain_lines_of_a_worker() {
    let env = env();
    let mut terminal = env.start_worker_in_terminal(&[("TERM", "dumb"), ("RUST_LOG", "info")]);
    eventually("a line of the log", || terminal.written().contains("coordinator").then_some(()));
    assert!(!terminal.written().contains('\u{1b}'), "{}", terminal.written());
    terminal.signal(e2e::Signal::TERM);
    terminal.wait();
}

/// A sweep that is started in the background of a shell is not stopped for touching the terminal.
#[test]
fn a_run_in_the_background_of_a_terminal_goes_on() {
    let env = env();
    env.write("short.toml", Sweep::SHORT.to_toml());
    let run = ["--sweep", "short.toml", "--listen", "127.0.0.1:0"];
    let mut terminal = env.start_in_background_of_terminal(&run);
    assert_eq!(terminal.wait(), 0, "{}", terminal.written());
    assert!(terminal.written().contains("results sha256"), "{}", terminal.written());
}

/// `go-delve/delve#252`, `freckle/blammo#32`: colours where the terminal has none, or its user wants
/// none. A worker's log lines on a terminal of each kind.
#[test]
fn a_worker_s_log_has_colours_only_where_they_are_wanted() {
    let env = env();
    let worker = std::env!("CARGO_BIN_EXE_e2e-worker");
    let cache = env.path("cache");
    let command = format!(
        "{worker} --coordinator 127.0.0.1:1 --lost-after 100ms --slots 1 --cache-dir {}",
        cache.display()
    );
    let on_terminal = |variable: (&str, &str)| {
        let mut script = Command::new("script");
        script.args(["-qec", &command, "/dev/null"]).env_remove("RUST_LOG");
        let output = script.env("TERM", "xterm").env_remove("NO_COLOR").env(variable.0, variable.1);
        let text = String::from_utf8_lossy(&output.output().ok()?.stdout).into_owned();
        assert!(text.contains("127.0.0.1:1"), "{text}");
        Some(text.contains('\u{1b}'))
    };
    let Some(usual) = on_terminal(("TERM", "xterm")) else {
        return eprintln!("left out: `script` makes a terminal, and is not here");
    };
    assert!(usual, "a terminal with colours");
    assert_eq!(on_terminal(("TERM", "dumb")), Some(false));
    assert_eq!(on_terminal(("NO_COLOR", "1")), Some(false));
    assert_eq!(on_terminal(("NO_COLOR", "")), Some(true), "set to nothing is not set");
}
