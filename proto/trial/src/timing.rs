//! A timing: how long an epoch took and on what, and what no clock can have told.

use std::fmt::Debug;

use crate::breach::Breach;

/// May differ between runs of the same trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Timing {
    pub epoch: u32,
    pub wall_s: f64,
    pub cpu_s: f64,
    pub worker: String,
    pub isa: String,
    pub attempt: u32,
    pub n_slots_in_use: u32,
}

/// The longest that an epoch can take: a year.
const MAX_S: f64 = 366.0 * 24.0 * 60.0 * 60.0;

/// An epoch is trained by one thread; the two clocks may round, and tick, apart.
pub const CLOCKS_APART: f64 = 1.25;
pub const CLOCKS_APART_S: f64 = 1.0;

/// Slots of one machine.
pub const MAX_SLOTS: u32 = 4_096;

/// Whether these can be the times of a result of this many epochs, which the attempt brought: at most
/// one for each epoch, in order, of this attempt or, before a checkpoint, of a former one.
///
/// # Errors
/// The first rule that is broken, by the field's name.
pub fn check(timings: &[Timing], n_epochs: usize, attempt: u32) -> Result<(), Breach> {
    let mut former = 0;
    for timing in timings {
        let epoch = timing.epoch;
        let of = |field: &str| format!("{field} of epoch {epoch}");
        if epoch <= former || n_epochs < epoch as usize {
            let expected = format!("{} to {n_epochs}, each epoch once", former + 1);
            return Err(breach("epoch of a timing", epoch, expected));
        }
        former = epoch;
        if !(0.0..=MAX_S).contains(&timing.wall_s) {
            return Err(breach(of("wall_s"), timing.wall_s, "0 to the seconds of a year"));
        }
        let most = timing.wall_s * CLOCKS_APART + CLOCKS_APART_S;
        if !(0.0..=most).contains(&timing.cpu_s) {
            let expected = format!("0 to {most}, what one thread can use in that time");
            return Err(breach(of("cpu_s"), timing.cpu_s, expected));
        }
        if !(1..=attempt).contains(&timing.attempt) {
            return Err(breach(of("attempt"), timing.attempt, format!("1 to {attempt}")));
        }
        if !(1..=MAX_SLOTS).contains(&timing.n_slots_in_use) {
            let expected = format!("1 to {MAX_SLOTS}");
            return Err(breach(of("slots_in_use"), timing.n_slots_in_use, expected));
        }
    }
    Ok(())
}

/// Whether an attempt can have taken these times that was granted this long ago, on a worker of
/// this many slots. What was trained before a checkpoint is another attempt's.
///
/// # Errors
/// The first rule that is broken, by the field's name.
pub fn check_attempt(
    timings: &[Timing],
    attempt: u32,
    granted_s: Option<f64>,
    n_slots: u32,
) -> Result<(), Breach> {
    let own = || timings.iter().filter(|timing| timing.attempt == attempt);
    if let Some(timing) = own().find(|timing| timing.n_slots_in_use > n_slots) {
        let field = format!("slots_in_use of epoch {}", timing.epoch);
        let expected = format!("1 to {n_slots}, the slots of its worker");
        return Err(breach(field, timing.n_slots_in_use, expected));
    }
    let wall_s: f64 = own().map(|timing| timing.wall_s).sum();
    match granted_s.map(|granted_s| CLOCKS_APART * granted_s + CLOCKS_APART_S) {
        Some(most_s) if wall_s > most_s => {
            let expected = format!("at most {most_s:.1} s, since it was granted");
            Err(breach("wall_s of all epochs", wall_s, expected))
        }
        _ => Ok(()),
    }
}

fn breach(field: impl Into<String>, found: impl Debug, expected: impl Into<String>) -> Breach {
    Breach { field: field.into(), found: format!("{found:?}"), expected: expected.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timings() -> Vec<Timing> {
        let timing = |epoch| Timing {
            epoch,
            wall_s: 0.5,
            cpu_s: 0.4,
            worker: "w".into(),
            isa: "portable".into(),
            attempt: epoch.min(2),
            n_slots_in_use: 2,
        };
        (1..=3).map(timing).collect()
    }

    #[test]
    fn times_of_some_or_all_epochs_pass() {
        check(&timings(), 3, 2).unwrap();
        check(&timings(), 4, 9).unwrap();
        check(&timings()[1..], 3, 2).unwrap();
        check(&[], 3, 1).unwrap();
    }

    #[test]
    fn an_attempt_takes_no_longer_than_since_it_was_granted_and_no_more_slots_than_there_are() {
        // Epochs 2 and 3 are of attempt 2, each of half a second.
        check_attempt(&timings(), 2, Some(0.0), 2).unwrap();
        check_attempt(&timings(), 2, None, 2).unwrap();
        let breach = check_attempt(&timings(), 2, Some(9.0), 1).unwrap_err();
        assert_eq!(breach.field, "slots_in_use of epoch 2");
        let mut long = timings();
        long[2].wall_s = 3e7;
        let breach = check_attempt(&long, 2, Some(9.0), 2).unwrap_err();
        assert_eq!(breach.field, "wall_s of all epochs");
        // What a former attempt took is not this one's.
        long[2].attempt = 1;
        check_attempt(&long, 2, Some(9.0), 2).unwrap();
    }

    #[test]
    fn what_no_clock_tells_is_named() {
        type Change = fn(&mut Timing);
        let changes: [(&str, Change); 12] = [
            ("epoch", |it| it.epoch = 0),
            ("epoch", |it| it.epoch = 3),
            ("epoch", |it| it.epoch = u32::MAX),
            ("wall_s", |it| it.wall_s = -1e300),
            ("wall_s", |it| it.wall_s = f64::NAN),
            ("wall_s", |it| it.wall_s = 1e9),
            ("cpu_s", |it| it.cpu_s = -0.1),
            ("cpu_s", |it| it.cpu_s = f64::INFINITY),
            ("cpu_s", |it| it.cpu_s = 100.0),
            ("attempt", |it| it.attempt = 0),
            ("attempt", |it| it.attempt = 3),
            ("slots_in_use", |it| it.n_slots_in_use = 0),
        ];
        for (field, change) in changes {
            let mut timings = timings();
            change(&mut timings[1]);
            let breach = check(&timings, 3, 2).unwrap_err();
            assert!(breach.field.starts_with(field), "{field}: {breach}");
        }
        assert!(check(&timings(), 2, 2).is_err(), "more than epochs");
        assert!(check(&[timings(), timings()].concat(), 3, 2).is_err(), "twice");
    }
}
