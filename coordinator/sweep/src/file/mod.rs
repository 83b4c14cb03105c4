//! The sweep file: what a person wrote, read with its places, and what is wrong with it.

pub mod objective;
pub mod parse;
pub mod problem;
pub mod questions;
pub mod reader;
pub mod schema;
pub mod single;
pub mod spec;
