//! The update of weights: a rule of arithmetic, written once for a number and for registers, with the
//! decays before it.

use std::ops::{Add, Div, Mul, Sub};

use crate::kernels::lanes::Lanes;
use crate::numerics::real::Real;

/// State elements below this become +0, because idle ones would otherwise stay in the subnormals,
/// where arithmetic is many times slower.
const SMALLEST_STATE: f32 = f32::from_bits((127 - 100) << 23); // 2^-100

/// Scalars that a rule may have.
pub(crate) const N_SCALARS: usize = 6;

/// How an optimizer turns a gradient into new weights.
pub(crate) trait Rule {
    /// How many numbers it keeps for each weight: up to 2.
    const N_STATES: usize;
    /// Whether it is w = fma(s, g, w) with the first scalar s, and nothing else.
    const IS_DESCENT: bool = false;

    /// The new weight; the states are changed in place. It must be `inline(always)` and without
    /// closures, because only what is inlined has the instruction set enabled.
    fn apply<R: Real>(scalars: &[R; N_SCALARS], w: R, g: R, states: &mut [R; 2]) -> R;
}

/// A rule that is compiled for each instruction set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CompiledRule(RuleForms);

/// The plain definition, and the kernel of each instruction set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RuleForms {
    pub n_states: usize,
    pub is_descent: bool,
    pub plain: fn(&[f32; N_SCALARS], f32, f32, &mut [f32; 2]) -> f32,
    pub for_portable: unsafe fn(&mut Elements<'_>),
    #[cfg(target_arch = "x86_64")]
    pub for_avx2: unsafe fn(&mut Elements<'_>),
    #[cfg(target_arch = "x86_64")]
    pub for_avx512: unsafe fn(&mut Elements<'_>),
}

impl CompiledRule {
    /// # Safety
    /// All forms are of one rule: its kernels are `update`, each for its instruction set.
    pub(crate) const unsafe fn new(forms: RuleForms) -> Self {
        Self(forms)
    }

    pub(crate) fn forms(&self) -> &RuleForms {
        &self.0
    }
}

/// How one step changes weights. Biases never decay.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Update {
    pub rule: &'static CompiledRule,
    pub scalars: [f32; N_SCALARS],
    /// L2: g = fma(l2, w, g).
    pub l2: Option<f32>,
    /// Decoupled: w = w * keep before the rule.
    pub keep: Option<f32>,
}

impl Update {
    pub(crate) fn for_biases(self) -> Self {
        Self { l2: None, keep: None, ..self }
    }

    /// The rate, if this is w = fma(-rate, g, w) alone and the rate is finite as f32: then a row whose
    /// gradient is +0 stays as it is and need not be visited.
    pub(crate) fn plain_rate(&self) -> Option<f32> {
        let rate = -self.scalars[0];
        let is_plain = self.rule.0.is_descent && self.l2.is_none() && self.keep.is_none();
        (is_plain && rate.is_finite()).then_some(rate)
    }

    /// The plain definition for one element; `states` are the rule's own numbers.
    pub(crate) fn apply(&self, weight: &mut f32, gradient: f32, states: &mut [f32; 2]) {
        let mut w = *weight;
        let mut g = gradient;
        if let Some(l2) = self.l2 {
            g = l2.mul_add(w, g);
        }
        if let Some(keep) = self.keep {
            w *= keep;
        }
        *weight = (self.rule.0.plain)(&self.scalars, w, g, states);
        for s in states {
            if s.abs() < SMALLEST_STATE {
                *s = 0.0;
            }
        }
    }
}

/// An update of as many weights as there are gradients; states that the rule lacks may be empty.
#[derive(Debug)]
pub(crate) struct Elements<'a> {
    pub update: Update,
    pub weights: &'a mut [f32],
    pub gradients: &'a [f32],
    pub states: [&'a mut [f32]; 2],
}

impl Elements<'_> {
    /// Panics if an index would leave its slice.
    pub(crate) fn check(&self) {
        let n = self.gradients.len();
        assert!(n.is_multiple_of(16) && n <= self.weights.len());
        assert!(self.states[..self.update.rule.0.n_states].iter().all(|state| n <= state.len()));
    }
}

/// A register whose operations are safe, because none exists where its instruction set is not
/// enabled: `update` makes the first ones, and all others come from these.
#[derive(Clone, Copy)]
struct Lane<L>(L);

macro_rules! operator {
    ($operator:ident, $method:ident) => {
        impl<L: Lanes> $operator for Lane<L> {
            type Output = Self;

            #[inline(always)]
            fn $method(self, b: Self) -> Self {
                // SAFETY: `self` shows that the instruction set is enabled.
                Self(unsafe { self.0.$method(b.0) })
            }
        }
    };
}
operator!(Add, add);
operator!(Sub, sub);
operator!(Mul, mul);
operator!(Div, div);

impl<L: Lanes> Real for Lane<L> {
    #[inline(always)]
    fn constant(self, x: f32) -> Self {
        // SAFETY: `self` shows that the instruction set is enabled.
        Self(unsafe { L::splat(x) })
    }

    #[inline(always)]
    fn fma(self, b: Self, c: Self) -> Self {
        // SAFETY: as in `constant`.
        Self(unsafe { self.0.fma(b.0, c.0) })
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        // SAFETY: as in `constant`.
        Self(unsafe { self.0.sqrt() })
    }

    #[inline(always)]
    fn select_less(self, b: Self, yes: Self, no: Self) -> Self {
        // SAFETY: as in `constant`.
        Self(unsafe { L::select_less(self.0, b.0, yes.0, no.0) })
    }
}

/// `Update::apply` for all elements. Arrays are filled without loops, so that they stay in registers.
///
/// # Safety
/// `check` passed with the rule R, and the caller enables the instruction set of `L`.
#[inline(always)]
pub(crate) unsafe fn update<L: Lanes, R: Rule>(p: &mut Elements<'_>) {
    // SAFETY: indices stay below the gradients' length, which `check` compared with the slices.
    unsafe {
        let [a, b, c, d, e, f] = p.update.scalars;
        let scalars = [splat(a), splat(b), splat(c), splat(d), splat(e), splat(f)];
        let (l2, keep) = (p.update.l2, p.update.keep);
        let [first, second] = [p.states[0].as_mut_ptr(), p.states[1].as_mut_ptr()];
        let mut i = 0;
        while i < p.gradients.len() {
            let weight = p.weights.as_mut_ptr().add(i);
            let mut w = L::load(weight);
            let mut g = L::load(p.gradients.as_ptr().add(i));
            if let Some(l2) = l2 {
                g = L::splat(l2).fma(w, g);
            }
            if let Some(keep) = keep {
                w = w.mul(L::splat(keep));
            }
            let mut states = [splat(0.0); 2];
            if R::N_STATES > 0 {
                states[0] = Lane(L::load(first.add(i)));
            }
            if R::N_STATES > 1 {
                states[1] = Lane(L::load(second.add(i)));
            }
            let w = R::apply(&scalars, Lane(w), Lane(g), &mut states);
            if R::N_STATES > 0 {
                flushed(states[0].0).store(first.add(i));
            }
            if R::N_STATES > 1 {
                flushed(states[1].0).store(second.add(i));
            }
            w.0.store(weight);
            i += L::N;
        }
    }
}

/// # Safety
/// As all methods of `Lanes`.
#[inline(always)]
unsafe fn splat<L: Lanes>(x: f32) -> Lane<L> {
    // SAFETY: as the caller promises.
    Lane(unsafe { L::splat(x) })
}

/// Small state becomes +0.
///
/// # Safety
/// As all methods of `Lanes`.
#[inline(always)]
unsafe fn flushed<L: Lanes>(s: L) -> L {
    // SAFETY: as the caller promises.
    unsafe { L::select_less(s.abs(), L::splat(SMALLEST_STATE), L::splat(0.0), s) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::optimizer;

    #[test]
    fn small_state_becomes_zero_and_other_state_stays() {
        let rule = &optimizer("momentum").definition().rule;
        let scalars = [-0.1, 0.5, 0.0, 0.0, 0.0, 0.0];
        let update = Update { rule, scalars, l2: None, keep: None };
        let limit = 1.0 / (1_u128 << 100) as f32;
        for (before, after) in [(1.9 * limit, 0.0), (2.0 * limit, limit)] {
            let mut states = [before, 0.0];
            update.apply(&mut 1.0, 0.0, &mut states);
            assert_eq!(states[0], after);
        }
    }
}
