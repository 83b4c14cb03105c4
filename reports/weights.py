"""Loads the weights that `coordinator replay FOLDER TRIAL --save FILE` wrote and tests them.

    python reports/weights.py weights.safetensors                    # needs numpy and safetensors
    python reports/weights.py weights.safetensors --data DIR         # trained on data of your own

DIR is the folder of the data's four IDX files, as the sweep file names it under `path`; MNIST of this
repository if left out. It reads every kind of data that the program trains on. The file's metadata say
which data the weights were trained on, and other data are refused. Each `layers.N.weight` has the shape
[inputs, outputs]: a layer is `x @ weight + bias` (PyTorch's `Linear` takes the transpose).

The last line is the share of the test images that the network recognizes: the same figure as the
trial's `test_accuracy` in results.csv.
"""

import argparse
import gzip
import hashlib
import math
import re
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

MNIST = Path(__file__).resolve().parent.parent / "coordinator" / "data" / "mnist"
TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
ROLES = [("train", "images"), ("train", "labels"), ("t10k", "images"), ("t10k", "labels")]
N_LABELS = 1000
# Columns of QMNIST's label files, whose first one is the class.
N_QMNIST_COLUMNS = 8
# Rows that are converted at a time.
BLOCK = 4096

Data = list[tuple[np.ndarray, np.ndarray]]


def role_of(path: Path) -> tuple[str, tuple[str, str]] | None:
    """The prefix and the role of a file's name, such as those of `emnist-letters-test-images-idx3-ubyte.gz`."""
    name = re.sub(r"(\.gz)+$", "", path.name.lower()).replace(".", "-").replace("_", "-")
    found = re.fullmatch(r"(?:(.*?)-)?(train|t10k|test)-(images|labels)-idx.*", name)
    if found is None:
        return None
    prefix, part, kind = found.groups()
    return prefix or "", ("train" if part == "train" else "t10k", kind)


def preference(path: Path) -> tuple[bool, bool, str]:
    """Plain before gzip, and `-` before `.`, as the program prefers them."""
    name = path.name.lower()
    stem = name.removesuffix(".gz")
    return stem != name, "." in stem, str(path)


def files_in(folder: Path) -> dict[str, dict[tuple[str, str], Path]]:
    """By prefix, the file of each role."""
    candidates = []
    for path in folder.iterdir():
        if (role := role_of(path)) is not None:
            # Some archives are unpacked to a folder that is named as its file is.
            inner = list(path.iterdir()) if path.is_dir() else [path]
            candidates += [(preference(file), role, file) for file in inner if file.is_file() and role_of(file)]
    found: dict[str, dict[tuple[str, str], Path]] = {}
    for _, (prefix, role), file in sorted(candidates):
        found.setdefault(prefix, {}).setdefault(role, file)
    return found


def choose(folder: Path) -> list[Path]:
    """The four files of a folder, or, as with `gzip/emnist-letters`, those with a prefix in it."""
    prefix = None
    if not folder.exists() and folder.parent.is_dir():
        folder, prefix = folder.parent, re.sub(r"[._]", "-", folder.name.lower()).rstrip("-")
    if not folder.is_dir():
        sys.exit(f"{folder}: no such folder; name the data's folder with --data DIR")
    sets = {name: files for name, files in files_in(folder).items() if prefix in (None, name)}
    whole = [name for name, files in sets.items() if len(files) == len(ROLES)]
    if "" in whole or len(whole) == 1:
        files = sets["" if "" in whole else whole[0]]
        return [files[role] for role in ROLES]
    if whole:
        names = ", ".join(str(folder / name) for name in sorted(whole))
        sys.exit(f"{folder}: several data sets; name the one that is meant with --data: {names}")
    fullest = max(sets.values(), key=len, default={})
    endings = {"images": "idx3-ubyte", "labels": "idx1-ubyte"}
    missing = [f"{part}-{kind}-{endings[kind]}" for part, kind in ROLES if (part, kind) not in fullest]
    where = folder if prefix is None else f"{folder}, among names that begin with {prefix}"
    sys.exit(f"{where}: no file {', '.join(missing)}; --data DIR names the folder of all four IDX files")


def elements(path: Path) -> np.ndarray:
    """The numbers of an IDX file, gzip or plain."""
    data = path.read_bytes()
    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    if len(data) < 4 or len(data) < (start := 4 + 4 * data[3]):
        raise ValueError("it ends within its header")
    if data[:2] != b"\0\0" or data[2] not in TYPES:
        raise ValueError(f"it begins with {data[:4].hex(' ')}, not with 00 00 and a type of elements such as 08")
    shape, dtype = struct.unpack_from(f">{data[3]}I", data, 4), np.dtype(TYPES[data[2]])
    announced = start + math.prod(shape) * dtype.itemsize
    if len(data) != announced:
        raise ValueError(f"{announced} bytes by its header, {len(data)} there")
    return np.frombuffer(data, dtype, offset=start).reshape(shape)


def pixels(values: np.ndarray) -> np.ndarray:
    """The bytes that images stand for: whole numbers from 0 to 255, or, of floats up to 1, 255ths."""
    if values.ndim < 2:
        raise ValueError("it has no images")
    if values.dtype == np.uint8:
        return values
    is_unit = values.dtype.kind == "f" and values.size > 0 and values.max() <= 1
    unit = 255.0 if is_unit else 1.0
    images = np.empty(values.shape, np.uint8)
    for first in range(0, len(values), BLOCK):
        block = values[first : first + BLOCK].astype(np.float64)
        bytes_ = np.rint(unit * block)
        is_byte = (bytes_ >= 0) & (bytes_ <= 255) & ((block == 0) | (np.abs(block) > 1e-20))
        # Of f32, 255ths are not exact.
        if not (is_byte & (np.abs(unit * block - bytes_) <= (unit - 1) * 1e-6)).all():
            raise ValueError("its pixels are neither whole numbers from 0 to 255 nor 255ths from 0 to 1")
        images[first : first + BLOCK] = bytes_
    return images


def classes(values: np.ndarray) -> np.ndarray:
    """One label a row."""
    is_qmnist = values.ndim == 2 and values.shape[1] == N_QMNIST_COLUMNS and values.dtype.kind != "f"
    if values.ndim == 2 and (values.shape[1] == 1 or is_qmnist):
        values = values[:, 0]
    if values.ndim != 1:
        raise ValueError("it has more than one label a row")
    labels = values.astype(np.float64)
    if not ((labels >= 0) & (labels < N_LABELS) & (labels == np.floor(labels))).all():
        raise ValueError(f"its labels are not whole numbers from 0 to {N_LABELS - 1}")
    return labels.astype(np.uint16)


def read_data(folder: Path) -> Data:
    """Images and labels, of training and of the test, as the program reads them."""
    files = []
    for path, (_, kind) in zip(choose(folder), ROLES):
        try:
            with np.errstate(all="ignore"):
                files.append((pixels if kind == "images" else classes)(elements(path)))
        except (OSError, EOFError, zlib.error, ValueError) as error:
            sys.exit(f"{path}: cannot read it as an IDX file: {error}")
    train_images, train_labels, test_images, test_labels = files
    for images, labels, part in [(train_images, train_labels, "train"), (test_images, test_labels, "test")]:
        if len(images) != len(labels):
            sys.exit(f"{folder}: {len(images)} {part} images, but {len(labels)} labels")
    if len(train_labels) == 0:
        sys.exit(f"{folder}: no train images")
    return [(train_images, train_labels), (test_images, test_labels)]


def read_weights(path: Path) -> tuple[dict[str, str], list[tuple[np.ndarray, np.ndarray]]]:
    """What the file says of itself, and weight and bias of each layer."""
    how = "`coordinator replay FOLDER best --save FILE` writes one"
    if not path.is_file():
        sys.exit(f"{path}: no such file; {how}")
    try:
        with safe_open(path, framework="numpy") as file:
            about = file.metadata() or {}
            names = set(file.keys())
            n_layers = len(names) // 2
            expected = [f"layers.{i}.{part}" for i in range(max(n_layers, 1)) for part in ["weight", "bias"]]
            missing = [key for key in ["trial_id", "best_epoch", "input_scale"] if key not in about]
            missing += [name for name in expected if name not in names]
            if missing:
                sys.exit(f"{path}: not a file of a trial's weights, {', '.join(missing)} missing; {how}")
            tensors = [file.get_tensor(name) for name in expected]
    except SafetensorError as error:
        sys.exit(f"{path}: not a safetensors file: {error}; {how}")
    return about, list(zip(tensors[::2], tensors[1::2]))


def digest(data: Data) -> str:
    """SHA-256 of the data set in its canonical form."""
    n_classes = 1 + max(int(labels.max(initial=0)) for _, labels in data)
    is_wide = n_classes > 256
    dims = data[0][0].shape[1:]
    counts = [len(labels) for _, labels in data]
    header = [1, int(is_wide), len(dims), *dims, *counts]
    blob = hashlib.sha256(b"SWEEPSET" + struct.pack(f"<{len(header)}I", *header))
    for images, labels in data:
        blob.update(images.tobytes())
        blob.update(labels.astype("<u2" if is_wide else np.uint8).tobytes())
    return blob.hexdigest()


def check(about: dict[str, str], data: Data, layers, folder: Path) -> None:
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


def scaled(about: dict[str, str], data: Data) -> np.ndarray:
    """The test images as the network takes them."""
    test = flat(data[1][0])
    if about["input_scale"] == "unit":
        # From 0 to 1.
        return (test.astype(np.float32) / np.float32(255)).astype(np.float64)
    if "n_train" not in about:
        sys.exit("trained on standardized inputs by an older build, which does not say by which rows")
    # By mean and deviation of each input over the rows that it was trained on.
    train = flat(data[0][0][: int(about["n_train"])]).astype(np.float64)
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    constant = deviation == 0
    values = (test - mean) / np.where(constant, 1, deviation)
    return np.where(constant, 0, values).astype(np.float32).astype(np.float64)


def flat(images: np.ndarray) -> np.ndarray:
    """A row for each image; reshape cannot work out the length of a row from no rows."""
    return images.reshape(len(images), math.prod(images.shape[1:]))


def predict(layers: list[tuple[np.ndarray, np.ndarray]], x: np.ndarray) -> np.ndarray:
    for weight, bias in layers[:-1]:
        x = np.maximum(x @ weight + bias, 0)
    weight, bias = layers[-1]
    return (x @ weight + bias).argmax(axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Tests weights that `coordinator replay` saved.")
    parser.add_argument("weights", type=Path)
    what = "the data's folder, as `path` of the sweep file names it"
    parser.add_argument("--data", type=Path, default=MNIST, help=what)
    arguments = parser.parse_args()
    about, layers = read_weights(arguments.weights)
    data = read_data(arguments.data)
    check(about, data, layers, arguments.data)
    # In double precision, so that the order of NumPy's sums decides nothing.
    layers = [(weight.astype(np.float64), bias.astype(np.float64)) for weight, bias in layers]
    layer = "layer" if len(layers) == 1 else "layers"
    print(f"trial {about['trial_id']}, epoch {about['best_epoch']}, {len(layers)} {layer}")
    labels = data[1][1]
    if len(labels) == 0:
        sys.exit(f"{arguments.data}: the weights fit these data, but the test file has no rows to test them with")
    n_right = int((predict(layers, scaled(about, data)) == labels).sum())
    print(n_right / len(labels))


if __name__ == "__main__":
    main()
