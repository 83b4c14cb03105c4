//! Whole reports: the same bytes every time, honest when something is missing.

use std::collections::BTreeSet;

use report::ReportError;
use report::input::{Failure, State, Trial, WorkerInfo};
use sweep::Objective;
use trial::{Ending, TrialId};

use crate::built::{Files, build, text};
use crate::sample::{Shape, input};

/// Eight points of two seeds each.
pub(crate) fn small() -> Shape {
    Shape {
        learning_rates: vec![0.1, 1.0],
        batch_sizes: vec![32],
        depths: vec![1, 2],
        n_epochs: 2,
        n_seeds: 2,
        ..Shape::usual()
    }
}

fn one_trial() -> Shape {
    Shape {
        optimizers: vec!["sgd"],
        learning_rates: vec![0.1],
        depths: vec![1],
        n_seeds: 1,
        ..small()
    }
}

fn diverge(trial: &mut Trial) {
    if let State::Done(done) = &mut trial.state {
        done.ending = Ending::Diverged { step: 3, last_finite_loss: None };
        done.history.clear();
        done.timings.clear();
    }
}

/// Sections must stand in order, and each figure that the page shows must be there.
fn check_page(files: &Files) {
    let page = text(files, "report.md");
    let sections: Vec<&str> = page.lines().filter(|line| line.starts_with("## ")).collect();
    assert_eq!(
        sections,
        [
            "## 1. Answer first",
            "## 2. Heatmaps",
            "## 3. Optimizer comparison",
            "## 4. Trade-offs",
            "## 5. Training logs and curves",
            "## 6. Tuning insights",
            "## 7. Top table",
            "## 8. Experiment notes"
        ]
    );
    for line in page.lines().filter(|line| line.starts_with("![")) {
        let file = line.rsplit('(').next().unwrap().trim_end_matches(')');
        assert!(files.contains_key(file), "{line}");
        assert!(files.contains_key(&file.replace(".svg", ".png")), "{line}");
    }
    for word in ["NaN", "inf ", "-0.00 "] {
        assert!(!page.contains(word), "{word} in the page");
    }
    for line in page.lines().filter(|line| line.starts_with('|')) {
        assert!(line.matches(" | ").count() < 9, "a table wider than nine columns: {line}");
    }
    check_html(files);
}

/// The page that stands alone: nothing to load, nothing to run, each link within it leads somewhere.
fn check_html(files: &Files) {
    let page = text(files, "report.html");
    let attributes = |name: &str| -> Vec<&str> {
        let parts = page.split(name).skip(1);
        parts.map(|rest| rest.split('"').next().unwrap()).collect()
    };
    let ids = attributes(" id=\"");
    let unique: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(unique.len(), ids.len(), "{ids:?}");
    for link in attributes(" href=\"") {
        let target = link.strip_prefix('#');
        let is_there = target.map_or(files.contains_key(link), |id| unique.contains(id));
        assert!(is_there || link == "manifest.json", "{link} leads nowhere");
    }
    let pictures = attributes(" src=\"");
    let n_figures = files.keys().filter(|name| name.ends_with(".svg")).count();
    assert_eq!(pictures.len(), n_figures);
    assert!(pictures.iter().all(|source| source.starts_with("data:image/svg+xml,")));
    for part in ["<script", "<iframe", "@import"] {
        assert!(!page.contains(part), "{part} in the page");
    }
    assert_eq!(page.matches("<details>").count(), page.matches("</details>").count());
}

#[test]
fn equal_inputs_give_equal_bytes() {
    let input = input(&small());
    let (first, files) = build(&input);
    let (_, again) = build(&input);
    for (name, bytes) in &files {
        assert!(again[name] == *bytes, "{name} differs between two builds");
    }
    assert!(first.counts.is_complete());
    check_page(&files);
}

#[test]
fn time_machines_and_attempts_reach_no_canonical_file() {
    let one = input(&small());
    let mut other = one.clone();
    other.provenance.wall_s = 5.0;
    other.provenance.n_attempts = 999;
    other.provenance.workers.push(WorkerInfo {
        name: "elsewhere".into(),
        isa: "avx2".into(),
        cpu: "Another CPU".into(),
        n_slots: 7,
    });
    for trial in &mut other.trials {
        let State::Done(done) = &mut trial.state else { continue };
        for timing in &mut done.timings {
            timing.cpu_s *= 3.0;
            timing.worker = "elsewhere".into();
            timing.attempt = 2;
        }
    }
    let (one, other) = (build(&one).1, build(&other).1);
    let timed = [
        "report.md",
        "report.html",
        "manifest.json",
        "timings.parquet",
        "pareto.svg",
        "pareto.png",
        "convergence-by-time.svg",
        "convergence-by-time.png",
    ];
    for (name, bytes) in &one {
        let same = other[name] == *bytes;
        assert_eq!(same, !timed.contains(&name.as_str()), "{name}");
    }
}

#[test]
fn results_csv_has_the_canonical_form() {
    let mut input = input(&small());
    input.trials.truncate(1);
    let mut diverged = input.trials[0].clone();
    diverged.id = TrialId::from_bytes([0xab; 32]);
    diverged.seed = 2;
    diverged.values[5] = None;
    diverge(&mut diverged);
    input.trials.push(diverged);
    let (built, files) = build(&input);
    let expected = "trial_id,phase,optimizer,learning_rate,batch_size,hidden,depth,epochs,shrink,seed,outcome,collapsed,best_epoch,best_valid_accuracy,best_valid_loss,final_train_loss,final_train_accuracy,final_valid_loss,final_valid_accuracy,test_accuracy,diverged_step,last_finite_loss,n_steps,grad_samples,probe_samples,macs_textbook,macs_executed,backtracks_mean,backtracks_p95,backtracks_max,steps_without_step,digest
@ID,grid,backtracking,0.1,32,256,1,2,0.5,1,completed,false,2,0.9241,0.2611,0.2251,0.9297,0.2611,0.9241,0.9234,,,3126,100000,110000,82000000000,54666666666,0.13,3,9,0,@DIGEST
abababababababababababababababababababababababababababababababab,grid,backtracking,0.1,32,256,1,2,,2,diverged,,,,,,,,,,3,,3126,100000,110000,82000000000,54666666666,0.13,3,9,0,@DIGEST
";
    let State::Done(done) = &input.trials[0].state else { unreachable!("the sample is done") };
    let expected = expected
        .replace("@ID", &input.trials[0].id.to_string())
        .replace("@DIGEST", &done.digest.to_string());
    assert_eq!(text(&files, "results.csv"), expected);
    let digest = built.results_sha256.unwrap();
    assert!(text(&files, "manifest.json").contains(&format!("\"results_sha256\": \"{digest}\"")));
}

#[test]
fn a_sweep_with_open_trials_is_partial() {
    let mut input = input(&small());
    for trial in input.trials.iter_mut().step_by(3) {
        trial.state = State::Open;
    }
    let n_open = input.trials.iter().filter(|t| matches!(t.state, State::Open)).count();
    let (built, files) = build(&input);
    assert!(!built.counts.is_settled() && built.results_sha256.is_none());
    assert_eq!(built.counts.n_open, n_open);
    assert!(files.contains_key("results-incomplete.csv") && !files.contains_key("results.csv"));
    let title = format!("# sample (partial, {} of 16)", 16 - n_open);
    assert_eq!(text(&files, "report.md").lines().next(), Some(title.as_str()));
    assert_eq!(text(&files, "results-incomplete.csv").lines().count(), 17);
    check_page(&files);
}

#[test]
fn nothing_started_and_nothing_planned_are_said() {
    let mut input = input(&small());
    for trial in &mut input.trials {
        trial.state = State::Open;
    }
    let (built, files) = build(&input);
    assert_eq!(built.best, None);
    assert_eq!(built.short_table[1][..2], ["backtracking", "no result yet"]);
    check_page(&files);
    input.trials.clear();
    check_page(&build(&input).1);
}

#[test]
fn one_trial_makes_a_report_without_intervals() {
    let (built, files) = build(&input(&one_trial()));
    let best = built.best.unwrap();
    assert_eq!((best.n_seeds, best.half_interval), (1, None));
    assert!(text(&files, "report.md").contains("one seed: no interval can be given"));
    check_page(&files);
}

#[test]
fn when_all_diverged_the_report_says_so() {
    let mut input = input(&small());
    input.trials.iter_mut().for_each(diverge);
    let (built, files) = build(&input);
    assert!(built.counts.is_complete());
    assert_eq!(built.counts.n_diverged, 16);
    let page = text(&files, "report.md");
    assert!(page.contains("**No configuration trained**: 16 of 16 trials diverged"), "{page}");
    for untrue in ["Best configuration", "flatters", " yet"] {
        assert!(!page.contains(untrue), "{untrue} in {page}");
    }
    assert!(page.contains("no trial that completed fills a cell"), "{page}");
    let claims: Vec<&str> = page.lines().filter(|line| line.contains(". **")).collect();
    assert_eq!(claims.len(), 3, "the last one has a margin");
    assert!(claims.iter().all(|claim| claim.contains("*cannot be judged*; every trial diverged")));
    assert!(!page.contains("does not hold*; effect"), "{page}");
    check_page(&files);
}

#[test]
fn missing_cells_stay_empty_and_diverged_ones_are_hatched() {
    let mut input = input(&Shape { n_seeds: 1, ..small() });
    diverge(&mut input.trials[0]);
    input.trials.remove(1);
    let (_, files) = build(&input);
    let svg = text(&files, "heatmap-depth-by-learning-rate.svg");
    // One of our own, and two of sgd at a rate that the sample diverges at, or fewer.
    assert!(svg.matches("url(#hatch)").count() >= 1, "{svg}");
    assert_eq!(svg.matches("stroke-dasharray=\"3 3\"").count(), 1, "the trial taken out");
    check_page(&files);
}

#[test]
fn a_failed_trial_shows_its_cause() {
    let mut input = input(&small());
    input.trials[2].state =
        State::Failed(Some(Failure { cause: "worker w1 crashed | 3 times".into(), n_attempts: 3 }));
    input.trials[3].state = State::Cancelled;
    let (built, files) = build(&input);
    assert_eq!((built.counts.n_failed, built.counts.n_cancelled), (1, 1));
    assert!(text(&files, "report.md").contains("worker w1 crashed &#124; 3 times"));
    assert!(text(&files, "results-incomplete.csv").contains(",failed,"));
    assert!(built.counts.is_settled() && built.results_sha256.is_none());
    let page = text(&files, "report.md");
    assert_eq!(page.lines().next(), Some("# sample (incomplete, 14 of 16)"));
    assert!(page.contains("14 of 16 trials have a result, 1 failed, 1 cancelled."), "{page}");
    assert!(page.contains("`--retry-failed`") && !page.contains("partial"), "{page}");
    check_page(&files);
}

#[test]
fn loss_as_metric_prefers_the_lower() {
    let mut input = input(&small());
    input.metric = Objective::VALID_LOSS;
    let (built, files) = build(&input);
    let best = built.best.unwrap();
    let lowest = text(&files, "results.csv")
        .lines()
        .skip(1)
        .filter_map(|line| line.split(',').nth(14)?.parse::<f64>().ok())
        .fold(f64::INFINITY, f64::min);
    assert!((best.mean - lowest).abs() < 0.01, "{} against {lowest}", best.mean);
    check_page(&files);
}

#[test]
fn values_that_do_not_fit_the_columns_are_an_error() {
    let mut short = input(&one_trial());
    short.trials[0].values.pop();
    let folder = tempfile::tempdir().unwrap();
    let error = report::build(&short, folder.path()).unwrap_err();
    assert!(matches!(error, ReportError::Shape { found: 5, expected: 6, .. }), "{error}");
    let nowhere = folder.path().join("missing");
    let error = report::build(&input(&one_trial()), &nowhere).unwrap_err();
    assert!(error.to_string().contains("cannot write"), "{error}");
}
