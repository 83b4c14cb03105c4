//! `replay`: trains a recorded trial again, here and now, and compares digests. It needs the
//! committed files of a report alone, no state.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::{anyhow, bail};
use report::Manifest;
use report::input::{Done, State, Trial as Recorded};
use sweep::Trial;
use trainer::{EpochEnd, LayerWeights, PreparedData, TrainConfig, Trainer};
use trial::known::VALID_ACCURACY;
use trial::{Digest, Ending, Scale, TrialId, TrialResult};

use crate::cli;
use crate::cli::refusal::Refusal;
use crate::duration::rounded;
use crate::reporting::report_folder::{check_numerics, layout, read_manifest};
use crate::reporting::values::label;
use crate::reporting::{recorded_data, room};
use crate::run::prepare::{self, Missing, Planned};
use crate::verbs::weights;
use crate::view::stdout::say;
use crate::view::terminal::percent;

/// Fails when the digests differ, which means that this machine, the one that trained it, or a
/// build of either is broken.
pub fn replay(arguments: &cli::Replay) -> Result<(), Refusal> {
    if let Some(path) = &arguments.save {
        room::check_new_file("--save", path)?;
    }
    let isa = prepare::choose_isa()?;
    let folder = &arguments.folder;
    let manifest = read_manifest(folder)?;
    check_numerics(folder, &manifest)?;
    let rows = report::read_results(folder, &manifest, &layout(folder, &manifest)?)
        .map_err(anyhow::Error::from)?;
    let planned = prepare::plan_recorded_file(
        &folder.join("sweep.toml"),
        manifest.data.n_valid,
        |file, _| recorded_data::find(&file.dataset, arguments, &manifest).map_err(Missing::Error),
    )?;
    let id = find(&arguments.trial, &rows, &manifest)?;
    let plan = &planned.plan;
    let of_grid = plan.grid().iter().find(|trial| trial.id == id).copied();
    let trial = of_grid.or_else(|| plan.confirm_trial(id)).ok_or_else(|| {
        anyhow!(
            "trial {id} is recorded in {}, but is not among the trials of sweep.toml",
            manifest.results_csv()
        )
    })?;
    let recorded = recorded_of(id, &rows)?;
    let is_diverged = matches!(recorded.ending, trial::Ending::Diverged { .. });
    if arguments.save.is_some() && is_diverged {
        return Err(anyhow!("{}; leave --save out to train it again", no_weights(id)).into());
    }
    let trained = train(&planned, trial, isa)?;
    compare(id, recorded.digest, &trained.result)?;
    if let Some(path) = &arguments.save {
        save(path, id, &planned, &trained)?;
    }
    Ok(())
}

struct Trained {
    result: TrialResult,
    /// Weights of the best epoch.
    weights: Vec<LayerWeights>,
}

fn save(path: &Path, id: TrialId, planned: &Planned, trained: &Trained) -> anyhow::Result<()> {
    let Ending::Completed { best_epoch, test_accuracy, .. } = trained.result.ending else {
        bail!(no_weights(id));
    };
    let scale = match planned.plan.split.scale {
        Scale::Unit => "unit",
        Scale::Standard => "standard",
    };
    let (dataset, split) = (&planned.loaded.dataset, planned.plan.split);
    let mut about = HashMap::from([
        ("data_name".into(), planned.loaded.name.clone()),
        ("data_sha256".into(), planned.loaded.digest.to_string()),
        ("n_inputs".into(), dataset.n_inputs().to_string()),
        ("n_classes".into(), dataset.n_classes().to_string()),
        ("n_train".into(), split.n_train.to_string()),
        ("layout".into(), "weight[in][out]; outputs = inputs @ weight + bias".into()),
        ("trial_id".into(), id.to_string()),
        ("digest".into(), trained.result.digest.to_string()),
        ("best_epoch".into(), best_epoch.to_string()),
        ("activation".into(), "relu".into()),
        ("input_scale".into(), scale.into()),
    ]);
    if let Some(accuracy) = test_accuracy {
        about.insert("test_accuracy".into(), accuracy.to_string());
    }
    weights::save(path, &trained.weights, about)?;
    say(&format!("weights of epoch {best_epoch}: {}\n", path.display()))
}

fn no_weights(id: TrialId) -> String {
    format!("trial {id} diverged, so it has no best weights to save")
}

fn find(wanted: &str, rows: &[Recorded], manifest: &Manifest) -> Result<TrialId, Refusal> {
    let prefix = match (wanted, &manifest.best_trial_id) {
        ("best", Some(best)) => best.as_str(),
        ("best", None) => return Err(no_best(manifest)),
        (prefix, _) => prefix,
    };
    let id = TrialId::find(prefix, rows.iter().map(|row| row.id))
        .map_err(|error| Refusal::Usage(format!("trial {wanted}: {error}")))?;
    // Reports of older builds name a trial even where every one diverged.
    if wanted == "best" && manifest.counts.completed == 0 {
        return Err(no_best(manifest));
    }
    Ok(id)
}

fn no_best(manifest: &Manifest) -> Refusal {
    let counts = &manifest.counts;
    let endings = [
        (counts.diverged, "diverged"),
        (counts.failed, "failed"),
        (counts.cancelled, "cancelled"),
        (counts.open, "still open"),
    ];
    let some: Vec<_> = endings.into_iter().filter(|(n, _)| *n > 0).collect();
    let endings = match some.as_slice() {
        [(1, word)] => format!("the only trial {word}"),
        [(n, word)] => format!("all {n} {word}"),
        _ => some.iter().map(|(n, word)| format!("{n} {word}")).collect::<Vec<_>>().join(", "),
    };
    Refusal::Usage(format!(
        "there is no best trial: {endings}; name a trial by the first digits of its id in {}",
        manifest.results_csv(),
    ))
}

fn recorded_of(id: TrialId, rows: &[Recorded]) -> anyhow::Result<&Done> {
    let row = rows.iter().find(|row| row.id == id);
    match row.map(|row| &row.state) {
        Some(State::Done(done)) => Ok(done),
        _ => bail!("trial {id} has no result to compare with: it failed, was cancelled or is open"),
    }
}

fn train(planned: &Planned, trial: Trial, isa: trainer::Isa) -> anyhow::Result<Trained> {
    let given = planned.plan.point_hyperparameters(trial.point as usize, trial.seed);
    say(&format!(
        "training {} seed {} on {}\n",
        label(&planned.plan, &given),
        given.seed,
        isa.name()
    ))?;
    let data = Arc::new(PreparedData::new(&planned.loaded.dataset, planned.plan.split)?);
    let mut trainer = Trainer::new(TrainConfig::of(&given)?, data, isa)?;
    let never = AtomicBool::new(false);
    loop {
        let started = Instant::now();
        let n_before = trainer.history().len();
        let end = trainer.run_epoch(&never);
        // An epoch in which the trial diverged is not in the history.
        if let Some(epoch) = trainer.history().get(n_before) {
            say(&format!(
                "epoch {}: validation accuracy {} ({})\n",
                epoch.epoch,
                percent(epoch[VALID_ACCURACY]),
                rounded(started.elapsed())
            ))?;
        }
        if end != EpochEnd::Continues {
            let weights = trainer.best_weights();
            return Ok(Trained { result: trainer.into_result(), weights });
        }
    }
}

fn compare(id: TrialId, recorded: Digest, result: &TrialResult) -> anyhow::Result<()> {
    let trained = result.digest;
    if trained == recorded {
        return say(&format!("trial {id}\ndigest {trained}: equal to the recorded one\n"));
    }
    bail!(
        "trial {id}: this machine gives digest {trained}, recorded is {recorded}; \
         one of the two machines or builds is broken"
    )
}
