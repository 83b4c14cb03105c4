//! Programs that die at every point where it could matter: nothing may be lost.

#[path = "faults/crash_points.rs"]
mod crash_points;
#[path = "faults/deaths.rs"]
mod deaths;
#[path = "faults/story.rs"]
mod story;
