//! Slots with a program that the test plays: who runs where, what reaches it, what is heard of it.

use std::sync::Mutex;

use super::*;
use crate::programs::builtin::tests::{checkpoints, task};
use crate::programs::events::{End, Event, Row};

/// What was started and has not ended, with the slot that it was started in.
#[derive(Clone, Default)]
struct Played(Arc<Mutex<Vec<(usize, Stop, Events)>>>);

impl Played {
    /// The oldest.
    fn next(&self) -> (usize, Stop, Events) {
        self.0.lock().unwrap().remove(0)
    }
}

impl Program for Played {
    fn start(&self, slot: usize, _: Task, stop: Stop, events: Events) {
        self.0.lock().unwrap().push((slot, stop, events));
    }
}

fn slots(played: &Played) -> Slots {
    let folder = tempfile::tempdir().unwrap();
    Slots::new(2, Box::new(played.clone()), checkpoints(folder.path()), "test".into(), "none")
}

fn row(epoch: u32) -> Event {
    Event::Row(Row { epoch, n_epochs: 9, valid_accuracy: 0.5, wall_s: 1.0, cpu_s: 1.0 })
}

#[tokio::test]
async fn a_slot_is_free_again_once_its_trial_has_told_its_end() {
    let played = Played::default();
    let mut slots = slots(&played);
    slots.begin(task());
    slots.begin(Task { job: Job(2), ..task() });
    let [(first, _, mut events), (second, ..)] = [played.next(), played.next()];
    assert_eq!((first, second), (0, 1));
    events.tell(row(1)).await;
    events.tell(row(2)).await;
    assert!(matches!(slots.message().await, Message::Died), "the second was dropped");
    assert!(matches!(slots.message().await, Message::Row(Job(1), _)));
    assert_eq!(slots.busy().count(), 2, "nobody knows what still runs in the second");
    events.end(End::Failure("out of luck".into())).await;
    assert!(matches!(slots.message_at_hand(), Some(Message::Row(Job(1), _))));
    let Some(Message::Ended(Job(1), outcome)) = slots.message_at_hand() else { panic!("it ended") };
    assert_eq!((outcome.result, outcome.timings.len()), (Err("out of luck".into()), 2));
    assert!(slots.message_at_hand().is_none(), "an end is the last and is told once");
    slots.begin(Task { job: Job(3), ..task() });
    let (slot, _, events) = played.next();
    assert_eq!(slot, 0);
    events.end(End::Interrupted).await;
    assert!(matches!(slots.message().await, Message::Interrupted(Job(3))));
    assert_eq!(slots.busy().count(), 1);
}

#[tokio::test]
async fn what_is_asked_reaches_its_trial_alone() {
    let played = Played::default();
    let mut slots = slots(&played);
    slots.begin(task());
    slots.begin(Task { job: Job(2), ..task() });
    let [(_, first, _first), (_, second, _second)] = [played.next(), played.next()];
    let asked = || [&first, &second].map(|stop| (stop.at_once(), stop.at_epoch_end()));
    slots.leave_at_epoch_end(Job(2));
    assert_eq!(asked(), [(false, false), (false, true)]);
    slots.stop(Job(1));
    assert_eq!(asked(), [(true, false), (false, true)]);
    slots.stop_all();
    assert_eq!(asked(), [(true, false), (true, true)]);
}

#[tokio::test]
async fn a_program_that_does_not_beat_is_silent() {
    let played = Played::default();
    let mut slots = slots(&played);
    slots.begin(task());
    let (.., events) = played.next();
    let mut silent = |pause_ms| {
        std::thread::sleep(Duration::from_millis(pause_ms));
        slots.look()[0].1.silent
    };
    assert!(silent(5) >= Duration::from_millis(5));
    assert!(silent(5) >= Duration::from_millis(10));
    events.beat();
    assert_eq!(silent(5), Duration::ZERO);
    assert!(silent(5) >= Duration::from_millis(5));
}
