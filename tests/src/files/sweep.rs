//! Sweep files over the generated data set.

/// A sweep; each axis is a TOML list of plain values.
#[derive(Clone, Copy, Debug)]
pub struct Sweep {
    pub name: &'static str,
    pub widths: &'static str,
    pub optimizers: &'static str,
    pub learning_rates: &'static str,
    pub batch_sizes: &'static str,
    pub depths: &'static str,
    pub epochs: u32,
    pub n_seeds: usize,
    /// Further sections.
    pub more: &'static str,
}

impl Sweep {
    /// Over in a moment: 16 trials of a few milliseconds.
    pub const SHORT: Self = Self {
        name: "short",
        widths: "[32, 16]",
        optimizers: r#"["sgd", "backtracking"]"#,
        learning_rates: "[0.05, 0.2]",
        batch_sizes: "[16, 50]",
        depths: "[1, 2]",
        epochs: 3,
        n_seeds: 1,
        more: "",
    };

    /// Long enough to be killed in the middle: 72 trials of some 25 ms.
    pub const LONG: Self = Self {
        name: "long",
        learning_rates: "[0.02, 0.1, 0.5]",
        epochs: 50,
        n_seeds: 3,
        ..Self::SHORT
    };

    /// Never over while a test looks: 72 trials of a second each.
    pub const ENDLESS: Self = Self { name: "endless", epochs: 1_500, ..Self::LONG };

    /// One trial of seconds, so that a stop finds it far from its end.
    pub const ONE: Self = Self {
        name: "one",
        widths: "[512, 256]",
        optimizers: r#"["backtracking"]"#,
        learning_rates: "[0.1]",
        batch_sizes: "[16]",
        depths: "[2]",
        epochs: 800,
        n_seeds: 1,
        more: "",
    };

    /// 512 trials of a millisecond each.
    pub const MANY: Self = Self { name: "many", epochs: 1, n_seeds: 32, ..Self::SHORT };

    /// Trials of the grid.
    pub fn n_trials(&self) -> usize {
        let axes = [self.optimizers, self.learning_rates, self.batch_sizes, self.depths];
        axes.map(|values| values.split(',').count()).iter().product::<usize>() * self.n_seeds
    }

    /// The file, for the folder that holds the data set in `data/`.
    pub fn to_toml(&self) -> String {
        let Self { name, widths, optimizers, learning_rates, batch_sizes, depths, .. } = self;
        let Self { epochs, n_seeds, more, .. } = self;
        format!(
            r#"name = "{name}"
description = "Generated for tests"

[dataset]
format = "idx"
path = "data"
train = 500

[model]
widths = {widths}

[train]
epochs = {epochs}

[[grid]]
optimizer = {optimizers}
learning_rate = {learning_rates}
batch_size = {batch_sizes}
depth = {depths}

[seeds]
n = {n_seeds}
{more}"#
        )
    }
}
