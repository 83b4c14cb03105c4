//! Whatever is stored is changed, piece by piece: `verify` finds it, or it is listed here why nobody
//! can know.

mod planted;
mod read_back;
mod report_changes;
mod site;
mod state_changes;
