//! The arithmetic that an update rule is written in: of one f32, or of many in a register.

use std::ops::{Add, Div, Mul, Sub};

/// Each operation rounds once, as IEEE 754 says, so that all forms give the same bits.
pub(crate) trait Real:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self>
{
    /// x in the form of this number.
    fn constant(self, x: f32) -> Self;
    /// self * b + c, rounded once.
    fn fma(self, b: Self, c: Self) -> Self;
    fn sqrt(self) -> Self;
    /// self < b ? yes : no; a NaN gives no.
    fn select_less(self, b: Self, yes: Self, no: Self) -> Self;
}

impl Real for f32 {
    fn constant(self, x: f32) -> f32 {
        x
    }

    fn fma(self, b: f32, c: f32) -> f32 {
        self.mul_add(b, c)
    }

    fn sqrt(self) -> f32 {
        f32::sqrt(self)
    }

    fn select_less(self, b: f32, yes: f32, no: f32) -> f32 {
        if self < b { yes } else { no }
    }
}
