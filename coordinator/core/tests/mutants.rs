//! Bugs that the tests must catch, each a patch in `tests/mutants/`. Its head names the bug, the
//! test of the histories that fails with it, and part of what that test then says.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What is built with each bug.
const PACKAGE: &str = "coordinator-core";

/// What it needs and hardly runs, which is not worth optimizing.
const NEEDS: [&str; 3] = ["sha2", "sweep", "trainer"];

/// Random histories in which a bug must show.
const N_HISTORIES: &str = "2000";

/// Bugs that every run plants; `SWEEP_MUTANTS=all` plants the others too. One shows in random
/// histories, the other in a test of its own.
const USUAL: [&str; 2] = ["attempt_reused", "no_fencing"];

/// Folders of the repository that no build needs.
const LEFT_OUT: [&str; 3] = [".git", "reports", "target"];

struct Mutant {
    name: String,
    patch: PathBuf,
    bug: String,
    /// The test that fails.
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
fn every_mutant_is_caught() {
    let is_all = std::env::var("SWEEP_MUTANTS").is_ok_and(|asked| asked == "all");
    let copy = Path::new(std::env!("CARGO_TARGET_TMPDIR")).join("mutants");
    let mut missed = Vec::new();
    for mutant in mutants().iter().filter(|it| is_all || USUAL.contains(&&*it.name)) {
        // It also takes the former bug away.
        copy_folder(&root(), &copy);
        apply(mutant, &copy, false).unwrap_or_else(|text| panic!("{text}"));
        let told = test(&copy, &mutant.test);
        let is_caught = told.contains(&format!("{} ... FAILED", mutant.test));
        println!("{}: caught: {is_caught}", mutant.bug);
        if !is_caught || !told.contains(&mutant.words) {
            missed.push(format!("{}: expected `{}`, found {told}", mutant.name, mutant.words));
        }
    }
    assert!(missed.is_empty(), "not caught:\n{}", missed.join("\n"));
}

fn root() -> PathBuf {
    let root = Path::new(std::env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("this crate lies in the repository")
}

fn mutants() -> Vec<Mutant> {
    let folder = fs::read_dir(root().join("tests/mutants")).expect("a folder of patches");
    let mut patches: Vec<PathBuf> = folder.map(|entry| entry.expect("a file").path()).collect();
    patches.sort();
    let mutants: Vec<Mutant> = patches.into_iter().map(parse).collect();
    let is_there = |name: &&str| mutants.iter().any(|mutant| mutant.name == **name);
    assert!(USUAL.iter().all(is_there), "{USUAL:?} are patches");
    mutants
}

fn parse(patch: PathBuf) -> Mutant {
    let text = fs::read_to_string(&patch).expect("a patch is text");
    let mut head = text.lines();
    let bug = head.next().unwrap_or_default().to_owned();
    let mut field = |name: &str| {
        let value = head.next().and_then(|line| line.strip_prefix(name));
        value.unwrap_or_else(|| panic!("{}: no line `{name}...`", patch.display())).to_owned()
    };
    let (test, words) = (field("Caught by: "), field("Says: "));
    let name = patch.file_stem().expect("a file has a name").to_string_lossy().into_owned();
    Mutant { name, patch, bug, test, words }
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
fn test(copy: &Path, name: &str) -> String {
    let mut cargo = Command::new(std::env!("CARGO"));
    cargo.args(["test", "--offline", "--locked", "-p", PACKAGE, "--test", "histories", name]);
    for name in NEEDS {
        cargo.arg("--config").arg(format!("profile.dev.package.{name}.opt-level=0"));
    }
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
