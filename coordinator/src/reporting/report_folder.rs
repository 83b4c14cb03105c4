//! The files of a report, read back: all that can be known of a sweep without its state.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use report::input::{Done, Layout, State, Trial};
use report::{Manifest, command};
use sweep::{self, DatasetMeta, Outcome, Plan, Score};
use trial::known::{VALID_ACCURACY, VALID_LOSS};
use trial::{Digest, Ending, TrialId, declared, timing};

use crate::reporting::input as report_input;
use crate::run::confirm;

/// A report: the sweep that it tells of, and what it tells.
pub struct ReportFolder {
    pub plan: Plan,
    pub layout: Layout,
    /// In the order of the result tables.
    pub trials: Vec<Trial>,
}

impl ReportFolder {
    /// # Errors
    /// Also when a trial cannot have given what is told of it.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        Self::open_sound(folder).with_context(|| {
            let verify = command::coordinator(["verify".into(), command::path(folder)]);
            let shown = folder.display();
            format!("{shown}: the report cannot be used (`{verify}` checks every file of it)")
        })
    }

    fn open_sound(folder: &Path) -> anyhow::Result<Self> {
        let manifest = read_manifest(folder)?;
        let committed = Self::read(folder, &manifest)?;
        match committed.breaches(&manifest).first() {
            Some(breach) => bail!("{breach}"),
            None => Ok(committed),
        }
    }

    /// Reads without asking whether the trials can have given these results.
    pub fn read(folder: &Path, manifest: &Manifest) -> anyhow::Result<Self> {
        let mut plan = plan_grid(folder, manifest)?;
        let layout = layout(folder, manifest)?;
        let trials = report::read_trials(folder, manifest, &layout)?;
        if 0 < plan.n_confirm_seeds {
            let accuracy = manifest.data.largest_valid_class_share.with_context(|| {
                format!(
                    "{}: written by an older build that does not tell which points `[confirm]` chose; use that build",
                    folder.display()
                )
            })?;
            let chance = Score::chance(accuracy, manifest.data.n_classes);
            let outcomes = outcomes(&plan, &trials, chance);
            confirm::extend_by(&mut plan, &outcomes);
        }
        Ok(Self { plan, layout, trials })
    }

    /// Results and times that no trial of the sweep gives, one line each.
    pub fn breaches(&self, manifest: &Manifest) -> Vec<String> {
        let shape = self.plan.data_shape(manifest.data.largest_valid_class_share);
        let places = self.plan.trials.iter().zip(0..);
        let places: HashMap<TrialId, usize> =
            places.map(|(trial, place)| (trial.id, place)).collect();
        let breach = |trial: &Trial| {
            let State::Done(done) = &trial.state else { return None };
            let place = *places.get(&trial.id)?;
            let result = report_input::result(done);
            let hyperparameters = self.plan.hyperparameters(place);
            let check = self.plan.interface.check_result;
            let checked = check(&result, &hyperparameters, &shape)
                // Which attempt brought the result is not told.
                .and_then(|()| timing::check(&done.timings, done.history.len(), u32::MAX));
            Some(format!("trial {}: {}", trial.id, checked.err()?))
        };
        self.trials.iter().filter_map(breach).collect()
    }
}

/// What each trial of the grid came to.
fn outcomes(plan: &Plan, trials: &[Trial], chance: Score) -> Vec<Outcome> {
    let scored = |done: &Done| match done.ending {
        Ending::Diverged { .. } => Some(Outcome::Diverged(chance)),
        Ending::Completed { best_epoch, .. } => {
            let best = done.history.iter().find(|epoch| epoch.epoch == best_epoch)?;
            let (accuracy, loss) = (best[VALID_ACCURACY], best[VALID_LOSS]);
            Some(Outcome::Scored(Score { accuracy, loss }))
        }
    };
    let recorded = trials.iter().filter_map(|trial| {
        let outcome = match &trial.state {
            State::Done(done) => scored(done)?,
            State::Failed(_) => Outcome::Failed,
            State::Open | State::Cancelled => Outcome::Open,
        };
        Some((trial.id, outcome))
    });
    let recorded: HashMap<TrialId, Outcome> = recorded.collect();
    let outcome = |id| recorded.get(id).copied().unwrap_or(Outcome::Open);
    plan.grid().iter().map(|trial| outcome(&trial.id)).collect()
}

/// Plans the sweep file again, without its confirm trials. The data set itself is not needed: the
/// manifest holds what planning must know of it.
pub fn plan_grid(folder: &Path, manifest: &Manifest) -> anyhow::Result<Plan> {
    check_numerics(folder, manifest)?;
    plan(&folder.join("sweep.toml"), manifest)
}

/// Other rules give other bits, and other ids.
pub fn check_numerics(folder: &Path, manifest: &Manifest) -> anyhow::Result<()> {
    let (found, known) = (manifest.numerics_version, trainer::NUMERICS_VERSION);
    if found != known {
        bail!(
            "{}: trained by numerics version {found}, this build knows version {known}; use the build that wrote it",
            folder.display()
        );
    }
    Ok(())
}

/// The columns of the tables of the report with this manifest.
pub fn layout(folder: &Path, manifest: &Manifest) -> anyhow::Result<Layout> {
    if manifest.measures.is_empty() {
        return Ok(report_input::layout(trainer::untold_measures()));
    }
    let measures = declared(manifest.measures.clone())
        .with_context(|| format!("{}: manifest.json", folder.display()))?;
    Ok(report_input::layout(&measures))
}

pub fn read_manifest(folder: &Path) -> anyhow::Result<Manifest> {
    let path = folder.join("manifest.json");
    let text = fs::read_to_string(&path).with_context(|| {
        format!("{}: cannot be read; expected the folder of a report", path.display())
    })?;
    serde_json::from_str(&text)
        .with_context(|| format!("{}: is no manifest of a report", path.display()))
}

fn plan(path: &Path, manifest: &Manifest) -> anyhow::Result<Plan> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let refuse = |problems: Vec<sweep::Problem>| {
        let text = problems.first().map_or("?", |problem| problem.message.as_str());
        anyhow!("{}: cannot be planned again: {text}", path.display())
    };
    let file = sweep::parse(&text, trainer::interface()).map_err(refuse)?;
    let data = &manifest.data;
    let digest: Digest = data.digest.parse().map_err(|_| {
        anyhow!("manifest.json: the data set's digest is {:?}, expected 64 hex digits", data.digest)
    })?;
    let facts = DatasetMeta {
        digest,
        // Rows beyond the split decide nothing.
        n_train_rows: data.n_train.saturating_add(data.n_valid),
        n_test_rows: data.n_test,
        n_inputs: data.n_inputs,
        n_classes: data.n_classes,
        // Only the estimated cost depends on it.
        nonzero_share: 1.0,
    };
    sweep::plan_recorded(&file, &facts, data.n_valid).map_err(refuse)
}
