//! Networks that no trainer would train are refused before anything runs, and the memory of the
//! others is told.

use crate::tests::{base_with, check, mnist, parse, plan_recorded, planned};

#[test]
fn a_network_of_too_many_weights_is_refused_at_its_layers() {
    let source = base_with("depth", "hidden = [[8], [16384, 16384, 16384, 16384, 16384, 16384]]")
        .replace("widths = [256, 128, 64]\n", "");
    let problem = "11:16 the network is too large to train | 1355186176 weights, the limit is 268435456 | use fewer or narrower layers";
    check(&source, &[problem]);
    let by_depth = base_with("widths", "widths = [256, 16384, 16384, 16384]")
        .replace("depth = [1, 2]", "depth = [1, 4]");
    check(
        &by_depth,
        &[
            "12:13 the network is too large to train | 541429760 weights, the limit is 268435456 | use fewer or narrower layers",
        ],
    );
}

#[test]
fn batches_of_too_many_activations_are_refused_at_their_size() {
    let source = base_with("batch_size", "batch_size = [32, 16385]")
        .replace("widths = [256", "widths = [16384");
    check(
        &source,
        &[
            "11:19 the batches are too large to train | 268451840 activations of a batch, the limit is 268435456 | use smaller batches or narrower layers",
        ],
    );
}

/// Its trials failed, and they are recorded all the same.
#[test]
fn a_recorded_sweep_of_too_large_networks_can_be_read() {
    let source = base_with("widths", "widths = [16384, 16384, 16384, 16384]")
        .replace("depth = [1, 2]", "depth = [4]");
    let plan = plan_recorded(&parse(&source).unwrap(), &mnist(), 10_000).unwrap();
    assert_eq!(plan.points.len(), 4);
}

#[test]
fn memory_grows_with_layers_and_batches() {
    let bytes = |line: &str, with: &str| planned(&base_with(line, with)).slot_bytes();
    let base = bytes("epochs", "epochs = 10");
    assert!((5 << 20..20 << 20).contains(&base), "{base}");
    assert!(bytes("widths", "widths = [512, 128, 64]") > base * 3 / 2);
    assert!(bytes("batch_size", "batch_size = [4096]") > base + (4096 - 64) * 4 * 784);
    assert!(bytes("optimizer", "optimizer = [\"adam\"]") > base);
    let data = planned(&base_with("epochs", "epochs = 10")).data_bytes();
    assert!((150 << 20..200 << 20).contains(&data), "{data}");
}
