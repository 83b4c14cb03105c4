//! A parameter of a trial: what it is, which values it takes, and a set of values.

use std::fmt;

/// A hyperparameter's value as files, wire and tables carry it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    Number(f64),
    Count(u64),
    Widths(Vec<u32>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One of a few words.
    Text(&'static [&'static str]),
    /// A finite f64 in a range.
    Number,
    /// A whole number in a range.
    Count,
    /// Sizes of the hidden layers, input side first.
    Widths { max_layers: usize, max_width: u64 },
}

/// A parameter, declared.
#[derive(Clone, Copy)]
pub struct Parameter {
    pub name: &'static str,
    pub kind: Kind,
    /// What it is, with its unit, for `schema` and error texts.
    pub help: &'static str,
    /// The values allowed, in words that end the sentence "expected ...".
    pub expected: &'static str,
    /// Whether a value of the right kind lies in the range.
    pub allowed: fn(&Value) -> bool,
    pub used_by: Users,
}

/// The variants whose trials have a parameter, and the value that they get when the file is silent.
#[derive(Clone, Copy)]
pub enum Users {
    /// All variants; `None` where the file must speak, or where absence has a meaning of its own.
    All(fn() -> Option<Value>),
    /// Variants for which this gives a default, by the names of the parameter and the variant.
    By(fn(&str, &str) -> Option<Value>),
}

impl Parameter {
    /// Whether a value of the right kind lies in the range.
    pub fn allows(&self, value: &Value) -> bool {
        (self.allowed)(value)
    }

    /// The value that a trial of a variant gets when the file is silent.
    pub fn default_for(&self, variant: &str) -> Option<Value> {
        match self.used_by {
            Users::All(default) => default(),
            Users::By(default) => default(self.name, variant),
        }
    }

    /// Whether trials of a variant have it.
    pub fn is_used_by(&self, variant: &str) -> bool {
        matches!(self.used_by, Users::All(_)) || self.default_for(variant).is_some()
    }

    /// Whether it can have a smaller value than this one, or a larger one. True of values that have no
    /// order.
    pub fn has_values_beyond(&self, value: &Value, is_smaller: bool) -> bool {
        let next = match *value {
            Value::Number(x) => {
                Some(Value::Number(if is_smaller { x.next_down() } else { x.next_up() }))
            }
            Value::Count(n) => {
                let next = if is_smaller { n.checked_sub(1) } else { n.checked_add(1) };
                next.map(Value::Count)
            }
            Value::Text(_) | Value::Widths(_) => return true,
        };
        next.is_some_and(|next| self.allows(&next))
    }
}

impl fmt::Debug for Parameter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

/// The values of one trial: each parameter that its variant uses, in the order of the declarations,
/// and the seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Hyperparameters {
    values: Vec<(&'static str, Value)>,
    pub seed: u32,
}

impl Hyperparameters {
    pub fn new(values: Vec<(&'static str, Value)>, seed: u32) -> Self {
        Self { values, seed }
    }

    pub fn values(&self) -> &[(&'static str, Value)] {
        &self.values
    }

    /// The value of a parameter; `None` if the trial does not have it.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.values.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}
