//! Colours: a sequential map for cells, a palette for lines, and ink that reads on both.

use std::fmt;

/// sRGB bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Color(pub(crate) u8, pub(crate) u8, pub(crate) u8);

impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

pub(crate) const WHITE: Color = Color(255, 255, 255);
pub(crate) const BLACK: Color = Color(0, 0, 0);
/// Vermilion: frames of the best cell, rings of the best point.
pub(crate) const MARK: Color = Color(0xd5, 0x5e, 0x00);

/// Every tenth of viridis (S. van der Walt and N. Smith 2015, released as CC0): even steps of
/// lightness, readable with any colour vision and in grey.
const VIRIDIS: [Color; 11] = [
    Color(0x44, 0x01, 0x54),
    Color(0x48, 0x24, 0x75),
    Color(0x41, 0x44, 0x87),
    Color(0x35, 0x5f, 0x8d),
    Color(0x2a, 0x78, 0x8e),
    Color(0x21, 0x91, 0x8c),
    Color(0x22, 0xa8, 0x84),
    Color(0x44, 0xbf, 0x70),
    Color(0x7a, 0xd1, 0x51),
    Color(0xbd, 0xdf, 0x26),
    Color(0xfd, 0xe7, 0x25),
];

/// The colour at `t` from 0 (dark) to 1 (light); outside it the nearest end.
pub(crate) fn sequential(t: f64) -> Color {
    let place = t.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f64;
    let index = (place as usize).min(VIRIDIS.len() - 2);
    let share = place - index as f64;
    let (a, b) = (VIRIDIS[index], VIRIDIS[index + 1]);
    let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * share).round() as u8;
    Color(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

/// Line colours after Okabe and Ito (2008), told apart with any colour vision; instead of their
/// yellow, which vanishes on white, wine and olive of P. Tol's muted scheme follow.
const PALETTE: [Color; 9] = [
    Color(0x00, 0x72, 0xb2),
    Color(0xd5, 0x5e, 0x00),
    Color(0x00, 0x9e, 0x73),
    Color(0xcc, 0x79, 0xa7),
    Color(0x56, 0xb4, 0xe9),
    Color(0xe6, 0x9f, 0x00),
    Color(0x33, 0x33, 0x33),
    Color(0x88, 0x22, 0x55),
    Color(0x99, 0x99, 0x33),
];

/// The first line is solid; the gaps of those drawn over it let it show where they coincide.
const DASHES: [&str; 4] = ["", "9 6", "3 5", "12 4 3 4"];

/// Colour and dash pattern of the n-th line of a figure. The patterns move on by one when they begin
/// anew, so that the two blues of the palette do not share one.
pub(crate) fn line_style(n: usize) -> (Color, &'static str) {
    (PALETTE[n % PALETTE.len()], DASHES[(n + n / DASHES.len()) % DASHES.len()])
}

/// Black or white, whichever contrasts more with the ground (WCAG 2 relative luminance).
pub(crate) fn ink_on(ground: Color) -> Color {
    let luminance = luminance(ground);
    let on_white = 1.05 / (luminance + 0.05);
    let on_black = (luminance + 0.05) / 0.05;
    if on_black >= on_white { BLACK } else { WHITE }
}

fn luminance(color: Color) -> f64 {
    let linear = |byte: u8| {
        let c = f64::from(byte) / 255.0;
        if c <= 0.03928 { c / 12.92 } else { libm::pow((c + 0.055) / 1.055, 2.4) }
    };
    0.2126 * linear(color.0) + 0.7152 * linear(color.1) + 0.0722 * linear(color.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_grows_lighter_and_stops_at_its_ends() {
        let lightness: Vec<f64> =
            (0..=20).map(|i| luminance(sequential(f64::from(i) / 20.0))).collect();
        assert!(lightness.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(sequential(-3.0), VIRIDIS[0]);
        assert_eq!(sequential(7.0), VIRIDIS[10]);
    }

    /// What two colours of one hue have in common: which of their parts are largest and smallest.
    fn hue(Color(r, g, b): Color) -> (bool, bool, bool) {
        (r > g, g > b, r > b)
    }

    #[test]
    fn lines_of_one_hue_have_other_dashes() {
        for n in 0..PALETTE.len() {
            for other in n + 1..PALETTE.len() {
                let ((a, one), (b, two)) = (line_style(n), line_style(other));
                assert!(hue(a) != hue(b) || one != two, "{n} and {other}: {a} and {b}");
            }
        }
    }

    #[test]
    fn ink_contrasts_with_every_colour_of_the_map() {
        for i in 0..=100 {
            let ground = sequential(f64::from(i) / 100.0);
            let (a, b) = (luminance(ground), luminance(ink_on(ground)));
            assert!((a.max(b) + 0.05) / (a.min(b) + 0.05) >= 4.5, "{ground}");
        }
    }
}
