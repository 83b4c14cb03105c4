//! What programs, pages and errors print as commands, pasted into a shell as it stands there, with
//! paths that no shell takes as they are.

use std::fs;
use std::path::PathBuf;

use e2e::{Coordinator, Ended, Env, Sweep, ctrl_c, eventually, printed_commands, results};

use crate::env;

/// Long enough to be stopped in the middle.
const SWEEP: Sweep = Sweep { name: "pasted", ..Sweep::LONG };

const SHORT: Sweep = Sweep { name: "pasted", ..Sweep::SHORT };

/// As a person writes them for a shell: spaces in a row, both quotes, a backtick, a variable.
const FILE: &str = r#""it's mine/a  sweep.toml""#;
const OUT: &str = r#"'all "the" `reports` of $HOME'"#;
const STATE: &str = r#""-the state's""#;

struct Place {
    env: Env,
    report: PathBuf,
}

impl Place {
    fn new(sweep: &Sweep) -> Self {
        let env = env();
        fs::create_dir(env.path("it's mine")).expect("a folder can be made");
        let text = sweep.to_toml().replace("path = \"data\"", "path = \"../data\"");
        env.write("it's mine/a  sweep.toml", text);
        let report = env.path(r#"all "the" `reports` of $HOME"#).join(sweep.name);
        Self { env, report }
    }

    /// One whose sweep is over.
    fn finished() -> Self {
        let place = Self::new(&SHORT);
        place.run(&format!("coordinator --sweep {FILE} --out {OUT}"), 0);
        place
    }

    #[track_caller]
    fn run(&self, command: &str, code: i32) -> Ended {
        self.env.paste(command).expect(code)
    }

    /// The commands that a command prints as it ends with this exit code.
    #[track_caller]
    fn told(&self, command: &str, code: i32) -> Vec<String> {
        commands_of(&self.run(command, code))
    }

    /// The commands of a page, in both of its forms.
    #[track_caller]
    fn on_page(&self, name: &str) -> Vec<String> {
        let read = |name| fs::read_to_string(self.report.join(name)).expect("a page");
        let commands = printed_commands(&read(format!("{name}.md")));
        let html = read(format!("{name}.html"));
        for command in &commands {
            let code = command.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let is_there = [code.clone(), code.replace('"', "&quot;")]
                .iter()
                .any(|code| html.contains(&format!("<code>{code}</code>")));
            assert!(is_there, "not in {name}.html: {command}");
        }
        commands
    }
}

fn commands_of(ended: &Ended) -> Vec<String> {
    printed_commands(&format!("{}\n{}", ended.stdout_text(), ended.stderr_text()))
}

/// The only command.
#[track_caller]
fn one(commands: Vec<String>) -> String {
    let [command] = commands.as_slice() else { panic!("one command: {commands:#?}") };
    command.clone()
}

#[track_caller]
fn assert_equal(ended: &Ended) {
    let told = ended.stdout_text();
    assert!(told.contains("equal to the recorded one"), "{told}");
}

fn wait_for_a_trial(place: &Place, status: &str, more_than: usize) -> usize {
    eventually("a recorded trial", || {
        let told = place.env.paste(status).stdout_text();
        let line = told.lines().find_map(|line| line.trim().strip_prefix("completed "))?;
        line.trim().parse().ok().filter(|n| *n > more_than)
    })
}

fn wait_until_it_listens(coordinator: &Coordinator) {
    coordinator.url();
}

/// A stop in good order and one at once, each with its command; the pages before and after.
#[test]
fn what_a_stopped_run_prints_goes_on() {
    let place = Place::new(&SWEEP);
    let flags = format!("--out {OUT} --state={STATE} --local-slots 1 --yes");
    let first = place.env.start_pasted(&format!("coordinator --sweep {FILE} {flags} --fresh"));
    wait_until_it_listens(&first);
    let status = format!("coordinator status {OUT}/pasted --state={STATE}");
    let n_done = wait_for_a_trial(&place, &status, 0);
    first.signal(ctrl_c());
    let goes_on = one(commands_of(&first.wait().expect(130)));
    assert!(!goes_on.contains("--fresh"), "{goes_on}");

    let [again, replay] = &place.on_page("partial/report")[..] else { panic!("two commands") };
    assert_equal(&place.run(replay, 0));
    assert!(again.contains("--state"), "{again}");

    let second = place.env.start_pasted(&goes_on);
    wait_until_it_listens(&second);
    wait_for_a_trial(&place, &status, n_done);
    let workers = second.local_workers();
    for &pid in &workers {
        e2e::send(pid, e2e::Signal::STOP);
    }
    second.signal(ctrl_c());
    second.wait_for_stopping();
    second.signal(ctrl_c());
    // Its workers hold its output until they are let go.
    let told = second.in_stderr("how to go on", |lines| {
        lines.iter().find(|line| line.starts_with("stopped at once")).cloned()
    });
    second.wait_for_exit(130);
    for &pid in &workers {
        e2e::send_if_there(pid, e2e::Signal::CONT);
    }
    assert_eq!(one(printed_commands(&told)), goes_on);

    // The page's own command goes on as well; the other one then finds nothing to do.
    let ended = place.run(again, 0);
    assert!(ended.stdout_text().contains("results sha256: "), "{ended:#?}");
    place.run(&goes_on, 0);
    assert_eq!(results(&place.report).len(), SWEEP.n_trials());
    let [again, replay] = &place.on_page("report")[..] else { panic!("two commands") };
    assert_equal(&place.run(replay, 0));
    place.run(again, 0);
}

/// For workers on this machine and on others, where only a listener knows its address.
#[test]
fn the_command_that_starts_a_worker_starts_one() {
    let place = Place::new(&SHORT);
    let open = "--listen 0.0.0.0:0 --insecure-plaintext --local-workers 0";
    let line = format!("coordinator --sweep {FILE} --out {OUT} {open}");
    let coordinator = place.env.start_pasted(&line);
    let find = |words: &'static str| {
        let told = coordinator
            .in_stderr(words, |lines| lines.iter().find(|line| line.contains(words)).cloned());
        one(printed_commands(&told))
    };
    let elsewhere = find("on another machine: ");
    let lonely = find("no worker; start one with: ");
    assert_eq!(elsewhere, lonely);
    place.env.start_pasted_worker(&lonely).wait().expect(0);
    coordinator.wait().expect(0);
    assert_eq!(results(&place.report).len(), SHORT.n_trials());
}

/// A file, a folder or a verb in the wrong place.
#[test]
fn what_a_hint_means_runs() {
    let place = Place::finished();
    for line in
        [format!("coordinator {FILE} --out {OUT}"), format!("coordinator run {FILE} --out {OUT}")]
    {
        let [run, plan] = &place.told(&line, 2)[..] else { panic!("two commands: {line}") };
        assert!(place.run(run, 0).stdout_text().contains("results sha256: "), "{run}");
        assert!(place.run(plan, 0).stdout_text().contains("16 trials"), "{plan}");
    }
    let line = format!("coordinator --out {OUT} {FILE}");
    let told = place.run(&line, 2).stderr_text();
    let flag = told.split('`').nth(1).filter(|it| it.starts_with("--sweep ")).expect(&told);
    place.run(&format!("coordinator --out {OUT} {flag}"), 0);

    let [status, report] = &place.told(&format!("coordinator {OUT}/pasted"), 2)[..] else {
        panic!("two commands")
    };
    assert!(place.run(status, 0).stdout_text().contains("16 of 16 trials done"), "{status}");
    assert!(place.run(report, 0).stdout_text().contains("results sha256: "), "{report}");
    let status = one(place.told(&format!("coordinator --sweep {OUT}/pasted"), 2));
    place.run(&status, 0);

    // In capitals, what only the reader knows.
    let run = one(place.told("coordinator nothing.toml", 2));
    place.run(&run.replace("FILE", &format!("{FILE} --out {OUT}")), 0);
}

/// What an error says is to be done can be done as it is said.
#[test]
fn what_an_error_says_helps() {
    let place = Place::finished();
    let run = format!("coordinator --sweep {FILE} --out {OUT}");

    // Nobody could read what the run told.
    let goes_on = one(place.told(&format!("{run} --output json > /dev/full"), 1));
    assert!(place.run(&goes_on, 0).stdout_text().contains("\"finished\""), "{goes_on}");

    // A flag that needs another; the answer to a question that nobody can ask.
    let told = place.run(&format!("{run} --fresh"), 2).stderr_text();
    assert!(told.contains("add --yes to say"), "{told}");
    place.run(&format!("{run} --fresh --yes"), 0);
    assert!(place.report.join(".state-1").exists());
    let told = place.run(&format!("{run} --listen 0.0.0.0:0"), 2).stderr_text();
    assert!(told.contains("add --insecure-plaintext on"), "{told}");
    place.run(&format!("{run} --listen 0.0.0.0:0 --insecure-plaintext"), 0);

    // A report that cannot be written: something of the user's stands in its place.
    let page = place.report.join("report.md");
    fs::remove_file(&page).expect("it can be removed");
    fs::create_dir_all(page.join("notes")).expect("a folder can be made");
    let report = one(place.told(&run, 1));
    fs::remove_dir_all(&page).expect("it can be removed");
    assert!(place.run(&report, 0).stdout_text().contains("results sha256: "), "{report}");
    assert!(page.is_file());
}

#[test]
fn what_an_export_and_a_damaged_record_say_runs() {
    let place = Place::finished();
    let export = format!("coordinator export {OUT}/pasted --format tensorboard");
    let look = one(place.told(&export, 0));
    place.run(&look, 0);
    let told = place.run(&export, 2).stderr_text();
    assert!(told.contains("replace it with --force"), "{told}");
    place.run(&format!("{export} --force"), 0);
    let look = one(place.told(&format!("{export} --to=\"-a  folder\""), 0));
    place.run(&look, 0);

    // A database with a damaged page: what is readable is saved, where there is a shell of SQLite.
    let run = format!("coordinator --sweep {FILE} --out {OUT}");
    let database = place.report.join(".state/sweep.db");
    let mut bytes = fs::read(&database).expect("a database");
    bytes[4096 + 8..8192].fill(0xff);
    fs::write(&database, bytes).expect("it can be written");
    let recover = one(place.told(&run, 1));
    match place.env.paste("sqlite3 --version").code {
        0 => {
            place.run(&recover, 0);
            assert!(place.report.join(".state/sweep.saved.db").exists(), "{recover}");
        }
        _ => eprintln!("skipped: no sqlite3 to paste {recover} for"),
    }

    // Without the state the report's files are all there is, and one of them was changed.
    fs::remove_dir_all(place.report.join(".state")).expect("it can be removed");
    let csv = place.report.join("results.csv");
    let text = fs::read_to_string(&csv).expect("results");
    let [header, row, ..] = &text.lines().collect::<Vec<_>>()[..] else { panic!("rows: {text}") };
    let steps = header.split(',').position(|name| name == "n_steps").expect("a column");
    let mut cells: Vec<&str> = row.split(',').collect();
    cells[steps] = "1";
    fs::write(&csv, text.replace(row, &cells.join(","))).expect("it can be written");
    let verify = one(place.told(&format!("{export} --force"), 1));
    place.run(&verify, 1);
}
