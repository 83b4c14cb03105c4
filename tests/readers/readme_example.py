"""Runs the README's example for polars on a report, as it is printed, and compares its points with the
report's results and ranking, row by row."""

import contextlib
import csv
import json
import math
import os
import re
import sys
import tempfile

readme, report = (os.path.abspath(path) for path in sys.argv[1:])
blocks = re.findall(r"```python\n(.*?)```", open(readme).read(), re.DOTALL)
[example] = [block for block in blocks if "read_parquet" in block]

# The example reads `reports/full`: that name leads to the report.
home = tempfile.TemporaryDirectory()
os.makedirs(f"{home.name}/reports")
os.symlink(report, f"{home.name}/reports/full")
os.chdir(home.name)
names = {}
with contextlib.redirect_stdout(None):
    exec(example, names)
points = names["points"].to_dicts()

with open(f"{report}/results.csv") as file:
    rows = [row for row in csv.DictReader(file) if row["phase"] == "grid"]
with open(f"{report}/manifest.json") as file:
    manifest = json.load(file)
keys = list(rows[0])[2 : list(rows[0]).index("seed")]
assert names["point"] == keys, names["point"]
chance = manifest["data"]["largest_valid_class_share"]


def text(value):
    return "" if value is None else value if isinstance(value, str) else float(value)


def number(cell):
    try:
        return float(cell)
    except ValueError:
        return cell


by_point = {}
for row in rows:
    by_point.setdefault(tuple(number(row[key]) for key in keys), []).append(row)
assert len(points) == len(by_point) and sum(point["seeds"] for point in points) == len(rows)
in_order, without_rank = [], []
for point in points:
    of_point = by_point[tuple(number(text(point[key])) for key in keys)]
    shares = [chance if row["outcome"] == "diverged" else float(row["best_valid_accuracy"]) for row in of_point]
    assert math.isclose(point["accuracy"], sum(shares) / len(shares), abs_tol=1e-8), point
    is_all_diverged = all(row["outcome"] == "diverged" for row in of_point)
    (without_rank if is_all_diverged else in_order).append(of_point[0]["trial_id"])

# The report ranks by accuracy unless its sweep asks for the loss. Points of which every trial diverged
# stand last, in the order of rows.
page = open(f"{report}/report.md").read()
if "ranked by mean validation accuracy" in page:
    top = re.findall(r"^\| (\d+|–) \|.*\| `([0-9a-f]+)`[^|]*\|$", page[page.index("## 7.") :], re.MULTILINE)
    assert len(top) == min(20, len(points)), top
    ranked = [(int(rank), first) for rank, first in top if rank != "–"]
    assert [rank for rank, _ in ranked] == list(range(1, 1 + min(20, len(in_order)))), top
    for (_, first), trial_id in zip(ranked, in_order):
        assert trial_id.startswith(first), (first, trial_id)
    for _, first in top[len(ranked) :]:
        assert any(trial_id.startswith(first) for trial_id in without_rank), (first, top)
    if manifest["best_trial_id"]:
        assert manifest["best_trial_id"] == in_order[0]
print(f"readme: {len(points)} points, {len(rows)} trials")
