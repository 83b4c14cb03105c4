//! What a trial costs, estimated before any is measured.

use trial::{Load, Value, Values};

use crate::config::OptimizerKind;

/// Probes per step that a line search is taken to need.
const PROBES: f64 = 1.5;
/// Batches up to this size evaluate probes by the Gram matrix of the batch.
const GRAM_BATCH: f64 = 128.0;

/// Estimated multiply-adds of a whole trial: training, validation and test. 0 if a hyperparameter that
/// every trial has is missing.
pub(crate) fn cost_macs(values: Values<'_>, load: &Load) -> f64 {
    let count = |name| match values(name) {
        Some(&Value::Count(n)) => Some(n as f64),
        _ => None,
    };
    let optimizer = match values("optimizer") {
        Some(Value::Text(name)) => OptimizerKind::from_name(name),
        _ => None,
    };
    let (Some(Value::Widths(hidden)), Some(optimizer), Some(batch), Some(n_epochs)) =
        (values("hidden"), optimizer, count("batch_size"), count("epochs"))
    else {
        return 0.0;
    };
    let sizes = hidden.iter().copied().chain([load.shape.n_classes]).map(f64::from);
    let sizes: Vec<f64> = sizes.collect();
    let first = load.n_read * sizes[0];
    let upper: f64 = sizes.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let n_weights = f64::from(load.shape.n_inputs) * sizes[0] + upper;

    let forward = first + upper;
    // Gradients of the weights, then those of the inputs but for the first layer's.
    let backward = first + upper + upper;
    let probes = match optimizer.is_line_search() {
        false => 0.0,
        // Products of pixels are of small integers, some four to one multiply-add.
        true if batch <= GRAM_BATCH => batch * (load.n_read / 4.0 + sizes[0]) + PROBES * upper,
        true => first + PROBES * upper,
    };
    let update = n_weights * optimizer.state_passes() / batch;
    let (n_train, n_valid) = (f64::from(load.n_train), f64::from(load.n_valid));
    let epoch = n_train * (forward + backward + probes + update) + n_valid * forward;
    n_epochs * epoch + f64::from(load.n_test) * forward
}
