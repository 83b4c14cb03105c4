//! Results to polars tables, statistics, figures and Markdown: `reports/<name>/`.

pub mod input;
