//! The fast kernels: each is written once over `Lanes` (that of pixels over `PixelLanes`), compiled
//! once per instruction set, and reached through a table of functions that is chosen once. The one
//! module with `unsafe`.
#![allow(unsafe_code)]

pub mod bits;
mod buffer;
mod bytes;
mod dense;
mod lanes;
mod pages;
mod peak;
mod portable;
mod prefetch;
pub mod rows;
mod sparse;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use buffer::Floats;
pub(crate) use bytes::pixels::{PixelBlock, PixelGram};
pub(crate) use dense::elementwise::{Axpy, Mask};
pub(crate) use dense::product::{Finish, Product, Start};
pub(crate) use dense::reduce::ColumnSums;
pub(crate) use dense::rounding::assert_default_rounding;
pub(crate) use dense::transpose::Transpose;
pub(crate) use dense::update::{CompiledRule, Elements, N_SCALARS, Rule, Update};
pub(crate) use pages::vec_in_huge_pages;
pub(crate) use prefetch::prefetch;
pub(crate) use sparse::active::{Active, FindActive};
pub(crate) use sparse::compressed::{CompressedRows, SampleRows};
pub(crate) use sparse::sparse_forward::{ActiveRows, Source, SparseForward};
pub(crate) use sparse::sparse_gradient::{ByInput, SparseGradient};

use crate::isa::Isa;
use dense::update::RuleForms;

/// The kernels of one instruction set. Each method checks its slices first.
#[derive(Debug)]
pub(crate) struct Kernels {
    product: unsafe fn(&mut Product<'_>),
    sparse_forward: unsafe fn(&mut SparseForward<'_>),
    sparse_gradient: unsafe fn(&mut SparseGradient<'_>),
    find_active: unsafe fn(&mut FindActive<'_>),
    turn: unsafe fn(&mut Active),
    update: fn(&CompiledRule) -> unsafe fn(&mut Elements<'_>),
    axpy: unsafe fn(&mut Axpy<'_>),
    mask: unsafe fn(&mut Mask<'_>),
    transpose: unsafe fn(&mut Transpose<'_>),
    relu: unsafe fn(&mut [f32]),
    exp_below: unsafe fn(&mut [f32], f32),
    column_sums: unsafe fn(&mut ColumnSums<'_>),
    pixel_gram: unsafe fn(&mut PixelGram<'_>),
    fma_loop: unsafe fn(usize) -> usize,
}

/// Compiles every kernel for one kind of lanes, with its instruction set enabled.
macro_rules! compile_kernels {
    ($name:ident, $lanes:ty, $($features:meta),*) => {
        mod $name {
            use super::*;

            $(#[$features])*
            unsafe fn product(p: &mut Product<'_>) {
                // SAFETY: the caller checked the slices and has the instruction set.
                unsafe { super::dense::product::product::<$lanes>(p) }
            }
            $(#[$features])*
            unsafe fn sparse_forward(p: &mut SparseForward<'_>) {
                // SAFETY: the caller checked the slices and has the instruction set.
                unsafe { super::sparse::sparse_forward::forward::<$lanes>(p) }
            }
            $(#[$features])*
            unsafe fn sparse_gradient(p: &mut SparseGradient<'_>) {
                // SAFETY: the caller checked the slices and has the instruction set.
                unsafe { super::sparse::sparse_gradient::gradient::<$lanes>(p) }
            }
            $(#[$features])*
            unsafe fn find_active(p: &mut FindActive<'_>) {
                // SAFETY: the caller checked the slices and has the instruction set.
                unsafe { sparse::active::find::<$lanes>(p) }
            }
            $(#[$features])*
            unsafe fn turn(active: &mut Active) {
                // SAFETY: the caller has the instruction set.
                unsafe { sparse::active::turn::<$lanes>(active) }
            }
            $(#[$features])*
            pub(super) unsafe fn update<R: Rule>(p: &mut Elements<'_>) {
                // SAFETY: the caller checked the slices and has the instruction set.
                unsafe { dense::update::update::<$lanes, R>(p) }
            }
            $(#[$features])*
            unsafe fn axpy(p: &mut Axpy<'_>) {
                // SAFETY: the caller checked the slices and has the instruction set.
                unsafe { dense::elementwise::axpy::<$lanes>(p) }
            }
            $(#[$features])*
            unsafe fn mask(p: &mut Mask<'_>) {
                // SAFETY: the caller checked the slices and has the instruction set.
                unsafe { dense::elementwise::mask::<$lanes>(p) }
            }
            $(#[$features])*
            unsafe fn transpose(p: &mut Transpose<'_>) {
                // SAFETY: the caller checked the slices and has the instruction set.
                unsafe { super::dense::transpose::transpose::<$lanes>(p) }
            }
            $(#[$features])*
            unsafe fn relu(values: &mut [f32]) {
                // SAFETY: the caller checked the slices and has the instruction set.
                unsafe { dense::elementwise::relu::<$lanes>(values) }
            }
            $(#[$features])*
            unsafe fn exp_below(values: &mut [f32], max: f32) {
                // SAFETY: the caller checked the slices and has the instruction set.
                unsafe { dense::elementwise::exp_below::<$lanes>(values, max) }
            }
            $(#[$features])*
            unsafe fn column_sums(p: &mut ColumnSums<'_>) {
                // SAFETY: the caller checked the slices and has the instruction set.
                unsafe { dense::reduce::column_sums::<$lanes>(p) }
            }
            $(#[$features])*
            unsafe fn pixel_gram(p: &mut PixelGram<'_>) {
                // SAFETY: the caller checked the slices and has the instruction set.
                unsafe { bytes::pixels::pixel_gram::<$lanes>(p) }
            }

            $(#[$features])*
            unsafe fn fma_loop(n_rounds: usize) -> usize {
                // SAFETY: the caller has the instruction set.
                unsafe { peak::fma_loop::<$lanes>(n_rounds) }
            }

            pub(super) const KERNELS: Kernels = Kernels {
                product,
                sparse_forward,
                sparse_gradient,
                find_active,
                turn,
                update: |rule| rule.forms().$name,
                axpy,
                mask,
                transpose,
                relu,
                exp_below,
                column_sums,
                pixel_gram,
                fma_loop,
            };
        }
    };
}

// The baseline of x86-64 has no FMA, and `mul_add` would be a library call.
compile_kernels!(
    for_portable,
    portable::Array,
    cfg_attr(target_arch = "x86_64", target_feature(enable = "fma"))
);
#[cfg(target_arch = "x86_64")]
compile_kernels!(for_avx2, x86::Avx2, target_feature(enable = "avx2,bmi1,fma"));
#[cfg(target_arch = "x86_64")]
compile_kernels!(
    for_avx512,
    x86::Avx512,
    target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi1,fma")
);

/// The kernels of CPUs with AVX-512 that have VNNI, too; their entries are the same.
#[cfg(target_arch = "x86_64")]
const WITH_VNNI: Kernels = Kernels { pixel_gram: vnni_pixel_gram, ..for_avx512::KERNELS };

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn vnni_pixel_gram(p: &mut PixelGram<'_>) {
    // SAFETY: the caller checked the slices and has the instruction set.
    unsafe { bytes::pixels::pixel_gram::<bytes::x86_pixels::Vnni>(p) }
}

impl CompiledRule {
    pub(crate) const fn of<R: Rule>() -> Self {
        let forms = RuleForms {
            n_states: R::N_STATES,
            is_descent: R::IS_DESCENT,
            plain: R::apply::<f32>,
            for_portable: for_portable::update::<R>,
            #[cfg(target_arch = "x86_64")]
            for_avx2: for_avx2::update::<R>,
            #[cfg(target_arch = "x86_64")]
            for_avx512: for_avx512::update::<R>,
        };
        // SAFETY: all are of R.
        unsafe { Self::new(forms) }
    }
}

impl Kernels {
    /// Panics if this CPU lacks the instruction set; `Isa::choose` gives none that it lacks.
    pub(crate) fn of(isa: Isa) -> &'static Self {
        assert!(Isa::available().contains(&isa), "this CPU has no {}", isa.name());
        match isa {
            Isa::Portable => &for_portable::KERNELS,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => &for_avx2::KERNELS,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 if std::arch::is_x86_feature_detected!("avx512vnni") => &WITH_VNNI,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => &for_avx512::KERNELS,
            #[cfg(not(target_arch = "x86_64"))]
            _ => unreachable!("only x86-64 has them"),
        }
    }

    pub(crate) fn product(&self, mut p: Product<'_>) {
        p.check();
        // SAFETY: checked; a table exists only on a CPU with its instruction set (`of`).
        unsafe { (self.product)(&mut p) }
    }

    pub(crate) fn sparse_forward(&self, mut p: SparseForward<'_>) {
        p.check();
        // SAFETY: as in `product`.
        unsafe { (self.sparse_forward)(&mut p) }
    }

    pub(crate) fn sparse_gradient(&self, mut p: SparseGradient<'_>) {
        p.check();
        // SAFETY: as in `product`.
        unsafe { (self.sparse_gradient)(&mut p) }
    }

    pub(crate) fn find_active(&self, mut p: FindActive<'_>) {
        p.check();
        // SAFETY: as in `product`.
        unsafe { (self.find_active)(&mut p) }
    }

    /// Fills the bits by column from those by row.
    pub(crate) fn turn(&self, active: &mut Active) {
        // SAFETY: as in `product`.
        unsafe { (self.turn)(active) }
    }

    pub(crate) fn update(&self, mut p: Elements<'_>) {
        p.check();
        // SAFETY: as in `product`.
        unsafe { (self.update)(p.update.rule)(&mut p) }
    }

    pub(crate) fn axpy(&self, mut p: Axpy<'_>) {
        p.check();
        // SAFETY: as in `product`.
        unsafe { (self.axpy)(&mut p) }
    }

    pub(crate) fn mask(&self, mut p: Mask<'_>) {
        p.check();
        // SAFETY: as in `product`.
        unsafe { (self.mask)(&mut p) }
    }

    pub(crate) fn transpose(&self, mut p: Transpose<'_>) {
        p.check();
        // SAFETY: as in `product`.
        unsafe { (self.transpose)(&mut p) }
    }

    pub(crate) fn relu(&self, values: &mut [f32]) {
        assert!(values.len().is_multiple_of(16));
        // SAFETY: as in `product`.
        unsafe { (self.relu)(values) }
    }

    /// x = exp(x - max) for each.
    pub(crate) fn exp_below(&self, values: &mut [f32], max: f32) {
        assert!(values.len().is_multiple_of(16));
        // SAFETY: as in `product`.
        unsafe { (self.exp_below)(values, max) }
    }

    pub(crate) fn column_sums(&self, mut p: ColumnSums<'_>) {
        p.check();
        // SAFETY: as in `product`.
        unsafe { (self.column_sums)(&mut p) }
    }

    pub(crate) fn pixel_gram(&self, mut p: PixelGram<'_>) {
        p.check();
        // SAFETY: as in `product`.
        unsafe { (self.pixel_gram)(&mut p) }
    }

    /// Multiply-adds without memory; returns the number of operations.
    pub(crate) fn fma_loop(&self, n_rounds: usize) -> usize {
        // SAFETY: as in `product`.
        unsafe { (self.fma_loop)(n_rounds) }
    }
}
