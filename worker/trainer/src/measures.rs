//! The measures that the trainer gives with each epoch. A new one takes its declaration here, optional
//! and last, and the line in `trial/trainer` that computes it.

use std::sync::{Arc, LazyLock};

use trial::known as k;
use trial::{Goal, InResults, Measure};

/// In the order of the columns.
static DECLARED: [Measure; 12] = [
    Measure::number(k::TRAIN_LOSS.0, "Mean training loss, each sample before its update.")
        .with_goal(Goal::Minimize)
        .in_results(InResults::Final),
    Measure::number(k::TRAIN_ACCURACY.0, "Share of the training rows that were right.")
        .with_goal(Goal::Maximize)
        .share()
        .in_results(InResults::Final),
    Measure::number(k::VALID_LOSS.0, "Mean loss over the validation rows; 0 without any.")
        .with_goal(Goal::Minimize)
        .in_results(InResults::BestAndFinal),
    Measure::number(k::VALID_ACCURACY.0, "Share of the validation rows that are right.")
        .with_goal(Goal::Maximize)
        .share()
        .in_results(InResults::BestAndFinal),
    Measure::number(k::LEARNING_RATE.0, "The rate of the epoch's last step."),
    Measure::number(k::STEP_MIN.0, "The least step that the line search accepted.").optional(),
    Measure::number(k::STEP_MEDIAN.0, "The lower median of the accepted steps.").optional(),
    Measure::number(k::STEP_MAX.0, "The largest step that the line search accepted.").optional(),
    Measure::count(k::N_BACKTRACKS.0, "Probes that the line search refused."),
    Measure::number(k::GRADIENT_NORM.0, "Norm of the gradient of the epoch's last batch."),
    Measure::count(k::GRAD_SAMPLES.0, "Samples whose gradient was computed."),
    Measure::count(k::PROBE_SAMPLES.0, "Samples on which a probe's loss was computed."),
];

/// The first of them are part of a trial's digest. It cannot cover a later one: a digest of a former
/// build would be another.
pub(crate) const N_IN_DIGEST: usize = 12;

/// What trials measured when states and reports did not tell it: the first ones of today.
pub fn untold_measures() -> &'static Arc<[Measure]> {
    static SHARED: LazyLock<Arc<[Measure]>> = LazyLock::new(|| measures()[..N_IN_DIGEST].into());
    &SHARED
}

/// What is declared, for records and tables.
pub fn measures() -> &'static Arc<[Measure]> {
    static SHARED: LazyLock<Arc<[Measure]>> =
        LazyLock::new(|| trial::declared(DECLARED.to_vec()).expect("names that tables can have"));
    &SHARED
}
