//! Products of pixels by AVX2, AVX-512 and its VNNI.

use std::arch::x86_64::*;

use super::pixels::PixelLanes;
use crate::kernels::x86::{Avx2, Avx512};

/// AVX-512 with VNNI, which multiplies unsigned bytes by signed ones.
pub(crate) struct Vnni;

// SAFETY of all blocks below: the trait's contract promises the instruction set and the pointers.

impl PixelLanes for Avx2 {
    type Sums = __m256i;
    const N: usize = 16;
    const OFFSET: u8 = 0;
    const TILE_ROWS: usize = 2;

    #[inline(always)]
    unsafe fn zero() -> __m256i {
        // SAFETY: see above.
        unsafe { _mm256_setzero_si256() }
    }
    #[inline(always)]
    unsafe fn add_products(sums: __m256i, a: *const u8, b: *const u8) -> __m256i {
        // SAFETY: see above.
        unsafe {
            let a = _mm256_cvtepu8_epi16(_mm_loadu_si128(a.cast()));
            let b = _mm256_cvtepu8_epi16(_mm_loadu_si128(b.cast()));
            _mm256_add_epi32(sums, _mm256_madd_epi16(a, b))
        }
    }
    #[inline(always)]
    unsafe fn total(sums: __m256i) -> u32 {
        // SAFETY: see above.
        unsafe {
            let four =
                _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256::<1>(sums));
            let two = _mm_add_epi32(four, _mm_shuffle_epi32::<0b01_00_11_10>(four));
            _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32::<0b10_11_00_01>(two))) as u32
        }
    }
}

impl PixelLanes for Avx512 {
    type Sums = __m512i;
    const N: usize = 32;
    const OFFSET: u8 = 0;
    const TILE_ROWS: usize = 4;

    #[inline(always)]
    unsafe fn zero() -> __m512i {
        // SAFETY: see above.
        unsafe { _mm512_setzero_si512() }
    }
    #[inline(always)]
    unsafe fn add_products(sums: __m512i, a: *const u8, b: *const u8) -> __m512i {
        // SAFETY: see above.
        unsafe {
            let a = _mm512_cvtepu8_epi16(_mm256_loadu_si256(a.cast()));
            let b = _mm512_cvtepu8_epi16(_mm256_loadu_si256(b.cast()));
            _mm512_add_epi32(sums, _mm512_madd_epi16(a, b))
        }
    }
    #[inline(always)]
    unsafe fn total(sums: __m512i) -> u32 {
        // SAFETY: see above.
        unsafe { _mm512_reduce_add_epi32(sums) as u32 }
    }
}

impl PixelLanes for Vnni {
    type Sums = __m512i;
    const N: usize = 64;
    const OFFSET: u8 = 128;
    const TILE_ROWS: usize = 4;

    #[inline(always)]
    unsafe fn zero() -> __m512i {
        // SAFETY: see above.
        unsafe { _mm512_setzero_si512() }
    }
    #[inline(always)]
    unsafe fn add_products(sums: __m512i, a: *const u8, b: *const u8) -> __m512i {
        // SAFETY: see above.
        unsafe {
            let (a, b) = (_mm512_loadu_si512(a.cast()), _mm512_loadu_si512(b.cast()));
            // With its highest bit turned, a byte less 128 is the signed byte.
            let signed = _mm512_xor_si512(b, _mm512_set1_epi8(i8::MIN));
            _mm512_dpbusd_epi32(sums, a, signed)
        }
    }
    #[inline(always)]
    unsafe fn total(sums: __m512i) -> u32 {
        // SAFETY: see above.
        unsafe { _mm512_reduce_add_epi32(sums) as u32 }
    }
}
