//! A parameter of a trial: its kind and its value.

/// A hyperparameter's value as files, wire and tables carry it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(String),
    Number(f64),
    Count(u64),
    Widths(Vec<u32>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One of a few words.
    Text(&'static [&'static str]),
    /// A finite f64 in a range.
    Number,
    /// A whole number in a range.
    Count,
    /// Sizes of the hidden layers, input side first.
    Widths,
}
