//! Wording: counts and times as people read them, the same in both programs and in the report.

use std::time::Duration;

/// `1 trial`, `2 trials`, `12,500 trials`, `3 copies`, `2 classes`.
pub fn n_of(count: impl TryInto<u64>, noun: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{} {}", grouped(count), noun_for(count, noun))
}

/// `2 of 8 slots`, `0 of 1 slot`.
pub fn n_of_n(some: impl TryInto<u64>, all: impl TryInto<u64>, noun: &str) -> String {
    format!("{} of {}", grouped(some.try_into().unwrap_or(u64::MAX)), n_of(all, noun))
}

fn noun_for(count: u64, noun: &str) -> String {
    match noun.strip_suffix("py") {
        _ if count == 1 => noun.into(),
        Some(stem) => format!("{stem}pies"),
        None if noun.ends_with('s') => format!("{noun}es"),
        None => format!("{noun}s"),
    }
}

/// `1,234,567`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time in two units at most, rounded down: `280ms`, `42s`, `3m07s`, `1h05m`, `2d03h`.
pub fn span(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let s = ms / 1_000;
    match s {
        0 => format!("{ms}ms"),
        1..60 => format!("{s}s"),
        60..3_600 => format!("{}m{:02}s", s / 60, s % 60),
        3_600..86_400 => format!("{}h{:02}m", s / 3_600, s % 3_600 / 60),
        _ => format!("{}d{:02}h", s / 86_400, s % 86_400 / 3_600),
    }
}

/// As [`span`]; what no clock gives is no time at all.
pub fn span_s(seconds: f64) -> String {
    span(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_read_well() {
        for (count, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(count), text);
        }
        assert_eq!([n_of(1_u32, "trial"), n_of(2_usize, "trial")], ["1 trial", "2 trials"]);
        assert_eq!([n_of(0_u64, "copy"), n_of(1_u8, "copy")], ["0 copies", "1 copy"]);
        assert_eq!([n_of(1_u32, "class"), n_of(3_u32, "class")], ["1 class", "3 classes"]);
        assert_eq!([n_of_n(0, 1, "slot"), n_of_n(1, 8, "slot")], ["0 of 1 slot", "1 of 8 slots"]);
        assert_eq!(n_of(-1, "trial"), format!("{} trials", grouped(u64::MAX)));
    }

    #[test]
    fn times_have_two_units_at_most() {
        for (ms, text) in [
            (0, "0ms"),
            (280, "280ms"),
            (42_900, "42s"),
            (187_000, "3m07s"),
            (3_900_000, "1h05m"),
            (183_600_000, "2d03h"),
        ] {
            assert_eq!(span(Duration::from_millis(ms)), text);
        }
        assert_eq!([span_s(0.0123), span_s(f64::NAN), span_s(-1.0)], ["12ms", "0ms", "0ms"]);
    }
}
