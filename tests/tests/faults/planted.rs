//! Each bug that can be planted in a program is seen by the checks of a story in which the program
//! dies at the worst point.

use worker::faults::BUGS;

use crate::story::{Story, tell};

/// A bug, and the stories one of which must go wrong with it.
struct Planted {
    bug: &'static str,
    story: Story<'static>,
    /// Part of what is then found to be wrong.
    found: &'static str,
}

const PLANTED: [Planted; 6] = [
    Planted {
        bug: "bug.ack_before_commit",
        story: Story {
            coordinator: "bug.ack_before_commit,coordinator.batch.before:4",
            worker: "",
            has_former_worker: false,
        },
        found: "were acknowledged",
    },
    Planted {
        bug: "bug.attempt_not_durable",
        story: Story {
            coordinator: "bug.attempt_not_durable,coordinator.reply.sent:3",
            worker: "",
            has_former_worker: false,
        },
        found: "verify: ",
    },
    Planted {
        bug: "bug.batch_in_parts",
        story: Story {
            coordinator: "bug.batch_in_parts,coordinator.batch.outcome_row:2",
            worker: "",
            has_former_worker: false,
        },
        found: "cannot read the sweep's state",
    },
    Planted {
        bug: "bug.seed_by_attempt",
        story: Story {
            coordinator: "",
            worker: "bug.seed_by_attempt,worker.outcome.fresh:1",
            has_former_worker: false,
        },
        found: "not the files of an undisturbed run",
    },
    Planted {
        bug: "bug.spool_dropped_early",
        story: Story {
            coordinator: "coordinator.batch.outcome_row:1",
            worker: "bug.spool_dropped_early",
            has_former_worker: false,
        },
        found: "has trained a trial twice",
    },
    Planted {
        bug: "bug.spool_not_synced",
        story: Story {
            coordinator: "",
            worker: "bug.spool_not_synced,worker.spool.synced:1",
            has_former_worker: false,
        },
        found: "was in the spool and is trained again",
    },
];

#[test]
fn every_planted_bug_is_caught() {
    assert_eq!(PLANTED.map(|planted| planted.bug), BUGS, "each bug has its story");
    let mut missed = Vec::new();
    for Planted { bug, story, found } in PLANTED {
        let seen = tell(story);
        println!("{bug}: {:?}", seen.wrong);
        if !seen.wrong.iter().any(|text| text.contains(found)) {
            missed.push((bug, seen));
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:#?}");
}
