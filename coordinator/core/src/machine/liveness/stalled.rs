//! Attempts that do not get on although their worker beats: slow ones, and stalled ones, whose slot
//! does nothing. What idle slots do about them, so that a slot that hangs delays a sweep and does
//! not keep it from its end.

use crate::event::{Action, CloseCause, Notice, Remedy};
use crate::fleet::worker::{HeldLease, Hindrance};
use crate::lease::{Lease, OpenLease, TrialIndex, WorkerId};
use crate::ledger::trial::Status;
use crate::limits::{
    MAX_DOUBLINGS, MAX_TROUBLED_SEEN, OVERDUE_FACTOR, OVERDUE_S, OVERDUE_UNKNOWN_S,
    SLOTS_PER_SPECULATION, SLOW_S, SLOW_SEEN_FACTOR, SLOW_SEEN_S, SLOW_SHARE, SLOW_UNKNOWN_S,
    STALLED_S, STALLED_SHARE, STALLED_UNKNOWN_S, STALLED_UNTOLD_FACTOR, STALLED_UNTOLD_S,
    STALLED_UNTOLD_UNKNOWN_S,
};
use crate::machine::Core;
use crate::time::Millis;

/// An attempt whose slot does nothing, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StalledAttempt {
    pub worker: WorkerId,
    pub trial: TrialIndex,
    pub silent_ms: u64,
}

impl Core {
    /// Those that are stalled now, the one that began first at the head.
    pub fn stalled(&self, now: Millis) -> impl Iterator<Item = StalledAttempt> + '_ {
        let is_stalled = |held: &&HeldLease| held.hindrance == Some(Hindrance::Stalled);
        let hindered = self.fleet.troubled().take_while(is_stalled);
        hindered.filter(move |held| self.is_stalled(now, held)).map(move |held| StalledAttempt {
            worker: held.open.worker,
            trial: held.open.lease.trial,
            silent_ms: held.silent_ms(now),
        })
    }

    /// Notes whether a trial gets on, of which its worker has just told: what idle slots look at.
    pub(crate) fn note_hindrance(&mut self, now: Millis, id: WorkerId, trial: TrialIndex) {
        let hindrance = self.hindrance(now, &self.fleet.worker(id).leases[&trial]);
        self.fleet.note_hindrance(now, id, trial, hindrance);
    }

    /// What an idle slot of this worker can do about an attempt that does not get on.
    pub(crate) fn stuck_for(
        &self,
        now: Millis,
        id: WorkerId,
        stop: &[Lease],
    ) -> Option<(Remedy, OpenLease)> {
        let troubled = self.fleet.troubled().take(MAX_TROUBLED_SEEN);
        let mut stuck = troubled.filter_map(|held| Some((self.hindrance(now, held)?, held)));
        let nothing_waits = self.nothing_waits_for(now, id);
        stuck.find_map(|(hindrance, held)| {
            let remedy = self.remedy(now, hindrance, held, id, nothing_waits)?;
            // What it was just told to stop would go on under a new lease.
            let is_stopped = stop.iter().any(|lease| lease.trial == held.open.lease.trial);
            (!is_stopped).then_some((remedy, held.open))
        })
    }

    /// A speculative attempt loses nothing and is the first choice. It needs a slot of another
    /// worker, a trial that has two attempts at most and is suspected of nothing, and no
    /// outcome; else what does nothing is taken back.
    fn remedy(
        &self,
        now: Millis,
        hindrance: Hindrance,
        held: &HeldLease,
        id: WorkerId,
        nothing_waits: bool,
    ) -> Option<Remedy> {
        let open = &held.open;
        let trial = open.lease.trial;
        let record = &self.trials[trial.index()];
        let take_back = (hindrance != Hindrance::Slow).then_some(Remedy::TakeBack);
        if self.fleet.has_speculation(trial) {
            // The earlier attempt has done more; the later one makes room for a third.
            let is_last = open.lease.attempt == record.n_attempts;
            return (is_last && self.is_all_stuck(now, trial)).then_some(Remedy::TakeBack);
        }
        let may_speculate = record.status == Status::Leased
            && record.is_unsuspected()
            && open.worker != id
            && !self.fleet.worker(id).trains_alone();
        if may_speculate && self.yields(now, id, trial, held.hindered.unwrap_or(now)) {
            return None;
        }
        match hindrance {
            Hindrance::Stalled if may_speculate => Some(Remedy::Speculate),
            Hindrance::Slow if may_speculate && nothing_waits && self.may_copy_slow() => {
                Some(Remedy::Speculate)
            }
            Hindrance::Overdue if may_speculate && nothing_waits => Some(Remedy::Speculate),
            Hindrance::Overdue if may_speculate => None,
            _ => take_back,
        }
    }

    /// Few slow trials have a second attempt.
    fn may_copy_slow(&self) -> bool {
        let n_speculations_max = (self.fleet.load().n_slots / SLOTS_PER_SPECULATION).max(1);
        self.fleet.n_copies() < n_speculations_max
    }

    fn is_all_stuck(&self, now: Millis, trial: TrialIndex) -> bool {
        self.fleet.leases_of(trial).all(|open| {
            let held = &self.fleet.worker(open.worker).leases[&trial];
            self.hindrance(now, held).is_some()
        })
    }

    fn hindrance(&self, now: Millis, held: &HeldLease) -> Option<Hindrance> {
        if self.is_stalled(now, held) {
            return Some(Hindrance::Stalled);
        }
        let trial = held.open.lease.trial;
        let bounds = self.pace.expected_s(self.cost(trial)).map(|s| {
            let slow_s = s + longer(SLOW_SHARE * s, SLOW_S);
            let seen_s = longer(SLOW_SEEN_FACTOR * slow_s, SLOW_SEEN_S);
            (slow_s, seen_s, longer(OVERDUE_FACTOR * slow_s, OVERDUE_S))
        });
        let (slow_s, seen_s, overdue_s) =
            bounds.unwrap_or((f64::INFINITY, SLOW_UNKNOWN_S, OVERDUE_UNKNOWN_S));
        let trained_s = held.trained_ms(now) as f64 / 1e3;
        let watched_s = held.watched_ms(now) as f64 / 1e3;
        let patience = self.patience(&held.open);
        if overdue_s * patience <= watched_s {
            return Some(Hindrance::Overdue);
        }
        let is_slow = slow_s * patience <= trained_s || seen_s * patience <= watched_s;
        is_slow.then_some(Hindrance::Slow)
    }

    pub(crate) fn is_stalled(&self, now: Millis, held: &HeldLease) -> bool {
        if held.started.is_none() {
            return false;
        }
        let trial = held.open.lease.trial;
        let expected_s = self.pace.expected_s(self.cost(trial));
        let stalled_s = match (expected_s, held.is_told()) {
            (Some(s), true) => longer(STALLED_SHARE * s, STALLED_S),
            (None, true) => STALLED_UNKNOWN_S,
            (Some(s), false) => longer(STALLED_UNTOLD_FACTOR * s, STALLED_UNTOLD_S),
            (None, false) => STALLED_UNTOLD_UNKNOWN_S,
        };
        stalled_s * self.patience(&held.open) <= held.silent_ms(now) as f64 / 1e3
    }

    /// By how much longer an attempt is waited for than at first.
    fn patience(&self, open: &OpenLease) -> f64 {
        let (trial, id) = (open.lease.trial, open.worker);
        let Some(stalls) = self.stalls.get(&trial) else { return 1.0 };
        let by_workers = stalls.n_workers_beyond().min(MAX_DOUBLINGS);
        let by_itself = if self.has_other_for(id, trial) { 0 } else { stalls.n_beyond(id) };
        f64::from(1_u32 << by_workers.max(by_itself).min(30))
    }

    /// Attempts at the trial that were taken back.
    pub(crate) fn n_taken_back(&self, trial: TrialIndex) -> u32 {
        self.stalls.get(&trial).map_or(0, |stalls| stalls.n_taken_back)
    }

    /// The attempt, or a later one, was taken back because it stalled.
    pub(crate) fn has_stalled(&self, lease: &Lease) -> bool {
        self.stalls.get(&lease.trial).is_some_and(|stalls| lease.attempt <= stalls.last_attempt)
    }

    /// Ends a stalled attempt. If it was the trial's only one the trial waits behind all others.
    pub(crate) fn take_back(&mut self, now: Millis, open: &OpenLease, out: &mut Vec<Action>) {
        let Lease { trial, attempt, .. } = open.lease;
        let stalls = self.stalls.entry(trial).or_default();
        stalls.taken_back = now;
        stalls.n_taken_back = stalls.n_taken_back.saturating_add(1);
        stalls.last_attempt = stalls.last_attempt.max(attempt);
        if self.close(open, CloseCause::Stalled, out) {
            self.queue.push_back(trial);
        }
    }

    /// An attempt that stalls counts once against its worker. One that is merely slow does not, unless
    /// it makes room for another.
    pub(crate) fn charge_stalled(
        &mut self,
        now: Millis,
        remedy: Remedy,
        open: &OpenLease,
        out: &mut Vec<Action>,
    ) {
        let (id, trial) = (open.worker, open.lease.trial);
        let held = &self.fleet.worker(id).leases[&trial];
        let is_slow = self.hindrance(now, held) == Some(Hindrance::Slow);
        if held.is_charged || (is_slow && remedy == Remedy::Speculate) {
            return;
        }
        self.stalls.entry(trial).or_default().note(id);
        let diagnosis = self.fleet.charge_stalled(now, id, trial);
        self.tell_diagnosis(id, diagnosis, out);
    }

    pub(crate) fn tell_taken_over(
        &self,
        now: Millis,
        remedy: Remedy,
        open: &OpenLease,
        out: &mut Vec<Action>,
    ) {
        let (trial, worker) = (open.lease.trial, self.fleet.worker(open.worker));
        let held = &worker.leases[&trial];
        let (trained_ms, silent_ms) = (held.trained_ms(now), held.silent_ms(now));
        let worker = worker.name();
        let notice = Notice::TakenOver { worker, trial, remedy, trained_ms, silent_ms };
        out.push(Action::Publish(notice));
    }

    /// Nothing is granted any more, so what does nothing is waited for in vain.
    pub(crate) fn take_back_what_stalls(&mut self, now: Millis, out: &mut Vec<Action>) {
        let stalled: Vec<StalledAttempt> = self.stalled(now).collect();
        for StalledAttempt { worker, trial, .. } in stalled {
            let open = self.fleet.worker(worker).leases[&trial].open;
            self.tell_taken_over(now, Remedy::TakeBack, &open, out);
            self.take_back(now, &open, out);
        }
        self.take_back_ignored(now, out);
    }
}

/// The longer of two times that are numbers.
fn longer(a_s: f64, b_s: f64) -> f64 {
    if a_s > b_s { a_s } else { b_s }
}
