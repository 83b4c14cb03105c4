//! Hints: what a command line that cannot be read was probably meant to be.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use report::command;

use crate::cli::args::{DEFAULT_OUT, RawCli};
use crate::cli::report_folder::{is_report, reports_in};

/// Verbs that take the folder of a report.
const OF_REPORTS: [&str; 5] = ["report", "status", "verify", "export", "replay"];

/// For a file or a folder where a verb or a flag belongs, and for a verb without its argument.
pub(super) fn hint(arguments: &[OsString]) -> Option<String> {
    let first = arguments.first()?;
    let path = Path::new(first);
    let is_sweep = path.extension().is_some_and(|it| it == "toml") || path.is_file();
    let is_flag = first.as_encoded_bytes().starts_with(b"-");
    if is_sweep && !is_flag {
        return Some(of_sweep(path, &arguments[1..]));
    }
    let word = first.to_str().unwrap_or_default();
    // As many programs start what they are given: `run FILE`, `start FILE`.
    if let (false, false, Some(file)) = (is_flag, is_verb(word), arguments.get(1))
        && Path::new(file).extension().is_some_and(|it| it == "toml")
    {
        return Some(of_sweep(Path::new(file), &arguments[2..]));
    }
    if OF_REPORTS.contains(&word) {
        return of_report(word, &arguments[1..]);
    }
    if worker::parts::is_address(word) || word == "worker" {
        let url = worker::parts::url(word).unwrap_or_else(|| "http://HOST:PORT".into());
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

fn is_verb(word: &str) -> bool {
    RawCli::command().get_subcommands().any(|verb| verb.get_name() == word)
}

/// What a verb that takes a report's folder lacks or has too much of.
fn of_report(verb: &str, rest: &[OsString]) -> Option<String> {
    let is_word = |it: &&OsString| !it.as_encoded_bytes().starts_with(b"-");
    let words: Vec<&OsString> = rest.iter().take_while(is_word).collect();
    let default = Path::new(DEFAULT_OUT);
    let example = || reports_in(default).into_iter().next().unwrap_or(default.join("quick"));
    let line = |folder: PathBuf, more: &[&str]| {
        let words = [verb.into(), command::path(&folder)];
        command::coordinator(words.into_iter().chain(more.iter().map(OsString::from)))
    };
    match (verb, words.as_slice()) {
        ("replay", []) => Some(format!("such as `{}`", line(example(), &["best"]))),
        ("replay", [folder]) => {
            Some(format!("which trial? Such as `{}`", line(folder.into(), &["best"])))
        }
        (_, []) if rest.is_empty() => Some(format!("such as `{}`", line(example(), &[]))),
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

    fn hinted(line: &str) -> Option<String> {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        hint(&words)
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
        let hint = hint(&[file.clone().into()]).expect("a hint");
        assert!(hint.contains(&format!("`coordinator plan '{}'`", file.display())), "{hint}");
        let hint = super::hint(&["--yes".into(), "my sweep.toml".into()]).expect("a hint");
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
            ("worker 10.0.0.5:7070", "`worker --coordinator "),
        ] {
            let hint = hinted(line).unwrap_or_default();
            assert!(hint.contains(words), "{line}: {hint}");
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
