//! Lanes without intrinsics: an array of eight, which compilers turn into registers where they can.

use super::lanes::Lanes;
use crate::kernels::bytes::pixels::PixelLanes;
use crate::numerics::exp::ROUND;

const N: usize = 8;

#[derive(Clone, Copy)]
pub(super) struct Array([f32; N]);

/// Loops rather than closures, which would not inherit the enabled instruction set.
macro_rules! lanewise {
    ($i:ident => $value:expr) => {{
        let mut out = [0.0_f32; N];
        let mut $i = 0;
        while $i < N {
            out[$i] = $value;
            $i += 1;
        }
        Array(out)
    }};
}

impl Lanes for Array {
    const N: usize = N;
    const TILE_ROWS: usize = 4;
    const SPARSE_REGISTERS: usize = 8;
    type Sums = [f64; 16];

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Self([x; N])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller promises 8 readable f32.
        Self(unsafe { from.cast::<[f32; N]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller promises 8 writable f32.
        unsafe { to.cast::<[f32; N]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        lanewise!(i => self.0[i].mul_add(b.0[i], c.0[i]))
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        lanewise!(i => self.0[i] + b.0[i])
    }
    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        lanewise!(i => self.0[i] - b.0[i])
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        lanewise!(i => self.0[i] * b.0[i])
    }
    #[inline(always)]
    unsafe fn div(self, b: Self) -> Self {
        lanewise!(i => self.0[i] / b.0[i])
    }
    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        lanewise!(i => self.0[i].sqrt())
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        lanewise!(i => self.0[i].abs())
    }
    #[inline(always)]
    unsafe fn select_less(a: Self, b: Self, yes: Self, no: Self) -> Self {
        lanewise!(i => if a.0[i] < b.0[i] { yes.0[i] } else { no.0[i] })
    }
    #[inline(always)]
    unsafe fn powers_of_2(shifted: Self) -> (Self, Self) {
        let (mut first, mut second) = ([0.0; N], [0.0; N]);
        let mut i = 0;
        while i < N {
            let n = shifted.0[i].to_bits().wrapping_sub(ROUND.to_bits()) as i32;
            let half = n >> 1;
            first[i] = f32::from_bits((half.wrapping_add(127) as u32) << 23);
            second[i] = f32::from_bits((n.wrapping_sub(half).wrapping_add(127) as u32) << 23);
            i += 1;
        }
        (Self(first), Self(second))
    }

    #[inline(always)]
    unsafe fn nonzero_bits(self) -> u64 {
        let mut bits = 0;
        let mut i = 0;
        while i < N {
            bits |= u64::from(self.0[i] != 0.0) << i;
            i += 1;
        }
        bits
    }

    #[inline(always)]
    unsafe fn transpose_8x8(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        for row in 0..8 {
            for col in 0..8 {
                // SAFETY: the caller promises 8 x 8 elements at both.
                unsafe { *to.add(col * to_stride + row) = *from.add(row * from_stride + col) }
            }
        }
    }

    #[inline(always)]
    unsafe fn load_sums(from: *const f64) -> [f64; 16] {
        // SAFETY: the caller promises 16 readable f64.
        unsafe { from.cast::<[f64; 16]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store_sums(sums: [f64; 16], to: *mut f64) {
        // SAFETY: the caller promises 16 writable f64.
        unsafe { to.cast::<[f64; 16]>().write_unaligned(sums) }
    }
    #[inline(always)]
    unsafe fn add_to_sums(mut sums: [f64; 16], a: *const f32, b: *const f32) -> [f64; 16] {
        let mut i = 0;
        while i < 16 {
            // SAFETY: the caller promises 16 readable f32 each.
            let (a, b) = unsafe { (*a.add(i), *b.add(i)) };
            sums[i] += f64::from(a) * f64::from(b);
            i += 1;
        }
        sums
    }
}

impl PixelLanes for Array {
    type Sums = [u32; 16];
    const N: usize = 16;
    const OFFSET: u8 = 0;
    const TILE_ROWS: usize = 2;

    #[inline(always)]
    unsafe fn zero() -> [u32; 16] {
        [0; 16]
    }
    #[inline(always)]
    unsafe fn add_products(mut sums: [u32; 16], a: *const u8, b: *const u8) -> [u32; 16] {
        let mut i = 0;
        while i < 16 {
            // SAFETY: the caller promises 16 readable pixels each.
            let (a, b) = unsafe { (*a.add(i), *b.add(i)) };
            sums[i] = sums[i].wrapping_add(u32::from(a) * u32::from(b));
            i += 1;
        }
        sums
    }
    #[inline(always)]
    unsafe fn total(sums: [u32; 16]) -> u32 {
        let mut total = 0;
        let mut i = 0;
        while i < 16 {
            total = sums[i].wrapping_add(total);
            i += 1;
        }
        total
    }
}
