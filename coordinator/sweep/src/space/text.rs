//! Text: how people read a hyperparameter value, the same on a terminal, in a report and in a table.

use trial::Value;

/// The layers of a network that has none. An empty text would mean that a value is not used.
pub const NO_LAYERS: &str = "none";

/// A number as people write it, in the fewest digits that read back to the same bits: `0.05`, `32`,
/// `1e-10`. Small and large ones have an exponent, so that nobody has to count zeros.
pub fn number_text(x: f64) -> String {
    if x != 0.0 && !(1e-4..1e6).contains(&x.abs()) { format!("{x:e}") } else { x.to_string() }
}

/// Sizes of hidden layers: `256-128-64`, or `none`.
pub fn widths_text(widths: &[u32]) -> String {
    if widths.is_empty() { NO_LAYERS.into() } else { joined_widths(widths) }
}

/// The sizes with a dash between them.
pub(crate) fn joined_widths(widths: &[u32]) -> String {
    widths.iter().map(u32::to_string).collect::<Vec<_>>().join("-")
}

/// Reads what [`widths_text`] writes; `None` for anything else.
pub fn read_widths_text(text: &str) -> Option<Vec<u32>> {
    if text == NO_LAYERS {
        return Some(Vec::new());
    }
    let widths: Vec<u32> =
        text.split('-').map(|width| width.parse().ok()).collect::<Option<_>>()?;
    // A number has more spellings than this one.
    (joined_widths(&widths) == text).then_some(widths)
}

/// A value as tables show it: `sgd`, `0.05`, `32`, `256-128-64`.
pub fn display(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Number(x) => number_text(*x),
        Value::Count(n) => n.to_string(),
        Value::Widths(widths) => widths_text(widths),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_read_well_and_no_one_counts_zeros() {
        for (x, text) in [
            (0.0, "0"),
            (0.05, "0.05"),
            (32.0, "32"),
            (1e-4, "0.0001"),
            (1e-6, "1e-6"),
            (2.5e-10, "2.5e-10"),
            (999_999.0, "999999"),
            (1e6, "1e6"),
            (-1e20, "-1e20"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
        ] {
            assert_eq!(number_text(x), text);
        }
    }

    #[test]
    fn a_network_without_hidden_layers_has_a_name() {
        assert_eq!(display(&Value::Widths(vec![])), "none");
        assert_eq!(read_widths_text("none"), Some(vec![]));
        for wrong in ["", "-", "16-", "None", "16 32", "-16", "+16", "016", "4294967296"] {
            assert_eq!(read_widths_text(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(x in any::<f64>(), widths in prop::collection::vec(any::<u32>(), 0..6)) {
            prop_assume!(!x.is_nan());
            let text = number_text(x);
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), x.to_bits());
            // Sign, point, exponent and 17 digits.
            prop_assert!(text.len() <= 24, "{}", text);
            prop_assert_eq!(read_widths_text(&widths_text(&widths)), Some(widths));
        }
    }
}
