//! What `coordinator plan` tells of a sweep file before anything runs.

use std::time::Duration;

use sweep::{Plan, display};
use worker::duration;

use crate::view::terminal::{grouped, n_of, printable, table, table_with_header};

/// Multiply-adds that a core is taken to make in a second of training. Machines differ by several
/// times (an AVX-512 server core of 2023 makes about this many): a running sweep's estimate uses
/// what it measured instead.
const ASSUMED_MACS_PER_S: f64 = 2.5e10;

/// Trials that are shown.
const N_FIRST_TRIALS: usize = 5;

/// Values of an axis that are shown, and of the seeds.
const N_VALUES_SHOWN: usize = 12;

/// This machine, as far as a plan is about it.
pub struct Machine {
    /// They share the work.
    pub n_slots: usize,
    /// `None` where the system does not tell.
    pub memory_bytes: Option<u64>,
}

/// Trials, axes, what was dropped and why, cost and the first few trials. `warnings` are sentences on
/// the data.
pub fn plan(plan: &Plan, machine: &Machine, warnings: &[String]) -> String {
    let mut text = printable(&plan.name);
    if let Some(description) = &plan.description {
        text += &format!(": {}", printable(description));
    }
    text += "\n\n";
    text += &counts(plan);
    text += &format!("\naxes\n{}\n", axes(plan));
    text += &dropped(plan);
    text += &warned(warnings);
    text += &format!("\ncost\n{}{}", cost(plan, machine.n_slots), memory(plan, machine));
    text += &format!("\nfirst trials\n{}\n", first_trials(plan));
    text
}

fn counts(plan: &Plan) -> String {
    let seeds: Vec<String> = plan.seeds.iter().map(ToString::to_string).collect();
    format!(
        "{}: {}, each with {} ({})\n{}split: {} rows train, {} validate\n",
        n_of(plan.trials.len(), "trial"),
        n_of(plan.points.len(), "point"),
        n_of(seeds.len(), "seed"),
        shortened(&seeds),
        confirm(plan),
        grouped(plan.split.n_train.into()),
        grouped(plan.split.n_valid.into()),
    )
}

fn warned(warnings: &[String]) -> String {
    let lines = warnings.iter().map(|text| format!(" {}\n", printable(text)));
    if warnings.is_empty() {
        String::new()
    } else {
        format!("\nwarnings\n{}", lines.collect::<String>())
    }
}

/// Estimated memory of a worker with all slots, beside what the machine has.
fn memory(plan: &Plan, machine: &Machine) -> String {
    let (slot, data) = (plan.slot_bytes(), plan.data_bytes());
    let n_slots = machine.n_slots.max(1);
    let all = data.saturating_add(slot.saturating_mul(n_slots as u64));
    let mut text = format!(
        " memory: up to {} a slot and {} for the data, {} in all for {}",
        size(slot),
        size(data),
        size(all),
        n_of(n_slots, "slot"),
    );
    if let Some(memory_bytes) = machine.memory_bytes {
        text += &format!("; this machine has {}", size(memory_bytes));
        if all > memory_bytes {
            text += ", which is too little: use fewer slots (--local-slots), or larger machines";
        }
    }
    text + "\n"
}

/// `12 MB`, `3.4 GB`.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// What follows the grid; empty if nothing does.
fn confirm(plan: &Plan) -> String {
    let seeds = plan.confirm_seeds();
    if seeds.is_empty() {
        return String::new();
    }
    format!(
        "then at most {}: the best points ({} or fewer), each with {} ({})\n",
        n_of(plan.n_confirm_max(), "confirm trial"),
        plan.contests().len(),
        n_of(seeds.len(), "fresh seed"),
        match seeds.len() {
            1 => seeds.start.to_string(),
            _ => format!("{} to {}", seeds.start, seeds.end - 1),
        },
    )
}

fn axes(plan: &Plan) -> String {
    let rows: Vec<[String; 3]> = plan
        .axes
        .iter()
        .map(|axis| {
            let values: Vec<String> = axis.values.iter().map(display).collect();
            [axis.name.to_owned(), n_of(values.len(), "value"), shortened(&values)]
        })
        .collect();
    table(rows.iter().map(<[String; 3]>::as_slice))
}

/// What the file names but does not run; empty if it runs all.
fn dropped(plan: &Plan) -> String {
    let mut text = String::new();
    for sentence in plan.dropped() {
        text += &format!(" {sentence}\n");
    }
    if plan.n_excluded > 0 {
        text += &format!(" left out by [[grid.exclude]]: {}\n", grouped(plan.n_excluded));
    }
    if text.is_empty() { text } else { format!("\ndropped\n{text}") }
}

fn cost(plan: &Plan, n_slots: usize) -> String {
    let grid: f64 = plan.trials.iter().map(|trial| plan.cost_macs(trial.point as usize)).sum();
    let macs = grid + confirm_cost_macs(plan);
    let wall_s = macs / ASSUMED_MACS_PER_S / n_slots.max(1) as f64;
    let wall = Duration::try_from_secs_f64(wall_s).unwrap_or(Duration::MAX);
    format!(
        " about {macs:.1e} multiply-adds; as a rough estimate {} on {}, if each makes {} billion \
         a second\n",
        if wall.as_millis() == 0 { "under 1ms".to_owned() } else { duration::rounded(wall) },
        n_of(n_slots, "slot"),
        ASSUMED_MACS_PER_S / 1e9,
    )
}

/// As if the best points cost what those do on average that they may turn out to be.
fn confirm_cost_macs(plan: &Plan) -> f64 {
    let mean = |points: Vec<u32>| {
        let sum: f64 = points.iter().map(|&point| plan.cost_macs(point as usize)).sum();
        sum / points.len() as f64
    };
    plan.contests().into_iter().map(mean).sum::<f64>() * plan.confirm_seeds().len() as f64
}

fn first_trials(plan: &Plan) -> String {
    let names = plan.axes.iter().map(|axis| axis.name.to_owned());
    let header = ["trial".to_owned()].into_iter().chain(names).chain(["seed".to_owned()]);
    let mut rows: Vec<Vec<String>> = vec![header.collect()];
    for trial in plan.trials.iter().take(N_FIRST_TRIALS) {
        let value = |name| plan.value(trial.point as usize, name).as_ref().map(display);
        let values = plan.axes.iter().map(|axis| value(axis.name).unwrap_or_default());
        let id = trial.id.to_string()[..8].to_owned();
        rows.push([id].into_iter().chain(values).chain([trial.seed.to_string()]).collect());
    }
    let mut text = table_with_header(rows.iter().map(Vec::as_slice));
    if plan.trials.len() > N_FIRST_TRIALS {
        text += &format!("\n and {} more", grouped((plan.trials.len() - N_FIRST_TRIALS) as u64));
    }
    text
}

/// `1, 2, 3`; from a long list the first ones and the last.
fn shortened(values: &[String]) -> String {
    match values {
        [.., last] if values.len() > N_VALUES_SHOWN => {
            format!("{}, ..., {last}", values[..N_VALUES_SHOWN - 2].join(", "))
        }
        _ => values.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use sweep::{self, DatasetMeta};

    use super::*;

    const FILE: &str = r#"
name = "small"
description = "two optimizers"
[dataset]
name = "mnist"
train = 10_000
valid = 5_000
[model]
widths = [32, 16]
[[grid]]
optimizer = ["sgd", "momentum"]
learning_rate = [0.01, 0.1]
batch_size = [32]
depth = [1, 2]
momentum = [0.8, 0.9]
[[grid.exclude]]
optimizer = "momentum"
depth = 2
[seeds]
n = 14
"#;

    fn small() -> Plan {
        planned(FILE)
    }

    fn planned(source: &str) -> Plan {
        let file = sweep::parse(source, trainer::interface()).expect("a valid file");
        let facts = DatasetMeta {
            digest: trial::Digest([0; 32]),
            n_train_rows: 60_000,
            n_test_rows: 10_000,
            n_inputs: 784,
            n_classes: 10,
            nonzero_share: 0.2,
        };
        sweep::plan(&file, &facts).expect("a valid plan")
    }

    #[test]
    fn tells_all_that_would_run() {
        let warnings = ["class 3 never trains".to_owned()];
        let text = plan(&small(), &machine(), &warnings);
        for part in [
            "small: two optimizers\n",
            "112 trials: 8 points, each with 14 seeds (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ..., 14)\n",
            "split: 10,000 rows train, 5,000 validate\n",
            " depth          2 values  1, 2",
            " momentum is not used by sgd: 4 copies\n",
            " left out by [[grid.exclude]]: 4\n",
            "multiply-adds; as a rough estimate",
            "on 2 slots",
            "\nwarnings\n class 3 never trains\n",
            " memory: up to 1 MB a slot and 175 MB for the data, 179 MB in all for 2 slots; this machine has 4.0 GB\n",
            "and 107 more",
        ] {
            assert!(text.contains(part), "`{part}` in:\n{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
    }

    fn machine() -> Machine {
        Machine { n_slots: 2, memory_bytes: Some(4_000_000_000) }
    }

    #[test]
    fn too_little_memory_is_told() {
        let little = Machine { n_slots: 2, memory_bytes: Some(20_000_000) };
        let text = plan(&small(), &little, &[]);
        assert!(text.contains("this machine has 20 MB, which is too little"), "{text}");
        assert!(!text.contains("warnings"));
        let unknown = plan(&small(), &Machine { n_slots: 1, memory_bytes: None }, &[]);
        assert!(unknown.contains("in all for 1 slot\n"), "{unknown}");
    }

    #[test]
    fn what_may_follow_the_grid_is_told_and_costs() {
        let confirmed = planned(&format!("{FILE}[confirm]\nseeds = 10\n"));
        let text = plan(&confirmed, &machine(), &[]);
        let line = "then at most 20 confirm trials: the best points (2 or fewer), each with 10 fresh seeds \
                    (1000001 to 1000010)\n";
        assert!(text.contains(line), "{text}");
        assert!(!plan(&small(), &machine(), &[]).contains("confirm"));
        // Two mean points with ten seeds beside eight points with fourteen.
        let share = confirm_cost_macs(&confirmed) / (cost_of_grid(&confirmed) / 112.0 * 20.0);
        assert!((share - 1.0).abs() < 1e-9, "{share}");
    }

    fn cost_of_grid(plan: &Plan) -> f64 {
        plan.grid().iter().map(|trial| plan.cost_macs(trial.point as usize)).sum()
    }

    #[test]
    fn more_slots_take_less_time() {
        let plan = small();
        let estimate = |n_slots| {
            let text = cost(&plan, n_slots);
            text.split_once(" on ").map(|(before, _)| before.to_owned())
        };
        assert_ne!(estimate(1), estimate(4));
        assert_eq!(estimate(0), estimate(1));
    }
}
