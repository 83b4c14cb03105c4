//! Bugs that the tests must catch, each a patch in `tests/mutants/`. Its head names the bug, each
//! suite and test that fails with it, and part of what that test then says.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

/// Tests that catch bugs. The order is that in which they are run, so that the core is built again
/// for the programs once.
const SUITES: [Suite; 3] = [
    Suite {
        name: "histories",
        sources: "coordinator/core/tests/histories",
        package: &["-p", "coordinator-core"],
        hardly_runs: &["sha2", "sweep", "trainer"],
    },
    Suite {
        name: "faults",
        sources: "tests/tests/faults",
        package: &["--workspace"],
        hardly_runs: &[],
    },
    Suite {
        name: "simulation",
        sources: "tests/tests/simulation",
        package: &["--workspace"],
        hardly_runs: &[],
    },
];

/// Random histories, and seeds of the simulation, in which a bug must show.
const N_HISTORIES: &str = "2000";
const N_SEEDS: &str = "160";

/// Bugs that every run plants; `SWEEP_MUTANTS=all` plants the others too. One shows in random
/// histories, the other in a test of its own.
const USUAL: [&str; 2] = ["attempt_reused", "no_fencing"];

/// Folders of the repository that no build needs.
const LEFT_OUT: [&str; 3] = [".git", "reports", "target"];

struct Suite {
    name: &'static str,
    /// The folder of its tests.
    sources: &'static str,
    /// What cargo is told to build.
    package: &'static [&'static str],
    /// Crates that it needs and hardly runs, which are not worth optimizing.
    hardly_runs: &'static [&'static str],
}

struct Mutant {
    name: String,
    patch: PathBuf,
    bug: String,
    catches: Vec<Catch>,
}

/// A test that fails with a bug.
struct Catch {
    /// Its place in `SUITES`.
    suite: usize,
    test: String,
    /// Part of what it says.
    words: String,
}

#[test]
fn every_patch_applies() {
    let failed: Vec<String> =
        mutants().iter().filter_map(|it| apply(it, &root(), true).err()).collect();
    assert!(failed.is_empty(), "mend these patches:\n{}", failed.join("\n"));
}

#[test]
fn every_patch_names_tests_that_there_are() {
    let mut unknown = Vec::new();
    for mutant in mutants() {
        for catch in &mutant.catches {
            if !is_in(&root().join(SUITES[catch.suite].sources), &catch.test) {
                unknown.push(format!("{}: {}", mutant.name, catch.test));
            }
        }
    }
    assert!(unknown.is_empty(), "no such tests: {unknown:#?}");
}

#[test]
fn every_mutant_is_caught() {
    let is_all = env::var("SWEEP_MUTANTS").is_ok_and(|asked| asked == "all");
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutants");
    let mut missed = Vec::new();
    for mutant in mutants().iter().filter(|it| is_all || USUAL.contains(&&*it.name)) {
        // It also takes the former bug away.
        copy_folder(&root(), &copy);
        apply(mutant, &copy, false).unwrap_or_else(|text| panic!("{text}"));
        for catch in &mutant.catches {
            let told = test(&copy, catch);
            let is_caught =
                told.contains(&format!("{} ... FAILED", catch.test)) && told.contains(&catch.words);
            let suite = SUITES[catch.suite].name;
            println!("{}: caught by {suite}: {is_caught}", mutant.bug);
            if !is_caught {
                missed.push(format!("{}: expected `{}`, found {told}", mutant.name, catch.words));
            }
        }
    }
    assert!(missed.is_empty(), "not caught:\n{}", missed.join("\n"));
}

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("this crate lies in the repository")
}

fn mutants() -> Vec<Mutant> {
    let folder = fs::read_dir(root().join("tests/mutants")).expect("a folder of patches");
    let mut patches: Vec<PathBuf> = folder.map(|entry| entry.expect("a file").path()).collect();
    patches.sort();
    let mut mutants: Vec<Mutant> = patches.into_iter().map(parse).collect();
    mutants.sort_by_key(|mutant| mutant.catches[0].suite);
    let is_there = |name: &&str| mutants.iter().any(|mutant| mutant.name == **name);
    assert!(USUAL.iter().all(is_there), "{USUAL:?} are patches");
    mutants
}

fn parse(patch: PathBuf) -> Mutant {
    let text = fs::read_to_string(&patch).expect("a patch is text");
    let head: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).collect();
    let catches: Option<Vec<Catch>> =
        head.get(1..).unwrap_or_default().chunks(2).map(parse_catch).collect();
    let catches = catches.filter(|catches| !catches.is_empty());
    let catches = catches.unwrap_or_else(|| {
        panic!("{}: no lines `Caught by: SUITE TEST` and `Says: ...`", patch.display())
    });
    let name = patch.file_stem().expect("a file has a name").to_string_lossy().into_owned();
    Mutant { name, bug: head[0].to_owned(), catches, patch }
}

fn parse_catch(lines: &[&str]) -> Option<Catch> {
    let [caught_by, says] = lines else { return None };
    let (suite, test) = caught_by.strip_prefix("Caught by: ")?.split_once(' ')?;
    let suite = SUITES.iter().position(|it| it.name == suite)?;
    Some(Catch { suite, test: test.into(), words: says.strip_prefix("Says: ")?.into() })
}

/// Whether a folder has the source of a test. The simulation has a list of its own.
fn is_in(folder: &Path, test: &str) -> bool {
    let mut entries = fs::read_dir(folder).expect("a folder can be read");
    entries.any(|entry| {
        let path = entry.expect("a file").path();
        if path.is_dir() {
            return is_in(&path, test);
        }
        let source = fs::read_to_string(&path).expect("source is text");
        source.contains(&format!("fn {test}(")) || source.contains(&format!("(\"{test}\", "))
    })
}

/// Applies a patch, or sees whether it applies. What applies it is git or, without it, `patch`.
fn apply(mutant: &Mutant, tree: &Path, is_rehearsal: bool) -> Result<(), String> {
    let mut git = Command::new("git");
    // A repository around the tree would have git take its paths from there.
    git.env_remove("GIT_DIR").env("GIT_CEILING_DIRECTORIES", tree.parent().expect("a folder"));
    git.arg("apply").args(is_rehearsal.then_some("--check"));
    let mut patch = Command::new("patch");
    patch.args(["-p1", "--fuzz=0", "--force"]).args(is_rehearsal.then_some("--dry-run"));
    let applied = match git.arg(&mutant.patch).current_dir(tree).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            patch.arg("-i").arg(&mutant.patch).current_dir(tree).output()
        }
        applied => applied,
    };
    let output = applied.map_err(|error| format!("neither git nor patch can be run: {error}"))?;
    output
        .status
        .success()
        .then_some(())
        .ok_or_else(|| format!("{}: {}", mutant.name, text_of(&output)))
}

/// What comes of a test in a copy of the repository.
fn test(copy: &Path, catch: &Catch) -> String {
    let suite = &SUITES[catch.suite];
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--offline", "--locked"]).args(suite.package);
    cargo.args(["--test", suite.name]);
    for name in suite.hardly_runs {
        cargo.arg("--config").arg(format!("profile.dev.package.{name}.opt-level=0"));
    }
    cargo.args([&catch.test, "--", "--include-ignored"]);
    cargo.env("SWEEP_SIM_SEEDS", N_SEEDS).env("SWEEP_SIM_FOUND", &catch.words);
    cargo.current_dir(copy).env("CARGO_TARGET_DIR", copy.join("target"));
    // Mutants differ by a few lines.
    cargo.env("CARGO_INCREMENTAL", "1").env("SWEEP_HISTORIES", N_HISTORIES);
    cargo.env("PROPTEST_MAX_SHRINK_ITERS", "0").env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1");
    text_of(&cargo.output().expect("cargo can be run"))
}

fn text_of(output: &Output) -> String {
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
    format!("{stdout}{stderr}")
}

/// Writes only what differs, so that only that is built again.
fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("a folder can be read") {
        let entry = entry.expect("a file");
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let is_left_out = LEFT_OUT.iter().any(|name| *name == entry.file_name());
        // A target folder of another name may hold the copy itself.
        if is_left_out || to.starts_with(&source) {
            continue;
        }
        if source.is_dir() {
            copy_folder(&source, &target);
            continue;
        }
        let bytes = fs::read(&source).expect("a file can be read");
        if fs::read(&target).ok().is_none_or(|former| former != bytes) {
            fs::write(&target, bytes).expect("a file can be written");
        }
    }
}
