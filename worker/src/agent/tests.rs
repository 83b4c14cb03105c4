//! Transitions of the agent, one reply at a time.

use std::time::Duration;

use super::*;

const STATE: StateId = [5; 16];

fn lease(trial: u8, attempt: u32) -> Lease {
    Lease { term: 1, trial_id: vec![trial; 32], attempt, nonce: u64::from(attempt) }
}

fn grant(trial: u8, attempt: u32) -> Grant {
    Grant {
        lease: Some(lease(trial, attempt)),
        hyperparameters: vec![],
        seed: 3,
        checkpoints: vec![],
    }
}

fn reply(seq: u64) -> SyncReply {
    SyncReply { seq, order: Order::GoOn.into(), ..SyncReply::default() }
}

fn rejoin(seq: u64) -> SyncReply {
    SyncReply { order: Order::Rejoin.into(), ..reply(seq) }
}

fn sync(agent: &mut Agent) -> SyncRequest {
    agent.request(true, vec![], Offer::default).unwrap()
}

/// An agent with two slots that was granted the given trials and started two of them.
fn working(trials: &[u8]) -> (Agent, Vec<Start>) {
    let mut agent = Agent::new(2);
    assert_eq!(agent.joined(40, STATE, &[]), []);
    let seq = sync(&mut agent).seq;
    let grants = trials.iter().map(|&trial| grant(trial, 1)).collect();
    agent.replied(SyncReply { grants, ..reply(seq) }).unwrap();
    let starts = std::iter::from_fn(|| agent.start_next()).collect();
    (agent, starts)
}

#[test]
fn a_sync_without_reply_is_repeated_word_for_word() {
    let (mut agent, starts) = working(&[1, 2]);
    let first = sync(&mut agent);
    agent.progressed(starts[0].job, Progress { n_epochs_done: 1, ..Progress::default() });
    agent.ended(starts[1].job);
    assert_eq!(sync(&mut agent), first);
    assert!(agent.replied(reply(first.seq - 1)).is_err());
    assert_eq!(sync(&mut agent), first);
    assert_eq!(agent.urgency(), Urgency::AtOnce);
    agent.replied(reply(first.seq)).unwrap();
    let second = sync(&mut agent);
    assert_eq!((second.seq, second.seen_seq), (first.seq + 1, first.seq));
    assert_eq!((second.n_free_slots, second.running.len()), (1, 1));
    assert_eq!(second.running[0].n_epochs_done, 1);
    assert_eq!(agent.urgency(), Urgency::Usual);
}

#[test]
fn grants_beyond_the_slots_wait_and_a_grant_sent_again_changes_nothing() {
    let (mut agent, starts) = working(&[1, 2, 3]);
    assert_eq!(starts.len(), 2);
    let request = sync(&mut agent);
    assert_eq!((request.n_free_slots, request.running.len()), (0, 3));
    let again = SyncReply { grants: vec![grant(1, 1), grant(3, 1)], ..reply(request.seq) };
    agent.replied(again).unwrap();
    assert_eq!(agent.start_next(), None);
    assert_eq!(agent.ended(starts[0].job), Some(lease(1, 1)));
    assert_eq!(agent.start_next().unwrap().trial_id, TrialId::from_bytes([3; 32]));
    assert_eq!(agent.leases(), [lease(2, 1), lease(3, 1)]);
}

#[test]
fn a_trial_granted_anew_goes_on_under_the_new_lease() {
    let (mut agent, starts) = working(&[1]);
    let seq = sync(&mut agent).seq;
    let (grants, stop) = (vec![grant(1, 2)], vec![lease(1, 1)]);
    let answer = agent.replied(SyncReply { grants, stop, ..reply(seq) }).unwrap();
    assert_eq!((answer.stop, agent.start_next()), (vec![], None));
    assert_eq!(agent.ended(starts[0].job), Some(lease(1, 2)));
}

#[test]
fn a_stopped_trial_is_not_named_but_holds_its_slot_until_it_rests() {
    let (mut agent, starts) = working(&[1, 2]);
    let seq = sync(&mut agent).seq;
    let stop = vec![lease(1, 1), lease(9, 1)];
    let answer = agent.replied(SyncReply { stop, ..reply(seq) }).unwrap();
    assert_eq!(answer.stop, [(starts[0].job, TrialId::from_bytes([1; 32]))]);
    let seq = sync(&mut agent).seq;
    agent.replied(SyncReply { grants: vec![grant(1, 2)], ..reply(seq) }).unwrap();
    assert_eq!(agent.start_next(), None);
    assert_eq!(sync(&mut agent).running.len(), 2, "trial 2 and the new attempt");
    assert_eq!(agent.ended(starts[0].job), None);
    assert_eq!(agent.start_next().unwrap().attempt, 2);
}

#[test]
fn a_new_session_goes_on_with_what_runs_and_keeps_of_the_rest_what_the_coordinator_kept() {
    let (mut agent, starts) = working(&[1, 2, 3, 4]);
    let seq = sync(&mut agent).seq;
    agent.replied(rejoin(seq)).unwrap();
    assert_eq!(agent.request(true, vec![], Offer::default), None);
    assert_eq!((agent.state_id(), agent.leases().len()), (Some(STATE), 4));
    assert_eq!(agent.joined(41, STATE, &[lease(2, 1), lease(4, 1)]), []);
    let request = sync(&mut agent);
    assert_eq!((request.session, request.seq, request.seen_seq), (41, 1, 0));
    assert_eq!(agent.leases(), [lease(1, 1), lease(2, 1), lease(4, 1)]);
    let answer = agent.replied(SyncReply { stop: vec![lease(1, 1)], ..reply(1) }).unwrap();
    assert_eq!(answer.stop, [(starts[0].job, TrialId::from_bytes([1; 32]))]);
    assert_eq!(agent.leases(), [lease(2, 1), lease(4, 1)]);
}

#[test]
fn of_an_order_to_join_again_nothing_else_is_believed() {
    let (mut agent, _) = working(&[1, 2]);
    let seq = sync(&mut agent).seq;
    let ack = Ack { lease: Some(lease(9, 1)), ..Ack::default() };
    let foreign = SyncReply {
        acks: vec![ack],
        grants: vec![grant(4, 1), grant(1, 7)],
        stop: vec![lease(2, 1)],
        ..rejoin(seq)
    };
    let answer = agent.replied(foreign).unwrap();
    assert_eq!(answer, Answer { stop: vec![], acks: vec![], order: Order::Rejoin });
    assert!(!agent.has_session());
    assert_eq!(agent.leases(), [lease(1, 1), lease(2, 1)]);
}

#[test]
fn outcomes_without_room_are_named_as_running() {
    let (mut agent, _) = working(&[1]);
    let offer = || Offer { finished: vec![Finished::default()], waiting: vec![lease(8, 1)] };
    let request = agent.request(true, vec![], offer).unwrap();
    let named: Vec<_> = request.running.into_iter().filter_map(|running| running.lease).collect();
    assert_eq!(named, [lease(1, 1), lease(8, 1)]);
    assert_eq!((request.finished.len(), request.n_free_slots), (1, 1));
}

#[test]
fn another_state_ends_everything_held() {
    let (mut agent, starts) = working(&[1, 2]);
    let stop = agent.joined(1, [6; 16], &[lease(1, 1), lease(2, 1)]);
    assert_eq!(stop.len(), 2);
    agent.left(starts[0].job);
    agent.left(starts[1].job);
    assert!(agent.is_idle());
    assert_eq!(sync(&mut agent).released, []);
}

#[test]
fn what_is_given_up_is_named_to_nobody() {
    let (mut agent, starts) = working(&[1, 2, 3]);
    agent.drain();
    assert_eq!(agent.give_up().len(), 2);
    assert_eq!((agent.leases(), agent.state_id()), (vec![], None));
    agent.ended(starts[0].job);
    agent.left(starts[1].job);
    assert!(agent.is_idle());
    agent.joined(1, [6; 16], &[]);
    let request = sync(&mut agent);
    assert_eq!((request.n_free_slots, request.draining), (2, false));
    assert_eq!(request.released, []);
}

#[test]
fn draining_hands_back_what_waits_and_what_leaves_its_slot() {
    let (mut agent, starts) = working(&[1, 2, 3]);
    let in_flight = sync(&mut agent);
    let running: Vec<Job> = agent.drain().into_iter().map(|(job, _)| job).collect();
    assert_eq!(running, [starts[0].job, starts[1].job]);
    let late = SyncReply { grants: vec![grant(4, 1)], ..reply(in_flight.seq) };
    agent.replied(late).unwrap();
    agent.left(starts[0].job);
    let request = sync(&mut agent);
    assert!(request.draining);
    assert_eq!(request.n_free_slots, 0);
    assert_eq!(request.released, [lease(3, 1), lease(4, 1), lease(1, 1)]);
    agent.ended(starts[1].job);
    agent.replied(reply(request.seq)).unwrap();
    assert_eq!(sync(&mut agent).released, []);
    assert!(agent.is_idle());
}

#[test]
fn hostile_grants_are_ignored() {
    let (mut agent, _) = working(&[]);
    let seq = sync(&mut agent).seq;
    let short = Lease { trial_id: vec![1; 31], ..lease(1, 1) };
    let grants = vec![Grant::default(), Grant { lease: Some(short), ..grant(1, 1) }];
    agent.replied(SyncReply { grants, ..reply(seq) }).unwrap();
    assert!(agent.is_idle());
}

#[test]
fn the_pace_is_unknown_before_the_first_epoch() {
    let mut progress = Progress { n_epochs: 10, epoch_s: 0.5, ..Progress::default() };
    assert_eq!(progress.seconds_left(), None);
    progress.n_epochs_done = 8;
    assert_eq!(progress.seconds_left(), Some(1.0));
}

#[test]
fn what_waits_is_told_apart_and_given_back_when_it_is_withdrawn() {
    let (mut agent, starts) = working(&[1, 2, 3, 4]);
    let request = sync(&mut agent);
    let started: Vec<bool> = request.running.iter().map(|running| running.started).collect();
    assert_eq!(started, [true, true, false, false]);
    assert_eq!((request.n_free_slots, request.n_queue_places), (0, proto::MAX_QUEUE_PLACES - 2));
    let withdraw = vec![lease(1, 1), lease(3, 1), lease(9, 1)];
    agent.replied(SyncReply { withdraw, ..reply(request.seq) }).unwrap();
    assert_eq!(agent.urgency(), Urgency::AtOnce);
    let request = sync(&mut agent);
    assert_eq!(request.released, [lease(3, 1)], "what runs goes on");
    assert_eq!(agent.leases(), [lease(1, 1), lease(2, 1), lease(4, 1)]);
    agent.ended(starts[0].job);
    assert_eq!(agent.start_next().unwrap().trial_id, TrialId::from_bytes([4; 32]));
}

#[test]
fn an_end_is_told_at_once_only_where_no_grant_waits() {
    let (mut agent, starts) = working(&[1, 2, 3]);
    sync(&mut agent);
    agent.ended(starts[0].job);
    assert_eq!(agent.urgency(), Urgency::Soon);
    agent.start_next().unwrap();
    agent.ended(starts[1].job);
    assert_eq!(agent.urgency(), Urgency::AtOnce);
}

#[test]
fn grants_beyond_the_places_of_a_worker_are_not_taken() {
    let n_max = 2 + MAX_QUEUE_PLACES;
    let (mut agent, _) = working(&[]);
    let seq = sync(&mut agent).seq;
    let grants = (0..2 * n_max).map(|trial| {
        let mut grant = grant(0, 1);
        grant.lease.as_mut().unwrap().trial_id[..8].copy_from_slice(&trial.to_le_bytes());
        grant
    });
    agent.replied(SyncReply { grants: grants.collect(), ..reply(seq) }).unwrap();
    let running = sync(&mut agent).running;
    assert_eq!(running.len(), n_max, "what is not listed goes elsewhere");
}

#[test]
fn what_was_not_asked_for_is_not_taken() {
    let (mut agent, starts) = working(&[1]);
    // As while the data is on its way, or the spool is full.
    let request = agent.request(false, vec![], Offer::default).unwrap();
    assert_eq!((request.n_free_slots, request.n_queue_places), (0, 0));
    let grants = vec![grant(2, 1), grant(1, 2)];
    agent.replied(SyncReply { grants, ..reply(request.seq) }).unwrap();
    assert_eq!(agent.start_next(), None);
    assert_eq!(agent.lease_of(starts[0].job), Some(lease(1, 2)), "what is held is granted anew");
}

#[test]
fn a_sync_tells_how_slots_get_on_and_what_keeps_the_worker_from_working() {
    let (mut agent, starts) = working(&[1, 2]);
    let (trained, silent) = (Duration::from_secs(9), Duration::from_secs(7));
    agent.stands(starts[0].job, Standing { trained, silent });
    let trouble = Trouble { text: "the disk is full".into(), for_ms: 5 };
    let request = agent.request(true, vec![trouble.clone()], Offer::default).unwrap();
    let told = |running: &Running| (running.trained_ms, running.silent_ms);
    let told: Vec<_> = request.running.iter().map(told).collect();
    assert_eq!(told, [(Some(9_000), 7_000), (Some(0), 0)]);
    assert_eq!(request.troubles, [trouble]);
}
