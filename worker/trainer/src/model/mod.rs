//! The model: its layers and loss, its size, and the work that it takes.

pub mod cost;
pub mod dropout;
pub mod gram;
pub mod loss;
pub mod network;
pub mod size;
pub mod work;
