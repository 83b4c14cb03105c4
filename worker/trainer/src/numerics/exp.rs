//! The exponential of f32 that every path shares: own polynomial, at most 1 ulp from the true value
//! on all inputs. This is the plain twin of `Lanes::exp`.

/// Adding it rounds to a whole number, which then stands in the low bits of the sum.
pub(crate) const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23
pub(crate) const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// ln 2 in two parts (Cody and Waite): the first has so few bits that its multiples are exact.
pub(crate) const LN_2_HIGH: f32 = 0.693_359_4; // 355/512
pub(crate) const LN_2_LOW: f32 = -2.121_944_4e-4;
/// Beyond these the result is +infinity or +0 anyway.
pub(crate) const LARGEST: f32 = 89.0;
pub(crate) const SMALLEST: f32 = -104.0;
/// 1/7!, 1/6!, ... 1/2!: after reduction |r| < 0.347, where the next term of the Taylor series is
/// below 2^-27 of the sum.
pub(crate) const TERMS: [f32; 6] =
    [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5];

/// e^x: exp(0) = 1, exp(-inf) = +0, exp(NaN) = NaN; subnormal results are rounded once.
pub(crate) fn exp32(x: f32) -> f32 {
    let x = if x > LARGEST { LARGEST } else { x };
    let x = if x < SMALLEST { SMALLEST } else { x };
    let shifted = x.mul_add(LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN_2_LOW, n.mul_add(-LN_2_HIGH, x));
    let mut q = TERMS[0];
    for term in &TERMS[1..] {
        q = q.mul_add(r, *term);
    }
    // 1 + r and what its rounding lost (Dekker's fast sum).
    let sum = 1.0 + r;
    let lost = r - (sum - 1.0);
    let p = sum + q.mul_add(r * r, lost);
    // 2^n in two factors, because 2^n itself leaves the range of normal numbers.
    let n = shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i32;
    let half = n >> 1;
    p * power_of_2(half) * power_of_2(n.wrapping_sub(half))
}

fn power_of_2(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;
    use crate::kernels::{Floats, Kernels};

    /// Spacing of f32 around a value.
    fn ulp(x: f64) -> f64 {
        let x = x as f32;
        if x.is_infinite() || x == 0.0 {
            return f64::from(f32::from_bits(1));
        }
        f64::from(f32::from_bits(x.to_bits() + 1)) - f64::from(x)
    }

    #[test]
    fn special_values() {
        let results = [0.0, -0.0, f32::NEG_INFINITY, f32::INFINITY, -200.0, 89.0].map(exp32);
        let expected = [1.0, 1.0, 0.0, f32::INFINITY, 0.0, f32::INFINITY];
        assert_eq!(results.map(f32::to_bits), expected.map(f32::to_bits));
        assert!(exp32(f32::NAN).is_nan());
    }

    /// At most 1 ulp from f64, and every path the same, on every 1021st f32 (a prime, so that all
    /// low bits come up); with `SWEEP_ALL_FLOATS` set on all of them, which takes minutes.
    #[test]
    fn it_is_close_and_equal_on_every_path() {
        let stride = if std::env::var_os("SWEEP_ALL_FLOATS").is_some() { 1 } else { 1021 };
        let kernels: Vec<_> = Isa::available().into_iter().map(Kernels::of).collect();
        let mut row = Floats::zeros(4096);
        let mut inputs = (0..=u32::MAX).step_by(stride).map(f32::from_bits);
        loop {
            let chunk: Vec<f32> = inputs.by_ref().take(row.len()).collect();
            if chunk.is_empty() {
                return;
            }
            let expected: Vec<f32> = chunk.iter().map(|&x| exp32(x)).collect();
            for (&x, &e) in chunk.iter().zip(&expected).filter(|(x, _)| !x.is_nan()) {
                let exact = libm::exp(x.into());
                let is_near = (f64::from(e) - exact).abs() <= ulp(exact);
                assert!(is_near || e.is_infinite() && exact > f32::MAX.into(), "{x:e}: {e:e}");
            }
            for kernels in &kernels {
                row[..chunk.len()].copy_from_slice(&chunk);
                kernels.exp_below(&mut row, 0.0);
                let pairs = row.iter().zip(&expected);
                for ((&fast, &plain), x) in pairs.zip(&chunk) {
                    let is_equal =
                        fast.to_bits() == plain.to_bits() || fast.is_nan() && plain.is_nan();
                    assert!(is_equal, "{x:e}: {fast:e} but {plain:e} in the definition");
                }
            }
        }
    }
}
