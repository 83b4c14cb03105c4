//! Slots: each is one thread that trains one trial at a time, pinned to a core of its own where
//! there is one.

mod attempt;
pub mod cores;
pub mod scripted;
pub mod task;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, mpsc as blocking};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tracing::warn;

use self::attempt::Attempt;
use crate::agent::{Job, Standing};
use crate::slots::task::{MAX_MESSAGES, Message, Outcome, Shared, StopFlags, Task};
use cores::Cores;

/// Between two looks at a slot no more than this counts as silence: a process that was stopped and
/// goes on has not been silent.
const LONGEST_UNSEEN: Duration = Duration::from_secs(6);

/// At their end slots come to rest within a few steps; one that hangs is left behind after this long.
const REST_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// All slots of the worker. Dropped, they stop within a few training steps.
pub(crate) struct Slots {
    slots: Vec<Slot>,
    messages: mpsc::Receiver<Message>,
}

struct Slot {
    /// `None` once the slots are being dropped, which ends the thread.
    begin: Option<Begin>,
    current: Option<Current>,
    thread: Option<JoinHandle<()>>,
}

/// What a slot is at.
struct Current {
    job: Job,
    stop_flags: Arc<StopFlags>,
    began: Instant,
    /// The pulse at the last look, when that was, and for how long it has been the same.
    pulse: u64,
    looked: Instant,
    silent: Duration,
}

/// Sets to work on a task.
type Begin = Box<dyn FnMut(Task, Arc<StopFlags>) + Send>;

impl Slots {
    pub(crate) fn start(n_slots: usize, shared: Shared) -> std::io::Result<Self> {
        let shared = Arc::new(shared);
        let (sender, messages) = mpsc::channel(MAX_MESSAGES);
        let slots = (0..n_slots).map(|index| {
            let (shared, sender) = (shared.clone(), sender.clone());
            start_slot(index, sender.clone(), move |task, stop_flags| {
                run(&shared, task, stop_flags, &sender)
            })
        });
        Ok(Self { slots: slots.collect::<std::io::Result<_>>()?, messages })
    }

    /// Gives the task to a slot that rests.
    pub(crate) fn begin(&mut self, task: Task) {
        let stop_flags = Arc::new(StopFlags::default());
        let slot = self.slots.iter_mut().find(|slot| slot.current.is_none());
        let slot = slot.expect("the agent starts no more jobs than there are slots");
        let now = Instant::now();
        slot.current = Some(Current {
            job: task.job,
            stop_flags: stop_flags.clone(),
            began: now,
            pulse: 0,
            looked: now,
            silent: Duration::ZERO,
        });
        let begin = slot.begin.as_mut().expect("taken by drop alone");
        begin(task, stop_flags);
    }

    pub(crate) async fn message(&mut self) -> Message {
        let message = self.messages.recv().await.expect("slots end after their session");
        self.note(message)
    }

    /// A message that is there already.
    pub(crate) fn message_at_hand(&mut self) -> Option<Message> {
        let message = self.messages.try_recv().ok()?;
        Some(self.note(message))
    }

    fn note(&mut self, message: Message) -> Message {
        if let Message::Ended(job, _) | Message::Left(job) = &message {
            let of_job = |slot: &&mut Slot| slot.current.as_ref().is_some_and(|it| it.job == *job);
            if let Some(slot) = self.slots.iter_mut().find(of_job) {
                slot.current = None;
            }
        }
        message
    }

    /// Ends the job within a few training steps; no checkpoint is written.
    pub(crate) fn stop(&self, job: Job) {
        self.wish(job, |stop_flags| &stop_flags.stop);
    }

    pub(crate) fn stop_all(&self) {
        for current in self.slots.iter().filter_map(|slot| slot.current.as_ref()) {
            current.stop_flags.stop.store(true, Ordering::Relaxed);
        }
    }

    /// Ends the job with a checkpoint at the end of its epoch.
    pub(crate) fn leave_at_epoch_end(&self, job: Job) {
        self.wish(job, |stop_flags| &stop_flags.leave_at_epoch_end);
    }

    fn wish(&self, job: Job, which: impl Fn(&StopFlags) -> &AtomicBool) {
        let current = self.slots.iter().filter_map(|slot| slot.current.as_ref());
        for current in current.filter(|current| current.job == job) {
            which(&current.stop_flags).store(true, Ordering::Relaxed);
        }
    }

    /// How each busy slot gets on, as of now.
    pub(crate) fn look(&mut self) -> Vec<(Job, Standing)> {
        let now = Instant::now();
        let busy = self.slots.iter_mut().filter_map(|slot| slot.current.as_mut());
        let standing = |current: &mut Current| {
            let pulse = current.stop_flags.pulse.load(Ordering::Relaxed);
            let unseen = now.duration_since(current.looked).min(LONGEST_UNSEEN);
            let has_moved = pulse != current.pulse;
            current.silent = if has_moved { Duration::ZERO } else { current.silent + unseen };
            (current.pulse, current.looked) = (pulse, now);
            let trained = now.duration_since(current.began);
            (current.job, Standing { trained, silent: current.silent })
        };
        busy.map(standing).collect()
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // Closed first: a slot must not wait for room that nobody makes.
        self.messages.close();
        self.stop_all();
        for slot in &mut self.slots {
            slot.begin = None;
        }
        let by = Instant::now() + REST_WITHIN;
        for thread in self.slots.iter_mut().filter_map(|slot| slot.thread.take()) {
            while !thread.is_finished() && Instant::now() < by {
                std::thread::sleep(LOOK_EVERY);
            }
            if thread.is_finished() {
                let _ = thread.join();
            } else {
                // The process is about to end, and the thread with it.
                warn!("a slot hangs and is left behind");
            }
        }
    }
}

/// Starts a slot's thread, which does every task by `run`.
fn start_slot(
    index: usize,
    messages: mpsc::Sender<Message>,
    run: impl Fn(&Task, &StopFlags) -> Message + Send + 'static,
) -> std::io::Result<Slot> {
    let (tasks, received) = blocking::channel::<(Task, Arc<StopFlags>)>();
    let work = move || {
        // The message leaves before the channel of tasks closes. It finds no receiver only when
        // the slots are being dropped.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| work(&received, &messages, run))) {
            let _ = messages.blocking_send(Message::Died(panic_text(panic.as_ref()).into()));
        }
    };
    let thread = thread::Builder::new().name(format!("slot-{index}")).spawn(work)?;
    let begin = move |task, stop_flags| {
        // Nobody receives from a dead thread's channel; `Died` has told so by then.
        let _ = tasks.send((task, stop_flags));
    };
    Ok(Slot { begin: Some(Box::new(begin)), current: None, thread: Some(thread) })
}

fn work(
    tasks: &blocking::Receiver<(Task, Arc<StopFlags>)>,
    messages: &mpsc::Sender<Message>,
    run: impl Fn(&Task, &StopFlags) -> Message,
) {
    while let Ok((task, stop_flags)) = tasks.recv() {
        if messages.blocking_send(run(&task, &stop_flags)).is_err() {
            return;
        }
    }
}

/// Trains one task; a panic on the way is the trial's failure and not the worker's.
fn run(
    shared: &Shared,
    task: &Task,
    stop_flags: &StopFlags,
    messages: &mpsc::Sender<Message>,
) -> Message {
    let began = Instant::now();
    let mut timings = Vec::new();
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let _busy = Busy::new(&shared.n_busy);
        let _core = shared.cores.as_ref().and_then(Cores::claim);
        Attempt { shared, task, stop_flags, messages, timings: &mut timings }.train()
    }));
    let result = match ended {
        Ok(Ok(Some(result))) => Ok(result),
        Ok(Ok(None)) => return Message::Left(task.job),
        Ok(Err(text)) => Err(text),
        Err(panic) => Err(format!("panic in training: {}", panic_text(panic.as_ref()))),
    };
    let wall_s = began.elapsed().as_secs_f64();
    Message::Ended(task.job, Box::new(Outcome { result, timings, wall_s }))
}

/// Counts a slot as busy until it is dropped.
struct Busy<'a>(&'a AtomicU32);

impl<'a> Busy<'a> {
    fn new(n_busy: &'a AtomicU32) -> Self {
        n_busy.fetch_add(1, Ordering::Relaxed);
        Self(n_busy)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a text")
}

#[cfg(test)]
pub(crate) mod tests;
