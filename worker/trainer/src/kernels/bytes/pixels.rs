//! The Gram matrix of a batch of images, from sums of integer products, which are exact in any order.

use crate::data::samples::MAX_INPUTS;
use crate::reference::PIXEL_ONE;

/// What the pixels' kernel needs of an instruction set: a register of running sums modulo 2^32. They
/// may wrap on the way; with what an offset takes off added again they are exact, because the largest
/// images' products stay below 2^32.
///
/// # Safety
/// All methods: the CPU has the instruction set, and they are inlined into a function that enables
/// it. Pointers are valid for `N` pixels; alignment is not needed.
pub(crate) trait PixelLanes {
    type Sums: Copy;
    /// Pixels that one `add_products` covers; divides `PixelBlock::LEN`.
    const N: usize;
    /// Taken off each b, where an instruction wants one factor signed.
    const OFFSET: u8;
    /// Rows of a tile of sums that fits into the registers: 4, or else 2.
    const TILE_ROWS: usize;

    unsafe fn zero() -> Self::Sums;
    /// Adds `a[i] * (b[i] - OFFSET)`, for `N` i.
    unsafe fn add_products(sums: Self::Sums, a: *const u8, b: *const u8) -> Self::Sums;
    unsafe fn total(sums: Self::Sums) -> u32;
}

/// Part of an image's pixels, zeros where it has no more: a cache line.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct PixelBlock(pub [u8; Self::LEN]);

impl PixelBlock {
    pub const LEN: usize = 64;
    pub const ZEROS: Self = Self([0; Self::LEN]);

    /// Blocks of one image.
    pub fn n_of(n_inputs: usize) -> usize {
        n_inputs.div_ceil(Self::LEN)
    }
}

/// Inner products of pixels as shares of 255 and of the bias's one: sum(a\[k\] * b\[k\]) / 255^2 + 1.
#[derive(Debug)]
pub(crate) struct PixelGram<'a> {
    /// Image by image; whole tiles of images, of which the last may hold anything.
    pub pixels: &'a [PixelBlock],
    pub n_images: usize,
    /// Blocks of an image.
    pub n_blocks: usize,
    /// Entry (i, j) at `i * gram_stride + j`.
    pub gram: &'a mut [f32],
    pub gram_stride: usize,
}

/// Images whose products are summed side by side, so that a pixel is loaded once for several.
const TILE: usize = 4;

impl PixelGram<'_> {
    /// Panics if an index would leave its slice.
    pub(crate) fn check(&self) {
        // Then every entry, times 255^2, fits into u32.
        assert!(self.n_blocks <= MAX_INPUTS / PixelBlock::LEN);
        assert!(self.n_images.next_multiple_of(TILE) * self.n_blocks <= self.pixels.len());
        assert!(self.n_images <= self.gram_stride);
        assert!(self.n_images * self.gram_stride <= self.gram.len());
    }

    /// # Safety
    /// The image lies in `pixels`.
    #[inline(always)]
    unsafe fn image(&self, i: usize) -> *const u8 {
        // SAFETY: as the caller promises.
        unsafe { self.pixels.as_ptr().add(i * self.n_blocks).cast() }
    }
}

/// # Safety
/// `check` passed, and the caller enables the instruction set of `L`.
#[inline(always)]
pub(crate) unsafe fn pixel_gram<L: PixelLanes>(p: &mut PixelGram<'_>) {
    const {
        assert!(PixelBlock::LEN.is_multiple_of(L::N) && matches!(L::TILE_ROWS, 2 | 4));
    }
    // SAFETY: as the caller promises.
    unsafe { if L::TILE_ROWS == 4 { tiles::<L, 4>(p) } else { tiles::<L, 2>(p) } }
}

/// # Safety
/// As `pixel_gram`; `ROWS` divides `TILE`.
#[inline(always)]
unsafe fn tiles<L: PixelLanes, const ROWS: usize>(p: &mut PixelGram<'_>) {
    for row in (0..p.n_images).step_by(ROWS) {
        // SAFETY: tiles begin at multiples of their size, and whole tiles are there.
        let lacking = unsafe { lacking::<L, ROWS>(p, row) };
        // What is left of the diagonal is known from the other side.
        for col in (row / TILE * TILE..p.n_images).step_by(TILE) {
            // SAFETY: as above.
            let totals = unsafe { tile::<L, ROWS>(p, row, col) };
            for ((i, totals), lacking) in (row..p.n_images).zip(totals).zip(lacking) {
                for (j, total) in (col..p.n_images).zip(totals) {
                    let exact = total.wrapping_add(lacking);
                    let entry = (exact + PIXEL_ONE) as f32 * (1.0 / PIXEL_ONE as f32);
                    p.gram[i * p.gram_stride + j] = entry;
                    p.gram[j * p.gram_stride + i] = entry;
                }
            }
        }
    }
}

/// What the tile's sums lack: the offset times the sum of each row's pixels.
///
/// # Safety
/// As `pixel_gram`.
#[inline(always)]
unsafe fn lacking<L: PixelLanes, const ROWS: usize>(p: &PixelGram<'_>, row: usize) -> [u32; ROWS] {
    let mut lacking = [0; ROWS];
    if L::OFFSET == 0 {
        return lacking;
    }
    // Ones, when the offset is taken off.
    let ones = PixelBlock([L::OFFSET + 1; PixelBlock::LEN]);
    for (i, lacking) in lacking.iter_mut().enumerate() {
        // SAFETY: the image's blocks are there, as `check` found.
        unsafe {
            let mut sums = L::zero();
            let mut at = 0;
            while at < p.n_blocks * PixelBlock::LEN {
                sums = L::add_products(sums, p.image(row + i).add(at), ones.0.as_ptr());
                at += L::N;
            }
            *lacking = L::total(sums) * u32::from(L::OFFSET);
        }
    }
    lacking
}

/// Sums of a\[k\] * (b\[k\] - OFFSET).
///
/// # Safety
/// As `pixel_gram`.
#[inline(always)]
unsafe fn tile<L: PixelLanes, const ROWS: usize>(
    p: &PixelGram<'_>,
    row: usize,
    col: usize,
) -> [[u32; TILE]; ROWS] {
    // SAFETY: all images of the tile have `n_blocks` blocks, as `check` found.
    unsafe {
        let mut sums = [[L::zero(); TILE]; ROWS];
        let mut at = 0;
        while at < p.n_blocks * PixelBlock::LEN {
            for (i, sums) in sums.iter_mut().enumerate() {
                let a = p.image(row + i).add(at);
                for (j, sum) in sums.iter_mut().enumerate() {
                    *sum = L::add_products(*sum, a, p.image(col + j).add(at));
                }
            }
            at += L::N;
        }
        let mut totals = [[0; TILE]; ROWS];
        for (totals, sums) in totals.iter_mut().zip(sums) {
            for (total, sum) in totals.iter_mut().zip(sums) {
                *total = L::total(sum);
            }
        }
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;
    use crate::kernels::Kernels;

    /// Every table of this CPU, the one for AVX-512 that lacks VNNI among them.
    fn tables() -> Vec<&'static Kernels> {
        let tables = Isa::available().into_iter().map(Kernels::of);
        #[cfg(target_arch = "x86_64")]
        let tables = {
            let has_avx512 = Isa::available().contains(&Isa::Avx512);
            tables.chain(has_avx512.then_some(&crate::kernels::for_avx512::KERNELS))
        };
        tables.collect()
    }

    /// Checks each entry against its definition, and that nothing beside the entries is written.
    fn check(n_images: usize, n_inputs: usize, pixel: impl Fn(usize, usize) -> u8) {
        let n_blocks = PixelBlock::n_of(n_inputs);
        // What fills up the last tile may hold anything.
        let mut pixels = vec![PixelBlock([255; 64]); n_images.next_multiple_of(TILE) * n_blocks];
        pixels[..n_images * n_blocks].fill(PixelBlock::ZEROS);
        for i in 0..n_images {
            for k in 0..n_inputs {
                pixels[i * n_blocks + k / PixelBlock::LEN].0[k % PixelBlock::LEN] = pixel(i, k);
            }
        }
        let gram_stride = n_images + 3;
        for kernels in tables() {
            let mut gram = vec![-1.0; n_images * gram_stride];
            let (pixels, gram) = (&pixels[..], &mut gram[..]);
            kernels.pixel_gram(PixelGram { pixels, n_images, n_blocks, gram, gram_stride });
            for (i, row) in gram.chunks(gram_stride).enumerate() {
                for (j, &found) in row.iter().enumerate() {
                    let products =
                        (0..n_inputs).map(|k| u64::from(pixel(i, k)) * u64::from(pixel(j, k)));
                    let exact = products.sum::<u64>() + u64::from(PIXEL_ONE);
                    let expected = exact as f32 * (1.0 / PIXEL_ONE as f32);
                    assert_eq!(found, if j < n_images { expected } else { -1.0 }, "{i} {j}");
                }
            }
        }
    }

    #[test]
    fn entries_are_as_defined_at_every_shape() {
        let mixed = |i: usize, k: usize| ((i * 7919 + k * 104_729) % 1009) as u8;
        for n_images in [1, 2, 3, 4, 5, 7, 33] {
            for n_inputs in [1, 63, 64, 65, 784] {
                check(n_images, n_inputs, mixed);
            }
        }
    }

    #[test]
    fn sums_are_exact_up_to_the_largest_images_of_the_brightest_pixels() {
        // The first two sums lie on both sides of 2^31.
        for n_inputs in [33_024, 33_088, MAX_INPUTS] {
            check(5, n_inputs, |_, _| 255);
            check(5, n_inputs, |i, _| if i % 2 == 0 { 255 } else { 0 });
        }
    }
}
