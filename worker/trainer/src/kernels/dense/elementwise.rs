//! Kernels that treat each element alone: update rules, steps along a line, the exponential.

use crate::kernels::lanes::Lanes;
use crate::optimizers::rule::Rule;
use crate::optimizers::{SMALLEST_STATE, Update};

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
        let n_states = match self.update.rule {
            Rule::Sgd { .. } => 0,
            Rule::Adam { .. } => 2,
            _ => 1,
        };
        assert!(self.states[..n_states].iter().all(|state| n <= state.len()));
    }
}

/// A rule with its scalars in all lanes.
#[derive(Clone, Copy)]
enum LaneRule<L> {
    Sgd { rate: L },
    Momentum { rate: L, mu: L },
    Nesterov { rate: L, mu: L },
    Adam { rate: L, b1: L, c1: L, b2: L, c2: L, e: L },
    RmsProp { rate: L, alpha: L, c: L, eps: L },
    Lion { rate: L, b1: L, c1: L, b2: L, c2: L },
}

/// # Safety
/// As all methods of `Lanes`.
#[inline(always)]
unsafe fn lane_rule<L: Lanes>(rule: Rule) -> LaneRule<L> {
    // SAFETY: as the caller promises.
    unsafe {
        match rule {
            Rule::Sgd { lr } => LaneRule::Sgd { rate: L::splat(-lr) },
            Rule::Momentum { lr, mu } => {
                LaneRule::Momentum { rate: L::splat(-lr), mu: L::splat(mu) }
            }
            Rule::Nesterov { lr, mu } => {
                LaneRule::Nesterov { rate: L::splat(-lr), mu: L::splat(mu) }
            }
            Rule::Adam { a, b1, c1, b2, c2, e } => LaneRule::Adam {
                rate: L::splat(-a),
                b1: L::splat(b1),
                c1: L::splat(c1),
                b2: L::splat(b2),
                c2: L::splat(c2),
                e: L::splat(e),
            },
            Rule::RmsProp { lr, alpha, c, eps } => LaneRule::RmsProp {
                rate: L::splat(-lr),
                alpha: L::splat(alpha),
                c: L::splat(c),
                eps: L::splat(eps),
            },
            Rule::Lion { lr, b1, c1, b2, c2 } => LaneRule::Lion {
                rate: L::splat(-lr),
                b1: L::splat(b1),
                c1: L::splat(c1),
                b2: L::splat(b2),
                c2: L::splat(c2),
            },
        }
    }
}

/// The twin of `Update::apply`.
///
/// # Safety
/// `check` passed, and the caller enables the instruction set of `L`.
#[inline(always)]
pub(crate) unsafe fn update<L: Lanes>(p: &mut Elements<'_>) {
    // SAFETY: indices stay below the gradients' length, which `check` compared with the slices.
    unsafe {
        let rule = lane_rule::<L>(p.update.rule);
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
            apply(rule, w, g, first.wrapping_add(i), second.wrapping_add(i)).store(weight);
            i += L::N;
        }
    }
}

/// The new weights; the states are changed in place.
///
/// # Safety
/// The states that the rule has are valid for N elements.
#[inline(always)]
unsafe fn apply<L: Lanes>(rule: LaneRule<L>, w: L, g: L, first: *mut f32, second: *mut f32) -> L {
    // SAFETY: as the caller promises.
    unsafe {
        match rule {
            LaneRule::Sgd { rate } => rate.fma(g, w),
            LaneRule::Momentum { rate, mu } => {
                let v = mu.fma(L::load(first), g);
                flushed(v).store(first);
                rate.fma(v, w)
            }
            LaneRule::Nesterov { rate, mu } => {
                let v = mu.fma(L::load(first), g);
                flushed(v).store(first);
                rate.fma(mu.fma(v, g), w)
            }
            LaneRule::Adam { rate, b1, c1, b2, c2, e } => {
                let m = b1.fma(L::load(first), c1.mul(g));
                let v = b2.fma(L::load(second), c2.mul(g).mul(g));
                flushed(m).store(first);
                flushed(v).store(second);
                rate.fma(m.div(v.sqrt().add(e)), w)
            }
            LaneRule::RmsProp { rate, alpha, c, eps } => {
                let v = alpha.fma(L::load(first), c.mul(g).mul(g));
                flushed(v).store(first);
                rate.fma(g.div(v.sqrt().add(eps)), w)
            }
            LaneRule::Lion { rate, b1, c1, b2, c2 } => {
                let m = L::load(first);
                let u = b1.fma(m, c1.mul(g));
                flushed(b2.fma(m, c2.mul(g))).store(first);
                let zero = L::splat(0.0);
                let positive = L::select_less(zero, u, L::splat(1.0), zero);
                rate.fma(L::select_less(u, zero, L::splat(-1.0), positive), w)
            }
        }
    }
}

/// Small state becomes +0.
#[inline(always)]
unsafe fn flushed<L: Lanes>(s: L) -> L {
    // SAFETY: as the caller promises for all methods.
    unsafe { L::select_less(s.abs(), L::splat(SMALLEST_STATE), L::splat(0.0), s) }
}

/// out = base - eta * slope.
#[derive(Debug)]
pub(crate) struct Axpy<'a> {
    pub base: &'a [f32],
    pub slope: &'a [f32],
    pub eta: f32,
    pub out: &'a mut [f32],
}

impl Axpy<'_> {
    /// Panics if an index would leave its slice.
    pub(crate) fn check(&self) {
        let n = self.out.len();
        assert!(n.is_multiple_of(16) && n <= self.base.len() && n <= self.slope.len());
    }
}

/// # Safety
/// `check` passed, and the caller enables the instruction set of `L`.
#[inline(always)]
pub(crate) unsafe fn axpy<L: Lanes>(p: &mut Axpy<'_>) {
    // SAFETY: indices stay below the length of `out`, which `check` compared with the slices.
    unsafe {
        let rate = L::splat(-p.eta);
        let mut i = 0;
        while i < p.out.len() {
            let moved = rate.fma(L::load(p.slope.as_ptr().add(i)), L::load(p.base.as_ptr().add(i)));
            moved.store(p.out.as_mut_ptr().add(i));
            i += L::N;
        }
    }
}

/// # Safety
/// The length is a multiple of 16, and the caller enables the instruction set of `L`.
#[inline(always)]
pub(crate) unsafe fn relu<L: Lanes>(values: &mut [f32]) {
    let mut i = 0;
    while i < values.len() {
        // SAFETY: i + N <= len.
        unsafe {
            let at = values.as_mut_ptr().add(i);
            L::load(at).relu().store(at);
        }
        i += L::N;
    }
}

/// x = exp(x - max) for each.
///
/// # Safety
/// The length is a multiple of 16, and the caller enables the instruction set of `L`.
#[inline(always)]
pub(crate) unsafe fn exp_below<L: Lanes>(values: &mut [f32], max: f32) {
    let mut i = 0;
    while i < values.len() {
        // SAFETY: i + N <= len.
        unsafe {
            let at = values.as_mut_ptr().add(i);
            L::load(at).sub(L::splat(max)).exp().store(at);
        }
        i += L::N;
    }
}

/// out = out * scale where the input is > 0, +0 elsewhere.
#[derive(Debug)]
pub(crate) struct Mask<'a> {
    pub inputs: &'a [f32],
    /// `None` multiplies by nothing.
    pub scale: Option<f32>,
    pub out: &'a mut [f32],
}

impl Mask<'_> {
    /// Panics if an index would leave its slice.
    pub(crate) fn check(&self) {
        assert!(self.out.len().is_multiple_of(16) && self.out.len() <= self.inputs.len());
    }
}

/// # Safety
/// `check` passed, and the caller enables the instruction set of `L`.
#[inline(always)]
pub(crate) unsafe fn mask<L: Lanes>(p: &mut Mask<'_>) {
    // SAFETY: indices stay below the length of `out`, which `check` compared with the inputs.
    unsafe {
        let zero = L::splat(0.0);
        let mut i = 0;
        while i < p.out.len() {
            let at = p.out.as_mut_ptr().add(i);
            let mut out = L::load(at);
            if let Some(scale) = p.scale {
                out = out.mul(L::splat(scale));
            }
            L::select_less(zero, L::load(p.inputs.as_ptr().add(i)), out, zero).store(at);
            i += L::N;
        }
    }
}
