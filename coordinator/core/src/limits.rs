//! The bounds of dispatch, each a named constant, so that nothing a worker says can exhaust the
//! coordinator.

/// Workers that the coordinator knows at once, whether connected or expected back.
pub const MAX_WORKERS: usize = 10_000;

/// Trials that a worker may hold beyond its slots, and the seconds that its slots may need for them.
pub const MAX_PREFETCH: usize = 256;
pub const MAX_PREFETCH_S: f64 = 2.0;

/// A trial is slow once it was trained for this share longer than such trials take, and for this
/// much longer: an idle slot of another worker then gets a speculative attempt at it.
pub const SLOW_SHARE: f64 = 0.5;
pub const SLOW_S: f64 = 15.0;
/// Slots of all workers for each speculative attempt at a slow trial that may run at once; one may
/// run in any case. Stalled slots are not counted: whatever runs elsewhere takes their place.
pub const SLOTS_PER_SPECULATION: usize = 10;
/// Attempts without progress that an idle slot looks at, the worst first.
pub const MAX_TROUBLED_SEEN: usize = 1_024;

/// A slot is stalled once it has not done a step for this share of what its trial is expected to
/// take, and for this long;
pub const STALLED_SHARE: f64 = 0.5;
pub const STALLED_S: f64 = 10.0;
/// for this long while nothing is known of how long trials take;
pub const STALLED_UNKNOWN_S: f64 = 20.0;
/// and, if its worker tells of epochs alone, for this many times the whole trial and this long, or for
/// this long while nothing is known.
pub const STALLED_UNTOLD_FACTOR: f64 = 2.0;
pub const STALLED_UNTOLD_S: f64 = 20.0;
pub const STALLED_UNTOLD_UNKNOWN_S: f64 = 60.0;
/// The word of a worker shortens these waits and never lengthens the ones by the coordinator's own
/// clock. An attempt is slow as well once it has run for this many times as long as a slow one, and
/// for this long;
pub const SLOW_SEEN_FACTOR: f64 = 1.25;
pub const SLOW_SEEN_S: f64 = 20.0;
/// for this long while nothing is known of how long trials take.
pub const SLOW_UNKNOWN_S: f64 = 120.0;
/// It is overdue, and taken back if nothing can run beside it, after this many times as long as a
/// slow one and no less than this, or after this long while nothing is known.
pub const OVERDUE_FACTOR: f64 = 10.0;
pub const OVERDUE_S: f64 = 300.0;
pub const OVERDUE_UNKNOWN_S: f64 = 3_600.0;
/// Attempts at a trial by this many workers may stall without a consequence, and as many of one
/// worker. Each further worker doubles the time that its attempts get, at most this often, and
/// each further one of a worker the time that its own get while no other could have the trial: so
/// a trial of very long steps comes to its end, and workers that stall make nobody wait for long.
pub const PATIENT_AFTER: u32 = 2;
pub const MAX_DOUBLINGS: u32 = 4;
/// Workers that are remembered to have stalled at a trial.
pub const MAX_STALLERS: usize = 64;
/// A worker that lives speaks this often within the time of a lease, and more often.
pub const SYNCS_IN_A_LEASE: u64 = 3;
/// An audit that stalls this often is given up.
pub const MAX_STALLED_AUDITS: u32 = 2;
/// A trial that was asked back from a worker's queue is taken back after this long.
pub const WITHDRAW_PATIENCE_MS: u64 = 60_000;
/// A trial that was granted for a free slot has to be said to run within a lease's time (30 s by
/// default), and no less than this; after that an idle slot gets it. A worker says so with its first Sync
/// after the grant, of which there are three in a lease's time. It asks for no trial before its data set
/// is there, so no wait for data is in this time, and one for a checkpoint counts as running.
pub const BEGIN_WITHIN_MS: u64 = 2_000;
/// A worker that drains before one of its trials was seen to run for this long has trained none of
/// them. By then idle slots run beside whatever only seems to be trained.
pub const TRAINED_MS: u64 = 30_000;
/// What is held against a worker that left is forgotten after this long.
pub const FORGIVEN_AFTER_MS: u64 = 600_000;

/// With every worker in quarantine for this long the sweep is given up.
pub const QUARANTINE_PATIENCE_MS: u64 = 60_000;

/// Trials that one event cancels at most; the next ones follow at once.
pub const MAX_CANCELLED_AT_ONCE: usize = 10_000;
