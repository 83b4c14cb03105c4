//! Squares that become their transposes in registers: of elements by AVX, of bits by AVX-512.

use std::arch::x86_64::*;

use crate::kernels::bits::LOW_BITS;

/// In three rounds of exchanges: elements, pairs, halves.
///
/// # Safety
/// AVX is present, and 8 x 8 elements are valid at both pointers.
#[inline(always)]
pub(crate) unsafe fn transpose_8x8(
    from: *const f32,
    from_stride: usize,
    to: *mut f32,
    to_stride: usize,
) {
    // SAFETY: as the caller promises.
    unsafe {
        let mut rows = [_mm256_setzero_ps(); 8];
        for (i, row) in rows.iter_mut().enumerate() {
            *row = _mm256_loadu_ps(from.add(i * from_stride));
        }
        let mut pairs = rows;
        for i in 0..4 {
            pairs[2 * i] = _mm256_unpacklo_ps(rows[2 * i], rows[2 * i + 1]);
            pairs[2 * i + 1] = _mm256_unpackhi_ps(rows[2 * i], rows[2 * i + 1]);
        }
        let mut fours = rows;
        for i in 0..2 {
            for j in 0..2 {
                let (low, high) = (pairs[4 * i + j], pairs[4 * i + j + 2]);
                fours[4 * i + 2 * j] = _mm256_shuffle_ps::<0b01_00_01_00>(low, high);
                fours[4 * i + 2 * j + 1] = _mm256_shuffle_ps::<0b11_10_11_10>(low, high);
            }
        }
        for i in 0..4 {
            let first = _mm256_permute2f128_ps::<0x20>(fours[i], fours[i + 4]);
            let second = _mm256_permute2f128_ps::<0x31>(fours[i], fours[i + 4]);
            _mm256_storeu_ps(to.add(i * to_stride), first);
            _mm256_storeu_ps(to.add((i + 4) * to_stride), second);
        }
    }
}

/// Bit c of word r becomes bit r of word c: halves are exchanged, then quarters, down to single
/// bits.
///
/// # Safety
/// AVX-512 is present.
#[inline(always)]
pub(crate) unsafe fn transpose_bits(from: &[u64], to: &mut [u64]) {
    assert!(from.len() == 64 && to.len() == 64);
    // SAFETY: as the caller promises; eight registers are the whole square.
    unsafe {
        let mut rows = [_mm512_setzero_si512(); 8];
        for (i, row) in rows.iter_mut().enumerate() {
            *row = _mm512_loadu_si512(from.as_ptr().add(8 * i).cast());
        }
        exchange_registers::<4, 32>(&mut rows, LOW_BITS[0]);
        exchange_registers::<2, 16>(&mut rows, LOW_BITS[1]);
        exchange_registers::<1, 8>(&mut rows, LOW_BITS[2]);
        for row in &mut rows {
            let turned = _mm512_shuffle_i64x2::<0b01_00_11_10>(*row, *row);
            *row = exchange_lanes::<4>(*row, turned, 0b1111_0000, LOW_BITS[3]);
            let turned = _mm512_permutex_epi64::<0b01_00_11_10>(*row);
            *row = exchange_lanes::<2>(*row, turned, 0b1100_1100, LOW_BITS[4]);
            let turned = _mm512_permutex_epi64::<0b10_11_00_01>(*row);
            *row = exchange_lanes::<1>(*row, turned, 0b1010_1010, LOW_BITS[5]);
        }
        for (i, row) in rows.into_iter().enumerate() {
            _mm512_storeu_si512(to.as_mut_ptr().add(8 * i).cast(), row);
        }
    }
}

/// The upper bits of each register change places with the lower ones of the register D further on.
///
/// # Safety
/// AVX-512 is present.
#[inline(always)]
unsafe fn exchange_registers<const D: usize, const WIDTH: u32>(rows: &mut [__m512i; 8], low: u64) {
    // A loop without closures, which would not inherit the enabled instruction set.
    for first in 0..8 {
        if first & D != 0 {
            continue;
        }
        // SAFETY: as the caller promises.
        unsafe {
            let (upper, lower) = (rows[first], rows[first + D]);
            let low = _mm512_set1_epi64(low as i64);
            let differing = _mm512_xor_si512(_mm512_srli_epi64::<WIDTH>(upper), lower);
            let differing = _mm512_and_si512(differing, low);
            rows[first] = _mm512_xor_si512(upper, _mm512_slli_epi64::<WIDTH>(differing));
            rows[first + D] = _mm512_xor_si512(lower, differing);
        }
    }
}

/// The same within a register, `turned` being its lanes in the other's places and `later` the lanes
/// of which the lower bits go.
///
/// # Safety
/// AVX-512 is present.
#[inline(always)]
unsafe fn exchange_lanes<const WIDTH: u32>(
    row: __m512i,
    turned: __m512i,
    later: __mmask8,
    low: u64,
) -> __m512i {
    // SAFETY: as the caller promises.
    unsafe {
        let low = _mm512_set1_epi64(low as i64);
        let up = _mm512_slli_epi64::<WIDTH>(turned);
        let down = _mm512_srli_epi64::<WIDTH>(turned);
        // low ? row : up, and in the later lanes low ? down : row.
        let first = _mm512_ternarylogic_epi64::<0xca>(low, row, up);
        let second = _mm512_ternarylogic_epi64::<0xca>(low, down, row);
        _mm512_mask_blend_epi64(later, first, second)
    }
}
