//! Properties of checkpoints: what was written goes on with the same bits, and of bytes that were
//! cut, changed, spliced or made up nothing is taken that breaks the training.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use properties::check;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use sha2::{Digest, Sha256};
use trial::{Scale, Value};

use crate::config::{OptimizerKind, TrainConfig};
use crate::data::PreparedData;
use crate::isa::Isa;
use crate::testing::{Generated, config, finish, optimizer};
use crate::trial::trainer::{EpochEnd, TrainError, Trainer};

/// Cases that once failed.
const FAILED_BEFORE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/checkpoint.txt");

/// Cases of each property.
const N_CASES: u32 = 64;

/// A trial of three epochs, and how many of them are done.
#[derive(Clone, Debug)]
struct Trial {
    config: TrainConfig,
    data: Arc<PreparedData>,
    n_done: u32,
}

impl Trial {
    fn begun(&self) -> Trainer {
        let (config, data) = (self.config.clone(), Arc::clone(&self.data));
        let mut trainer = Trainer::new(config, data, Isa::Portable).unwrap();
        for _ in 0..self.n_done {
            trainer.run_epoch(&AtomicBool::new(false));
        }
        trainer
    }

    fn resume(&self, bytes: &[u8]) -> Result<Trainer, TrainError> {
        Trainer::resume(self.config.clone(), Arc::clone(&self.data), Isa::Portable, bytes)
    }
}

fn trials() -> impl Strategy<Value = Trial> {
    let widths = vec(1_u32..6, 0..3);
    let fields = (select(&OptimizerKind::ALL[..]), widths, 1_u64..20, 0_u32..4, any::<bool>());
    fields.prop_map(|(optimizer, widths, batch_size, n_done, drops)| {
        let mut changes = vec![
            ("hidden", Value::Widths(widths.clone())),
            ("batch_size", Value::Count(batch_size)),
            ("epochs", Value::Count(3)),
        ];
        let is_searching = optimizer.is_line_search();
        if drops && !is_searching && !widths.is_empty() {
            changes.push(("dropout", Value::Number(0.25)));
        }
        let data = Generated { n_train: 30, n_test: 5, n_inputs: 6, ..Generated::SPARSE };
        Trial { config: config(optimizer, &changes), data: data.prepare(Scale::Unit), n_done }
    })
}

/// Content with the hash that makes it whole.
fn hashed(content: &[u8]) -> Vec<u8> {
    [content, &Sha256::digest(content)].concat()
}

fn content(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len() - 32]
}

#[test]
fn what_was_written_goes_on_with_the_same_bits() {
    check(FAILED_BEFORE, N_CASES, &trials(), |trial| {
        let trainer = trial.begun();
        let bytes = trainer.checkpoint();
        let resumed = trial.resume(&bytes);
        prop_assert!(resumed.is_ok(), "{:?}", resumed.err());
        let resumed = resumed.unwrap();
        prop_assert_eq!(resumed.checkpoint(), bytes);
        if trainer.history().len() == trial.n_done as usize {
            prop_assert_eq!(finish(resumed).digest, finish(trainer).digest);
        }
        Ok(())
    });
}

/// What a disk or a network may do.
#[derive(Clone, Debug)]
enum Harm {
    Cut(Index),
    Change(Vec<(Index, u8)>),
    Insert(Index, Vec<u8>),
    Remove(Index, Index),
    /// The rest is another checkpoint's.
    Splice(Index),
}

fn harms() -> impl Strategy<Value = Harm> {
    prop_oneof![
        any::<Index>().prop_map(Harm::Cut),
        vec((any::<Index>(), any::<u8>()), 1..5).prop_map(Harm::Change),
        (any::<Index>(), vec(any::<u8>(), 1..40)).prop_map(|(at, bytes)| Harm::Insert(at, bytes)),
        any::<(Index, Index)>().prop_map(|(from, to)| Harm::Remove(from, to)),
        any::<Index>().prop_map(Harm::Splice),
    ]
}

impl Harm {
    fn done_to(&self, bytes: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        match self {
            _ if bytes.is_empty() => {}
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Self::Change(changes) => {
                for (at, value) in changes {
                    let at = at.index(bytes.len());
                    bytes[at] = *value;
                }
            }
            Self::Insert(at, more) => {
                let at = at.index(bytes.len() + 1);
                bytes.splice(at..at, more.iter().copied());
            }
            Self::Remove(from, to) => {
                let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
                bytes.drain(from.min(to)..from.max(to));
            }
            Self::Splice(at) => {
                let at = at.index(bytes.len().min(other.len()));
                bytes.truncate(at);
                bytes.extend(&other[at..]);
            }
        }
        bytes
    }
}

#[test]
fn damaged_bytes_are_refused() {
    check(FAILED_BEFORE, N_CASES, &(trials(), trials(), harms()), |(trial, other, harm)| {
        let bytes = trial.begun().checkpoint();
        let others = other.begun().checkpoint();
        let damaged = harm.done_to(&bytes, &others);
        // A splice may leave all of the other one, which is good if it is of the same trial.
        let is_good = damaged == bytes || damaged == others && trial.config == other.config;
        prop_assert_eq!(trial.resume(&damaged).is_ok(), is_good);
        Ok(())
    });
}

/// As a hostile peer would make it. What is taken may train nonsense, and ends all the same.
#[test]
fn forged_content_with_the_right_hash_never_panics() {
    check(
        FAILED_BEFORE,
        N_CASES,
        &(trials(), trials(), vec(harms(), 1..4)),
        |(trial, other, harms)| {
            let (bytes, others) = (trial.begun().checkpoint(), other.begun().checkpoint());
            let forge = |forged: Vec<u8>, harm: &Harm| harm.done_to(&forged, content(&others));
            let forged = harms.iter().fold(content(&bytes).to_vec(), forge);
            if let Ok(mut trainer) = trial.resume(&hashed(&forged)) {
                prop_assert!(trial.resume(&trainer.checkpoint()).is_ok());
                for _ in 0..=trial.config.epochs {
                    if trainer.run_epoch(&AtomicBool::new(false)) != EpochEnd::Continues {
                        break;
                    }
                }
                trainer.into_result();
            }
            Ok(())
        },
    );
}

#[test]
fn made_up_bytes_are_refused() {
    let trial = Trial {
        config: config(optimizer("sgd"), &[]),
        data: Generated::SPARSE.prepare(Scale::Unit),
        n_done: 0,
    };
    check(
        FAILED_BEFORE,
        N_CASES,
        &(vec(any::<u8>(), 0..3000), any::<bool>()),
        |(bytes, is_hashed)| {
            let bytes = if is_hashed { hashed(&bytes) } else { bytes };
            prop_assert!(trial.resume(&bytes).is_err());
            Ok(())
        },
    );
}
