//! Slots that hang while their worker beats, as with a file system that does not answer: the sweep
//! ends with the same results, and people are told.

use e2e::{Coordinator, Process, Signal, Sweep, finished_event, is_alive, printed_commands, send};

use crate::{env, reference};

const TIMES: [&str; 4] = ["--lease-ttl", "2s", "--sync-every", "300ms"];

fn flags(more: &[&'static str]) -> Vec<&'static str> {
    [&TIMES[..], more].concat()
}

fn assert_told(process: &Process, words: &str) {
    process.in_stderr(words, |lines| lines.iter().any(|line| line.contains(words)).then_some(()));
}

/// The coordinator's own worker, as most people have it; its process ends all the same.
#[test]
fn a_slot_that_hangs_is_replaced_by_the_one_beside_it() {
    let env = env();
    let hang = [("SWEEP_FAULT", "hang.worker.slot:30")];
    let coordinator = env.start_with(&Sweep::LONG, &flags(&["--local-slots", "2"]), &hang);
    assert_told(&coordinator, "it is taken back for an idle slot");
    coordinator.wait().expect(0);
    reference::assert_same(&env);
    env.coordinator(&["verify", &format!("reports/{}", Sweep::LONG.name)]).expect(0);
}

/// The very first trial, before anybody knows how long trials take.
#[test]
fn what_hangs_on_one_worker_is_done_by_another() {
    let env = env();
    let coordinator = env.start(&Sweep::LONG, &flags(&["--local-workers", "0"]));
    let url = coordinator.url();
    let hang = [("SWEEP_FAULT", "hang.worker.slot:1")];
    let hung = env.start_worker_in(&url, "hung", &[], &hang);
    assert_told(&hung, "joined");
    let sound = env.start_worker(&url, "sound");
    assert_told(&coordinator, "a second attempt begins in an idle slot");
    coordinator.wait().expect(0);
    reference::assert_same(&env);
    sound.wait().expect(0);
    env.coordinator(&["verify", &format!("reports/{}", Sweep::LONG.name)]).expect(0);
    let log = hung.wait().expect(0).stderr_text();
    assert!(log.contains("a slot hangs and is left behind"), "{log}");
}

/// Nobody can take over, so that is said, to people and programs, until somebody comes.
#[test]
fn with_the_only_slot_hung_people_are_told_what_to_do() {
    let env = env();
    let coordinator = env.start(&Sweep::SHORT, &flags(&["--local-workers", "0"]));
    let url = coordinator.url();
    let _hung = env.start_worker_in(&url, "hung", &[], &[("SWEEP_FAULT", "hang.worker.slot:3")]);
    assert_told(&coordinator, "worker hung: a slot does nothing");
    let advice = coordinator.in_stderr("advice", |lines| {
        lines.iter().find(|line| line.contains("start another worker (`")).cloned()
    });
    coordinator.in_stdout("an object of it", |lines| {
        lines
            .iter()
            .any(|line| line.contains(r#""event":"warning","text":"worker hung: a slot"#))
            .then_some(())
    });
    let status = env.status(&Sweep::SHORT).text;
    assert!(status.contains("troubles\n worker hung: a slot does nothing"), "{status}");
    let printed = printed_commands(&advice);
    let [another] = printed.as_slice() else { panic!("one command: {advice}") };
    let _sound = env.start_pasted_worker(another);
    let ended = coordinator.wait().expect(0);
    assert!(finished_event(&ended)["results_sha256"].is_string());
    let status = env.status(&Sweep::SHORT).text;
    assert!(!status.contains("troubles"), "they are over: {status}");
}

/// A stop does not wait for it, and the same command goes on.
#[test]
fn a_time_limit_ends_a_run_with_a_hung_slot() {
    let env = env();
    let hang = [("SWEEP_FAULT", "hang.worker.slot:5")];
    let arguments = flags(&["--local-slots", "1", "--time-limit", "3s"]);
    let stopped: Coordinator = env.start_with(&Sweep::LONG, &arguments, &hang);
    stopped.wait().expect(130);
    env.run(&Sweep::LONG, &flags(&["--local-slots", "1"]));
    reference::assert_same(&env);
}

/// A disk that does not answer: people and programs are told, and a stop does not wait for it.
#[test]
fn a_state_whose_disk_hangs_is_told_and_can_be_stopped() {
    let env = env();
    let hang = [("SWEEP_FAULT", "hang.coordinator.commit:9")];
    let arguments = flags(&["--local-slots", "1"]);
    let coordinator: Coordinator = env.start_with(&Sweep::LONG, &arguments, &hang);
    assert_told(&coordinator, "the disk has not answered for 5s");
    coordinator.in_stdout("a warning that stays", |lines| {
        let shown = r#"the disk does not answer","since_s":"#;
        lines.iter().any(|line| line.contains(shown)).then_some(())
    });
    let status = env.status(&Sweep::LONG).text;
    assert!(status.contains("the disk does not answer"), "{status}");
    coordinator.signal(Signal::TERM);
    let stopped = coordinator.wait().expect(130);
    let told = stopped.stderr_text();
    assert!(told.contains("the stop waits no longer"), "{told}");
    let status = env.status(&Sweep::LONG).text;
    assert!(!status.contains("does not answer"), "it is history: {status}");
    env.run(&Sweep::LONG, &flags(&["--local-slots", "1"]));
    reference::assert_same(&env);
}

/// The disk of a worker's spool does not answer: what it was granted is trained, and handed in from
/// memory.
#[test]
fn a_worker_whose_spool_hangs_hands_in_from_memory() {
    let env = env();
    let coordinator = env.start(&Sweep::LONG, &flags(&["--local-workers", "0"]));
    let url = coordinator.url();
    let hung = env.start_worker_in(&url, "hung", &[], &[("SWEEP_FAULT", "hang.worker.spool:3")]);
    hung.in_stderr("joined", |lines| lines.iter().any(|it| it.contains("joined")).then_some(()));
    coordinator.wait_for_trials(10);
    let sound = env.start_worker(&url, "sound");
    coordinator.wait().expect(0);
    reference::assert_same(&env);
    sound.wait().expect(0);
    hung.wait().expect(0);
    assert_eq!(env.status(&Sweep::LONG).n_lost, 0, "its leases lived");
}

/// And meanwhile people are told, and it hears who asks it to stop.
#[test]
fn a_worker_whose_spool_hangs_is_heard_and_hears() {
    let env = env();
    let coordinator = env.start(&Sweep::ENDLESS, &flags(&["--local-workers", "0"]));
    let url = coordinator.url();
    let hung = env.start_worker_in(&url, "hung", &[], &[("SWEEP_FAULT", "hang.worker.spool:1")]);
    assert_told(&coordinator, "worker hung: the disk of");
    let status = env.status(&Sweep::ENDLESS);
    assert!(status.text.contains("does not answer"), "{}", status.text);
    hung.signal(Signal::TERM);
    let log = hung.wait().expect(0).stderr_text();
    assert!(log.contains("does not answer; outcomes stay in memory"), "{log}");
    assert!(log.contains("drained"), "{log}");
    assert_eq!(env.status(&Sweep::ENDLESS).n_lost, 0, "its leases lived");
}

/// A process that was stopped keeps its pipe and its place: it is killed and another one started.
#[test]
fn a_local_worker_that_is_stopped_is_replaced() {
    let env = env();
    let coordinator = env.start(&Sweep::LONG, &flags(&["--local-slots", "1"]));
    coordinator.wait_for_trials(5);
    let former = coordinator.local_workers();
    former.iter().for_each(|pid| send(*pid, Signal::STOP));
    assert_told(&coordinator, "has said nothing for longer than its lease");
    coordinator.wait().expect(0);
    reference::assert_same(&env);
    assert!(!former.into_iter().any(is_alive));
}
