//! The JSON lines of a coordinator.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::Ended;

/// Every line that it wrote; each must be an object.
pub fn events(ended: &Ended) -> Vec<Value> {
    let parse = |line: &String| {
        let event: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
        assert!(event.is_object(), "{line}");
        event
    };
    ended.stdout.iter().map(parse).collect()
}

/// The last event, which must be `finished`.
#[track_caller]
pub fn finished_event(ended: &Ended) -> Value {
    let last = events(ended).pop().unwrap_or_else(|| panic!("no events; {ended:#?}"));
    assert_eq!(last["event"], "finished");
    last
}

/// The trials that were recorded by this process; each must be told once.
#[track_caller]
pub fn trial_ids(ended: &Ended) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for event in events(ended).iter().filter(|event| event["event"] == "trial") {
        let id = event["trial_id"].as_str().expect("a trial has its id").to_owned();
        assert!(ids.insert(id), "told twice: {event}");
    }
    ids
}
