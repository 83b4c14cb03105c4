//! Changes of a message on its way.

use proptest::prelude::*;
use proptest::sample::Index;

/// Bytes of a valid message with a few changes, or none of it.
#[derive(Clone, Debug)]
pub enum Change {
    Set(Index, u8),
    Remove(Index, usize),
    Insert(Index, Vec<u8>),
    Double(Index, usize),
}

pub fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        4 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        1 => (any::<Index>(), 1..40_usize).prop_map(|(at, n)| Change::Remove(at, n)),
        1 => (any::<Index>(), prop::collection::vec(any::<u8>(), 1..20))
            .prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        1 => (any::<Index>(), 1..200_usize).prop_map(|(at, n)| Change::Double(at, n)),
    ];
    prop::collection::vec(change, 0..6)
}

pub fn changed(mut bytes: Vec<u8>, changes: Vec<Change>) -> Vec<u8> {
    for change in changes {
        if bytes.is_empty() {
            break;
        }
        let n = bytes.len();
        match change {
            Change::Set(at, byte) => bytes[at.index(n)] = byte,
            Change::Remove(at, count) => {
                let at = at.index(n);
                bytes.drain(at..usize::min(at + count, n));
            }
            Change::Insert(at, more) => {
                let at = at.index(n);
                bytes.splice(at..at, more);
            }
            Change::Double(at, count) => {
                let at = at.index(n);
                let part = bytes[at..usize::min(at + count, n)].to_vec();
                bytes.splice(at..at, part);
            }
        }
    }
    bytes
}
