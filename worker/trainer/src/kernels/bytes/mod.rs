//! Kernels on the bytes of images.

pub mod pixels;
#[cfg(target_arch = "x86_64")]
pub mod x86_pixels;
#[cfg(target_arch = "x86_64")]
pub mod x86_squares;
