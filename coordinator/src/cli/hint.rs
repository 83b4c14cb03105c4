//! Hints: what a command line that cannot be read was probably meant to be.

use std::ffi::OsString;
use std::path::Path;

/// For a file or a folder where a verb or a flag belongs, and for a verb without its argument.
pub(super) fn hint(arguments: &[OsString]) -> Option<String> {
    let first = arguments.first()?;
    let path = Path::new(first);
    let shown = first.to_string_lossy();
    let is_sweep = path.extension().is_some_and(|it| it == "toml") || path.is_file();
    if is_sweep && !shown.starts_with('-') {
        let rest: String =
            arguments[1..].iter().map(|it| format!(" {}", it.to_string_lossy())).collect();
        return Some(format!(
            "did you mean `coordinator --sweep {shown}{rest}`, or `coordinator plan {shown}`?"
        ));
    }
    if path.is_dir() {
        return Some(match path.join("manifest.json").exists() || path.join(".state").exists() {
            true => format!(
                "did you mean `coordinator status {shown}`, or `coordinator report {shown}`?"
            ),
            false => {
                format!("{shown} is a folder; a sweep is started with `coordinator --sweep FILE`")
            }
        });
    }
    let is_flag_of_a_run = shown.starts_with("--");
    let has_sweep = arguments.iter().any(|it| it.to_string_lossy().starts_with("--sweep"));
    let file = arguments.iter().find(|it| Path::new(it).extension().is_some_and(|it| it == "toml"));
    match file {
        Some(file) if is_flag_of_a_run && !has_sweep => {
            Some(format!("did you mean `--sweep {}`?", file.to_string_lossy()))
        }
        _ => None,
    }
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
        let hint = hinted("sweeps/quick.toml --local-workers 2").expect("a hint");
        assert!(
            hint.contains("`coordinator --sweep sweeps/quick.toml --local-workers 2`"),
            "{hint}"
        );
        let hint = hinted("--local-workers 2 quick.toml").expect("a hint");
        assert_eq!(hint, "did you mean `--sweep quick.toml`?");
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
