//! The driver: the one owner of the core. It empties the mailbox, lets the core decide, makes the
//! records durable, and only then lets replies leave.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use coordinator_core::{
    event::{Action, Call, Event, Notice, Record, Reply},
    machine::{Core, Counts},
    time::Millis,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{MissedTickBehavior, interval, sleep_until},
};

use crate::{
    clock::Clock,
    mailbox::{CAPACITY, Post},
    monitor::Monitor,
    store::{StoreError, Writer},
};

/// A wake-up this late means that the whole machine stood still, so silence proves nothing.
const LATE_MAX: Duration = Duration::from_secs(5);

/// Workers get this long to hand back their trials when the coordinator stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(12);

/// How often the progress is shown.
const REFRESH: Duration = Duration::from_millis(250);

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
    pub monitor: Monitor,
    /// After the last outcome, remote workers get this long to hear of it.
    pub linger: Duration,
}

/// What a run of the loop carries along.
#[derive(Default)]
struct Calls {
    n_calls: u64,
    waiting: BTreeMap<Call, oneshot::Sender<Reply>>,
    stop_by: Option<Instant>,
    finish_by: Option<Instant>,
}

impl Driver {
    /// Runs until every trial has its outcome or a stop is through. An error of the store ends the
    /// run at once: what is durable is durable, and nobody was told more.
    pub async fn run(mut self, restored: Vec<Action>) -> Result<Ended, StoreError> {
        let mut calls = Calls::default();
        let mut refresh = interval(REFRESH);
        refresh.set_missed_tick_behavior(MissedTickBehavior::Skip);
        self.carry_out(restored, &mut calls).await?;
        let ended = loop {
            if let Some(ended) = self.ended(&mut calls) {
                break ended;
            }
            let deadline = self.deadline(&calls);
            let mut out = Vec::new();
            tokio::select! {
                biased;
                post = self.mailbox.recv() => self.take_all(post, &mut calls, &mut out),
                () = sleep_until(deadline.into()) => self.tick(deadline, &mut out),
                _ = refresh.tick() => self.monitor.refresh(&self.core),
            }
            self.carry_out(out, &mut calls).await?;
        };
        self.monitor.refresh(&self.core);
        self.monitor.finish();
        self.writer.close();
        Ok(ended)
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
            let by = *calls.finish_by.get_or_insert(now + self.linger);
            let is_through = self.core.remotes_know_the_end() || by <= now;
            return is_through.then_some(Ended::Finished(counts));
        }
        let stop_by = calls.stop_by?;
        (self.core.is_quiet() || stop_by <= now).then_some(Ended::Stopped(counts))
    }

    /// Applies the post at hand and all that wait behind it, so that they share one commit.
    fn take_all(&mut self, first: Option<Post>, calls: &mut Calls, out: &mut Vec<Action>) {
        let now = self.clock.now();
        let mut next = first;
        for _ in 0..CAPACITY {
            let Some(post) = next else { return };
            let event = calls.admit(post);
            self.core.apply(now, event, out);
            next = self.mailbox.try_recv().ok();
        }
    }

    fn tick(&mut self, deadline: Instant, out: &mut Vec<Action>) {
        let now: Millis = self.clock.now();
        let is_late = LATE_MAX < Instant::now().saturating_duration_since(deadline);
        let event = if self.clock.slept() || is_late { Event::Overslept } else { Event::Tick };
        self.core.apply(now, event, out);
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
                Action::Reply(call, reply) => replies.push((call, reply)),
                Action::Publish(notice) => notices.push(notice),
            }
        }
        if !records.is_empty() {
            let records: Arc<[Record]> = records.into();
            self.commit(&records).await?;
            self.monitor.recorded(&records);
        }
        for (call, reply) in replies {
            // A caller that has gone asks again and gets the same.
            let _ = calls.waiting.remove(&call).map(|waiting| waiting.send(reply));
        }
        for notice in notices {
            self.tell(&notice);
        }
        Ok(())
    }

    /// A full disk rolls back and waits for space; nobody is answered meanwhile, so nothing that
    /// is not durable is believed to be.
    async fn commit(&self, records: &Arc<[Record]>) -> Result<(), StoreError> {
        loop {
            match self.writer.commit(records.clone()).await {
                Err(StoreError::Full { .. }) => {
                    self.monitor.disk_full(DISK_FULL_PAUSE);
                    tokio::time::sleep(DISK_FULL_PAUSE).await;
                }
                result => return result,
            }
        }
    }

    fn tell(&mut self, notice: &Notice) {
        self.monitor.noticed(notice, &self.core);
    }
}

impl Calls {
    fn admit(&mut self, post: Post) -> Event {
        match post {
            Post::Join(join, reply) => Event::Join { call: self.ticket(reply), join },
            Post::Sync(sync, reply) => Event::Sync { call: self.ticket(reply), sync },
            Post::LocalEnded { local_index, expected } => {
                Event::LocalEnded { local_index, expected }
            }
            Post::Stop => {
                self.stop_by.get_or_insert(Instant::now() + STOP_TIMEOUT);
                Event::Stop
            }
        }
    }

    fn ticket(&mut self, reply: oneshot::Sender<Reply>) -> Call {
        self.n_calls += 1;
        self.waiting.insert(Call(self.n_calls), reply);
        Call(self.n_calls)
    }
}
