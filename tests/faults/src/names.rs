//! The names of all faults.

/// Every point at which a process can be killed, in the order of a sweep's life.
pub const POINTS: [&str; 43] = [
    "coordinator.schema.before",
    "coordinator.schema.written",
    "coordinator.schema.committed",
    "coordinator.term.before",
    "coordinator.meta.written",
    "coordinator.term.saved",
    "worker.join.before",
    "coordinator.batch.before",
    "coordinator.batch.written",
    "coordinator.batch.committed",
    "coordinator.reply.before",
    "coordinator.reply.sent",
    "worker.join.answered",
    "worker.dataset.part",
    "worker.dataset.renamed",
    "worker.sync.before",
    "worker.sync.answered",
    "worker.file.before",
    "worker.file.written",
    "worker.file.synced",
    "worker.file.renamed",
    "worker.checkpoint.before_publish",
    "coordinator.checkpoint.before",
    "coordinator.checkpoint.written",
    "coordinator.checkpoint.synced",
    "coordinator.checkpoint.renamed",
    "coordinator.checkpoint.kept",
    "coordinator.checkpoint.shed",
    "worker.checkpoint.published",
    "worker.checkpoint.fetched",
    "worker.checkpoint.adopted",
    "worker.outcome.fresh",
    "worker.spool.before",
    "worker.spool.written",
    "worker.spool.synced",
    "coordinator.batch.outcome_row",
    "worker.spool.before_drop",
    "worker.spool.dropped",
    "coordinator.end.before",
    "coordinator.end.saved",
    "coordinator.report.built",
    "coordinator.report.renamed",
    "coordinator.report.moved",
];

/// Every place where a thread can hang.
pub const HANGS: [&str; 3] = [
    // A commit, as on a disk that does not answer.
    "hang.coordinator.commit",
    // A slot that has begun a trial, as one whose disk does not answer.
    "hang.worker.slot",
    // The spool's disk, which does not answer.
    "hang.worker.spool",
];
