//! A cache folder in which others have left all kinds of things, or are at work.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use worker::Ended;
use worker::locks::{Lock, Mode};

use super::fake::{Fake, State, dataset, hyperparameters};
use super::program::{impatient_worker, outcome, serve, wait_for, worker};
use super::run;

fn dataset_path(cache: &Path, state: &State) -> PathBuf {
    let digest = state.data().digest;
    cache.join("datasets").join(trial::hex::hex(&digest))
}

#[test]
fn another_user_s_folder_is_named_and_stops_nobody() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    let server = serve(&fake, 1);
    let odd = cache.path().join("workers/00000000-0000-4000-8000-000000000000");
    fs::create_dir_all(odd.join("lock")).unwrap();
    let (code, text) = outcome(&mut worker(&server.url(), cache.path()));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains(&odd.display().to_string()) && text.contains("left alone"), "{text}");
    assert_eq!(fake.state().outcomes(1).len(), 1);
    assert!(odd.join("lock").is_dir());
}

/// What cannot be kept in the cache is used all the same.
#[test]
fn an_odd_entry_in_a_data_set_s_place_stops_nobody() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    let server = fake.serve();
    let path = dataset_path(cache.path(), &fake.state());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let put: [fn(&Path); 4] = [
        |path| fs::create_dir(path).unwrap(),
        |path| std::os::unix::fs::symlink(path, path).unwrap(),
        |path| std::os::unix::fs::symlink("/dev/zero", path).unwrap(),
        |path| {
            let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
            assert!(made.success());
        },
    ];
    let places = ["", "part", "lock"].map(|ending| path.with_extension(ending));
    for (trial, (place, put)) in (1..).zip(places.iter().flat_map(|it| put.map(|put| (it, put)))) {
        put(place);
        fake.state().add(trial, 1, hyperparameters(1, 10, &[8]));
        assert_eq!(run(server.worker(cache.path())).unwrap(), Ended::Finished, "{trial}");
        assert_eq!(fake.state().outcomes(trial).len(), 1);
        for entry in fs::read_dir(path.parent().unwrap()).unwrap().flatten() {
            let is_folder = entry.file_type().unwrap().is_dir();
            let removed = if is_folder {
                fs::remove_dir(entry.path())
            } else {
                fs::remove_file(entry.path())
            };
            removed.unwrap();
        }
    }
}

#[test]
fn a_data_set_that_another_worker_fetches_is_waited_for_with_a_word() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    let server = serve(&fake, 1);
    let path = dataset_path(cache.path(), &fake.state());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let lock = Lock::try_take(&path.with_extension("lock"), Mode::Exclusive).unwrap().unwrap();
    // Another data set is not waited for.
    let other = path.with_file_name("0".repeat(64)).with_extension("lock");
    let _other = Lock::try_take(&other, Mode::Exclusive).unwrap().unwrap();
    let mut child = worker(&server.url(), cache.path()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("waiting for")).expect("a word");
    assert!(line.contains("s until another worker has fetched data set"), "{line}");
    assert!(line.contains(&path.with_extension("lock").display().to_string()), "{line}");
    assert_eq!(fake.state().dataset_offsets.len(), 0);
    drop(lock);
    lines.for_each(drop);
    assert_eq!(wait_for(child).code(), Some(0));
    assert_eq!(fake.state().dataset_offsets, [0]);
    assert!(path.is_file() && !path.with_extension("lock").exists());
}

/// What lies in the folder of data sets.
fn names_beside(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path.parent().unwrap()).unwrap().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn without_its_lock_a_data_set_goes_on_where_it_broke_off_and_leaves_no_part() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    let server = serve(&fake, 1);
    let path = dataset_path(cache.path(), &fake.state());
    // Something that is not a file cannot be locked.
    fs::create_dir_all(path.with_extension("lock")).unwrap();
    fake.state().n_transfers_to_break = 3;
    assert_eq!(run(server.worker(cache.path())).unwrap(), Ended::Finished);
    let offsets = fake.state().dataset_offsets.clone();
    assert!(offsets.len() == 4 && offsets.is_sorted_by(|a, b| a < b), "{offsets:?}");
    let digits = path.file_name().unwrap().to_str().unwrap();
    assert_eq!(names_beside(&path), [digits.to_string(), format!("{digits}.lock")]);

    fs::remove_file(&path).unwrap();
    fake.state().add(2, 1, hyperparameters(1, 10, &[8]));
    fake.state().n_transfers_to_break = usize::MAX;
    let child = worker(&server.url(), cache.path()).spawn().unwrap();
    fake.wait_until("tries", |state| state.dataset_offsets.len() > 6);
    let names = names_beside(&path);
    assert!(names.len() == 2 && names[0].ends_with(".part"), "{names:?}");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(wait_for(child).code(), Some(0));
    assert_eq!(names_beside(&path), [format!("{digits}.lock")]);
}

/// Its own part is of no use once the data set is there by another way.
#[test]
fn an_own_part_goes_when_the_data_set_comes_otherwise() {
    let by_usual_part: fn(&Path, &Fake) = |path, fake| {
        fs::remove_dir(path.with_extension("lock")).unwrap();
        fake.state().n_transfers_to_break = 0;
    };
    let by_another_worker: fn(&Path, &Fake) = |path, _| {
        let whole = path.with_extension("whole");
        fs::write(&whole, dataset().encode()).unwrap();
        fs::rename(whole, path).unwrap();
    };
    for comes in [by_usual_part, by_another_worker] {
        let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
        let server = serve(&fake, 1);
        let path = dataset_path(cache.path(), &fake.state());
        fs::create_dir_all(path.with_extension("lock")).unwrap();
        fake.state().n_transfers_to_break = usize::MAX;
        // One that stays keeps no part for the next sweep.
        let mut child = worker(&server.url(), cache.path()).arg("--stay").spawn().unwrap();
        fake.wait_until("tries", |state| state.dataset_offsets.len() > 2);
        assert!(names_beside(&path)[0].ends_with(".part"));
        comes(&path, &fake);
        fake.wait_until("an outcome", |state| !state.outcomes(1).is_empty());
        let names = names_beside(&path);
        assert!(!names.iter().any(|name| name.ends_with(".part")), "{names:?}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// As NFS without a lock service.
#[test]
fn a_file_system_without_locks_stops_no_worker() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    let (source, library) = (cache.path().join("locks.c"), cache.path().join("locks.so"));
    let text = "#include <errno.h>\nint flock(int file, int how) { errno = ENOLCK; return -1; }\n";
    fs::write(&source, text).unwrap();
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source);
    assert!(compile.status().unwrap().success());
    let server = serve(&fake, 1);
    let mut worker = worker(&server.url(), cache.path());
    let (code, text) = outcome(worker.env("LD_PRELOAD", &library));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("the file system has no locks"), "{text}");
    assert_eq!(fake.state().outcomes(1).len(), 1);
    let names = names_beside(&dataset_path(cache.path(), &fake.state()));
    assert!(names.iter().all(|name| !name.ends_with("part")), "{names:?}");
    assert_eq!(fs::read_dir(cache.path().join("workers")).unwrap().count(), 0);
}

/// Its coordinator may be another one that only says so.
#[test]
fn a_finished_sweep_takes_no_outcomes_that_another_process_left() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    let server = serve(&fake, 1);
    fake.state().deaf_after_a_grant = true;
    let (code, text) = outcome(&mut impatient_worker(&server.url(), cache.path()));
    assert!(code == Some(1) && text.contains("outcomes waiting in"), "{code:?} {text}");

    fake.state().deaf_after_a_grant = false;
    fake.state().is_finished = true;
    let (code, text) = outcome(&mut worker(&server.url(), cache.path()));
    assert!(code == Some(0) && text.contains("finished without 1 outcome"), "{code:?} {text}");

    fake.state().is_finished = false;
    assert_eq!(run(server.worker(cache.path())).unwrap(), Ended::Finished);
    assert_eq!(fake.state().outcomes(1).len(), 1, "it was handed in after all");
}

#[test]
fn a_worker_that_stays_says_once_that_it_waits() {
    let (fake, cache) = (Fake::new(), tempfile::tempdir().unwrap());
    let server = serve(&fake, 1);
    let child = worker(&server.url(), cache.path()).arg("--stay").stderr(Stdio::piped()).spawn();
    let child = child.unwrap();
    fake.wait_until("an outcome", |state| !state.outcomes(1).is_empty());
    fake.state().is_finished = true;
    let n_joins = fake.state().joins.len();
    fake.wait_until("Joins", |state| state.joins.len() > n_joins + 2);
    fake.state().refusal = Some(tonic::Status::permission_denied("enough"));
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.matches("waiting for the next one").count(), 1, "{text}");
}
