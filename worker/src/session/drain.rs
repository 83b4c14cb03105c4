//! The orderly end: what ends soon is finished, the rest handed back, and the coordinator told.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use crate::session::state::Drain;
use crate::session::state::Session;
use crate::session::state::{DROP_AFTER, LEAVE_AFTER};

/// While draining: trials that end within this time by their own pace are finished,
const FINISH_WITHIN_S: f64 = 3.0;
/// At a second signal the disk has this long to take what is in memory.
const SAVE_WITHIN: Duration = Duration::from_secs(1);

/// After this many calls in vain nobody is there to be told.
const MAX_VAIN_CALLS: u32 = 3;

impl Session {
    /// The first signal asks for an orderly end, a second one ends the process at once.
    pub(super) async fn signalled(&mut self, signal: &str) {
        if self.drain.as_ref().is_some_and(|drain| drain.by_signal) {
            self.store_all(SAVE_WITHIN).await;
            warn!("stopped at once by {signal}; {}", self.left());
            std::process::exit(1);
        }
        info!("{signal}: stopping in good order; a second signal stops at once");
        self.begin_drain(true);
    }

    pub(super) fn begin_drain(&mut self, by_signal: bool) {
        if let Some(drain) = &mut self.drain {
            drain.by_signal |= by_signal;
            return;
        }
        info!("draining: finishing what ends soon, handing back the rest");
        self.drain = Some(Drain { began: Instant::now(), by_signal, is_told: false });
        for (job, progress) in self.agent.drain() {
            let is_long = progress.seconds_left().is_none_or(|seconds| seconds > FINISH_WITHIN_S);
            if is_long && !self.abandon_fetch(job) {
                self.slots.leave_at_epoch_end(job);
            }
        }
    }

    /// Drops what did not come to rest in time.
    pub(super) fn hurry_drain(&mut self) {
        if self.drain.as_ref().is_some_and(|drain| drain.began.elapsed() >= DROP_AFTER) {
            self.slots.stop_all();
            self.stop_publishing();
        }
    }

    pub(super) fn is_drained(&self, drain: &Drain) -> bool {
        let is_stranger = self.agent.state_id().is_none();
        let is_alone = is_stranger || self.backoff.n_failures() >= MAX_VAIN_CALLS;
        let is_done = self.agent.is_idle() && (drain.is_told || is_alone);
        is_done || drain.began.elapsed() >= LEAVE_AFTER
    }
}
