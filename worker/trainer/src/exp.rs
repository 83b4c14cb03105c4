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
    let p = q.mul_add(r * r, r) + 1.0;
    // 2^n in two factors, because 2^n itself leaves the range of normal numbers.
    let n = shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i32;
    let half = n >> 1;
    p * power_of_2(half) * power_of_2(n.wrapping_sub(half))
}

fn power_of_2(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}
