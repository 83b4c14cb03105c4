//! The estimated memory of a slot against what a process really takes. The only test of its program,
//! so that no other one takes memory meanwhile.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use trainer::{Dataset, EpochEnd, Isa, PreparedData, TrainConfig, Trainer, slot_bytes};
use trial::{Scale, Split, Value};

/// Bytes of this process in memory: `VmRSS`, or since the beginning at most: `VmHWM`.
fn resident(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("a field");
    let kilobytes = line.trim_start_matches(':').trim().trim_end_matches("kB").trim();
    kilobytes.parse::<u64>().expect("a number") * 1024
}

fn data() -> Arc<PreparedData> {
    let idx = |dims: &[u32], bytes: Vec<u8>| {
        let header = [0, 0, 8, dims.len() as u8];
        let dims: Vec<u8> = dims.iter().flat_map(|dim| dim.to_be_bytes()).collect();
        [&header[..], &dims, &bytes].concat()
    };
    let images = idx(&[64, 784], (0..64 * 784).map(|i| (i % 5) as u8).collect());
    let labels = idx(&[64], (0..64).map(|i| i % 10).collect());
    let dataset = Dataset::from_idx(&images, &labels, &images, &labels).expect("a data set");
    let split = Split { n_train: 48, n_valid: 16, scale: Scale::Unit };
    Arc::new(PreparedData::new(&dataset, split).expect("it fits"))
}

#[test]
fn the_estimate_is_near_what_a_trial_takes() {
    let data = data();
    let values = BTreeMap::from([
        ("optimizer".to_string(), Value::Text("adam".into())),
        ("learning_rate".to_string(), Value::Number(0.001)),
        ("batch_size".to_string(), Value::Count(32)),
        ("hidden".to_string(), Value::Widths(vec![2048, 2048])),
        ("epochs".to_string(), Value::Count(1)),
    ]);
    let config = TrainConfig::from_values(&values, 1).expect("valid");
    let estimate = slot_bytes(&config, data.n_inputs(), data.n_classes());
    let before = resident("VmRSS");
    let mut trainer = Trainer::new(config, data, Isa::choose(None).expect("any")).expect("small");
    assert_eq!(trainer.run_epoch(&AtomicBool::new(false)), EpochEnd::Ends);
    let checkpoint = trainer.checkpoint();
    let taken = resident("VmHWM") - before;
    drop(checkpoint);
    println!("estimated {estimate}, taken {taken}");
    assert!(taken <= estimate, "estimated {estimate}, taken {taken}");
    assert!(estimate <= 2 * taken, "estimated {estimate}, taken {taken}");
}
