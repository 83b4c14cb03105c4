#!/usr/bin/env bash
# Runs a small sweep and reads everything it gives with the tools it is for: TensorBoard, Optuna,
# safetensors, a Jupyter notebook. Fails on any difference from results.csv.
#
#   tests/readers.sh                             makes a virtual environment in target/ when it must
#   SWEEP_PYTHON=/path/to/python tests/readers.sh   uses that Python, which has tests/readers/requirements.txt
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

requirements=tests/readers/requirements.txt
if [ -z "${SWEEP_PYTHON:-}" ]; then
    venv="$PWD/${CARGO_TARGET_DIR:-target}/readers"
    if ! cmp -s "$requirements" "$venv/installed.txt"; then
        rm -rf "$venv"
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --no-compile --disable-pip-version-check -r "$requirements"
        cp "$requirements" "$venv/installed.txt"
    fi
    export SWEEP_PYTHON="$venv/bin/python"
fi
# `--workspace`, because cargo unites the features of the packages it is asked for: for one alone it
# would build polars again, with others.
exec cargo test --locked --workspace --test readers -- --nocapture
