"""Loads the weights that `coordinator replay FOLDER TRIAL --save FILE` wrote and tests them on MNIST.

    python reports/weights.py weights.safetensors        # needs numpy and safetensors

The last line is the share of the 10,000 test images that the network recognizes: the same figure
as the trial's `test_accuracy` in results.csv.
"""

import gzip
import sys
from pathlib import Path

import numpy as np
from safetensors import safe_open

MNIST = Path(__file__).resolve().parent.parent / "coordinator" / "datasets" / "mnist"


def read_idx(name: str, header: int) -> np.ndarray:
    return np.frombuffer(gzip.decompress((MNIST / name).read_bytes())[header:], dtype=np.uint8)


def predict(layers: list[tuple[np.ndarray, np.ndarray]], x: np.ndarray) -> np.ndarray:
    for weight, bias in layers[:-1]:
        x = np.maximum(x @ weight + bias, 0)
    weight, bias = layers[-1]
    return (x @ weight + bias).argmax(axis=1)


def main(path: str) -> None:
    with safe_open(path, framework="numpy") as file:
        about = file.metadata()
        n_layers = len(file.keys()) // 2
        layers = [
            (file.get_tensor(f"layers.{i}.weight"), file.get_tensor(f"layers.{i}.bias"))
            for i in range(n_layers)
        ]
    if about["input_scale"] != "unit":
        sys.exit("trained on standardized inputs: subtract the mean and divide by the deviation first")
    images = read_idx("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28 * 28)
    labels = read_idx("t10k-labels-idx1-ubyte.gz", 8)
    # In double precision, so that the order of NumPy's sums decides nothing.
    layers = [(weight.astype(np.float64), bias.astype(np.float64)) for weight, bias in layers]
    # Pixels go from 0 to 1.
    inputs = (images.astype(np.float32) / np.float32(255)).astype(np.float64)
    n_right = int((predict(layers, inputs) == labels).sum())
    print(f"trial {about['trial_id']}, epoch {about['best_epoch']}, {n_layers} layers")
    print(n_right / len(labels))


if __name__ == "__main__":
    main(*sys.argv[1:])
