//! A fixed number of f32 that begins at a cache line.

use std::ops::{Deref, DerefMut};

const LINE: usize = 16;

#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

/// Starts as zeros; its length is rounded up to a multiple of 16.
#[derive(Clone, Debug, Default)]
pub(crate) struct Floats(Vec<Line>);

impl Floats {
    pub(crate) fn zeros(n: usize) -> Self {
        Self(vec![Line([0.0; LINE]); n.div_ceil(LINE)])
    }
}

impl Deref for Floats {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: a Line is exactly 16 f32 without padding, and the vector's lines are contiguous.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len() * LINE) }
    }
}

impl DerefMut for Floats {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`, and the borrow is unique.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.0.len() * LINE) }
    }
}
