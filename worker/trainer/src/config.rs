//! A trial's hyperparameters, and the one table (`KEYS`) where each key is declared: its kind, its
//! default, its range, and the optimizers that use it. The sweep language, the trial's identity,
//! the wire and the result tables all read this table, so a new optimizer is declared here alone.

use std::collections::BTreeMap;

use thiserror::Error;

/// Raised by every change of a rule in `NUMERICS.md`; part of every trial's identity.
pub const NUMERICS_VERSION: u32 = 1;

pub const MAX_BATCH_SIZE: u64 = 65_536;
pub const MAX_EPOCHS: u64 = 10_000;
pub const MAX_HIDDEN_LAYERS: usize = 64;
pub const MAX_WIDTH: u64 = 16_384;

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
    Widths,
}

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
    /// The value a trial gets when the file is silent; `None` where the file must speak, or where
    /// absence has a meaning of its own (`patience`).
    default: fn(OptimizerKind) -> Option<Value>,
    used_by: fn(OptimizerKind) -> bool,
}

impl Key {
    pub fn default_for(&self, optimizer: OptimizerKind) -> Option<Value> {
        (self.default)(optimizer)
    }

    pub fn is_used_by(&self, optimizer: OptimizerKind) -> bool {
        (self.used_by)(optimizer)
    }

    /// Whether a value of the right kind lies in the range.
    pub fn allows(&self, value: &Value) -> bool {
        (self.allowed)(value)
    }
}

/// The roster. Formulas and citations stand with each rule in `optimizers/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OptimizerKind {
    Sgd,
    Momentum,
    Nesterov,
    Adam,
    AdamW,
    RmsProp,
    Lion,
    Backtracking,
    Sls,
}

impl OptimizerKind {
    pub const ALL: [Self; 9] = [
        Self::Sgd,
        Self::Momentum,
        Self::Nesterov,
        Self::Adam,
        Self::AdamW,
        Self::RmsProp,
        Self::Lion,
        Self::Backtracking,
        Self::Sls,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Sgd => "sgd",
            Self::Momentum => "momentum",
            Self::Nesterov => "nesterov",
            Self::Adam => "adam",
            Self::AdamW => "adamw",
            Self::RmsProp => "rmsprop",
            Self::Lion => "lion",
            Self::Backtracking => "backtracking",
            Self::Sls => "sls",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether each step is chosen by probing the batch's loss along the negative gradient.
    pub fn is_line_search(self) -> bool {
        matches!(self, Self::Backtracking | Self::Sls)
    }

    /// Whether `weight_decay` acts on the weights instead of the gradient.
    pub fn decays_decoupled(self) -> bool {
        matches!(self, Self::AdamW | Self::Lion)
    }
}

pub const OPTIMIZER_NAMES: &[&str] =
    &["sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop", "lion", "backtracking", "sls"];

/// Every hyperparameter, in the order of the result tables' columns. `seed` is not one of them.
pub const KEYS: &[Key] = &[
    Key {
        name: "optimizer",
        kind: Kind::Text(OPTIMIZER_NAMES),
        help: "the rule that turns a gradient into an update",
        expected: "the name of an optimizer",
        allowed: |value| matches!(value, Value::Text(name) if OptimizerKind::from_name(name).is_some()),
        default: |_| None,
        used_by: |_| true,
    },
    Key {
        name: "learning_rate",
        kind: Kind::Number,
        help: "step size; for a line search the step it starts from",
        expected: "a finite number above 0",
        allowed: |value| number(value, |x| 0.0 < x),
        default: |_| None,
        used_by: |_| true,
    },
    Key {
        name: "batch_size",
        kind: Kind::Count,
        help: "samples per step",
        expected: "a whole number from 1 to 65536",
        allowed: |value| count(value, 1, MAX_BATCH_SIZE),
        default: |_| None,
        used_by: |_| true,
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
        default: |_| None,
        used_by: |_| true,
    },
    Key {
        name: "activation",
        kind: Kind::Text(&["relu"]),
        help: "the hidden layers' activation",
        expected: "\"relu\"",
        allowed: |value| matches!(value, Value::Text(name) if name == "relu"),
        default: |_| Some(Value::Text("relu".into())),
        used_by: |_| true,
    },
    Key {
        name: "epochs",
        kind: Kind::Count,
        help: "passes over the training set",
        expected: "a whole number from 1 to 10000",
        allowed: |value| count(value, 1, MAX_EPOCHS),
        default: |_| Some(Value::Count(10)),
        used_by: |_| true,
    },
    Key {
        name: "momentum",
        kind: Kind::Number,
        help: "share of the velocity kept per step",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        default: |_| Some(Value::Number(0.9)),
        used_by: |o| matches!(o, OptimizerKind::Momentum | OptimizerKind::Nesterov),
    },
    Key {
        name: "beta1",
        kind: Kind::Number,
        help: "decay of the first moment",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        default: |_| Some(Value::Number(0.9)),
        used_by: |o| matches!(o, OptimizerKind::Adam | OptimizerKind::AdamW | OptimizerKind::Lion),
    },
    Key {
        name: "beta2",
        kind: Kind::Number,
        help: "decay of the second moment (lion: of the momentum)",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        default: |o| Some(Value::Number(if o == OptimizerKind::Lion { 0.99 } else { 0.999 })),
        used_by: |o| matches!(o, OptimizerKind::Adam | OptimizerKind::AdamW | OptimizerKind::Lion),
    },
    Key {
        name: "eps",
        kind: Kind::Number,
        help: "added to the root of the second moment",
        expected: "a finite number above 0",
        allowed: |value| number(value, |x| 0.0 < x),
        default: |_| Some(Value::Number(1e-8)),
        used_by: |o| {
            matches!(o, OptimizerKind::Adam | OptimizerKind::AdamW | OptimizerKind::RmsProp)
        },
    },
    Key {
        name: "alpha",
        kind: Kind::Number,
        help: "decay of rmsprop's second moment",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        default: |_| Some(Value::Number(0.99)),
        used_by: |o| o == OptimizerKind::RmsProp,
    },
    Key {
        name: "armijo_c",
        kind: Kind::Number,
        help: "share of the linear decrease that a step must reach",
        expected: "a number above 0 and below 1",
        allowed: |value| number(value, |x| 0.0 < x && x < 1.0),
        default: |o| Some(Value::Number(if o == OptimizerKind::Sls { 0.1 } else { 1e-4 })),
        used_by: OptimizerKind::is_line_search,
    },
    Key {
        name: "shrink",
        kind: Kind::Number,
        help: "factor on the step after a probe that was refused",
        expected: "a number above 0 and below 1",
        allowed: |value| number(value, |x| 0.0 < x && x < 1.0),
        default: |o| Some(Value::Number(if o == OptimizerKind::Sls { 0.9 } else { 0.5 })),
        used_by: OptimizerKind::is_line_search,
    },
    Key {
        name: "max_probes",
        kind: Kind::Count,
        help: "probes per step at the most",
        expected: "a whole number from 1 to 1000",
        allowed: |value| count(value, 1, 1000),
        default: |o| Some(Value::Count(if o == OptimizerKind::Sls { 100 } else { 30 })),
        used_by: OptimizerKind::is_line_search,
    },
    Key {
        name: "max_step",
        kind: Kind::Number,
        help: "cap on the step that sls grows",
        expected: "a finite number above 0",
        allowed: |value| number(value, |x| 0.0 < x),
        default: |_| Some(Value::Number(10.0)),
        used_by: |o| o == OptimizerKind::Sls,
    },
    Key {
        name: "weight_decay",
        kind: Kind::Number,
        help: "L2 decay added to the gradient of weights; decoupled for adamw and lion",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        default: |_| Some(Value::Number(0.0)),
        used_by: |_| true,
    },
    Key {
        name: "decoupled_decay",
        kind: Kind::Number,
        help: "decay of the weights themselves, times the learning rate",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        default: |_| Some(Value::Number(0.0)),
        used_by: |o| !o.decays_decoupled(),
    },
    Key {
        name: "dropout",
        kind: Kind::Number,
        help: "share of the hidden units dropped while training",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        default: |_| Some(Value::Number(0.0)),
        used_by: |_| true,
    },
    Key {
        name: "label_smoothing",
        kind: Kind::Number,
        help: "share of the target spread over all classes",
        expected: "a number from 0 to below 1",
        allowed: |value| number(value, |x| (0.0..1.0).contains(&x)),
        default: |_| Some(Value::Number(0.0)),
        used_by: |_| true,
    },
    Key {
        name: "schedule",
        kind: Kind::Text(&["constant"]),
        help: "how the learning rate changes over the steps",
        expected: "\"constant\"",
        allowed: |value| matches!(value, Value::Text(name) if name == "constant"),
        default: |_| Some(Value::Text("constant".into())),
        used_by: |_| true,
    },
    Key {
        name: "patience",
        kind: Kind::Count,
        help: "epochs without a better validation accuracy before a trial stops early; absent: never",
        expected: "a whole number from 1 to 10000",
        allowed: |value| count(value, 1, MAX_EPOCHS),
        default: |_| None,
        used_by: |_| true,
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

/// An optimizer with the numbers its rule needs, and no others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    Sgd,
    Momentum { momentum: f64 },
    Nesterov { momentum: f64 },
    Adam { beta1: f64, beta2: f64, eps: f64 },
    AdamW { beta1: f64, beta2: f64, eps: f64 },
    RmsProp { alpha: f64, eps: f64 },
    Lion { beta1: f64, beta2: f64 },
    Backtracking { armijo_c: f64, shrink: f64, max_probes: u32 },
    Sls { armijo_c: f64, shrink: f64, max_probes: u32, max_step: f64 },
}

impl Optimizer {
    pub fn kind(&self) -> OptimizerKind {
        match self {
            Self::Sgd => OptimizerKind::Sgd,
            Self::Momentum { .. } => OptimizerKind::Momentum,
            Self::Nesterov { .. } => OptimizerKind::Nesterov,
            Self::Adam { .. } => OptimizerKind::Adam,
            Self::AdamW { .. } => OptimizerKind::AdamW,
            Self::RmsProp { .. } => OptimizerKind::RmsProp,
            Self::Lion { .. } => OptimizerKind::Lion,
            Self::Backtracking { .. } => OptimizerKind::Backtracking,
            Self::Sls { .. } => OptimizerKind::Sls,
        }
    }
}

/// Everything that, with the data, decides a trial's bits. Built by `from_values` alone, so one
/// that exists is valid.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainConfig {
    pub optimizer: Optimizer,
    pub learning_rate: f64,
    pub batch_size: u32,
    pub hidden: Vec<u32>,
    pub epochs: u32,
    /// L2 for most optimizers, decoupled for adamw and lion.
    pub weight_decay: f64,
    pub decoupled_decay: f64,
    pub dropout: f64,
    pub label_smoothing: f64,
    pub patience: Option<u32>,
    pub seed: u32,
}

/// Why a set of hyperparameters is none.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{key}: {problem}")]
pub struct ConfigError {
    /// The key at fault.
    pub key: &'static str,
    pub problem: String,
    /// What to do about it, where there is something to say.
    pub hint: Option<String>,
}

impl TrainConfig {
    /// Fills in defaults, drops keys that the optimizer does not use, and checks the rest.
    pub fn from_values(values: &BTreeMap<String, Value>, seed: u32) -> Result<Self, ConfigError> {
        let reader = Reader::new(values)?;
        let kind = reader.optimizer;
        let optimizer = match kind {
            OptimizerKind::Sgd => Optimizer::Sgd,
            OptimizerKind::Momentum => Optimizer::Momentum { momentum: reader.number("momentum")? },
            OptimizerKind::Nesterov => Optimizer::Nesterov { momentum: reader.number("momentum")? },
            OptimizerKind::Adam => Optimizer::Adam {
                beta1: reader.number("beta1")?,
                beta2: reader.number("beta2")?,
                eps: reader.number("eps")?,
            },
            OptimizerKind::AdamW => Optimizer::AdamW {
                beta1: reader.number("beta1")?,
                beta2: reader.number("beta2")?,
                eps: reader.number("eps")?,
            },
            OptimizerKind::RmsProp => {
                Optimizer::RmsProp { alpha: reader.number("alpha")?, eps: reader.number("eps")? }
            }
            OptimizerKind::Lion => {
                Optimizer::Lion { beta1: reader.number("beta1")?, beta2: reader.number("beta2")? }
            }
            OptimizerKind::Backtracking => Optimizer::Backtracking {
                armijo_c: reader.number("armijo_c")?,
                shrink: reader.number("shrink")?,
                max_probes: reader.count("max_probes")?,
            },
            OptimizerKind::Sls => Optimizer::Sls {
                armijo_c: reader.number("armijo_c")?,
                shrink: reader.number("shrink")?,
                max_probes: reader.count("max_probes")?,
                max_step: reader.number("max_step")?,
            },
        };
        for name in ["activation", "schedule"] {
            reader.value(name)?;
        }
        let config = Self {
            optimizer,
            learning_rate: reader.number("learning_rate")?,
            batch_size: reader.count("batch_size")?,
            hidden: reader.widths("hidden")?,
            epochs: reader.count("epochs")?,
            weight_decay: reader.number("weight_decay")?,
            decoupled_decay: if kind.decays_decoupled() {
                0.0
            } else {
                reader.number("decoupled_decay")?
            },
            dropout: reader.number("dropout")?,
            label_smoothing: reader.number("label_smoothing")?,
            patience: match reader.value("patience")? {
                None => None,
                Some(_) => Some(reader.count("patience")?),
            },
            seed,
        };
        if kind.is_line_search() && config.weight_decay != 0.0 {
            return Err(ConfigError {
                key: "weight_decay",
                problem: format!(
                    "{} tests the decrease of the plain loss, so L2 decay would be left out of the test",
                    kind.name()
                ),
                hint: Some("use `decoupled_decay`, which acts after a step is accepted".into()),
            });
        }
        Ok(config)
    }

    /// The canonical hyperparameters: defaults filled in, unused keys left out, in `KEYS` order.
    pub fn values(&self) -> Vec<(&'static str, Value)> {
        let kind = self.optimizer.kind();
        KEYS.iter()
            .filter(|key| key.is_used_by(kind))
            .filter_map(|key| self.value(key.name).map(|value| (key.name, value)))
            .collect()
    }

    /// One hyperparameter by name; `None` if the optimizer does not use it or it is absent.
    pub fn value(&self, name: &str) -> Option<Value> {
        Some(match name {
            "optimizer" => Value::Text(self.optimizer.kind().name().into()),
            "learning_rate" => Value::Number(self.learning_rate),
            "batch_size" => Value::Count(self.batch_size.into()),
            "hidden" => Value::Widths(self.hidden.clone()),
            "activation" => Value::Text("relu".into()),
            "epochs" => Value::Count(self.epochs.into()),
            "weight_decay" => Value::Number(self.weight_decay),
            "decoupled_decay" if !self.optimizer.kind().decays_decoupled() => {
                Value::Number(self.decoupled_decay)
            }
            "dropout" => Value::Number(self.dropout),
            "label_smoothing" => Value::Number(self.label_smoothing),
            "schedule" => Value::Text("constant".into()),
            "patience" => Value::Count(self.patience?.into()),
            _ => return self.optimizer_value(name),
        })
    }

    fn optimizer_value(&self, name: &str) -> Option<Value> {
        use Optimizer as O;
        match (name, self.optimizer) {
            ("momentum", O::Momentum { momentum: x } | O::Nesterov { momentum: x })
            | ("beta1", O::Adam { beta1: x, .. } | O::AdamW { beta1: x, .. })
            | ("beta1", O::Lion { beta1: x, .. })
            | ("beta2", O::Adam { beta2: x, .. } | O::AdamW { beta2: x, .. })
            | ("beta2", O::Lion { beta2: x, .. })
            | (
                "eps",
                O::Adam { eps: x, .. } | O::AdamW { eps: x, .. } | O::RmsProp { eps: x, .. },
            )
            | ("alpha", O::RmsProp { alpha: x, .. })
            | ("armijo_c", O::Backtracking { armijo_c: x, .. } | O::Sls { armijo_c: x, .. })
            | ("shrink", O::Backtracking { shrink: x, .. } | O::Sls { shrink: x, .. })
            | ("max_step", O::Sls { max_step: x, .. }) => Some(Value::Number(x)),
            (
                "max_probes",
                O::Backtracking { max_probes: n, .. } | O::Sls { max_probes: n, .. },
            ) => Some(Value::Count(n.into())),
            _ => None,
        }
    }
}

/// Looks keys up, fills in defaults, and checks kinds and ranges.
struct Reader<'a> {
    values: &'a BTreeMap<String, Value>,
    optimizer: OptimizerKind,
}

impl<'a> Reader<'a> {
    fn new(values: &'a BTreeMap<String, Value>) -> Result<Self, ConfigError> {
        let optimizer = match values.get("optimizer") {
            Some(Value::Text(name)) => OptimizerKind::from_name(name),
            _ => None,
        };
        let optimizer = optimizer.ok_or_else(|| ConfigError {
            key: "optimizer",
            problem: "expected the name of an optimizer".into(),
            hint: Some(format!("one of {}", OPTIMIZER_NAMES.join(", "))),
        })?;
        Ok(Self { values, optimizer })
    }

    fn value(&self, name: &'static str) -> Result<Option<Value>, ConfigError> {
        let key = key(name).expect("callers name keys of the table");
        let given = self.values.get(name).cloned();
        let Some(value) = given.or_else(|| key.default_for(self.optimizer)) else {
            return Ok(None);
        };
        if key.allows(&value) {
            return Ok(Some(value));
        }
        Err(ConfigError {
            key: key.name,
            problem: format!("expected {}", key.expected),
            hint: None,
        })
    }

    fn required(&self, name: &'static str) -> Result<Value, ConfigError> {
        self.value(name)?.ok_or_else(|| ConfigError {
            key: name,
            problem: "is missing".into(),
            hint: None,
        })
    }

    fn number(&self, name: &'static str) -> Result<f64, ConfigError> {
        match self.required(name)? {
            // Identity hashes bits, and -0 means 0.
            Value::Number(x) => Ok(if x == 0.0 { 0.0 } else { x }),
            _ => unreachable!("`allows` checked the kind"),
        }
    }

    fn count(&self, name: &'static str) -> Result<u32, ConfigError> {
        match self.required(name)? {
            Value::Count(n) => Ok(u32::try_from(n).expect("every range ends below 2^32")),
            _ => unreachable!("`allows` checked the kind"),
        }
    }

    fn widths(&self, name: &'static str) -> Result<Vec<u32>, ConfigError> {
        match self.required(name)? {
            Value::Widths(widths) => Ok(widths),
            _ => unreachable!("`allows` checked the kind"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(optimizer: &str) -> BTreeMap<String, Value> {
        BTreeMap::from([
            ("optimizer".to_string(), Value::Text(optimizer.into())),
            ("learning_rate".to_string(), Value::Number(0.1)),
            ("batch_size".to_string(), Value::Count(32)),
            ("hidden".to_string(), Value::Widths(vec![8])),
        ])
    }

    #[test]
    fn values_and_from_values_are_inverse_for_every_optimizer() {
        for kind in OptimizerKind::ALL {
            let config = TrainConfig::from_values(&base(kind.name()), 7).unwrap();
            let values = config.values().into_iter().map(|(k, v)| (k.to_string(), v)).collect();
            assert_eq!(TrainConfig::from_values(&values, 7).unwrap(), config);
            for key in KEYS.iter().filter(|key| key.name != "patience") {
                let present = values.contains_key(key.name);
                assert_eq!(present, key.is_used_by(kind), "{} of {}", key.name, kind.name());
            }
        }
    }

    #[test]
    fn a_line_search_refuses_l2_decay_with_a_hint() {
        let mut values = base("backtracking");
        values.insert("weight_decay".into(), Value::Number(1e-4));
        let error = TrainConfig::from_values(&values, 1).unwrap_err();
        assert_eq!(error.key, "weight_decay");
        assert!(error.hint.unwrap().contains("decoupled_decay"));
    }

    #[test]
    fn values_outside_their_range_are_refused() {
        for (name, value) in [
            ("learning_rate", Value::Number(0.0)),
            ("learning_rate", Value::Number(f64::NAN)),
            ("batch_size", Value::Count(0)),
            ("batch_size", Value::Count(65_537)),
            ("hidden", Value::Widths(vec![0])),
            ("dropout", Value::Number(1.0)),
            ("epochs", Value::Text("ten".into())),
        ] {
            let mut values = base("sgd");
            values.insert(name.into(), value);
            assert_eq!(TrainConfig::from_values(&values, 1).unwrap_err().key, name);
        }
    }
}
