//! IDX files: two zero bytes, the element type (8 = u8, 9 = i8, 11 = i16, 12 = i32, 13 = f32,
//! 14 = f64), the rank, the dimensions as big-endian u32, then the elements, big-endian. Pixels of
//! any type are read if they are bytes in another dress: whole numbers from 0 to 255, or for floats
//! 255ths from 0 to 1. Labels of any type are read if they are whole numbers from 0 on.

use crate::data::samples::{DataError, MAX_CLASSES, Samples};

const RANK_MAX: u8 = 4;

/// Columns of QMNIST's label files, whose first one is the class.
const QMNIST_COLUMNS: u32 = 8;

/// No pixel is as small as this and not 0: with its bytes in the wrong order, many a float is.
const NEXT_TO_NOTHING: f64 = 1e-20;

/// One image and one label file that belong together; the dimensions are those of one image.
pub(super) fn samples(
    (images_name, images): (&'static str, &[u8]),
    (labels_name, labels): (&'static str, &[u8]),
) -> Result<(Vec<u32>, Samples), DataError> {
    let (image_dims, pixels, image_type) = parse(images_name, images)?;
    let (label_dims, labels, label_type) = parse(labels_name, labels)?;
    let at = |file, problem| Err(DataError::File { file, problem });
    let [n_images, dims @ ..] = &image_dims[..] else { unreachable!("a rank is at least 1") };
    if dims.is_empty() {
        return at(images_name, "expected rank 2 to 4, got 1 (a label file?)".into());
    }
    let (n_labels, n_columns) = match label_dims[..] {
        [n] => (n, 1),
        [n, 1] => (n, 1),
        [n, QMNIST_COLUMNS] if label_type.is_whole() => (n, QMNIST_COLUMNS),
        [_, columns] => {
            let problem = format!(
                "expected one label a row, or {QMNIST_COLUMNS} columns of whole numbers as in QMNIST, got {columns} columns of {}",
                label_type.name()
            );
            return Err(DataError::Labels { file: labels_name, problem });
        }
        _ => {
            return at(labels_name, format!("expected rank 1, got {} (images?)", label_dims.len()));
        }
    };
    if *n_images != n_labels {
        let problem = format!("expected {n_images} labels as in {images_name}, got {n_labels}");
        return at(labels_name, problem);
    }
    let inputs = image_type.pixels(pixels).map_err(|problem| {
        image_type
            .blame(images_name, pixels, |swapped| image_type.pixels(swapped).is_ok())
            .unwrap_or(DataError::Pixels { file: images_name, problem })
    })?;
    let n_columns = n_columns as usize;
    let labels = label_type.labels(labels, n_columns).map_err(|(row, label)| {
        let is_read = |swapped: &[u8]| label_type.labels(swapped, n_columns).is_ok();
        label_type.blame(labels_name, labels, is_read).unwrap_or_else(|| {
            let (label, largest) = (label_type.shown(label), MAX_CLASSES - 1);
            let problem = format!(
                "expected whole numbers from 0 to {largest} as labels, got {label} in row {row}"
            );
            DataError::Labels { file: labels_name, problem }
        })
    })?;
    Ok((dims.to_vec(), Samples { inputs, labels }))
}

/// The type of the elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    U8,
    I8,
    I16,
    I32,
    F32,
    F64,
}

impl Type {
    fn of(code: u8) -> Option<Self> {
        Some(match code {
            8 => Self::U8,
            9 => Self::I8,
            11 => Self::I16,
            12 => Self::I32,
            13 => Self::F32,
            14 => Self::F64,
            _ => return None,
        })
    }

    fn n_bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16 => 2,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::I32 => "i32",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }

    fn is_whole(self) -> bool {
        !matches!(self, Self::F32 | Self::F64)
    }

    /// One element, exactly.
    fn value(self, bytes: &[u8]) -> f64 {
        let b = |i: usize| bytes[i];
        match self {
            Self::U8 => b(0).into(),
            Self::I8 => i8::from_be_bytes([b(0)]).into(),
            Self::I16 => i16::from_be_bytes([b(0), b(1)]).into(),
            Self::I32 => i32::from_be_bytes([b(0), b(1), b(2), b(3)]).into(),
            Self::F32 => f32::from_be_bytes([b(0), b(1), b(2), b(3)]).into(),
            Self::F64 => f64::from_be_bytes(std::array::from_fn(b)),
        }
    }

    /// The elements as the bytes that they stand for, or why they stand for none.
    fn pixels(self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        if self == Self::U8 {
            return Ok(bytes.to_vec());
        }
        let values = || self.values(bytes);
        let low = values().fold(f64::INFINITY, |low, x| if x < low { x } else { low });
        let high = values().fold(f64::NEG_INFINITY, |high, x| if x > high { x } else { high });
        let unit = if self.is_whole() || high > 1.0 { 1.0 } else { 255.0 };
        let pixel = |x: f64| {
            let byte = (unit * x).round();
            let is_byte = (0.0..=255.0).contains(&byte) && (x == 0.0 || x.abs() > NEXT_TO_NOTHING);
            // 255ths in f32 are off by at most 1e-5.
            (is_byte && (unit * x - byte).abs() <= (unit - 1.0) * 1e-6).then_some(byte as u8)
        };
        values().map(pixel).collect::<Option<Vec<u8>>>().ok_or_else(|| {
            let [low, high] = [low, high].map(|x| self.shown(x));
            format!(
                "its pixels, from {low} to {high}, are not bytes: expected whole numbers from 0 to 255, or floats k/255 from 0 to 1"
            )
        })
    }

    fn values(self, bytes: &[u8]) -> impl Iterator<Item = f64> {
        bytes.chunks_exact(self.n_bytes()).map(move |element| self.value(element))
    }

    /// What is wrong with elements that cannot be used, if it is not their range: their bytes are in the
    /// wrong order, or some are no numbers at all.
    fn blame(
        self,
        file: &'static str,
        bytes: &[u8],
        is_read: impl Fn(&[u8]) -> bool,
    ) -> Option<DataError> {
        let mut swapped = bytes.to_vec();
        swapped.chunks_exact_mut(self.n_bytes()).for_each(<[u8]>::reverse);
        if is_read(&swapped) {
            return Some(DataError::ByteOrder { file, kind: self.name() });
        }
        let odd = self.values(bytes).enumerate().find(|(_, x)| !x.is_finite());
        odd.map(|(at, x)| DataError::NotFinite { file, at, value: x.to_string() })
    }

    /// As a person would write it.
    fn shown(self, x: f64) -> String {
        if self == Self::F32 { (x as f32).to_string() } else { x.to_string() }
    }

    /// The first column as labels, or the first value that is not a label, with its row.
    fn labels(self, bytes: &[u8], n_columns: usize) -> Result<Vec<u16>, (usize, f64)> {
        let rows = bytes.chunks_exact(self.n_bytes() * n_columns);
        let label = |(row, element)| {
            let value = self.value(element);
            let is_label = (0.0..MAX_CLASSES as f64).contains(&value) && value.fract() == 0.0;
            if is_label { Ok(value as u16) } else { Err((row, value)) }
        };
        rows.enumerate().map(label).collect()
    }
}

/// What the header of an IDX file says, as far as its first bytes are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdxHeader {
    pub dims: Vec<u32>,
    /// Length of the whole file, the header included; `None` beyond u64.
    pub n_bytes: Option<u64>,
}

/// The longest header: magic and four dimensions.
pub const MAX_IDX_HEADER_BYTES: usize = 4 + 4 * RANK_MAX as usize;

/// Reads the header of an IDX file from its first `MAX_IDX_HEADER_BYTES` bytes, or all if it is
/// shorter.
pub fn idx_header(bytes: &[u8]) -> Result<IdxHeader, String> {
    header(bytes).map(|(header, ..)| header)
}

fn header(bytes: &[u8]) -> Result<(IdxHeader, Type, &[u8]), String> {
    let [0, 0, code, rank @ 1..=RANK_MAX, rest @ ..] = bytes else {
        let start = &bytes[..bytes.len().min(4)];
        return Err(format!(
            "expected an IDX file (it starts with 00 00, the type of its elements such as 08 for bytes, and the rank), got {start:02x?}"
        ));
    };
    let Some(element_type) = Type::of(*code) else {
        return Err(format!(
            "its elements have the type {code:02x}; expected 08 (u8), 09 (i8), 0b (i16), 0c (i32), 0d (f32) or 0e (f64)"
        ));
    };
    let n_dim_bytes = usize::from(*rank) * 4;
    let Some((dim_bytes, elements)) = rest.split_at_checked(n_dim_bytes) else {
        return Err(format!("ends within its header of {} bytes", 4 + n_dim_bytes));
    };
    let dims: Vec<u32> =
        dim_bytes.chunks_exact(4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]])).collect();
    let n_elements = dims.iter().try_fold(1_u64, |n, &dim| n.checked_mul(dim.into()));
    let n_bytes = n_elements
        .and_then(|n| n.checked_mul(element_type.n_bytes() as u64))
        .and_then(|n| n.checked_add(4 + n_dim_bytes as u64));
    Ok((IdxHeader { dims, n_bytes }, element_type, elements))
}

fn parse<'a>(file: &'static str, bytes: &'a [u8]) -> Result<(Vec<u32>, &'a [u8], Type), DataError> {
    let at = |problem| DataError::File { file, problem };
    let (IdxHeader { dims, n_bytes }, element_type, elements) = header(bytes).map_err(at)?;
    if n_bytes != Some(bytes.len() as u64) {
        return Err(at(format!(
            "expected {dims:?} elements of {} bytes after the header, got {} bytes",
            element_type.n_bytes(),
            elements.len()
        )));
    }
    Ok((dims, elements, element_type))
}
