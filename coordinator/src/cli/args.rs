//! The arguments of the coordinator and of its verbs.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::cli::values::{
    optimizer_names, parse_count, parse_count_or_none, parse_listen, parse_rate, parse_share,
};
use crate::duration;
use crate::view::output::Output;

/// Folder of the reports.
pub const DEFAULT_OUT: &str = "reports";

pub const EXAMPLES: &str = "\
Examples:
  coordinator --sweep sweeps/quick.toml             run it here, or resume it
  coordinator plan sweeps/full.toml                 what would run, and how long it may take
  coordinator status reports/full                   where a sweep stands
  coordinator verify reports/full                   whether its files are what was recorded
  coordinator export reports/full --format optuna   its results for another tool
  coordinator --sweep sweeps/full.toml --local-workers 0 --listen 0.0.0.0:7070 --insecure-plaintext
                                                    for workers on other machines

Exit codes: 0 every trial completed or diverged, 1 runtime error, 2 wrong usage or sweep file
(nothing was started), 3 ended with failed or cancelled trials, 130 stopped (run it again to resume).";

#[derive(Debug, Parser)]
#[command(
    name = "coordinator",
    version,
    about = "Runs a hyperparameter sweep on this machine's cores and other machines', and writes its report.",
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    arg_required_else_help = true
)]
pub struct RawCli {
    #[command(flatten)]
    pub run: Option<RunArgs>,
    #[command(subcommand)]
    pub verb: Option<RawVerb>,
    /// More log lines (-vv for all of them); RUST_LOG chooses in detail
    #[arg(short, long = "verbose", global = true, action = ArgAction::Count)]
    pub verbosity: u8,
}

/// Flags of a run.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// The sweep file; an interrupted sweep goes on where it stopped
    #[arg(long, value_name = "FILE")]
    pub sweep: PathBuf,
    /// Folder of the reports; this one goes to DIR/<name of the sweep>
    #[arg(long, value_name = "DIR", default_value = DEFAULT_OUT)]
    pub out: PathBuf,
    /// Folder of the recorded state [default: <out>/<name>/.state]
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Allow the state on a network file system, whose locks may not hold
    #[arg(long)]
    pub allow_network_state: bool,
    /// Set the recorded state aside (as .state-<n>) and start anew
    #[arg(long)]
    pub fresh: bool,
    /// Answer yes to questions, for scripts
    #[arg(long, short)]
    pub yes: bool,
    /// Worker processes on this machine that share its cores; 0: remote workers only
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse_count_or_none::<usize>)]
    pub local_workers: usize,
    /// Trials at once in each local worker [default: an even share of the usable cores]
    #[arg(long, value_name = "N", value_parser = parse_count::<NonZeroUsize>)]
    pub local_slots: Option<NonZeroUsize>,
    /// Where workers connect; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7070", value_parser = parse_listen)]
    pub listen: SocketAddr,
    /// Listen beyond this machine without encryption or authentication
    #[arg(long)]
    pub insecure_plaintext: bool,
    /// A worker that was silent for this long is lost; its trials go to others
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration::parse)]
    pub lease_ttl: Duration,
    /// How often workers report at least; a third of --lease-ttl or less
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration::parse)]
    pub sync_every: Duration,
    /// A trial that took its worker down this many times with no other trial there counts as failed; a
    /// loss beside others, or of a worker that only fell silent, makes it run alone and counts after that
    #[arg(long, value_name = "N", default_value = "3", value_parser = parse_count::<NonZeroU32>)]
    pub crash_limit: NonZeroU32,
    /// Run trials again that failed before
    #[arg(long)]
    pub retry_failed: bool,
    /// Give up at the N-th failed trial: what runs is finished, the rest is cancelled
    #[arg(long, value_name = "N", value_parser = parse_count::<NonZeroU32>)]
    pub max_failed: Option<NonZeroU32>,
    /// Stop in good order after this time, as Ctrl-C does [such as 45m or 1h30m]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub time_limit: Option<Duration>,
    /// Train this share of the trials twice, if possible on two workers, and compare [from 0 to 1]
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = parse_share)]
    pub audit: f64,
    /// How to tell what happens: to people, or as one JSON object a line on stdout
    #[arg(long, value_enum, default_value_t = Output::Human)]
    pub output: Output,
}

#[derive(Debug, Subcommand)]
pub enum RawVerb {
    #[command(flatten)]
    Verb(Verb),
    /// A worker on this machine, started by a coordinator
    #[command(hide = true)]
    LocalWorker(LocalWorker),
}

#[derive(Clone, Debug, PartialEq, Subcommand)]
pub enum Verb {
    /// Show what a sweep file would run, what it would leave out, and what that costs; runs nothing
    Plan(Plan),
    /// Print the JSON Schema of sweep files, for editors that complete and check them
    Schema,
    /// Write the report of a recorded sweep again; of one that runs, its partial report
    Report(FolderArgs),
    /// Show where a sweep stands, running or not: trials, workers, time to go
    Status(FolderArgs),
    /// Train a recorded trial again and compare its digest with the recorded one
    Replay(Replay),
    /// Check a report's files against each other, and against the recorded state where there is one
    Verify(FolderArgs),
    /// Write a sweep's results for SQLite, TensorBoard or Optuna
    Export(Export),
    /// Measure this machine
    #[command(subcommand)]
    Bench(Bench),
    /// Builds a report from a state, in a process of its own
    #[command(hide = true)]
    BuildReport(BuildReport),
}

#[derive(Args, Clone, Debug, PartialEq)]
pub struct Plan {
    /// The sweep file
    pub file: PathBuf,
}

#[derive(Args, Clone, Debug, PartialEq)]
pub struct FolderArgs {
    /// The report's folder, such as reports/full
    pub folder: PathBuf,
    /// Folder of the recorded state, or a copy of it that `export` wrote [default: <folder>/.state]
    #[arg(long, value_name = "PATH")]
    pub state: Option<PathBuf>,
}

#[derive(Args, Clone, Debug, PartialEq)]
pub struct Replay {
    /// The report's folder, such as reports/full; only sweep.toml, manifest.json and the results as
    /// CSV are read
    pub folder: PathBuf,
    /// The first digits of the trial's id, or `best`: the best configuration's first seed
    pub trial: String,
    /// Folder of the data set's four files [default: where the run found it, beside the report, or
    /// in a worker's cache]
    #[arg(long, value_name = "DIR", conflicts_with = "from")]
    pub data: Option<PathBuf>,
    /// Folder that the data set's path in the sweep file counts from
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
    /// Write the weights of the best epoch to this new file, in the safetensors format
    #[arg(long, value_name = "FILE.safetensors")]
    pub save: Option<PathBuf>,
}

#[derive(Args, Clone, Debug, PartialEq)]
pub struct Export {
    #[command(flatten)]
    pub report: FolderArgs,
    /// What to write
    #[arg(long, value_enum, default_value_t = ExportFormat::Sqlite)]
    pub format: ExportFormat,
    /// Where to; must not exist yet, unless --force or --follow says otherwise
    /// [default: <folder>/export/sweep.db, tensorboard or optuna.log]
    #[arg(long, value_name = "PATH")]
    pub to: Option<PathBuf>,
    /// Replace a former export, at once and as a whole
    #[arg(long, conflicts_with = "follow")]
    pub force: bool,
    /// Add to a former export what it lacks, and go on for as long as the sweep runs; for
    /// tensorboard and optuna
    #[arg(long)]
    pub follow: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// A consistent copy of the state, one file; also while the sweep runs
    Sqlite,
    /// A folder of event files with curves and hyperparameters
    Tensorboard,
    /// A journal that Optuna's JournalStorage and the Optuna dashboard load
    Optuna,
}

#[derive(Clone, Debug, PartialEq, Subcommand)]
pub enum Bench {
    /// Time epochs of training on one core, evaluations left out; SWEEP_ISA chooses the instruction set
    Train(BenchTrain),
    /// Hand out trials that do nothing to workers that only talk, through a coordinator of its own
    Dispatch(BenchDispatch),
}

#[derive(Args, Clone, Debug, PartialEq)]
pub struct BenchTrain {
    /// Widths of the hidden layers
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', default_value = "256,128,64",
        value_parser = parse_count_or_none::<u32>)]
    pub hidden: Vec<u32>,
    /// Samples per step
    #[arg(long, value_name = "N", default_value = "32", value_parser = parse_count_or_none::<u64>)]
    pub batch_size: u64,
    /// With the defaults of sweep files
    #[arg(long, value_name = "NAME", default_value = "sgd", value_parser = optimizer_names())]
    pub optimizer: String,
    /// The learning rate, or the largest step of a line search
    #[arg(long, value_name = "X", default_value = "0.05", value_parser = parse_rate)]
    pub learning_rate: f64,
    /// Passes over the samples; the median of their times is shown
    #[arg(long, value_name = "N", default_value = "3", value_parser = parse_count::<NonZeroU32>)]
    pub epochs: NonZeroU32,
    /// Train on the first N samples of MNIST [default: all 60,000]
    #[arg(long, value_name = "N", value_parser = parse_count::<NonZeroU32>)]
    pub samples: Option<NonZeroU32>,
    /// Standardize the inputs, so that hardly any of them is zero
    #[arg(long)]
    pub dense: bool,
    /// A table for people, or one JSON object
    #[arg(long, value_enum, default_value_t = Output::Human)]
    pub output: Output,
}

#[derive(Args, Clone, Debug, PartialEq)]
pub struct BenchDispatch {
    /// Trials of the sweep
    #[arg(long, value_name = "N", default_value = "20000", value_parser = parse_count::<NonZeroU32>)]
    pub trials: NonZeroU32,
    /// Workers, each with a connection of its own
    #[arg(long, value_name = "N", default_value = "16", value_parser = parse_count::<NonZeroU32>)]
    pub workers: NonZeroU32,
    /// Trials at once in each worker; more are handed out ahead, as to real ones
    #[arg(long, value_name = "N", default_value = "2", value_parser = parse_count::<NonZeroU32>)]
    pub slots: NonZeroU32,
    /// Epochs in the history of each result
    #[arg(long, value_name = "N", default_value = "1", value_parser = parse_count::<NonZeroU32>)]
    pub epochs: NonZeroU32,
    /// How long a trial stays in its slot; workers then join one after the other, over the time of
    /// --sync-every [default: no time]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub trial_time: Option<Duration>,
    /// How often workers report at least
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration::parse)]
    pub sync_every: Duration,
    /// Kill the coordinator once N trials are recorded, start it again, and time its recovery
    #[arg(long, value_name = "N", value_parser = parse_count::<NonZeroU32>)]
    pub kill_at: Option<NonZeroU32>,
    /// A table for people, or one JSON object
    #[arg(long, value_enum, default_value_t = Output::Human)]
    pub output: Output,
}

#[derive(Args, Clone, Debug, PartialEq)]
pub struct LocalWorker {
    /// The coordinator's URL
    #[arg(long, value_name = "URL")]
    pub coordinator: String,
    /// Trials at once
    #[arg(long, value_name = "N", value_parser = parse_count::<NonZeroUsize>)]
    pub slots: Option<NonZeroUsize>,
    /// Name to show
    #[arg(long)]
    pub name: Option<String>,
    /// Folder of the data sets, checkpoints and results on their way
    #[arg(long, value_name = "DIR")]
    pub cache_dir: PathBuf,
    /// Which of the coordinator's local workers this is, from 0
    #[arg(long, value_name = "N")]
    pub local_index: u32,
    /// Leave the choice of cores to the operating system
    #[arg(long)]
    pub no_pin: bool,
}

#[derive(Args, Clone, Debug, PartialEq)]
pub struct BuildReport {
    /// Folder of the recorded state
    #[arg(long, value_name = "DIR")]
    pub state: PathBuf,
    /// The report's folder
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Write to partial/ only
    #[arg(long)]
    pub partial: bool,
}
