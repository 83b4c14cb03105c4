//! Text laid out for a width: tables that never break a number, lines that are cut or wrapped.
//! Widths are those of a terminal, where some characters take two columns.

use rustix::termios::tcgetwinsize;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::view::terminal::printable;

/// Columns of text that no terminal shows.
const TEXT_WIDTH: usize = 100;

/// Between two columns of a table.
const GAP: usize = 2;

/// The last column wraps if it has at least this much room.
const MIN_WRAPPED: usize = 24;

/// Columns of the terminal that stdout is, if it is one.
fn text_width() -> usize {
    match tcgetwinsize(std::io::stdout()) {
        Ok(size) if size.ws_col > 0 => size.ws_col.into(),
        _ => TEXT_WIDTH,
    }
}

/// A table without lines, indented by one space.
pub fn table<'a>(rows: impl IntoIterator<Item = &'a [String]>) -> String {
    laid_out(&printable_rows(rows), false, text_width())
}

/// As [`table`], its first row the header. Where there is no room for its columns, each row becomes a
/// list of `header  value`.
pub fn table_with_header<'a>(rows: impl IntoIterator<Item = &'a [String]>) -> String {
    laid_out(&printable_rows(rows), true, text_width())
}

fn printable_rows<'a>(rows: impl IntoIterator<Item = &'a [String]>) -> Vec<Vec<String>> {
    rows.into_iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect()
}

fn laid_out(rows: &[Vec<String>], has_header: bool, width: usize) -> String {
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let Some(n_before) = n_columns.checked_sub(1) else { return String::new() };
    let widest = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| width_of(cell)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..n_columns).map(widest).collect();
    let before: usize = 1 + widths[..n_before].iter().map(|width| width + GAP).sum::<usize>();
    let room = width.saturating_sub(before);
    let is_text = rows.iter().filter_map(|row| row.get(n_before)).any(|cell| cell.contains(", "));
    let last = widths[n_before];
    if last > room && has_header && (room < MIN_WRAPPED || !is_text) {
        return stacked(rows, width);
    }
    let room = if last <= room { last } else { room.max(MIN_WRAPPED.min(last)) };
    let mut lines = Vec::new();
    for row in rows {
        let mut line = " ".to_owned();
        for (cell, width) in row.iter().zip(&widths).take(n_before) {
            line += &format!("{cell}{}", " ".repeat(width + GAP - width_of(cell)));
        }
        for part in wrapped(row.get(n_before).map_or("", String::as_str), room) {
            lines.push(format!("{line}{part}").trim_end().to_owned());
            line = " ".repeat(before);
        }
    }
    lines.join("\n")
}

/// Each row as a block of its own, one line for each column.
fn stacked(rows: &[Vec<String>], width: usize) -> String {
    let Some((header, rows)) = rows.split_first() else { return String::new() };
    let blocks = rows.iter().map(|row| {
        let pairs: Vec<Vec<String>> = header
            .iter()
            .zip(row)
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| vec![name.clone(), value.clone()])
            .collect();
        laid_out(&pairs, false, width)
    });
    blocks.collect::<Vec<_>>().join("\n\n")
}

pub fn width_of(text: &str) -> usize {
    text.width()
}

/// At most `width` columns, the end replaced by `…` if there is more.
pub fn cut(text: &str, width: usize) -> String {
    if width_of(text) <= width {
        return text.to_owned();
    }
    match width {
        0 => String::new(),
        _ => beginning(text.chars(), width - 1) + "…",
    }
}

/// At most `width` columns, the middle replaced by `…`: what tells labels apart stands at both ends.
pub fn cut_middle(text: &str, width: usize) -> String {
    if width_of(text) <= width || width < 3 {
        return cut(text, width);
    }
    let n_left = (width - 1) / 2;
    let left = beginning(text.chars(), n_left);
    let right: String = beginning(text.chars().rev(), width - 1 - n_left).chars().rev().collect();
    format!("{left}…{right}")
}

fn beginning(chars: impl Iterator<Item = char>, width: usize) -> String {
    let mut left = width;
    let fits = |c: &char| {
        let rest = left.checked_sub(c.width().unwrap_or(0));
        left = rest.unwrap_or(left);
        rest.is_some()
    };
    chars.take_while(fits).collect()
}

/// Lines of at most `width` columns, broken at spaces, and within a word only if it is wider than
/// a line. At least one line.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("one line at least");
        if line.is_empty() {
            *line = word.to_owned();
        } else if width_of(line) + 1 + width_of(word) <= width {
            *line += " ";
            *line += word;
        } else {
            lines.push(word.to_owned());
        }
        while let Some(rest) = lines.last_mut().and_then(|line| split_off(line, width)) {
            lines.push(rest);
        }
    }
    lines
}

/// What of a line is beyond the width, if anything.
fn split_off(line: &mut String, width: usize) -> Option<String> {
    if width_of(line) <= width {
        return None;
    }
    let n_bytes = beginning(line.chars(), width).len();
    // A character wider than the line stands alone.
    let n_bytes = if n_bytes == 0 { line.chars().next()?.len_utf8() } else { n_bytes };
    (n_bytes < line.len()).then(|| line.split_off(n_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
        rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
    }

    #[test]
    fn a_table_of_numbers_is_never_broken() {
        let best = rows(&[
            &["best of each optimizer", "valid accuracy", "± 95 %", "test", "cpu s", "seeds"],
            &[
                "backtracking 0.046415888336127774 b128 256-128-64 dropout 0.2",
                "97.81 % ± 0.12",
                "0.21",
                "97.60 %",
                "12.3",
                "10",
            ],
        ]);
        let wide = laid_out(&best, true, 160);
        assert_eq!(wide.lines().count(), 2, "{wide}");
        let narrow = laid_out(&best, true, 80);
        assert!(narrow.lines().all(|line| width_of(line) <= 80), "{narrow}");
        assert!(narrow.contains(" valid accuracy          97.81 % ± 0.12\n"), "{narrow}");
    }

    #[test]
    fn lists_wrap_at_their_spaces_beside_their_name() {
        let axes = rows(&[&["learning_rate", "7 values", "0.001, 0.0031, 0.01, 0.031, 0.1"]]);
        let expected =
            " learning_rate  7 values  0.001, 0.0031, 0.01,\n                          0.031, 0.1";
        assert_eq!(laid_out(&axes, false, 50), expected);
    }

    #[test]
    fn words_wider_than_a_line_are_broken_and_nothing_is_lost() {
        for text in ["", "a", "abcdefgh", "ab cdefghi 東京東京 x", " a  b "] {
            for width in 0..10 {
                let lines = wrapped(text, width);
                assert!(lines.iter().all(|line| width_of(line) <= width.max(2)), "{lines:?}");
                let letters = |text: &str| text.replace(' ', "");
                assert_eq!(letters(&lines.concat()), letters(text));
            }
        }
    }

    #[test]
    fn cuts_count_columns() {
        assert_eq!(cut("東京東京", 5), "東京…");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 0), "");
        assert_eq!(cut_middle("sgd 0.1 b32 seed 14", 11), "sgd 0…ed 14");
        assert_eq!(cut_middle("abcdef", 2), "a…");
    }
}
