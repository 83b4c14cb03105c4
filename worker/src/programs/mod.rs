//! Programs: what a slot drives. The trait is the one seam between the slots, which know what runs
//! where and how it ended, and whoever can run a trial.

pub mod builtin;
pub mod cores;
pub mod events;
pub mod task;

use proto::Hyperparameter;

use crate::programs::events::Events;
use crate::programs::task::{Stop, Task};

/// Runs trials, at most one in each slot. The built-in trainer does so on a thread for each slot,
/// the simulation's scripted trials as async tasks in simulated time.
///
/// # Who calls, and when
///
/// The session's thread does. It calls `check` once for a trial, then `start`, for a slot whose
/// former trial has told its end. Neither may wait or compute: that would delay the Syncs of the
/// whole worker. So `start` hands the trial to a thread, a task or a process of the program's own
/// and returns. It cannot fail: what goes wrong is the end of the trial.
///
/// # What comes, in which order
///
/// 1. `Events::resume`, once at most and before all else: what the trial goes on from.
/// 2. A row for each epoch done, in their order, after those of the checkpoint. Between two rows a
///    checkpoint may come, which holds all rows told so far and nothing of the epoch under way.
/// 3. One end. It takes the events with it, so that nothing comes after it, no second end either.
///
/// Threads use `blocking_tell` and `run`, tasks `tell` and `end`. All of them wait while the
/// session has too much to read. Events that are dropped without an end say that the program has
/// died; the worker ends with an error then, because nobody knows what still runs in its slot.
///
/// # What is asked of it
///
/// A stop is a request: the program looks at it often and ends as soon as it can. A trial that has
/// ended by then gives what it gave; one that has not is `Interrupted`, and so is one that cannot go
/// on for a reason that is not its own. With `Stop::at_epoch_end` it hands in a checkpoint first.
///
/// A program beats (`Events::beat`) with each step, so that one that hangs is noticed.
///
/// # Its end
///
/// It is dropped once every trial was asked to stop and nobody listens any more. Then it brings to
/// rest what it has started, or leaves it behind after some seconds.
///
/// # Why a child process fits
///
/// A task spawned by `start` can run the child, follow its results line by line and tell each as a
/// row; `tell` waits, so a child that writes without end fills a pipe and no memory. It looks at the
/// stop with each look at the results, which are appended to a file and have to be looked for
/// anyway: then it sends the signal, waits out a grace, kills, and says `Interrupted`. The child's
/// checkpoint is a folder and here it is bytes: it has to travel as one file with its own digest in
/// any case, so the program packs the folder as a list of files, and unpacks it in `resume`. Packing
/// blocks, so it belongs on a thread that does such work. The slot's number chooses cores and
/// devices. A child whose steps nobody sees beats while it lives, and has a time limit. A child that
/// cannot be spawned is a failure like any other.
pub trait Program: Send {
    /// Whether a trial with these hyperparameters can be trained at all. The error becomes the text
    /// of its failure; such a trial takes no slot and fetches no checkpoint.
    fn check(&self, _hyperparameters: &[Hyperparameter], _seed: u32) -> Result<(), String> {
        Ok(())
    }

    /// Begins the trial in this slot (counts from 0).
    fn start(&self, slot: usize, task: Task, stop: Stop, events: Events);
}
