//! The rules of results: what a trial of a configuration can give on data of a shape.

mod bounds;
mod check;
mod check_work;
mod standing;
#[cfg(test)]
mod tests;

use trial::{Breach, DataShape, TrialResult};

use crate::config::TrainConfig;
use check::check_ending;
pub(crate) use check::check_history;
pub(crate) use check_work::check_so_far;
use check_work::check_work;
pub(crate) use standing::Standing;

/// Whether a trial of this configuration on such data can give this result. Whatever comes from another
/// machine, a database or a file goes through here before it is believed.
///
/// # Errors
/// The first rule that it breaks, by the field's name.
pub fn check_result(
    result: &TrialResult,
    config: &TrainConfig,
    data: &DataShape,
) -> Result<(), Breach> {
    let standing = check_history(&result.history, config, data)?;
    check_ending(result, &standing, config, data)?;
    check_work(&result.work, &result.ending, &result.history, config, data)
}
