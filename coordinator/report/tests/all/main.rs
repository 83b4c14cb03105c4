//! Whole reports of made-up sweeps. One program, because each one links polars anew, which takes
//! seconds and 170 MB of disk.

mod answers;
mod built;
mod figures;
mod golden;
mod hostile;
mod recorded;
mod sample;
mod size;
mod whole;
