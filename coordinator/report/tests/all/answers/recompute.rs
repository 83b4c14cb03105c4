//! The headline numbers of the page, computed again from the Parquet files beside it by plain polars
//! calls and found in the page as they are printed.

use std::io::Cursor;
use std::sync::LazyLock;

use polars::prelude::*;
use polars_io::parquet::read::ParquetReader;
use polars_io::prelude::SerReader;
use report::input::Input;

use super::{FRESH, GRID, confirmed};
use crate::built::{Files, build, text};
use crate::sample::{Shape, input};

/// What a diverged trial counts as: the share of the largest class, which the notes state.
const CHANCE: f64 = 0.1135;

/// Quantile of Student's t with 2 degrees of freedom, for the sample's three seeds (R: `qt(0.975, 2)`).
const T_QUANTILE: f64 = 4.302652729911275;

const POINT: [&str; 4] = ["optimizer", "learning_rate", "batch_size", "depth"];

struct Report {
    page: String,
    /// With `score`: the metric as it counts.
    results: LazyFrame,
    history: LazyFrame,
    timings: LazyFrame,
}

static REPORT: LazyLock<Report> = LazyLock::new(|| Report::of(&input(&Shape::usual())));

fn table(files: &Files, name: &str) -> LazyFrame {
    let bytes = files[&format!("{name}.parquet")].clone();
    ParquetReader::new(Cursor::new(bytes)).finish().unwrap().lazy()
}

impl Report {
    fn of(input: &Input) -> Self {
        let (_, files) = build(input);
        let score = when(col("outcome").eq(lit("diverged")))
            .then(lit(CHANCE))
            .otherwise(col("best_valid_accuracy"));
        Self {
            page: text(&files, "report.md").to_string(),
            results: table(&files, "results").with_column(score.alias("score")),
            history: table(&files, "history"),
            timings: table(&files, "timings"),
        }
    }

    #[track_caller]
    fn says(&self, sentence: &str) {
        assert!(self.page.contains(sentence), "{sentence:?} in\n{}", self.page);
    }

    /// The best point of each optimizer, the best one first.
    fn best_points(&self) -> LazyFrame {
        let order = SortMultipleOptions::default()
            .with_order_descending_multi([true, false])
            .with_maintain_order(true);
        self.results
            .clone()
            .group_by_stable(POINT.map(col))
            .agg([
                col("score").mean().alias("mean"),
                col("score").std(1).alias("sd"),
                col("test_accuracy").mean().alias("test"),
                col("test_accuracy").std(1).alias("test_sd"),
                col("best_valid_loss").mean().alias("loss"),
            ])
            .sort(["mean", "loss"], order)
            .unique_stable(Some(by_name(["optimizer"], true, false)), UniqueKeepStrategy::First)
    }

    /// Rows of an optimizer's trials with confirm seeds.
    fn confirmed(&self, optimizer: &str) -> LazyFrame {
        let is_meant = col("phase").eq(lit("confirm")).and(col("optimizer").eq(lit(optimizer)));
        self.results.clone().filter(is_meant)
    }

    /// Rows of the trials that belong to an optimizer's best point.
    fn of_best(&self, optimizer: &str) -> LazyFrame {
        let best = self.best_points().filter(col("optimizer").eq(lit(optimizer)));
        self.results.clone().join(best, POINT.map(col), POINT.map(col), JoinType::Inner.into())
    }
}

/// The number in the first row.
fn number(frame: &DataFrame, name: &str) -> f64 {
    frame.column(name).unwrap().cast(&DataType::Float64).unwrap().f64().unwrap().get(0).unwrap()
}

fn word(frame: &DataFrame, name: &str) -> String {
    frame.column(name).unwrap().str().unwrap().get(0).unwrap().to_string()
}

fn half_interval(sd: f64) -> f64 {
    T_QUANTILE * sd / 3.0_f64.sqrt()
}

#[test]
fn the_best_configuration() {
    let report = &*REPORT;
    let best = report.best_points().limit(1).collect().unwrap();
    report.says(&format!(
        "**Best configuration: {}, learning rate {}, batch size {}, depth {}.** Mean validation accuracy \
         **{:.2} % ± {:.2}** over 3 seeds",
        word(&best, "optimizer"),
        number(&best, "learning_rate"),
        number(&best, "batch_size"),
        number(&best, "depth"),
        100.0 * number(&best, "mean"),
        100.0 * half_interval(number(&best, "sd")),
    ));
    report.says(&format!(
        "test accuracy is **{:.2} % ± {:.2}** (mean over 3 seeds)",
        100.0 * number(&best, "test"),
        100.0 * half_interval(number(&best, "test_sd")),
    ));
}

/// Mean and sd of the seeds' differences between two sides, those of matched trials averaged within a
/// seed; in points.
fn gains(better: LazyFrame, than: LazyFrame, matched: &[&str]) -> (f64, f64) {
    let keys: Vec<Expr> = matched.iter().map(|name| col(*name)).collect();
    let frame = better
        .join(than, keys.clone(), keys, JoinType::Inner.into())
        .group_by_stable([col("seed")])
        .agg([(col("score") - col("score_right")).mean().alias("gain")])
        .select([col("gain").mean().alias("mean"), col("gain").std(1).alias("sd")])
        .collect()
        .unwrap();
    (100.0 * number(&frame, "mean"), 100.0 * number(&frame, "sd"))
}

fn effect((mean, sd): (f64, f64)) -> String {
    let half = half_interval(sd);
    format!("effect {mean:+.2} pt, interval {:+.2} pt to {:+.2} pt", mean - half, mean + half)
}

#[test]
fn effects_of_the_hypotheses() {
    let report = &*REPORT;
    let of = |name: &str, value: Expr| report.results.clone().filter(col(name).eq(value));
    let (ours, theirs) = ("backtracking", "sgd");
    let best = effect(gains(report.of_best(ours), report.of_best(theirs), &["seed"]));
    report.says(&format!("1. **backtracking beats sgd**: *not distinguishable*; {best}"));
    let others = ["learning_rate", "batch_size", "depth", "seed"];
    let matched = effect(gains(of("optimizer", lit(ours)), of("optimizer", lit(theirs)), &others));
    report.says(&format!("2. **backtracking beats sgd**: *holds*; {matched}"));
    let others = ["optimizer", "learning_rate", "batch_size", "seed"];
    let deeper = effect(gains(of("depth", lit(3)), of("depth", lit(1)), &others));
    report.says(&format!("3. **deeper is better**: *does not hold*; {deeper}"));
}

#[test]
fn costs_of_the_best_points() {
    let report = &*REPORT;
    let cpu_s = report.timings.clone().group_by([col("trial_id")]).agg([col("cpu_s").sum()]);
    let epochs = report.history.clone().group_by([col("trial_id")]).agg([len().alias("epochs")]);
    let id = || [col("trial_id")];
    for optimizer in ["backtracking", "sgd"] {
        let costs = report
            .of_best(optimizer)
            .join(cpu_s.clone(), id(), id(), JoinType::Inner.into())
            .join(epochs.clone(), id(), id(), JoinType::Inner.into())
            .select([
                col("epochs_right").mean(),
                (col("grad_samples") + col("probe_samples")).mean().alias("samples"),
                col("macs_textbook").mean(),
                col("macs_executed").mean(),
                col("cpu_s").mean(),
                col("score").mean(),
            ])
            .collect()
            .unwrap();
        report.says(&format!(
            "| {optimizer} | {:.1} | {:.2} | {:.1} | {:.1} | {:.2} | {:.2} % |",
            number(&costs, "epochs_right"),
            number(&costs, "samples") / 1e6,
            number(&costs, "macs_textbook") / 1e9,
            number(&costs, "macs_executed") / 1e9,
            number(&costs, "cpu_s"),
            100.0 * number(&costs, "score"),
        ));
    }
}

#[test]
fn convergence_of_the_best_points() {
    let report = &*REPORT;
    let id = || [col("trial_id")];
    for (optimizer, target) in [("backtracking", 0.97), ("sgd", 0.97), ("backtracking", 0.98)] {
        let hits = report
            .history
            .clone()
            .join(report.of_best(optimizer), id(), id(), JoinType::Inner.into())
            .filter(col("valid_accuracy").gt_eq(lit(target)))
            .group_by_stable(id())
            .agg([col("epoch").min().alias("hit")]);
        let until = |frame: &LazyFrame, sums: &[&str]| {
            frame
                .clone()
                .join(hits.clone(), id(), id(), JoinType::Inner.into())
                .filter(col("epoch").lt_eq(col("hit")))
                .group_by_stable(id())
                .agg(sums.iter().map(|name| col(*name).sum()).collect::<Vec<_>>())
                .select(sums.iter().map(|name| col(*name).mean()).collect::<Vec<_>>())
                .collect()
                .unwrap()
        };
        let samples = until(&report.history, &["grad_samples", "probe_samples"]);
        let seconds = until(&report.timings, &["cpu_s"]);
        let gradient = number(&samples, "grad_samples") / 1e6;
        let all = gradient + number(&samples, "probe_samples") / 1e6;
        let epochs = hits.select([col("hit").mean()]).collect().unwrap();
        let best = report.of_best(optimizer).limit(1).collect().unwrap();
        report.says(&format!(
            "| {:.0} % | {optimizer} | *best*: learning rate {}, batch size {}, depth {} | 3 / 3 | {:.1} | {gradient:.2} | {all:.2} | {:.2} |\n",
            100.0 * target,
            number(&best, "learning_rate"),
            number(&best, "batch_size"),
            number(&best, "depth"),
            number(&epochs, "hit"),
            number(&seconds, "cpu_s")
        ));
    }
}

/// With `[confirm]` the headline, the test accuracy and claims about best points come from the fresh
/// seeds alone.
#[test]
fn headlines_of_the_confirm_seeds() {
    let report = Report::of(&confirmed(GRID, FRESH));
    let with_interval = |optimizer: &str, name: &str| {
        let both = [col(name).mean().alias("mean"), col(name).std(1).alias("sd")];
        let found = report.confirmed(optimizer).select(both).collect().unwrap();
        let half = half_interval(number(&found, "sd"));
        format!("{:.2} % ± {:.2}", 100.0 * number(&found, "mean"), 100.0 * half)
    };
    for optimizer in ["backtracking", "sgd"] {
        let [score, test] = ["score", "test_accuracy"].map(|name| with_interval(optimizer, name));
        report.says(&format!("| {optimizer} | {score} | {test} | 3 confirm | 0 |"));
    }
    let [score, test] = ["score", "test_accuracy"].map(|name| with_interval("backtracking", name));
    report.says(&format!(
        "**Best configuration: backtracking.** Mean validation accuracy **{score}** over 3 confirm seeds"
    ));
    report.says(&format!("test accuracy is **{test}** (mean over 3 confirm seeds)"));
}

/// Holm's correction leaves the only claim its p; with 2 degrees of freedom Student's distribution
/// function is an algebraic one.
#[test]
fn effect_and_p_of_the_confirm_seeds() {
    let report = Report::of(&confirmed(GRID, FRESH));
    let (mean, sd) = gains(report.confirmed("backtracking"), report.confirmed("sgd"), &["seed"]);
    let t = mean / (sd / 3.0_f64.sqrt());
    let p = 1.0 - t / (t * t + 2.0).sqrt();
    report.says(&format!(
        "1. **backtracking beats sgd**: *holds*; {}, p = {p:.3}, 3 confirm seeds",
        effect((mean, sd))
    ));
}
