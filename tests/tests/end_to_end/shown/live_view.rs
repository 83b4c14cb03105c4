//! The live view on a terminal: what its screen shows, at several sizes and while it is resized.

use e2e::{Env, Signal, Sweep, Terminal, ctrl_c, eventually};

use crate::env;

fn start(
    env: &Env,
    sweep: &Sweep,
    columns: u16,
    rows: u16,
    variables: &[(&str, &str)],
) -> Terminal {
    let file = format!("{}.toml", sweep.name);
    env.write(&file, sweep.to_toml());
    let arguments = ["--sweep", &file, "--listen", "127.0.0.1:0", "--local-slots", "2"];
    env.start_in_terminal(&arguments, columns, rows, variables)
}

/// The rows of running trials that a screen shows.
fn rows_of_trials(screen: &[String]) -> usize {
    screen.iter().filter(|line| line.contains(" epochs  ")).count()
}

fn is_whole(screen: &[String]) -> bool {
    let n_sweeps = screen.iter().filter(|line| line.contains(" trials  ")).count();
    let counts = screen.iter().find(|line| line.contains(" running, "));
    let n_running = counts.and_then(|line| line.trim().split(' ').next()?.parse().ok());
    n_sweeps == 1 && n_running.is_some_and(|n: usize| n > 0 && n == rows_of_trials(screen))
}

/// One sweep line and, below it, as many trials as it says are running.
#[track_caller]
fn assert_whole(screen: &[String]) {
    let sweeps = screen.iter().filter(|line| line.contains(" trials  ")).count();
    assert_eq!(sweeps, 1, "one frame and no dead one: {screen:#?}");
    let counts = screen.iter().find(|line| line.contains(" running, ")).expect("counts");
    let n_running: usize =
        counts.trim().split(' ').next().expect("a word").parse().expect("a number");
    assert_eq!(rows_of_trials(screen), n_running, "{screen:#?}");
}

fn wait_for_trials(terminal: &Terminal) -> Vec<String> {
    eventually("rows of running trials", || {
        let screen = terminal.screen();
        (rows_of_trials(&screen) > 0).then_some(screen)
    })
}

#[test]
fn a_frame_is_whole_at_every_size_and_after_a_resize() {
    let env = env();
    let mut terminal = start(&env, &Sweep::ENDLESS, 80, 24, &[]);
    assert_whole(&wait_for_trials(&terminal));
    for (columns, rows) in [(200, 50), (120, 35), (80, 24), (40, 24), (80, 10), (200, 50)] {
        terminal.resize(columns, rows);
        // A dead frame stays for good, so that waiting hides none.
        eventually("one frame of this size and no dead one", || {
            let screen = terminal.screen();
            let are_labels_whole = columns < 200 || !screen.concat().contains('…');
            (is_whole(&screen) && are_labels_whole).then_some(())
        });
    }
    terminal.signal(ctrl_c());
    assert_eq!(terminal.wait(), 130);
}

/// The local worker's own lines appear above the frame.
#[test]
fn words_of_a_local_worker_tear_no_frame() {
    let env = env();
    let mut terminal = start(&env, &Sweep::ENDLESS, 100, 40, &[("RUST_LOG", "info")]);
    eventually("a word of the worker and a frame", || {
        let screen = terminal.screen();
        let said = screen.iter().any(|line| line.starts_with("local-0: "));
        (said && rows_of_trials(&screen) > 0).then_some(())
    });
    assert_whole(&terminal.screen());
    terminal.signal(Signal::TERM);
    assert_eq!(terminal.wait(), 130);
}

#[test]
fn the_end_leaves_the_summary_alone_and_breaks_no_number() {
    let env = env();
    let mut terminal = start(&env, &Sweep::SHORT, 80, 50, &[]);
    assert_eq!(terminal.wait(), 0);
    let screen = terminal.screen();
    let text = screen.join("\n");
    assert!(!text.contains('━') && !text.contains('─'), "{text}");
    assert!(text.contains("report.html"), "{text}");
    // The names of two optimizers with all their axes leave no room for six columns.
    for name in [" valid accuracy ", " test "] {
        let values = screen.iter().filter_map(|line| line.strip_prefix(name)).map(str::trim);
        let numbers = values.map(|value| value.strip_suffix(" %")?.parse::<f64>().ok());
        let numbers: Option<Vec<f64>> = numbers.collect();
        assert_eq!(numbers.as_ref().map(Vec::len), Some(2), "{text}");
    }
}
