//! The fast kernels; the one module with `unsafe`.
#![allow(unsafe_code)]

/// Panics if this thread's floating-point environment is not the default one: rounding to nearest,
/// subnormals kept. Every result depends on it.
pub(crate) fn assert_default_rounding() {
    #[cfg(target_arch = "x86_64")]
    {
        // The sticky exception flags (the low six bits) may be anything.
        const SETTINGS: u32 = !0x3f;
        let mut mxcsr = 0_u32;
        // SAFETY: it stores the register's four bytes to a live u32, and SSE is part of x86-64.
        unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &mut mxcsr, options(nostack)) };
        assert_eq!(
            mxcsr & SETTINGS,
            0x1f80,
            "MXCSR is not the default: something in this process changed it"
        );
    }
}
