//! What a state says about its sweep beside the records: the file as it ran and the data set's
//! facts, so that a report can be built from the state alone.

use std::path::Path;

use anyhow::bail;
use data::{ClassCounts, LoadedDataset};
use serde::{Deserialize, Serialize};
use sweep::{self, DatasetMeta, Plan, Score};
use trial::Digest;

use crate::dataset;
use crate::run::confirm;
use crate::store::connection::Store;
use crate::store::connection::meta_of_any_schema;
use crate::store::error::StoreError;
use crate::store::{Reader, StateFolder, database_in};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepMeta {
    pub sweep_toml: String,
    /// As typed, for the command that repeats the sweep.
    pub sweep_path: String,
    pub state_id: [u8; 16],
    /// Starts of a coordinator on this state.
    pub term: u64,
    pub numerics_version: u32,
    /// Seconds of former runs, from a state whose schema did not know times. Those since then are
    /// in `terms`.
    pub wall_s: f64,
    /// The absolute folder of the sweep file, which paths in it count from. States of older builds
    /// do not know it, nor what follows.
    #[serde(default)]
    pub sweep_folder: Option<String>,
    /// The command that repeats the sweep, ready to be pasted where it was typed.
    #[serde(default)]
    pub command: Option<String>,
    /// The report's folder, as a shell takes it.
    #[serde(default)]
    pub report_folder: Option<String>,
    pub data: Data,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Data {
    pub name: String,
    pub digest: [u8; 32],
    pub n_train_rows: u32,
    pub n_test_rows: u32,
    pub n_inputs: u32,
    pub n_classes: u32,
    pub nonzero_share: f64,
    /// Share of the most frequent class among the validation rows.
    pub largest_class_share: f64,
    /// Rows that validate; states of older builds do not tell.
    #[serde(default)]
    pub n_valid: Option<u32>,
    /// Empty in states of older builds.
    #[serde(default)]
    pub classes: ClassCounts,
}

/// Rows that validated by default when states did not tell their number.
const FORMER_DEFAULT_N_VALID: u32 = 10_000;

const KEY: &str = "sweep";

impl SweepMeta {
    pub fn of_store(store: &Store) -> Result<Option<Self>, StoreError> {
        store.meta(KEY)?.as_deref().map(parse).transpose()
    }

    pub fn of_reader(reader: &Reader) -> Result<Option<Self>, StoreError> {
        reader.meta(KEY)?.as_deref().map(parse).transpose()
    }

    /// What a state says that may be of a former build, before it is brought up to date.
    pub fn of_any_schema(database: &Path) -> Option<Self> {
        parse(&meta_of_any_schema(database, KEY)?).ok()
    }

    /// What somebody who reads a state cannot do without.
    pub fn needed(reader: &Reader, state: &Path) -> anyhow::Result<Self> {
        match Self::of_reader(reader)? {
            Some(facts) => Ok(facts),
            None if StateFolder::is_in_use(state) => {
                Err(StoreError::Unmade { path: database_in(state) }.into())
            }
            None => bail!("{}: no sweep was started on this state", state.display()),
        }
    }

    /// Records that a coordinator has started with this.
    pub fn begin(&self, store: &mut Store) -> Result<(), StoreError> {
        let json = serde_json::to_string(self).expect("plain values");
        store.begin_term(self.term, &[(KEY, &json)])
    }

    /// The sweep as it was planned, with the confirm trials that follow what is recorded.
    pub fn plan(&self, reader: &Reader) -> Result<Plan, StoreError> {
        let damaged = |problems: Vec<sweep::Problem>| {
            let text = problems.first().map_or("?", |problem| problem.message.as_str());
            StoreError::Damaged(format!("its sweep file cannot be read again: {text}"))
        };
        let file = sweep::parse(&self.sweep_toml, trainer::interface()).map_err(damaged)?;
        let (data, n_valid) = (self.data.to_core(), self.data.n_valid());
        let mut plan = sweep::plan_recorded(&file, &data, n_valid).map_err(damaged)?;
        confirm::extend(&mut plan, reader, self.data.chance())?;
        Ok(plan)
    }
}

impl Data {
    pub fn of(loaded: &LoadedDataset, plan: &Plan) -> Self {
        let valid = plan.split.n_train as usize..(plan.split.n_train + plan.split.n_valid) as usize;
        let facts = dataset::facts(loaded);
        Self {
            name: loaded.name.clone(),
            digest: loaded.digest.0,
            n_train_rows: facts.n_train_rows,
            n_test_rows: facts.n_test_rows,
            n_inputs: facts.n_inputs,
            n_classes: facts.n_classes,
            nonzero_share: facts.nonzero_share,
            largest_class_share: loaded.dataset.largest_class_share(valid),
            n_valid: Some(plan.split.n_valid),
            classes: ClassCounts::of(&loaded.dataset, plan.split),
        }
    }

    /// Rows that validated when this was recorded, where the sweep file says nothing.
    pub fn n_valid(&self) -> u32 {
        self.n_valid.unwrap_or(FORMER_DEFAULT_N_VALID)
    }

    pub fn digest(&self) -> Digest {
        Digest(self.digest)
    }

    /// What a diverged trial counts as.
    pub fn chance(&self) -> Score {
        Score::chance(self.largest_class_share, self.n_classes)
    }

    pub fn to_core(&self) -> DatasetMeta {
        DatasetMeta {
            digest: self.digest(),
            n_train_rows: self.n_train_rows,
            n_test_rows: self.n_test_rows,
            n_inputs: self.n_inputs,
            n_classes: self.n_classes,
            nonzero_share: self.nonzero_share,
        }
    }
}

fn parse(json: &str) -> Result<SweepMeta, StoreError> {
    let facts: SweepMeta = serde_json::from_str(json).map_err(|error| {
        StoreError::Damaged(format!("its description cannot be read ({error})"))
    })?;
    // The next term follows it, and SQLite keeps nothing larger.
    match facts.term < i64::MAX.cast_unsigned() {
        true => Ok(facts),
        false => Err(StoreError::Damaged(format!("it was started {} times", facts.term))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Such a state says nothing of its split, which was by another default then.
    #[test]
    fn a_state_of_an_older_build_keeps_its_split() {
        let text = "name = \"t\"\n[dataset]\nname = \"mnist\"\n[train]\nmomentum = 0.9\n[[grid]]\n\
                    optimizer = [\"sgd\"]\nlearning_rate = [0.1]\nbatch_size = [10]\nhidden = [[4]]\n";
        let data = serde_json::json!({
            "name": "mnist", "digest": vec![7_u8; 32], "n_train_rows": 12_000, "n_test_rows": 10,
            "n_inputs": 9, "n_classes": 3, "nonzero_share": 0.2, "largest_class_share": 0.4,
        });
        let json = serde_json::json!({
            "sweep_toml": text, "sweep_path": "t.toml", "state_id": vec![1_u8; 16], "term": 1,
            "numerics_version": 2, "wall_s": 0.0, "data": data,
        });
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sweep.db");
        let facts = parse(&json.to_string()).expect("as it was written");
        facts
            .begin(&mut Store::open(&path, trainer::measures()).expect("a state"))
            .expect("it is saved");
        let plan = facts.plan(&Reader::open(&path).expect("a reader")).expect("as it was planned");
        assert_eq!((plan.split.n_train, plan.split.n_valid), (2_000, 10_000));
        assert!(facts.data.classes.warnings().is_empty());
        let now = sweep::plan(
            &sweep::parse(text, trainer::interface()).expect("TOML"),
            &facts.data.to_core(),
        );
        assert!(now.is_err(), "today the unused key is refused");
    }
}
