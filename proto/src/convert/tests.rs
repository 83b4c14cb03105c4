//! Every value comes back from the wire as it was, and what is wrong is named.

use proptest::prelude::*;
use trial::{EpochRecord, MeasureKind, Reading, StepSizes};

use super::epoch::{COUNTS, NUMBERS};
use super::*;

/// Every bit pattern but NaN, which equals nothing.
fn number() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("not NaN", |x| !x.is_nan())
}

fn a_count() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(i64::MAX.cast_unsigned()), 0..1_000_000_u64]
}

/// Measures of any kind, with and without fields of their own.
fn measures() -> Arc<[Measure]> {
    let own = NUMBERS.map(|(it, _)| Measure::number(it.0, ""));
    let counts = COUNTS.map(|(it, _)| Measure::count(it.0, ""));
    let steps = StepSizes::NAMES.map(|it| Measure::number(it.0, "").optional());
    let more = [
        Measure::number("weight_norm", ""),
        Measure::count("n_dead", ""),
        Measure::count("n_swaps", "").optional(),
    ];
    trial::declared([&own[..], &counts, &steps, &more].concat()).unwrap()
}

fn epoch() -> impl Strategy<Value = EpochRecord> {
    let readings = prop::collection::vec((number(), a_count(), any::<bool>()), 15);
    let numbers = number().prop_filter("finite", |x| x.is_finite());
    (any::<u32>(), readings, numbers, any::<bool>()).prop_map(|(epoch, readings, x, has_steps)| {
        let mut record = EpochRecord::new(&measures(), epoch);
        for (measure, (number, count, is_there)) in measures().iter().zip(readings) {
            let number = if number.is_finite() { number } else { x };
            let reading = match measure.kind {
                MeasureKind::Number => Reading::Number(number),
                MeasureKind::Count => Reading::Count(count),
            };
            let is_there = is_there || !measure.is_optional;
            record.set(&measure.name, is_there.then_some(reading));
        }
        if has_steps {
            StepSizes::put(Some(StepSizes { min: x, median: x, max: x }), &mut record);
        }
        record
    })
}

fn ending() -> impl Strategy<Value = Ending> {
    let completed = (any::<u32>(), prop::option::of(number()), any::<bool>());
    let diverged = (a_count(), prop::option::of(number()));
    prop_oneof![
        completed.prop_map(|(best_epoch, test_accuracy, collapsed)| {
            Ending::Completed { best_epoch, test_accuracy, collapsed }
        }),
        diverged.prop_map(|(step, last_finite_loss)| Ending::Diverged { step, last_finite_loss }),
    ]
}

fn work() -> impl Strategy<Value = Work> {
    let backtracks = prop::option::of((number(), any::<u32>(), any::<u32>()));
    (prop::array::uniform6(a_count()), backtracks).prop_map(|(n, backtracks)| Work {
        n_steps: n[0],
        grad_samples: n[1],
        probe_samples: n[2],
        macs_textbook: n[3],
        macs_executed: n[4],
        backtracks: backtracks.map(|(mean, p95, max)| Backtracks { mean, p95, max }),
        steps_without_step: n[5],
    })
}

fn result() -> impl Strategy<Value = TrialResult> {
    let history = prop::collection::vec(epoch(), 0..4);
    (ending(), history, work(), any::<[u8; 32]>()).prop_map(|(ending, history, work, digest)| {
        TrialResult { ending, history, work, digest: Digest(digest) }
    })
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        ".*".prop_map(Value::Text),
        number().prop_map(Value::Number),
        any::<u64>().prop_map(Value::Count),
        prop::collection::vec(any::<u32>(), 0..5).prop_map(Value::Widths),
    ]
}

fn split() -> impl Strategy<Value = Split> {
    let scale = prop::sample::select(Scale::ALL.to_vec());
    (any::<u32>(), any::<u32>(), scale).prop_map(|(n_train, n_valid, scale)| Split {
        n_train,
        n_valid,
        scale,
    })
}

proptest! {
    #[test]
    fn values_come_back_from_the_wire_as_they_were(
        result in result(),
        (key, value) in ("[a-z_]{1,9}", value()),
        (split, digest, n_bytes) in (split(), any::<[u8; 32]>(), any::<u64>()),
        (wall_s, cpu_s) in (number(), number()),
        name in "[a-z0-9-]{1,20}",
        (epoch, attempt, n_slots_in_use) in any::<(u32, u32, u32)>(),
    ) {
        prop_assert_eq!(crate::TrialResult::from(&result).into_value(&measures()), Ok(result));
        let sent = crate::Hyperparameter::new(&key, value.clone());
        prop_assert_eq!((&sent.key, sent.to_value()), (&key, Some(value)));
        let sent = crate::Data::new(Digest(digest), n_bytes, split);
        prop_assert_eq!(sent.n_bytes, n_bytes);
        prop_assert_eq!(sent.identity(), Ok((Digest(digest), split)));
        let (worker, isa) = (name.clone(), name);
        let timing = Timing { epoch, wall_s, cpu_s, worker, isa, attempt, n_slots_in_use };
        prop_assert_eq!(Timing::from(crate::Timing::from(&timing)), timing);
    }

    #[test]
    fn what_is_missing_too_short_or_too_large_is_named(result in result(), n_bytes in 0..32_usize) {
        let sent = crate::TrialResult::from(&result);
        let refused = |wire: crate::TrialResult| wire.into_value(&measures()).unwrap_err().0;
        let lacks = refused(crate::TrialResult { ending: None, ..sent.clone() });
        prop_assert_eq!(lacks, "result.ending is missing");
        let lacks = refused(crate::TrialResult { work: None, ..sent.clone() });
        prop_assert_eq!(lacks, "result.work is missing");
        let short = refused(crate::TrialResult { digest: vec![0; n_bytes], ..sent.clone() });
        prop_assert!(short.starts_with("result.digest has"), "{}", short);
        let work = sent.work.map(|work| crate::Work { macs_textbook: u64::MAX, ..work });
        let large = refused(crate::TrialResult { work, ..sent });
        prop_assert!(large.starts_with("macs_textbook is 18446744073709551615"), "{}", large);
    }

    #[test]
    fn readings_that_are_not_declared_twice_or_missing_are_named(epoch in epoch()) {
        let refused = |change: fn(&mut crate::Epoch)| {
            let mut sent = crate::Epoch::from(&epoch);
            change(&mut sent);
            sent.into_value(&measures()).map_err(|Malformed(text)| text).unwrap_err()
        };
        let unknown = refused(|it| it.more.push(crate::Reading::new("x\u{1b}y", Reading::Count(1))));
        prop_assert!(unknown.starts_with("x y of epoch"), "{}", unknown);
        prop_assert!(unknown.ends_with("is no measure of this sweep"), "{}", unknown);
        let twice = refused(|it| it.more.push(crate::Reading::new("n_dead", Reading::Count(1))));
        prop_assert!(twice.starts_with("n_dead") && twice.ends_with("is there twice"), "{}", twice);
        let missing = refused(|it| it.more.retain(|more| more.measure != "weight_norm"));
        prop_assert!(missing.starts_with("weight_norm of epoch"), "{}", missing);
        prop_assert!(missing.ends_with("is none, expected a finite number"), "{}", missing);
        let other = refused(|it| it.more.iter_mut().for_each(|more| more.value = None));
        prop_assert!(other.ends_with("has a value that is missing"), "{}", other);
        let large = refused(|it| it.n_backtracks = u64::MAX);
        prop_assert!(large.starts_with("n_backtracks of epoch"), "{}", large);
    }
}
