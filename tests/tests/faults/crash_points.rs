//! A process dies at each of its points: in its first life when it first comes there, in its second
//! life the second time, in its third the third time. What it left behind is enough to end as if
//! nothing had been.

use faults::POINTS;

use crate::story::{Fate, Seen, Story, at_once, tell};

const N_HITS: usize = 3;

/// Come to when another worker goes on with a trial.
const OF_FETCHES: [&str; 2] = ["worker.checkpoint.fetched", "worker.checkpoint.adopted"];

#[test]
fn whoever_dies_anywhere_loses_nothing() {
    let told = at_once(POINTS, |point| (point, die_again_and_again_at(point)));
    let mut wrong = Vec::new();
    let mut n_deaths = 0;
    for (point, seen) in told {
        n_deaths += seen.n_deaths;
        wrong.extend(seen.wrong.iter().map(|text| format!("{point}: {text}")));
        match seen.n_deaths {
            0 => wrong.push(format!("{point} is never come to")),
            N_HITS => {}
            n => println!("{point} is not come to {} times in one life", n + 1),
        }
    }
    println!("{} points, {n_deaths} deaths", POINTS.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn die_again_and_again_at(point: &str) -> Seen {
    let deaths: [String; N_HITS] = std::array::from_fn(|n| format!("{point}:{}", n + 1));
    let deaths = deaths.each_ref().map(String::as_str);
    let fate = Fate { deaths: &deaths };
    let has_former_worker = OF_FETCHES.contains(&point);
    match point.starts_with("coordinator.") {
        true => tell(Story { coordinator: fate, ..Story::default() }),
        false => tell(Story { worker: fate, has_former_worker, ..Story::default() }),
    }
}
