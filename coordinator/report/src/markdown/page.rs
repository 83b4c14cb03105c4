//! A Markdown page under construction: headings, sentences, tables, figures.

use std::fmt::Write;

use sweep::number_text;

use crate::analysis::significant;
use crate::figures::Figure;

pub(crate) use super::escape::{code, escape};
/// Counts and times, in the words of the terminal.
pub(crate) use trial::wording::{grouped as thousands, n_of as count, n_of_n, span_s as duration};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}
pub(crate) use Align::{Left, Right};

#[derive(Default)]
pub(crate) struct Page {
    text: String,
    figures: Vec<Figure>,
}

impl Page {
    pub(crate) fn heading(&mut self, level: usize, text: &str) {
        self.block(&format!("{} {text}", "#".repeat(level)));
    }

    /// A paragraph, a list or any other block of Markdown.
    pub(crate) fn block(&mut self, markdown: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let _ = writeln!(self.text, "{}", markdown.trim_end());
    }

    /// Blocks that a reader opens when wanted.
    pub(crate) fn folded(&mut self, summary: &str, write: impl FnOnce(&mut Self)) {
        self.block(&format!("<details><summary>{summary}</summary>"));
        write(self);
        self.block("</details>");
    }

    /// Cells are Markdown already; a table without rows is left out.
    pub(crate) fn table(&mut self, header: &[(Align, &str)], rows: &[Vec<String>]) {
        if rows.is_empty() {
            return;
        }
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let names: Vec<String> = header.iter().map(|(_, name)| (*name).to_string()).collect();
        let rules: Vec<String> = header
            .iter()
            .map(|(align, _)| if *align == Left { "---" } else { "---:" }.to_string())
            .collect();
        let body: String = rows.iter().map(|row| line(row)).collect();
        self.block(&format!("{}{}{body}", line(&names), line(&rules)));
    }

    /// The picture with its caption; the SVG is what the page shows.
    pub(crate) fn figure(&mut self, figure: Figure, caption: &str) {
        self.block(&format!("![{}]({}.svg)", escape(&figure.alt), figure.name));
        self.block(&format!("*{caption}* ([PNG]({}.png))", figure.name));
        self.figures.push(figure);
    }

    pub(crate) fn finish(self) -> (String, Vec<Figure>) {
        (self.text, self.figures)
    }
}

/// `2nd`, `11th`.
pub(crate) fn ordinal(n: usize) -> String {
    let ending = match (n % 10, n % 100) {
        (1, m) if m != 11 => "st",
        (2, m) if m != 12 => "nd",
        (3, m) if m != 13 => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

/// A cost that may be tiny: this many decimals, and more where two significant digits need them.
/// `12.34`, `0.0031`.
pub(crate) fn amount(value: f64, decimals: usize) -> String {
    // More zeros than that nobody counts.
    if value != 0.0 && value.abs() < 1e-4 {
        return number_text(significant(value, 2));
    }
    let needed = match value.abs() {
        size if 0.0 < size && size < 1.0 => (1.0 - libm::floor(libm::log10(size))) as usize,
        _ => 0,
    };
    format!("{value:.*}", needed.max(decimals))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            [0.0, 0.003_14, 0.0999, 0.34, 12.345, 0.000_000_000_1].map(|x| amount(x, 2)),
            ["0.00", "0.0031", "0.100", "0.34", "12.35", "1e-10"]
        );
        assert_eq!([2, 3, 11, 12, 21].map(ordinal), ["2nd", "3rd", "11th", "12th", "21st"]);
    }

    #[test]
    fn a_table_has_a_rule_and_its_rows() {
        let mut page = Page::default();
        page.table(&[(Left, "a"), (Right, "n")], &[vec!["x".into(), "1".into()]]);
        page.table(&[(Left, "never")], &[]);
        assert_eq!(page.finish().0, "| a | n |\n| --- | ---: |\n| x | 1 |\n");
    }
}
