//! Sweep files as sources of text, and what is wrong with them, told as a compiler would: file, line,
//! column, what was expected, what to do.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};
use report::command;
use sweep::Problem;
use worker::logging::color_on_stderr;

use crate::view::Misplaced;
use crate::view::terminal::n_of;

/// Most bytes of a sweep file. People write them by hand; the largest useful one is far smaller.
pub const MAX_SWEEP_FILE_BYTES: u64 = 4 << 20;

/// A sweep file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepText {
    /// As the user gave it.
    pub path: PathBuf,
    pub text: String,
}

impl SweepText {
    /// Reads a sweep file.
    ///
    /// # Errors
    /// A message for the user: a file that is missing, unreadable, too large or not UTF-8.
    pub fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        if path.is_dir() {
            return Err(format!(
                "{shown} is a folder; expected a sweep file{}",
                sweep_files_of(path)
            ));
        }
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_SWEEP_FILE_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|error| {
                format!("cannot read the sweep file {shown}: {error}{}", neighbours(path))
            })?;
        if bytes.len() as u64 > MAX_SWEEP_FILE_BYTES {
            return Err(format!(
                "{shown} is no sweep file: it has more than {MAX_SWEEP_FILE_BYTES} bytes, the limit"
            ));
        }
        let report = path.parent().filter(|it| it.join("manifest.json").exists());
        if let Some(report) = report.filter(|_| path.extension().is_none_or(|it| it != "toml")) {
            let file = report.join("sweep.toml");
            return Err(format!(
                "{shown} is a file of a report; its sweep file as it ran is {}",
                file.display()
            ));
        }
        let text = String::from_utf8(bytes).map_err(|error| not_utf8(path, &error))?;
        Ok(Self { path: path.to_owned(), text })
    }

    /// The folder that relative paths in the file count from.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Renders the problems and a last line that counts them.
    pub fn render(&self, problems: &[Problem], color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let renderer = match columns_of_stderr() {
            Some(columns) => renderer.term_width(columns),
            None => renderer,
        };
        let path = self.path.display().to_string();
        let mut text = String::new();
        for problem in problems {
            text += &renderer.render(&[group(problem, &path, &self.text)]);
            text += "\n\n";
        }
        let n_problems = n_of(problems.len(), "problem");
        text + &format!("{n_problems} in {path}; nothing was started\n")
    }

    /// The problems with their lines and columns, for programs.
    pub fn placed(&self, problems: &[Problem]) -> Vec<Misplaced> {
        let placed = |problem: &Problem| {
            let start = problem.span.as_ref().map(|span| within(span, &self.text).start);
            let before = start.map(|start| &self.text[..start]);
            let line_start = before.map(|it| it.rfind('\n').map_or(0, |newline| newline + 1));
            Misplaced {
                message: problem.message.clone(),
                label: problem.label.clone(),
                help: problem.help.clone(),
                line: before.map(|it| 1 + it.matches('\n').count()),
                column: before.zip(line_start).map(|(it, start)| 1 + it[start..].chars().count()),
            }
        };
        problems.iter().map(placed).collect()
    }

    /// Prints the problems to stderr, in colour on a terminal.
    pub fn print(&self, problems: &[Problem]) {
        eprint!("{}", self.render(problems, color_on_stderr()));
    }
}

/// Columns of the terminal that stderr is, if it is one.
fn columns_of_stderr() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok()?;
    (size.ws_col > 0).then(|| size.ws_col.into())
}

fn group<'a>(problem: &'a Problem, path: &'a str, source: &'a str) -> Group<'a> {
    let title = Level::ERROR.primary_title(problem.message.as_str());
    let place: Element<'a> = match &problem.span {
        Some(span) => {
            let mark = AnnotationKind::Primary.span(within(span, source)).label(&problem.label);
            Snippet::source(source).path(path).annotation(mark).into()
        }
        None => Origin::path(path).into(),
    };
    let mut group = title.element(place);
    if problem.span.is_none() {
        group = group.element(Level::NOTE.message(problem.label.as_str()));
    }
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    group
}

/// The span cut to the source and widened to whole characters, since rendering panics otherwise.
fn within(span: &Range<usize>, source: &str) -> Range<usize> {
    let start = source.floor_char_boundary(span.start);
    let end = source.ceil_char_boundary(span.end);
    start..end.max(start)
}

fn not_utf8(path: &Path, error: &std::string::FromUtf8Error) -> String {
    let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
    let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
    let shown = path.display();
    let is_utf16 = matches!(error.as_bytes(), [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
    let help = if is_utf16 { " (it looks like UTF-16: save it as UTF-8)" } else { "" };
    format!("{shown}:{line}: the file is not UTF-8 text; expected a sweep file in TOML{help}")
}

/// Names the sweep file of a report's folder, or the sweep files in any other.
fn sweep_files_of(folder: &Path) -> String {
    if folder.join("manifest.json").exists() || folder.join(".state").exists() {
        let file = folder.join("sweep.toml");
        let status = command::coordinator(["status".into(), command::path(folder)]);
        let as_it_ran = match file.exists() {
            true => format!("; the file as it ran is {}", file.display()),
            false => String::new(),
        };
        return format!(
            ", and this is a report's folder{as_it_ran}; `{status}` tells where its sweep stands"
        );
    }
    let names = sweep_files_in(folder);
    match names.as_slice() {
        [] => ", such as sweeps/quick.toml".to_owned(),
        _ => format!("; in {} there are: {}", folder.display(), names.join(", ")),
    }
}

/// Names the sweep files beside a path that is not there.
fn neighbours(path: &Path) -> String {
    let mut with_ending = path.as_os_str().to_owned();
    with_ending.push(".toml");
    if !path.exists() && Path::new(&with_ending).is_file() {
        return format!("; did you mean {}?", Path::new(&with_ending).display());
    }
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return format!("; the folder {} is not there either", folder.display());
    }
    let names = sweep_files_in(folder);
    if names.is_empty() || path.exists() {
        return String::new();
    }
    format!("; in {} there are: {}", folder.display(), names.join(", "))
}

/// The first few, by name.
fn sweep_files_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = folder
        .read_dir()
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".toml") && looks_like_a_sweep(&folder.join(name)))
        .collect();
    names.sort();
    names.truncate(10);
    names
}

/// Whether a file has the one table that every sweep file has.
pub fn looks_like_a_sweep(path: &Path) -> bool {
    let small =
        path.metadata().is_ok_and(|facts| facts.is_file() && facts.len() <= MAX_SWEEP_FILE_BYTES);
    small && std::fs::read_to_string(path).is_ok_and(|text| text.contains("[[grid]]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "name = \"quick\"\n\n[train]\nepoks = 10\nbatch_size = []\n";

    fn problem(message: &str, place: Option<&str>, label: &str, help: Option<&str>) -> Problem {
        let span = place.map(|place| {
            let start = SOURCE.find(place).expect("in the source");
            start..start + place.len()
        });
        Problem { message: message.into(), span, label: label.into(), help: help.map(Into::into) }
    }

    fn quick() -> SweepText {
        SweepText { path: "sweeps/quick.toml".into(), text: SOURCE.into() }
    }

    #[test]
    fn reads_like_a_compiler() {
        let problems = [
            problem(
                "unknown key `epoks`",
                Some("epoks"),
                "not a key",
                Some("did you mean `epochs`?"),
            ),
            problem("`batch_size` is empty", Some("[]"), "expected one value or more", None),
            problem("`[dataset]` is missing", None, "expected a table", Some("write `[dataset]`")),
        ];
        let expected = "\
error: unknown key `epoks`
 --> sweeps/quick.toml:4:1
  |
4 | epoks = 10
  | ^^^^^ not a key
  |
  = help: did you mean `epochs`?

error: `batch_size` is empty
 --> sweeps/quick.toml:5:14
  |
5 | batch_size = []
  |              ^^ expected one value or more

error: `[dataset]` is missing
--> sweeps/quick.toml
 = note: expected a table
 = help: write `[dataset]`

3 problems in sweeps/quick.toml; nothing was started
";
        assert_eq!(quick().render(&problems, false), expected);
    }

    #[test]
    fn colour_changes_no_word() {
        let problems = [problem("wrong", Some("epoks"), "here", None)];
        let plain = quick().render(&problems, false);
        let colored = quick().render(&problems, true);
        assert!(colored.contains('\u{1b}') && !plain.contains('\u{1b}'));
        assert!(plain.ends_with("1 problem in sweeps/quick.toml; nothing was started\n"));
    }

    #[test]
    fn spans_outside_the_text_do_not_panic() {
        let text = SweepText { path: "a.toml".into(), text: "ä = \u{7}1\n".into() };
        for span in [0..0, 1..1, 1..2, 5..6, 6..6, 3..900, 900..901] {
            let problem = problem("wrong", None, "here", None);
            let problem = Problem { span: Some(span), ..problem };
            assert!(text.render(&[problem], false).contains("error: wrong"));
        }
    }

    #[test]
    fn a_missing_file_names_its_neighbours() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in [("quick.toml", "[[grid]]\n"), ("Cargo.toml", "[package]\n")] {
            std::fs::write(folder.path().join(name), text).expect("a file");
        }
        let error = SweepText::read(&folder.path().join("quik.toml")).expect_err("missing");
        assert!(!error.contains("Cargo.toml"), "{error}");
        assert!(error.contains("quik.toml") && error.contains("there are: quick.toml"), "{error}");
        let error = SweepText::read(folder.path()).expect_err("a folder");
        assert!(error.contains("is a folder"), "{error}");
    }

    #[test]
    fn a_file_of_a_report_is_not_read_as_a_sweep() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["manifest.json", "report.md", "sweep.toml"] {
            std::fs::write(folder.path().join(name), "").expect("a file");
        }
        let error = SweepText::read(&folder.path().join("report.md")).expect_err("a page");
        let file = folder.path().join("sweep.toml");
        assert!(error.contains(&format!("as it ran is {}", file.display())), "{error}");
        assert!(SweepText::read(&file).is_ok());
    }

    #[test]
    fn what_is_not_text_is_refused_with_its_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.toml");
        std::fs::write(&path, b"name = \"a\"\n\xff\xfe").expect("a file");
        let error = SweepText::read(&path).expect_err("not UTF-8");
        assert!(error.contains("a.toml:2: ") && error.contains("not UTF-8"), "{error}");
        std::fs::write(&path, b"\xff\xfen\0a\0").expect("a file");
        let error = SweepText::read(&path).expect_err("UTF-16");
        assert!(error.contains("a.toml:1: ") && error.contains("save it as UTF-8"), "{error}");
        let large = "#".repeat(usize::try_from(MAX_SWEEP_FILE_BYTES).expect("small") + 1);
        std::fs::write(&path, large).expect("a file");
        assert!(SweepText::read(&path).expect_err("too large").contains("the limit"));
    }
}
