//! The measures of a whole trial: its counted work, as every table of results has it.

use crate::measures::epoch::Reading;
use crate::measures::{Measure, MeasureKind};
use crate::result::{Backtracks, Work};

const N: usize = 9;

static DECLARED: [Measure; N] = [
    Measure::count("n_steps", "Steps taken."),
    Measure::count("grad_samples", "Samples whose gradient was computed."),
    Measure::count("probe_samples", "Samples on which a probe's loss was computed."),
    Measure::count("macs_textbook", "Multiply-adds if every product were dense."),
    Measure::count("macs_executed", "Multiply-adds without a sparse first layer's zeros."),
    Measure::number("backtracks_mean", "Probes that the line search refused, a step.").optional(),
    Measure::count("backtracks_p95", "What 95 % of the steps do not exceed.").optional(),
    Measure::count("backtracks_max", "The most of one step.").optional(),
    Measure::count("steps_without_step", "Steps at which every probe was refused."),
];

impl Work {
    /// In the order of the columns. Those of backtracks are there together or not at all.
    pub fn measures() -> &'static [Measure] {
        &DECLARED
    }

    /// One for each measure.
    pub fn readings(&self) -> [Option<Reading>; N] {
        let count = |count| Some(Reading::Count(count));
        let of_search = |of: fn(Backtracks) -> Reading| self.backtracks.map(of);
        [
            count(self.n_steps),
            count(self.grad_samples),
            count(self.probe_samples),
            count(self.macs_textbook),
            count(self.macs_executed),
            of_search(|it| Reading::Number(it.mean)),
            of_search(|it| Reading::Count(it.p95.into())),
            of_search(|it| Reading::Count(it.max.into())),
            count(self.steps_without_step),
        ]
    }

    /// The inverse. `read` gives what a measure reads, or why it cannot be read; `large` makes an error
    /// of a count that none can have.
    ///
    /// # Errors
    /// The first one.
    pub fn read<E>(
        mut read: impl FnMut(&Measure) -> Result<Option<Reading>, E>,
        large: impl Fn(&Measure) -> E,
    ) -> Result<Self, E> {
        let mut readings = [None; N];
        for (reading, measure) in readings.iter_mut().zip(&DECLARED) {
            *reading = read(measure)?;
        }
        let count = |place: usize| readings[place].and_then(Reading::count).unwrap_or(0);
        let small = |place| u32::try_from(count(place)).map_err(|_| large(&DECLARED[place]));
        let backtracks = match readings[5].and_then(Reading::number) {
            None => None,
            Some(mean) => Some(Backtracks { mean, p95: small(6)?, max: small(7)? }),
        };
        Ok(Self {
            n_steps: count(0),
            grad_samples: count(1),
            probe_samples: count(2),
            macs_textbook: count(3),
            macs_executed: count(4),
            backtracks,
            steps_without_step: count(8),
        })
    }
}

impl Measure {
    /// A reading of its kind, by what looks up numbers and counts.
    ///
    /// # Errors
    /// The one that the look-up gives.
    pub fn read_by<E>(
        &self,
        number: impl FnOnce(&str) -> Result<Option<f64>, E>,
        count: impl FnOnce(&str) -> Result<Option<u64>, E>,
    ) -> Result<Option<Reading>, E> {
        Ok(match self.kind {
            MeasureKind::Number => number(&self.name)?.map(Reading::Number),
            MeasureKind::Count => count(&self.name)?.map(Reading::Count),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_comes_back_as_the_readings_that_it_was() {
        let searched = Work {
            n_steps: 1,
            grad_samples: 2,
            probe_samples: 3,
            macs_textbook: 4,
            macs_executed: 5,
            backtracks: Some(Backtracks { mean: 0.5, p95: 6, max: 7 }),
            steps_without_step: 8,
        };
        for work in [searched, Work { backtracks: None, ..searched }] {
            let readings = work.readings();
            let mut left = readings.into_iter();
            let back = Work::read(|_| Ok(left.next().flatten()), |measure| measure.name.clone());
            assert_eq!(back, Ok(work));
            for (reading, measure) in readings.iter().zip(Work::measures()) {
                assert!(reading.is_some() || measure.is_optional, "{}", measure.name);
            }
        }
        let huge = |measure: &Measure| {
            Ok(Some(match measure.kind {
                MeasureKind::Number => Reading::Number(0.5),
                MeasureKind::Count => Reading::Count(1 << 32),
            }))
        };
        let back = Work::read(huge, |measure| measure.name.clone());
        assert_eq!(back, Err("backtracks_p95".into()));
    }
}
