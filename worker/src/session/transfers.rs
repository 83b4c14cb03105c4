//! Checkpoints that travel beside the calls: new ones to the coordinator, one after the other, and
//! those of granted trials from there before their slots begin.

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::agent::Job;
use crate::link::transfer;
use crate::programs::task::Task;
use crate::session::pending::completed;
use crate::session::state::Session;
use crate::session::state::{Fetch, Transfers};

pub(super) enum Moved {
    /// The first job's checkpoint was published, or will not be.
    Published,
    /// The task can begin, from a checkpoint or without.
    Fetched(Task),
}

impl Transfers {
    /// Waits until something has come to its end; forever if nothing is on its way.
    pub(super) async fn moved(&mut self) -> Moved {
        tokio::select! {
            () = completed(&mut self.publishing) => Moved::Published,
            task = fetched(&mut self.fetching, &mut self.fetches) => Moved::Fetched(task),
        }
    }

    /// Publishes the job's checkpoint when its turn comes.
    pub(super) fn want(&mut self, job: Job) {
        let n_under_way = usize::from(self.publishing.is_some());
        if !self.to_publish.iter().skip(n_under_way).any(|wanted| *wanted == job) {
            self.to_publish.push_back(job);
        }
    }

    /// Ends a fetch; false if there is none of this job.
    fn abandon(&mut self, job: Job) -> bool {
        let fetch = self.fetches.extract_if(.., |fetch| fetch.job == job).next();
        fetch.inspect(|fetch| fetch.handle.abort()).is_some()
    }

    /// What waits for a checkpoint, and since when nothing moves for it.
    pub(super) fn fetches(&self) -> impl Iterator<Item = (Job, Instant)> + '_ {
        let moved_at = self.line.moved_at();
        self.fetches.iter().map(move |fetch| (fetch.job, fetch.began.max(moved_at)))
    }
}

/// The next task whose fetch was not abandoned.
async fn fetched(fetching: &mut JoinSet<Task>, fetches: &mut Vec<Fetch>) -> Task {
    loop {
        match fetching.join_next().await {
            Some(Ok(task)) => {
                // A fetch may have ended just before it was abandoned.
                if fetches.extract_if(.., |fetch| fetch.job == task.job).next().is_some() {
                    return task;
                }
            }
            Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Some(Err(_abandoned)) => {}
            None => std::future::pending().await,
        }
    }
}

impl Session {
    /// Begins a task, first of all with its checkpoint if others have published one.
    pub(super) fn begin(&mut self, task: Task, published: Vec<proto::Checkpoint>) {
        if published.is_empty() {
            return self.slots.begin(task);
        }
        let (job, artifacts) = (task.job, self.link.artifacts());
        let (line, own) = (self.transfers.line.clone(), self.checkpoints.clone());
        let fetch = transfer::fetch(line, artifacts, own, task.trial_id, published);
        let handle = self.transfers.fetching.spawn(async {
            fetch.await;
            task
        });
        self.transfers.fetches.push(Fetch { job, handle, began: Instant::now() });
    }

    /// True if the job waited for its checkpoint and is at rest now.
    pub(super) fn abandon_fetch(&mut self, job: Job) -> bool {
        let is_abandoned = self.transfers.abandon(job);
        if is_abandoned {
            self.agent.left(job);
        }
        is_abandoned
    }

    /// A slot rests before its job's end. The lease goes back when others can go on from what was
    /// done, or at once if there is nobody to publish it to.
    pub(super) fn slot_left(&mut self, job: Job) {
        let is_wanted = self.agent.lease_of(job).is_some();
        if is_wanted && self.is_heard() && self.transfers.to_publish.contains(&job) {
            self.transfers.leaving.push(job);
        } else {
            self.agent.left(job);
        }
    }

    pub(super) fn publish_next(&mut self) {
        while self.transfers.publishing.is_none()
            && self.is_heard()
            && let Some(&job) = self.transfers.to_publish.front()
        {
            let Some(lease) = self.agent.lease_of(job) else {
                self.published();
                continue;
            };
            let artifacts = self.link.artifacts();
            let publish = transfer::publish(artifacts, self.checkpoints.clone(), lease);
            self.transfers.publishing = Some(Box::pin(publish));
        }
    }

    pub(super) fn moved(&mut self, moved: Moved) {
        match moved {
            Moved::Published => self.published(),
            Moved::Fetched(task) => self.slots.begin(task),
        }
    }

    fn published(&mut self) {
        let Some(job) = self.transfers.to_publish.pop_front() else { return };
        if !self.transfers.to_publish.contains(&job) {
            for job in self.transfers.leaving.extract_if(.., |leaving| *leaving == job) {
                self.agent.left(job);
            }
        }
    }

    /// Hands back at once what waits for its checkpoint to be published.
    pub(super) fn stop_publishing(&mut self) {
        self.transfers.publishing = None;
        self.transfers.to_publish.clear();
        for job in self.transfers.leaving.drain(..) {
            self.agent.left(job);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::builtin::tests::task;

    #[tokio::test]
    async fn a_task_whose_fetch_was_abandoned_never_begins() {
        let mut transfers = Transfers::default();
        for job in [Job(1), Job(2)] {
            let task = Task { job, ..task() };
            let handle = transfers.fetching.spawn(async { task });
            transfers.fetches.push(Fetch { job, handle, began: Instant::now() });
        }
        while !transfers.fetches.iter().all(|fetch| fetch.handle.is_finished()) {
            tokio::task::yield_now().await;
        }
        assert!(transfers.abandon(Job(1)));
        let Moved::Fetched(task) = transfers.moved().await else { panic!("nothing is published") };
        assert_eq!(task.job, Job(2));
        assert!(transfers.fetches.is_empty());
    }
}
