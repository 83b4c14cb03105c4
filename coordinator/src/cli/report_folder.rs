//! The folder of a report, as the verbs take it: what cannot be one is refused before anything is
//! read, with what was given, what is expected and the command that was meant.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use report::command;

use crate::cli::args::{DEFAULT_OUT, FolderArgs, Verb};
use crate::cli::refusal::Refusal;
use crate::store::{StateFolder, database_in};

/// Folders that an error names.
const MAX_NAMED: usize = 10;

/// What a verb was given.
struct Given<'a> {
    verb: &'static str,
    folder: &'a Path,
    /// With `--state`, which then has what is read.
    has_state: bool,
    /// Words behind the folder.
    rest: Vec<&'a str>,
}

/// # Errors
/// Wrong usage: a file, a folder that is not there, or one that is not a report's. Another one: it
/// cannot be read.
pub fn check(verb: &Verb) -> Result<(), Refusal> {
    let Some(given) = Given::of(verb) else { return Ok(()) };
    given.look()?;
    match given.problem() {
        Some(problem) => Err(Refusal::Usage(problem)),
        None => Ok(()),
    }
}

/// Whether it holds a report or a recorded state, or a coordinator is about to make one there.
pub fn is_report(folder: &Path) -> bool {
    let state = folder.join(".state");
    folder.join("manifest.json").exists()
        || database_in(&state).exists()
        || StateFolder::is_in_use(&state)
        || folder.join("partial/manifest.json").exists()
}

/// Right in this folder; the first few, by name.
pub fn reports_in(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let mut folders: Vec<_> = entries.map(|it| it.path()).filter(|it| is_report(it)).collect();
    folders.sort();
    folders.truncate(MAX_NAMED);
    folders
}

impl<'a> Given<'a> {
    /// Nothing of a verb that takes no report.
    fn of(verb: &'a Verb) -> Option<Self> {
        let of_report = |verb, it: &'a FolderArgs| {
            let has_state = it.state.is_some();
            Some(Self { verb, folder: &it.folder, has_state, rest: Vec::new() })
        };
        match verb {
            Verb::Report(it) => of_report("report", it),
            Verb::Status(it) => of_report("status", it),
            Verb::Verify(it) => of_report("verify", it),
            Verb::Export(it) => of_report("export", &it.report),
            Verb::Replay(it) => {
                let rest = vec![it.trial.as_str()];
                Some(Self { verb: "replay", folder: &it.folder, has_state: false, rest })
            }
            _ => None,
        }
    }

    /// # Errors
    /// It may not be looked at, so that nothing can be said of what is there.
    fn look(&self) -> anyhow::Result<()> {
        use io::ErrorKind::{NotADirectory, NotFound};
        let inside = self.folder.join("manifest.json");
        for path in [self.folder, &inside] {
            match path.metadata() {
                Err(error) if !matches!(error.kind(), NotFound | NotADirectory) => {
                    return Err(error)
                        .with_context(|| format!("{}: cannot be read", path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn problem(&self) -> Option<String> {
        let shown = self.folder.display();
        if self.folder.is_file() {
            return Some(format!("{shown} is a file; {}", self.instead_of_file()));
        }
        if self.has_state || is_report(self.folder) {
            return None;
        }
        Some(match self.folder.is_dir() {
            true => format!("{shown} is not the folder of a report; {}", self.instead_of_folder()),
            false => format!("{shown}: no such folder; {}", self.instead_of_nothing()),
        })
    }

    fn instead_of_file(&self) -> String {
        if let Some(report) = report_above(self.folder) {
            return self.meant(&report);
        }
        if self.folder.extension().is_some_and(|it| it == "toml") {
            let run = command::coordinator([OsString::from("--sweep"), command::path(self.folder)]);
            return match report_of_sweep(self.folder) {
                Some(report) => self.meant(&report),
                None => format!(
                    "expected the folder of a report, which `{run}` writes (reports/<name of the sweep>)"
                ),
            };
        }
        if is_database(self.folder) && self.verb != "replay" {
            let words = [self.verb.into(), "FOLDER".into(), "--state".into()];
            let meant = command::coordinator(words.into_iter().chain([command::path(self.folder)]));
            return format!("a recorded state is given beside the report's folder: `{meant}`");
        }
        self.expected()
    }

    fn instead_of_folder(&self) -> String {
        let inside = reports_in(self.folder);
        match (inside.as_slice(), report_above(self.folder)) {
            ([], Some(report)) => self.meant(&report),
            ([], None) => self.expected(),
            ([one], _) => format!("it holds one: {}", self.meant(one)),
            ([first, ..], _) => {
                let names: Vec<_> = inside.iter().map(|it| it.display().to_string()).collect();
                format!(
                    "it holds several: {}; name one, such as `{}`",
                    names.join(", "),
                    self.command(first)
                )
            }
        }
    }

    fn instead_of_nothing(&self) -> String {
        // As in `replay best reports/full`.
        if let [trial] = self.rest[..]
            && is_report(Path::new(trial))
        {
            let words = [self.verb.into(), command::path(Path::new(trial)), self.folder.into()];
            return format!("the folder goes first: `{}`", command::coordinator(words));
        }
        let in_default = Path::new(DEFAULT_OUT).join(self.folder);
        if is_report(&in_default) {
            return self.meant(&in_default);
        }
        let beside = match self.folder.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new(DEFAULT_OUT),
        };
        match reports_in(beside).as_slice() {
            [] => self.expected(),
            some => {
                let names: Vec<_> = some.iter().map(|it| it.display().to_string()).collect();
                format!("there are: {}", names.join(", "))
            }
        }
    }

    fn expected(&self) -> String {
        format!(
            "expected the folder of a sweep's report, as in `{}`",
            self.command(&Path::new(DEFAULT_OUT).join("quick"))
        )
    }

    fn meant(&self, folder: &Path) -> String {
        format!("did you mean `{}`?", self.command(folder))
    }

    fn command(&self, folder: &Path) -> String {
        let rest = self.rest.iter().map(OsString::from);
        let words = [self.verb.into(), command::path(folder)];
        command::coordinator(words.into_iter().chain(rest))
    }
}

/// The report that this is a part of: a table of it, its state, an export.
pub fn report_above(path: &Path) -> Option<PathBuf> {
    let above = path.ancestors().skip(1).take(3);
    above.filter(|it| *it != Path::new("")).find(|it| is_report(it)).map(Path::to_path_buf)
}

/// Where the sweep of this file has its report, unless that is elsewhere.
pub fn report_of_sweep(file: &Path) -> Option<PathBuf> {
    let text = std::fs::read_to_string(file).ok()?;
    let file = sweep::parse(&text, trainer::interface()).ok()?;
    Some(Path::new(DEFAULT_OUT).join(file.name)).filter(|it| is_report(it))
}

pub fn is_database(path: &Path) -> bool {
    use std::io::Read as _;
    let mut magic = [0; 15];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && &magic == b"SQLite format 3"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};

    /// The problem of a command line, its words parted by `|`.
    fn problem(line: &str) -> Option<String> {
        let words = ["coordinator"].into_iter().chain(line.split('|'));
        match Cli::try_parse_from(words).expect(line).command {
            Command::Verb(verb) => match check(&verb) {
                Ok(()) => None,
                Err(Refusal::Usage(problem)) => Some(problem),
                Err(_) => panic!("{line}: expected wrong usage"),
            },
            _ => panic!("{line}: expected a verb"),
        }
    }

    #[test]
    fn what_cannot_be_looked_at_is_not_taken_for_absent() {
        let folder = tempfile::tempdir().expect("a folder");
        let (ring, report) = (folder.path().join("ring"), folder.path().join("report"));
        std::os::unix::fs::symlink(&ring, &ring).expect("a link");
        std::fs::create_dir(&report).expect("a folder");
        let manifest = report.join("manifest.json");
        std::os::unix::fs::symlink(&manifest, &manifest).expect("a link");
        for verb in ["report", "status", "verify", "export"] {
            for (given, named) in [(&ring, &ring), (&report, &manifest)] {
                let words = ["coordinator".as_ref(), verb.as_ref(), given.as_os_str()];
                let Command::Verb(verb) = Cli::try_parse_from(words).expect("a verb").command
                else {
                    panic!("{verb}: expected a verb");
                };
                let Err(Refusal::Runtime(error)) = check(&verb) else { panic!("{verb:?}") };
                let said = format!("{error:#}");
                assert!(
                    said.starts_with(&format!("{}: cannot be read: ", named.display())),
                    "{said}"
                );
            }
        }
    }

    #[test]
    fn what_is_not_a_report_is_named_with_the_command_that_was_meant() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |path: &str| folder.path().join(path).display().to_string();
        for name in ["a", "my b"] {
            std::fs::create_dir_all(at(&format!("{name}/export"))).expect("a folder");
            std::fs::write(at(&format!("{name}/manifest.json")), "{}").expect("a file");
        }
        std::fs::write(at("mine.toml"), "name = \"no-such-report\"").expect("a file");
        std::fs::write(at("copy.db"), "SQLite format 3\0...").expect("a file");
        std::fs::write(at("notes.txt"), "").expect("a file");
        let root = at("");
        let root = root.trim_end_matches('/');
        for verb in ["report", "status", "verify", "export", "replay"] {
            let rest = if verb == "replay" { "|best" } else { "" };
            let behind = rest.replace('|', " ");
            let said = |path: &str| problem(&format!("{verb}|{path}{rest}")).unwrap_or_default();
            let (a, b) = (at("a"), at("my b"));
            assert_eq!(said(&a), "");
            let words = format!("name one, such as `coordinator {verb} {a}{behind}`");
            assert!(said(root).contains(&words), "{}", said(root));
            let words = format!("did you mean `coordinator {verb} '{b}'{behind}`?");
            assert!(said(&at("my b/manifest.json")).contains(&words), "{verb}");
            assert!(said(&at("my b/export")).contains(&words), "{verb}");
            let words = format!("`coordinator --sweep {}`", at("mine.toml"));
            assert!(said(&at("mine.toml")).contains(&words), "{}", said(&at("mine.toml")));
            assert!(said(&at("notes.txt")).contains("is a file; expected the folder"), "{verb}");
            let said = said(&at("c"));
            assert!(said.contains("no such folder; there are: ") && said.contains(&b), "{said}");
        }
        let said = problem(&format!("status|{}", at("copy.db"))).expect("a problem");
        assert!(said.contains(&format!("status FOLDER --state {}", at("copy.db"))), "{said}");
        let said = problem(&format!("replay|best|{}", at("a"))).expect("a problem");
        assert!(said.contains(&format!("`coordinator replay {} best`", at("a"))), "{said}");
        let state = format!("report|{}|--state|{}", at("new"), at("copy.db"));
        assert_eq!(problem(&state), None, "the report's folder may be made");
        assert_eq!(problem("schema"), None);
    }
}
