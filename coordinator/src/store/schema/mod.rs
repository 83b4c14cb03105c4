//! The schema of the state file, and how a state of a former schema becomes one of this.

pub mod copy;
pub mod kind;
pub mod measures;
pub mod meta_value;
pub mod migrate;
pub mod rescue;
pub mod version;

/// Raised with every change of `schema.sql`; kept in SQLite's `user_version`.
pub const SCHEMA_VERSION: i64 = 3;
