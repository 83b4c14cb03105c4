"""Loads exported event files with TensorBoard's own readers and compares them with results.csv."""

import csv
import math
import sys

import polars as pl
from tensorboard import version
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import (
    api_pb2,
    backend_context,
    get_experiment,
    list_session_groups,
)

logs, report = sys.argv[1:]
with open(f"{report}/results.csv") as file:
    rows = list(csv.DictReader(file))
history = pl.read_parquet(f"{report}/history.parquet")

multiplexer = EventMultiplexer(tensor_size_guidance={"scalars": 0})
multiplexer.AddRunsFromDirectory(logs)
multiplexer.Reload()
runs = {run.rsplit("id=", 1)[1]: run for run in multiplexer.Runs() if "id=" in run}
assert len(runs) == len(rows), (len(runs), len(rows))


def scalars(run, tag):
    """Step and value of each event."""
    if tag not in multiplexer.Runs()[run]["tensors"]:
        return []
    return [(e.step, e.tensor_proto.float_val[0]) for e in multiplexer.Tensors(run, tag)]


def close(a, b):
    return math.isclose(a, b, rel_tol=1e-6)


for row in rows:
    run = runs[row["trial_id"][:12]]
    for axis in ["optimizer", "batch_size", "depth", "seed"]:
        assert f"{axis}={row[axis]}" in run.split(","), (axis, run)
    epochs = history.filter(pl.col("trial_id") == row["trial_id"])
    for tag, column in [
        ("train/loss", "train_loss"),
        ("train/accuracy", "train_accuracy"),
        ("valid/loss", "valid_loss"),
        ("valid/accuracy", "valid_accuracy"),
        ("gradient_norm", "gradient_norm"),
    ]:
        shown = scalars(run, tag)
        assert [step for step, _ in shown] == epochs["epoch"].to_list(), (run, tag)
        assert all(close(a, b) for (_, a), b in zip(shown, epochs[column])), (run, tag)
    if row["outcome"] == "completed":
        for tag, column in [
            ("best/valid_accuracy", "best_valid_accuracy"),
            ("best/test_accuracy", "test_accuracy"),
        ]:
            [(step, value)] = scalars(run, tag)
            assert step == int(row["best_epoch"]) and close(value, float(row[column])), (run, tag)
        walls = [event.wall_time for event in multiplexer.Tensors(run, "valid/loss")]
        assert walls == sorted(walls) and walls[0] > 1.6e9, "times of day, from the state"

# The HParams tab, through the plugin's own handlers.
provider = MultiplexerDataProvider(multiplexer, logs)
context = backend_context.Context(TBContext(data_provider=provider))
request = RequestContext()
found = get_experiment.Handler(request, context, "", api_pb2.GetExperimentRequest()).run()
names = {info.name for info in found.hparam_infos}
axes = ["optimizer", "learning_rate", "batch_size", "depth"]
if any(row["phase"] == "confirm" for row in rows):
    axes.append("phase")
assert names == set(axes), names
tags = {info.name.tag for info in found.metric_infos}
assert tags == {"best/valid_accuracy", "best/valid_loss", "best/test_accuracy"}, tags
listing = api_pb2.ListSessionGroupsRequest(
    start_index=0,
    slice_size=1000,
    allowed_statuses=[api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE],
    aggregation_type=api_pb2.AGGREGATION_AVG,
    aggregation_metric=api_pb2.MetricName(tag="best/valid_accuracy"),
)
groups = list_session_groups.Handler(request, context, "", listing).run().session_groups
points = {tuple(row[axis] for axis in axes) for row in rows}
assert len(groups) == len(points), (len(groups), len(points))
for group in groups:
    values = {
        name: value.string_value or value.number_value for name, value in group.hparams.items()
    }
    of_point = [row for row in rows if all(type(values[a])(row[a]) == values[a] for a in axes)]
    assert len(group.sessions) == len(of_point) > 0, (group.name, len(of_point))
    for metric in group.metric_values:
        if metric.name.tag == "best/valid_accuracy":
            seeds = [row["best_valid_accuracy"] for row in of_point if row["outcome"] == "completed"]
            mean = sum(map(float, seeds)) / len(seeds)
            assert close(metric.value, mean), (group.name, metric.value, mean)
print(f"tensorboard {version.VERSION}: {len(runs)} runs, {len(groups)} rows of hyperparameters")
