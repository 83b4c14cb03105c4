//! From state to report: what the report is told, where it is built, and how it is read back.

pub mod building;
pub mod input;
pub mod limits;
pub mod publish;
pub mod recorded_data;
pub mod report_folder;
pub mod room;
pub mod values;
