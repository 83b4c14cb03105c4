//! The coordinator: everything of a sweep that touches the outside. `main` is the whole program;
//! what it decides is in `coordinator-core`, what it trains in `trainer`, what it tells in `report`.

pub mod cli;
mod dataset;
pub mod parts;
mod placement;
mod reporting;
mod rpc;
mod run;
mod store;
mod verbs;
pub mod view;

use std::path::PathBuf;
use std::process::ExitCode;

use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::LevelFilter;

use crate::cli::refusal::Refusal;
use crate::cli::{Bench, Command, Verb};
use crate::view::output::Output;
use view::stream::{self, Warnings};
use view::{Event, Failure};
// Both programs write and read times in one form.
pub use worker::duration;

/// The whole program. Local workers and reports run in children of the same executable.
pub fn main() -> ExitCode {
    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let start_logging = |is_stream| start_logging(cli.verbosity, is_stream);
    let result = match cli.command {
        // A worker logs in its own way.
        Command::LocalWorker(arguments) => return verbs::local_worker(arguments),
        Command::Run(run) => {
            start_logging(run.output == Output::Json);
            this_program().and_then(|it| run::run(&run, it))
        }
        Command::Verb(verb) => {
            start_logging(false);
            run_verb(&verb).map(|()| 0)
        }
    };
    match result {
        Ok(code) => code.into(),
        Err(refusal) => tell(refusal).into(),
    }
}

/// Says to people and programs why nothing was started, or why it ended; gives the exit code.
fn tell(refusal: Refusal) -> u8 {
    let mut problems = Vec::new();
    let (kind, message, exit_code) = match refusal {
        Refusal::Usage(text) => ("usage", text, run::EXIT_USAGE),
        Refusal::SweepFile { path, problems: found } => {
            problems = found;
            ("sweep_file", format!("{} cannot be run", path.display()), run::EXIT_USAGE)
        }
        Refusal::Runtime(error) => ("runtime", format!("{error:#}"), run::EXIT_RUNTIME),
    };
    view::leave();
    // The problems of a sweep file are printed where they are found.
    if problems.is_empty() {
        view::say(&format!("error: {message}"));
    }
    let failure = Failure { kind, message, exit_code, problems };
    stream::emit_to_readers(&Event::Error(&failure));
    exit_code
}

fn run_verb(verb: &Verb) -> Result<(), Refusal> {
    cli::report_folder::check(verb)?;
    match verb {
        Verb::Plan(arguments) => verbs::plan(arguments),
        Verb::Schema => Ok(verbs::schema()?),
        Verb::Report(arguments) => Ok(verbs::report(arguments)?),
        Verb::Status(arguments) => Ok(verbs::status(arguments)?),
        Verb::Replay(arguments) => verbs::replay::replay(arguments),
        Verb::Verify(arguments) => Ok(verbs::verify::verify(arguments)?),
        Verb::Export(arguments) => verbs::export::export(arguments),
        Verb::Bench(Bench::Train(arguments)) => verbs::bench::train(arguments),
        Verb::Bench(Bench::Dispatch(arguments)) => {
            verbs::bench::dispatch(arguments, this_program()?)
        }
        Verb::BuildReport(arguments) => Ok(verbs::build_report(arguments)?),
    }
}

/// This executable, even after its file was replaced by a newer build.
fn this_program() -> Result<PathBuf, Refusal> {
    let own = PathBuf::from("/proc/self/exe");
    if own.exists() { Ok(own) } else { Ok(std::env::current_exe()?) }
}

fn start_logging(verbosity: u8, is_stream: bool) {
    let default = match verbosity {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    if is_stream {
        stream::start();
    }
    let warnings = is_stream.then(|| Warnings.with_filter(LevelFilter::WARN));
    worker::logging::start_with(default, view::make_writer, warnings);
}
