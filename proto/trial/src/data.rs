//! The data that a trial is trained on, as far as its results depend on it.

/// How u8 inputs become f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// `u / 255`, so that 0 stays 0.
    Unit,
    /// Mean 0 and deviation 1 of each input over the training split.
    Standard,
}

impl Scale {
    pub const ALL: [Self; 2] = [Self::Unit, Self::Standard];

    /// As sweep files, the state and the report write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Standard => "standard",
        }
    }
}

/// The first `n_train` rows of the train file train, the next `n_valid` (0 allowed) validate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    pub n_train: u32,
    pub n_valid: u32,
    pub scale: Scale,
}

/// What must be known of the data to tell what a trial on it can give.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DataShape {
    pub n_train: u32,
    pub n_valid: u32,
    pub n_test: u32,
    pub n_inputs: u32,
    pub n_classes: u32,
    /// Share (0 to 1) of the most frequent class among the rows that validate; `None` if that is not
    /// known, in which case `collapsed` is believed.
    pub largest_valid_share: Option<f64>,
}
