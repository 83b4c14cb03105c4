//! The trainer as others know it: its parameters and measures, and what of a configuration can be told
//! without training it.

use trial::{Breach, Hyperparameters, Interface, Misfit, Shape};

use crate::config::{ConfigError, KEYS, NUMERICS_VERSION, OPTIMIZER_NAMES, TrainConfig};
use crate::measures::measures;
use crate::model::cost::cost_macs;
use crate::model::size::{Elements, MAX_ELEMENTS, TooLarge, check_size, slot_bytes};
use crate::trial::result::check_result;

/// What the trainer's trials are made of and give.
pub fn interface() -> &'static Interface {
    static INTERFACE: Interface = Interface {
        version: NUMERICS_VERSION,
        parameters: KEYS,
        variants: OPTIMIZER_NAMES,
        measures,
        check,
        check_result: |result, values, shape| match TrainConfig::of(values) {
            Ok(config) => check_result(result, &config, shape),
            Err(error) => Err(Breach::new(error.key, "not that of a trial", error.problem)),
        },
        slot_bytes: |values, Shape { n_inputs, n_classes }| {
            let config = TrainConfig::of(values);
            config.map_or(0, |it| slot_bytes(&it, n_inputs as usize, n_classes as usize))
        },
        cost_macs,
    };
    &INTERFACE
}

fn check(values: &Hyperparameters, shape: Option<Shape>) -> Result<(), Misfit> {
    let config = TrainConfig::of(values).map_err(misfit)?;
    let Some(Shape { n_inputs, n_classes }) = shape else { return Ok(()) };
    check_size(&config, n_inputs as usize, n_classes as usize).map_err(too_large)
}

fn too_large(error: TooLarge) -> Misfit {
    let (parameter, message, help) = match error.of {
        Elements::Weights => {
            ("hidden", "the network is too large to train", "use fewer or narrower layers")
        }
        Elements::Activations => (
            "batch_size",
            "the batches are too large to train",
            "use smaller batches or narrower layers",
        ),
    };
    let label = format!("{} {}, the limit is {MAX_ELEMENTS}", error.n, error.of.name());
    Misfit { parameter, message: message.into(), label, help: Some(help.into()) }
}

fn misfit(error: ConfigError) -> Misfit {
    Misfit {
        parameter: error.key,
        message: format!("`{}` does not fit the rest", error.key),
        label: error.problem,
        help: error.hint,
    }
}

impl TrainConfig {
    /// The configuration of a trial's hyperparameters.
    ///
    /// # Errors
    ///
    /// They are not those of a configuration: one is missing, out of range, or does not fit the rest.
    pub fn of(hyperparameters: &Hyperparameters) -> Result<Self, ConfigError> {
        Self::from_lookup(&|name| hyperparameters.value(name), hyperparameters.seed)
    }

    /// Its hyperparameters, in the order of the declarations.
    pub fn hyperparameters(&self) -> Hyperparameters {
        Hyperparameters::new(self.values(), self.seed)
    }
}
