//! Refusals: what a sweep file may not say, where it is told, and in which words.

mod file;
mod grid;
mod questions;
mod sizes;
mod unused;
