//! The command line: flags and verbs, typed. Nothing is looked up or derived here; what contradicts
//! itself is refused, like any other wrong usage, before anything starts.

#[allow(rustdoc::invalid_html_tags, reason = "these comments are shown by --help as they are")]
pub mod args;
mod flags;
mod hint;
pub mod problems;
pub mod refusal;
pub mod report_folder;
pub mod run_config;
#[cfg(test)]
mod tests;
mod values;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, CommandFactory, FromArgMatches as _};

use crate::view::{Event, Failure, say, stream};
pub use args::{
    Bench, BenchDispatch, BenchTrain, BuildReport, DEFAULT_OUT, Export, ExportFormat, FolderArgs,
    LocalWorker, Plan, Replay, Verb,
};
use args::{RawCli, RawVerb};
pub use run_config::RunConfig;

/// What the user asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Cli {
    pub command: Command,
    /// How often `-v` was given.
    pub verbosity: u8,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Runs or resumes a sweep and writes its report.
    Run(RunConfig),
    Verb(Verb),
    /// Is a worker of the coordinator that started it.
    LocalWorker(LocalWorker),
}

/// Reads this process's command line.
///
/// # Errors
/// Gives the exit code once everything is said: 2 for wrong usage, with its reason, 0 for `--help` and
/// `--version`.
pub fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse_from(std::env::args_os()).map_err(|mut error| {
        if !error.use_stderr() {
            return worker::parts::print_help(&error);
        }
        let arguments: Vec<_> = std::env::args_os().skip(1).collect();
        let hint = hint::hint(&arguments, &error);
        drop_tips(&mut error, hint.is_some());
        // A closed stream is no reason for another code.
        let _ = error.print();
        if let Some(hint) = &hint {
            say(&format!("\n{hint}"));
        }
        if asks_for_stream(&arguments) {
            let message = error.to_string() + &hint.unwrap_or_default();
            let failure = Failure { kind: "usage", message, exit_code: 2, problems: Vec::new() };
            stream::emit(&Event::Error(&failure));
        }
        ExitCode::from(2)
    })
}

/// Takes away what the parser guesses where a hint knows better, and its advice to take a flag for a
/// value, which is never what was meant.
fn drop_tips(error: &mut clap::Error, has_hint: bool) {
    let is_flag =
        |value: &ContextValue| matches!(value, ContextValue::String(it) if it.starts_with("--"));
    let names_flag = error.get(ContextKind::InvalidArg).is_some_and(is_flag);
    if has_hint || names_flag {
        error.remove(ContextKind::Suggested);
    }
    if has_hint {
        error.remove(ContextKind::SuggestedSubcommand);
    }
}

/// Whether a command line that cannot be read asks for `--output json`.
fn asks_for_stream(arguments: &[OsString]) -> bool {
    let follows = |pair: &[OsString]| pair[0] == "--output" && pair[1] == "json";
    arguments.windows(2).any(follows) || arguments.iter().any(|it| it == "--output=json")
}

/// So that `-1` is refused as what it is, a value, and not as a flag that nobody meant.
fn with_negative_numbers(command: clap::Command) -> clap::Command {
    let of_flags = |arg: Arg| match arg.get_long().is_some() && arg.get_action().takes_values() {
        true => arg.allow_negative_numbers(true),
        false => arg,
    };
    command.mut_args(of_flags).mut_subcommands(with_negative_numbers)
}

impl Cli {
    /// Reads a command line, the program's name first.
    ///
    /// # Errors
    /// What is wrong, ready to print, or the text that `--help` and `--version` ask for.
    pub fn try_parse_from<I, T>(arguments: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString> + Clone,
    {
        let mut command = with_negative_numbers(RawCli::command());
        let mut matches = command.try_get_matches_from_mut(arguments)?;
        let raw = RawCli::from_arg_matches_mut(&mut matches)
            .map_err(|error| error.format(&mut command))?;
        let command = match (raw.verb, raw.run) {
            (Some(RawVerb::Verb(verb)), _) => Command::Verb(verb),
            (Some(RawVerb::LocalWorker(worker)), _) => Command::LocalWorker(worker),
            (None, Some(args)) => Command::Run(RunConfig::new(args)?),
            (None, None) => {
                let text = "expected --sweep FILE or a verb, such as plan FILE";
                return Err(RawCli::command().error(ErrorKind::MissingRequiredArgument, text));
            }
        };
        Ok(Self { command, verbosity: raw.verbosity })
    }
}
