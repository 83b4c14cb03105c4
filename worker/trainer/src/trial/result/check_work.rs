//! The rules of counted work: each number of a result follows from its steps, its probes and the
//! shape of its network, exactly or within what they leave open.

use trial::known::{N_BACKTRACKS, PROBE_SAMPLES};
use trial::{
    Backtracks, Breach, DataShape, Ending, EpochRecord, StepSizes, Work, between, exactly,
    finite_and_not_negative,
};

use super::check::n_batches;
use crate::config::TrainConfig;
use crate::reference::uses_gram_form;

/// What a trial's counts follow from.
struct Forms {
    batch_size: u64,
    n_train: u64,
    /// Steps of a whole epoch.
    n_batches: u64,
    /// Most probes of a line search's step; 0 for other optimizers.
    max_probes: u64,
    is_line_search: bool,
    n_inputs: u64,
    first_width: u64,
    /// Weights of the first layer, and of all above.
    first: u64,
    above: u64,
    gram: bool,
}

/// Whole numbers from a least to a largest.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    low: u64,
    high: u64,
}

impl Forms {
    fn new(config: &TrainConfig, data: &DataShape) -> Self {
        let hidden = config.hidden.iter().map(|&width| u64::from(width));
        let sizes: Vec<u64> = [data.n_inputs.into()]
            .into_iter()
            .chain(hidden)
            .chain([data.n_classes.into()])
            .collect();
        let macs: Vec<u64> = sizes.windows(2).map(|pair| pair[0] * pair[1]).collect();
        Self {
            batch_size: config.batch_size.max(1).into(),
            n_train: data.n_train.into(),
            n_batches: n_batches(config, data),
            max_probes: config.optimizer.max_probes().unwrap_or(0).into(),
            is_line_search: config.optimizer.kind().is_line_search(),
            n_inputs: data.n_inputs.into(),
            first_width: sizes[1],
            first: macs[0],
            above: macs[1..].iter().sum(),
            gram: uses_gram_form(config.batch_size as usize, data.n_inputs as usize),
        }
    }

    fn n_full_batches(&self) -> u64 {
        self.n_train / self.batch_size
    }

    /// Samples of the short batch at an epoch's end; 0 if all are full.
    fn n_rest(&self) -> u64 {
        self.n_train % self.batch_size
    }

    /// Samples of the first steps of an epoch.
    fn samples(&self, n_steps: u64) -> u64 {
        u64::min(n_steps * self.batch_size, self.n_train)
    }

    /// Sum of the squared batch sizes of the first steps of an epoch.
    fn squares(&self, n_steps: u64) -> u128 {
        let square = |n: u64| u128::from(n) * u128::from(n);
        let n_full = u64::min(n_steps, self.n_full_batches());
        let rest = if n_steps > n_full { square(self.n_rest()) } else { 0 };
        u128::from(n_full) * square(self.batch_size) + rest
    }

    /// How many steps were accepted in a whole epoch whose probes read this many samples and of which
    /// this many were refused; `None` if no probes can come to that.
    fn n_accepted(&self, probe_samples: u64, n_backtracks: u64) -> Option<Span> {
        let n_full = self.n_full_batches();
        let rest_probes = if self.n_rest() > 0 { self.max_probes } else { 0 };
        let mut span: Option<Span> = None;
        for n_rest_probes in 0..=rest_probes {
            let rest_samples = n_rest_probes * self.n_rest();
            let Some(full_samples) = probe_samples.checked_sub(rest_samples) else { break };
            let n_full_probes = full_samples / self.batch_size;
            let is_whole = full_samples % self.batch_size == 0;
            if !is_whole || n_full_probes > n_full * self.max_probes {
                continue;
            }
            // Each step accepts at most one of its probes.
            let n_accepted = (n_full_probes + n_rest_probes).checked_sub(n_backtracks);
            let Some(n) = n_accepted.filter(|&n| n <= self.n_batches) else { continue };
            let low = span.map_or(n, |span| u64::min(span.low, n));
            let high = span.map_or(n, |span| u64::max(span.high, n));
            span = Some(Span { low, high });
        }
        span
    }
}

/// Against the ending and the epochs that it led to, which are as they must be.
pub(crate) fn check_work(
    work: &Work,
    ending: &Ending,
    history: &[EpochRecord],
    config: &TrainConfig,
    data: &DataShape,
) -> Result<(), Breach> {
    let forms = Forms::new(config, data);
    let n_epochs = history.len() as u64;
    let n_extra = check_steps(work, ending, n_epochs, &forms)?;
    let extra_samples = forms.samples(n_extra);
    exactly("grad_samples", work.grad_samples, &(n_epochs * forms.n_train + extra_samples))?;
    let mut n_accepted = Span { low: 0, high: n_extra };
    for record in history {
        let of_epoch = check_probes(record, &forms)?;
        n_accepted.low += of_epoch.low;
        n_accepted.high += of_epoch.high;
    }
    let sum = |of: fn(&EpochRecord) -> u64| history.iter().map(of).sum::<u64>();
    let probe_samples = sum(|record| record[PROBE_SAMPLES]);
    let most = probe_samples + extra_samples * forms.max_probes;
    between("probe_samples", work.probe_samples, &probe_samples, &most)?;
    check_macs(work, ending, n_epochs, n_extra, &forms)?;
    let n_backtracks = sum(|record| record[N_BACKTRACKS]);
    let most = n_backtracks + n_extra * forms.max_probes;
    check_backtracks(work, Span { low: n_backtracks, high: most }, &forms)?;
    if !forms.is_line_search {
        return exactly("steps_without_step", work.steps_without_step, &0);
    }
    let (least, most) = (work.n_steps - n_accepted.high, work.n_steps - n_accepted.low);
    between("steps_without_step", work.steps_without_step, &least, &most)
}

/// Against the epochs so far of a trial that goes on.
pub(crate) fn check_so_far(
    work: &Work,
    history: &[EpochRecord],
    config: &TrainConfig,
    data: &DataShape,
) -> Result<(), Breach> {
    // It may diverge at the next step.
    let step = history.len() as u64 * n_batches(config, data) + 1;
    let ending = Ending::Diverged { step, last_finite_loss: None };
    check_work(work, &ending, history, config, data)?;
    exactly("n_steps", work.n_steps, &(step - 1))
}

/// Gives the steps that were made in an epoch that did not come to its end.
fn check_steps(work: &Work, ending: &Ending, n_epochs: u64, forms: &Forms) -> Result<u64, Breach> {
    let n_before = n_epochs * forms.n_batches;
    match *ending {
        Ending::Completed { .. } => exactly("n_steps", work.n_steps, &n_before)?,
        // Only what shows at an epoch's end has made its last step.
        Ending::Diverged { step, .. } if step == n_before + forms.n_batches => {
            between("n_steps", work.n_steps, &(step - 1), &step)?;
        }
        Ending::Diverged { step, .. } => exactly("n_steps", work.n_steps, &(step - 1))?,
    }
    Ok(work.n_steps - n_before)
}

fn check_macs(
    work: &Work,
    ending: &Ending,
    n_epochs: u64,
    n_extra: u64,
    forms: &Forms,
) -> Result<(), Breach> {
    let [first, above] = [forms.first, forms.above].map(u128::from);
    let [grad, probe] = [work.grad_samples, work.probe_samples].map(u128::from);
    let textbook = grad * (2 * first + 3 * above) + probe * (first + above);
    exactly("macs_textbook", u128::from(work.macs_textbook), &textbook)?;
    let squares = u128::from(n_epochs) * forms.squares(forms.n_batches) + forms.squares(n_extra);
    let width = u128::from(forms.first_width);
    let gram = match forms.is_line_search && forms.gram {
        true => squares * (u128::from(forms.n_inputs) + 2 * width),
        false => 0,
    };
    // Besides, each input that is read costs its row of the first layer's weights, forward and
    // backward, and once more where a line search without a Gram matrix finds its line.
    let n_passes = if forms.is_line_search && !forms.gram { 3 } else { 2 };
    let fixed = gram + 3 * grad * above + probe * above;
    let executed = u128::from(work.macs_executed);
    between("macs_executed", executed, &fixed, &(fixed + n_passes * grad * first))?;
    let is_completed = matches!(ending, Ending::Completed { .. });
    // Every epoch of a completed trial reads each row once.
    let n_times = if is_completed { u128::from(n_epochs) } else { 1 };
    let (read, each) = (executed - fixed, n_passes * width * n_times);
    // Without an epoch nothing is read.
    let n_read = read.checked_div(each).unwrap_or(0);
    let n_all = u128::from(forms.n_train) * u128::from(forms.n_inputs);
    let is_form = n_read == n_all || 2 * n_read <= n_all;
    if n_read * each != read || is_completed && !is_form {
        let expected = "what reading the same inputs in every epoch comes to";
        return Err(Breach::new("macs_executed", work.macs_executed, expected));
    }
    Ok(())
}

fn check_backtracks(work: &Work, n_backtracks: Span, forms: &Forms) -> Result<(), Breach> {
    let is_expected = forms.is_line_search && work.n_steps > 0;
    let Some(Backtracks { mean, p95, max }) = work.backtracks else {
        let expected = "a mean, since a line search made steps";
        let missing = Breach::or_none("backtracks_mean", None, expected);
        return if is_expected { Err(missing) } else { Ok(()) };
    };
    if !is_expected {
        let expected = "none without a step of a line search";
        return Err(Breach::new("backtracks_mean", mean, expected));
    }
    finite_and_not_negative("backtracks_mean", mean)?;
    let n_steps = work.n_steps as f64;
    let [least, most] = [n_backtracks.low, n_backtracks.high].map(|n| n as f64 / n_steps);
    between("backtracks_mean", mean, &least, &most)?;
    let n_refused = (mean * n_steps).round();
    if n_refused / n_steps != mean {
        let expected = format!("a whole number of backtracks over {} steps", work.n_steps);
        return Err(Breach::new("backtracks_mean", mean, expected));
    }
    // The largest is one step's, and no step has more.
    let least = (n_refused / n_steps).ceil() as u64;
    let most = u64::min(forms.max_probes, n_refused as u64);
    between("backtracks_max", u64::from(max), &least, &most)?;
    between("backtracks_p95", p95, &0, &max)?;
    // More than a twentieth of the steps have as many as the percentile, and no more than that
    // have more.
    let (n_above, n_all) = (u128::from(work.n_steps / 20), u128::from(work.n_steps));
    let least = u128::from(p95) * (n_above + 1);
    let most = u128::from(p95) * (n_all - n_above) + u128::from(max) * n_above;
    if !(least..=most).contains(&(n_refused as u128)) {
        let expected = format!("a count for {n_refused} backtracks in {n_all} steps");
        return Err(Breach::new("backtracks_p95", p95, expected));
    }
    Ok(())
}

/// Gives how many steps of the epoch can have been accepted.
fn check_probes(record: &EpochRecord, forms: &Forms) -> Result<Span, Breach> {
    let of = |field: &str| format!("{field} of epoch {}", record.epoch);
    let most = forms.n_batches * forms.max_probes;
    between(of("n_backtracks"), record[N_BACKTRACKS], &0, &most)?;
    between(of("probe_samples"), record[PROBE_SAMPLES], &0, &(forms.n_train * forms.max_probes))?;
    if !forms.is_line_search {
        return Ok(Span::default());
    }
    let Some(span) = forms.n_accepted(record[PROBE_SAMPLES], record[N_BACKTRACKS]) else {
        let expected = format!("what whole probes with {} backtracks read", record[N_BACKTRACKS]);
        return Err(Breach::new(of("probe_samples"), record[PROBE_SAMPLES], expected));
    };
    match StepSizes::of(record) {
        Some(steps) if span.high == 0 => {
            let expected = "none, since every probe was refused";
            Err(Breach::new(of("step_min"), steps.min, expected))
        }
        None if span.low > 0 => {
            Err(Breach::or_none(of("step_min"), None, "a step, since probes were accepted"))
        }
        Some(_) => Ok(Span { low: u64::max(span.low, 1), ..span }),
        None => Ok(Span { high: 0, ..span }),
    }
}
