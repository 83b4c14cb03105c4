//! Properties of spool files that were cut, changed, spliced or filled with anything: reading never
//! panics, takes no record that was not written, and finds every one that is whole.

use ::properties::check;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::disk::spool::record::{Contents, read};
use crate::disk::spool::tests::*;

/// Cases that once failed.
const FAILED_BEFORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/spool.txt");

/// Cases of each property.
const N_CASES: u32 = 128;

fn record() -> impl Strategy<Value = Record<Finished>> {
    let text = prop_oneof!["\\PC{0,40}", "[\u{0}-\u{7f}]{0,300}"];
    let lease = (any::<u64>(), any::<u8>(), any::<u32>());
    (any::<[u8; 16]>(), 1_700_000_000_u64..1_900_000_000, lease, text).prop_map(
        |(state_id, written_at_s, (term, trial, attempt), text)| {
            let lease = Lease { term, trial_id: vec![trial; 32], attempt, nonce: term };
            let outcome = Some(Outcome::Failure(text));
            let finished = Finished { lease: Some(lease), outcome, timings: vec![] };
            Record { state_id, written_at_s, finished }
        },
    )
}

/// A record and whether a former build wrote it.
fn records() -> impl Strategy<Value = Vec<(Record<Finished>, bool)>> {
    vec((record(), any::<bool>()), 0..8)
}

fn encode((record, is_old): &(Record<Finished>, bool)) -> Vec<u8> {
    if *is_old { record.encode_unmarked() } else { record.encode() }
}

fn found(contents: &Contents) -> Vec<&Record<Finished>> {
    contents.records.iter().map(|(record, _)| record).collect()
}

#[test]
fn what_was_written_is_read_again() {
    check(FAILED_BEFORE, N_CASES, &records(), |records| {
        let contents = read(&records.iter().flat_map(encode).collect::<Vec<u8>>());
        prop_assert_eq!(found(&contents), records.iter().map(|it| &it.0).collect::<Vec<_>>());
        prop_assert!(contents.damaged.is_empty());
        Ok(())
    });
}

#[test]
fn anything_is_read_without_a_record_that_was_not_written() {
    check(FAILED_BEFORE, N_CASES, &vec(any::<u8>(), 0..2000), |bytes| {
        prop_assert!(read(&bytes).records.is_empty());
        Ok(())
    });
}

/// What happens to the bytes between two records, or to one of them.
#[derive(Clone, Debug)]
enum Harm {
    Change(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Insert(Vec<u8>),
    Repeat,
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        (any::<prop::sample::Index>(), 1..=u8::MAX).prop_map(|(at, bits)| Harm::Change(at, bits)),
        any::<prop::sample::Index>().prop_map(Harm::Cut),
        vec(any::<u8>(), 1..200).prop_map(Harm::Insert),
        Just(Harm::Repeat),
    ]
}

#[test]
fn every_whole_record_is_found_between_what_is_broken() {
    let records = vec((record(), any::<bool>(), proptest::option::weighted(0.4, harm())), 0..8);
    check(FAILED_BEFORE, N_CASES, &records, |parts| {
        let (mut bytes, mut whole) = (Vec::new(), Vec::new());
        for (record, is_old, harm) in &parts {
            let mut encoded = encode(&(record.clone(), *is_old));
            match harm {
                Some(Harm::Change(at, bits)) => {
                    let at = at.index(encoded.len());
                    encoded[at] ^= bits;
                    // Without its mark a record is one of a former build.
                    let is_whole = read(&encoded).records.iter().any(|(read, _)| read == record);
                    prop_assert!(!is_whole || (!is_old && at < 8), "changed byte {}", at);
                    whole.extend(is_whole.then_some(record));
                }
                Some(Harm::Cut(at)) => {
                    // If bytes are missing, the next record may begin with those that are missing.
                    encoded.truncate(at.index(encoded.len() - 32));
                }
                Some(Harm::Insert(garbage)) => {
                    bytes.extend(garbage);
                    whole.push(record);
                }
                Some(Harm::Repeat) => {
                    bytes.extend(&encoded);
                    whole.extend([record, record]);
                }
                None => whole.push(record),
            }
            bytes.extend(encoded);
        }
        let contents = read(&bytes);
        prop_assert_eq!(found(&contents), whole);
        let n_damaged: usize = contents.damaged.iter().map(|range| range.len()).sum();
        let n_whole: usize = contents.records.iter().map(|(_, n_bytes)| n_bytes).sum();
        prop_assert_eq!(n_damaged + n_whole, bytes.len());
        Ok(())
    });
}

#[test]
fn a_spool_of_any_bytes_opens_and_takes_more() {
    let bytes = (records(), vec(any::<u8>(), 0..300), any::<prop::sample::Index>());
    check(FAILED_BEFORE, N_CASES, &bytes, |(records, garbage, at)| {
        // A time to come, which is taken for now: none is dropped for its age.
        let undated = |(record, is_old): &(Record<Finished>, bool)| {
            encode(&(Record { written_at_s: 90_000_000_000, ..record.clone() }, *is_old))
        };
        let mut bytes: Vec<u8> = records.iter().flat_map(undated).collect();
        let at = at.index(bytes.len() + 1);
        bytes.splice(at..at, garbage);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spool");
        std::fs::write(&path, &bytes).unwrap();
        let n_before = read(&bytes).records.len();
        prop_assert!(records.len() <= n_before + 1, "one at most was hit");
        let mut spool = open(&path).unwrap();
        prop_assert_eq!(spool.len(), n_before);
        spool.append(STATE, vec![outcome(1)]).unwrap();
        prop_assert_eq!(open(&path).unwrap().len(), n_before + 1);
        Ok(())
    });
}
