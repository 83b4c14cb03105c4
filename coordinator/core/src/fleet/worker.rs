//! What the core knows of one worker: its session, its leases and until when it is believed alive.

use std::collections::BTreeMap;

use crate::event::{Running, Trouble, WorkerInfo};
use crate::fleet::health::Health;
use crate::fleet::pace::Pace;
use crate::lease::{Lease, OpenLease, SessionId, TrialIndex};
use crate::limits::MAX_PREFETCH;
use crate::time::Millis;

#[derive(Clone, Debug)]
pub struct Worker {
    /// `None` after a restart of the coordinator until the worker joins again.
    pub session: Option<SessionId>,
    pub facts: Option<WorkerInfo>,
    /// The most that any of its processes has had.
    pub n_slots_most: u32,
    /// When its process first joined, so that nothing it tells of is older.
    pub joined: Millis,
    /// Without a Sync until then the worker is lost.
    pub deadline: Millis,
    /// When it last spoke in this session.
    pub spoke: Option<Millis>,
    pub leases: BTreeMap<TrialIndex, HeldLease>,
    /// Trials that it said it would take at once.
    pub n_free_slots: usize,
    pub is_draining: bool,
    /// While it drains: it handed back trials, and was not seen to train any for long.
    pub has_drained_untrained: bool,
    /// The highest number of a Sync in this session.
    pub last_seq: u64,
    /// Its last Sync was one that had been answered before: the reply was lost, or it does not listen.
    pub is_repeating: bool,
    pub health: Health,
    pub pace: Pace,
    /// The answer to its last Sync was `Finished`.
    pub was_told_finished: bool,
    /// As of its last Sync.
    pub troubles: Vec<Trouble>,
    /// When that came, to which the times in `troubles` count.
    pub troubles_told: Millis,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldLease {
    pub open: OpenLease,
    /// The reply that carried the grant; sent again until the worker has seen it.
    pub granted_in_seq: u64,
    pub place: Place,
    pub granted: Millis,
    /// When the worker first said that it trains; `None` while the trial waits for a slot there.
    pub started: Option<Millis>,
    pub n_epochs_done: u32,
    pub valid_accuracy: f64,
    /// Why it did not get on when its worker last spoke.
    pub hindrance: Option<Hindrance>,
    /// Since when it does not get on.
    pub(crate) hindered: Option<Millis>,
    /// Its worker was charged for it.
    pub(crate) is_charged: bool,
    /// As its worker last said; `None` if it does not tell.
    trained_ms: Option<u64>,
    silent_ms: u64,
    /// When an epoch, or the whole, was last seen to begin.
    progressed: Millis,
    /// Since when the coordinator has seen it run, by its own clock.
    watched: Millis,
}

/// Why an attempt does not get on, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hindrance {
    /// Its slot does nothing.
    Stalled,
    /// It has run for so long that its worker is believed no more.
    Overdue,
    /// It was trained for much longer than such trials take.
    Slow,
}

/// Where a granted trial is on its worker, as far as the coordinator can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Granted in advance, or by a former coordinator, and not said to run since.
    Queue,
    /// Granted for a free slot, so that it may run before the worker says so, or said to run.
    Slot,
}

/// What a worker adds to its fleet; nothing if it would not take a trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Workers that take trials, now or once they are done with what they have.
    pub n_able: usize,
    /// Those of them at which no attempt stalls, and those that have brought a result as well.
    pub n_steady: usize,
    pub n_proven: usize,
    pub n_slots: usize,
    pub n_free_slots: usize,
    /// Leases beyond the slots.
    pub n_queued: usize,
    /// Workers with a session that do not drain, and those of them in quarantine.
    pub n_present: usize,
    pub n_quarantined: usize,
}

impl HeldLease {
    pub fn new(open: OpenLease, granted_in_seq: u64, place: Place, granted: Millis) -> Self {
        Self {
            open,
            granted_in_seq,
            place,
            granted,
            started: None,
            n_epochs_done: 0,
            valid_accuracy: 0.0,
            hindrance: None,
            hindered: None,
            is_charged: false,
            trained_ms: None,
            silent_ms: 0,
            progressed: granted,
            watched: granted,
        }
    }

    /// Takes in what its worker says of it. True if it has begun just now.
    pub(crate) fn take_in(&mut self, now: Millis, report: &Running) -> bool {
        let has_begun = self.started.is_none();
        if has_begun {
            self.watched = now;
        }
        // An epoch that was told before is not progress.
        if has_begun || report.n_epochs_done > self.n_epochs_done {
            self.progressed = now;
            self.n_epochs_done = report.n_epochs_done;
        }
        self.started.get_or_insert(now);
        self.place = Place::Slot;
        self.valid_accuracy = report.valid_accuracy;
        self.trained_ms = report.trained_ms;
        self.silent_ms = report.silent_ms;
        has_begun
    }

    /// What was not seen of it was not its doing.
    pub(crate) fn renew(&mut self, now: Millis) {
        (self.progressed, self.watched) = (now, now);
    }

    /// How long the coordinator has seen it run, whatever its worker says.
    pub fn watched_ms(&self, now: Millis) -> u64 {
        self.started.map_or(0, |_| now.since(self.watched))
    }

    /// How long it has been granted without being said to run, as far as that is its worker's doing.
    pub fn unbegun_ms(&self, now: Millis) -> u64 {
        self.started.map_or_else(|| now.since(self.watched), |_| 0)
    }

    /// Its worker tells how long its slot has trained and been silent.
    pub fn is_told(&self) -> bool {
        self.trained_ms.is_some()
    }

    /// How long it has been trained: in its worker's words, or since it was first said to run.
    pub fn trained_ms(&self, now: Millis) -> u64 {
        let seen_ms = self.started.map_or(0, |started| now.since(started));
        self.trained_ms.unwrap_or(seen_ms)
    }

    /// How long its slot has not done a step, in its worker's words, or an epoch; never longer than
    /// since it was granted.
    pub fn silent_ms(&self, now: Millis) -> u64 {
        match (self.started, self.trained_ms) {
            (None, _) => 0,
            (Some(_), Some(_)) => self.silent_ms.min(now.since(self.granted)),
            (Some(_), None) => now.since(self.progressed),
        }
    }
}

impl Worker {
    pub fn new(deadline: Millis) -> Self {
        Self {
            session: None,
            facts: None,
            n_slots_most: 0,
            joined: Millis::default(),
            deadline,
            spoke: None,
            leases: BTreeMap::new(),
            n_free_slots: 0,
            is_draining: false,
            has_drained_untrained: false,
            last_seq: 0,
            is_repeating: false,
            health: Health::default(),
            pace: Pace::default(),
            was_told_finished: false,
            troubles: Vec::new(),
            troubles_told: Millis::default(),
        }
    }

    /// What keeps it from working, as old as it is now: in its words, but no older than its process is
    /// known to be.
    pub fn troubles_at(&self, now: Millis) -> impl Iterator<Item = Trouble> {
        let since_told_ms = now.since(self.troubles_told);
        let known_ms = now.since(self.joined);
        self.troubles.iter().map(move |trouble| Trouble {
            text: trouble.text.clone(),
            for_ms: trouble.for_ms.saturating_add(since_told_ms).min(known_ms),
        })
    }

    /// For people.
    pub fn name(&self) -> String {
        self.facts.as_ref().map_or_else(|| "a worker".into(), |facts| facts.name.clone())
    }

    pub fn is_local(&self) -> bool {
        self.facts.as_ref().is_some_and(|facts| facts.local_index.is_some())
    }

    pub fn n_slots(&self) -> usize {
        self.facts.as_ref().map_or(0, |facts| facts.n_slots as usize)
    }

    /// Leases beyond the slots, as far as these are known.
    pub fn n_queued(&self) -> usize {
        let facts = self.facts.as_ref();
        facts.map_or(0, |facts| self.leases.len().saturating_sub(facts.n_slots as usize))
    }

    /// Whether it holds this very lease.
    pub fn holds(&self, lease: &Lease) -> bool {
        self.leases.get(&lease.trial).is_some_and(|held| held.open.lease == *lease)
    }

    /// A trial that must run alone has no other beside it.
    pub fn trains_alone(&self) -> bool {
        self.leases.values().next().is_some_and(|held| held.open.alone)
    }

    /// Leases that it may get beside those it has. They may be more than its slots although some
    /// of these are free: results that wait to be handed in are among them.
    pub fn n_allowed(&self) -> usize {
        let n_max = self.health.n_leases_max().min(self.n_slots() + MAX_PREFETCH);
        n_max.saturating_sub(self.leases.len())
    }

    /// Slots that may have a trial, now or later, as things stand.
    fn n_usable_slots(&self) -> usize {
        let n_max = if self.trains_alone() { 1 } else { self.health.n_leases_max() };
        self.n_slots().min(n_max)
    }

    pub fn load(&self) -> Load {
        let is_present = self.session.is_some() && !self.is_draining;
        let is_quarantined = self.health.is_quarantined();
        let is_willing = 0 < self.n_free_slots || !self.leases.is_empty();
        let is_able = is_present && !is_quarantined && !self.is_repeating && is_willing;
        let mut load = Load {
            n_present: usize::from(is_present),
            n_quarantined: usize::from(is_present && is_quarantined),
            ..Load::default()
        };
        if is_able {
            // Nobody waits for one that takes trials and does not train them.
            let is_trusted = !self.health.is_shirking();
            load.n_able = usize::from(is_trusted);
            load.n_steady = usize::from(is_trusted && self.health.is_steady());
            load.n_proven = usize::from(is_trusted && self.health.is_proven());
            load.n_slots = self.n_usable_slots();
            let n_unused = load.n_slots.saturating_sub(self.leases.len());
            load.n_free_slots = n_unused.min(self.n_free_slots);
            load.n_queued = self.n_queued();
        }
        load
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_grows_older_between_two_syncs() {
        let mut worker = Worker::new(Millis(60_000));
        let trouble = |for_ms| Trouble { text: "its disk is full".into(), for_ms };
        worker.troubles = vec![trouble(2_000), trouble(u64::MAX)];
        worker.troubles_told = Millis(10_000);
        let at = |worker: &Worker, ms| worker.troubles_at(Millis(ms)).collect::<Vec<_>>();
        // What is older than its worker is not believed.
        worker.joined = Millis(7_000);
        assert_eq!(at(&worker, 10_000), [trouble(2_000), trouble(3_000)]);
        assert_eq!(at(&worker, 14_500), [trouble(6_500), trouble(7_500)]);
    }
}
