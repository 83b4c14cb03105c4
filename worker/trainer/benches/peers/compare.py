"""Times this trainer beside its peers on one core and prints the table.

    cargo build --release -p coordinator
    pip install jax torch scikit-learn
    python worker/trainer/benches/peers/compare.py [--core 1] [--rounds 3] [--epochs 3]

Programs take turns, so that a change of the machine's speed meets all of them, and CPU time counts,
so that waiting for the core does not; each figure is the median over the rounds of the median over
the epochs. A peer that is not installed is left out.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[3]
WORK = [("256,128,64", 32), ("256,128,64", 128), ("128", 32)]
PEERS = ["jax_train.py", "torch_train.py", "sklearn_train.py"]


def run(command, core):
    """The program's JSON, or None if it fails."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = ["taskset", "-c", str(core), *map(str, command)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        print(f"left out: {command[3:]}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--core", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser.add_argument("--coordinator", default=target / "release/coordinator")
    args = parser.parse_args()
    seconds = {}
    for _ in range(args.rounds):
        for work in WORK:
            flags = ["--hidden", work[0], "--batch-size", work[1], "--epochs", args.epochs]
            ours = run([args.coordinator, "bench", "train", *flags, "--output", "json"], args.core)
            if ours is None:
                sys.exit("the trainer itself must run")
            times = seconds.setdefault(f"this trainer, {ours['isa']}", {})
            times.setdefault(work, []).append(ours["cpu_seconds_per_epoch"])
            for peer in PEERS:
                if result := run([sys.executable, HERE / peer, *flags], args.core):
                    times = seconds.setdefault(result["peer"], {})
                    times.setdefault(work, []).append(result["cpu_seconds_per_epoch"])
    table(seconds)


def table(seconds):
    medians = {who: {w: statistics.median(t) for w, t in times.items()} for who, times in seconds.items()}
    ours = next(iter(medians.values()))
    print("| CPU seconds per epoch | " + " | ".join(f"[{h}], batch {b}" for h, b in WORK) + " |")
    print("| --- |" + " --- |" * len(WORK))
    for who, times in medians.items():
        cells = [f"{times[w]:.3f} ({times[w] / ours[w]:.2f}x)" if w in times else "" for w in WORK]
        print(f"| {who} | " + " | ".join(cells) + " |")


main()
