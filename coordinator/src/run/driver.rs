//! The driver: the one owner of the core. It empties the mailbox, lets the core decide, makes the
//! records durable, and only then lets replies leave.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use coordinator_core::event::{Action, Event, JoinReply, Record, Reply, SyncReply};
use coordinator_core::lease::WorkerId;
use coordinator_core::ledger::checkpoints::Checkpoint;
use coordinator_core::machine::{Core, Counts};
use sweep::Plan;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use trial::wording::n_of;
use worker::parts::Disk;

use crate::run::clock::Clock;
use crate::run::confirm::{Confirm, Grown};
use crate::run::mailbox::{CAPACITY, Post, Waiting};
use crate::run::patience::Patience;
use crate::run::plan_index::PlanIndex;
use crate::store::error::StoreError;
use crate::store::{CheckpointFiles, Writer};
use crate::view::observer::Observer;

/// A pause of the loop above this, or above a third of a lease, means that the machine stood still
/// or the disk did, so silence proves nothing.
const LATE_MAX: Duration = Duration::from_secs(5);

/// How often the progress is shown.
const REFRESH: Duration = Duration::from_millis(250);

/// Without a commit for this long, it is recorded that the coordinator is still there. Each time
/// waits for the disk, and keeps one awake that nothing else writes to.
const TOUCH_EVERY: Duration = Duration::from_secs(10);

/// Between tries to write to a full disk.
const DISK_FULL_PAUSE: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every trial has its outcome.
    Finished(Counts),
    /// It was told to stop; the same command resumes.
    Stopped(Counts),
}

#[derive(Debug)]
pub struct Driver {
    pub core: Core,
    pub writer: Writer,
    pub mailbox: mpsc::Receiver<Post>,
    pub clock: Clock,
    pub observer: Observer,
    pub confirm: Arc<Confirm>,
    /// Everyone who names trials reads it; the driver alone lets it grow.
    pub plan_index: watch::Sender<Arc<PlanIndex>>,
    pub checkpoints: Arc<CheckpointFiles>,
    /// Where the state lies.
    pub disk: Disk,
    pub lease_ttl: Duration,
    /// After the last outcome, remote workers get this long to hear of it.
    pub linger: Duration,
    /// Workers get this long to hand back their trials when the coordinator stops.
    pub stop_timeout: Duration,
    /// Cancelled when the run is to stop; a commit that waits for space gives up then.
    pub stopping: CancellationToken,
    /// Cancelled by the driver once every trial has its outcome.
    pub finished: CancellationToken,
}

/// What a run of the loop carries along.
struct Calls {
    /// When the loop last woke up.
    woke: Instant,
    joins: Waiting<JoinReply>,
    syncs: Waiting<SyncReply>,
    permits: Waiting<Option<WorkerId>>,
    published: Waiting<Vec<Checkpoint>>,
    stop_by: Option<Instant>,
    finish_by: Option<Instant>,
    /// When the store was last written to.
    committed: Instant,
    /// The driver's own.
    stopping: CancellationToken,
}

impl Driver {
    /// Runs until every trial has its outcome or a stop is through. An error of the store ends the
    /// run at once: what is durable is durable, and nobody was told more.
    pub async fn run(mut self, restored: Vec<Action>) -> Result<Ended, StoreError> {
        let mut calls = Calls::new(self.stopping.clone());
        let mut refresh = interval(REFRESH);
        refresh.set_missed_tick_behavior(MissedTickBehavior::Skip);
        self.carry_out(restored, &mut calls).await?;
        let ended = loop {
            if self.core.awaits_trials() {
                self.grow(&mut calls).await?;
            }
            if let Some(ended) = self.ended(&mut calls) {
                break ended;
            }
            let deadline = self.deadline(&calls);
            let post = tokio::select! {
                biased;
                post = self.mailbox.recv() => post,
                () = sleep_until(deadline) => None,
                _ = refresh.tick() => None,
            };
            let mut out = Vec::new();
            self.wake(&mut calls, &mut out);
            self.take_all(post, &mut calls, &mut out);
            self.observer.refresh(&self.core, self.clock.now());
            self.carry_out(out, &mut calls).await?;
            self.touch(&mut calls).await?;
        };
        self.observer.refresh(&self.core, self.clock.now());
        faults::point("coordinator.end.before");
        let patience = patience(&mut self.observer, &self.core, &calls, self.stop_timeout);
        unless_full(patience.wait(self.writer.end_term()).await?)?;
        faults::point("coordinator.end.saved");
        self.observer.finish();
        Ok(ended)
    }

    /// Where nothing was recorded for a while, the time is.
    async fn touch(&mut self, calls: &mut Calls) -> Result<(), StoreError> {
        if calls.committed.elapsed() < TOUCH_EVERY {
            return Ok(());
        }
        calls.committed = Instant::now();
        let patience = patience(&mut self.observer, &self.core, calls, self.stop_timeout);
        unless_full(patience.wait(self.writer.touch()).await?)
    }

    /// Takes in the trials that follow what is recorded, or tells the core that there are none.
    async fn grow(&mut self, calls: &mut Calls) -> Result<(), StoreError> {
        let (confirm, plan) = (self.confirm.clone(), self.plan());
        let patience = patience(&mut self.observer, &self.core, calls, self.stop_timeout);
        let grown = patience.wait(self.disk.work(move || confirm.grow(&plan))).await?;
        let Some(grown) = grown.expect("reading the state does not panic")? else {
            self.core.add_trials(&[], &[]);
            return Ok(());
        };
        let Grown { plan, recorded, facts, actions } = grown;
        let n_before = self.core.trials().len();
        self.observer.grown(plan.clone(), &recorded);
        self.plan_index.send_replace(Arc::new(PlanIndex::new(plan)));
        self.core.remember_closed(&recorded.ledger.closed);
        self.core.add_trials(&recorded.ledger.trials[n_before..], &facts[n_before..]);
        self.carry_out(actions, calls).await
    }

    fn plan(&self) -> Arc<Plan> {
        self.plan_index.borrow().plan.clone()
    }

    fn deadline(&self, calls: &Calls) -> Instant {
        let lease = self.core.next_deadline().map(|at| self.clock.instant_of(at));
        let far = Instant::now() + Duration::from_secs(3600);
        [lease, calls.stop_by, calls.finish_by].into_iter().flatten().min().unwrap_or(far)
    }

    fn ended(&self, calls: &mut Calls) -> Option<Ended> {
        let now = Instant::now();
        let counts = self.core.counts();
        if self.core.is_finished() {
            self.finished.cancel();
            let by = *calls.finish_by.get_or_insert(now + self.linger);
            let is_through = self.core.remotes_know_the_end() || by <= now;
            return is_through.then_some(Ended::Finished(counts));
        }
        let stop_by = calls.stop_by?;
        (self.core.is_quiet() || stop_by <= now).then_some(Ended::Stopped(counts))
    }

    /// The loop wakes several times a second; after a longer pause the silence of workers was its
    /// own.
    fn wake(&mut self, calls: &mut Calls, out: &mut Vec<Action>) {
        let before = std::mem::replace(&mut calls.woke, Instant::now());
        let late_max = LATE_MAX.min(self.lease_ttl / 3);
        if self.clock.slept() || late_max < calls.woke.duration_since(before) {
            self.core.apply(self.clock.now(), Event::Overslept, out);
        }
    }

    /// Applies the post at hand and all that wait behind it, so that they share one commit, and
    /// only then judges who was silent for too long.
    fn take_all(&mut self, first: Option<Post>, calls: &mut Calls, out: &mut Vec<Action>) {
        let now = self.clock.now();
        let waiting = std::iter::from_fn(|| self.mailbox.try_recv().ok()).take(CAPACITY);
        for post in first.into_iter().chain(waiting) {
            let event = calls.admit(post, self.stop_timeout);
            self.core.apply(now, event, out);
        }
        self.core.apply(now, Event::Tick, out);
    }

    /// Records first, durable; then replies and news.
    async fn carry_out(
        &mut self,
        actions: Vec<Action>,
        calls: &mut Calls,
    ) -> Result<(), StoreError> {
        let mut records = Vec::new();
        let mut replies = Vec::new();
        let mut notices = Vec::new();
        for action in actions {
            match action {
                Action::Persist(record) => records.push(record),
                Action::Reply(reply) => replies.push(reply),
                Action::Publish(notice) => notices.push(notice),
            }
        }
        if !records.is_empty() {
            let records: Arc<[Record]> = records.into();
            self.commit(&records, calls).await?;
            calls.committed = Instant::now();
            self.observer.recorded(&records, &self.core);
            self.drop_checkpoints(&records);
        }
        calls.answer(replies);
        for notice in notices {
            self.observer.noticed(&notice);
        }
        Ok(())
    }

    /// Those of trials that have their outcome now.
    fn drop_checkpoints(&self, records: &[Record]) {
        for record in records {
            let (Record::Completed { trial, .. }
            | Record::Failed { trial, .. }
            | Record::Cancelled { trial }) = record
            else {
                continue;
            };
            let Some(id) = self.checkpoints.ended(*trial) else { continue };
            let (files, disk) = (self.checkpoints.clone(), self.disk.clone());
            let remove = move || {
                if let Err(error) = files.keep(id, &[]) {
                    tracing::warn!("cannot remove the checkpoints of trial {id}: {error}");
                }
            };
            tokio::spawn(async move { disk.work(remove).await });
        }
    }

    /// A full disk rolls back, removes checkpoints and then waits for space; nobody is answered
    /// meanwhile, so nothing that is not durable is believed to be.
    async fn commit(&mut self, records: &Arc<[Record]>, calls: &Calls) -> Result<(), StoreError> {
        loop {
            let plan = self.plan();
            let patience = patience(&mut self.observer, &self.core, calls, self.stop_timeout);
            match patience.wait(self.writer.commit(plan, records.clone())).await? {
                Err(StoreError::Full { source }) => {
                    if self.make_room(calls).await? {
                        continue;
                    }
                    self.observer.disk_full(&self.core, DISK_FULL_PAUSE);
                    tokio::select! {
                        () = tokio::time::sleep(DISK_FULL_PAUSE) => {}
                        () = self.stopping.cancelled() => return Err(StoreError::Full { source }),
                    }
                }
                result => return result,
            }
        }
    }

    /// Checkpoints can be made again, so they go before a result waits. Whether any went.
    async fn make_room(&mut self, calls: &Calls) -> Result<bool, StoreError> {
        let files = self.checkpoints.clone();
        let patience = patience(&mut self.observer, &self.core, calls, self.stop_timeout);
        let removed = patience.wait(self.disk.work(move || files.make_room())).await?;
        Ok(match removed.map_err(io::Error::other).flatten() {
            Ok(0) => false,
            Ok(n_files) => {
                tracing::warn!(
                    "the disk is full: removed {}; if a worker is lost, its trials go on from earlier epochs",
                    n_of(n_files, "checkpoint file")
                );
                true
            }
            Err(error) => {
                tracing::warn!("the disk is full, and checkpoints cannot be removed: {error}");
                false
            }
        })
    }
}

/// For a wait for the disk.
fn patience<'a>(
    observer: &'a mut Observer,
    core: &'a Core,
    calls: &'a Calls,
    stop_timeout: Duration,
) -> Patience<'a> {
    Patience { observer, core, stop_by: calls.stop_by, stop: (&calls.stopping, stop_timeout) }
}

/// Times are worth no wait for a full disk.
fn unless_full(written: Result<(), StoreError>) -> Result<(), StoreError> {
    match written {
        Err(StoreError::Full { .. }) => Ok(()),
        other => other,
    }
}

impl Calls {
    fn new(stopping: CancellationToken) -> Self {
        Self {
            stopping,
            woke: Instant::now(),
            joins: Waiting::new(),
            syncs: Waiting::new(),
            permits: Waiting::new(),
            published: Waiting::new(),
            stop_by: None,
            finish_by: None,
            committed: Instant::now(),
        }
    }

    fn admit(&mut self, post: Post, stop_timeout: Duration) -> Event {
        match post {
            Post::Join(join, caller) => Event::Join { call: self.joins.admit(caller), join },
            Post::Sync(sync, caller) => Event::Sync { call: self.syncs.admit(caller), sync },
            Post::CheckpointOffered(lease, caller) => {
                Event::CheckpointOffered { call: self.permits.admit(caller), lease }
            }
            Post::TransferOffered(session, caller) => {
                Event::TransferOffered { call: self.permits.admit(caller), session }
            }
            Post::CheckpointPublished(lease, checkpoint, caller) => {
                Event::CheckpointPublished { call: self.published.admit(caller), lease, checkpoint }
            }
            Post::CheckpointBroken { trial, digest } => Event::CheckpointBroken { trial, digest },
            Post::LocalEnded { local_index, expected, how } => {
                Event::LocalEnded { local_index, expected, how }
            }
            Post::Stop => {
                self.stop_by.get_or_insert(Instant::now() + stop_timeout);
                Event::Stop
            }
        }
    }

    fn answer(&mut self, replies: Vec<Reply>) {
        for reply in replies {
            faults::point("coordinator.reply.before");
            match reply {
                Reply::Join(call, reply) => self.joins.answer(&call, reply),
                Reply::Sync(call, reply) => self.syncs.answer(&call, reply),
                Reply::Permit(call, worker) => self.permits.answer(&call, worker),
                Reply::Checkpoints(call, kept) => self.published.answer(&call, kept),
            }
            faults::point("coordinator.reply.sent");
        }
    }
}
