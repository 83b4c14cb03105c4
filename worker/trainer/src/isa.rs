//! The instruction sets that the fast kernels are built for, and which of them this machine has.

use thiserror::Error;

/// An instruction set; every one gives the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// No intrinsics: arrays as lanes, and fused multiply-add in hardware.
    Portable,
    Avx2,
    Avx512,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IsaError {
    #[error("unknown instruction set {0:?}: expected portable, avx2 or avx512")]
    Unknown(String),
    #[error("this CPU lacks {wanted}: it has {available}")]
    Unsupported { wanted: &'static str, available: String },
    #[error("this CPU lacks fused multiply-add (FMA), which every result depends on")]
    NoFma,
}

impl Isa {
    const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// What this CPU has, slowest first; empty on x86-64 without FMA.
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|isa| isa.is_available()).collect()
    }

    /// `None`: the best of this CPU; `Some(name)` forces one.
    pub fn choose(forced: Option<&str>) -> Result<Self, IsaError> {
        let available = Self::available();
        let best = *available.last().ok_or(IsaError::NoFma)?;
        let Some(name) = forced else { return Ok(best) };
        let wanted = Self::ALL.into_iter().find(|isa| isa.name() == name);
        let wanted = wanted.ok_or_else(|| IsaError::Unknown(name.into()))?;
        if available.contains(&wanted) {
            return Ok(wanted);
        }
        let names: Vec<&str> = available.into_iter().map(Self::name).collect();
        Err(IsaError::Unsupported { wanted: wanted.name(), available: names.join(", ") })
    }

    #[cfg(target_arch = "x86_64")]
    fn is_available(self) -> bool {
        use std::arch::is_x86_feature_detected as has;
        let fma = has!("fma");
        match self {
            Self::Portable => fma,
            Self::Avx2 => fma && has!("avx2") && has!("bmi1"),
            Self::Avx512 => {
                let base = has!("avx512f") && has!("avx512bw");
                fma && has!("avx2") && has!("bmi1") && base && has!("avx512dq") && has!("avx512vl")
            }
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn is_available(self) -> bool {
        self == Self::Portable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_chosen_unless_one_is_forced() {
        let available = Isa::available();
        assert_eq!(available[0], Isa::Portable);
        assert_eq!(Isa::choose(None).unwrap(), *available.last().unwrap());
        assert_eq!(Isa::choose(Some("portable")).unwrap(), Isa::Portable);
        assert_eq!(Isa::choose(Some("sse9")), Err(IsaError::Unknown("sse9".into())));
    }
}
