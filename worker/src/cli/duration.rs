//! Durations as people write them on the command lines of both programs (`1h30m`, `300ms`) and read
//! them in what these say.

use std::time::Duration;

/// For a reader, rounded down.
pub use trial::wording::span as rounded;

/// Units from the largest to the smallest, each with its milliseconds.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads whole numbers with a unit each, the largest unit first: `300ms`, `30s`, `5m`, `1h30m`.
///
/// # Errors
/// A sentence that names what was found and what was expected; zero is an error too, because no
/// option of ours means anything with it.
pub fn parse(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    let mut total_ms = 0_u64;
    let mut units_left = UNITS.as_slice();
    if rest.is_empty() {
        return Err("expected a duration such as 300ms, 30s, 5m or 1h30m".to_owned());
    }
    while !rest.is_empty() {
        let (number, after_number) = split_where(rest, |c| !c.is_ascii_digit());
        let ends_unit = |c: char| c.is_ascii_digit() || c.is_whitespace();
        let (unit, after_unit) = split_where(after_number, ends_unit);
        let index = units_left.iter().position(|(name, _)| *name == unit);
        let (Some(index), false) = (index, number.is_empty()) else {
            let meant = meant(text).map(|it| format!("; did you mean {it}?"));
            return Err(explain(rest, number, unit) + &meant.unwrap_or_default());
        };
        total_ms = number
            .parse::<u64>()
            .ok()
            .and_then(|count| count.checked_mul(units_left[index].1))
            .and_then(|part_ms| total_ms.checked_add(part_ms))
            .ok_or_else(|| format!("`{text}` is too long"))?;
        units_left = &units_left[index + 1..];
        rest = after_unit;
    }
    if total_ms == 0 {
        return Err("expected more than zero".to_owned());
    }
    Ok(Duration::from_millis(total_ms))
}

/// A flag and its duration as they were meant, of a command line where spaces part the duration.
pub fn parted(words: &[&str]) -> Option<String> {
    let flags = words.iter().enumerate().filter(|(_, word)| word.starts_with("--"));
    flags.into_iter().find_map(|(index, word)| {
        let (flag, first) = word.split_once('=').unwrap_or((word, ""));
        let more: Vec<&str> =
            words[index + 1..].iter().copied().take_while(|it| !it.starts_with('-')).collect();
        let n_least = if first.is_empty() { 2 } else { 1 };
        let joined = |n: usize| first.to_owned() + &more[..n].concat();
        let duration = (n_least..=more.len()).rev().map(joined).find(|it| parse(it).is_ok())?;
        Some(format!("{flag} {duration}"))
    })
}

/// Writes a duration in full, in the form that [`parse`] reads: `7s500ms`, `1h30m`.
pub fn exact(duration: Duration) -> String {
    let mut rest_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, unit_ms) in UNITS {
        if rest_ms >= unit_ms {
            text += &format!("{}{unit}", rest_ms / unit_ms);
            rest_ms %= unit_ms;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

fn split_where(text: &str, stop: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(stop).unwrap_or(text.len()))
}

/// Says why `number` followed by `unit` is not the next part of a duration.
fn explain(rest: &str, number: &str, unit: &str) -> String {
    let after_number = &rest[number.len()..];
    if after_number.starts_with(['.', ',']) {
        return format!("`{rest}` has a fraction: expected whole numbers, each with its unit");
    }
    if after_number.starts_with(char::is_whitespace) {
        return "expected whole numbers, each with its unit, and no spaces".to_owned();
    }
    if number.is_empty() {
        return format!("expected a whole number at `{rest}`, such as in 30s or 1h30m");
    }
    if unit.is_empty() {
        return format!(
            "`{number}` lacks its unit: expected ms, s, m, h or d, such as {number}s for seconds"
        );
    }
    if UNITS.iter().any(|(name, _)| *name == unit) {
        return format!("unit `{unit}` comes twice or after a smaller one; write it like 1h30m");
    }
    format!("unknown unit `{unit}`: expected ms, s, m, h or d, such as in 300ms, 30s or 1h30m")
}

/// The duration that people write with a fraction, with spaces, with long or capital units, or in
/// another order.
fn meant(text: &str) -> Option<String> {
    let (mut rest, mut total_ms) = (text.trim(), 0.0);
    while !rest.is_empty() {
        let is_of_number = |c: char| c.is_ascii_digit() || c == '.' || c == ',';
        let (number, after_number) = split_where(rest, |c| !is_of_number(c));
        let (unit, after_unit) = split_where(after_number.trim_start(), |c| !c.is_alphabetic());
        let count: f64 = number.replace(',', ".").parse().ok()?;
        total_ms += count * unit_ms(&unit.to_lowercase())? as f64;
        rest = after_unit.trim_start();
    }
    let is_exact = total_ms.fract() == 0.0 && (1.0..1e15).contains(&total_ms);
    is_exact.then(|| exact(Duration::from_millis(total_ms as u64)))
}

fn unit_ms(word: &str) -> Option<u64> {
    let short = match word {
        "day" | "days" => "d",
        "hr" | "hrs" | "hour" | "hours" => "h",
        "min" | "mins" | "minute" | "minutes" => "m",
        "sec" | "secs" | "second" | "seconds" => "s",
        "msec" | "millisecond" | "milliseconds" => "ms",
        word => word,
    };
    UNITS.iter().find(|(name, _)| *name == short).map(|(_, ms)| *ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, ms) in [
            ("300ms", 300),
            ("30s", 30_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            (" 2d ", 172_800_000),
            ("1m500ms", 60_500),
            ("0h1s", 1_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest_with_a_reason() {
        for (text, reason) in [
            ("", "expected a duration"),
            ("30", "`30` lacks its unit"),
            ("s", "expected a whole number at `s`"),
            ("-5s", "expected a whole number at `-5s`"),
            ("1.5s", "`1.5s` has a fraction: expected whole numbers"),
            ("1.5h", "did you mean 1h30m?"),
            ("0,5d", "did you mean 12h?"),
            ("1.0001s", "expected whole numbers, each with its unit"),
            ("5 s", "no spaces; did you mean 5s?"),
            ("1h 30m", "no spaces; did you mean 1h30m?"),
            ("90 minutes", "did you mean 1h30m?"),
            ("90min", "unknown unit `min`"),
            ("90min", "did you mean 1h30m?"),
            ("2H", "did you mean 2h?"),
            ("30m1h", "did you mean 1h30m?"),
            ("3w", "unknown unit `w`"),
            ("30m1h", "comes twice or after a smaller one"),
            ("1s1s", "comes twice"),
            ("0s", "more than zero"),
            ("99999999999999999999s", "too long"),
            ("18446744073709551615d", "too long"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_duration_in_several_words_is_put_together() {
        let parted = |line: &str| parted(&line.split(' ').collect::<Vec<_>>());
        for (line, meant) in [
            ("--time-limit 1h 30m", Some("--time-limit 1h30m")),
            ("--sweep a.toml --time-limit 1 h 30 m --yes", Some("--time-limit 1h30m")),
            ("--time-limit=1h 30m b.toml", Some("--time-limit 1h30m")),
            ("--lost-after 5 s", Some("--lost-after 5s")),
            ("--time-limit 1h b.toml", None),
            ("--local-slots 2 4", None),
            ("--time-limit 1h --sweep 30m", None),
            ("--time-limit=1h", None),
        ] {
            assert_eq!(parted(line).as_deref(), meant, "{line}");
        }
    }

    #[test]
    fn writes_in_full_what_it_reads() {
        for text in ["300ms", "7s500ms", "1h30m", "2d3h4m5s6ms"] {
            assert_eq!(parse(text).map(exact), Ok(text.to_owned()));
        }
        assert_eq!(exact(Duration::ZERO), "0s");
    }
}
