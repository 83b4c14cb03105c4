"""MNIST as float32 in [0, 1], from the files that the coordinator embeds, and the peers' command line."""

import argparse
import gzip
import json
import pathlib

import numpy as np

FOLDER = pathlib.Path(__file__).resolve().parents[4] / "coordinator/data/mnist"


def train_set():
    def read(name, header):
        return np.frombuffer(gzip.decompress((FOLDER / name).read_bytes()), np.uint8)[header:]

    images = read("train-images-idx3-ubyte.gz", 16).reshape(-1, 784)
    return images.astype(np.float32) / 255, read("train-labels-idx1-ubyte.gz", 8).astype(np.int32)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hidden", default="256,128,64")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=0.05)
    parser.add_argument("--epochs", type=int, default=3)
    args = parser.parse_args()
    args.hidden = [int(width) for width in args.hidden.split(",")]
    return args


def report(peer, seconds):
    print(json.dumps({"peer": peer, "cpu_seconds_per_epoch": float(np.median(seconds))}))
