//! The worker as a program: its configuration, its parts put together, its exit codes.

use std::fmt::Display;
use std::io::{self, Read as _, Write as _};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use proto::JoinRequest;
use proto::text::{clean_line, clean_lines, clean_name};
use tokio::time::{Instant, sleep_until, timeout};
use tonic::transport::Endpoint;
use tracing::{info, warn};
use tracing_subscriber::filter::LevelFilter;
use trainer::Isa;
use trial::Digest;
use trial::wording::{n_of, span};

use crate::config::Config;
use crate::config::Ended;
use crate::cpu::{cpu_name, host_name, usable_cores};
use crate::disk::checkpoints::Checkpoints;
use crate::disk::datasets::Datasets;
use crate::disk::device::Disk;
use crate::disk::files;
use crate::disk::folder::Folder;
use crate::disk::spool::Spool;
use crate::disk::upkeep::Upkeep;
use crate::link::{Dial, Link};
use crate::logging::repeats::Repeats;
use crate::memory::Memory;
use crate::programs::Program;
use crate::programs::builtin::{Builtin, Training};
use crate::programs::cores::Cores;
use crate::session::state::{Parts, Session};
use crate::signals::StopSignals;
use crate::slots::Slots;
use crate::{cli, logging};

const EXIT_USAGE: u8 = 2;
const EXIT_REFUSED: u8 = 4;

/// The usual time between two checkpoints of a trial.
pub const CHECKPOINT_EVERY: Duration = Duration::from_secs(30);

/// What a coordinator writes to the standard input of a worker that it starts itself.
pub const LOCAL_TOKEN_BYTES: usize = 16;

/// A worker's folder is left within this time, or not at all.
const LEAVE_WITHIN: Duration = Duration::from_secs(2);

/// A cache folder that takes longer to open is said to, and then again and again.
const SAY_AFTER: Duration = Duration::from_secs(5);
const SAY_EVERY: Duration = Duration::from_secs(60);

/// The program `worker`. Exit codes: 0 finished or drained, 1 error, 2 usage, 4 refused.
pub fn main() -> ExitCode {
    let args = match cli::parse() {
        Ok(args) => args,
        Err(code) => return code,
    };
    match args.into_config() {
        Ok(config) => run_to_exit_code(config),
        Err(error) => {
            say_error(format_args!("{error:#}"));
            ExitCode::from(EXIT_USAGE)
        }
    }
}

/// Runs a worker as the whole of this process, from its log to its exit code. `SWEEP_ISA` forces
/// an instruction set; one that is unknown or not there is a usage error.
pub fn run_to_exit_code(config: Config) -> ExitCode {
    let is_local = config.local_index.is_some();
    logging::start(if is_local { LevelFilter::WARN } else { LevelFilter::INFO }, io::stderr);
    let forced = std::env::var("SWEEP_ISA").ok().filter(|name| !name.is_empty());
    let isa = match Isa::choose(forced.as_deref()) {
        Ok(isa) => isa,
        Err(error) => {
            say_error(error);
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match run(config, isa) {
        Ok(Ended::Finished | Ended::Drained) => ExitCode::SUCCESS,
        Ok(Ended::Refused(text)) => {
            say_error(format_args!("the coordinator refused this worker: {text}"));
            ExitCode::from(EXIT_REFUSED)
        }
        Err(error) => {
            say_error(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs a worker until its sweep is finished or it is drained, refused or lost. Watches this
/// process's signals, of which the first drains and a second exits with 1.
///
/// # Errors
///
/// The cache folder cannot be used, or the coordinator was lost for `lost_after`.
pub fn run(config: Config, isa: Isa) -> anyhow::Result<Ended> {
    let mut local_token = Vec::new();
    if config.exit_on_stdin_eof {
        let mut token = [0; LOCAL_TOKEN_BYTES];
        io::stdin()
            .read_exact(&mut token)
            .context("cannot read the coordinator's token from stdin")?;
        local_token.extend(token);
        exit_on_stdin_eof().context("cannot watch stdin")?;
    }
    // One thread is enough: it waits for the network and the slots, and never trains.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let ended = runtime.block_on(async {
        let outside = Outside {
            dial: Endpoint::connect_lazy,
            signals: StopSignals::new().context("cannot watch signals")?,
            selftest_digest: trainer::selftest_digest(isa),
            program: Box::new(built_in(&config, isa).context("cannot start the slots' threads")?),
            local_token,
            disk: Disk::Real,
        };
        work(config, isa, outside).await
    });
    // A data set that is just being prepared is not waited for.
    runtime.shutdown_background();
    ended
}

/// What a worker meets outside of itself.
pub struct Outside {
    pub dial: Dial,
    pub signals: StopSignals,
    /// What this build's self-test gives on the instruction set.
    pub selftest_digest: Digest,
    /// What the slots drive.
    pub program: Box<dyn Program>,
    /// From the coordinator that started this worker; empty if none did.
    pub local_token: Vec<u8>,
    /// Where the cache folder lies.
    pub disk: Disk,
}

/// The built-in trainer, as a program for the slots of this configuration.
///
/// # Errors
///
/// A slot's thread cannot be started.
pub fn built_in(config: &Config, isa: Isa) -> io::Result<impl Program + use<>> {
    let (checkpoint_every, memory) = (config.checkpoint_every, Memory::of_this_process());
    let cores = if config.pin { Cores::find() } else { None };
    Builtin::new(n_slots(config), Training { isa, checkpoint_every, memory }, cores)
}

fn n_slots(config: &Config) -> usize {
    config.n_slots.map_or_else(usable_cores, NonZeroUsize::get)
}

/// A worker as a task: from its folder and its Join to its end.
///
/// # Errors
///
/// As those of `run`.
pub async fn work(config: Config, isa: Isa, outside: Outside) -> anyhow::Result<Ended> {
    let n_slots = n_slots(&config);
    let given = config.name.as_deref().and_then(|name| clean_name(name, proto::MAX_NAME_BYTES));
    let name = given.unwrap_or_else(|| default_name(config.local_index));
    let repeats = Arc::new(Repeats::default());
    let mut signals = outside.signals;
    let disk = outside.disk;
    let Some(opened) = opened(&config, &disk, &repeats, &mut signals).await else {
        return Ok(Ended::Drained);
    };
    let Cache { folder, spool, checkpoints, datasets } = opened?;
    let (program, of_slots) = (outside.program, checkpoints.clone());
    let slots = Slots::new(n_slots, program, of_slots, name.clone(), isa.name());
    let introduction = JoinRequest {
        protocol_min: proto::PROTOCOL_VERSION,
        protocol_max: proto::PROTOCOL_VERSION,
        numerics_version: trainer::NUMERICS_VERSION,
        selftest_digest: outside.selftest_digest.0.to_vec(),
        isa: isa.name().into(),
        worker_id: folder.worker_id.to_vec(),
        name,
        cpu: clean_line(&cpu_name(), proto::MAX_NAME_BYTES),
        n_slots: u32::try_from(n_slots).context("too many slots")?,
        local_index: config.local_index,
        local_token: outside.local_token,
        ..JoinRequest::default()
    };
    info!("{}, {}, {}", n_of(n_slots, "slot"), isa.name(), introduction.cpu);
    let mut session = Session::new(Parts {
        introduction,
        stay: config.stay,
        lost_after: config.lost_after,
        slots,
        spool,
        checkpoints,
        datasets,
        repeats,
        disk: disk.clone(),
        link: Link::new(&config.coordinator, outside.dial)?,
    });
    let ended = session.run(&mut signals).await;
    let n_outcomes = session.close().await;
    // A disk that does not answer must not keep the process.
    let _ = timeout(LEAVE_WITHIN, disk.work(move || folder.leave(n_outcomes))).await;
    ended
}

/// What a worker has in its cache folder.
struct Cache {
    folder: Folder,
    spool: Spool,
    checkpoints: Checkpoints,
    datasets: Datasets,
}

/// Opens the cache folder. It may lie on a disk that does not answer: that is said, and a signal ends
/// the wait, which gives `None`.
async fn opened(
    config: &Config,
    disk: &Disk,
    repeats: &Arc<Repeats>,
    signals: &mut StopSignals,
) -> Option<anyhow::Result<Cache>> {
    let cache_dir = config.cache_dir.display();
    let (of_config, repeats) = (config.clone(), repeats.clone());
    let of_cache = disk.clone();
    let opening = disk.work(move || open(&of_config, &of_cache, repeats));
    tokio::pin!(opening);
    let began = Instant::now();
    let mut say_at = began + SAY_AFTER;
    loop {
        tokio::select! {
            opened = &mut opening => {
                let opened = opened.context("opening the cache folder failed");
                return Some(opened.and_then(|opened| opened));
            }
            signal = signals.next() => {
                info!("{signal}: stopping; the cache folder {cache_dir} was still being opened");
                return None;
            }
            () = sleep_until(say_at) => {
                let waited = span(began.elapsed());
                warn!("the disk of the cache folder {cache_dir} has not answered for {waited}; another folder is named with --cache-dir");
                say_at += SAY_EVERY;
            }
        }
    }
}

fn open(config: &Config, disk: &Disk, repeats: Arc<Repeats>) -> anyhow::Result<Cache> {
    let in_cache = || format!("cannot use the cache folder {}", config.cache_dir.display());
    files::make_folder(&config.cache_dir).with_context(in_cache)?;
    let upkeep = Upkeep::new(&config.cache_dir, config.disk_limits);
    let (folder, spool) = Folder::adopt_or_make(&upkeep)?;
    let checkpoints = Checkpoints::open(&upkeep, disk, repeats);
    let datasets = Datasets::open(&upkeep, disk).with_context(in_cache)?;
    upkeep.tidy();
    Ok(Cache { folder, spool, checkpoints, datasets })
}

fn default_name(local_index: Option<u32>) -> String {
    match local_index {
        Some(index) => format!("local-{index}"),
        None => clean_name(&host_name(), proto::MAX_NAME_BYTES).unwrap_or_else(|| "worker".into()),
    }
}

/// Most bytes of the last words of a worker.
const MAX_ERROR_BYTES: usize = 4000;

/// The last words of a worker. Unlike `eprintln!` this does not panic when nobody reads stderr.
fn say_error(text: impl Display) {
    let text = clean_lines(&text.to_string(), MAX_ERROR_BYTES);
    let _ = writeln!(io::stderr(), "error: {text}");
}

/// On a plain thread and by a plain exit, so that nothing in this process can delay it. What is
/// done lies in the spool.
fn exit_on_stdin_eof() -> io::Result<()> {
    thread::Builder::new().name("stdin".into()).spawn(|| {
        let mut buffer = [0; 64];
        loop {
            match io::stdin().read(&mut buffer) {
                Ok(1..) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => std::process::exit(0),
            }
        }
    })?;
    Ok(())
}
