//! `--fresh` and its question, while others work in the same place.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::{fs, thread};

use e2e::{Sweep, eventually};

use crate::env;

#[test]
fn a_state_that_came_while_the_question_was_open_is_not_set_aside() {
    let env = env();
    env.run(&Sweep::SHORT, &[]);
    // As a coordinator that was killed leaves it.
    let told = r#"[{"worker":"w","text":"its disk is full","since_ms":0}]"#;
    fs::write(env.report(&Sweep::SHORT).join(".state/troubles.json"), told).expect("a file");
    // A terminal for the question; `script` is part of every Debian.
    let line = format!(
        "{} --sweep short.toml --fresh --local-workers 0 --listen 127.0.0.1:0",
        std::env!("CARGO_BIN_EXE_e2e-coordinator")
    );
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).current_dir(env.path("."));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut asking = command.spawn().expect("`script` makes a terminal");
    let mut stdout = asking.stdout.take().expect("a pipe");
    let (told, heard) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(n) = stdout.read(&mut bytes)
            && n > 0
        {
            let _ = told.send(String::from_utf8_lossy(&bytes[..n]).into_owned());
        }
    });
    let mut screen = String::new();
    eventually("the question", || {
        screen.extend(heard.try_iter());
        screen.contains("[y/N]").then_some(())
    });
    let status = env.status(&Sweep::SHORT).text;
    assert!(status.contains(", running") && !status.contains("troubles"), "{status}");
    // Meanwhile the state goes away and another coordinator begins a new one.
    let state = env.report(&Sweep::SHORT).join(".state");
    fs::rename(&state, env.path("moved")).expect("it can be moved");
    let second = env.start(&Sweep::SHORT, &["--local-workers", "0"]);
    second.url();
    asking.stdin.take().expect("a pipe").write_all(b"y\n").expect("it listens");
    let status = eventually("its words and its end", || {
        screen.extend(heard.try_iter());
        let ended = asking.try_wait().expect("a child can be waited for")?;
        screen.contains("moved or replaced").then_some(ended)
    });
    assert_eq!(status.code(), Some(1), "{screen}");
    assert!(!env.report(&Sweep::SHORT).join(".state-1").exists());
    let status = env.status(&Sweep::SHORT).text;
    assert!(status.contains(", running"), "{status}");
    second.kill();
}
