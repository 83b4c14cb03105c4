//! `verify` finds whatever is not as it was recorded, and names it.

use std::fs;
use std::path::Path;

use e2e::{Env, Row, Sweep, results, sha256_of};
use trial::hex::from_hex;

use crate::env;

/// 16 trials, and 2 that confirm each optimizer's best point.
const SWEEP: Sweep = Sweep { more: "[confirm]\nseeds = 2\n", ..Sweep::SHORT };

fn recorded() -> Env {
    let env = env();
    env.run(&SWEEP, &["--local-workers", "2"]);
    env
}

#[track_caller]
fn assert_found(env: &Env, words: &[&str]) {
    let ended = env.coordinator(&["verify", "reports/short"]).expect(1);
    let told = ended.stdout_text();
    for word in words {
        let is_found = told.lines().any(|line| line.starts_with("wrong: ") && line.contains(word));
        assert!(is_found, "no finding {word:?} in {told}");
    }
    assert!(ended.stderr_text().contains("finding"), "{ended:#?}");
}

/// Changes a file while `check` runs.
#[track_caller]
fn with_change(path: &Path, change: impl FnOnce(&mut Vec<u8>), check: impl FnOnce()) {
    let good = fs::read(path).expect("a file");
    let mut bad = good.clone();
    change(&mut bad);
    assert_ne!(bad, good, "nothing was changed");
    fs::write(path, bad).expect("it can be written");
    check();
    fs::write(path, good).expect("it can be written");
}

fn flip_in_the_middle(bytes: &mut [u8]) {
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
}

fn without_row(bytes: &mut Vec<u8>, row: &Row) {
    let text = String::from_utf8(bytes.clone()).expect("text");
    let lines = text.lines().filter(|line| !line.starts_with(&row["trial_id"]));
    *bytes = lines.flat_map(|line| [line, "\n"]).collect::<String>().into_bytes();
}

fn replace_all(bytes: &mut [u8], old: &[u8], new: &[u8]) {
    assert_eq!(old.len(), new.len());
    for at in 0..=bytes.len() - old.len() {
        if bytes[at..].starts_with(old) {
            bytes[at..at + old.len()].copy_from_slice(new);
        }
    }
}

#[test]
fn a_clean_folder_passes_with_and_without_its_state() {
    let env = recorded();
    let told = env.coordinator(&["verify", "reports/short"]).expect(0).stdout_text();
    for words in ["SHA-256 of", "ids of 20 trials", "20 rows of the report against the state"] {
        assert!(told.contains(words), "{told}");
    }
    let report = env.report(&SWEEP);
    fs::rename(report.join(".state"), env.path("elsewhere")).expect("it can be moved");
    let told = env.coordinator(&["verify", "reports/short"]).expect(0).stdout_text();
    assert!(!told.contains("state"), "{told}");
    let told = env.coordinator(&["verify", "reports/short", "--state", "elsewhere"]).expect(0);
    assert!(told.stdout_text().contains("against the state"), "{told:#?}");
    env.coordinator(&["verify", "reports/short", "--state", "nowhere"]).expect(1);
    env.coordinator(&["verify", "reports/nothing"]).expect(2);
}

#[test]
fn one_flipped_bit_in_any_file_is_found() {
    let env = recorded();
    let report = env.report(&SWEEP);
    let names = fs::read_dir(&report).expect("a folder").flatten();
    let names = names.filter(|entry| entry.path().is_file()).map(|entry| entry.file_name());
    let names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    for name in names.iter().filter(|name| *name != "manifest.json") {
        let found = || assert_found(&env, &[&format!("{name}: SHA-256 is ")]);
        with_change(&report.join(name), |bytes| flip_in_the_middle(bytes), found);
    }
    let flip_first = |bytes: &mut Vec<u8>| bytes[0] ^= 1;
    let found = || assert_found(&env, &["manifest.json"]);
    with_change(&report.join("manifest.json"), flip_first, found);
    fs::remove_file(report.join("history.parquet")).expect("it can be removed");
    assert_found(&env, &["history.parquet: cannot be read"]);
}

/// Changes results.csv and makes the manifest agree with it, as somebody would who means it.
#[track_caller]
fn with_forged_results(env: &Env, change: impl FnOnce(&mut Vec<u8>), words: &[&str]) {
    let report = env.report(&SWEEP);
    let (csv, manifest) = (report.join("results.csv"), report.join("manifest.json"));
    let former = sha256_of(&csv);
    with_change(&csv, change, || {
        let forged = sha256_of(&csv);
        let forge = |bytes: &mut Vec<u8>| replace_all(bytes, former.as_bytes(), forged.as_bytes());
        with_change(&manifest, forge, || assert_found(env, words));
    });
}

#[test]
fn rows_are_held_against_their_ids_the_sweep_and_the_history() {
    let env = recorded();
    let rows = results(&env.report(&SWEEP));
    let (row, id) = (&rows[3], &rows[3]["trial_id"]);
    let no_row = format!("trial {id} of sweep.toml has no row");
    with_forged_results(
        &env,
        |csv| without_row(csv, row),
        &[&no_row, "counts 20 trials, results.csv has 19"],
    );

    // A confirm trial is looked for as well, though no file names it.
    let confirm = rows.iter().find(|row| row["phase"] == "confirm").expect("a confirm trial");
    let no_row = format!("trial {} of sweep.toml has no row", confirm["trial_id"]);
    with_forged_results(&env, |csv| without_row(csv, confirm), &[&no_row]);

    let other = id.chars().rev().collect::<String>();
    let renamed = [&*format!("trial {other}: its row's values give {id}"), "is not in sweep.toml"];
    let rename = |csv: &mut Vec<u8>| replace_all(csv, id.as_bytes(), other.as_bytes());
    with_forged_results(&env, rename, &renamed);

    let swap = |csv: &mut Vec<u8>| {
        let text = String::from_utf8(csv.clone()).expect("text");
        let mut lines: Vec<&str> = text.lines().collect();
        lines.swap(1, 2);
        *csv = lines.join("\n").into_bytes();
        csv.push(b'\n');
    };
    with_forged_results(&env, swap, &["its rows are not in their order"]);

    let (old, new) = (format!(",{},", row["best_valid_loss"]), &rows[4]["best_valid_loss"]);
    let better = |csv: &mut Vec<u8>| {
        let text = String::from_utf8(csv.clone()).expect("text");
        *csv = text.replacen(&old, &format!(",{new},"), 1).into_bytes();
    };
    with_forged_results(&env, better, &["are not those of history.parquet"]);

    let forged = "0".repeat(64);
    let forge = |csv: &mut Vec<u8>| replace_all(csv, row["digest"].as_bytes(), forged.as_bytes());
    let words =
        format!("trial {id}: digest {forged} in the report, {} in the state", row["digest"]);
    with_forged_results(&env, forge, &[&words]);
}

#[test]
fn a_manipulated_state_is_found() {
    let env = recorded();
    let report = env.report(&SWEEP);
    let database = report.join(".state/sweep.db");
    let row = &results(&report)[3];
    let digest = from_hex::<32>(&row["digest"]).expect("hex digits");
    let forge = |bytes: &mut Vec<u8>| replace_all(bytes, &digest, &[0xab; 32]);
    let words = format!("trial {}: digest {}", row["trial_id"], row["digest"]);
    with_change(&database, forge, || assert_found(&env, &[&words, &"ab".repeat(32)]));

    let seed = |bytes: &mut Vec<u8>| {
        replace_all(bytes, b"\"learning_rate\":0.05", b"\"learning_rate\":0.06");
    };
    let words = "its seed and hyperparameters are not those of its id";
    with_change(&database, seed, || assert_found(&env, &[words]));

    let wipe = |bytes: &mut Vec<u8>| bytes[4096..].fill(0x55);
    with_change(&database, wipe, || assert_found(&env, &["state"]));
    env.coordinator(&["verify", "reports/short"]).expect(0);
}
