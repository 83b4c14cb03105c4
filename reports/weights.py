"""Loads the weights that `coordinator replay FOLDER TRIAL --save FILE` wrote and tests them.

    python reports/weights.py weights.safetensors                    # needs numpy and safetensors
    python reports/weights.py weights.safetensors --data DIR         # trained on data of your own

DIR holds the four IDX files, gzip or plain; MNIST of this repository if left out. The file's metadata
say which data the weights were trained on, and other data are refused. Each `layers.N.weight` has the
shape [inputs, outputs]: a layer is `x @ weight + bias` (PyTorch's `Linear` takes the transpose).

The last line is the share of the test images that the network recognizes: the same figure as the
trial's `test_accuracy` in results.csv.
"""

import argparse
import gzip
import hashlib
import struct
import sys
from pathlib import Path

import numpy as np
from safetensors import safe_open

MNIST = Path(__file__).resolve().parent.parent / "coordinator" / "datasets" / "mnist"
TYPES = {0x08: ">u1", 0x0B: ">i2", 0x0C: ">i4"}


def read_idx(folder: Path, first: str, rest: str) -> np.ndarray:
    for joint in "-.":
        for packed in ["", ".gz"]:
            path = folder / f"{first}{joint}{rest}{packed}"
            if path.is_file():
                data = path.read_bytes()
                data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
                shape = struct.unpack_from(f">{data[3]}I", data, 4)
                values = np.frombuffer(data, TYPES[data[2]], int(np.prod(shape)), 4 + 4 * data[3])
                return values.reshape(shape)
    sys.exit(f"{folder}: no file {first}-{rest}; name the data's folder with --data DIR")


def read_data(folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Images and labels, of training and of the test."""
    return [
        (read_idx(folder, f"{part}-images", "idx3-ubyte"), read_idx(folder, f"{part}-labels", "idx1-ubyte"))
        for part in ["train", "t10k"]
    ]


def digest(data: list[tuple[np.ndarray, np.ndarray]]) -> str:
    """SHA-256 of the data set in its canonical form."""
    n_classes = 1 + max(int(labels.max()) for _, labels in data)
    is_wide = n_classes > 256
    dims = data[0][0].shape[1:]
    counts = [len(labels) for _, labels in data]
    header = [1, int(is_wide), len(dims), *dims, *counts]
    blob = hashlib.sha256(b"SWEEPSET" + struct.pack(f"<{len(header)}I", *header))
    for images, labels in data:
        blob.update(images.astype(np.uint8).tobytes())
        blob.update(labels.astype("<u2" if is_wide else np.uint8).tobytes())
    return blob.hexdigest()


def check(about: dict[str, str], data, layers, folder: Path) -> None:
    """What the weights were trained on must be what they are tested on."""
    if "data_sha256" not in about:
        print("an older build wrote this file: it does not say which data it belongs to")
    elif (found := digest(data)) != about["data_sha256"]:
        sys.exit(
            f"{folder}: other data than the weights were trained on: expected "
            f"{about['data_name']} with the digest {about['data_sha256']}, found {found}; "
            "name its folder with --data DIR"
        )
    n_inputs = int(np.prod(data[0][0].shape[1:]))
    sizes = [n_inputs] + [len(bias) for _, bias in layers]
    for index, (weight, _) in enumerate(layers):
        expected = (sizes[index], sizes[index + 1])
        if weight.shape != expected:
            sys.exit(f"layers.{index}.weight: shape {weight.shape}, expected {expected}, inputs first")
    n_classes = int(about.get("n_classes", sizes[-1]))
    if sizes[-1] != n_classes:
        sys.exit(f"the last layer has {sizes[-1]} outputs, expected {n_classes} classes")


def scaled(about: dict[str, str], data) -> np.ndarray:
    """The test images as the network takes them."""
    test = data[1][0].reshape(len(data[1][0]), -1)
    if about["input_scale"] == "unit":
        # From 0 to 1.
        return (test.astype(np.float32) / np.float32(255)).astype(np.float64)
    if "n_train" not in about:
        sys.exit("trained on standardized inputs by an older build, which does not say by which rows")
    # By mean and deviation of each input over the rows that it was trained on.
    train = data[0][0].reshape(len(data[0][0]), -1)[: int(about["n_train"])].astype(np.float64)
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    constant = deviation == 0
    values = (test - mean) / np.where(constant, 1, deviation)
    return np.where(constant, 0, values).astype(np.float32).astype(np.float64)


def predict(layers: list[tuple[np.ndarray, np.ndarray]], x: np.ndarray) -> np.ndarray:
    for weight, bias in layers[:-1]:
        x = np.maximum(x @ weight + bias, 0)
    weight, bias = layers[-1]
    return (x @ weight + bias).argmax(axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Tests weights that `coordinator replay` saved.")
    parser.add_argument("weights", type=Path)
    parser.add_argument("--data", type=Path, default=MNIST, help="folder of the four IDX files")
    arguments = parser.parse_args()
    if not arguments.weights.is_file():
        sys.exit(
            f"{arguments.weights}: no such file; `coordinator replay FOLDER best --save FILE` writes one"
        )
    with safe_open(arguments.weights, framework="numpy") as file:
        about = file.metadata()
        n_layers = len(file.keys()) // 2
        layers = [
            (file.get_tensor(f"layers.{i}.weight"), file.get_tensor(f"layers.{i}.bias"))
            for i in range(n_layers)
        ]
    data = read_data(arguments.data)
    check(about, data, layers, arguments.data)
    # In double precision, so that the order of NumPy's sums decides nothing.
    layers = [(weight.astype(np.float64), bias.astype(np.float64)) for weight, bias in layers]
    labels = data[1][1]
    n_right = int((predict(layers, scaled(about, data)) == labels).sum())
    noun = "layer" if n_layers == 1 else "layers"
    print(f"trial {about['trial_id']}, epoch {about['best_epoch']}, {n_layers} {noun}")
    print(n_right / len(labels))


if __name__ == "__main__":
    main()
