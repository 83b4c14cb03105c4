//! What a kernel needs of an instruction set: a register of f32 and a few operations on it. Every
//! kernel but that of pixels is written once over this trait.

use crate::kernels::bits::transpose_bits;
use crate::numerics::exp::{LARGEST, LN_2_HIGH, LN_2_LOW, LOG2_E, ROUND, SMALLEST, TERMS};

/// A register of `N` f32. Each operation rounds as IEEE 754 says, so lanes never show in results.
///
/// # Safety
/// All methods: the CPU has the instruction set, and they are inlined into a function that enables
/// it. Pointers are valid for what the method reads or writes; alignment is not needed.
pub(super) trait Lanes: Copy {
    const N: usize;
    /// Rows of a product's register tile; with two registers a row, they all fit.
    const TILE_ROWS: usize;
    /// Registers that the sparse kernels hold sums in.
    const SPARSE_REGISTERS: usize;
    /// Sixteen running f64 sums.
    type Sums: Copy;

    unsafe fn splat(x: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// self * b + c, rounded once.
    unsafe fn fma(self, b: Self, c: Self) -> Self;
    unsafe fn add(self, b: Self) -> Self;
    unsafe fn sub(self, b: Self) -> Self;
    unsafe fn mul(self, b: Self) -> Self;
    unsafe fn div(self, b: Self) -> Self;
    unsafe fn sqrt(self) -> Self;
    unsafe fn abs(self) -> Self;
    /// Lane by lane: a < b ? yes : no; a NaN gives no.
    unsafe fn select_less(a: Self, b: Self, yes: Self, no: Self) -> Self;
    /// For whole n in the low bits of n + `ROUND`: 2^(n >> 1) and 2^(n - (n >> 1)).
    unsafe fn powers_of_2(shifted: Self) -> (Self, Self);
    /// Bit i says that lane i is not zero, which a NaN is not either.
    unsafe fn nonzero_bits(self) -> u64;

    /// Bit c of word r becomes bit r of word c; both have 64 words.
    #[inline(always)]
    unsafe fn transpose_bits(from: &[u64], to: &mut [u64]) {
        transpose_bits(from, to);
    }

    /// Eight rows of eight f32 become columns; the strides go from row to row.
    unsafe fn transpose_8x8(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize);

    unsafe fn load_sums(from: *const f64) -> Self::Sums;
    unsafe fn store_sums(sums: Self::Sums, to: *mut f64);
    /// Adds `f64(a[i]) * f64(b[i])` (exact) to sum i, for 16 i.
    unsafe fn add_to_sums(sums: Self::Sums, a: *const f32, b: *const f32) -> Self::Sums;

    /// The twin of `exp32`, operation by operation.
    #[inline(always)]
    unsafe fn exp(self) -> Self {
        // SAFETY: as the caller promises for all methods.
        unsafe {
            let largest = Self::splat(LARGEST);
            let x = Self::select_less(largest, self, largest, self);
            let smallest = Self::splat(SMALLEST);
            let x = Self::select_less(x, smallest, smallest, x);
            let shifted = x.fma(Self::splat(LOG2_E), Self::splat(ROUND));
            let n = shifted.sub(Self::splat(ROUND));
            let r = n.fma(Self::splat(-LN_2_HIGH), x);
            let r = n.fma(Self::splat(-LN_2_LOW), r);
            let mut q = Self::splat(TERMS[0]);
            for term in &TERMS[1..] {
                q = q.fma(r, Self::splat(*term));
            }
            let one = Self::splat(1.0);
            let sum = one.add(r);
            let lost = r.sub(sum.sub(one));
            let p = sum.add(q.fma(r.mul(r), lost));
            let (first, second) = Self::powers_of_2(shifted);
            p.mul(first).mul(second)
        }
    }

    /// +0 if z < 0, else z.
    #[inline(always)]
    unsafe fn relu(self) -> Self {
        // SAFETY: as the caller promises for all methods.
        unsafe {
            let zero = Self::splat(0.0);
            Self::select_less(self, zero, zero, self)
        }
    }
}
