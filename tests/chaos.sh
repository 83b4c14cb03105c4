#!/usr/bin/env bash
# Kills, stops and cuts off the release programs by a schedule, and sees that nothing is lost.
# Partitions and full disks take root; without it they are skipped.
set -euo pipefail

usage() {
    echo "usage: tests/chaos.sh [--seed N] [--kills N] [--minutes N]"
    echo "Ends after this many kills (default 60), with other faults in proportion, or after this many"
    echo "minutes (default 10), whichever comes first."
}

export SWEEP_CHAOS_SEED=1 SWEEP_CHAOS_KILLS=60 SWEEP_CHAOS_MINUTES=10
while (($#)); do
    case "$1 ${2-}" in
    "--seed "?*) SWEEP_CHAOS_SEED=$2 ;;
    "--kills "?*) SWEEP_CHAOS_KILLS=$2 ;;
    "--minutes "?*) SWEEP_CHAOS_MINUTES=$2 ;;
    "--help "*) usage && exit ;;
    *) usage >&2 && exit 2 ;;
    esac
    shift 2
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
cargo build --release --locked --bin coordinator --bin worker
# A copy, which no later build replaces while it runs.
SWEEP_BIN_DIR=$(mktemp -d)
export SWEEP_BIN_DIR
trap 'rm -r "$SWEEP_BIN_DIR"' EXIT
cp "${CARGO_TARGET_DIR:-target}"/release/{coordinator,worker} "$SWEEP_BIN_DIR"
cargo test --release --locked -p e2e --test chaos -- --nocapture --test-threads 1
