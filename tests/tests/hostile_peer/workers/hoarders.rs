//! Hoarders: workers that take trials and do not train them. They give them back at once, by a Join or in
//! a drain, or sit on them; the honest worker gets all of them soon and trains them.

use std::thread;

use e2e::{Sweep, canonical_files};
use proto::{JoinRequest, Lease, Order, Running, SyncReply, SyncRequest};
use tokio::runtime::Runtime;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Duration, sleep};
use tonic::Status;

use crate::attacker::{Member, introduction};
use crate::env;

/// 48 trials of some milliseconds.
const SWEEP: Sweep = Sweep { name: "hoarded", n_seeds: 3, ..Sweep::SHORT };

/// Trials that a hoarder has slots for.
const N_SLOTS: usize = 16;

/// What it may be granted before it is held back, and while it is to show that it trains.
const MAX_GRANTED: usize = 4 * N_SLOTS;

/// Between two calls of a hoarder.
const PAUSE: Duration = Duration::from_millis(5);

/// A worker that never trains, under one name.
struct Hoarder {
    introduction: JoinRequest,
    member: Member,
    held: Vec<Lease>,
    n_granted: usize,
}

impl Hoarder {
    async fn join(url: &str) -> Self {
        let introduction = JoinRequest { n_slots: N_SLOTS as u32, ..introduction() };
        let member = Member::join_as(url, introduction.clone()).await.expect("it may join");
        Self { introduction, member, held: Vec::new(), n_granted: 0 }
    }

    /// As the same process, which knows of no trial. True if the sweep is over.
    async fn join_again(&mut self, url: &str) -> Result<bool, Status> {
        let introduction = JoinRequest {
            state_id: self.member.joined.state_id.clone(),
            continues: true,
            ..self.introduction.clone()
        };
        self.member = Member::join_as(url, introduction).await?;
        Ok(self.member.joined.finished)
    }

    /// Wants work for all its slots. True if the sweep is over.
    async fn take(&mut self, says: SyncRequest) -> Result<bool, Status> {
        let n_free_slots = N_SLOTS as u32;
        let reply = self.member.sync(SyncRequest { n_free_slots, ..says }).await?;
        Ok(self.count(&reply))
    }

    fn count(&mut self, reply: &SyncReply) -> bool {
        let granted = reply.grants.iter().filter_map(|grant| grant.lease.clone());
        let new: Vec<Lease> = granted.filter(|lease| !self.held.contains(lease)).collect();
        self.n_granted += new.len();
        self.held.extend(new);
        reply.order() == Order::Finished
    }
}

/// Trials that were granted until the sweep was over, or the coordinator gone.
async fn joins_again(mut hoarder: Hoarder, url: String) -> usize {
    while let (Ok(false), Ok(false)) =
        (hoarder.take(SyncRequest::default()).await, hoarder.join_again(&url).await)
    {
        sleep(PAUSE).await;
    }
    hoarder.n_granted
}

async fn drains(mut hoarder: Hoarder, url: String) -> usize {
    loop {
        let is_over = hoarder.take(SyncRequest::default()).await;
        let drains = SyncRequest { draining: true, ..SyncRequest::default() };
        let has_drained = hoarder.member.sync(drains).await;
        if !matches!((is_over, has_drained), (Ok(false), Ok(_)))
            || !matches!(hoarder.join_again(&url).await, Ok(false))
        {
            return hoarder.n_granted;
        }
        sleep(PAUSE).await;
    }
}

/// Says of all that it holds that it waits for a slot.
async fn sits(mut hoarder: Hoarder, _: String) -> usize {
    loop {
        let waits = |lease: &Lease| Running { lease: Some(lease.clone()), ..Running::default() };
        let running = hoarder.held.iter().map(waits).collect();
        if !matches!(
            hoarder.take(SyncRequest { running, ..SyncRequest::default() }).await,
            Ok(false)
        ) {
            return hoarder.n_granted;
        }
        sleep(20 * PAUSE).await;
    }
}

/// Says that it has not heard of any grant.
async fn hears_nothing(mut hoarder: Hoarder, _: String) -> usize {
    for seq in 1.. {
        let says = SyncRequest {
            session: hoarder.member.session(),
            seq,
            n_free_slots: N_SLOTS as u32,
            ..SyncRequest::default()
        };
        match hoarder.member.client.sync(says).await {
            Ok(reply) if !hoarder.count(reply.get_ref()) => sleep(20 * PAUSE).await,
            _ => break,
        }
    }
    hoarder.n_granted
}

#[test]
fn hoarders_are_held_back_and_an_honest_worker_trains_everything() {
    let undisturbed = thread::spawn(|| {
        let env = env();
        env.run(&SWEEP, &["--local-slots", "1"]);
        canonical_files(&env.report(&SWEEP))
    });
    let env = env();
    let arguments = ["--local-workers", "0", "--sync-every", "300ms", "--lease-ttl", "2s"];
    let coordinator = env.start(&SWEEP, &arguments);
    let url = coordinator.url();
    let runtime = Runtime::new().expect("a runtime");
    // They take all there is before anybody else comes.
    let hoarders: Vec<(&str, JoinHandle<usize>)> = runtime.block_on(async {
        let mut first = JoinSet::new();
        for _ in 0..4 {
            let url = url.clone();
            first.spawn(async move {
                let mut hoarder = Hoarder::join(&url).await;
                hoarder.take(SyncRequest::default()).await.expect("an answer");
                hoarder
            });
        }
        let mut joined = first.join_all().await;
        let n_granted: usize = joined.iter().map(|hoarder| hoarder.n_granted).sum();
        assert_eq!(n_granted, SWEEP.n_trials(), "nothing is left");
        let mut next = || (joined.pop().expect("there are four"), url.clone());
        let (a, b, c, d) = (next(), next(), next(), next());
        vec![
            ("joins again", tokio::spawn(joins_again(a.0, a.1))),
            ("drains", tokio::spawn(drains(b.0, b.1))),
            ("sits on them", tokio::spawn(sits(c.0, c.1))),
            ("hears nothing", tokio::spawn(hears_nothing(d.0, d.1))),
        ]
    });
    let honest = env.start_worker(&url, "honest");
    let log = coordinator.wait().expect(0).stderr_text();
    assert!(log.contains("gets none for"), "{log}");
    honest.wait().expect(0);
    for (name, hoarder) in hoarders {
        let n_granted = runtime.block_on(hoarder).expect("it does not panic");
        assert!(n_granted <= MAX_GRANTED, "a worker that {name} was granted {n_granted} trials");
    }
    let status = env.status(&SWEEP);
    assert_eq!((status.n_completed, status.n_failed), (SWEEP.n_trials(), 0), "{}", status.text);
    let expected = undisturbed.join().expect("it ends well");
    assert_eq!(canonical_files(&env.report(&SWEEP)), expected);
}
