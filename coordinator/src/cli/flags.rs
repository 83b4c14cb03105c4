//! Flags in the wrong place: of another name, of another verb or program, or before what needs none.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use report::command;

use crate::cli::args::{DEFAULT_OUT, RawCli};
use crate::cli::report_folder::{report_of_sweep, reports_in};

/// What other programs call a flag of a run.
const OTHER_NAMES: [(&str, &str); 12] = [
    ("slots", "local-slots"),
    ("threads", "local-slots"),
    ("jobs", "local-slots"),
    ("workers", "local-workers"),
    ("processes", "local-workers"),
    ("file", "sweep"),
    ("config", "sweep"),
    ("out-dir", "out"),
    ("output-dir", "out"),
    ("bind", "listen"),
    ("address", "listen"),
    ("timeout", "time-limit"),
];

/// A flag as it was given.
struct Given<'a> {
    name: &'a str,
    value: Option<&'a OsStr>,
    /// The other words, without the verb.
    others: Vec<&'a OsStr>,
}

/// What was meant by `unknown`, a flag that this verb, or a run without a verb, does not have.
pub fn hint(arguments: &[OsString], unknown: &str, has_similar: bool) -> Option<String> {
    let first = arguments.first()?.to_str().unwrap_or_default();
    let verb = verbs().find(|verb| verb == first);
    let words = &arguments[usize::from(verb.is_some())..];
    let given = Given::find(words, unknown.split('=').next()?.strip_prefix("--")?)?;
    match verb {
        None => given.of_run(has_similar),
        Some(verb) => given.of_verb(&verb, has_similar),
    }
}

/// Those that the help lists.
pub fn verbs() -> impl Iterator<Item = String> {
    let verbs: Vec<String> = RawCli::command()
        .get_subcommands()
        .filter(|verb| !verb.is_hide_set())
        .map(|verb| verb.get_name().to_owned())
        .collect();
    verbs.into_iter()
}

impl<'a> Given<'a> {
    fn find(words: &'a [OsString], name: &'a str) -> Option<Self> {
        let flag = format!("--{name}");
        let with_value = format!("--{name}=");
        let is_it =
            |word: &OsString| *word == *flag || word.as_bytes().starts_with(with_value.as_bytes());
        let at = words.iter().position(is_it)?;
        let joined = words[at].as_bytes().strip_prefix(with_value.as_bytes());
        let next = words.get(at + 1).filter(|it| !it.as_bytes().starts_with(b"-"));
        let value = joined.map(OsStr::from_bytes).or(next.map(OsString::as_os_str));
        let n_taken = if joined.is_none() && next.is_some() { 2 } else { 1 };
        let others = words[..at].iter().chain(&words[at + n_taken..]);
        Some(Self { name, value, others: others.map(OsString::as_os_str).collect() })
    }

    fn of_run(&self, has_similar: bool) -> Option<String> {
        if let Some((_, own)) = OTHER_NAMES.iter().find(|(other, _)| *other == self.name) {
            let flag = [OsString::from(format!("--{own}"))];
            let words = flag.into_iter().chain(self.value.map(OsString::from));
            let words: Vec<String> = words.map(command::quoted).collect();
            return Some(format!("did you mean `{}`?", words.join(" ")));
        }
        if has_similar { None } else { self.owner(None) }
    }

    fn of_verb(&self, verb: &str, has_similar: bool) -> Option<String> {
        let has_path = self.others.iter().any(|it| !it.as_bytes().starts_with(b"-"));
        let takes_path = verb != "schema" && verb != "bench";
        match self.value {
            Some(value) if takes_path && !has_path && !has_similar => {
                let path = match (verb, Path::new(value)) {
                    ("plan", file) => file.into(),
                    (_, path) if path.extension().is_some_and(|it| it == "toml") => {
                        report_of_sweep(path).unwrap_or_else(an_example)
                    }
                    (_, folder) => folder.into(),
                };
                let trial = (verb == "replay").then(|| "best".into());
                let words = [verb.into(), command::path(&path)].into_iter().chain(trial);
                let words = words.chain(self.others.iter().map(OsString::from));
                Some(format!("did you mean `{}`?", command::coordinator(words)))
            }
            _ if has_similar => None,
            _ => self.owner(Some(verb)),
        }
    }

    /// Whose flag it is, other than of `verb` or, without one, of a run.
    fn owner(&self, verb: Option<&str>) -> Option<String> {
        let name = self.name;
        let has =
            |command: &clap::Command| command.get_arguments().any(|it| it.get_long() == Some(name));
        let raw = RawCli::command();
        let of_verbs: Vec<String> = raw
            .get_subcommands()
            .filter(|it| !it.is_hide_set() && has(it))
            .map(|it| format!("`coordinator {}`", it.get_name()))
            .collect();
        let help = match verb {
            None => "`coordinator --help` lists those of a run".to_owned(),
            Some(verb) => format!("`coordinator {verb} --help` lists those of `{verb}`"),
        };
        let owner = if verb.is_some() && has(&raw) {
            "a run, `coordinator --sweep FILE`".to_owned()
        } else if !of_verbs.is_empty() {
            of_verbs.join(", ")
        } else if worker::parts::has_flag(name) {
            "`worker`".to_owned()
        } else {
            return None;
        };
        Some(format!("--{name} is a flag of {owner}; {help}"))
    }
}

/// A report that is there, or else a name such as they have.
pub fn an_example() -> PathBuf {
    let default = Path::new(DEFAULT_OUT);
    reports_in(default).into_iter().next().unwrap_or(default.join("quick"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hinted(line: &str, unknown: &str) -> String {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        hint(&words, unknown, false).unwrap_or_default()
    }

    #[test]
    fn a_flag_in_the_wrong_place_is_shown_in_its_own() {
        for (line, unknown, words) in [
            ("plan --sweep x.toml", "--sweep", "did you mean `coordinator plan x.toml`?"),
            ("plan --file=x.toml -v", "--file", "did you mean `coordinator plan x.toml -v`?"),
            ("status --sweep x.toml", "--sweep", "did you mean `coordinator status reports/"),
            ("status --out reports/a", "--out", "did you mean `coordinator status reports/a`?"),
            ("replay --out reports/a", "--out", "`coordinator replay reports/a best`"),
            (
                "plan x.toml --out o",
                "--out",
                "--out is a flag of a run, `coordinator --sweep FILE`",
            ),
            ("status a --follow", "--follow", "is a flag of `coordinator export`"),
            ("--sweep x.toml --format optuna", "--format", "is a flag of `coordinator export`"),
            ("--sweep x.toml --slots 2", "--slots", "did you mean `--local-slots 2`?"),
            ("--sweep x.toml --slots=2", "--slots", "did you mean `--local-slots 2`?"),
            ("--workers 2 --sweep x.toml", "--workers", "did you mean `--local-workers 2`?"),
            (
                "--sweep x.toml --stay",
                "--stay",
                "--stay is a flag of `worker`; `coordinator --help`",
            ),
            ("bench train --sweep x.toml", "--sweep", "--sweep is a flag of a run"),
        ] {
            let hint = hinted(line, unknown);
            assert!(hint.contains(words), "{line}: {hint}");
        }
        assert_eq!(hinted("--sweep x.toml --nonsense", "--nonsense"), "");
        assert_eq!(hinted("status a b", "b"), "");
    }
}
