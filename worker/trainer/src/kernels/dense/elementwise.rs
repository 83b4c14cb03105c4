//! Kernels that treat each element alone: steps along a line, ReLU, the exponential.

use crate::kernels::lanes::Lanes;

/// out = base - eta * slope.
#[derive(Debug)]
pub(crate) struct Axpy<'a> {
    pub base: &'a [f32],
    pub slope: &'a [f32],
    pub eta: f32,
    pub out: &'a mut [f32],
}

impl Axpy<'_> {
    /// Panics if an index would leave its slice.
    pub(crate) fn check(&self) {
        let n = self.out.len();
        assert!(n.is_multiple_of(16) && n <= self.base.len() && n <= self.slope.len());
    }
}

/// # Safety
/// `check` passed, and the caller enables the instruction set of `L`.
#[inline(always)]
pub(crate) unsafe fn axpy<L: Lanes>(p: &mut Axpy<'_>) {
    // SAFETY: indices stay below the length of `out`, which `check` compared with the slices.
    unsafe {
        let rate = L::splat(-p.eta);
        let mut i = 0;
        while i < p.out.len() {
            let moved = rate.fma(L::load(p.slope.as_ptr().add(i)), L::load(p.base.as_ptr().add(i)));
            moved.store(p.out.as_mut_ptr().add(i));
            i += L::N;
        }
    }
}

/// # Safety
/// The length is a multiple of 16, and the caller enables the instruction set of `L`.
#[inline(always)]
pub(crate) unsafe fn relu<L: Lanes>(values: &mut [f32]) {
    let mut i = 0;
    while i < values.len() {
        // SAFETY: i + N <= len.
        unsafe {
            let at = values.as_mut_ptr().add(i);
            L::load(at).relu().store(at);
        }
        i += L::N;
    }
}

/// x = exp(x - max) for each.
///
/// # Safety
/// The length is a multiple of 16, and the caller enables the instruction set of `L`.
#[inline(always)]
pub(crate) unsafe fn exp_below<L: Lanes>(values: &mut [f32], max: f32) {
    let mut i = 0;
    while i < values.len() {
        // SAFETY: i + N <= len.
        unsafe {
            let at = values.as_mut_ptr().add(i);
            L::load(at).sub(L::splat(max)).exp().store(at);
        }
        i += L::N;
    }
}

/// out = out * scale where the input is > 0, +0 elsewhere.
#[derive(Debug)]
pub(crate) struct Mask<'a> {
    pub inputs: &'a [f32],
    /// `None` multiplies by nothing.
    pub scale: Option<f32>,
    pub out: &'a mut [f32],
}

impl Mask<'_> {
    /// Panics if an index would leave its slice.
    pub(crate) fn check(&self) {
        assert!(self.out.len().is_multiple_of(16) && self.out.len() <= self.inputs.len());
    }
}

/// # Safety
/// `check` passed, and the caller enables the instruction set of `L`.
#[inline(always)]
pub(crate) unsafe fn mask<L: Lanes>(p: &mut Mask<'_>) {
    // SAFETY: indices stay below the length of `out`, which `check` compared with the inputs.
    unsafe {
        let zero = L::splat(0.0);
        let mut i = 0;
        while i < p.out.len() {
            let at = p.out.as_mut_ptr().add(i);
            let mut out = L::load(at);
            if let Some(scale) = p.scale {
                out = out.mul(L::splat(scale));
            }
            L::select_less(zero, L::load(p.inputs.as_ptr().add(i)), out, zero).store(at);
            i += L::N;
        }
    }
}
