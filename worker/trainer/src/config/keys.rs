//! The table of hyperparameters, `KEYS`: each key's kind, default, range, and the optimizers that
//! use it. A key that is not in this table does not exist anywhere.

use trial::{Kind, Value};

use super::optimizer::{OPTIMIZER_NAMES, OptimizerKind};

pub const MAX_BATCH_SIZE: u64 = 65_536;
pub const MAX_EPOCHS: u64 = 10_000;
pub const MAX_HIDDEN_LAYERS: usize = 64;
pub const MAX_WIDTH: u64 = 16_384;

/// One hyperparameter.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub kind: Kind,
    /// What it is, with its unit, for `schema` and error texts.
    pub help: &'static str,
    /// The values allowed, in words that end the sentence "expected ...".
    pub expected: &'static str,
    allowed: fn(&Value) -> bool,
    used_by: Users,
}

/// The optimizers that use a key, and the value that a trial gets when the file is silent.
#[derive(Debug)]
enum Users {
    /// `None` where the file must speak, or where absence has a meaning of its own (`patience`).
    All(fn() -> Option<Value>),
    /// Those whose `weight_decay` acts on the gradient; 0.
    Coupled,
    /// Those whose definition has the key, each with its own default.
    Own,
}

impl Key {
    /// `None` also for an optimizer that does not use the key.
    pub fn default_for(&self, optimizer: OptimizerKind) -> Option<Value> {
        match self.used_by {
            Users::All(default) => default(),
            Users::Coupled => self.is_used_by(optimizer).then_some(Value::Number(0.0)),
            Users::Own => {
                let mut own = optimizer.definition().keys.iter();
                own.find(|(name, _)| *name == self.name).map(|&(_, default)| self.value(default))
            }
        }
    }

    pub fn is_used_by(&self, optimizer: OptimizerKind) -> bool {
        match self.used_by {
            Users::All(_) => true,
            Users::Coupled => !optimizer.decays_decoupled(),
            Users::Own => self.default_for(optimizer).is_some(),
        }
    }

    /// A number of an optimizer's own as the value of this key.
    pub(crate) fn value(&self, number: f64) -> Value {
        match self.kind {
            Kind::Count => Value::Count(number as u64),
            _ => Value::Number(number),
        }
    }

    /// Whether a value of the right kind lies in the range.
    pub fn allows(&self, value: &Value) -> bool {
        (self.allowed)(value)
    }
}

/// Every hyperparameter, in the order of the result tables' columns. `seed` is not one of them.
pub const KEYS: &[Key] = &[
    Key {
        name: "optimizer",
        kind: Kind::Text(OPTIMIZER_NAMES),
        help: "the rule that turns a gradient into an update",
        expected: "the name of an optimizer",
        allowed: |value| matches!(value, Value::Text(name) if OptimizerKind::from_name(name).is_some()),
        used_by: Users::All(|| None),
    },
    Key {
        name: "learning_rate",
        kind: Kind::Number,
        help: "step size; for a line search the step it starts from",
        expected: "a finite number above 0",
        allowed: |value| number(value, |x| 0.0 < x),
        used_by: Users::All(|| None),
    },
    Key {
        name: "batch_size",
        kind: Kind::Count,
        help: "samples per step",
        expected: "a whole number from 1 to 65536",
        allowed: |value| count(value, 1, MAX_BATCH_SIZE),
        used_by: Users::All(|| None),
    },
    Key {
        name: "hidden",
        kind: Kind::Widths,
        help: "sizes of the hidden layers, input side first",
        expected: "a list of up to 64 widths, each from 1 to 16384",
        allowed: |value| match value {
            Value::Widths(widths) => {
                widths.len() <= MAX_HIDDEN_LAYERS
                    && widths.iter().all(|&w| 1 <= w && u64::from(w) <= MAX_WIDTH)
            }
            _ => false,
        },
        used_by: Users::All(|| None),
    },
    Key {
        name: "activation",
        kind: Kind::Text(&["relu"]),
        help: "the hidden layers' activation",
        expected: "\"relu\"",
        allowed: |value| matches!(value, Value::Text(name) if name == "relu"),
        used_by: Users::All(|| Some(Value::Text("relu".into()))),
    },
    Key {
        name: "epochs",
        kind: Kind::Count,
        help: "passes over the training set",
        expected: "a whole number from 1 to 10000",
        allowed: |value| count(value, 1, MAX_EPOCHS),
        used_by: Users::All(|| Some(Value::Count(10))),
    },
    Key {
        name: "momentum",
        kind: Kind::Number,
        help: "share of the velocity kept per step",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        used_by: Users::Own,
    },
    Key {
        name: "beta1",
        kind: Kind::Number,
        help: "decay of the first moment",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        used_by: Users::Own,
    },
    Key {
        name: "beta2",
        kind: Kind::Number,
        help: "decay of the second moment (lion: of the momentum)",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        used_by: Users::Own,
    },
    Key {
        name: "eps",
        kind: Kind::Number,
        help: "added to the root of the second moment",
        expected: "a finite number above 0",
        allowed: |value| number(value, |x| 0.0 < x),
        used_by: Users::Own,
    },
    Key {
        name: "alpha",
        kind: Kind::Number,
        help: "decay of rmsprop's second moment",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        used_by: Users::Own,
    },
    Key {
        name: "armijo_c",
        kind: Kind::Number,
        help: "share of the linear decrease that a step must reach",
        expected: "a number above 0 and below 1",
        allowed: |value| number(value, |x| 0.0 < x && x < 1.0),
        used_by: Users::Own,
    },
    Key {
        name: "shrink",
        kind: Kind::Number,
        help: "factor on the step after a probe that was refused",
        expected: "a number above 0 and below 1",
        allowed: |value| number(value, |x| 0.0 < x && x < 1.0),
        used_by: Users::Own,
    },
    Key {
        name: "max_probes",
        kind: Kind::Count,
        help: "probes per step at most",
        expected: "a whole number from 1 to 1000",
        allowed: |value| count(value, 1, 1000),
        used_by: Users::Own,
    },
    Key {
        name: "max_step",
        kind: Kind::Number,
        help: "cap on the step that sls grows",
        expected: "a finite number above 0",
        allowed: |value| number(value, |x| 0.0 < x),
        used_by: Users::Own,
    },
    Key {
        name: "weight_decay",
        kind: Kind::Number,
        help: "L2 decay added to the gradient of weights; decoupled for adamw and lion",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        used_by: Users::All(|| Some(Value::Number(0.0))),
    },
    Key {
        name: "decoupled_decay",
        kind: Kind::Number,
        help: "decay of the weights themselves, times the learning rate",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        used_by: Users::Coupled,
    },
    Key {
        name: "dropout",
        kind: Kind::Number,
        help: "share of the hidden units dropped while training",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        used_by: Users::All(|| Some(Value::Number(0.0))),
    },
    Key {
        name: "label_smoothing",
        kind: Kind::Number,
        help: "share of the target spread over all classes",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        used_by: Users::All(|| Some(Value::Number(0.0))),
    },
    Key {
        name: "schedule",
        kind: Kind::Text(&["constant"]),
        help: "how the learning rate changes over the steps",
        expected: "\"constant\"",
        allowed: |value| matches!(value, Value::Text(name) if name == "constant"),
        used_by: Users::All(|| Some(Value::Text("constant".into()))),
    },
    Key {
        name: "patience",
        kind: Kind::Count,
        help: "epochs without a better validation accuracy before a trial stops early; absent: never",
        expected: "a whole number from 1 to 10000",
        allowed: |value| count(value, 1, MAX_EPOCHS),
        used_by: Users::All(|| None),
    },
];

pub fn key(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

fn number(value: &Value, inside: fn(f64) -> bool) -> bool {
    matches!(*value, Value::Number(x) if x.is_finite() && inside(x))
}

fn count(value: &Value, low: u64, high: u64) -> bool {
    matches!(*value, Value::Count(n) if low <= n && n <= high)
}
