//! A process dies at each of its points, the first time it comes there, the second and the third;
//! what it left behind is enough to end as if nothing had been.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    thread,
};

use worker::faults::POINTS;

use crate::story::{Seen, Story, tell};

const N_HITS: u32 = 3;

/// Stories told at the same time; most of each is waiting.
const N_AT_ONCE: usize = 4;

/// Come to when another worker goes on with a trial.
const OF_FETCHES: [&str; 2] = ["worker.checkpoint.fetched", "worker.checkpoint.adopted"];

#[test]
fn whoever_dies_anywhere_loses_nothing() {
    let left = Mutex::new(POINTS.into_iter().collect::<VecDeque<_>>());
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let told = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..N_AT_ONCE {
            scope.spawn(|| {
                while let Some(point) = next() {
                    let stories = die_again_and_again_at(point);
                    told.lock().unwrap_or_else(PoisonError::into_inner).extend(stories);
                }
            });
        }
    });
    let told = told.into_inner().unwrap_or_else(PoisonError::into_inner);
    judge(&told);
}

/// One story for each hit, as far as the point is come to.
fn die_again_and_again_at(point: &'static str) -> Vec<(&'static str, u32, Seen)> {
    let mut stories = Vec::new();
    for hit in 1..=N_HITS {
        stories.push((point, hit, die_at(point, hit)));
        if stories.last().is_some_and(|(_, _, seen)| seen.n_deaths == 0) {
            break;
        }
    }
    stories
}

fn die_at(point: &str, hit: u32) -> Seen {
    let fault = format!("{point}:{hit}");
    if point.starts_with("coordinator.") {
        return tell(Story { coordinator: &fault, ..Story::default() });
    }
    let has_former_worker = OF_FETCHES.contains(&point);
    tell(Story { worker: &fault, has_former_worker, ..Story::default() })
}

#[track_caller]
fn judge(told: &[(&str, u32, Seen)]) {
    let mut wrong = Vec::new();
    let mut n_deaths = 0;
    for (point, hit, seen) in told {
        n_deaths += seen.n_deaths;
        wrong.extend(seen.wrong.iter().map(|text| format!("{point}:{hit}: {text}")));
        if seen.n_deaths == 0 {
            match hit {
                1 => wrong.push(format!("{point} is never come to")),
                _ => println!("{point} is not come to {hit} times"),
            }
        }
    }
    println!("{} points, {n_deaths} deaths", POINTS.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}
