//! What a run is asked to do: its flags, held against each other.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::CommandFactory as _;
use clap::error::ErrorKind;
use trial::Interface;

use crate::cli::args::{RawCli, RunArgs};
use crate::duration;
use crate::view::output::Output;

/// A lease must outlive this many reports of its worker, so that a late one costs no trial.
const MIN_SYNCS_PER_LEASE: u32 = 3;

/// What a run is asked to do, without a contradiction.
#[derive(Clone, Debug, PartialEq)]
pub struct RunConfig {
    pub sweep: PathBuf,
    /// Folder of the reports.
    pub out: PathBuf,
    /// Folder of the recorded state, unless it is the one in the report's folder.
    pub state: Option<PathBuf>,
    pub allow_network_state: bool,
    pub former_state: FormerState,
    pub n_local_workers: usize,
    /// In each local worker; `None` for an even share of the usable cores.
    pub n_local_slots: Option<NonZeroUsize>,
    pub listen: ListenAddress,
    pub lease: LeaseTiming,
    pub crash_limit: NonZeroU32,
    pub retry_failed: bool,
    pub max_failed: Option<NonZeroU32>,
    pub time_limit: Option<Duration>,
    /// Share of the trials that are trained twice, from 0 to 1.
    pub audit_share: f64,
    pub output: Output,
    /// What its trials are made of and give.
    pub interface: &'static Interface,
}

/// What becomes of a state that was recorded before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormerState {
    Resumed,
    /// Unless `is_confirmed`, the user is asked first.
    SetAside {
        is_confirmed: bool,
    },
}

/// An address of this machine alone, or one that the user opened to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenAddress(SocketAddr);

/// How long a lease lasts, and how often workers report within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTiming {
    ttl: Duration,
    sync_every: Duration,
}

impl RunConfig {
    /// # Errors
    /// Flags that contradict each other, ready to print.
    pub fn new(args: RunArgs) -> Result<Self, clap::Error> {
        let refused = |(kind, text)| RawCli::command().error(kind, text);
        Ok(Self {
            lease: LeaseTiming::new(args.lease_ttl, args.sync_every).map_err(refused)?,
            listen: ListenAddress::new(args.listen, args.insecure_plaintext).map_err(refused)?,
            sweep: args.sweep,
            out: args.out,
            state: args.state,
            allow_network_state: args.allow_network_state,
            former_state: match args.fresh {
                true => FormerState::SetAside { is_confirmed: args.yes },
                false => FormerState::Resumed,
            },
            n_local_workers: args.local_workers,
            n_local_slots: args.local_slots,
            crash_limit: args.crash_limit,
            retry_failed: args.retry_failed,
            max_failed: args.max_failed,
            time_limit: args.time_limit,
            audit_share: args.audit,
            output: args.output,
            interface: trainer::interface(),
        })
    }

    /// Folder of the report of a sweep of this name.
    pub fn report_folder(&self, name: &str) -> PathBuf {
        self.out.join(name)
    }

    /// Folder of the recorded state of a sweep of this name.
    pub fn state_folder(&self, name: &str) -> PathBuf {
        self.state.clone().unwrap_or_else(|| self.report_folder(name).join(".state"))
    }
}

impl ListenAddress {
    fn new(address: SocketAddr, is_insecure_allowed: bool) -> Result<Self, (ErrorKind, String)> {
        if address.ip().is_loopback() || is_insecure_allowed {
            return Ok(Self(address));
        }
        let text = format!(
            "--listen {address} is open to other machines, without encryption or authentication; \
             add --insecure-plaintext on a network you trust, or listen on 127.0.0.1",
        );
        Err((ErrorKind::MissingRequiredArgument, text))
    }

    pub fn get(self) -> SocketAddr {
        self.0
    }
}

impl LeaseTiming {
    fn new(ttl: Duration, sync_every: Duration) -> Result<Self, (ErrorKind, String)> {
        let timing = Self::at_least(ttl, sync_every);
        if timing.ttl == ttl {
            return Ok(timing);
        }
        let text = format!(
            "--lease-ttl {} is too short for --sync-every {}: a lease lasts at least \
             {MIN_SYNCS_PER_LEASE} reports, so that one late report loses no trial; \
             take --lease-ttl {} or more, or report more often",
            duration::exact(ttl),
            duration::exact(sync_every),
            duration::exact(timing.ttl),
        );
        Err((ErrorKind::ValueValidation, text))
    }

    /// A lease of this length, or of a longer one if that is too short for workers that report this
    /// often.
    pub fn at_least(ttl: Duration, sync_every: Duration) -> Self {
        Self { ttl: ttl.max(sync_every * MIN_SYNCS_PER_LEASE), sync_every }
    }

    pub fn ttl(self) -> Duration {
        self.ttl
    }

    pub fn sync_every(self) -> Duration {
        self.sync_every
    }
}
