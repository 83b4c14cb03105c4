//! The worker's parts, for whoever embeds one or tests one in a world of its own.

pub use crate::{
    cli::{default_cache_dir, is_address, url},
    files::{is_full, make_folder, rename, sync_folder_of},
    link::Dial,
    off_thread::{off_thread, simulate_disk, stall_disks},
    repeats::Repeats,
    run::{Outside, work},
    slot::scripted::{Script, Scripted},
    upkeep::n_free,
};
pub use trainer::hex;
