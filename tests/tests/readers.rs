//! What we write is read by the tools it is for: TensorBoard, Optuna, safetensors, a notebook. Needs
//! `SWEEP_PYTHON`, a Python with `tests/readers/requirements.txt`; `tests/readers.sh` makes one.

#[path = "readers/weights.rs"]
mod weights;

use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::{Env, Programs, ctrl_c};

/// Two seeds a point, so that there is something to aggregate; the step of 1e30 diverges.
const SWEEP: &str = r#"
name = "readers"
description = "Read by other tools"

[dataset]
name = "mnist"
train = 2_000
valid = 500

[model]
widths = [32, 16]

[train]
epochs = 3

[[grid]]
optimizer = ["sgd", "backtracking"]
learning_rate = [0.02, 0.2]
batch_size = [16, 50]
depth = [1, 2]

[[grid]]
optimizer = ["sgd"]
learning_rate = [1e30]
batch_size = [16]
depth = [1]

[seeds]
n = 2

[confirm]
seeds = 2
"#;

/// Axes beyond the usual ones, of which each optimizer uses its own, a network without hidden layers,
/// the loss as the objective, and cells that are means.
const AXES: &str = r#"
name = "axes"

[dataset]
name = "mnist"
train = 1_000
valid = 500

[train]
epochs = 2

[[grid]]
optimizer = ["momentum", "sgd"]
learning_rate = [0.02, 0.1]
batch_size = [20]
hidden = [[], [16], [12, 10]]
momentum = [0.5, 0.9]
weight_decay = [0.0, 1e-6]

[seeds]
n = 2

[report]
metric = "valid_loss"
heatmaps = [
    { x = "momentum", y = "hidden", cell = "mean" },
    { x = "weight_decay", y = "learning_rate" },
    { x = "optimizer", y = "hidden" },
]
"#;

/// Axes that every optimizer uses, others that one does, a confirmed best point, early stops, and
/// Axes of regularization, some of one optimizer alone, with early stops and a confirmed best point. The
/// file asks for no figure.
const REGULARIZED: &str = r#"
name = "regularized"

[dataset]
name = "mnist"
train = 1_000
valid = 500

[model]
widths = [16]

[train]
epochs = 3
patience = 1

[[grid]]
optimizer = ["sgd", "adamw"]
dropout = [0.0, 0.3]
label_smoothing = [0.0, 0.1]
weight_decay = [0.0, 1e-3]
learning_rate = [0.01]
batch_size = [20]
depth = [1]

[[grid]]
optimizer = ["adamw"]
learning_rate = [0.003]
batch_size = [20]
depth = [1]
beta2 = [0.99, 0.9]

[[grid]]
optimizer = ["sgd"]
learning_rate = [0.01]
batch_size = [20]
depth = [1]
decoupled_decay = [0.01, 0.1]

[seeds]
n = 2

[confirm]
seeds = 2
"#;

/// No network has a hidden layer.
const NO_LAYERS: &str = r#"
name = "no-layers"

[dataset]
name = "mnist"
train = 1_000
valid = 500
scale = "standard"

[train]
epochs = 2

[[grid]]
optimizer = ["sgd", "backtracking"]
learning_rate = [0.02, 0.2]
batch_size = [20, 50]
hidden = [[]]

[seeds]
n = 2
"#;

/// Half of the points diverge, and each trial that does not takes long enough to stop the sweep.
const STOPPED: &str = r#"
name = "stopped"

[dataset]
name = "mnist"
train = 1_000
valid = 500

[train]
epochs = 100

[[grid]]
optimizer = ["sgd", "adam"]
learning_rate = [0.01, 1e20]
batch_size = [20]
dropout = [0.0, 0.2]
hidden = [[], [64]]

[[grid.exclude]]
hidden = []
dropout = 0.2

[[grid]]
optimizer = ["momentum"]
learning_rate = [1e20]
batch_size = [20]
hidden = [[], [16]]

[seeds]
n = 3

[confirm]
seeds = 3
"#;

/// Every trial of sgd diverges, and every trial of momentum; backtracking trains.
const SOME_DIVERGE: &str = r#"
name = "some-diverge"

[dataset]
name = "mnist"
train = 600
valid = 300

[train]
epochs = 1

[[grid]]
optimizer = ["sgd", "momentum"]
learning_rate = [1e20, 1e30]
batch_size = [32]
hidden = [[16], [8]]

[[grid]]
optimizer = ["backtracking"]
learning_rate = [0.1, 0.5]
batch_size = [32]
hidden = [[16], [8]]

[seeds]
n = 3

[confirm]
seeds = 3
"#;

/// Nothing trains.
const ALL_DIVERGE: &str = r#"
name = "all-diverge"

[dataset]
name = "mnist"
train = 600
valid = 300

[train]
epochs = 1

[[grid]]
optimizer = ["sgd"]
learning_rate = [1e30, 1e20]
batch_size = [32, 64]
hidden = [[16]]

[seeds]
n = 3
"#;

struct Readers {
    python: String,
    env: Env,
}

impl Readers {
    /// A sweep that was run; `None` without a Python to read it with.
    fn new() -> Option<Self> {
        let Some(python) = std::env::var("SWEEP_PYTHON").ok().filter(|path| !path.is_empty())
        else {
            eprintln!("skipped: SWEEP_PYTHON names no Python; run tests/readers.sh");
            return None;
        };
        let env = Env::new(Programs {
            coordinator: std::env!("CARGO_BIN_EXE_e2e-coordinator"),
            worker: std::env!("CARGO_BIN_EXE_e2e-worker"),
        });
        let readers = Self { python, env };
        readers.run("readers", SWEEP);
        Some(readers)
    }

    /// Runs a sweep; gives its report.
    #[track_caller]
    fn run(&self, name: &str, sweep: &str) -> PathBuf {
        let file = format!("{name}.toml");
        self.env.write(&file, sweep);
        self.env.start_file(&file, &[], &[]).wait().expect(0);
        self.env.path("reports").join(name)
    }

    /// The report so far of a sweep that was stopped: points miss seeds, or all of them.
    fn partial_report(&self) -> PathBuf {
        self.env.write("stopped.toml", STOPPED);
        let coordinator = self.env.start_file("stopped.toml", &["--local-slots", "1"], &[]);
        coordinator.wait_for_trials(5);
        coordinator.signal(ctrl_c());
        coordinator.wait().expect(130);
        self.env.path("reports/stopped/partial")
    }

    /// The reports of sweeps that differ in all that a table of points must get right.
    fn reports(&self) -> Vec<PathBuf> {
        let fresh = [
            ("axes", AXES),
            ("regularized", REGULARIZED),
            ("no-layers", NO_LAYERS),
            ("some-diverge", SOME_DIVERGE),
            ("all-diverge", ALL_DIVERGE),
        ];
        let fresh = fresh.map(|(name, sweep)| self.run(name, sweep));
        let others = [self.report(), repository().join("reports/full")];
        others.into_iter().chain(fresh).collect()
    }

    /// Runs a script of the repository, and gives what it printed.
    #[track_caller]
    fn python(&self, script: &str, arguments: &[&Path]) -> String {
        let mut command = Command::new(&self.python);
        // Thread pools on every core would only slow the other tests down.
        command.env("OMP_NUM_THREADS", "1").env("POLARS_MAX_THREADS", "1");
        command.arg(repository().join(script)).args(arguments);
        let output = command.output().unwrap_or_else(|error| panic!("{}: {error}", self.python));
        let (out, err) = (&output.stdout, &output.stderr);
        let (out, err) = (String::from_utf8_lossy(out), String::from_utf8_lossy(err));
        assert!(output.status.success(), "{script}\n{out}\n{err}");
        println!("{out}");
        out.into_owned()
    }

    fn report(&self) -> PathBuf {
        self.env.path("reports/readers")
    }
}

fn repository() -> PathBuf {
    Path::new(std::env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn tensorboard_and_optuna_show_what_the_results_say() {
    let Some(readers) = Readers::new() else { return };
    let (env, report) = (&readers.env, readers.report());
    for (format, script) in [
        ("tensorboard", "tests/readers/tensorboard_runs.py"),
        ("optuna", "tests/readers/optuna_journal.py"),
    ] {
        let line = ["export", "reports/readers", "--format", format, "--to", format];
        env.coordinator(&line).expect(0);
        readers.python(script, &[&env.path(format), &report]);
    }
    let readme = repository().join("README.md");
    readers.python("tests/readers/optuna_example.py", &[&readme, &env.path("optuna"), &report]);
}

#[test]
fn the_notebook_and_the_report_have_the_same_numbers() {
    let Some(readers) = Readers::new() else { return };
    let notebook = repository().join("reports/explore.ipynb");
    for report in readers.reports().into_iter().chain([readers.partial_report()]) {
        readers.python("tests/readers/notebook.py", &[&notebook, &report]);
    }
}

#[test]
fn the_example_of_the_readme_ranks_points_as_the_report_does() {
    let Some(readers) = Readers::new() else { return };
    let readme = repository().join("README.md");
    for report in readers.reports() {
        readers.python("tests/readers/readme_example.py", &[&readme, &report]);
    }
}
