//! The worker's parts, for whoever embeds one or tests one in a world of its own.

pub use crate::cli::{default_cache_dir, is_address, url};
pub use crate::files::{is_full, make_folder, rename, sync_folder_of};
pub use crate::link::Dial;
pub use crate::off_thread::{off_thread, simulate_disk, stall_disks};
pub use crate::repeats::Repeats;
pub use crate::run::{Outside, work};
pub use crate::slot::scripted::{Script, Scripted};
pub use crate::upkeep::n_free;
pub use trainer::hex;
