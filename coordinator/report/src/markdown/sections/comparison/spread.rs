//! A long list cut down to what a page can show: values spread evenly over it, both ends among them.

use crate::markdown::page::thousands;

/// What is shown of a list, and the sentence that says so.
pub(crate) struct Shown<T> {
    pub(crate) values: Vec<T>,
    /// ` Shown: 16 of 10,000 learning rates, spread evenly.`; empty when all are shown.
    pub(crate) note: String,
}

/// `nouns` names the values, in the plural; at least two of a long list are shown.
pub(crate) fn shown<T>(values: Vec<T>, max: usize, nouns: &str) -> Shown<T> {
    let (n, max) = (values.len(), max.max(2));
    if n <= max {
        return Shown { values, note: String::new() };
    }
    let mut places = (0..max).map(|i| i * (n - 1) / (max - 1)).peekable();
    let values = values.into_iter().enumerate();
    let kept = values.filter(|(place, _)| places.next_if_eq(place).is_some());
    let kept: Vec<T> = kept.map(|(_, value)| value).collect();
    let (n_kept, n) = (thousands(kept.len() as u64), thousands(n as u64));
    Shown { values: kept, note: format!(" Shown: {n_kept} of {n} {nouns}, spread evenly.") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_keeps_its_ends_and_says_what_is_left_out() {
        let all = shown((0..16).collect(), 16, "rates");
        assert_eq!((all.values.len(), all.note.as_str()), (16, ""));
        let some = shown((0..10_000).collect::<Vec<i32>>(), 5, "rates");
        assert_eq!(some.values, [0, 2_499, 4_999, 7_499, 9_999]);
        assert_eq!(some.note, " Shown: 5 of 10,000 rates, spread evenly.");
    }
}
