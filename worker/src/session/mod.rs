//! The session: one task that calls the coordinator, feeds the slots and keeps the spool, as the
//! agent says. Nothing it waits for depends on training, so a busy machine delays no Sync.

mod drain;
mod outcomes;
pub mod pending;
mod replies;
pub mod state;
pub mod supply;
mod transfers;
pub mod troubles;
mod watch;

use anyhow::bail;
use proto::JoinRequest;
use tokio::time::{self, Instant};
use tracing::info;

use crate::agent::{Agent, Start, Urgency};
use crate::cli::duration::exact;
use crate::config::Ended;
use crate::link::backoff::Backoff;
use crate::programs::events::{Message, Outcome};
use crate::programs::task::Task;
use crate::session::state::{COLLECT_FOR, LONGEST_SYNC, SHORTEST_SYNC, SYNC_DEADLINE};
use crate::session::state::{DROP_AFTER, END_WITHIN, LEAVE_AFTER, Storing, Transfers};
use crate::session::state::{Parts, Reply, Session};
use crate::signals::StopSignals;
use pending::completed;
use supply::Supply;
use troubles::Troubles;

impl Session {
    pub(crate) fn new(parts: Parts) -> Self {
        let n_slots = usize::try_from(parts.introduction.n_slots).expect("32 bits fit");
        let troubles = Troubles::default();
        Self {
            introduction: parts.introduction,
            stay: parts.stay,
            lost_after: parts.lost_after,
            agent: Agent::new(n_slots),
            slots: parts.slots,
            spool: parts.spool,
            checkpoints: parts.checkpoints,
            disk: parts.disk,
            supply: Supply::new(parts.datasets, troubles.clone()),
            transfers: Transfers::default(),
            link: parts.link,
            backoff: Backoff::new(),
            storing: Storing::default(),
            rejoins: Backoff::new(),
            call: None,
            next_call_at: Instant::now(),
            has_result: false,
            sync_deadline: SYNC_DEADLINE.1,
            heard_at: Instant::now(),
            said_finished: None,
            troubles,
            repeats: parts.repeats,
            all_hang: false,
            drain: None,
        }
    }

    /// Works until the sweep is finished or the worker is drained or refused. An error if the
    /// coordinator has been lost for too long or a slot's program died. Outcomes that nobody has
    /// acknowledged are in the spool by then.
    pub(crate) async fn run(&mut self, signals: &mut StopSignals) -> anyhow::Result<Ended> {
        let ended = self.work(signals).await;
        self.store_all(END_WITHIN).await;
        self.repeats.finish();
        ended
    }

    async fn work(&mut self, signals: &mut StopSignals) -> anyhow::Result<Ended> {
        loop {
            self.repeats.refresh();
            self.hurry_drain();
            self.start_trials();
            self.publish_next();
            // First, so that a write that begins only now does not hold the call up.
            self.call_if_due();
            self.store_if_due();
            if let Some(ended) = self.over().await? {
                return Ok(ended);
            }
            let wake_at = self.wake_at();
            tokio::select! {
                signal = signals.next() => self.signalled(signal).await,
                moved = self.transfers.moved() => self.moved(moved),
                message = self.slots.message() => self.take_messages(message).await?,
                done = completed(&mut self.storing.work) => {
                    self.stored(done);
                }
                reply = completed(&mut self.call) => {
                    if let Some(ended) = self.take_reply(reply) {
                        return Ok(ended);
                    }
                }
                arrival = self.supply.arrival() => match arrival {
                    Ok(()) => self.agent.make_urgent(),
                    Err(error) => {
                        return Ok(Ended::Refused(error.to_string()));
                    }
                },
                () = time::sleep_until(wake_at) => {}
            }
        }
    }

    fn start_trials(&mut self) {
        let Some(data) = self.supply.ready().cloned() else { return };
        while let Some(start) = self.agent.start_next() {
            let Start { job, trial_id, attempt, hyperparameters, seed, checkpoints } = start;
            match self.slots.check(&hyperparameters, seed) {
                Ok(()) => {
                    let data = data.clone();
                    let task = Task { job, trial_id, attempt, hyperparameters, seed, data };
                    self.begin(task, checkpoints);
                }
                Err(text) => {
                    let outcome = Outcome { result: Err(text), timings: vec![], wall_s: 0.0 };
                    self.take_outcome(job, outcome);
                }
            }
        }
    }

    /// Begins the next call when it is time: a Join, a Sync, or the same Sync once more.
    fn call_if_due(&mut self) {
        if self.call.is_some() || Instant::now() < self.call_at() {
            return;
        }
        self.watch();
        if !self.is_stored_for_call() {
            return;
        }
        let wants_work = self.supply.ready().is_some() && !self.spool.is_full();
        let state_id = self.agent.state_id().unwrap_or_default();
        let offer = || self.spool.offer(&state_id, proto::MAX_FINISHED_BYTES);
        let troubles = self.troubles.told();
        self.call = Some(match self.agent.request(wants_work, troubles, offer) {
            Some(request) => {
                faults::point("worker.sync.before");
                self.has_result = false;
                let sync = self.link.sync(request, self.sync_deadline);
                Box::pin(async { Reply::Sync(sync.await) })
            }
            None => {
                faults::point("worker.join.before");
                let join = self.link.join(self.join_request());
                Box::pin(async { Reply::Join(join.await) })
            }
        });
    }

    /// There is a session, and the coordinator has answered its last call.
    fn is_heard(&self) -> bool {
        self.agent.has_session() && self.backoff.n_failures() == 0
    }

    /// When the next call is due. Only a coordinator that answers is called before its time, and without
    /// a pause only when something was trained: a coordinator that grants and takes back keeps nobody busy.
    fn call_at(&self) -> Instant {
        match self.agent.urgency() {
            _ if !self.is_heard() => self.next_call_at,
            Urgency::Usual => self.next_call_at,
            Urgency::Soon => self.next_call_at.min(self.heard_at + COLLECT_FOR),
            Urgency::AtOnce if self.has_result => self.heard_at,
            Urgency::AtOnce => self.next_call_at.min(self.heard_at + SHORTEST_SYNC),
        }
    }

    /// Names what this process holds, or what a former one left in the spool.
    fn join_request(&self) -> JoinRequest {
        let own = self.agent.state_id();
        let Some(state_id) = own.or_else(|| self.spool.youngest_state()) else {
            return self.introduction.clone();
        };
        let mut held = self.agent.leases();
        held.extend(self.spool.leases(&state_id));
        JoinRequest {
            state_id: state_id.to_vec(),
            held,
            continues: own.is_some(),
            ..self.introduction.clone()
        }
    }

    async fn take_messages(&mut self, first: Message) -> anyhow::Result<()> {
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Row(job, progress) => self.agent.progressed(job, progress),
                Message::Ended(job, outcome) => self.take_outcome(job, *outcome),
                Message::Saved(job) => self.transfers.want(job),
                Message::Interrupted(job) => self.slot_left(job),
                Message::Died => {
                    self.store_all(END_WITHIN).await;
                    bail!("a slot's program died without a word; {}", self.left());
                }
            }
            next = self.slots.message_at_hand();
        }
        Ok(())
    }

    /// Whether there is nothing left to do here.
    async fn over(&mut self) -> anyhow::Result<Option<Ended>> {
        if let Some(drain) = &self.drain {
            if !self.is_drained(drain) {
                return Ok(None);
            }
            info!("drained");
            let goes = drain.by_signal || !self.stay;
            self.store();
            if goes {
                return Ok(Some(Ended::Drained));
            }
            self.look_for_next();
        }
        let is_lost = !self.stay && self.heard_at.elapsed() >= self.lost_after;
        if is_lost && (self.agent.is_idle() || self.all_hang) {
            self.store_all(END_WITHIN).await;
            bail!(
                "no coordinator at {} for {}; {}",
                self.link.url(),
                exact(self.lost_after),
                self.left()
            );
        }
        Ok(None)
    }

    /// When to look again although nothing happened.
    fn wake_at(&self) -> Instant {
        let now = Instant::now();
        let call_at = self.call.is_none().then(|| self.call_at());
        let lost_at = (!self.stay).then(|| self.heard_at + self.lost_after);
        let drain = self.drain.iter();
        let drain_at =
            drain.flat_map(|drain| [drain.began + DROP_AFTER, drain.began + LEAVE_AFTER]);
        let call_at = call_at.into_iter().chain(self.call_without_disk_at());
        let times = call_at.chain(self.store_at()).chain(lost_at).chain(drain_at);
        // Times that have passed were acted on, or wait for a message that wakes this task.
        times.filter(|&at| at > now).min().unwrap_or(now + LONGEST_SYNC)
    }
}
