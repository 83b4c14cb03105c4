"""Runs the notebook on a report, every cell, writes it nowhere, and compares its numbers with those
that the report prints: the ranking, the best points with their intervals, every cell of the heatmaps."""

import json
import os
import re
import sys

import nbformat
from nbclient import NotebookClient

notebook, report = sys.argv[1:]
os.environ["SWEEP_REPORT"] = os.path.abspath(report)
content = nbformat.read(notebook, as_version=4)
nbformat.validate(content)
for cell in content.cells:
    if cell.cell_type == "code":
        assert not cell.outputs and cell.execution_count is None, "outputs do not belong into git"

# What the notebook knows when it is through, as JSON.
TOLD = """
import json as _json
_heat = [
    {"x": h["x"], "y": h["y"], "xs": len(h["xs"]), "ys": len(h["ys"]), "cells": [
        h["cells"].get((p, y, x), "missing")
        for p in sorted({p for p, _, _ in h["cells"]}) for y in h["ys"] for x in h["xs"]
    ]} for h in heatmaps
]
_points = points.select("trial_id", "optimizer", "score", "n_diverged", "n_scored").to_dicts()
print(_json.dumps({"best": best, "judged": best_by_optimizer, "points": _points, "heatmaps": _heat,
    "n_judged": {name: len(judged(point)) for name, point in best_by_optimizer.items()},
    "by_accuracy": by_accuracy, "n_optimizers": grid["optimizer"].n_unique(),
    "front": front.select("accuracy", "cpu_s").to_dicts()}))
"""
content.cells.append(nbformat.v4.new_code_cell(TOLD))
done = NotebookClient(content, timeout=120, kernel_name="python3").execute()
outputs = [output for cell in done.cells if cell.cell_type == "code" for output in cell.outputs]
figures = [output for output in outputs if "image/png" in output.get("data", {})]
errors = [output for output in outputs if output.get("name") == "stderr"]
assert not errors, errors
told = json.loads(outputs[-1]["text"])

page = open(f"{report}/report.md").read()
manifest = json.load(open(f"{report}/manifest.json"))
NUMBER = r"(-?[\d.]+(?:e-?\d+)?)"


def is_printed(value, printed):
    """Whether a text is this number, rounded to as many digits as the text has."""
    value = 100 * value if told["by_accuracy"] else value
    return is_rounded(value, printed)


def is_rounded(value, printed):
    digits, _, exponent = printed.partition("e")
    decimals = len(digits.partition(".")[2]) - int(exponent or 0)
    return abs(value - float(printed)) <= 0.5 * 10**-decimals + 1e-9 * abs(value)


def rows_of(section, start):
    """Cells of the first table after a heading whose header begins so; none if there is none."""
    lines = page[page.index(section) :].splitlines()
    heads = [place for place, line in enumerate(lines) if line.startswith(start)]
    if not heads:
        return []
    rows = []
    for line in lines[heads[0] + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


# The ranking: each row of the top table, by its first trial.
top = rows_of("## 7. Top table", "| rank |")
assert len(top) == min(20, len(told["points"])) > 0, (len(top), len(told["points"]))
for row, point in zip(top, told["points"]):
    id_prefix = re.match(r"`([0-9a-f]+)`", row[-1]).group(1)
    assert point["trial_id"].startswith(id_prefix), (row, point)
    if point["n_diverged"] == point["n_scored"]:
        assert row[-3] == "*diverged*", (row, point)
    else:
        assert is_printed(point["score"], row[-3].removesuffix(" %")), (row, point)

# The best point, its mean, its interval and its test accuracy.
best = told["best"]
assert manifest["best_trial_id"] == (best and best["trial_id"]), (manifest["best_trial_id"], best)
n_checked = 0


def check_best(name, text, test_text, n):
    global n_checked
    point = told["judged"][name]
    mean, half = re.match(rf"{NUMBER}(?: %)?(?: ± {NUMBER})?$", text).groups()
    assert is_printed(point["mean"], mean), (name, text, point)
    assert (half is None) == (point["half"] is None), (name, text, point)
    assert half is None or is_printed(point["half"], half), (name, text, point)
    mean, half = re.match(rf"{NUMBER} %(?: ± {NUMBER})?$", test_text).groups()
    assert is_rounded(100 * point["test"], mean), (name, test_text, point)
    assert half is None or is_rounded(100 * point["test_half"], half), (name, test_text, point)
    assert n == told["n_judged"][name], (name, n, told["n_judged"])
    n_checked += 1


if best is None:
    assert "**Best configuration" not in page and "**No configuration trained**" in page
else:
    found = re.search(r"\*\*Best configuration[^:]*: (\w+).*?Mean [a-z ]+ \*\*(.*?)\*\* over (\d+) ", page)
    test = re.search(r"Its test accuracy is \*\*(.*?)\*\*", page).group(1)
    assert found.group(1) == best["optimizer"], (found.group(0), best)
    check_best(best["optimizer"], found.group(2), test, int(found.group(3)))
    for row in rows_of("## 1.", "| best of each optimizer |"):
        name = row[0].partition(",")[0]
        if row[1].startswith("*"):
            assert name not in told["judged"], row
            is_partial = manifest["results_sha256"] is None
            assert "diverged" in row[1] or (is_partial and row[1] == "*no result yet*"), row
        else:
            check_best(name, row[1], row[2], int(row[3].split()[0]))
    assert n_checked == 1 + (len(told["judged"]) if told["n_optimizers"] > 1 else 0), n_checked

# Every cell of every heatmap, panel by panel and row by row, as the report drew it.
n_cells = n_drawn = 0
for heat in told["heatmaps"]:
    name = f"heatmap-{heat['y']}-by-{heat['x']}.svg".replace("_", "-")
    values = [value for value in heat["cells"] if value not in ("missing", None)]
    if not values or max(heat["xs"], heat["ys"]) > 24:
        assert name not in manifest["files"], name
        continue
    svg = open(f"{report}/{name}").read()
    # Text on a shade is black or white, other text is neither.
    on_shade = r'<text [^>]*font-size="1[24]" fill="#(?:000000|ffffff)"[^>]*>([^<]+)</text>'
    texts = re.findall(on_shade, svg)
    assert len(texts) == len(values), (name, texts, values)
    for text, value in zip(texts, values):
        assert is_printed(value, text), (name, text, value)
    n_diverged = sum(value is None for value in heat["cells"])
    assert len(re.findall(r">(?:diverged|div\.)</text>", svg)) == n_diverged, (name, n_diverged)
    n_cells += len(values)
    n_drawn += 1
assert sorted(name for name in manifest["files"] if re.match(r"heatmap-.*\.svg", name)) == sorted(
    {f"heatmap-{heat['y']}-by-{heat['x']}.svg".replace("_", "-") for heat in told["heatmaps"]}
    & set(manifest["files"])
), "the notebook draws the heatmaps of the report"
assert len(figures) == n_drawn + bool(best) + bool(told["front"]), len(figures)
# What nothing else beats in both accuracy and time, best first; the report shows twelve of it.
front = rows_of("### Accuracy against CPU seconds", "| point |")
expected = sorted(told["front"], key=lambda point: -point["accuracy"])
for point in expected[:12]:
    same = [row for row in front if is_rounded(100 * point["accuracy"], row[1].removesuffix(" %"))]
    assert any(is_rounded(point["cpu_s"], row[2]) for row in same), (point, front)
# Older builds also listed slower points of equal accuracy.
extra = len(front) - len(expected[:12])
assert 0 <= extra <= len(front) - len({row[1] for row in front}), (front, expected)
print(f"notebook: {len(top)} ranks, {n_checked} best points, {n_cells} cells, {len(figures)} figures agree")
