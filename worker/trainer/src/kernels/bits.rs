//! Squares of bits, turned.

/// Bit c of word r becomes bit r of word c, of 64 each: halves are exchanged, then quarters, down to
/// single bits.
#[inline(always)]
pub(crate) fn transpose_bits(from: &[u64], square: &mut [u64]) {
    square.copy_from_slice(from);
    for (level, low) in (0..).zip(LOW_BITS) {
        let width = WORD >> (level + 1);
        for first in (0..WORD).step_by(2 * width) {
            for row in first..first + width {
                let differing = ((square[row] >> width) ^ square[row + width]) & low;
                square[row] ^= differing << width;
                square[row + width] ^= differing;
            }
        }
    }
}

/// The lower half of each 64 bits, of each 32, down to each 2.
pub(crate) const LOW_BITS: [u64; 6] = [
    0x0000_0000_ffff_ffff,
    0x0000_ffff_0000_ffff,
    0x00ff_00ff_00ff_00ff,
    0x0f0f_0f0f_0f0f_0f0f,
    0x3333_3333_3333_3333,
    0x5555_5555_5555_5555,
];

pub(crate) const WORD: usize = u64::BITS as usize;
