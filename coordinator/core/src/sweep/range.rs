//! A range: an axis written by its ends, `{ log = [1e-3, 1.0], n = 7 }`, `{ linear = [0, 1], n = 5 }`
//! or `{ step = 32, from = 32, to = 128 }`. Computed in f64 by `libm`, so with the same bits
//! everywhere, and rounded to 6 significant digits; the ends stay as written.

use super::problem::{Problem, Problems, Spanned};
use super::reader::{Item, Table, wrong_type};
use super::text::number_text;
use crate::limits::MAX_AXIS_VALUES;

pub(super) const KEYS: &[&str] = &["log", "linear", "step", "n", "from", "to"];
const TITLE: &str = "a range";
const HELP: &str = "write { log = [1e-3, 1.0], n = 7 }, { linear = [0.0, 0.5], n = 6 } or { step = 32, from = 32, to = 128 }";

/// The values of a range in ascending order, or `None` after noting its problems.
pub(super) fn read(item: Item, problems: &mut Problems) -> Option<Vec<f64>> {
    let mut table = problems.ok(Table::of(item, TITLE))?;
    table.refuse_unknown(KEYS, problems);
    let names: Vec<&str> = table.entries().iter().map(|(name, _, _)| *name).collect();
    if names.iter().any(|name| !KEYS.contains(name)) {
        return None;
    }
    let has = |wanted: &[&str]| {
        names.len() == wanted.len() && wanted.iter().all(|name| names.contains(name))
    };
    let result = if has(&["log", "n"]) {
        between(&table, "log", log_value, problems)?
    } else if has(&["linear", "n"]) {
        between(&table, "linear", linear_value, problems)?
    } else if has(&["step", "from", "to"]) {
        let [step, from, to] = ["step", "from", "to"].map(|name| table.number(name, problems));
        steps(step?, from?, to?)
    } else {
        Err(Problem::at(
            item.span(),
            "a range needs other keys",
            "expected `log` and `n`, `linear` and `n`, or `step`, `from` and `to`",
        )
        .help(HELP))
    };
    problems.ok(result)
}

type Interpolate = fn(f64, f64, f64) -> f64;

fn linear_value(low: f64, high: f64, share: f64) -> f64 {
    low + (high - low) * share
}

fn log_value(low: f64, high: f64, share: f64) -> f64 {
    low * libm::pow(high / low, share)
}

/// `{ name = [low, high], n = k }`.
fn between(
    table: &Table,
    name: &str,
    interpolate: Interpolate,
    problems: &mut Problems,
) -> Option<Result<Vec<f64>, Problem>> {
    let item = table.item(name)?;
    let n = table.count("n", 2..=MAX_AXIS_VALUES as u32, problems)?;
    let ends = item.get_ref().as_array().map(|ends| ends.iter().map(super::reader::number));
    let Some(ends) = ends.and_then(Iterator::collect::<Option<Vec<f64>>>) else {
        return Some(Err(wrong_type(name, "a list of two numbers", item)));
    };
    let low_is_fine = |low: f64| name != "log" || 0.0 < low;
    let &[low, high] = ends.as_slice() else {
        return Some(Err(bad_ends(item, name)));
    };
    if !(low.is_finite() && high.is_finite() && low < high && low_is_fine(low)) {
        return Some(Err(bad_ends(item, name)));
    }
    let last = n.value - 1;
    let value = |i: u32| match i {
        0 => low,
        i if i == last => high,
        i => round(interpolate(low, high, f64::from(i) / f64::from(last))),
    };
    Some(Ok((0..n.value).map(value).collect()))
}

fn bad_ends(item: Item, name: &str) -> Problem {
    let more = if name == "log" { ", both above 0" } else { "" };
    Problem::at(
        item.span(),
        format!("`{name}` has no such range"),
        format!("expected two finite numbers, the smaller first{more}"),
    )
}

/// `{ step = s, from = a, to = b }`: a, a + s, ... up to b, which is taken if a step lands on it.
fn steps(step: Spanned<f64>, from: Spanned<f64>, to: Spanned<f64>) -> Result<Vec<f64>, Problem> {
    if !(step.value.is_finite() && 0.0 < step.value) {
        let label = "expected a finite number above 0";
        return Err(Problem::at(step.span, "`step` has no such size", label));
    }
    let (low, high) = (from.value, to.value);
    if !(low.is_finite() && high.is_finite() && low < high) {
        let label = "expected a finite number above `from`";
        return Err(Problem::at(to.span, "`to` ends no range", label));
    }
    // A thousandth of a step forgives the rounding of decimal fractions.
    let n_steps = libm::floor((high - low) / step.value + 1e-3);
    if n_steps >= MAX_AXIS_VALUES as f64 {
        return Err(Problem::at(
            step.span,
            "the range has too many values",
            format!("{} values, the limit is {MAX_AXIS_VALUES}", number_text(n_steps + 1.0)),
        ));
    }
    let value = |i: u32| {
        let x = round(low + f64::from(i) * step.value);
        match i {
            0 => low,
            _ if (x - high) / step.value > -1e-3 => high,
            _ => x,
        }
    };
    Ok((0..=n_steps as u32).map(value).collect())
}

/// To 6 significant digits, the way a person would write the number.
fn round(x: f64) -> f64 {
    format!("{x:.5e}").parse::<f64>().expect("a formatted number parses") + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use toml::de::DeTable;

    fn values(range: &str) -> Result<Vec<f64>, String> {
        let source = format!("x = {range}");
        let table = DeTable::parse(&source).unwrap();
        let mut problems = Problems::default();
        let values = read(table.get_ref().get("x").unwrap(), &mut problems);
        values.ok_or_else(|| {
            let labels = problems.into_sorted().into_iter().map(|problem| problem.label);
            labels.collect::<Vec<_>>().join("; ")
        })
    }

    #[test]
    fn log_ranges_have_equal_ratios_and_their_ends_as_written() {
        assert_eq!(values("{ log = [1e-3, 1.0], n = 4 }").unwrap(), [0.001, 0.01, 0.1, 1.0]);
        assert_eq!(
            values("{ log = [1e-3, 1.0], n = 7 }").unwrap(),
            [0.001, 0.00316228, 0.01, 0.0316228, 0.1, 0.316228, 1.0]
        );
        let ends = values("{ log = [0.123456789, 9.87654321], n = 2 }").unwrap();
        assert_eq!(ends, [0.123456789, 9.87654321]);
    }

    #[test]
    fn linear_ranges_and_steps_read_as_a_person_would_write_them() {
        let tenths = [0.0, 0.1, 0.2, 0.3];
        assert_eq!(values("{ linear = [0, 0.3], n = 4 }").unwrap(), tenths);
        assert_eq!(values("{ step = 0.1, from = 0.0, to = 0.3 }").unwrap(), tenths);
        assert_eq!(values("{ step = 0.1, from = 0.0, to = 0.39 }").unwrap(), tenths);
        let batches = [32.0, 64.0, 96.0, 128.0];
        assert_eq!(values("{ step = 32, from = 32, to = 128 }").unwrap(), batches);
    }

    #[test]
    fn impossible_ranges_are_refused() {
        for (range, label) in [
            ("{ log = [0.0, 1.0], n = 3 }", "both above 0"),
            ("{ log = [1.0, 0.1], n = 3 }", "the smaller first"),
            ("{ linear = [0.0, inf], n = 3 }", "two finite numbers"),
            ("{ linear = [0.0, 1.0, 2.0], n = 3 }", "two finite numbers"),
            ("{ linear = 3, n = 3 }", "expected a list of two numbers, found a whole number"),
            ("{ linear = [0, 1], n = 1 }", "from 2 to 10000"),
            ("{ linear = [0, 1], n = 10_001 }", "from 2 to 10000"),
            ("{ linear = [0, 1] }", "expected `log` and `n`"),
            ("{ step = 1, n = 3 }", "expected `log` and `n`"),
            ("{ step = 1e-9, from = 0, to = 1 }", "the limit is 10000"),
            ("{ step = 0, from = 0, to = 1 }", "above 0"),
            ("{ step = nan, from = 0, to = 1 }", "above 0"),
            ("{ step = 1, from = 1, to = 1 }", "above `from`"),
            ("{ lin = [0, 1], n = 2 }", "not a key of a range"),
        ] {
            let found = values(range).unwrap_err();
            assert!(found.contains(label), "{range}: {found}");
        }
    }
}
