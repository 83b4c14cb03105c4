//! The coordinator: everything of a sweep that touches the outside. `main` is the whole program;
//! what it decides is in `coordinator-core`, what it trains in `trainer`, what it tells in `report`.

mod bench;
pub mod cli;
mod clock;
mod committed;
mod confirm;
pub mod datasets;
pub mod diagnostics;
mod driver;
pub mod duration;
mod engine;
mod exports;
mod facts;
mod local;
mod mailbox;
mod monitor;
pub mod parts;
mod prepare;
pub mod progress;
mod publish;
mod recorded_data;
mod replay;
mod report_input;
mod roster;
mod rpc;
mod run;
mod store;
pub mod terminal;
mod values;
mod verbs;
mod verify;
mod weights;

use std::{path::PathBuf, process::ExitCode};

use cli::{Bench, Command, Verb};
use prepare::Refusal;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// The whole program. Local workers and reports run in children of the same executable.
pub fn main() -> ExitCode {
    let cli = cli::parse();
    // A worker logs in its own way.
    if let Command::Verb(Verb::LocalWorker(arguments)) = cli.command {
        return verbs::local_worker(arguments);
    }
    start_logging(cli.verbosity);
    let result = match cli.command {
        Command::Run(run) => this_program().and_then(|it| run::run(&run, it)),
        Command::Verb(verb) => run_verb(&verb).map(|()| 0),
    };
    match result {
        Ok(code) => code.into(),
        Err(Refusal::Usage(text)) => {
            if !text.is_empty() {
                progress::say(&format!("error: {text}"));
            }
            run::EXIT_USAGE.into()
        }
        Err(Refusal::Runtime(error)) => {
            progress::say(&format!("error: {error:#}"));
            run::EXIT_RUNTIME.into()
        }
    }
}

fn run_verb(verb: &Verb) -> Result<(), Refusal> {
    match verb {
        Verb::Plan(arguments) => verbs::plan(arguments),
        Verb::Schema => Ok(verbs::schema()?),
        Verb::Report(arguments) => Ok(verbs::report(arguments)?),
        Verb::Status(arguments) => Ok(verbs::status(arguments)?),
        Verb::Replay(arguments) => replay::replay(arguments),
        Verb::Verify(arguments) => Ok(verify::verify(arguments)?),
        Verb::Export(arguments) => exports::export(arguments),
        Verb::Bench(Bench::Train(arguments)) => bench::train(arguments),
        Verb::Bench(Bench::Dispatch(arguments)) => bench::dispatch(arguments, this_program()?),
        Verb::BuildReport(arguments) => Ok(verbs::build_report(arguments)?),
        Verb::LocalWorker(_) => unreachable!("`main` starts it"),
    }
}

/// This executable, even after its file was replaced by a newer build.
fn this_program() -> Result<PathBuf, Refusal> {
    let own = PathBuf::from("/proc/self/exe");
    if own.exists() { Ok(own) } else { Ok(std::env::current_exe()?) }
}

fn start_logging(verbosity: u8) {
    let default = match verbosity {
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    let filter = EnvFilter::builder().with_default_directive(default.into()).from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        // A closed stderr must not become a panic.
        .log_internal_errors(false)
        .with_ansi(diagnostics::color_on_stderr())
        .with_writer(progress::make_writer)
        .init();
}
