//! A loop that does nothing but multiply-adds: the most that an instruction set can reach.

use std::hint::black_box;

use super::lanes::Lanes;

/// More than units times their latency, and with two operands they fit sixteen registers.
const N_SUMS: usize = 12;

/// Does `n_rounds` of multiply-adds in registers and returns their number of operations.
///
/// # Safety
/// The caller enables the instruction set of `L`.
#[inline(always)]
pub(super) unsafe fn fma_loop<L: Lanes>(n_rounds: usize) -> usize {
    // SAFETY: nothing but registers is touched.
    unsafe {
        // Every sum goes to 2, far from slow subnormals.
        let (half, one) = (L::splat(black_box(0.5)), L::splat(black_box(1.0)));
        let mut sums = [one; N_SUMS];
        for _ in 0..n_rounds {
            for sum in &mut sums {
                *sum = sum.fma(half, one);
            }
        }
        black_box(sums);
    }
    2 * N_SUMS * L::N * n_rounds
}
