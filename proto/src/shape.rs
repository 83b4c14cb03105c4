//! The shape of a message: where its bytes hold further messages. It lets a receiver count what
//! bytes would become before they are decoded: two bytes on the wire can be an element of hundreds
//! in memory.

use prost::bytes::Buf;
use prost::encoding::{WireType, decode_key, decode_varint};

/// Where one kind of message holds elements: values that take memory of their own.
#[derive(Debug)]
pub struct Shape {
    pub name: &'static str,
    /// Field numbers, and what each element is.
    pub elements: &'static [(u32, &'static Shape)],
}

pub trait Shaped {
    const SHAPE: Shape;
}

include!(concat!(env!("OUT_DIR"), "/shapes.rs"));

/// Bytes of a message for each of its elements, at the least and on average. The smallest honest ones,
/// an optimizer's settings in a grant, take some twelve.
const LEAST_BYTES_PER_ELEMENT: usize = 8;

/// Elements that a message may have whatever its length.
const FREE_ELEMENTS: usize = 64;

impl Shape {
    /// Text or bytes.
    pub const LEAF: Self = Self { name: "bytes", elements: &[] };

    /// Elements that a message of this many bytes may have.
    pub fn max_elements(n_bytes: usize) -> usize {
        FREE_ELEMENTS + n_bytes / LEAST_BYTES_PER_ELEMENT
    }

    /// The elements in `bytes`, at all depths; `None` for what does not follow the wire format, and for
    /// groups, which no message of ours has: what cannot be counted is not decoded.
    pub fn count(&self, mut bytes: &[u8]) -> Option<usize> {
        let mut n_elements = 0;
        while bytes.has_remaining() {
            let (number, wire_type) = decode_key(&mut bytes).ok()?;
            let n_value = match wire_type {
                WireType::Varint => {
                    decode_varint(&mut bytes).ok()?;
                    0
                }
                WireType::ThirtyTwoBit => 4,
                WireType::SixtyFourBit => 8,
                WireType::LengthDelimited => {
                    usize::try_from(decode_varint(&mut bytes).ok()?).ok()?
                }
                WireType::StartGroup | WireType::EndGroup => return None,
            };
            let value = bytes.get(..n_value)?;
            bytes.advance(n_value);
            let element = self.elements.iter().find(|(element, _)| *element == number);
            if let Some((_, shape)) = element.filter(|_| wire_type == WireType::LengthDelimited) {
                n_elements += 1 + shape.count(value)?;
            }
        }
        Some(n_elements)
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::finished::Outcome;
    use crate::trial_result::Ending;
    use crate::{Finished, Lease, Running, SyncRequest, TrialResult};

    #[test]
    fn elements_are_counted_at_all_depths() {
        let lease = Some(Lease { trial_id: vec![7; 32], ..Lease::default() });
        let result = TrialResult {
            history: vec![crate::Epoch::default(); 3],
            ending: Some(Ending::Diverged(crate::Diverged::default())),
            ..TrialResult::default()
        };
        let finished = Finished {
            lease: lease.clone(),
            outcome: Some(Outcome::Result(result)),
            timings: vec![],
        };
        let running = Running { lease, started: true, ..Running::default() };
        let sync = SyncRequest {
            running: vec![running; 2],
            finished: vec![finished],
            released: vec![Lease::default()],
            ..SyncRequest::default()
        };
        // Two that run and their leases, one that is finished with a lease, a result, an ending and
        // three epochs, one that was released.
        assert_eq!(SyncRequest::SHAPE.count(&sync.encode_to_vec()), Some(4 + 7 + 1));
    }

    #[test]
    fn broken_bytes_have_no_count() {
        for bytes in [&[0x32][..], &[0x32, 0x05, 0x00], &[0x33], &[0x0b], &[0xff; 20]] {
            assert_eq!(SyncRequest::SHAPE.count(bytes), None, "{bytes:?}");
        }
        assert_eq!(SyncRequest::SHAPE.count(&[]), Some(0));
    }
}
