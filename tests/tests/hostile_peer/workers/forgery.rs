//! Forgeries: results that no trial gives, leases and sessions that nobody was granted, messages that
//! break a rule, hostile texts in every field. Each is turned away by name, and the sweep goes on.

use e2e::{Sweep, canonical_files};
use proto::{GetCheckpointRequest, GetDatasetRequest, JoinRequest, Lease, Order, SyncRequest};
use tokio::runtime::Runtime;
use tonic::{Code, Status};

use crate::attacker::{Member, artifacts, channel, introduction};
use crate::grants::{garbage_for_a_checkpoint, leases, results, texts};
use crate::{HOSTILE, assert_plain, env, raw};

/// Long enough that the honest worker still trains when the attack is over.
pub const SWEEP: Sweep = Sweep { name: "forged", epochs: 120, ..Sweep::LONG };

#[track_caller]
pub fn assert_code<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code) {
    let status = answer.expect_err("it breaks a rule");
    assert_eq!(status.code(), code, "{status:?}");
    assert!(!status.message().is_empty(), "it is told why");
}

#[test]
fn what_is_forged_is_turned_away_and_changes_nothing() {
    let undisturbed = env();
    undisturbed.run(&SWEEP, &["--local-slots", "1"]);
    let env = env();
    let arguments = ["--local-workers", "0", "--sync-every", "300ms", "--lease-ttl", "5s"];
    let coordinator = env.start(&SWEEP, &arguments);
    let url = coordinator.url();
    let honest = env.start_worker(&url, "honest");
    coordinator.wait_for_trials(1);
    Runtime::new().expect("a runtime").block_on(async {
        joins(&url).await;
        sessions_and_transfers(&url).await;
        broken_messages(&url).await;
        let mut failed = results(&url).await;
        texts(&url, &mut failed).await;
        leases(&url).await;
        garbage_for_a_checkpoint(&url).await;
    });
    let ended = coordinator.wait().expect(0);
    assert_plain(&ended.stderr);
    assert_plain(&ended.stdout);
    let log = ended.stderr_text();
    assert!(log.contains("refused a result of trial "), "{log}");
    assert_plain(&honest.wait().expect(0).stderr);
    let status = env.status(&SWEEP);
    assert_plain(&status.text.lines().map(str::to_owned).collect::<Vec<_>>());
    assert_eq!((status.n_completed, status.n_failed), (SWEEP.n_trials(), 0), "{}", status.text);
    let [files, expected] = [&env, &undisturbed].map(|env| canonical_files(&env.report(&SWEEP)));
    assert_eq!(files, expected);
}

async fn joins(url: &str) {
    type Forge = fn(&mut JoinRequest);
    let forgeries: [(Forge, Code); 10] = [
        (|join| join.local_index = Some(0), Code::FailedPrecondition),
        (
            |join| (join.local_index, join.local_token) = (Some(0), vec![0; 32]),
            Code::FailedPrecondition,
        ),
        (|join| join.protocol_min = u32::MAX, Code::FailedPrecondition),
        (|join| join.numerics_version = u32::MAX, Code::FailedPrecondition),
        (|join| join.selftest_digest = vec![0; 300_000], Code::FailedPrecondition),
        (|join| join.worker_id.truncate(3), Code::InvalidArgument),
        (|join| join.n_slots = 0, Code::InvalidArgument),
        (|join| join.n_slots = u32::MAX, Code::InvalidArgument),
        (|join| join.held = vec![lease(); 8_193], Code::InvalidArgument),
        (|join| join.name = "x".repeat(600_000), Code::OutOfRange),
    ];
    for (forge, code) in forgeries {
        let mut join = introduction();
        forge(&mut join);
        (join.isa, join.cpu) = (HOSTILE.into(), HOSTILE.into());
        assert_code(Member::join_as(url, join).await.map(|member| member.joined), code);
    }
}

/// One that nobody was granted.
fn lease() -> Lease {
    Lease { term: 1, trial_id: vec![7; 32], attempt: 1, nonce: 7 }
}

async fn sessions_and_transfers(url: &str) {
    let mut member = Member::join(url).await;
    let own = member.joined.clone();
    for session in [0, 1, own.session + 1, own.session ^ (1 << 63), u64::MAX] {
        let request = SyncRequest { session, seq: 1, n_free_slots: 1, ..SyncRequest::default() };
        let reply = member.client.sync(request).await.expect("an answer").into_inner();
        assert_eq!(reply.order(), Order::Rejoin);
        assert!(reply.grants.is_empty() && reply.acks.is_empty() && reply.stop.is_empty());
        let get = GetDatasetRequest { session, ..member.data_request() };
        assert_code(artifacts(url).get_dataset(get).await, Code::Unauthenticated);
        let get = GetCheckpointRequest { session, ..GetCheckpointRequest::default() };
        assert_code(artifacts(url).get_checkpoint(get).await, Code::Unauthenticated);
    }
    let data = member.data_request();
    for (get, code) in [
        (GetDatasetRequest { offset: u64::MAX, ..data.clone() }, Code::InvalidArgument),
        (GetDatasetRequest { digest: vec![], ..data.clone() }, Code::NotFound),
        (GetDatasetRequest { digest: vec![1; 32], ..data.clone() }, Code::NotFound),
        (GetDatasetRequest { digest: vec![1; 100_000], ..data }, Code::OutOfRange),
    ] {
        assert_code(artifacts(url).get_dataset(get).await, code);
    }
    let get = GetCheckpointRequest { session: own.session, ..GetCheckpointRequest::default() };
    assert_code(artifacts(url).get_checkpoint(get).await, Code::InvalidArgument);
}

async fn broken_messages(url: &str) {
    let channel = channel(url);
    let bomb = [0x32, 0].repeat(1_000_000);
    for path in [
        "/sweep.v1.Session/Join",
        "/sweep.v1.Session/Sync",
        "/sweep.v1.Artifacts/GetDataset",
        "/sweep.v1.Artifacts/GetCheckpoint",
        "/sweep.v1.Artifacts/PutCheckpoint",
    ] {
        for message in [vec![0xff; 900], bomb.clone(), vec![0; 5_000_000]] {
            let is_short = message.len() < 1_000;
            let status = raw::call(channel.clone(), path, message).await.expect_err("garbage");
            let is_refused = matches!(status.code(), Code::InvalidArgument | Code::OutOfRange);
            assert!(
                is_refused || !is_short && status.code() == Code::ResourceExhausted,
                "{path}: {status:?}"
            );
        }
    }
    let too_many = SyncRequest { released: vec![lease(); 8_193], ..SyncRequest::default() };
    assert_code(Member::join(url).await.sync(too_many).await, Code::InvalidArgument);
}
