//! The record of an epoch: a reading for each measure that its program declares.

use std::fmt::{self, Display, Formatter};
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use crate::breach::Breach;
use crate::measures::{Measure, MeasureKind};

/// What a measure reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading {
    Number(f64),
    Count(u64),
}

/// Counts are stored as signed numbers of 64 bits.
const MAX_COUNT: u64 = i64::MAX.cast_unsigned();

const FINITE: &str = "a finite number";
const WHOLE: &str = "a whole number from 0 to 9223372036854775807";

impl Reading {
    pub fn number(self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Count(_) => None,
        }
    }

    pub fn count(self) -> Option<u64> {
        match self {
            Self::Number(_) => None,
            Self::Count(count) => Some(count),
        }
    }

    /// A reading of either kind, for what is drawn.
    pub fn as_number(self) -> f64 {
        match self {
            Self::Number(number) => number,
            Self::Count(count) => count as f64,
        }
    }
}

impl Display for Reading {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number:?}"),
            Self::Count(count) => write!(f, "{count}"),
        }
    }
}

/// The name of a measure that reads numbers, as the index of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(pub &'static str);

/// The name of a measure that reads counts, as the index of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(pub &'static str);

/// One epoch of a trial.
#[derive(Clone, Debug)]
pub struct EpochRecord {
    /// Counts from 1.
    pub epoch: u32,
    measures: Arc<[Measure]>,
    /// One for each measure.
    readings: Vec<Option<Reading>>,
}

impl EpochRecord {
    /// Without any reading.
    pub fn new(measures: &Arc<[Measure]>, epoch: u32) -> Self {
        Self { epoch, measures: Arc::clone(measures), readings: vec![None; measures.len()] }
    }

    pub fn measures(&self) -> &Arc<[Measure]> {
        &self.measures
    }

    /// One for each measure, in the order of the declarations.
    pub fn readings(&self) -> &[Option<Reading>] {
        &self.readings
    }

    /// `None` where it does not apply, and for a measure that is not declared.
    pub fn reading(&self, name: &str) -> Option<Reading> {
        self.readings[self.place(name)?]
    }

    /// The readings of optional numbers, which are there together or not at all.
    pub fn numbers<const N: usize>(&self, names: [Number; N]) -> Option<[f64; N]> {
        let found = names.map(|name| self.reading(name.0));
        let is_number = |it: &Option<Reading>| matches!(it, Some(Reading::Number(_)));
        found.iter().all(is_number).then(|| names.map(|name| self[name]))
    }

    /// # Panics
    /// If the measure is not declared: a program knows its own declarations.
    pub fn set(&mut self, name: &str, reading: Option<Reading>) {
        let place =
            self.place(name).unwrap_or_else(|| panic!("the measure {name} is not declared"));
        self.readings[place] = reading;
    }

    /// Whether each reading is of its measure's kind and range, and none is missing that every epoch
    /// has.
    ///
    /// # Errors
    /// The first measure of which this does not hold.
    pub fn check(&self) -> Result<(), Breach> {
        for (measure, reading) in self.measures.iter().zip(&self.readings) {
            let (is_possible, expected) = match (measure.kind, reading) {
                (_, None) if measure.is_optional => continue,
                (MeasureKind::Number, Some(Reading::Number(number))) => {
                    (number.is_finite(), FINITE)
                }
                (MeasureKind::Count, Some(Reading::Count(count))) => (*count <= MAX_COUNT, WHOLE),
                (MeasureKind::Number, _) => (false, FINITE),
                (MeasureKind::Count, _) => (false, WHOLE),
            };
            if !is_possible {
                return Err(Breach {
                    field: format!("{} of epoch {}", measure.name, self.epoch),
                    found: reading.map_or("none".into(), |reading| reading.to_string()),
                    expected: expected.into(),
                });
            }
        }
        Ok(())
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.measures.iter().position(|measure| measure.name == name)
    }
}

/// Records of the same measures; which program declared them beside others does not matter.
impl PartialEq for EpochRecord {
    fn eq(&self, other: &Self) -> bool {
        let names =
            |record: &Self| record.measures.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
        let is_same = Arc::ptr_eq(&self.measures, &other.measures) || names(self) == names(other);
        is_same && self.epoch == other.epoch && self.readings == other.readings
    }
}

/// NaN where there is no such number.
impl Index<Number> for EpochRecord {
    type Output = f64;

    fn index(&self, Number(name): Number) -> &f64 {
        match self.place(name).map(|place| &self.readings[place]) {
            Some(Some(Reading::Number(number))) => number,
            _ => &f64::NAN,
        }
    }
}

/// 0 where there is no such count.
impl Index<Count> for EpochRecord {
    type Output = u64;

    fn index(&self, Count(name): Count) -> &u64 {
        match self.place(name).map(|place| &self.readings[place]) {
            Some(Some(Reading::Count(count))) => count,
            _ => &0,
        }
    }
}

/// # Panics
/// If the measure is not declared, or as a count.
impl IndexMut<Number> for EpochRecord {
    fn index_mut(&mut self, Number(name): Number) -> &mut f64 {
        if self.reading(name).is_none() {
            self.set(name, Some(Reading::Number(f64::NAN)));
        }
        match self.place(name).map(|place| &mut self.readings[place]) {
            Some(Some(Reading::Number(number))) => number,
            _ => panic!("the measure {name} reads no numbers"),
        }
    }
}

/// # Panics
/// If the measure is not declared, or as a number.
impl IndexMut<Count> for EpochRecord {
    fn index_mut(&mut self, Count(name): Count) -> &mut u64 {
        if self.reading(name).is_none() {
            self.set(name, Some(Reading::Count(0)));
        }
        match self.place(name).map(|place| &mut self.readings[place]) {
            Some(Some(Reading::Count(count))) => count,
            _ => panic!("the measure {name} reads no counts"),
        }
    }
}
