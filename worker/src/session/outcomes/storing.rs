//! The way of outcomes from memory to the disk. The spool's file is worked at on a thread of its own,
//! so a disk that does not answer delays neither a Sync nor a signal.

use std::panic::resume_unwind;
use std::time::Duration;

use tokio::task::JoinError;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{info, warn};
use trial::wording::n_of;

use crate::agent::Urgency;
use crate::disk::spool::Done;
use crate::session::pending::completed;
use crate::session::state::{COLLECT_FOR, END_WITHIN, Session};
use crate::session::troubles::Kind;

/// A disk that takes longer for one write does not answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

impl Session {
    /// Fresh outcomes are written whether or not a call is under way, since a kill would lose them.
    pub(in crate::session) fn store_if_due(&mut self) {
        if self.store_at().is_some_and(|at| at <= Instant::now()) {
            self.store();
        }
    }

    /// At once, unless more are about to end that can share the write.
    pub(in crate::session) fn store_at(&self) -> Option<Instant> {
        let is_collecting = self.is_heard() && self.agent.urgency() == Urgency::Soon;
        let since = self.storing.fresh_since.filter(|_| self.storing.work.is_none());
        since.map(|since| if is_collecting { since + COLLECT_FOR } else { since })
    }

    /// Begins to write what is in memory alone, all with one write, and to drop what was acknowledged;
    /// not before the work under way is done.
    pub(in crate::session) fn store(&mut self) {
        if self.storing.work.is_some() {
            return;
        }
        self.storing.fresh_since = None;
        let useless = std::mem::take(&mut self.storing.useless);
        let Some(work) = self.spool.begin() else {
            self.storing.useless = useless;
            return self.note_spool();
        };
        let checkpoints = self.checkpoints.clone();
        self.storing.began = Some(Instant::now());
        let disk = self.disk.clone();
        let work = move || {
            let done = work.run();
            useless.iter().for_each(|trial_id| checkpoints.remove(trial_id));
            done
        };
        self.storing.work = Some(Box::pin(async move { disk.work(work).await }));
    }

    /// Takes in what became of the work at the file; true if all went well.
    pub(in crate::session) fn stored(&mut self, done: Result<Done, JoinError>) -> bool {
        self.storing.began = None;
        let done = done.unwrap_or_else(|error| resume_unwind(error.into_panic()));
        let was_refused = self.spool.is_refused();
        if let Err(error) = self.spool.end(done) {
            let path = self.spool.path().display();
            let text = format!(
                "cannot write {path}: {error}; outcomes stay in memory and no work is asked for until it can"
            );
            self.troubles.note(Kind::Spool, &text);
            return false;
        }
        if std::mem::take(&mut self.storing.is_awaited) {
            self.has_result = true;
            self.agent.make_urgent();
        }
        if was_refused {
            info!("the spool can be written again");
        }
        self.note_spool();
        true
    }

    fn note_spool(&self) {
        if self.spool.is_refused() {
            return;
        }
        if !self.spool.is_full() {
            return self.troubles.is_over(Kind::Spool);
        }
        let text = format!(
            "as many outcomes as may wait in {}: {}; no work is asked for until some are acknowledged",
            self.spool.path().display(),
            self.spool.len()
        );
        self.troubles.note(Kind::Spool, &text);
    }

    /// A disk that does not answer is a trouble, and what it has not taken is handed in from memory.
    pub(in crate::session) fn watch_storing(&mut self) {
        let Some(since) = self.storing.began else { return };
        if since.elapsed() >= self.wait_for_disk() {
            self.spool.disk_stalls();
        }
        if since.elapsed() >= ANSWERS_WITHIN {
            let text = format!(
                "the disk of {} does not answer; outcomes stay in memory and no work is asked for until it does",
                self.spool.path().display()
            );
            self.troubles.note_since(Kind::Spool, &text, since);
        }
    }

    /// How long a call waits for a write: much shorter than a lease.
    fn wait_for_disk(&self) -> Duration {
        (self.sync_deadline / 2).min(ANSWERS_WITHIN)
    }

    /// When a call that waits for a write waits no longer.
    pub(in crate::session) fn call_without_disk_at(&self) -> Option<Instant> {
        self.storing.began.map(|began| began + self.wait_for_disk())
    }

    /// Begins a write for the call that is due; true once the call need not wait for the disk.
    pub(in crate::session) fn is_stored_for_call(&mut self) -> bool {
        let is_writing =
            |it: &Self| it.call_without_disk_at().is_some_and(|at| at > Instant::now());
        if is_writing(self) {
            return false;
        }
        if !std::mem::replace(&mut self.storing.is_done_for_call, true) {
            self.store();
            if is_writing(self) {
                return false;
            }
        }
        self.storing.is_done_for_call = false;
        self.storing.is_awaited = self.spool.has_unsaved() && !self.spool.is_refused();
        true
    }

    /// Waits until all that is in memory is on the disk, or it can be seen that it will not be.
    pub(in crate::session) async fn store_all(&mut self, within: Duration) {
        let by = Instant::now() + within;
        self.store();
        while self.storing.work.is_some() {
            tokio::select! {
                done = completed(&mut self.storing.work) => {
                    if self.stored(done) {
                        // More may have come in meanwhile.
                        self.store();
                    }
                }
                () = sleep_until(by) => {
                    let path = self.spool.path().display();
                    warn!("the disk of {path} does not answer; it is not waited for");
                    return;
                }
            }
        }
    }

    /// Stops the slots and gives the spool's file its last form. Gives the number of outcomes that nobody
    /// has acknowledged.
    pub(crate) async fn close(mut self) -> usize {
        if let Some(work) = self.spool.last_work()
            && let Ok(Ok(done)) = timeout(END_WITHIN, self.disk.work(move || work.run())).await
            && let Err(error) = self.spool.end(done)
        {
            let (path, n_lost) = (self.spool.path().display(), self.spool.n_unsaved());
            warn!("cannot write {path}: {error}; lost: {}", n_of(n_lost, "outcome"));
        }
        self.spool.len()
    }
}
