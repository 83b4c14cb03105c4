//! Size: what a configuration asks of a machine, known before anything is allocated.

use thiserror::Error;

use crate::config::TrainConfig;
use crate::model::network::{LayerShape, shapes};
use crate::reference::uses_gram_form;

/// A gigabyte of weights, and as much of one layer's activations.
pub const MAX_ELEMENTS: usize = 1 << 28;

/// Why a network is larger than any that is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("hidden: {n} numbers for the {}, at most {MAX_ELEMENTS} are possible", .of.name())]
pub struct TooLarge {
    pub of: Elements,
    pub n: u128,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elements {
    Weights,
    /// Activations of a batch in the widest layer, the inputs among them.
    Activations,
}

impl Elements {
    pub fn name(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::Activations => "activations of a batch",
        }
    }
}

/// Samples that an evaluation takes at once at least, and floats that rows are padded to.
const EVALUATION_ROWS: u64 = 64;
const PADDING: u64 = 16;
const FLOAT_BYTES: u64 = 4;

/// Refuses a network that no trainer would train.
pub fn check_size(config: &TrainConfig, n_inputs: usize, n_classes: usize) -> Result<(), TooLarge> {
    let shapes = shapes(config, n_inputs, n_classes);
    let widest = shapes.iter().map(|shape| shape.n_in.max(shape.n_out)).max().unwrap_or(0);
    let rows = u128::from(config.batch_size);
    for (of, n) in [
        (Elements::Weights, shapes.iter().map(|s| s.n_in as u128 * s.n_out as u128).sum()),
        (Elements::Activations, rows * widest as u128),
    ] {
        if n > MAX_ELEMENTS as u128 {
            return Err(TooLarge { of, n });
        }
    }
    Ok(())
}

/// Estimated bytes that a slot holds while it trains a configuration, checkpoints included; the data
/// itself, which all slots of a worker share, is not among them.
pub fn slot_bytes(config: &TrainConfig, n_inputs: usize, n_classes: usize) -> u64 {
    let shapes = shapes(config, n_inputs, n_classes);
    let n_states = config.optimizer.kind().n_states() as u64;
    let is_searched = config.optimizer.kind().is_line_search();
    let batch = padded(config.batch_size.into());
    let evaluated = batch.max(EVALUATION_ROWS);
    let of_layer = |(index, shape): (usize, &LayerShape)| {
        let (n_in, n_out) = (shape.n_in as u64, shape.n_out as u64);
        let stride = padded(n_out) + PADDING;
        let n_probes = u64::from(is_searched && index > 0);
        // Current, gradient, states and probe in panels; current and best in logical order.
        let n_panels = 2 + n_states + n_probes;
        let numbers = (n_in + 1) * (n_panels * padded(n_out) + 2 * n_out);
        // What is written, while the buffer grows, and a part on its way.
        let checkpoint = (n_in + 1) * n_out * (2 * (2 + n_states) + 2);
        // Outputs with their positions, and deltas.
        numbers + checkpoint + stride * (2 * evaluated + batch)
    };
    let layers: u64 = shapes.iter().enumerate().map(of_layer).sum();
    let gathered = 3 * evaluated * n_inputs as u64;
    let first = padded(shapes[0].n_out as u64) + PADDING;
    let gram = 2 * batch * batch + 2 * batch * n_inputs as u64;
    let has_gram = is_searched && uses_gram_form(config.batch_size as usize, n_inputs);
    let search = if is_searched { 3 * batch * first } else { 0 } + if has_gram { gram } else { 0 };
    FLOAT_BYTES * (layers + gathered + search)
}

fn padded(n: u64) -> u64 {
    n.next_multiple_of(PADDING)
}
