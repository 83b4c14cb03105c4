//! A range: an axis written by its ends, `{ log = [1e-3, 1.0], n = 7 }`, `{ linear = [0, 1], n = 5 }`
//! or `{ step = 32, from = 32, to = 128 }`. Computed in f64 by `libm`, so with the same bits
//! everywhere, and rounded to 6 significant digits, or to as many more as keep fine steps apart; the
//! ends stay as written.

use super::text::number_text;
use crate::file::problem::{Problem, Problems, Span, Spanned};
use crate::file::reader::{Item, Table, wrong_type};
use crate::limits::MAX_AXIS_VALUES;

pub(crate) const KEYS: &[&str] = &["log", "linear", "step", "n", "from", "to"];
const TITLE: &str = "a range";
const HELP: &str = "write { log = [1e-3, 1.0], n = 7 }, { linear = [0.0, 0.5], n = 6 } or { step = 32, from = 32, to = 128 }";

/// The values of a range in ascending order, or `None` after noting its problems.
/// `grid` is the table that the range stands in.
pub(crate) fn read(grid: &Table, item: Item, problems: &mut Problems) -> Option<Vec<f64>> {
    let mut table = problems.ok(grid.inner(item, TITLE))?;
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
    let length = high - low;
    if length.is_finite() { low + length * share } else { low * (1.0 - share) + high * share }
}

fn log_value(low: f64, high: f64, share: f64) -> f64 {
    let ratio = high / low;
    if ratio.is_finite() {
        low * libm::pow(ratio, share)
    } else {
        libm::pow(low, 1.0 - share) * libm::pow(high, share)
    }
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
    let ends = item.get_ref().as_array().map(|ends| ends.iter().map(crate::file::reader::number));
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
    let exact = |i: u32| interpolate(low, high, f64::from(i) / f64::from(last));
    let exact: Vec<f64> = (0..=last).map(exact).collect();
    let written = |i: usize, x: f64| match i {
        0 => low,
        i if i == last as usize => high,
        _ => x,
    };
    Some(rounded(&exact, written).ok_or_else(|| too_fine(&table.span)))
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
    let exact: Vec<f64> = (0..=n_steps as u32).map(|i| low + f64::from(i) * step.value).collect();
    let written = |i: usize, x: f64| match i {
        0 => low,
        _ if (x - high) / step.value > -1e-3 => high,
        _ => x,
    };
    rounded(&exact, written).ok_or_else(|| too_fine(&step.span))
}

fn too_fine(span: &Span) -> Problem {
    let label = "expected values that a number of 17 digits tells apart";
    let problem = Problem::at(span.clone(), "the range has too fine steps", label);
    problem.help("take fewer values, or ends that lie further apart")
}

/// Significant digits of a range's values, and the most that f64 needs.
const N_DIGITS: usize = 6;
const MAX_DIGITS: usize = 17;

/// Where more digits are needed, of a step this share may be rounded away.
const MAX_ROUNDED: f64 = 1e-3;

/// Ascending values as a person would write them: with the fewest digits, from 6 on, that keep them
/// apart; `written` puts in the ends of the file. `None` if all digits do not.
fn rounded(exact: &[f64], written: impl Fn(usize, f64) -> f64) -> Option<Vec<f64>> {
    (N_DIGITS..=MAX_DIGITS).find_map(|n_digits| {
        let value = |(i, &x): (usize, &f64)| written(i, round(x, n_digits));
        let values: Vec<f64> = exact.iter().enumerate().map(value).collect();
        keeps_apart(exact, &values, n_digits).then_some(values)
    })
}

fn keeps_apart(exact: &[f64], values: &[f64], n_digits: usize) -> bool {
    let is_close = |i: usize| {
        let step = exact[i] - exact[i - 1];
        n_digits == N_DIGITS
            || n_digits == MAX_DIGITS
            || (values[i] - exact[i]).abs() <= MAX_ROUNDED * step
    };
    (1..values.len()).all(|i| values[i - 1] < values[i] && is_close(i))
}

/// To this many significant digits, the way a person would write the number.
fn round(x: f64, n_digits: usize) -> f64 {
    let text = format!("{x:.*e}", n_digits - 1);
    text.parse::<f64>().expect("a formatted number parses") + 0.0
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;

    fn values(range: &str) -> Result<Vec<f64>, String> {
        let source = format!("x = {range}");
        let table = DeTable::parse(&source).unwrap();
        let mut problems = Problems::default();
        let root = Table::root(table.get_ref(), trainer::interface());
        let values = read(&root, root.item("x").unwrap(), &mut problems);
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
    fn fine_steps_keep_as_many_digits_as_they_need() {
        assert_eq!(
            values("{ linear = [0.1, 0.1000003], n = 4 }").unwrap(),
            [0.1, 0.1000001, 0.1000002, 0.1000003]
        );
        assert_eq!(
            values("{ step = 1e-9, from = 0.5, to = 0.500000002 }").unwrap(),
            [0.5, 0.500000001, 0.500000002]
        );
        let thirds = values("{ linear = [0.9999999, 1.0], n = 4 }").unwrap();
        assert_eq!(thirds, [0.9999999, 0.99999993333, 0.99999996667, 1.0]);
        let fine = values("{ log = [1.0, 1.0001], n = 10000 }").unwrap();
        assert!(fine.windows(2).all(|pair| pair[0] < pair[1]));
        for (i, x) in (0..).zip(&fine) {
            let exact = libm::pow(1.0001, f64::from(i) / 9999.0);
            assert!((x - exact).abs() <= 1.1e-11, "{x} for {exact}");
        }
        // Six digits keep these apart, so that their trials stay the same.
        let kept = values("{ linear = [0.123456, 0.123459], n = 3 }").unwrap();
        assert_eq!(kept, [0.123456, 0.123457, 0.123459]);
    }

    #[test]
    fn huge_and_tiny_ends_are_ends() {
        let huge = values("{ log = [1e-300, 1e300], n = 7 }").unwrap();
        assert_eq!(huge, [1e-300, 1e-200, 1e-100, 1.0, 1e100, 1e200, 1e300]);
        assert_eq!(values("{ linear = [-1e308, 1e308], n = 3 }").unwrap(), [-1e308, 0.0, 1e308]);
        assert_eq!(values("{ log = [5e-324, 1e-323], n = 2 }").unwrap(), [5e-324, 1e-323]);
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
            ("{ step = 1, from = 0, to = 1e300 }", "1e300 values, the limit is 10000"),
            ("{ log = [5e-324, 1e-323], n = 3 }", "a number of 17 digits tells apart"),
            ("{ linear = [1.0, 1.0000000000000002], n = 3 }", "17 digits"),
            ("{ lin = [0, 1], n = 2 }", "not a key of a range"),
        ] {
            let found = values(range).unwrap_err();
            assert!(found.contains(label), "{range}: {found}");
        }
    }
}
