//! A small SVG writer. Numbers have one fixed form, so equal figures are equal bytes.

use std::fmt::Write;

use super::color::Color;
use super::text::{escape, fit};

pub(crate) const INK: Color = Color(0x22, 0x22, 0x22);
pub(crate) const FAINT: Color = Color(0x66, 0x66, 0x66);
pub(crate) const GRID_LINE: Color = Color(0xe4, 0xe4, 0xe4);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text is set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Type {
    pub(crate) size: f64,
    pub(crate) color: Color,
    pub(crate) anchor: Anchor,
}

impl Type {
    pub(crate) fn new(size: f64) -> Self {
        Self { size, color: INK, anchor: Anchor::Start }
    }

    pub(crate) fn middle(self) -> Self {
        Self { anchor: Anchor::Middle, ..self }
    }

    pub(crate) fn end(self) -> Self {
        Self { anchor: Anchor::End, ..self }
    }

    pub(crate) fn color(self, color: Color) -> Self {
        Self { color, ..self }
    }
}

/// A stroke's colour, width and dash pattern (empty for a solid line).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pen {
    pub(crate) color: Color,
    pub(crate) width: f64,
    pub(crate) dash: &'static str,
}

impl Pen {
    pub(crate) fn new(color: Color, width: f64) -> Self {
        Self { color, width, dash: "" }
    }

    pub(crate) fn dashed(self, dash: &'static str) -> Self {
        Self { dash, ..self }
    }

    fn attributes(self) -> String {
        let mut text = format!(" stroke=\"{}\" stroke-width=\"{}\"", self.color, num(self.width));
        if !self.dash.is_empty() {
            let _ = write!(text, " stroke-dasharray=\"{}\"", self.dash);
        }
        text
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rect {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Rect {
    pub(crate) fn right(self) -> f64 {
        self.x + self.width
    }

    pub(crate) fn bottom(self) -> f64 {
        self.y + self.height
    }

    pub(crate) fn center_x(self) -> f64 {
        self.x + self.width / 2.0
    }

    pub(crate) fn center_y(self) -> f64 {
        self.y + self.height / 2.0
    }

    pub(crate) fn inset(self, by: f64) -> Self {
        Self {
            x: self.x + by,
            y: self.y + by,
            width: self.width - 2.0 * by,
            height: self.height - 2.0 * by,
        }
    }
}

/// A figure under construction, with its own white ground so that it reads on a dark page too.
pub(crate) struct Svg {
    width: f64,
    height: f64,
    body: String,
}

impl Svg {
    pub(crate) fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new() }
    }

    pub(crate) fn rect(&mut self, rect: Rect, fill: Option<Color>, pen: Option<Pen>) {
        let fill = fill.map_or_else(|| "none".to_string(), |color| color.to_string());
        self.filled_rect(rect, &fill, pen);
    }

    /// Hatched areas have thin diagonal lines.
    pub(crate) fn filled(&mut self, rect: Rect, fill: Fill) {
        match fill {
            Fill::Color(color) => self.rect(rect, Some(color), None),
            Fill::Hatched => self.filled_rect(rect, "url(#hatch)", None),
        }
    }

    fn filled_rect(&mut self, rect: Rect, fill: &str, pen: Option<Pen>) {
        let _ = writeln!(
            self.body,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{fill}\"{}/>",
            num(rect.x),
            num(rect.y),
            num(rect.width),
            num(rect.height),
            pen.map(Pen::attributes).unwrap_or_default(),
        );
    }

    pub(crate) fn line(&mut self, from: (f64, f64), to: (f64, f64), pen: Pen) {
        let _ = writeln!(
            self.body,
            "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"{}/>",
            num(from.0),
            num(from.1),
            num(to.0),
            num(to.1),
            pen.attributes(),
        );
    }

    /// Nothing for fewer than two points, which make no line.
    pub(crate) fn polyline(&mut self, points: &[(f64, f64)], pen: Pen) {
        if points.len() < 2 {
            return;
        }
        let _ = writeln!(
            self.body,
            "<polyline points=\"{}\" fill=\"none\" stroke-linejoin=\"round\" stroke-linecap=\"round\"{}/>",
            coordinates(points),
            pen.attributes(),
        );
    }

    pub(crate) fn polygon(&mut self, points: &[(f64, f64)], color: Color, opacity: f64) {
        let _ = writeln!(
            self.body,
            "<polygon points=\"{}\" fill=\"{color}\" fill-opacity=\"{}\"/>",
            coordinates(points),
            num(opacity),
        );
    }

    pub(crate) fn circle(&mut self, center: (f64, f64), radius: f64, fill: Color, opacity: f64) {
        let _ = writeln!(
            self.body,
            "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{fill}\" fill-opacity=\"{}\"/>",
            num(center.0),
            num(center.1),
            num(radius),
            num(opacity),
        );
    }

    pub(crate) fn ring(&mut self, center: (f64, f64), radius: f64, pen: Pen) {
        let _ = writeln!(
            self.body,
            "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"none\"{}/>",
            num(center.0),
            num(center.1),
            num(radius),
            pen.attributes(),
        );
    }

    /// `at` is the baseline's anchor.
    pub(crate) fn text(&mut self, at: (f64, f64), text: &str, style: Type) {
        self.placed_text(at, text, style, "");
    }

    /// Shrunk, then cut, to the room there is.
    pub(crate) fn fitted_text(&mut self, at: (f64, f64), text: &str, style: Type, room: f64) {
        let (text, size) = fit(text, room, style.size);
        self.text(at, &text, Type { size, ..style });
    }

    /// The figure's name, in its upper left corner.
    pub(crate) fn title(&mut self, title: &str) {
        self.fitted_text((24.0, 34.0), title, Type::new(18.0), self.width - 48.0);
    }

    /// Read from bottom to top.
    pub(crate) fn vertical_text(&mut self, at: (f64, f64), text: &str, style: Type) {
        let turn = format!(" transform=\"rotate(-90 {} {})\"", num(at.0), num(at.1));
        self.placed_text(at, text, style, &turn);
    }

    fn placed_text(&mut self, at: (f64, f64), text: &str, style: Type, attributes: &str) {
        let anchor = match style.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _ = writeln!(
            self.body,
            "<text x=\"{}\" y=\"{}\" font-size=\"{}\" fill=\"{}\" text-anchor=\"{anchor}\"{attributes}>{}</text>",
            num(at.0),
            num(at.1),
            num(style.size),
            style.color,
            escape(text),
        );
    }

    pub(crate) fn finish(self) -> String {
        let (width, height) = (num(self.width), num(self.height));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"'DejaVu Sans', sans-serif\">\n\
             <defs><pattern id=\"hatch\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\" \
             patternTransform=\"rotate(45)\"><rect width=\"7\" height=\"7\" fill=\"#f3f3f3\"/>\
             <line x1=\"0\" y1=\"0\" x2=\"0\" y2=\"7\" stroke=\"#9a9a9a\" stroke-width=\"2.5\"/></pattern></defs>\n\
             <rect width=\"{width}\" height=\"{height}\" rx=\"10\" fill=\"#ffffff\"/>\n{}</svg>\n",
            self.body,
        )
    }
}

fn coordinates(points: &[(f64, f64)]) -> String {
    points.iter().map(|(x, y)| format!("{},{}", num(*x), num(*y))).collect::<Vec<_>>().join(" ")
}

/// Two decimals at most, no negative zero, no exponent.
fn num(x: f64) -> String {
    let text = format!("{x:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_string() } else { text.to_string() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use resvg::usvg::roxmltree::Document;

    use super::*;
    use crate::text::{hostile, shortened};

    #[test]
    fn numbers_have_one_form() {
        assert_eq!(
            ["1", "0.5", "0.33", "0"],
            [num(1.0), num(0.5), num(1.0 / 3.0), num(-0.001)].each_ref().map(String::as_str)
        );
    }

    proptest! {
        #[test]
        fn texts_read_as_they_are(text in hostile::text()) {
            let mut svg = Svg::new(10.0, 10.0);
            svg.text((1.0, 1.0), &text, Type::new(5.0));
            let svg = svg.finish();
            let document = Document::parse(&svg).unwrap();
            let texts: Vec<_> = document.descendants().filter(|n| n.has_tag_name("text")).collect();
            prop_assert_eq!(texts.len(), 1);
            prop_assert!(texts[0].children().all(|child| child.is_text()));
            prop_assert_eq!(texts[0].text().unwrap_or_default(), shortened(&text, 120));
        }
    }
}

/// How an area looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fill {
    Color(Color),
    Hatched,
}
