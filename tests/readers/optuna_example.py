"""Runs the README's example for Optuna on an exported journal, as it is printed but for the study's name, and
compares the trial that it prints with results.csv."""

import contextlib
import csv
import io
import json
import os
import re
import shutil
import sys
import tempfile

readme, journal, report = (os.path.abspath(path) for path in sys.argv[1:])
blocks = re.findall(r"```python\n(.*?)```", open(readme).read(), re.DOTALL)
[example] = [block for block in blocks if "load_study" in block]
with open(f"{report}/manifest.json") as file:
    name = json.load(file)["name"]
assert example.count('"full"') == 1, example

# The example reads `reports/full`.
home = tempfile.TemporaryDirectory()
os.makedirs(f"{home.name}/reports/full/export")
shutil.copyfile(journal, f"{home.name}/reports/full/export/optuna.log")
os.chdir(home.name)
names, printed = {}, io.StringIO()
with contextlib.redirect_stdout(printed):
    exec(example.replace('"full"', f'"{name}"'), names)

with open(f"{report}/results.csv") as file:
    rows = list(csv.DictReader(file))
phases = {row["phase"] for row in rows}
assert phases == {"grid", "confirm"}, phases
grid = [row for row in rows if row["phase"] == "grid" and row["outcome"] == "completed"]
assert [trial.user_attrs["trial_id"] for trial in names["grid"]] == [row["trial_id"] for row in grid]
best = max(grid, key=lambda row: float(row["best_valid_accuracy"]))
assert best["trial_id"] in printed.getvalue(), (best, printed.getvalue())
print(f"readme: the best of {len(grid)} trials of the grid in Optuna")
