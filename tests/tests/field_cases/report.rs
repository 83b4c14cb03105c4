//! Reports, replays and exports: what is best, what diverged, numbers as they are printed.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::{Ended, Env, Sweep, printed_commands, results};

use crate::env;

/// MNIST, cut to what trains in a moment.
const DATA: &str = "[dataset]\nname = \"mnist\"\ntrain = 600\nvalid = 300\n";

/// Runs a sweep to its end as a person sees it; gives its report's folder too.
#[track_caller]
fn run(env: &Env, name: &str, rest: &str) -> (Ended, PathBuf) {
    env.write("sweep.toml", format!("name = \"{name}\"\n{DATA}{rest}"));
    let ended = env.coordinator(&["--sweep", "sweep.toml", "--listen", "127.0.0.1:0"]).expect(0);
    (ended, env.path("reports").join(name))
}

fn page(report: &Path) -> String {
    fs::read_to_string(report.join("report.md")).expect("a report")
}

fn manifest(report: &Path) -> serde_json::Value {
    let text = fs::read_to_string(report.join("manifest.json")).expect("a manifest");
    serde_json::from_str(&text).expect("JSON")
}

/// autonomio/talos#319, pandas-dev/pandas#3729: a network without hidden layers left an empty cell,
/// and groups by that column lost its rows. It is `none` in tables, pages, names and exports.
#[test]
fn a_network_without_hidden_layers_has_a_name() {
    let env = env();
    let sweep = "[train]\nepochs = 1\n[[grid]]\noptimizer = [\"sgd\", \"backtracking\"]\n\
                 learning_rate = [0.1]\nbatch_size = [32]\nhidden = [[], [16]]\n[seeds]\nn = 2\n";
    let (ended, report) = run(&env, "no-hidden-layer", sweep);
    let rows = results(&report);
    let of = |hidden: &str| rows.iter().filter(|row| row["hidden"] == hidden).count();
    assert_eq!((of("none"), of("16"), rows.len()), (4, 4, 8));
    assert!(rows.iter().filter(|row| row["hidden"] == "none").all(|row| row["depth"] == "0"));
    let text = page(&report);
    assert!(text.contains("hidden none.**") && !text.contains("hidden.**"), "{text}");
    assert!(ended.stdout_text().contains("hidden none"), "{}", ended.stdout_text());
    env.coordinator(&["verify", "reports/no-hidden-layer"]).expect(0);
    let id = &rows.iter().find(|row| row["hidden"] == "none").expect("a row")["trial_id"];
    let replayed = env.coordinator(&["replay", "reports/no-hidden-layer", id]).expect(0);
    assert!(replayed.stdout_text().contains(" b32 none seed 1"), "{}", replayed.stdout_text());
    let line = ["export", "reports/no-hidden-layer", "--format", "optuna", "--to", "study.log"];
    env.coordinator(&line).expect(0);
    let study = fs::read_to_string(env.path("study.log")).expect("a journal");
    // JSON within JSON.
    assert!(study.contains("\\\"choices\\\":[\\\"none\\\",\\\"16\\\"]"), "{study}");
}

/// ray-project/ray#8689, tracel-ai/burn#2113: small numbers showed as zeros, or in another form
/// here than there. Terminal, plan, page and errors print the same text.
#[test]
fn a_small_number_reads_the_same_everywhere() {
    let env = env();
    let sweep = "[train]\nepochs = 1\n[[grid]]\noptimizer = [\"adam\"]\n\
                 learning_rate = [1e-6, 1e-7]\nbatch_size = [32]\nhidden = [[16]]\n\
                 eps = [1e-8, 1e-10]\nweight_decay = [1e-6]\n[seeds]\nn = 1\n";
    let (ended, report) = run(&env, "small-numbers", sweep);
    let plan = env.coordinator(&["plan", "sweep.toml"]).expect(0);
    let folder = "reports/small-numbers";
    let status = env.coordinator(&["status", folder]).expect(0);
    let replayed = env.coordinator(&["replay", folder, "best"]).expect(0);
    let texts = [
        ("summary", ended.stdout_text()),
        ("progress", ended.stderr_text()),
        ("plan", plan.stdout_text()),
        ("status", status.stdout_text()),
        ("replay", replayed.stdout_text()),
        ("report", page(&report)),
    ];
    for (what, text) in texts {
        assert!(text.contains("1e-") || what == "progress", "{what}: {text}");
        assert!(!text.contains("0.00000"), "{what}: {text}");
    }
}

const SOME_DIVERGE: &str = "[train]\nepochs = 1\n\
    [[grid]]\noptimizer = [\"sgd\", \"adam\"]\nlearning_rate = [1e20]\nbatch_size = [32]\nhidden = [[16]]\n\
    [[grid]]\noptimizer = [\"backtracking\"]\nlearning_rate = [0.1]\nbatch_size = [32]\nhidden = [[16]]\n\
    [seeds]\nn = 3\n[confirm]\nseeds = 2\n";

/// keras-team/keras-tuner#656, #356: trials that diverged were ranked, and could be the best.
/// Chance is no result: words stand in its place, and nothing of it is trained again.
#[test]
fn what_diverged_is_never_the_best() {
    let env = env();
    let (ended, report) = run(&env, "some-diverge", SOME_DIVERGE);
    let rows = results(&report);
    let outcome = |optimizer: &str, outcome: &str| {
        let of = rows.iter().filter(|row| row["optimizer"] == optimizer);
        of.filter(|row| row["outcome"] == outcome).count()
    };
    assert_eq!(outcome("sgd", "diverged"), 3, "and no confirm trial");
    assert_eq!(outcome("backtracking", "completed"), 3 + 2);
    let summary = ended.stdout_text();
    let line = summary.lines().find(|line| line.starts_with(" sgd")).expect("a row of sgd");
    assert!(line.contains("all 3 diverged") && !line.contains('%'), "{summary}");
    let best = manifest(&report)["best_trial_id"].as_str().expect("a best trial").to_owned();
    let row = rows.iter().find(|row| row["trial_id"] == best).expect("its row");
    assert_eq!(row["optimizer"], "backtracking");
    env.coordinator(&["verify", "reports/some-diverge"]).expect(0);
}

/// What is the best is the same everywhere: status and stream go by the metric of the report.
#[test]
fn the_best_single_trial_is_so_by_the_metric_of_the_report() {
    let env = env();
    let rest = "[train]\nepochs = 2\n[[grid]]\noptimizer = [\"sgd\"]\n\
                learning_rate = [0.01, 0.1, 0.5, 1.0]\nbatch_size = [8]\nhidden = [[16]]\n\
                [seeds]\nn = 1\n[report]\nmetric = \"valid_loss\"\n";
    let (_, report) = run(&env, "by-loss", rest);
    let rows = results(&report);
    let best = manifest(&report)["best_trial_id"].as_str().expect("a best trial").to_owned();
    let row = rows.iter().find(|row| row["trial_id"] == best).expect("its row");
    let status = env.coordinator(&["status", "reports/by-loss"]).expect(0).stdout_text();
    let line = status.lines().find(|line| line.starts_with("best single trial")).expect("a best");
    let loss: f64 = row["best_valid_loss"].parse().expect("a loss");
    assert!(line.contains(&format!("validation loss {loss:.4} with ")), "{line}: {row:?}");
}

/// As above, where nothing else trained.
#[test]
fn where_all_diverged_there_is_no_best() {
    let env = env();
    let sweep = "[train]\nepochs = 1\n[[grid]]\noptimizer = [\"sgd\"]\n\
                 learning_rate = [1e30, 1e20]\nbatch_size = [32]\nhidden = [[16]]\n\
                 [seeds]\nn = 3\n[confirm]\nseeds = 10\n";
    let (ended, report) = run(&env, "all-diverge", sweep);
    assert_eq!(results(&report).len(), 6, "nothing to confirm");
    assert!(manifest(&report)["best_trial_id"].is_null());
    let summary = ended.stdout_text();
    let line = summary.lines().find(|line| line.starts_with(" sgd")).expect("a row of sgd");
    assert!(line.contains("all 6 diverged") && !line.contains('%'), "{summary}");
    let text = page(&report);
    assert!(text.contains("**No configuration trained**: 6 of 6 trials diverged"), "{text}");
    let refused = env.coordinator(&["replay", "reports/all-diverge", "best"]).expect(2);
    let said = refused.stderr_text();
    assert!(said.contains("there is no best trial: all 6 diverged; name a trial by"), "{said}");
    env.coordinator(&["verify", "reports/all-diverge"]).expect(0);
    for format in ["optuna", "tensorboard"] {
        env.coordinator(&["export", "reports/all-diverge", "--format", format]).expect(0);
    }
}

/// A folder's name may be any bytes: the report of a finished sweep must be written there.
#[test]
fn a_report_goes_to_a_folder_whose_name_is_no_text() {
    let env = env();
    let sweep = "[train]\nepochs = 1\n[[grid]]\noptimizer = [\"sgd\"]\nlearning_rate = [0.1]\n\
                 batch_size = [32]\nhidden = [[16]]\n[seeds]\nn = 1\n";
    let file = env.write("sweep.toml", format!("name = \"odd\"\n{DATA}{sweep}"));
    let folder = env.path(OsStr::from_bytes(b"r\xe9sultats"));
    let run = |output: &str| {
        let mut command = Command::new(std::env!("CARGO_BIN_EXE_e2e-coordinator"));
        command.args(["--listen", "127.0.0.1:0", "--output", output, "--sweep"]).arg(&file);
        let ended = command.arg("--out").arg(&folder).output().expect("it runs");
        let (out, err) = (ended.stdout, ended.stderr);
        let (out, err) = (String::from_utf8_lossy(&out), String::from_utf8_lossy(&err));
        assert!(ended.status.success(), "{out}\n{err}");
        out.into_owned()
    };
    assert!(run("human").contains("results sha256: "));
    assert_eq!(results(&folder.join("odd")).len(), 1);
    assert!(run("json").contains("\"event\":\"finished\""), "again, as a program hears it");
    let text = page(&folder.join("odd"));
    let printed = printed_commands(&text);
    assert_eq!(printed.len(), 2, "the sweep and one row: {text}");
    for command in &printed {
        env.paste(command).expect(0);
    }
}

/// A name that begins with a dash is a flag to most programs: a report goes there all the same, and the
/// page's commands name it in a way that no program takes for a flag.
#[test]
fn a_report_goes_to_a_folder_whose_name_begins_with_a_dash() {
    let env = env();
    let sweep = "[train]\nepochs = 1\n[[grid]]\noptimizer = [\"sgd\"]\nlearning_rate = [0.1]\n\
                 batch_size = [32]\nhidden = [[16]]\n[seeds]\nn = 1\n";
    env.write("sweep.toml", format!("name = \"dash\"\n{DATA}{sweep}"));
    let line = ["--sweep", "sweep.toml", "--listen", "127.0.0.1:0", "--out=-o"];
    env.coordinator(&line).expect(0);
    let page = page(&env.path("-o/dash"));
    let printed = printed_commands(&page);
    let replay = printed.iter().find(|it| it.contains(" replay ")).expect("a command");
    assert!(replay.starts_with("coordinator replay ./-o/dash "), "{replay}");
    env.paste(replay).expect(0);
    // Nobody could read what it found.
    let said = env.paste(&format!("{replay} > /dev/full")).expect(1).stderr_text();
    assert!(said.contains("cannot write to standard output"), "{said}");
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
    let printed = printed_commands(&page);
    assert_eq!(printed.len(), 2, "the sweep and one row: {page}");
    for command in &printed {
        env.paste(command).expect(0);
    }
    let verified = || env.coordinator(&["verify", "all reports/short"]).expect(0);
    verified();

    // From the cache of its workers, once the files are gone.
    fs::rename(env.path("data"), env.path("moved")).expect("it can be moved");
    env.coordinator(&["replay", "all reports/short", "best"]).expect(0);
    fs::remove_dir_all(report.join(".state")).expect("it can be removed");
    let refused = env.coordinator(&["replay", "all reports/short", "best"]).expect(1).stderr_text();
    for part in
        ["--data DIR", "cannot be opened: No such file", "/datasets/", "sweep.toml is a record"]
    {
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
