//! A trial's hyperparameters. The sweep language, the trial's identity, the wire and the result
//! tables all read the table `KEYS`.

mod keys;
mod optimizer;

use std::collections::BTreeMap;

use thiserror::Error;
use trial::{Value, Values};

pub use keys::*;
pub use optimizer::*;

/// Raised by every change of a rule in `NUMERICS.md`; part of every trial's identity.
pub const NUMERICS_VERSION: u32 = 2;

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

/// Why a set of hyperparameters is not a valid configuration.
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
        Self::from_lookup(&|name| values.get(name), seed)
    }

    /// As `from_values`, of whatever looks a value up.
    pub(crate) fn from_lookup(values: Values<'_>, seed: u32) -> Result<Self, ConfigError> {
        let reader = Reader::new(values)?;
        let kind = reader.optimizer;
        let mut optimizer = Optimizer { kind, numbers: Default::default() };
        for (number, (name, _)) in optimizer.numbers.iter_mut().zip(kind.definition().keys) {
            *number = reader.number(name)?;
        }
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
            .filter(|key| key.is_used_by(kind.name()))
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
            _ => value_of(key(name)?, self.optimizer.number(name)?),
        })
    }
}

/// Looks keys up, fills in defaults, and checks kinds and ranges.
struct Reader<'a> {
    values: Values<'a>,
    optimizer: OptimizerKind,
}

impl<'a> Reader<'a> {
    fn new(values: Values<'a>) -> Result<Self, ConfigError> {
        let optimizer = match values("optimizer") {
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
        let given = (self.values)(name).cloned();
        let Some(value) = given.or_else(|| key.default_for(self.optimizer.name())) else {
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
            Value::Count(n) => Ok(n as f64),
            _ => unreachable!("`allows` checked the kind"),
        }
    }

    fn count(&self, name: &'static str) -> Result<u32, ConfigError> {
        // Every range ends below 2^32.
        self.number(name).map(|n| n as u32)
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
                assert_eq!(present, key.is_used_by(kind.name()), "{} of {}", key.name, kind.name());
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
