//! What a trial is made of and what it gives: values that both programs, the wire, the state and the
//! report share. This crate knows no other of the project, no file, clock, socket or thread.

mod breach;
mod data;
mod digest;
pub mod hex;
mod id;
mod interface;
mod measures;
mod result;
pub mod timing;
pub mod wording;

pub use breach::{Breach, between, exactly, finite_and_not_negative};
pub use data::{DataShape, Scale, Split};
pub use digest::{Digest, NoDigest};
pub use id::{PrefixError, TrialId};
pub use interface::parameter::{Hyperparameters, Kind, Parameter, Users, Value};
pub use interface::{Interface, Load, Misfit, Shape, Values, Variant};
pub use measures::epoch::{Count, EpochRecord, Number, Reading};
pub use measures::known::{self, StepSizes};
pub use measures::{Goal, InResults, Measure, MeasureError, MeasureKind, Unit, at_best, declared};
pub use result::{Backtracks, Ending, TrialResult, Work};
pub use timing::Timing;
