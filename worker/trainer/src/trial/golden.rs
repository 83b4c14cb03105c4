//! The checked-in digests of small trials: a change of any bit on any path shows here.

use trial::{Digest, Scale, Value};

use crate::config::{NUMERICS_VERSION, OptimizerKind, TrainConfig};
use crate::isa::Isa;
use crate::testing::{Generated, config, finish};
use crate::trial::trainer::Trainer;

const GOLDEN: &str = include_str!("golden.txt");
/// The contract's versions, how many optimizers each began with, and the SHA-256 of their digests: a
/// digest that changes adds a line here, with the next version. An optimizer that joins does not.
const VERSIONS: &[(u32, usize, &str)] = &[
    (1, 9, "92acdeef29237a2da698035ae8adbdcec57fde5ef142bc5cfe9d0160b2526c4f"),
    (2, 9, "f50a5d6d543a0dce23d34816070383aca5425c81cf38fca8b06b0b32a71e7d0c"),
];

const DATA: [(&str, Generated, Scale); 3] = [
    ("sparse", Generated::SPARSE, Scale::Unit),
    ("dense", Generated::DENSE, Scale::Unit),
    ("standard", Generated::SPARSE, Scale::Standard),
];

fn cases(kind: OptimizerKind) -> Vec<(&'static str, TrainConfig)> {
    let hidden = |widths: &[u32]| ("hidden", Value::Widths(widths.to_vec()));
    let decay = if kind.is_line_search() { "decoupled_decay" } else { "weight_decay" };
    let regularized = [
        (decay, Value::Number(0.01)),
        ("dropout", Value::Number(0.15)),
        ("label_smoothing", Value::Number(0.1)),
        ("batch_size", Value::Count(33)),
        hidden(&[100, 17, 10]),
    ];
    let wide = [("batch_size", Value::Count(60)), hidden(&[257])];
    vec![
        ("plain", config(kind, &[])),
        ("regularized", config(kind, &regularized)),
        ("wide", config(kind, &wide)),
        ("extreme", config(kind, &[("learning_rate", Value::Number(1e20))])),
    ]
}

/// One line a trial, computed by the given path or, without one, by the reference.
fn digests(isa: Option<Isa>) -> String {
    let mut lines = String::new();
    for (data_name, generated, scale) in DATA {
        let data = generated.prepare(scale);
        for kind in OptimizerKind::ALL {
            for (case_name, config) in cases(kind) {
                let trainer = match isa {
                    Some(isa) => Trainer::new(config, data.clone(), isa),
                    None => Trainer::reference(config, data.clone()),
                };
                let digest = finish(trainer.unwrap()).digest;
                lines += &format!("{digest} {data_name} {} {case_name}\n", kind.name());
            }
        }
    }
    lines
}

#[test]
fn every_path_gives_the_golden_digests() {
    for isa in std::iter::once(None).chain(Isa::available().into_iter().map(Some)) {
        let path = isa.map_or("reference", Isa::name);
        let digests = digests(isa);
        assert!(digests == GOLDEN, "golden.txt differs from what {path} gives:\n{digests}");
    }
}

#[test]
fn golden_digests_change_with_the_version_alone() {
    let (version, n_optimizers, expected) = *VERSIONS.last().unwrap();
    let began_with = &OptimizerKind::ALL[..n_optimizers];
    let is_of_these = |line: &&str| {
        let name = line.split(' ').nth(2).expect("a digest, data, an optimizer, a case");
        began_with.iter().any(|kind| kind.name() == name)
    };
    let lines: String =
        GOLDEN.lines().filter(is_of_these).map(|line| format!("{line}\n")).collect();
    let found = (NUMERICS_VERSION, Digest::of(lines).to_string());
    assert_eq!(found, (version, expected.to_owned()), "raise NUMERICS_VERSION and add a line");
    assert!(VERSIONS.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].2 != pair[1].2));
}
