//! The optimizers: the roster by name, and each one with the numbers its rule needs.

/// The roster. Formulas and citations stand with each rule in `optimizers/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OptimizerKind {
    Sgd,
    Momentum,
    Nesterov,
    Adam,
    AdamW,
    RmsProp,
    Lion,
    Backtracking,
    Sls,
}

impl OptimizerKind {
    pub const ALL: [Self; 9] = [
        Self::Sgd,
        Self::Momentum,
        Self::Nesterov,
        Self::Adam,
        Self::AdamW,
        Self::RmsProp,
        Self::Lion,
        Self::Backtracking,
        Self::Sls,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Sgd => "sgd",
            Self::Momentum => "momentum",
            Self::Nesterov => "nesterov",
            Self::Adam => "adam",
            Self::AdamW => "adamw",
            Self::RmsProp => "rmsprop",
            Self::Lion => "lion",
            Self::Backtracking => "backtracking",
            Self::Sls => "sls",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether each step is chosen by probing the batch's loss along the negative gradient.
    pub fn is_line_search(self) -> bool {
        matches!(self, Self::Backtracking | Self::Sls)
    }

    /// Whether `weight_decay` acts on the weights instead of the gradient.
    pub fn decays_decoupled(self) -> bool {
        matches!(self, Self::AdamW | Self::Lion)
    }
}

pub const OPTIMIZER_NAMES: &[&str] =
    &["sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop", "lion", "backtracking", "sls"];

/// An optimizer with the numbers its rule needs, and no others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    Sgd,
    Momentum { momentum: f64 },
    Nesterov { momentum: f64 },
    Adam { beta1: f64, beta2: f64, eps: f64 },
    AdamW { beta1: f64, beta2: f64, eps: f64 },
    RmsProp { alpha: f64, eps: f64 },
    Lion { beta1: f64, beta2: f64 },
    Backtracking { armijo_c: f64, shrink: f64, max_probes: u32 },
    Sls { armijo_c: f64, shrink: f64, max_probes: u32, max_step: f64 },
}

impl Optimizer {
    pub fn kind(&self) -> OptimizerKind {
        match self {
            Self::Sgd => OptimizerKind::Sgd,
            Self::Momentum { .. } => OptimizerKind::Momentum,
            Self::Nesterov { .. } => OptimizerKind::Nesterov,
            Self::Adam { .. } => OptimizerKind::Adam,
            Self::AdamW { .. } => OptimizerKind::AdamW,
            Self::RmsProp { .. } => OptimizerKind::RmsProp,
            Self::Lion { .. } => OptimizerKind::Lion,
            Self::Backtracking { .. } => OptimizerKind::Backtracking,
            Self::Sls { .. } => OptimizerKind::Sls,
        }
    }
}
