//! Forgeries by workers that were granted a trial: results that it cannot give, leases of others, garbage
//! for a checkpoint.

use std::collections::BTreeSet;

use proto::finished::Outcome;
use proto::put_checkpoint_request::Part;
use proto::trial_result::Ending;
use proto::{
    Announcement, Checkpoint, Completed, Diverged, Epoch, Finished, Grant, JoinRequest, Lease,
    PutCheckpointRequest, Running, SyncRequest, Timing, TrialResult, Trouble, Verdict, Work,
};
use sha2::{Digest, Sha256};
use tonic::{Code, Status};

use crate::HOSTILE;
use crate::attacker::{Member, artifacts, introduction};
use crate::forgery::{SWEEP, assert_code};

/// Ids of trials.
type Ids = BTreeSet<Vec<u8>>;

/// A result of one epoch whose every number a trial might give, which is what makes it forged.
fn forged() -> TrialResult {
    let epoch = Epoch {
        epoch: 1,
        train_loss: 1.0,
        train_accuracy: 0.5,
        valid_loss: 1.0,
        valid_accuracy: 0.5,
        learning_rate: 0.1,
        ..Epoch::default()
    };
    let history = (1..=SWEEP.epochs).map(|number| Epoch { epoch: number, ..epoch.clone() });
    let completed = Completed { best_epoch: 1, test_accuracy: Some(0.5), collapsed: false };
    TrialResult {
        ending: Some(Ending::Completed(completed)),
        history: history.collect(),
        work: Some(Work::default()),
        digest: vec![9; 32],
    }
}

/// Gives the trials that have failed once by it.
pub async fn results(url: &str) -> Ids {
    type Forge = fn(&mut TrialResult);
    const LARGE: u64 = 1 << 63;
    let forgeries: [Forge; 15] = [
        |_| {},
        |result| result.history[0].valid_accuracy = 1e308,
        |result| result.history[0].train_accuracy = f64::NAN,
        |result| result.history[0].valid_loss = -1.0,
        |result| result.history[0].train_loss = f64::INFINITY,
        |result| result.history.truncate(1),
        |result| result.history.clear(),
        |result| result.history[0].n_backtracks = LARGE - 1,
        |result| result.history[0].grad_samples = LARGE,
        |result| result.work = Some(Work { n_steps: LARGE - 1, ..Work::default() }),
        |result| result.work = None,
        |result| result.ending = None,
        |result| result.digest.clear(),
        |result| {
            let diverged = Diverged { step: u64::MAX, last_finite_loss: Some(f64::NAN) };
            result.ending = Some(Ending::Diverged(diverged));
        },
        |result| {
            let completed = Completed { best_epoch: 1, ..Completed::default() };
            result.ending = Some(Ending::Completed(completed));
        },
    ];
    let mut failed = BTreeSet::new();
    for forge in forgeries {
        let mut member = Member::join(url).await;
        let grant = granted(&mut member, &failed).await;
        let lease = grant.lease.expect("a grant has a lease");
        let mut result = forged();
        forge(&mut result);
        let timing = Timing { worker: HOSTILE.into(), isa: HOSTILE.into(), ..Timing::default() };
        let finished = Finished {
            lease: Some(lease.clone()),
            outcome: Some(Outcome::Result(result)),
            timings: vec![timing; 3],
        };
        failed.insert(lease.trial_id);
        let says =
            SyncRequest { finished: vec![finished], draining: true, ..SyncRequest::default() };
        let reply = member.sync(says).await.expect("an answer");
        assert_eq!(reply.acks.len(), 1, "it is not to come back");
    }
    failed
}

/// The grant of a trial that is not one of these, which come first; a trial fails at its second failure.
/// What else is granted is handed back.
async fn granted(member: &mut Member, but: &Ids) -> Grant {
    for _ in 0..1_000 {
        let n_free_slots = 1 + u32::try_from(but.len()).expect("a few");
        let says = SyncRequest { n_free_slots, ..SyncRequest::default() };
        let mut grants = member.sync(says).await.expect("an answer").grants;
        let is_new =
            |grant: &Grant| grant.lease.as_ref().is_some_and(|it| !but.contains(&it.trial_id));
        let chosen = grants.iter().position(is_new).map(|at| grants.swap_remove(at));
        let running =
            chosen.iter().map(|grant| Running { lease: grant.lease.clone(), ..Running::default() });
        let says = SyncRequest {
            running: running.collect(),
            released: grants.into_iter().filter_map(|grant| grant.lease).collect(),
            ..SyncRequest::default()
        };
        member.sync(says).await.expect("an answer");
        if let Some(grant) = chosen {
            return grant;
        }
    }
    panic!("no trial was granted");
}

/// Stale leases, those of others, and the same Sync again and again.
pub async fn leases(url: &str) {
    let mut member = Member::join(url).await;
    let grant = granted(&mut member, &Ids::new()).await;
    let own = grant.lease.clone().expect("a grant has a lease");
    let forgeries = [
        Lease { attempt: own.attempt + 1, ..own.clone() },
        Lease { attempt: u32::MAX, ..own.clone() },
        Lease { term: own.term + 1, ..own.clone() },
        Lease { nonce: own.nonce ^ 1, ..own.clone() },
        Lease { trial_id: vec![7; 32], ..own.clone() },
        Lease { trial_id: vec![7; 100_000], ..own.clone() },
    ];
    for forged_lease in forgeries {
        let finished = Finished {
            lease: Some(forged_lease.clone()),
            outcome: Some(Outcome::Failure("forged".into())),
            timings: vec![],
        };
        let running = Running { lease: Some(own.clone()), started: true, ..Running::default() };
        let says = SyncRequest {
            running: vec![running],
            finished: vec![finished],
            ..SyncRequest::default()
        };
        let reply = member.sync(says).await.expect("an answer");
        let verdicts: Vec<Verdict> = reply.acks.iter().map(proto::Ack::verdict).collect();
        assert_eq!(verdicts, [Verdict::Rejected], "{forged_lease:?}");
        let checkpoint = Checkpoint { digest: vec![0; 32], n_bytes: 10, epoch: 1 };
        let announced = put(url, Some(forged_lease), Some(checkpoint), vec![]).await;
        let code = announced.expect_err("no such lease").code();
        assert!(matches!(code, Code::FailedPrecondition | Code::InvalidArgument), "{code}");
    }
    let checkpoint = Checkpoint { digest: vec![0; 32], n_bytes: 10, epoch: 1 };
    for broken in [
        None,
        Some(Checkpoint { n_bytes: u64::MAX, ..checkpoint.clone() }),
        Some(Checkpoint { n_bytes: 0, ..checkpoint.clone() }),
        Some(Checkpoint { epoch: u32::MAX, ..checkpoint.clone() }),
        Some(Checkpoint { digest: vec![0; 31], ..checkpoint }),
    ] {
        assert_code(put(url, Some(own.clone()), broken, vec![]).await, Code::InvalidArgument);
    }
    // A replayed Sync brings the same grants, whatever it says to have seen.
    let says =
        SyncRequest { n_free_slots: 1, released: vec![own.clone()], ..SyncRequest::default() };
    member.sync(says).await.expect("an answer");
    for seen_seq in [0, 1, u64::MAX] {
        let replayed = SyncRequest {
            session: member.session(),
            seq: member.seq,
            seen_seq,
            released: vec![own.clone()],
            ..SyncRequest::default()
        };
        for _ in 0..20 {
            let reply = member.client.sync(replayed.clone()).await.expect("an answer");
            assert!(reply.into_inner().grants.len() <= 1, "one slot was free");
        }
    }
    leave(member).await;
}

/// Hands back what is held.
async fn leave(mut member: Member) {
    member.seq += 10;
    let says = SyncRequest { draining: true, ..SyncRequest::default() };
    member.sync(says).await.expect("an answer");
}

pub async fn texts(url: &str, failed: &mut Ids) {
    let hostile = || HOSTILE.repeat(2_000);
    let introduction =
        JoinRequest { name: hostile(), isa: hostile(), cpu: hostile(), ..introduction() };
    let mut member = Member::join_as(url, introduction).await.expect("a name is no reason");
    let lease = granted(&mut member, failed).await.lease.expect("a grant has a lease");
    failed.insert(lease.trial_id.clone());
    let finished = Finished {
        lease: Some(lease),
        outcome: Some(Outcome::Failure(hostile())),
        timings: vec![],
    };
    let trouble = Trouble { text: hostile(), for_ms: u64::MAX };
    let (finished, troubles) = (vec![finished], vec![trouble; 20]);
    let says = SyncRequest { finished, troubles, ..SyncRequest::default() };
    member.sync(says).await.expect("an answer");
    // What it was told of the worker stays in `status`.
}

/// Its digest is right, and nothing else: whoever fetches it begins from scratch.
pub async fn garbage_for_a_checkpoint(url: &str) {
    let mut member = Member::join(url).await;
    let grant = granted(&mut member, &Ids::new()).await;
    let bytes = vec![0xab; 100_000];
    let digest = Sha256::digest(&bytes).to_vec();
    let checkpoint = Checkpoint { digest, n_bytes: bytes.len() as u64, epoch: SWEEP.epochs };
    let n_bytes = put(url, grant.lease, Some(checkpoint), bytes).await.expect("it may publish");
    assert_eq!(n_bytes, 100_000);
    leave(member).await;
}

async fn put(
    url: &str,
    lease: Option<Lease>,
    checkpoint: Option<Checkpoint>,
    bytes: Vec<u8>,
) -> Result<u64, Status> {
    let announcement = Announcement { lease, checkpoint, offset: 0 };
    let parts = [Part::Announcement(announcement), Part::Bytes(bytes)];
    let parts = parts.map(|part| PutCheckpointRequest { part: Some(part) });
    let reply = artifacts(url).put_checkpoint(tokio_stream::iter(parts)).await?;
    Ok(reply.into_inner().n_bytes)
}
