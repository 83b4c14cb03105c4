//! `report.html`: the Markdown page as one file that needs no other, no script and no network.

mod compare;

use std::collections::BTreeMap;
use std::iter::once;

use pulldown_cmark::{CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd, html};
use pulldown_cmark_escape::escape_html;

pub use compare::html_lacks;

use crate::figures::Figure;
use crate::text;

const STYLE: &str = include_str!("style.css");

/// What the page may load and run: the style and the pictures within it, nothing else. Whatever a
/// name or a text might smuggle in stays without effect.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/// The page of `markdown`, whose images are replaced by `figures`.
pub(crate) fn page(markdown: &str, figures: &[Figure]) -> String {
    let mut events: Vec<Event<'_>> = Parser::new_ext(markdown, Options::ENABLE_TABLES).collect();
    let headings = name_headings(&mut events);
    drop_alternatives(&mut events);
    let body = events.into_iter().flat_map(|event| shown(event, figures));
    let title = headings.first().map_or("Report", |heading| heading.text.as_str());
    let mut text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<nav aria-label=\"Contents\">\n",
        escaped(title)
    );
    html::push_html(&mut text, contents(&headings));
    text.push_str("</nav>\n<main>\n");
    html::push_html(&mut text, body);
    text.push_str("</main>\n</body>\n</html>\n");
    text
}

struct Heading {
    level: HeadingLevel,
    id: String,
    /// Without its markup.
    text: String,
}

/// Gives each heading an id that no other one has.
fn name_headings(events: &mut [Event<'_>]) -> Vec<Heading> {
    let mut n_same: BTreeMap<String, usize> = BTreeMap::new();
    let mut headings = Vec::new();
    for start in 0..events.len() {
        let (head, rest) = events.split_at_mut(start + 1);
        let Some(Event::Start(Tag::Heading { level, id, .. })) = head.last_mut() else { continue };
        let text: String = rest
            .iter()
            .take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))))
            .filter_map(|event| match event {
                Event::Text(text) | Event::Code(text) => Some(&**text),
                _ => None,
            })
            .collect();
        let slug = slug(&text);
        let n = n_same.entry(slug.clone()).or_default();
        *n += 1;
        let unique = if *n == 1 { slug } else { format!("{slug}--{n}") };
        *id = Some(unique.clone().into());
        headings.push(Heading { level: *level, id: unique, text });
    }
    headings
}

/// Small letters and digits, one hyphen between words.
fn slug(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("-")
}

/// The sections, each with its parts, as a list of links.
fn contents(headings: &[Heading]) -> impl Iterator<Item = Event<'_>> {
    let is_part = |heading: &&Heading| heading.level == HeadingLevel::H3;
    let list = |items: Vec<Event<'static>>| {
        let (open, close) = (Event::Start(Tag::List(None)), Event::End(TagEnd::List(false)));
        once(open).chain(items).chain(once(close))
    };
    let sections = headings.iter().enumerate().filter(|(_, h)| h.level == HeadingLevel::H2);
    let items = sections.flat_map(move |(index, section)| {
        let parts: Vec<Event<'static>> = headings[index + 1..]
            .iter()
            .take_while(is_part)
            .flat_map(|part| item(part, Vec::new()))
            .collect();
        item(section, if parts.is_empty() { parts } else { list(parts).collect() })
    });
    list(items.collect())
}

fn item(heading: &Heading, below: Vec<Event<'static>>) -> Vec<Event<'static>> {
    let link = Tag::Link {
        link_type: LinkType::Inline,
        dest_url: format!("#{}", heading.id).into(),
        title: "".into(),
        id: "".into(),
    };
    let text = Event::Text(heading.text.clone().into());
    let mut events =
        vec![Event::Start(Tag::Item), Event::Start(link), text, Event::End(TagEnd::Link)];
    events.extend(below);
    events.push(Event::End(TagEnd::Item));
    events
}

/// What an event of the Markdown becomes: pictures within the page, tables that scroll on a small
/// screen, and no raw HTML but our own.
fn shown<'a>(event: Event<'a>, figures: &[Figure]) -> Vec<Event<'a>> {
    match event {
        Event::Start(Tag::Image { dest_url, .. }) => vec![Event::Html(picture(&dest_url, figures))],
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            // Files beside the page; a scheme would lead elsewhere, or run something.
            let dest_url = if dest_url.contains(':') { "#".into() } else { dest_url };
            vec![Event::Start(Tag::Link { link_type, dest_url, title, id })]
        }
        Event::Start(Tag::Table(_)) => {
            vec![Event::Html("<div class=\"table\">".into()), event]
        }
        Event::End(TagEnd::Table) => vec![event, Event::Html("</div>\n".into())],
        Event::Html(text) if !is_ours(&text) => vec![Event::Text(text)],
        Event::InlineHtml(text) => vec![Event::Text(text)],
        other => vec![other],
    }
}

/// The parts that a reader opens are the only HTML that our Markdown holds.
fn is_ours(text: &str) -> bool {
    let summary = text
        .trim()
        .strip_prefix("<details><summary>")
        .and_then(|text| text.strip_suffix("</summary>"));
    text.trim() == "</details>" || summary.is_some_and(|summary| !summary.contains('<'))
}

/// Leaves of each image its start alone: the figure itself knows the words for those who cannot see
/// it.
fn drop_alternatives(events: &mut Vec<Event<'_>>) {
    let mut is_in_image = false;
    events.retain(|event| {
        let is_within = is_in_image;
        is_in_image = match event {
            Event::Start(Tag::Image { .. }) => true,
            Event::End(TagEnd::Image) => false,
            _ => is_in_image,
        };
        !is_within
    });
}

/// The figure of an SVG file as a data URI: a picture of its own, whose names cannot meet those of
/// another one and where nothing runs. Nothing for a file that is not among the figures.
fn picture(file: &str, figures: &[Figure]) -> CowStr<'static> {
    let Some(figure) = figures.iter().find(|f| file.strip_suffix(".svg") == Some(&f.name)) else {
        return "".into();
    };
    let mut address = String::with_capacity(figure.svg.len() * 5 / 4);
    for c in figure.svg.chars() {
        match c {
            // What would end the address, or change within it.
            '%' | '#' | '"' | '&' => address.push_str(&format!("%{:02X}", u32::from(c))),
            '\n' => {}
            c => address.push(c),
        }
    }
    format!(
        "<img src=\"data:image/svg+xml,{address}\" alt=\"{}\">",
        escaped(&text::shown(&figure.alt))
    )
    .into()
}

fn escaped(text: &str) -> String {
    let mut safe = String::new();
    escape_html(&mut safe, text).expect("writing to a string cannot fail");
    safe
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulldown_cmark_escape::escape_html_body_text;

    use super::*;
    use crate::markdown::escape;
    use crate::text::{hostile, shortened};

    fn escaped_body(text: &str) -> String {
        let mut safe = String::new();
        escape_html_body_text(&mut safe, text).unwrap();
        safe
    }

    fn figure(svg: &str) -> Figure {
        Figure { name: "curves".into(), alt: "Curves".into(), svg: svg.into() }
    }

    #[test]
    fn headings_get_ids_of_their_own_and_a_place_in_the_contents() {
        let page = page("# T\n\n## 1. A & b\n\n### Same\n\n### Same\n\n## 2. C\n", &[]);
        for part in [
            "<title>T</title>",
            "<h2 id=\"1-a-b\">1. A &amp; b</h2>",
            "<h3 id=\"same\">Same</h3>",
            "<h3 id=\"same--2\">Same</h3>",
            "<li><a href=\"#1-a-b\">1. A &amp; b</a>\n<ul>\n<li><a href=\"#same\">",
            "<a href=\"#same--2\">",
            "<li><a href=\"#2-c\">2. C</a></li>",
        ] {
            assert!(page.contains(part), "{part} in {page}");
        }
    }

    #[test]
    fn pictures_lie_within_the_page() {
        let svg = "<svg fill=\"#fff\" width=\"100%\">\n&lt;</svg>";
        let page = page("![x](curves.svg)\n\n![No](other.svg)\n", &[figure(svg)]);
        let address = "data:image/svg+xml,<svg fill=%22%23fff%22 width=%22100%25%22>%26lt;</svg>";
        assert!(
            page.contains(&format!("<p><img src=\"{address}\" alt=\"Curves\"></p>\n<p></p>")),
            "{page}"
        );
    }

    #[test]
    fn only_our_own_html_passes() {
        let ours = "<details><summary>Seeds</summary>\n\ntext\n\n</details>\n";
        assert!(
            page(ours, &[]).contains("<details><summary>Seeds</summary>\n<p>text</p>\n</details>")
        );
        for markdown in [
            "<script>alert(1)</script>\n",
            "<details><summary><img src=x></summary>\n",
            "a <img src=x onerror=y> b\n",
            "</details><script>\n",
        ] {
            let page = page(markdown, &[]);
            let main = page.split("<main>").nth(1).unwrap();
            assert!(!main.contains("<script") && !main.contains("<img"), "{main}");
        }
        assert!(
            page("[x](javascript:y) [z](z.csv)\n", &[])
                .contains("<a href=\"#\">x</a> <a href=\"z.csv\">z</a>")
        );
    }
    proptest! {
        #[test]
        fn texts_read_as_they_are(text in hostile::text()) {
            let plain = shortened(&text, 200);
            if plain.is_empty() {
                return Ok(());
            }
            let page = page(&format!("Words {} and more.\n", escape(&text)), &[]);
            let expected = format!("<p>Words {} and more.</p>", escaped_body(&plain));
            prop_assert!(page.contains(&expected), "{}", page);
        }
    }
}
