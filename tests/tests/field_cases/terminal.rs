//! Terminals, logs and streams: colours, widths, a reader that is gone.

use std::process::Command;

use crate::env;

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
