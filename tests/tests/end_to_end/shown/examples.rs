//! The commands that the README, the sweep files, the scripts and the help texts show, run by a shell
//! as they stand there, over small sweeps of the same names.

use std::fs;
use std::path::Path;

use e2e::{Env, Sweep, example_commands, printed_commands, results};

use crate::env;

/// Four trials.
const SMALL: Sweep = Sweep { learning_rates: "[0.1]", batch_sizes: "[50]", ..Sweep::SHORT };

/// Builds, tests of the tests, and runs of many minutes.
const NOT_RUN: [&str; 6] = [
    "cargo build --release --bin coordinator --bin worker",
    "cargo test --workspace",
    "tests/chaos.sh --seed 1 --kills 60 --minutes 10",
    "SWEEP_SIM_SEEDS=5000 cargo test -p e2e --test simulation",
    "SWEEP_SIM_SEED=123 cargo test -p e2e --test simulation",
    "SWEEP_PROPERTY_SECONDS=600 cargo test --workspace --lib -- result:: convert:: read_back",
];

fn read(name: &str) -> String {
    let path = Path::new(std::env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A folder with the sweep files that the examples name.
fn place() -> Env {
    let env = env();
    fs::create_dir(env.path("sweeps")).expect("a folder can be made");
    for name in ["quick", "full", "mine", "open"] {
        let text =
            Sweep { name, ..SMALL }.to_toml().replace("path = \"data\"", "path = \"../data\"");
        env.write(&format!("sweeps/{name}.toml"), text);
    }
    env
}

/// The commands of a page's blocks for a shell, and those that a comment names for later.
fn commands_of(markdown: &str) -> Vec<String> {
    let blocks = markdown.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("```"));
    let whole_lines = |block: &str| {
        block.split("\\\n").map(str::trim_start).collect::<String>().replace("# then: ", "\n")
    };
    blocks.flat_map(|(block, _)| example_commands(&whole_lines(block))).collect()
}

/// A port of its own in place of the usual one, which may belong to another test.
fn on_any_port(command: &str) -> String {
    command.replace("0.0.0.0:7070", "0.0.0.0:0")
}

#[test]
fn every_command_of_the_readme_runs() {
    let env = place();
    let line = "coordinator --sweep sweeps/open.toml --local-workers 0";
    let open = env.start_pasted(line);
    let mut n_run = 0;
    for command in commands_of(&read("README.md")) {
        if NOT_RUN.contains(&&*command) {
            continue;
        }
        let is_shell_of_sqlite = command.starts_with("sqlite3 ");
        if is_shell_of_sqlite && env.paste("sqlite3 --version").code != 0 {
            eprintln!("skipped: no sqlite3 for {command}");
            continue;
        }
        env.paste(&on_any_port(&command).replace("http://HOST:7070", &open.url())).expect(0);
        n_run += 1;
    }
    assert!(n_run >= 14, "{n_run} commands were run");
    open.wait().expect(0);
    for name in ["quick", "full", "open"] {
        assert_eq!(results(&env.path("reports").join(name)).len(), 4, "{name}");
    }
    for name in ["sweep.schema.json", "best.safetensors", "reports/full/export/optuna.log"] {
        assert!(env.path(name).is_file(), "{name}");
    }
}

#[test]
fn the_examples_of_the_help_texts_and_files_run() {
    let env = place();
    // Its report is there already for those who follow the examples.
    env.paste("coordinator --sweep sweeps/full.toml").expect(0);
    let help = env.coordinator(&["--help"]).expect(0).stdout_text();
    let mut commands = example_commands(&help);
    assert_eq!(commands.len(), 6, "{help}");
    for name in ["sweeps/quick.toml", "sweeps/full.toml"] {
        let own = example_commands(&read(name));
        assert_eq!(own.len(), 1, "{name}");
        commands.extend(own);
    }
    let script = printed_commands(&read("reports/weights.py"));
    assert!(!script.is_empty());
    let save = script.iter().map(|it| it.replace("FOLDER TRIAL", "FOLDER best"));
    let save = save.filter(|it| it.contains("FOLDER"));
    let numbered = save.enumerate().map(|(n, it)| {
        it.replace("FOLDER", "reports/full").replace("FILE", &format!("{n}.safetensors"))
    });
    commands.extend(numbered);
    for command in commands {
        env.paste(&on_any_port(&command)).expect(0);
    }
}
