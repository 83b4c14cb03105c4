//! The PNG twin of an SVG, with the font that we ship and no other.

use std::sync::{Arc, OnceLock};

use resvg::{tiny_skia, usvg};

use super::Figure;
use crate::ReportError;

/// DejaVu Sans; its licence lies beside it.
const FONT: &[u8] = include_bytes!("../../fonts/DejaVuSans.ttf");

/// Pixels per SVG unit: sharp on dense screens.
const ZOOM: f32 = 2.0;

pub(crate) fn png(figure: &Figure) -> Result<Vec<u8>, ReportError> {
    let fail = |cause: String| ReportError::Png { figure: figure.name.clone(), cause };
    let options = usvg::Options {
        font_family: "DejaVu Sans".to_string(),
        fontdb: fonts(),
        ..usvg::Options::default()
    };
    let tree =
        usvg::Tree::from_str(&figure.svg, &options).map_err(|error| fail(error.to_string()))?;
    let size = tree
        .size()
        .to_int_size()
        .scale_by(ZOOM)
        .ok_or_else(|| fail("it has no size".to_string()))?;
    let mut pixmap = tiny_skia::Pixmap::new(size.width(), size.height())
        .ok_or_else(|| fail(format!("{} x {} pixels are too many", size.width(), size.height())))?;
    resvg::render(&tree, tiny_skia::Transform::from_scale(ZOOM, ZOOM), &mut pixmap.as_mut());
    pixmap.encode_png().map_err(|error| fail(error.to_string()))
}

/// Whether two PNGs show the same: of one size, and no pixel further off than another processor's
/// arithmetic may put it.
pub fn is_same_picture(a: &[u8], b: &[u8]) -> bool {
    const MAX_OFF: u8 = 3;
    let [Ok(a), Ok(b)] = [a, b].map(tiny_skia::Pixmap::decode_png) else { return false };
    let is_near = |(a, b): (&u8, &u8)| a.abs_diff(*b) <= MAX_OFF;
    (a.width(), a.height()) == (b.width(), b.height()) && a.data().iter().zip(b.data()).all(is_near)
}

fn fonts() -> Arc<usvg::fontdb::Database> {
    static FONTS: OnceLock<Arc<usvg::fontdb::Database>> = OnceLock::new();
    let load = || {
        let mut database = usvg::fontdb::Database::new();
        database.load_font_data(FONT.to_vec());
        Arc::new(database)
    };
    FONTS.get_or_init(load).clone()
}
