"""Loads an exported journal with Optuna and compares it with results.csv, row by row."""

import csv
import json
import shutil
import sys
import tempfile
import warnings

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

journal, report = sys.argv[1:]
with open(f"{report}/results.csv") as file:
    rows = list(csv.DictReader(file))
with open(f"{report}/manifest.json") as file:
    name = json.load(file)["name"]

warnings.simplefilter("error")
# Asking for a trial appends to the journal, so that is done to a copy.
copy = tempfile.NamedTemporaryFile(suffix=".log")
shutil.copyfile(journal, copy.name)
study = optuna.load_study(study_name=name, storage=JournalStorage(JournalFileBackend(copy.name)))
assert study.direction == optuna.study.StudyDirection.MAXIMIZE
assert study.metric_names == ["valid_accuracy"], study.metric_names
assert len(study.trials) == len(rows), (len(study.trials), len(rows))

STATES = {"completed": TrialState.COMPLETE, "diverged": TrialState.PRUNED}
for trial, row in zip(study.trials, rows):
    trial._validate()
    assert trial.user_attrs["trial_id"] == row["trial_id"]
    assert trial.user_attrs["digest"] == row["digest"]
    assert trial.state == STATES[row["outcome"]], row
    assert trial.params["optimizer"] == row["optimizer"]
    assert trial.params["learning_rate"] == float(row["learning_rate"])
    assert trial.params["batch_size"] == int(row["batch_size"])
    assert trial.params["depth"] == int(row["depth"])
    assert trial.user_attrs["phase"] == row["phase"]
    assert trial.user_attrs["seed"] == int(row["seed"])
    if trial.state == TrialState.COMPLETE:
        best_epoch = int(row["best_epoch"])
        assert trial.value == float(row["best_valid_accuracy"]), row
        assert trial.intermediate_values[best_epoch] == trial.value
        assert max(trial.intermediate_values) == int(row["epochs"])
        assert trial.user_attrs["test_accuracy"] == float(row["test_accuracy"])
        assert trial.duration.total_seconds() > 0
        assert trial.datetime_start.year > 2020, "a time of day, from the state"

accuracies = [float(row["best_valid_accuracy"] or 0) for row in rows]
best = rows[accuracies.index(max(accuracies))]
assert study.best_value == max(accuracies)
assert study.best_trial.user_attrs["trial_id"] == best["trial_id"]

# The plots and the importance of parameters work on distributions that fit the values.
importances = optuna.importance.get_param_importances(study)
assert set(importances) <= {"optimizer", "learning_rate", "batch_size", "depth"}, importances
# A study that was loaded can go on.
study.enqueue_trial(study.best_params)
assert study.ask(study.best_trial.distributions).params == study.best_params
print(f"optuna {optuna.__version__}: {len(rows)} trials, best {study.best_value}")
