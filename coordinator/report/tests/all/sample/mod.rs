//! A made-up sweep of any size: smooth in its hyperparameters, noisy in its seed, always the same.

pub(crate) mod awkward;

use report::input::{DatasetMeta, Done, Input, Layout, Provenance, State, Trial, WorkerInfo};
use sweep::{Axis, Cell, Compare, Condition, Filter, HeatmapSpec, Hypothesis, Objective, Phase};
use trainer::measures;
use trial::known::{
    GRAD_SAMPLES, GRADIENT_NORM, LEARNING_RATE, N_BACKTRACKS, PROBE_SAMPLES, TRAIN_ACCURACY,
    TRAIN_LOSS, VALID_ACCURACY, VALID_LOSS,
};
use trial::{
    Backtracks, Digest, Ending, EpochRecord, Parameter, Scale, StepSizes, Timing, Value, Work,
};

/// What varies; everything crossed with everything.
pub(crate) struct Shape {
    pub(crate) optimizers: Vec<&'static str>,
    pub(crate) learning_rates: Vec<f64>,
    pub(crate) batch_sizes: Vec<u64>,
    pub(crate) depths: Vec<usize>,
    pub(crate) n_seeds: u32,
    pub(crate) n_epochs: u32,
}

impl Shape {
    /// Two optimizers, five rates, three batch sizes, three depths, three seeds.
    pub(crate) fn usual() -> Self {
        Self {
            optimizers: vec!["backtracking", "sgd"],
            learning_rates: vec![0.01, 0.05, 0.1, 0.5, 1.0],
            batch_sizes: vec![32, 64, 128],
            depths: vec![1, 2, 3],
            n_seeds: 3,
            n_epochs: 10,
        }
    }
}

const WIDTHS: [u32; 5] = [256, 128, 64, 32, 16];
const N_TRAIN: u64 = 50_000;

pub(crate) fn input(shape: &Shape) -> Input {
    let mut trials = Vec::new();
    for optimizer in &shape.optimizers {
        for &learning_rate in &shape.learning_rates {
            for &batch_size in &shape.batch_sizes {
                for &depth in &shape.depths {
                    for seed in 1..=shape.n_seeds {
                        let place = Place { optimizer, learning_rate, batch_size, depth, seed };
                        trials.push(trial(&place, shape.n_epochs));
                    }
                }
            }
        }
    }
    let heatmap = |y| HeatmapSpec { x: "learning_rate", y, cell: Cell::Best };
    Input {
        name: "sample".into(),
        description: Some("A made-up sweep that shows what a report looks like.".into()),
        sweep_toml: "name = \"sample\"\n".into(),
        data: data(),
        layout: Layout { parameters: parameters(), measures: measures().clone(), is_told: false },
        axes: axes(shape),
        metric: Objective::VALID_ACCURACY,
        heatmaps: vec![heatmap("depth"), heatmap("batch_size")],
        hypotheses: hypotheses(shape),
        confirm_seeds: Vec::new(),
        trials,
        notes_on_copies: vec!["12 copies: sgd does not use momentum".into()],
        provenance: provenance(),
    }
}

fn data() -> DatasetMeta {
    DatasetMeta {
        name: "mnist".into(),
        digest: Digest([0x5f; 32]),
        n_train: N_TRAIN as u32,
        n_valid: 10_000,
        n_test: 10_000,
        n_inputs: 784,
        n_classes: 10,
        largest_valid_class_share: 0.1135,
        warnings: Vec::new(),
        scale: Scale::Unit,
    }
}

fn parameters() -> Vec<Parameter> {
    const NAMES: [&str; 6] =
        ["optimizer", "learning_rate", "batch_size", "hidden", "epochs", "shrink"];
    NAMES.map(parameter).to_vec()
}

pub(crate) fn parameter(name: &str) -> Parameter {
    *trainer::interface().parameter(name).expect("one of the trainer's")
}

fn axes(shape: &Shape) -> Vec<Axis> {
    let axis = |name, values| Axis { name, values };
    vec![
        axis("optimizer", shape.optimizers.iter().map(|o| Value::Text((*o).into())).collect()),
        axis("learning_rate", shape.learning_rates.iter().map(|x| Value::Number(*x)).collect()),
        axis("batch_size", shape.batch_sizes.iter().map(|n| Value::Count(*n)).collect()),
        axis("depth", shape.depths.iter().map(|d| Value::Count(*d as u64)).collect()),
    ]
}

fn hypotheses(shape: &Shape) -> Vec<Hypothesis> {
    let side = |name, value| Filter { conditions: vec![Condition { name, values: vec![value] }] };
    let text = |name: &str| Value::Text(name.into());
    let mut all = Vec::new();
    if let [better, than, ..] = shape.optimizers[..] {
        for compare in [Compare::Best, Compare::Matched] {
            all.push(Hypothesis {
                claim: format!("{better} beats {than}"),
                better: side("optimizer", text(better)),
                than: side("optimizer", text(than)),
                compare,
                margin: 0.0,
            });
        }
    }
    if let [shallow, .., deep] = shape.depths[..] {
        all.push(Hypothesis {
            claim: "deeper is better".into(),
            better: side("depth", Value::Count(deep as u64)),
            than: side("depth", Value::Count(shallow as u64)),
            compare: Compare::Matched,
            margin: 0.001,
        });
    }
    all
}

fn provenance() -> Provenance {
    Provenance {
        command: "coordinator --sweep sample.toml".into(),
        version: "0.1.0".into(),
        numerics_version: 1,
        wall_s: 1_093.4,
        n_attempts: 272,
        n_lost: 2,
        report_folder: None,
        n_starts: 1,
        workers: vec![WorkerInfo {
            name: "local-1".into(),
            isa: "avx512".into(),
            cpu: "Example CPU 9000".into(),
            n_slots: 2,
        }],
        n_conflicts: 0,
    }
}

struct Place<'a> {
    optimizer: &'a str,
    learning_rate: f64,
    batch_size: u64,
    depth: usize,
    seed: u32,
}

impl Place<'_> {
    fn is_line_search(&self) -> bool {
        self.optimizer == "backtracking"
    }

    /// A number from 0 to 1 that depends on the place (its optimizer aside) and `salt` alone.
    fn noise(&self, salt: u64) -> f64 {
        let mut z = self.learning_rate.to_bits()
            ^ (self.batch_size << 40)
            ^ ((self.depth as u64) << 20)
            ^ (u64::from(self.seed) << 8)
            ^ salt.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        for _ in 0..2 {
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^= z >> 31;
        }
        (z >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Tells the optimizers' ids and digests apart.
    fn own_salt(&self) -> u64 {
        self.optimizer.bytes().map(u64::from).sum::<u64>() * 1_000
    }

    fn diverges(&self) -> bool {
        !self.is_line_search()
            && self.learning_rate >= 1.0
            && (self.depth == 3 || (self.depth == 2 && self.noise(1) < 0.5))
    }

    /// Error rate after `epoch` epochs.
    fn error(&self, epoch: u32) -> f64 {
        let rate = self.learning_rate * 32.0 / self.batch_size as f64;
        let from_ideal = (libm::log(rate) - libm::log(0.1)).abs();
        let steepness = if self.is_line_search() && rate > 0.1 { 0.05 } else { 0.22 };
        let floor = 0.0165 * (1.0 + steepness * from_ideal * from_ideal / 2.0)
            + 0.004 / self.depth as f64
            + 0.0012 * self.noise(7);
        floor + 0.22 * libm::exp(-f64::from(epoch) * (0.6 + rate.min(0.3)))
    }
}

fn trial(place: &Place<'_>, n_epochs: u32) -> Trial {
    let word = |i: u64| (place.noise(i + 100 + place.own_salt()) * 4e9) as u32;
    Trial {
        id: (0..8)
            .map(|i| format!("{:08x}", word(i)))
            .collect::<String>()
            .parse()
            .expect("hex digits"),
        phase: Phase::Grid,
        values: vec![
            Some(Value::Text(place.optimizer.into())),
            Some(Value::Number(place.learning_rate)),
            Some(Value::Count(place.batch_size)),
            Some(Value::Widths(WIDTHS[..place.depth].to_vec())),
            Some(Value::Count(n_epochs.into())),
            place.is_line_search().then_some(Value::Number(0.5)),
        ],
        seed: place.seed,
        state: State::Done(Box::new(done(place, n_epochs))),
    }
}

fn done(place: &Place<'_>, n_epochs: u32) -> Done {
    let n_complete = if place.diverges() { 1.min(n_epochs) } else { n_epochs };
    let history: Vec<EpochRecord> = (1..=n_complete).map(|epoch| epoch_of(place, epoch)).collect();
    Done {
        ending: ending(place, &history),
        work: work(place, &history),
        digest: format!("{:016x}", (place.noise(place.own_salt()) * 1e18) as u64)
            .repeat(4)
            .parse()
            .expect("hex digits"),
        timings: (1..=n_complete).map(|epoch| timing(place, epoch)).collect(),
        history,
    }
}

fn ending(place: &Place<'_>, history: &[EpochRecord]) -> Ending {
    let best = history.iter().max_by(|a, b| {
        a[VALID_ACCURACY]
            .total_cmp(&b[VALID_ACCURACY])
            .then(b[VALID_LOSS].total_cmp(&a[VALID_LOSS]))
            .then(b.epoch.cmp(&a.epoch))
    });
    match best {
        Some(best) if !place.diverges() => Ending::Completed {
            best_epoch: best.epoch,
            test_accuracy: Some(round(best[VALID_ACCURACY] - 0.0015 + 0.002 * place.noise(11))),
            collapsed: false,
        },
        _ => Ending::Diverged { step: 2_041, last_finite_loss: Some(8.25e17) },
    }
}

fn work(place: &Place<'_>, history: &[EpochRecord]) -> Work {
    let grad_samples = N_TRAIN * history.len() as u64;
    let probe_samples: u64 = history.iter().map(|epoch| epoch[PROBE_SAMPLES]).sum();
    let macs = (grad_samples * 3 + probe_samples) * 200_000 * (1 + place.depth as u64) / 2;
    Work {
        n_steps: N_TRAIN.div_ceil(place.batch_size) * history.len() as u64,
        grad_samples,
        probe_samples,
        macs_textbook: macs,
        macs_executed: macs * 2 / 3,
        backtracks: place.is_line_search().then_some(Backtracks {
            mean: place.learning_rate * 1.3,
            p95: 3,
            max: 9,
        }),
        steps_without_step: 0,
    }
}

fn timing(place: &Place<'_>, epoch: u32) -> Timing {
    let slowdown = if place.is_line_search() { 1.45 } else { 1.0 };
    let cpu_s = (0.3 + 0.12 * place.depth as f64)
        * (1.0 + 12.0 / place.batch_size as f64)
        * slowdown
        * (0.95 + 0.1 * place.noise(u64::from(epoch) + 50));
    Timing {
        epoch,
        wall_s: cpu_s * 1.02,
        cpu_s,
        worker: "local-1".into(),
        isa: "avx512".into(),
        attempt: 1,
        n_slots_in_use: 2,
    }
}

fn epoch_of(place: &Place<'_>, epoch: u32) -> EpochRecord {
    let error = place.error(epoch);
    let valid_error = error + 0.0006 * place.noise(u64::from(epoch));
    let learned = 0.012 * (1.0 - libm::exp(-0.3 * f64::from(epoch)));
    let train_error = (error - learned).max(0.0008);
    let step = place.learning_rate * libm::pow(0.9, epoch.into());
    let searched = |x: f64| if place.is_line_search() { x as u64 } else { 0 };
    let mut record = EpochRecord::new(measures(), epoch);
    record[TRAIN_LOSS] = round(train_error * 3.2);
    record[TRAIN_ACCURACY] = round(1.0 - train_error);
    record[VALID_LOSS] = round(valid_error * 3.4 + 0.0015 * f64::from(epoch));
    record[VALID_ACCURACY] = round(1.0 - valid_error);
    record[LEARNING_RATE] = place.learning_rate;
    let steps = StepSizes { min: step / 16.0, median: step / 2.0, max: place.learning_rate };
    StepSizes::put(place.is_line_search().then_some(steps), &mut record);
    record[N_BACKTRACKS] = searched(place.learning_rate * 2_000.0);
    record[GRADIENT_NORM] = round(0.3 + place.noise(3));
    record[GRAD_SAMPLES] = N_TRAIN;
    record[PROBE_SAMPLES] = searched(N_TRAIN as f64 * (1.0 + place.learning_rate));
    record
}

/// Accuracies are counts over 10,000 samples.
fn round(x: f64) -> f64 {
    (x * 10_000.0).round() / 10_000.0
}
