//! In which form a program that runs a sweep tells of it.

use clap::ValueEnum;

/// `Human`: bars or lines on stderr, the results on stdout. `Json`: one object a line on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Human,
    Json,
}
