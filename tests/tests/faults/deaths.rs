//! One death each, at the worst point for a bug of `tests/mutants/`, whose head names the story.

use crate::story::{Fate, Seen, Story, tell};

fn coordinator_dies_at(point: &str) -> Seen {
    tell(Story { coordinator: Fate { deaths: &[point] }, ..Story::default() })
}

fn worker_dies_at(point: &str) -> Seen {
    tell(Story { worker: Fate { deaths: &[point] }, ..Story::default() })
}

#[test]
fn a_coordinator_dies_at_its_first_outcome() {
    assert_eq!(coordinator_dies_at("coordinator.batch.outcome_row:1").wrong, [""; 0]);
}

#[test]
fn a_coordinator_dies_at_its_second_outcome() {
    assert_eq!(coordinator_dies_at("coordinator.batch.outcome_row:2").wrong, [""; 0]);
}

#[test]
fn a_coordinator_dies_after_its_third_reply() {
    assert_eq!(coordinator_dies_at("coordinator.reply.sent:3").wrong, [""; 0]);
}

#[test]
fn a_worker_dies_with_an_outcome_outside_its_spool() {
    assert_eq!(worker_dies_at("worker.outcome.fresh:1").wrong, [""; 0]);
}

#[test]
fn a_worker_dies_with_an_outcome_in_its_spool() {
    assert_eq!(worker_dies_at("worker.spool.synced:1").wrong, [""; 0]);
}

#[test]
fn a_damaged_checkpoint_is_not_gone_on_from() {
    let story = Story { has_former_worker: true, damages_published: true, ..Story::default() };
    assert_eq!(tell(story).wrong, [""; 0]);
}
