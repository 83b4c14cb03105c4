//! An interface: what the trials of a program are made of and give, declared as data, so that a sweep of
//! them can be read, planned and told without the program.

pub mod parameter;

use std::sync::Arc;

use crate::breach::Breach;
use crate::data::DataShape;
use crate::interface::parameter::{Hyperparameters, Parameter, Value};
use crate::measures::Measure;
use crate::result::TrialResult;

/// What the trials of a program are made of and give. One parameter, which comes first, says of which
/// variant a trial is, and so which of the others it has.
#[derive(Clone, Copy, Debug)]
pub struct Interface {
    /// Raised when equal hyperparameters would give other bits; part of every trial's id.
    pub version: u32,
    /// In the order of the result tables.
    pub parameters: &'static [Parameter],
    /// The values of the first parameter, in the order in which people are told them.
    pub variants: &'static [&'static str],
    /// What a trial measures with each epoch.
    pub measures: fn() -> &'static Arc<[Measure]>,
    /// Why hyperparameters that are each in range do not fit together, or why a trial of them on such
    /// data, if any is named, cannot be run at all.
    pub check: fn(&Hyperparameters, Option<Shape>) -> Result<(), Misfit>,
    /// The first rule that a result of such a trial breaks.
    pub check_result: fn(&TrialResult, &Hyperparameters, &DataShape) -> Result<(), Breach>,
    /// Estimated bytes that a trial on such data needs beside the data.
    pub slot_bytes: fn(&Hyperparameters, Shape) -> u64,
    /// Estimated multiply-adds of a whole trial, by the values of its parameters.
    pub cost_macs: fn(Values<'_>, &Load) -> f64,
}

/// What looks a parameter's value up.
pub type Values<'a> = &'a dyn Fn(&str) -> Option<&'a Value>;

/// Inputs and classes of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub n_inputs: u32,
    pub n_classes: u32,
}

/// What of a data set decides how long a trial on it takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    pub shape: Shape,
    pub n_train: u32,
    pub n_valid: u32,
    pub n_test: u32,
    /// Inputs of a row that are read: fewer than there are where zeros are left out.
    pub n_read: f64,
}

/// Why hyperparameters cannot be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Misfit {
    /// The parameter at fault.
    pub parameter: &'static str,
    /// What is wrong.
    pub message: String,
    /// What was found or expected.
    pub label: String,
    /// What to do about it, where there is something to say.
    pub help: Option<String>,
}

/// One of the values of the first parameter. Variants are ordered as the interface lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Variant {
    place: usize,
    pub name: &'static str,
}

impl Interface {
    pub fn parameter(&self, name: &str) -> Option<&'static Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    /// The name of the parameter that says of which variant a trial is.
    pub fn selector(&self) -> &'static str {
        self.parameters[0].name
    }

    pub fn variants(&self) -> impl Iterator<Item = Variant> {
        self.variants.iter().enumerate().map(|(place, &name)| Variant { place, name })
    }

    pub fn variant(&self, name: &str) -> Option<Variant> {
        self.variants().find(|variant| variant.name == name)
    }
}

impl PartialEq for Interface {
    /// A program has one.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}
