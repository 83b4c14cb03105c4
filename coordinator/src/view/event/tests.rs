//! Events as a program reads them.

use std::time::Duration;

use serde_json::json;
use sweep::{Objective, Score};

use crate::view::event::*;
use crate::view::snapshot::{Best, StandingWarning, WorkerLoad};

fn parsed(event: &Event) -> Value {
    let line = event.to_line();
    assert!(!line.contains('\n'), "{line}");
    serde_json::from_str(&line).expect("JSON")
}

#[test]
fn each_event_is_one_line_that_names_itself_and_the_version() {
    let snapshot = Snapshot {
        n_trials: 4,
        n_done: 1,
        n_left: 3,
        eta: Some(Duration::from_millis(1_500)),
        best: Some(Best {
            metric: Objective::VALID_LOSS,
            score: Score { accuracy: 0.5, loss: 1.25 },
            label: "two\nlines".into(),
        }),
        warnings: vec![StandingWarning {
            worker: None,
            text: "no room".into(),
            since: Duration::from_secs(3),
        }],
        ..Snapshot::default()
    }
    .with_workers([WorkerLoad { name: "w".into(), n_busy: 0, n_slots: 2 }]);
    assert_eq!(
        Event::Progress(&snapshot).to_line(),
        r#"{"version":1,"event":"progress","n_trials":4,"n_done":1,"n_running":0,"n_left":3,"n_checking":0,"n_failed":0,"n_diverged":0,"eta_s":1.5,"best":{"valid_accuracy":0.5,"valid_loss":1.25,"metric":"valid_loss","label":"two\nlines"},"n_workers":1,"n_slots":2,"n_busy":0,"workers":[{"name":"w","n_busy":0,"n_slots":2}],"running":[],"warnings":[{"text":"no room","since_s":3.0}]}"#
    );
    let event = parsed(&Event::Warning { text: "a\nb" });
    assert_eq!(event, json!({ "version": 1, "event": "warning", "text": "a\nb" }));
}

#[test]
fn a_trial_has_every_field_whatever_its_outcome() {
    let trial = EndedTrial { outcome: "cancelled", ..EndedTrial::default() };
    let event = parsed(&Event::Trial(&trial));
    for key in ["attempt", "worker", "test_accuracy", "best_epoch", "digest", "cause"] {
        assert_eq!(event.get(key), Some(&Value::Null), "{key} in {event}");
    }
    assert_eq!(event["hyperparameters"], json!({}));
}

/// A huge fleet makes no huge lines.
#[test]
fn of_many_workers_the_first_are_named_and_all_are_counted() {
    let worker = |i: usize| WorkerLoad { name: format!("{i:0>200}"), n_busy: 1, n_slots: 2 };
    let snapshot = Snapshot::default().with_workers((0..10_000).map(worker));
    let line = Event::Progress(&snapshot).to_line();
    assert!(line.len() < 20_000, "{} bytes", line.len());
    let event = parsed(&Event::Progress(&snapshot));
    assert_eq!(
        [&event["n_workers"], &event["n_slots"], &event["n_busy"]],
        [10_000, 20_000, 10_000]
    );
    assert_eq!(event["workers"].as_array().map(Vec::len), Some(64));
}
