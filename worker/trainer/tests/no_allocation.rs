//! Training allocates everything when the trainer is made, and nothing in an epoch.
// A counting allocator is an unsafe trait, and only tests use it.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use trainer::{Dataset, EpochEnd, Isa, OptimizerKind, PreparedData, TrainConfig, Trainer};
use trial::{Scale, Split, Value};

thread_local! {
    /// Allocations of this thread alone: the test harness allocates on others. Made without allocating.
    static N_ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: it hands everything to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        N_ALLOCATIONS.set(N_ALLOCATIONS.get() + 1);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn dataset() -> Dataset {
    let file = |dims: &[u32], content: &[u8]| {
        let mut file = vec![0, 0, 8, dims.len() as u8];
        dims.iter().for_each(|dim| file.extend(dim.to_be_bytes()));
        file.extend(content);
        file
    };
    // Row i has i % 13 inputs on, so that batches differ in size.
    let pixels: Vec<u8> =
        (0..100 * 30).map(|i| if i % 30 < i / 30 % 13 { (i % 255 + 1) as u8 } else { 0 }).collect();
    let labels: Vec<u8> = (0..100).map(|i| (i % 3) as u8).collect();
    let (images, labels) = (file(&[100, 30], &pixels), file(&[100], &labels));
    Dataset::from_idx(&images, &labels, &images, &labels).unwrap()
}

#[test]
fn epochs_do_not_allocate() {
    for scale in [Scale::Unit, Scale::Standard] {
        let split = Split { n_train: 70, n_valid: 30, scale };
        let data = Arc::new(PreparedData::new(&dataset(), split).unwrap());
        for (kind, isa) in OptimizerKind::ALL.into_iter().zip(Isa::available().into_iter().cycle())
        {
            let values = BTreeMap::from([
                ("optimizer".to_string(), Value::Text(kind.name().into())),
                ("learning_rate".to_string(), Value::Number(0.01)),
                ("batch_size".to_string(), Value::Count(16)),
                ("hidden".to_string(), Value::Widths(vec![20, 20])),
                ("epochs".to_string(), Value::Count(3)),
                ("dropout".to_string(), Value::Number(0.1)),
            ]);
            let config = TrainConfig::from_values(&values, 1).unwrap();
            let mut trainer = Trainer::new(config, Arc::clone(&data), isa).unwrap();
            let before = N_ALLOCATIONS.get();
            while trainer.run_epoch(&AtomicBool::new(false)) == EpochEnd::Continues {}
            let after = N_ALLOCATIONS.get();
            assert_eq!(after - before, 0, "{} on {}", kind.name(), isa.name());
        }
    }
}
