//! Single precision: numbers that training, which computes in 32 bits, would take for 0 or for 1.

use trial::{Parameter, Value};

use super::problem::{Problem, Problems, Span};
use crate::file::spec::SweepFile;
use crate::space::domain::{has_values_beyond, toml_text};

/// Parameters that training uses in f64 alone.
const IN_F64: [&str; 2] = ["armijo_c", "shrink"];

/// Notes values of axes and of `[train]` that would mean another value without a word: eps of 1e-46
/// becomes 0, and a momentum of 0.99999999999 becomes 1, which no key allows.
pub(crate) fn check(file: &SweepFile, problems: &mut Problems) {
    let axes = file.grids.iter().flat_map(|grid| &grid.axes);
    let on_axes = axes.flat_map(|axis| {
        axis.values.iter().map(|value| (axis.name, &value.value, value.span.clone()))
    });
    let fixed = file.fixed.iter().map(|it| (it.name, &it.value, it.span.clone()));
    let parameters = file.interface.parameters;
    for (name, value, span) in on_axes.chain(fixed) {
        if let Value::Number(x) = *value
            && !IN_F64.contains(&name)
        {
            problems.ok(check_number(parameters, name, x, span));
        }
    }
}

fn check_number(parameters: &[Parameter], name: &str, x: f64, span: Span) -> Result<(), Problem> {
    let is_lost = 0.0 < x && x < f64::from(f32::MIN_POSITIVE);
    let has_beyond =
        |x, is_smaller| has_values_beyond(parameters, name, &Value::Number(x), is_smaller);
    let is_bounded_by_1 = || !has_beyond(1.0_f64.next_down(), false);
    let is_one = x < 1.0 && x as f32 == 1.0 && is_bounded_by_1();
    let allows_0 = || has_beyond(f64::from_bits(1), true);
    let label = if is_lost {
        let zero = if allows_0() { "0, or a number" } else { "a number" };
        format!("expected {zero} from 1.2e-38: a smaller one can become 0 in 32 bits")
    } else if is_one {
        "expected at most 0.9999999: a larger number becomes 1 in 32 bits".to_string()
    } else {
        return Ok(());
    };
    let message = format!("`{name}` cannot be trained with {}", toml_text(&Value::Number(x)));
    Err(Problem::at(span, message, label))
}
