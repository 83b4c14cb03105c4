//! Lanes of AVX2 (8) and AVX-512 (16).

use std::arch::x86_64::*;

use super::lanes::Lanes;
use crate::kernels::bytes::x86_squares::{transpose_8x8, transpose_bits};
use crate::numerics::exp::ROUND;

#[derive(Clone, Copy)]
pub(super) struct Avx2(__m256);

#[derive(Clone, Copy)]
pub(super) struct Avx512(__m512);

// SAFETY of all blocks below: the trait's contract promises the instruction set and the pointers.

impl Lanes for Avx2 {
    const N: usize = 8;
    const TILE_ROWS: usize = 4;
    const SPARSE_REGISTERS: usize = 8;
    type Sums = [__m256d; 4];

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_set1_ps(x) })
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_loadu_ps(from) })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: see above.
        unsafe { _mm256_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_fmadd_ps(self.0, b.0, c.0) })
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_add_ps(self.0, b.0) })
    }
    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_sub_ps(self.0, b.0) })
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_mul_ps(self.0, b.0) })
    }
    #[inline(always)]
    unsafe fn div(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_div_ps(self.0, b.0) })
    }
    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_sqrt_ps(self.0) })
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_andnot_ps(_mm256_set1_ps(-0.0), self.0) })
    }
    #[inline(always)]
    unsafe fn select_less(a: Self, b: Self, yes: Self, no: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_blendv_ps(no.0, yes.0, _mm256_cmp_ps::<_CMP_LT_OQ>(a.0, b.0)) })
    }
    #[inline(always)]
    unsafe fn powers_of_2(shifted: Self) -> (Self, Self) {
        // SAFETY: see above.
        unsafe {
            let base = _mm256_set1_epi32(ROUND.to_bits() as i32);
            let n = _mm256_sub_epi32(_mm256_castps_si256(shifted.0), base);
            let half = _mm256_srai_epi32::<1>(n);
            let rest = _mm256_sub_epi32(n, half);
            let bias = _mm256_set1_epi32(127);
            let first = _mm256_slli_epi32::<23>(_mm256_add_epi32(half, bias));
            let second = _mm256_slli_epi32::<23>(_mm256_add_epi32(rest, bias));
            (Self(_mm256_castsi256_ps(first)), Self(_mm256_castsi256_ps(second)))
        }
    }

    #[inline(always)]
    unsafe fn nonzero_bits(self) -> u64 {
        // SAFETY: see above.
        unsafe {
            let differs = _mm256_cmp_ps::<_CMP_NEQ_UQ>(self.0, _mm256_setzero_ps());
            _mm256_movemask_ps(differs) as u64
        }
    }

    #[inline(always)]
    unsafe fn transpose_8x8(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        // SAFETY: see above.
        unsafe { transpose_8x8(from, from_stride, to, to_stride) }
    }

    #[inline(always)]
    unsafe fn load_sums(from: *const f64) -> [__m256d; 4] {
        // SAFETY: see above.
        unsafe {
            [
                _mm256_loadu_pd(from),
                _mm256_loadu_pd(from.add(4)),
                _mm256_loadu_pd(from.add(8)),
                _mm256_loadu_pd(from.add(12)),
            ]
        }
    }
    #[inline(always)]
    unsafe fn store_sums(sums: [__m256d; 4], to: *mut f64) {
        for (i, sum) in sums.into_iter().enumerate() {
            // SAFETY: see above.
            unsafe { _mm256_storeu_pd(to.add(4 * i), sum) }
        }
    }
    #[inline(always)]
    unsafe fn add_to_sums(mut sums: [__m256d; 4], a: *const f32, b: *const f32) -> [__m256d; 4] {
        for (i, sum) in sums.iter_mut().enumerate() {
            // SAFETY: see above.
            unsafe {
                let a = _mm256_cvtps_pd(_mm_loadu_ps(a.add(4 * i)));
                let b = _mm256_cvtps_pd(_mm_loadu_ps(b.add(4 * i)));
                *sum = _mm256_fmadd_pd(a, b, *sum);
            }
        }
        sums
    }
}

impl Lanes for Avx512 {
    const N: usize = 16;
    const TILE_ROWS: usize = 8;
    const SPARSE_REGISTERS: usize = 16;
    type Sums = [__m512d; 2];

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_set1_ps(x) })
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_loadu_ps(from) })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: see above.
        unsafe { _mm512_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_fmadd_ps(self.0, b.0, c.0) })
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_add_ps(self.0, b.0) })
    }
    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_sub_ps(self.0, b.0) })
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_mul_ps(self.0, b.0) })
    }
    #[inline(always)]
    unsafe fn div(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_div_ps(self.0, b.0) })
    }
    #[inline(always)]
    unsafe fn sqrt(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_sqrt_ps(self.0) })
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_abs_ps(self.0) })
    }
    #[inline(always)]
    unsafe fn select_less(a: Self, b: Self, yes: Self, no: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe {
            _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a.0, b.0), no.0, yes.0)
        })
    }
    #[inline(always)]
    unsafe fn powers_of_2(shifted: Self) -> (Self, Self) {
        // SAFETY: see above.
        unsafe {
            let base = _mm512_set1_epi32(ROUND.to_bits() as i32);
            let n = _mm512_sub_epi32(_mm512_castps_si512(shifted.0), base);
            let half = _mm512_srai_epi32::<1>(n);
            let rest = _mm512_sub_epi32(n, half);
            let bias = _mm512_set1_epi32(127);
            let first = _mm512_slli_epi32::<23>(_mm512_add_epi32(half, bias));
            let second = _mm512_slli_epi32::<23>(_mm512_add_epi32(rest, bias));
            (Self(_mm512_castsi512_ps(first)), Self(_mm512_castsi512_ps(second)))
        }
    }

    #[inline(always)]
    unsafe fn nonzero_bits(self) -> u64 {
        // SAFETY: see above.
        unsafe { _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(self.0, _mm512_setzero_ps()).into() }
    }

    #[inline(always)]
    unsafe fn transpose_bits(from: &[u64], to: &mut [u64]) {
        // SAFETY: see above, and both have 64 words.
        unsafe { transpose_bits(from, to) }
    }

    #[inline(always)]
    unsafe fn transpose_8x8(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        // SAFETY: see above.
        unsafe { transpose_8x8(from, from_stride, to, to_stride) }
    }

    #[inline(always)]
    unsafe fn load_sums(from: *const f64) -> [__m512d; 2] {
        // SAFETY: see above.
        unsafe { [_mm512_loadu_pd(from), _mm512_loadu_pd(from.add(8))] }
    }
    #[inline(always)]
    unsafe fn store_sums(sums: [__m512d; 2], to: *mut f64) {
        // SAFETY: see above.
        unsafe {
            _mm512_storeu_pd(to, sums[0]);
            _mm512_storeu_pd(to.add(8), sums[1]);
        }
    }
    #[inline(always)]
    unsafe fn add_to_sums(mut sums: [__m512d; 2], a: *const f32, b: *const f32) -> [__m512d; 2] {
        for (i, sum) in sums.iter_mut().enumerate() {
            // SAFETY: see above.
            unsafe {
                let a = _mm512_cvtps_pd(_mm256_loadu_ps(a.add(8 * i)));
                let b = _mm512_cvtps_pd(_mm256_loadu_ps(b.add(8 * i)));
                *sum = _mm512_fmadd_pd(a, b, *sum);
            }
        }
        sums
    }
}
