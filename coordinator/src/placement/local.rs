//! This machine's own workers: child processes of the same program. Each ends when the pipe to its
//! standard input closes, so none outlives its coordinator, however that ends.

use std::num::NonZeroUsize;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::placement::supervisor::{Heard, Spec, Supervisor};
use crate::run::mailbox::Mailbox;

/// The running workers.
#[derive(Debug)]
pub struct LocalWorkers {
    tasks: JoinSet<()>,
    drain: CancellationToken,
    end: CancellationToken,
    hopeless: CancellationToken,
}

/// Shares `n_cores` evenly, at least one slot each.
pub fn share_slots(
    n_workers: usize,
    slots_each: Option<NonZeroUsize>,
    n_cores: usize,
) -> Vec<NonZeroUsize> {
    let share = |index: usize| {
        let extra = usize::from(index < n_cores % n_workers);
        NonZeroUsize::new(n_cores / n_workers + extra).unwrap_or(NonZeroUsize::MIN)
    };
    (0..n_workers).map(|index| slots_each.unwrap_or_else(|| share(index))).collect()
}

impl LocalWorkers {
    /// `finished` is cancelled once no trial is left for them.
    pub fn start(
        spec: &Spec,
        mailbox: &Mailbox,
        heard: &Heard,
        finished: &CancellationToken,
    ) -> Self {
        let drain = CancellationToken::new();
        let end = CancellationToken::new();
        let hopeless = CancellationToken::new();
        let mut tasks = JoinSet::new();
        for (index, &n_slots) in (0..).zip(&spec.slots) {
            let supervisor = Supervisor {
                index,
                n_slots,
                spec: spec.clone(),
                mailbox: mailbox.clone(),
                heard: heard.clone(),
                early_deaths: Vec::new(),
                finished: finished.clone(),
                drain: drain.clone(),
                end: end.clone(),
                hopeless: hopeless.clone(),
            };
            tasks.spawn(supervisor.supervise());
        }
        Self { tasks, drain, end, hopeless }
    }

    /// Asks them to checkpoint, hand back their trials and end.
    pub fn drain(&self) {
        self.drain.cancel();
    }

    /// Ends when they die again and again before any could join, or could not ever join.
    pub async fn hopeless(&self) {
        self.hopeless.cancelled().await;
    }

    /// Ends them; returns when they are gone.
    pub async fn end(mut self) {
        self.end.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(n_workers: usize, each: Option<usize>, n_cores: usize) -> Vec<usize> {
        let each = each.and_then(NonZeroUsize::new);
        share_slots(n_workers, each, n_cores).into_iter().map(NonZeroUsize::get).collect()
    }

    #[test]
    fn workers_share_the_cores_evenly_with_one_slot_at_least() {
        assert_eq!(shares(1, None, 8), [8]);
        assert_eq!(shares(3, None, 8), [3, 3, 2]);
        assert_eq!(shares(3, None, 2), [1, 1, 1]);
        assert_eq!(shares(2, Some(5), 2), [5, 5]);
        assert!(shares(0, None, 2).is_empty());
    }
}
