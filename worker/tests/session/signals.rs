//! Signals of schedulers, service managers and people.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command};

use super::fake::Fake;
use super::program::{serve, wait_for, worker};
use super::{ENDLESS, n_epochs_told};

fn send(child: &Child, name: &str) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
}

/// A worker in an endless trial is sent these signals, and others once it was heard to stop; gives its exit
/// code and what it said. Of several that wait for a process, any may be heard first.
fn end_by(at_once: &[&str], once_heard: &[&str]) -> (Option<i32>, String, Fake) {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    let server = serve(&fake, ENDLESS);
    let mut child = worker(&server.url(), cache.path()).spawn().unwrap();
    fake.wait_until("an epoch", |state| n_epochs_told(state, 1) > 0);
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    at_once.iter().for_each(|signal| send(&child, signal));
    let mut text = String::new();
    while !text.contains("stopping in good order") {
        assert_ne!(stderr.read_line(&mut text).unwrap(), 0, "{text}");
    }
    once_heard.iter().for_each(|signal| send(&child, signal));
    let code = wait_for(child).code();
    stderr.read_to_string(&mut text).unwrap();
    (code, text, fake)
}

#[test]
fn what_a_scheduler_sends_ahead_of_a_limit_drains() {
    for signals in [&["-USR1"][..], &["-USR2", "-USR2"], &["-XCPU", "-XCPU", "-TERM"]] {
        let (code, text, fake) = end_by(&signals[..1], &signals[1..]);
        assert_eq!(code, Some(0), "{signals:?}: {text}");
        assert!(
            text.contains(&format!("SIG{}: stopping in good order", &signals[0][1..])),
            "{text}"
        );
        assert_eq!(fake.state().trials[&1].granted_in, None, "handed back after {signals:?}");
    }
}

/// A process that was stopped hears each kind once, and all of them close together.
#[test]
fn signals_of_several_kinds_at_once_are_one_request() {
    let (code, text, _) = end_by(&["-STOP", "-TERM", "-HUP", "-INT", "-CONT"], &[]);
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn a_second_signal_stops_at_once_and_says_what_is_left() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    let server = serve(&fake, ENDLESS);
    let mut child = worker(&server.url(), cache.path()).spawn().unwrap();
    fake.wait_until("an epoch", |state| n_epochs_told(state, 1) > 0);
    // Nobody can be told, so it would drain for a while.
    fake.state().is_silent = true;
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    send(&child, "-INT");
    lines.find(|line| line.contains("SIGINT: stopping in good order")).expect("a word");
    send(&child, "-INT");
    let line = lines.find(|line| line.contains("stopped at once by SIGINT")).expect("a word");
    assert!(line.contains("every outcome was handed in"), "{line}");
    assert_eq!(wait_for(child).code(), Some(1));
    fake.state().is_silent = false;
}
