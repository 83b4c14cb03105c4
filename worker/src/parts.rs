//! The worker's parts, for those who embed one or test one in a world of its own.

pub use crate::cli::{default_cache_dir, has_flag, is_address, print_help, url};
pub use crate::disk::device::{Disk, SimulatedDisk};
pub use crate::disk::files::{is_full, make_folder, rename, sync_folder_of};
pub use crate::disk::upkeep::n_free;
pub use crate::link::Dial;
pub use crate::logging::repeats::Repeats;
pub use crate::programs::Program;
pub use crate::programs::events::{End, Event, Events, Row};
pub use crate::programs::task::{Stop, Task};
pub use crate::run::{Outside, built_in, work};
pub use trial::hex::hex;
