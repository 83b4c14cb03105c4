//! The repository keeps its own rules: short files that say what they are, nothing half done,
//! dependencies in one direction, links and commands that work.

#[path = "tidy/circles.rs"]
mod circles;
#[path = "tidy/functions.rs"]
mod functions;
#[path = "tidy/licences.rs"]
mod licences;
#[path = "tidy/phrases.rs"]
mod phrases;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const MAX_LINES: usize = 400;

/// Lines of a function from `fn` to its closing brace: of the longest, and of 99 in 100.
const MAX_FUNCTION_LINES: usize = 70;
const P99_FUNCTION_LINES: usize = 50;

/// Source files beside each other in a folder; what is more belongs into rooms.
const MAX_LOOSE: usize = 10;

/// In halves, so that this file passes too.
const HALF_DONE: [&str; 5] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("#[", "ignore"),
];

/// Each crate's folder, the crates of ours that it may name, and the outside ones that it must not.
const DIRECTIONS: [(&str, &[&str], &[&str]); 12] = [
    ("proto/trial", &[], &["polars", "prost", "rusqlite", "tokio", "tonic"]),
    ("proto", &["trial"], &["polars", "rusqlite", "tokio"]),
    ("worker/trainer", &["trial"], &["polars", "prost", "rusqlite", "tokio", "tonic"]),
    ("worker", &["faults", "proto", "trainer", "trial"], &["polars", "rusqlite"]),
    ("coordinator/core", &["trial"], &["polars", "prost", "rusqlite", "tokio", "tonic"]),
    ("coordinator/data", &["trainer", "trial"], &["prost", "rusqlite", "tokio", "tonic"]),
    ("coordinator/sweep", &["trial"], &["polars", "prost", "rusqlite", "tokio", "tonic"]),
    ("coordinator/report", &["sweep", "trial"], &["prost", "rusqlite", "tokio", "tonic"]),
    (
        "coordinator",
        &[
            "coordinator-core",
            "data",
            "faults",
            "proto",
            "report",
            "sweep",
            "trainer",
            "trial",
            "worker",
        ],
        &["polars", "polars-io"],
    ),
    ("tests/faults", &[], &["polars", "prost", "rusqlite", "tokio", "tonic"]),
    ("tests/properties", &[], &["polars", "rusqlite", "tokio", "tonic"]),
    ("tests", &["coordinator", "trial", "worker"], &["polars", "rusqlite", "tokio", "tonic"]),
];

fn root() -> PathBuf {
    Path::new(std::env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files of the repository with this ending, but for hidden and generated ones.
fn files(ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder can be read").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_generated = name.starts_with('.') || name == "target" || name == "partial";
            if is_generated {
                continue;
            }
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if name.ends_with(ending) {
                found.push(entry.path());
            }
        }
    }
    assert!(!found.is_empty(), "no {ending} files");
    found.sort();
    found
}

#[track_caller]
fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn source_files_are_short() {
    let count = |path: PathBuf| (read(&path).lines().count(), path);
    let long = files(".rs").into_iter().map(count).filter(|(n_lines, _)| MAX_LINES < *n_lines);
    let long = long.map(|(n_lines, path)| format!("{}: {n_lines} lines", path.display()));
    assert_none("split these", &long.collect::<Vec<_>>());
}

#[test]
fn functions_fit_a_screen() {
    let of_file = |path: PathBuf| lengths(&path.display().to_string(), &read(&path));
    let mut all: Vec<_> = files(".rs").into_iter().flat_map(of_file).collect();
    all.sort_unstable();
    assert_none("split these", &long_ones(&all));
    let (p99, at) = &all[all.len() * 99 / 100];
    assert!(*p99 <= P99_FUNCTION_LINES, "99 in 100 functions have up to {p99} lines, as {at}");
}

#[test]
fn a_function_of_a_line_too_many_is_found() {
    let source = |n_lines| format!("fn made_up() {{\n{}}}\n", "    call();\n".repeat(n_lines - 2));
    assert!(long_ones(&lengths("x.rs", &source(MAX_FUNCTION_LINES))).is_empty());
    let found = long_ones(&lengths("x.rs", &source(MAX_FUNCTION_LINES + 1)));
    assert_eq!(found, [format!("x.rs:1: made_up: {} lines", MAX_FUNCTION_LINES + 1)]);
}

/// The lines of each function, and where it is.
fn lengths(file: &str, source: &str) -> Vec<(usize, String)> {
    let functions = functions::functions(source).into_iter();
    functions.map(|it| (it.n_lines, format!("{file}:{}: {}", it.line, it.name))).collect()
}

fn long_ones(functions: &[(usize, String)]) -> Vec<String> {
    let long = functions.iter().filter(|(n_lines, _)| *n_lines > MAX_FUNCTION_LINES);
    long.map(|(n_lines, at)| format!("{at}: {n_lines} lines")).collect()
}

#[test]
fn folders_hold_few_loose_files() {
    let mut counts: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for path in files(".rs") {
        *counts.entry(path.parent().expect("a file lies in a folder").into()).or_default() += 1;
    }
    let full = counts.into_iter().filter(|(_, n_files)| *n_files > MAX_LOOSE);
    let full = full.map(|(folder, n_files)| format!("{}: {n_files} files", folder.display()));
    assert_none("give these files rooms", &full.collect::<Vec<_>>());
}

#[test]
fn no_file_imports_itself_in_a_circle() {
    let mut found = Vec::new();
    for (folder, ..) in DIRECTIONS {
        for circle in circles::circles(&root().join(folder).join("src")) {
            let names: Vec<String> = circle.iter().map(|file| file.display().to_string()).collect();
            found.push(names.join("\n  "));
        }
    }
    assert_none("open these circles", &found);
}

#[test]
fn source_files_say_what_they_are() {
    let silent = files(".rs").into_iter().filter(|path| !read(path).starts_with("//! "));
    let silent = silent.map(|path| path.display().to_string());
    assert_none("these lack their first line", &silent.collect::<Vec<_>>());
}

#[test]
fn nothing_is_half_done() {
    let mut found = Vec::new();
    for path in [files(".rs"), files(".toml"), files(".proto"), files(".sql")].concat() {
        for (number, line) in (1..).zip(read(&path).lines()) {
            if HALF_DONE.iter().any(|mark| line.contains(mark)) {
                found.push(format!("{}:{number}: {line}", path.display()));
            }
        }
    }
    assert_none("finish these", &found);
}

#[test]
fn dependencies_go_in_one_direction() {
    let ours: BTreeSet<String> = DIRECTIONS.iter().map(|(folder, ..)| crate_in(folder).0).collect();
    let mut found = Vec::new();
    for (folder, allowed, forbidden) in DIRECTIONS {
        let (name, dependencies) = crate_in(folder);
        for dependency in dependencies {
            let is_stranger = ours.contains(&dependency) && !allowed.contains(&&*dependency);
            if is_stranger || forbidden.contains(&&*dependency) {
                found.push(format!("{name} depends on {dependency}"));
            }
        }
    }
    assert_none("not in this direction", &found);
    let members = toml(&root())["workspace"]["members"].as_array().expect("a list").len();
    assert_eq!(members, DIRECTIONS.len(), "each crate has its line in this test");
}

/// Name and dependencies, those of its build script included.
fn crate_in(folder: &str) -> (String, BTreeSet<String>) {
    let manifest = toml(&root().join(folder));
    let name = manifest["package"]["name"].as_str().expect("a name").to_owned();
    let tables = ["dependencies", "build-dependencies"].into_iter();
    let names = tables.filter_map(|key| manifest.get(key)?.as_table()).flat_map(toml::Table::keys);
    (name, names.cloned().collect())
}

fn toml(folder: &Path) -> toml::Table {
    read(&folder.join("Cargo.toml")).parse().expect("TOML")
}

#[test]
fn links_lead_somewhere() {
    let mut found = Vec::new();
    for path in files(".md") {
        let folder = path.parent().expect("a file lies in a folder");
        for target in link_targets(&read(&path)) {
            let is_outside = target.contains("://") || target.starts_with('#');
            let file = target.split('#').next().unwrap_or_default();
            if !is_outside && !folder.join(file).exists() {
                found.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert_none("broken links", &found);
}

/// What stands in the brackets of `[text](target)`.
fn link_targets(markdown: &str) -> Vec<String> {
    let targets = markdown.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).collect()
}

#[test]
fn the_readme_shows_the_two_commands() {
    let readme = read(&root().join("README.md"));
    for command in [
        "cargo run --release --bin coordinator -- --sweep sweeps/quick.toml",
        "cargo test --workspace",
    ] {
        assert!(readme.lines().any(|line| line == command), "{command}");
    }
    assert!(root().join("sweeps/quick.toml").is_file());
    assert!(read(&root().join(".ci/run")).contains("cargo test --workspace"));
}

#[test]
fn the_sweep_files_to_copy_are_good() {
    for path in files(".toml").iter().filter(|path| path.parent() == Some(&root().join("sweeps"))) {
        let mut plan = Command::new(std::env!("CARGO_BIN_EXE_e2e-coordinator"));
        let output = plan.arg("plan").arg(path).output().expect("the program starts");
        assert!(output.status.success(), "{}: {output:?}", path.display());
        let name = path.file_stem().expect("a name").to_string_lossy();
        let plan = String::from_utf8(output.stdout).expect("text");
        let title = plan.lines().next().and_then(|line| line.split(':').next());
        assert_eq!(title, Some(&*name), "a sweep is named like its file");
    }
}

#[test]
fn the_committed_reports_are_what_was_recorded() {
    let reports = fs::read_dir(root().join("reports")).expect("a folder").flatten();
    let folders = reports.map(|entry| entry.path()).filter(|it| it.join("manifest.json").exists());
    let folders: Vec<PathBuf> = folders.collect();
    assert!(!folders.is_empty(), "no committed reports");
    for folder in folders {
        let mut verify = Command::new(std::env!("CARGO_BIN_EXE_e2e-coordinator"));
        // A state that happens to lie there may have gone on since.
        let copy = tempfile::tempdir().expect("there is room for temporary files");
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            if entry.path().is_file() {
                fs::copy(entry.path(), copy.path().join(entry.file_name())).expect("a copy");
            }
        }
        let output = verify.arg("verify").arg(copy.path()).output().expect("the program starts");
        assert!(output.status.success(), "{}: {output:?}", folder.display());
    }
}

#[test]
fn the_commands_of_the_readme_exist() {
    let readme = read(&root().join("README.md"));
    let programs = [
        ("coordinator", std::env!("CARGO_BIN_EXE_e2e-coordinator")),
        ("worker", std::env!("CARGO_BIN_EXE_e2e-worker")),
    ];
    let mut all_help = String::new();
    let mut n_commands = 0;
    for (name, program) in programs {
        let own_help = help(program, None);
        let start = format!("--bin {name} -- ");
        for (_, arguments) in readme.lines().filter_map(|line| line.split_once(&start)) {
            let arguments = arguments.split(['#', '>']).next().unwrap_or_default();
            let first = arguments.split_whitespace().next().expect("a flag or a verb");
            assert!(own_help.contains(first), "{name} knows no {first}");
            let help = help(program, Some(first).filter(|first| !first.starts_with("--")));
            for flag in arguments.split_whitespace().filter(|it| it.starts_with("--")) {
                assert!(help.contains(&format!("{flag} ")), "{name} knows no {flag}");
            }
            all_help += &help;
            n_commands += 1;
        }
        all_help += &own_help;
    }
    assert!(5 <= n_commands, "{n_commands} commands found");
    for flag in flags_in_text(&readme) {
        assert!(all_help.contains(&flag), "neither program knows {flag}");
    }
}

/// Runs that are too long for the tests: their words are known all the same.
#[test]
fn the_tests_and_benches_that_pages_name_exist() {
    let sources: Vec<String> = files(".rs").iter().map(|path| read(path)).collect();
    let mut n_commands = 0;
    for page in ["README.md", "tests/README.md"].map(|name| read(&root().join(name))) {
        for block in page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()) {
            let lines = block.lines().map(|line| line.split("#").next().unwrap_or(line).trim());
            for line in lines {
                if let Some(arguments) = line.strip_prefix("coordinator bench ") {
                    assert_bench_exists(line, arguments);
                } else if let Some((variables, arguments)) = line.split_once("cargo test") {
                    assert_tests_exist(line, variables, arguments, &sources);
                } else {
                    continue;
                }
                n_commands += 1;
            }
        }
    }
    assert!(n_commands > 12, "{n_commands} commands found");
}

fn assert_bench_exists(line: &str, arguments: &str) {
    let words: Vec<&str> = arguments.split(' ').collect();
    let mut program = Command::new(std::env!("CARGO_BIN_EXE_e2e-coordinator"));
    let help = program.args(["bench", words[0], "--help"]).output().expect("the program starts");
    let help = String::from_utf8(help.stdout).expect("text");
    for flag in words.into_iter().filter(|word| word.starts_with("--")) {
        assert!(help.contains(&format!("{flag} ")), "{line}: there is no {flag}");
    }
}

/// Their package, their target, and something that each filter fits.
fn assert_tests_exist(line: &str, variables: &str, arguments: &str, sources: &[String]) {
    let is_named = |word: &str, starts: &[&str]| {
        let mut lines = sources.iter().flat_map(|text| text.lines());
        lines.any(|line| starts.iter().any(|it| line.contains(it)) && line.contains(word))
    };
    let mut targets = DIRECTIONS.iter().map(|(folder, ..)| root().join(folder).join("tests"));
    for (variable, _) in variables.split_whitespace().filter_map(|it| it.split_once('=')) {
        assert!(is_named(variable, &["\""]), "{line}: nobody reads {variable}");
    }
    let mut before = "";
    for word in arguments.split_whitespace() {
        let is_there = match before {
            "-p" => DIRECTIONS.iter().any(|(folder, ..)| crate_in(folder).0 == word),
            "--test" => {
                targets.any(|it| it.join(format!("{word}.rs")).exists() || it.join(word).exists())
            }
            _ if word.starts_with('-') => true,
            _ => is_named(word.trim_end_matches(':'), &["fn ", "mod "]),
        };
        assert!(is_there, "{line}: there is no {word}");
        before = word;
    }
}

/// The flags between backticks outside of code blocks, each without its value.
fn flags_in_text(markdown: &str) -> BTreeSet<String> {
    let text = markdown.split("```").step_by(2);
    let code = text.flat_map(|part| part.split('`').skip(1).step_by(2));
    let words = code.flat_map(str::split_whitespace).filter(|word| word.starts_with("--"));
    words.map(str::to_owned).collect()
}

/// The help of the program, or of one of its verbs.
fn help(program: &str, verb: Option<&str>) -> String {
    let output =
        Command::new(program).args(verb).arg("--help").output().expect("the program starts");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text")
}
