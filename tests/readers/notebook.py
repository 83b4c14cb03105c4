"""Runs the notebook on a report, every cell, and writes it nowhere."""

import os
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
done = NotebookClient(content, timeout=120, kernel_name="python3").execute()
figures = [
    output
    for cell in done.cells
    if cell.cell_type == "code"
    for output in cell.outputs
    if "image/png" in output.get("data", {})
]
assert len(figures) == 3, f"{len(figures)} figures, expected the heatmap, the curves, the trade-off"
print(f"notebook: {len(done.cells)} cells, {len(figures)} figures")
