//! The floating-point environment that every result depends on.

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
        assert_eq!(mxcsr & SETTINGS, 0x1f80, "something in this process changed MXCSR");
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    fn set_mxcsr(mxcsr: u32) {
        // SAFETY: it loads four bytes from a live u32; the values below set no reserved bit.
        unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &mxcsr, options(nostack)) };
    }

    #[test]
    fn flushed_subnormals_and_other_rounding_are_noticed() {
        for (mxcsr, is_default) in
            [(0x1f80, true), (0x1fa5, true), (0x9f80, false), (0x1fc0, false), (0x3f80, false)]
        {
            let noticed = std::thread::spawn(move || {
                set_mxcsr(mxcsr);
                let noticed = std::panic::catch_unwind(assert_default_rounding).is_err();
                set_mxcsr(0x1f80);
                noticed
            });
            assert_eq!(noticed.join().unwrap(), !is_default, "{mxcsr:x}");
        }
    }
}
