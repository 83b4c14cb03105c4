//! From values to places and shades, with ticks that people would choose.

use sweep::{Objective, number_text};
use trial::Unit;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spacing {
    Linear,
    /// By decades; values must be positive.
    Log,
}

/// Maps a range of values to a range of pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    spacing: Spacing,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

/// Values beyond it stand at it on a linear axis, so that differences and sums of two are finite.
const LARGEST_LINEAR: f64 = 1e300;

/// Smaller differences are taken for equal on a linear axis: ticks between them would need more digits than
/// a number has.
const SMALLEST_DIFFERENCE: f64 = 1e-290;

impl Scale {
    /// A range that holds all `values` with a little room, on pixels `from` to `to`. `None` when no
    /// value can be placed.
    pub(crate) fn around(
        spacing: Spacing,
        values: impl Iterator<Item = f64>,
        from: f64,
        to: f64,
    ) -> Option<Self> {
        let mut low = f64::INFINITY;
        let mut high = f64::NEG_INFINITY;
        for value in values.filter(|v| v.is_finite() && (spacing == Spacing::Linear || *v > 0.0)) {
            low = low.min(value);
            high = high.max(value);
        }
        if low > high {
            return None;
        }
        let (least, most) = match spacing {
            Spacing::Linear => (-LARGEST_LINEAR, LARGEST_LINEAR),
            Spacing::Log => (f64::MIN_POSITIVE, f64::MAX),
        };
        let (low, high) = (low.clamp(least, most), high.clamp(least, most));
        // Sums in another order differ by less: a difference that says nothing.
        let is_one_value = high - low <= 1e-9 * high.abs().max(low.abs());
        let scale = match spacing {
            Spacing::Linear => {
                let is_one_value = is_one_value || high - low < SMALLEST_DIFFERENCE;
                let room =
                    if is_one_value { low.abs().max(1e-3) * 0.05 } else { (high - low) * 0.05 };
                Self { spacing, low: low - room, high: high + room, from, to }
            }
            Spacing::Log => {
                let factor = if is_one_value { 1.5 } else { power_of_ratio(high, low, 0.05) };
                let (low, high) = ((low / factor).max(least), (high * factor).min(most));
                Self { spacing, low, high, from, to }
            }
        };
        Some(scale)
    }

    /// Pixel of a value; outside of the range the nearest end.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let value = value.max(self.low).min(self.high);
        let share = match self.spacing {
            Spacing::Linear => (value - self.low) / (self.high - self.low),
            Spacing::Log => log_ratio(value, self.low) / log_ratio(self.high, self.low),
        };
        self.from + (self.to - self.from) * share.clamp(0.0, 1.0)
    }

    /// About `n` round values inside the range, ascending; never more than `2 * n + 10`.
    pub(crate) fn ticks(&self, n: usize) -> Vec<f64> {
        match self.spacing {
            Spacing::Linear => self.linear_ticks(n),
            Spacing::Log => self.log_ticks(n),
        }
    }

    fn linear_ticks(&self, n: usize) -> Vec<f64> {
        let raw = (self.high - self.low) / n.max(1) as f64;
        let magnitude = libm::pow(10.0, libm::floor(libm::log10(raw)));
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|digit| digit * magnitude)
            .find(|step| *step >= raw * 0.75)
            .unwrap_or(10.0 * magnitude);
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        (first..=last).map(|i| i as f64 * step).collect()
    }

    fn log_ticks(&self, n: usize) -> Vec<f64> {
        // Both ends are finite and normal: at most 617 decades.
        let first = libm::floor(libm::log10(self.low)) as i32;
        let last = libm::ceil(libm::log10(self.high)) as i32;
        let within = |digits: &[f64]| -> Vec<f64> {
            (first..=last)
                .flat_map(|exponent| {
                    let decade = libm::pow(10.0, f64::from(exponent));
                    digits.iter().map(move |digit| digit * decade)
                })
                .filter(|tick| (self.low..=self.high).contains(tick))
                .collect()
        };
        let decades = within(&[1.0]);
        if decades.len() > n {
            let every = decades.len().div_ceil(n.max(1)).max(2);
            return decades.into_iter().step_by(every).collect();
        }
        [&[1.0][..], &[1.0, 3.0], &[1.0, 2.0, 5.0], &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0]]
            .into_iter()
            .map(within)
            .find(|ticks| ticks.len() >= 3)
            .unwrap_or_else(|| self.linear_ticks(n))
    }
}

/// The logarithm of `a / b`, both positive and finite, also where the quotient is not.
fn log_ratio(a: f64, b: f64) -> f64 {
    let ratio = a / b;
    if ratio.is_normal() { libm::log(ratio) } else { libm::log(a) - libm::log(b) }
}

/// `a / b` to a power, both positive and finite, also where the quotient is not.
fn power_of_ratio(a: f64, b: f64, power: f64) -> f64 {
    let ratio = a / b;
    if ratio.is_normal() { libm::pow(ratio, power) } else { libm::exp(power * log_ratio(a, b)) }
}

/// Where a log axis should end so that a few far values do not squeeze the others: beyond the last
/// value that makes the axis at most 60 % longer than nine tenths of the values need. Infinite when
/// no value is farther than that, and for fewer than ten values.
pub(crate) fn usual_limit(mut values: Vec<f64>) -> f64 {
    const LONGER: f64 = 0.6;
    /// Room for what stands on the border, as a share of the axis.
    const ROOM: f64 = 0.1;
    values.retain(|value| *value > 0.0 && value.is_finite());
    values.sort_by(f64::total_cmp);
    if values.len() < 10 {
        return f64::INFINITY;
    }
    let usual = values[(values.len() - 1) * 9 / 10];
    let length = log_ratio(usual, values[0]);
    let fence = usual * libm::exp(LONGER * length);
    let n_inside = values.partition_point(|value| *value <= fence);
    if n_inside == values.len() {
        return f64::INFINITY;
    }
    values[n_inside - 1] * libm::exp(ROOM * length)
}

/// A tick's label: as many decimals as its step needs.
pub(crate) fn tick_label(value: f64) -> String {
    // Multiples of a round step carry rounding noise in the last bits.
    let rounded = format!("{value:.6e}").parse::<f64>().unwrap_or(value);
    let rounded = if rounded.abs() < 1e-12 { 0.0 } else { rounded };
    number_text(rounded)
}

/// Shades cells by how far they are from perfect, on a log scale: the step from 97 to 98 % weighs
/// more than the one from 80 to 81 %. The worst seventh of the cells may share the last shade, so
/// that a few that failed do not take the colours from those that did not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shades {
    metric: Objective,
    /// Distance from perfect of the best and of the last value told apart.
    nearest: f64,
    farthest: f64,
    is_cut: bool,
    is_flat: bool,
}

impl Shades {
    /// `None` without values.
    pub(crate) fn of(metric: Objective, values: impl Iterator<Item = f64>) -> Option<Self> {
        /// Values up to this factor beyond the quantile are still told apart.
        const SLACK: f64 = 1.3;
        let mut distances: Vec<f64> = values.map(|value| distance(metric, value)).collect();
        distances.sort_by(f64::total_cmp);
        let (nearest, worst) = (*distances.first()?, *distances.last()?);
        let usual = distances[(distances.len() - 1) * 6 / 7] * SLACK;
        let is_cut = usual < worst;
        let farthest = usual.min(worst).max(nearest * 1.02);
        Some(Self { metric, nearest, farthest, is_cut, is_flat: worst <= nearest })
    }

    /// Whether all values are the same, so that a colour bar would say nothing.
    pub(crate) fn is_flat(&self) -> bool {
        self.is_flat
    }

    /// Whether values beyond the last shade exist.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// From 0 (worst) to 1 (best).
    pub(crate) fn shade(&self, value: f64) -> f64 {
        let share = libm::log(distance(self.metric, value) / self.nearest)
            / libm::log(self.farthest / self.nearest);
        1.0 - share.clamp(0.0, 1.0)
    }

    /// The value at a shade.
    pub(crate) fn value(&self, shade: f64) -> f64 {
        let ratio = self.farthest / self.nearest;
        let distance = self.nearest * libm::pow(ratio, 1.0 - shade);
        match self.metric.unit {
            Unit::Share => 1.0 - distance,
            Unit::Plain => distance,
        }
    }
}

/// Within a range where quotients of two distances are finite.
fn distance(metric: Objective, value: f64) -> f64 {
    const PERFECT: f64 = 1e-5;
    const FARTHEST: f64 = 1e290;
    let distance = match metric.unit {
        Unit::Share => 1.0 - value,
        Unit::Plain => value,
    };
    distance.clamp(PERFECT, FARTHEST)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Finite numbers of every size, the ends of their range and tiny differences among them.
    fn finite() -> impl Strategy<Value = f64> {
        let extremes = vec![
            0.0,
            -0.0,
            5e-324,
            -5e-324,
            f64::MIN_POSITIVE,
            f64::MAX,
            f64::MIN,
            1.7e308,
            1e300,
            -1e300,
            1e150,
            1e39,
            1e-13,
            0.5,
            0.5 + f64::EPSILON,
            97.0,
        ];
        prop_oneof![
            prop::sample::select(extremes),
            any::<f64>().prop_filter("finite", |x| x.is_finite()),
            -100.0..100.0_f64,
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn every_finite_value_has_its_place_and_few_ticks(
            values in prop::collection::vec(finite(), 1..16),
            spacing in prop::sample::select(vec![Spacing::Linear, Spacing::Log]),
            n in 0..12_usize,
        ) {
            let limit = usual_limit(values.clone());
            prop_assert!(limit > 0.0);
            let scale = Scale::around(spacing, values.iter().map(|x| x.min(limit)), 10.0, 90.0);
            let can_be_placed = |x: &f64| spacing == Spacing::Linear || *x > 0.0;
            prop_assert_eq!(scale.is_some(), values.iter().any(can_be_placed));
            let Some(scale) = scale else { return Ok(()) };
            prop_assert!(scale.low.is_finite() && scale.high.is_finite() && scale.low < scale.high);
            for value in &values {
                prop_assert!((10.0..=90.0).contains(&scale.place(*value)), "{value}");
            }
            let ticks = scale.ticks(n);
            prop_assert!(ticks.len() <= 2 * n + 10, "{ticks:?}");
            prop_assert!(ticks.is_sorted() && ticks.iter().all(|tick| tick.is_finite()), "{ticks:?}");
            prop_assert!(ticks.iter().all(|tick| tick_label(*tick).len() < 32));
        }

        #[test]
        fn every_finite_value_has_its_shade(
            values in prop::collection::vec(finite(), 1..16),
            metric in prop::sample::select(vec![Objective::VALID_ACCURACY, Objective::VALID_LOSS]),
        ) {
            let shades = Shades::of(metric, values.iter().copied()).unwrap();
            for value in &values {
                let shade = shades.shade(*value);
                prop_assert!(shades.is_flat() || (0.0..=1.0).contains(&shade), "{value}: {shade}");
                prop_assert!(shades.is_flat() || shades.value(shade).is_finite());
            }
        }
    }

    #[test]
    fn an_axis_over_all_decades_ends() {
        let all = [f64::MIN_POSITIVE, 1.7e308].into_iter();
        let scale = Scale::around(Spacing::Log, all, 0.0, 100.0).unwrap();
        assert!((scale.place(1.0) - 50.0).abs() < 1.0, "{}", scale.place(1.0));
        let ticks = scale.ticks(5);
        assert!((3..=12).contains(&ticks.len()), "{ticks:?}");
    }

    #[test]
    fn ticks_are_round_and_inside() {
        let linear = Scale::around(Spacing::Linear, [0.0, 9.7].into_iter(), 0.0, 100.0).unwrap();
        assert_eq!(linear.ticks(5), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        let log = Scale::around(Spacing::Log, [0.009, 1.1].into_iter(), 0.0, 100.0).unwrap();
        let labels: Vec<String> = log.ticks(5).iter().map(|tick| tick_label(*tick)).collect();
        assert_eq!(labels, ["0.01", "0.1", "1"]);
    }

    #[test]
    fn one_value_still_has_a_place() {
        for spacing in [Spacing::Linear, Spacing::Log] {
            let scale = Scale::around(spacing, [0.5].into_iter(), 0.0, 100.0).unwrap();
            assert!((scale.place(0.5) - 50.0).abs() < 1.0, "{spacing:?}");
        }
        let noise = [88.65, 88.65 * (1.0 + 1e-15)].into_iter();
        let scale = Scale::around(Spacing::Log, noise, 0.0, 100.0).unwrap();
        assert!((scale.place(88.65) - 50.0).abs() < 1.0, "rounding is no difference");
        assert!(Scale::around(Spacing::Log, [0.0, -1.0].into_iter(), 0.0, 1.0).is_none());
    }

    #[test]
    fn a_few_large_values_do_not_stretch_an_axis() {
        let mut values: Vec<f64> = (0..19).map(|i| 2.0 + f64::from(i) / 10.0).collect();
        assert_eq!(usual_limit(values.clone()), f64::INFINITY);
        values.push(80.0);
        let limit = usual_limit(values);
        assert!((3.8..5.0).contains(&limit), "{limit}");
        assert_eq!(usual_limit(vec![1.0, 90.0]), f64::INFINITY);
    }

    #[test]
    fn shades_run_from_worst_to_best() {
        let values = [0.98, 0.97, 0.11];
        let shades = Shades::of(Objective::VALID_ACCURACY, values.into_iter()).unwrap();
        assert_eq!((shades.shade(0.98), shades.shade(0.11)), (1.0, 0.0));
        assert!(shades.is_cut(), "0.11 lies far beyond the others");
        assert!((shades.value(shades.shade(0.97)) - 0.97).abs() < 1e-12);
        assert!(Shades::of(Objective::VALID_LOSS, std::iter::empty()).is_none());
    }
}
