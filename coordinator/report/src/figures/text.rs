//! Text in figures: how wide it is, how much of it fits, and what of it XML can carry.

use crate::text::shortened;

/// Roughly how wide a text in DejaVu Sans is; for room, never for exact placing.
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    let share = |c: char| match c {
        'i' | 'j' | 'l' | 'f' | 't' | 'r' | ' ' | '-' | '.' | ',' | ':' | ';' | '/' | '|' | '!'
        | '\'' | '(' | ')' | '[' | ']' => 0.37,
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '±' | '−' => 0.92,
        'A'..='Z' => 0.72,
        _ => 0.63,
    };
    text.chars().map(share).sum::<f64>() * size
}

/// A text as large as its room allows, up to `size`; cut where even small letters do not fit.
pub(crate) fn fit(text: &str, room: f64, size: f64) -> (String, f64) {
    const SMALLEST: f64 = 8.0;
    if text_width(text, size) <= room {
        return (text.to_string(), size);
    }
    let fitting = room / text_width(text, 1.0);
    if fitting >= SMALLEST {
        return (text.to_string(), fitting);
    }
    let size = SMALLEST.min(size);
    let mut cut = String::new();
    for c in text.chars() {
        if text_width(&cut, size) + text_width("…", size) + text_width("m", size) > room {
            break;
        }
        cut.push(c);
    }
    (cut + "…", size)
}

/// Text as XML shows it, cut to a length that no figure breaks at.
pub(super) fn escape(text: &str) -> String {
    const MAX_CHARS: usize = 120;
    let mut safe = String::new();
    for c in shortened(text, MAX_CHARS).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_text() {
        assert_eq!(escape("<script>&\"\u{0}"), "&lt;script&gt;&amp;&quot;\u{fffd}");
        assert_eq!(escape(&"x".repeat(500)).chars().count(), 121);
    }

    #[test]
    fn text_shrinks_before_it_is_cut() {
        assert_eq!(fit("sgd", 100.0, 12.0), ("sgd".to_string(), 12.0));
        assert_eq!(fit("", 100.0, 12.0), (String::new(), 12.0));
        let (whole, size) = fit("twenty letters, or so", 100.0, 12.0);
        assert!(whole.ends_with("so") && size < 12.0, "{whole} {size}");
        let (cut, size) = fit(&"long ".repeat(40), 100.0, 12.0);
        assert!(cut.ends_with('…') && text_width(&cut, size) <= 100.0, "{cut} {size}");
    }
}
