//! Each bug that can be planted in a program is seen by the checks of a story in which the program
//! dies at the worst point. Without a bug such stories end well: each point is one of those at which
//! programs die in `crash_points`.

use faults::BUGS;

use crate::story::{Fate, Seen, Story, at_once, tell};

/// A bug, and a story that must go wrong with it.
struct Planted {
    bug: &'static str,
    story: Story<'static>,
    /// Part of what is then found to be wrong.
    found: &'static str,
}

const QUIET: Fate<'static> = Fate { bug: "", deaths: &[] };

const fn of_coordinator(
    bug: &'static str,
    deaths: &'static [&'static str],
    found: &'static str,
) -> Planted {
    let coordinator = Fate { bug, deaths };
    let story =
        Story { coordinator, worker: QUIET, has_former_worker: false, damages_published: false };
    Planted { bug, story, found }
}

const fn of_worker(
    bug: &'static str,
    deaths: &'static [&'static str],
    found: &'static str,
) -> Planted {
    let worker = Fate { bug, deaths };
    let story =
        Story { coordinator: QUIET, worker, has_former_worker: false, damages_published: false };
    Planted { bug, story, found }
}

fn planted() -> [Planted; 8] {
    let trusting = Fate { bug: "bug.damage_trusted", deaths: &[] };
    [
        of_coordinator(
            "bug.ack_before_commit",
            &["coordinator.batch.outcome_row:1"],
            "has trained a trial twice",
        ),
        of_coordinator(
            "bug.attempt_not_durable",
            &["coordinator.reply.sent:3"],
            "names an attempt that brought no outcome",
        ),
        of_coordinator(
            "bug.batch_in_parts",
            &["coordinator.batch.outcome_row:2"],
            "the sweep's state is damaged",
        ),
        Planted {
            bug: trusting.bug,
            story: Story {
                coordinator: trusting,
                worker: trusting,
                has_former_worker: true,
                damages_published: true,
            },
            found: "not the files of an undisturbed run",
        },
        of_worker(
            "bug.seed_by_attempt",
            &["worker.outcome.fresh:1"],
            "not the files of an undisturbed run",
        ),
        Planted {
            bug: "bug.spool_dropped_early",
            story: Story {
                coordinator: Fate { bug: "", deaths: &["coordinator.batch.outcome_row:1"] },
                worker: Fate { bug: "bug.spool_dropped_early", deaths: &[] },
                has_former_worker: false,
                damages_published: false,
            },
            found: "has trained a trial twice",
        },
        of_worker(
            "bug.spool_not_synced",
            &["worker.spool.synced:1"],
            "was in the spool and is trained again",
        ),
        of_coordinator(
            "bug.term_not_bumped",
            &["coordinator.batch.outcome_row:1"],
            "1 terms in 2 lives",
        ),
    ]
}

#[test]
fn every_planted_bug_is_caught() {
    assert_eq!(planted().map(|planted| planted.bug), BUGS, "each bug has its story");
    let told = at_once(planted(), |Planted { bug, story, found }| (bug, found, tell(story)));
    let is_caught = |seen: &Seen, found| seen.wrong.iter().any(|text| text.contains(found));
    for (bug, _, Seen { wrong, .. }) in &told {
        println!("{bug}: {wrong:#?}");
    }
    let missed: Vec<_> = told.iter().filter(|(_, found, seen)| !is_caught(seen, found)).collect();
    assert!(missed.is_empty(), "not caught: {missed:#?}");
}

#[test]
fn a_damaged_checkpoint_is_not_gone_on_from() {
    let story = Story { has_former_worker: true, damages_published: true, ..Story::default() };
    assert_eq!(tell(story).wrong, [""; 0]);
}
