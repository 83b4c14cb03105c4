//! Hints: what a command line that cannot be read was probably meant to be.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use report::command;

use crate::cli::flags;
use crate::cli::problems::looks_like_a_sweep;
use crate::cli::report_folder::{is_database, is_report, report_above};
use crate::duration;

/// Verbs that take the folder of a report.
const OF_REPORTS: [&str; 5] = ["report", "status", "verify", "export", "replay"];

/// As many programs start what they are given.
const STARTS: [&str; 6] = ["run", "start", "sweep", "train", "resume", "launch"];

/// For a file or a folder where a verb or a flag belongs, for a flag in the wrong place, and for a verb
/// without its argument.
pub(super) fn hint(arguments: &[OsString], error: &clap::Error) -> Option<String> {
    let words: Vec<&str> = arguments.iter().map(|it| it.to_str().unwrap_or_default()).collect();
    if let Some(meant) = duration::parted(&words) {
        return Some(format!("did you mean `{meant}`? A duration is one word"));
    }
    let has_similar = error.get(ContextKind::SuggestedArg).is_some();
    if let (ErrorKind::UnknownArgument, Some(ContextValue::String(unknown))) =
        (error.kind(), error.get(ContextKind::InvalidArg))
        && let Some(hint) = flags::hint(arguments, unknown, has_similar)
    {
        return Some(hint);
    }
    let first = arguments.first()?;
    let path = Path::new(first);
    let is_flag = first.as_encoded_bytes().starts_with(b"-");
    if !is_flag && (is_toml(first) || looks_like_a_sweep(path)) {
        return Some(of_sweep(path, &arguments[1..]));
    }
    if !is_flag && path.is_file() {
        return Some(of_file(path));
    }
    let word = first.to_str().unwrap_or_default();
    if !is_flag && !flags::verbs().any(|verb| verb == word) {
        let rest = &arguments[1..];
        if let Some(file) = rest.first().filter(|it| is_toml(it)) {
            return Some(of_sweep(Path::new(file), &rest[1..]));
        }
        if STARTS.contains(&word) {
            let has_sweep = rest.iter().any(|it| it.as_encoded_bytes().starts_with(b"--sweep"));
            return Some(match has_sweep {
                true => format!("did you mean `{}`?", command::coordinator(rest)),
                false => "a sweep is started, and resumed, with `coordinator --sweep FILE`".into(),
            });
        }
    }
    if OF_REPORTS.contains(&word) {
        return of_report(word, &arguments[1..]);
    }
    if worker::parts::is_address(word) || word == "worker" {
        let url = words.iter().find_map(|it| worker::parts::url(it));
        let url = url.unwrap_or_else(|| "http://HOST:PORT".into());
        return Some(format!(
            "a worker is a program of its own: `worker --coordinator {url}`; a run listens where --listen says"
        ));
    }
    if path.is_dir() {
        return Some(match is_report(path) {
            true => format!(
                "did you mean `{}`, or `{}`?",
                command::coordinator(["status".into(), command::path(path)]),
                command::coordinator(["report".into(), command::path(path)]),
            ),
            false => format!(
                "{} is a folder; a sweep is started with `coordinator --sweep FILE`",
                path.display()
            ),
        });
    }
    let is_flag_of_a_run = first.as_encoded_bytes().starts_with(b"--");
    let has_sweep = arguments.iter().any(|it| it.to_string_lossy().starts_with("--sweep"));
    let file = arguments.iter().find(|it| Path::new(it).extension().is_some_and(|it| it == "toml"));
    match file {
        Some(file) if is_flag_of_a_run && !has_sweep => {
            let file = command::path(Path::new(file));
            Some(format!("did you mean `--sweep {}`?", command::quoted(file)))
        }
        _ => None,
    }
}

fn is_toml(word: &OsString) -> bool {
    Path::new(word).extension().is_some_and(|it| it == "toml")
}

/// A file that is not a sweep's.
fn of_file(file: &Path) -> String {
    if let Some(report) = report_above(file) {
        return format!(
            "did you mean `{}`, or `{}`?",
            command::coordinator(["status".into(), command::path(&report)]),
            command::coordinator(["report".into(), command::path(&report)]),
        );
    }
    let shown = file.display();
    if is_database(file) {
        let words = ["status".into(), "FOLDER".into(), "--state".into(), command::path(file)];
        let meant = command::coordinator(words);
        return format!("{shown} is a recorded state: `{meant}`, with its report's folder");
    }
    format!("{shown} is not a sweep file; a sweep is started with `coordinator --sweep FILE`")
}

/// What a verb that takes a report's folder lacks or has too much of.
fn of_report(verb: &str, rest: &[OsString]) -> Option<String> {
    let is_word = |it: &&OsString| !it.as_encoded_bytes().starts_with(b"-");
    let words: Vec<&OsString> = rest.iter().take_while(is_word).collect();
    let line = |folder: PathBuf, more: &[&str]| {
        let words = [verb.into(), command::path(&folder)];
        command::coordinator(words.into_iter().chain(more.iter().map(OsString::from)))
    };
    match (verb, words.as_slice()) {
        ("replay", []) => Some(format!("such as `{}`", line(flags::an_example(), &["best"]))),
        ("replay", [folder]) => {
            Some(format!("which trial? Such as `{}`", line(folder.into(), &["best"])))
        }
        (_, []) if rest.is_empty() => Some(format!("such as `{}`", line(flags::an_example(), &[]))),
        ("export", [folder, format, ..]) => {
            let format = format.to_str().filter(|it| FORMATS.contains(it))?;
            Some(format!("did you mean `{}`?", line(folder.into(), &["--format", format])))
        }
        ("report" | "status" | "verify", [folder, _, ..]) => {
            Some(format!("one folder at a time: `{}`", line(folder.into(), &[])))
        }
        _ => None,
    }
}

/// The forms of an export.
const FORMATS: [&str; 3] = ["sqlite", "tensorboard", "optuna"];

fn of_sweep(file: &Path, rest: &[OsString]) -> String {
    if !file.exists() {
        return format!(
            "{}: no such file; a sweep is started with `coordinator --sweep FILE`",
            file.display()
        );
    }
    let run = [OsStr::new("--sweep"), file.as_os_str()];
    format!(
        "did you mean `{}`, or `{}`?",
        command::coordinator(run.into_iter().chain(rest.iter().map(OsString::as_os_str))),
        command::coordinator([OsStr::new("plan"), file.as_os_str()]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;

    fn hinted(line: &str) -> Option<String> {
        hint_of(line.split(' ').map(OsString::from).collect())
    }

    fn hint_of(words: Vec<OsString>) -> Option<String> {
        let line = ["coordinator".into()].into_iter().chain(words.iter().cloned());
        hint(&words, &Cli::try_parse_from(line).expect_err("wrong usage"))
    }

    #[test]
    fn a_sweep_file_is_known_by_its_ending() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("quick.toml");
        std::fs::write(&file, "").expect("a file");
        let shown = file.to_str().expect("a plain path");
        for line in [format!("{shown} --local-workers 2"), format!("run {shown} --local-workers 2")]
        {
            let hint = hinted(&line).expect("a hint");
            let meant = format!("`coordinator --sweep {shown} --local-workers 2`");
            assert!(hint.contains(&meant), "{hint}");
        }
        let hint = hinted("sweeps/nope.toml").expect("a hint");
        assert!(hint.starts_with("sweeps/nope.toml: no such file;"), "{hint}");
        let hint = hinted("--local-workers 2 quick.toml").expect("a hint");
        assert_eq!(hint, "did you mean `--sweep quick.toml`?");
    }

    #[test]
    fn a_hint_can_be_pasted() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("my sweep.toml");
        std::fs::write(&file, "").expect("a file");
        let hint = hint_of(vec![file.clone().into()]).expect("a hint");
        assert!(hint.contains(&format!("`coordinator plan '{}'`", file.display())), "{hint}");
        let hint = hint_of(vec!["--yes".into(), "my sweep.toml".into()]).expect("a hint");
        assert_eq!(hint, "did you mean `--sweep 'my sweep.toml'`?");
    }

    #[test]
    fn a_folder_is_told_from_a_report() {
        let folder = tempfile::tempdir().expect("a folder");
        let shown = folder.path().to_str().expect("a plain path").to_owned();
        assert!(hinted(&shown).is_some_and(|hint| hint.contains("is a folder")));
        std::fs::write(folder.path().join("manifest.json"), "{}").expect("a file");
        assert!(hinted(&shown).is_some_and(|hint| hint.contains(&format!("status {shown}"))));
    }

    #[test]
    fn a_verb_that_lacks_a_word_or_has_too_many_is_shown_whole() {
        for (line, words) in [
            ("status", "`coordinator status reports/"),
            ("replay", " best`"),
            ("replay reports/full", "`coordinator replay reports/full best`"),
            ("export reports/full optuna", "`coordinator export reports/full --format optuna`"),
            ("verify reports/full reports/quick", "`coordinator verify reports/full`"),
            ("10.0.0.5:7070", "`worker --coordinator http://10.0.0.5:7070`"),
            ("worker 10.0.0.5:7070", "`worker --coordinator http://10.0.0.5:7070`"),
            ("worker --coordinator h:1", "`worker --coordinator http://h:1`"),
            ("worker", "`worker --coordinator http://HOST:PORT`"),
            ("run", "with `coordinator --sweep FILE`"),
            ("resume reports/full", "with `coordinator --sweep FILE`"),
            ("run --sweep x.toml --yes", "`coordinator --sweep x.toml --yes`"),
            ("plan --sweep x.toml", "`coordinator plan x.toml`"),
            ("--sweep x.toml --slots 2", "`--local-slots 2`"),
            ("--sweep x.toml --time-limit 1h 30m", "`--time-limit 1h30m`"),
        ] {
            let hint = hinted(line).unwrap_or_default();
            assert!(hint.contains(words), "{line}: {hint}");
        }
    }

    #[test]
    fn a_file_that_is_not_a_sweep_s_is_not_offered_as_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("full")).expect("a folder");
        let files = [
            ("full/manifest.json", "{}"),
            ("full/report.html", "<html>"),
            ("sweep.db", "SQLite format 3\0"),
            ("notes.txt", "text"),
            ("sweep.txt", "[[grid]]"),
        ];
        for (name, text) in files {
            std::fs::write(at(name), text).expect("a file");
        }
        for (name, words) in [
            ("full/report.html", format!("`coordinator status {}`", at("full").display())),
            ("full/manifest.json", format!("`coordinator report {}`", at("full").display())),
            ("sweep.db", format!("status FOLDER --state {}`", at("sweep.db").display())),
            ("notes.txt", "is not a sweep file".into()),
            ("sweep.txt", format!("`coordinator --sweep {}`", at("sweep.txt").display())),
        ] {
            let hint = hint_of(vec![at(name).into()]).unwrap_or_default();
            assert!(hint.contains(&words), "{name}: {hint}");
            assert_eq!(hint.contains("coordinator plan"), name == "sweep.txt", "{name}: {hint}");
        }
    }

    #[test]
    fn other_words_get_none() {
        assert_eq!(hinted("stats reports/full"), None);
        assert_eq!(hinted("status reports/full --nonsense"), None);
        assert_eq!(hinted("plan a.toml b.toml"), None);
        assert_eq!(hinted("--sweep quick.toml --nonsense"), None);
    }
}
