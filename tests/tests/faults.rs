//! Programs that die at every point where it could matter, and programs with bugs planted in them,
//! which these very tests must catch.

#[path = "faults/crash_points.rs"]
mod crash_points;
#[path = "faults/planted.rs"]
mod planted;
#[path = "faults/story.rs"]
mod story;
