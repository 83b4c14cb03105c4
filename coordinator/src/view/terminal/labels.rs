//! Labels of trials that stand below each other, shortened together: what tells them apart stays, what
//! they share goes first. Pure.

use std::collections::BTreeSet;

use sweep::number_text;

use crate::reporting::values::label_parts;
use crate::view::terminal::{cut_middle, width_of};

/// Numbers with more digits than this are rounded, unless that makes two of them equal.
const N_DIGITS: usize = 4;

/// Letters that are left of names, as many as there is room for.
const N_LETTERS: [usize; 7] = [10, 8, 6, 4, 3, 2, 1];

/// Labels that fit, and whether everything is there that tells them apart.
#[derive(Debug, PartialEq)]
pub(super) struct Shortened {
    pub labels: Vec<String>,
    pub is_told_apart: bool,
}

/// A label in its parts, each of a column of its own; those without a text are left out.
type Row<'a> = Vec<(&'a str, Option<String>)>;

/// At most `width` columns each. Numbers are rounded first, then parts go that all labels share, from
/// the end on, then parts without which the labels still differ, then letters of names, and at last the
/// middle of what is left.
pub(super) fn shortened(labels: &[String], width: usize) -> Shortened {
    let fits = |labels: &[String]| labels.iter().all(|label| width_of(label) <= width);
    let whole = |labels| Shortened { labels, is_told_apart: true };
    if fits(labels) {
        return whole(labels.to_vec());
    }
    let mut rows: Vec<Row<'_>> = labels.iter().map(|label| row(label)).collect();
    let columns = columns(&rows);
    for column in &columns {
        round(&mut rows, column);
    }
    if fits(&joined(&rows)) {
        return whole(joined(&rows));
    }
    // A label that stands alone shares all with itself.
    let shared = columns.iter().rev().filter(|column| labels.len() > 1 && is_shared(&rows, column));
    let shared: Vec<&str> = shared.copied().collect();
    for column in shared {
        leave_out(&mut rows, column);
        if fits(&joined(&rows)) {
            return whole(joined(&rows));
        }
    }
    for column in columns.iter().rev().filter(|_| labels.len() > 1) {
        let mut fewer = rows.clone();
        leave_out(&mut fewer, column);
        if n_distinct(&fewer) == n_distinct(&rows) {
            rows = fewer;
        }
        if fits(&joined(&rows)) {
            break;
        }
    }
    let short = N_LETTERS.iter().map(|n_letters| abbreviated(&rows, *n_letters));
    let is_right = |short: &Vec<String>| fits(short) && n_different(short) == n_distinct(&rows);
    let labels = match [joined(&rows)].into_iter().chain(short).find(is_right) {
        Some(labels) => labels,
        None => joined(&rows).iter().map(|label| cut_middle(label, width)).collect(),
    };
    Shortened { labels, is_told_apart: false }
}

fn row(label: &str) -> Row<'_> {
    label_parts(label).into_iter().map(|(column, text)| (column, Some(text))).collect()
}

/// In the order in which they come.
fn columns<'a>(rows: &[Row<'a>]) -> Vec<&'a str> {
    let mut columns: Vec<&str> = Vec::new();
    for (column, _) in rows.iter().flatten() {
        if !columns.contains(column) {
            columns.push(column);
        }
    }
    columns
}

fn text_of<'r>(row: &'r Row<'_>, column: &str) -> Option<&'r str> {
    row.iter().find(|(name, _)| *name == column).and_then(|(_, text)| text.as_deref())
}

fn is_shared(rows: &[Row<'_>], column: &str) -> bool {
    let first = rows.first().and_then(|row| text_of(row, column));
    first.is_some() && rows.iter().all(|row| text_of(row, column) == first)
}

fn leave_out(rows: &mut [Row<'_>], column: &str) {
    for (_, text) in rows.iter_mut().flatten().filter(|(name, _)| *name == column) {
        *text = None;
    }
}

fn n_distinct(rows: &[Row<'_>]) -> usize {
    let kept = |row: &Row<'_>| row.iter().flat_map(|(_, text)| text.clone()).collect::<Vec<_>>();
    rows.iter().map(kept).collect::<BTreeSet<_>>().len()
}

fn n_different(labels: &[String]) -> usize {
    labels.iter().collect::<BTreeSet<_>>().len()
}

/// With this many letters of each name, and nothing for parts that are left out.
fn abbreviated(rows: &[Row<'_>], n_letters: usize) -> Vec<String> {
    let short = |text: &String| match text.split_once(' ') {
        Some((name, value)) => {
            let name: String = name.chars().take(n_letters).collect();
            format!("{name} {value}")
        }
        None => text.clone(),
    };
    let join = |row: &Row<'_>| {
        let texts: Vec<String> =
            row.iter().filter_map(|(_, text)| text.as_ref().map(short)).collect();
        texts.join(" ")
    };
    rows.iter().map(join).collect()
}

/// Rounds the numbers of a column, if as many of its texts then differ as before.
fn round(rows: &mut [Row<'_>], column: &str) {
    let rounded: Vec<Row<'_>> = rows
        .iter()
        .map(|row| {
            row.iter()
                .map(|(name, text)| match text {
                    Some(text) if *name == column => (*name, Some(rounded_words(text))),
                    _ => (*name, text.clone()),
                })
                .collect()
        })
        .collect();
    let n_texts = |rows: &[Row<'_>]| {
        let texts = rows.iter().map(|row| text_of(row, column).map(str::to_owned));
        texts.collect::<BTreeSet<_>>().len()
    };
    if n_texts(&rounded) == n_texts(rows) {
        rows.clone_from_slice(&rounded);
    }
}

/// `0.0464` for `0.046415888336127774`; whole numbers stay.
fn rounded_words(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let n_digits = word.chars().filter(char::is_ascii_digit).count();
        match word.parse::<f64>() {
            Ok(number) if n_digits > N_DIGITS && word.contains('.') && number.is_finite() => {
                let rounded: f64 = format!("{number:.2e}").parse().unwrap_or(number);
                number_text(rounded)
            }
            _ => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// With `…` for parts that are left out, as one.
fn joined(rows: &[Row<'_>]) -> Vec<String> {
    let join = |row: &Row<'_>| {
        let mut words: Vec<&str> = Vec::new();
        for (_, text) in row {
            match text {
                Some(text) => words.push(text),
                None if words.last() != Some(&"…") => words.push("…"),
                None => {}
            }
        }
        words.join(" ")
    };
    rows.iter().map(join).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(n: usize, label: impl Fn(usize) -> String) -> Vec<String> {
        (0..n).map(label).collect()
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        let labels = labels(2, |i| format!("sgd 0.046415888336127774 b32 256-128 seed {i}"));
        assert_eq!(shortened(&labels, 60).labels, labels);
    }

    #[test]
    fn numbers_are_rounded_before_anything_goes() {
        let labels = labels(2, |i| format!("sgd 0.046415888336127774 b32 256-128 seed {i}"));
        let expected = ["sgd 0.0464 b32 256-128 seed 0", "sgd 0.0464 b32 256-128 seed 1"];
        assert_eq!(shortened(&labels, 30).labels, expected);
        let near = ["sgd 0.123456 b32 256-128 seed 1", "sgd 0.123457 b32 256-128 seed 1"];
        let near = near.map(str::to_owned);
        assert_eq!(shortened(&near, 22).labels, ["sgd 0.123456 b32 …", "sgd 0.123457 b32 …"]);
    }

    #[test]
    fn what_all_share_goes_first_and_from_the_end() {
        let labels = labels(3, |i| {
            format!("adam 0.001 b32 256-128-64 dropout 0.{i} label_smoothing 0.1 seed 1")
        });
        let shorter = shortened(&labels, 40);
        assert!(shorter.is_told_apart);
        assert_eq!(shorter.labels[2], "adam 0.001 b32 256-128-64 dropout 0.2 …");
        let shorter = shortened(&labels, 20);
        assert!(shorter.is_told_apart);
        assert_eq!(shorter.labels[2], "adam … dropout 0.2 …");
    }

    #[test]
    fn of_what_differs_as_much_stays_as_tells_them_apart() {
        let labels = labels(4, |i| {
            format!("adam 0.00{i} b32 256-12{i}-64 dropout 0.{i} label_smoothing 0.{i} seed 1")
        });
        for width in [10, 14, 20, 30, 40, 50] {
            let shorter = shortened(&labels, width).labels;
            assert_eq!(n_different(&shorter), 4, "{width}: {shorter:?}");
            assert!(shorter.iter().all(|label| width_of(label) <= width), "{width}: {shorter:?}");
        }
    }

    #[test]
    fn optimizers_with_keys_of_their_own_are_told_apart() {
        let labels = [
            "sgd 0.1 b32 256-128-64-32-16 weight_decay 0.0001 seed 1",
            "momentum 0.1 b32 256-128-64-32-16 momentum 0.9 weight_decay 0.0001 seed 1",
            "momentum 0.1 b32 256-128-64-32-16 momentum 0.5 weight_decay 0.0001 seed 1",
        ]
        .map(str::to_owned);
        let shorter = shortened(&labels, 36).labels;
        assert_eq!(
            shorter,
            [
                "sgd 0.1 b32 …",
                "momentum 0.1 b32 … momentum 0.9 …",
                "momentum 0.1 b32 … momentum 0.5 …"
            ]
        );
    }

    #[test]
    fn one_alone_is_cut_in_its_middle() {
        let labels =
            ["backtracking 0.046415888336127774 b128 256-128-64 dropout 0.2 seed 3".into()];
        let shorter = shortened(&labels, 30);
        assert_eq!(shorter.labels, ["backtracking 0…pout 0.2 seed 3"]);
        assert!(!shorter.is_told_apart);
    }

    #[test]
    fn no_width_and_no_text_is_too_odd() {
        for labels in
            [vec![], vec![String::new()], vec!["a".into(), "a".into()], vec!["  ".into(); 3]]
        {
            for width in 0..5 {
                assert_eq!(shortened(&labels, width).labels.len(), labels.len());
            }
        }
    }
}
