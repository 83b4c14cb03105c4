//! Whether an HTML page tells what the Markdown page tells: its headings and the cells of its tables,
//! in their order.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use pulldown_cmark_escape::escape_html_body_text;

/// The first heading or cell of the Markdown that the page does not show in its place.
pub fn html_lacks(markdown: &str, html: &str) -> Option<String> {
    let text = text_of(html.split_once("<main>").map_or(html, |(_, main)| main));
    let mut rest = text.as_str();
    let mut is_compared = false;
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. } | Tag::TableCell) => is_compared = true,
            Event::End(TagEnd::Heading(_) | TagEnd::TableCell) => is_compared = false,
            Event::Text(text) | Event::Code(text) if is_compared => {
                let mut shown = String::new();
                escape_html_body_text(&mut shown, &text).expect("writing to a string cannot fail");
                // The first place that fits lies never behind the right one.
                let Some(at) = rest.find(&shown) else { return Some(text.into_string()) };
                rest = &rest[at + shown.len()..];
            }
            _ => {}
        }
    }
    None
}

/// What stands between the tags, with a line break for each of them.
fn text_of(html: &str) -> String {
    let mut text = String::new();
    let (mut is_tag, mut quote) = (false, None);
    for c in html.chars() {
        match c {
            '"' | '\'' if is_tag && quote.is_none() => quote = Some(c),
            c if is_tag && quote == Some(c) => quote = None,
            '>' if is_tag && quote.is_none() => is_tag = false,
            '<' if !is_tag => {
                is_tag = true;
                text.push('\n');
            }
            c if !is_tag => text.push(c),
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::page;

    const PAGE: &str =
        "# T\n\nWords.\n\n## A & b\n\n| x | y |\n| --- | ---: |\n| <1> | 2.5 |\n| `c` | 97 % |\n";

    #[test]
    fn a_page_made_from_the_markdown_lacks_nothing() {
        assert_eq!(html_lacks(PAGE, &page(PAGE, &[])), None);
    }

    #[test]
    fn a_heading_or_a_cell_of_another_page_is_named() {
        for (from, to) in
            [("## A & b", "## A & c"), ("97 %", "98 %"), ("<1>", "<2>"), ("`c`", "`d`")]
        {
            let other = page(&PAGE.replace(from, to), &[]);
            let lacks = html_lacks(PAGE, &other).unwrap();
            assert!(from.contains(lacks.trim()), "{lacks}");
        }
    }
}
