//! Hints: what a command line that cannot be read was probably meant to be.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use report::command;

/// For a file or a folder where a verb or a flag belongs, and for a verb without its argument.
pub(super) fn hint(arguments: &[OsString]) -> Option<String> {
    let first = arguments.first()?;
    let path = Path::new(first);
    let is_sweep = path.extension().is_some_and(|it| it == "toml") || path.is_file();
    let is_flag = first.as_encoded_bytes().starts_with(b"-");
    if is_sweep && !is_flag {
        return Some(of_sweep(path, &arguments[1..]));
    }
    // As many programs start what they are given.
    if let ("run", Some(file)) = (first.to_str().unwrap_or_default(), arguments.get(1))
        && Path::new(file).extension().is_some_and(|it| it == "toml")
    {
        return Some(of_sweep(Path::new(file), &arguments[2..]));
    }
    if path.is_dir() {
        return Some(match path.join("manifest.json").exists() || path.join(".state").exists() {
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
    fn other_words_get_none() {
        assert_eq!(hinted("stats reports/full"), None);
        assert_eq!(hinted("--sweep quick.toml --nonsense"), None);
    }
}
