//! The codec of every method on both sides: protobuf, with a bound on what a message may become in
//! memory. The number of its elements is bounded by the number of its bytes, and is counted before
//! anything is decoded.

use std::any::type_name;
use std::marker::PhantomData;

use prost::Message;
use prost::bytes::Buf as _;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use crate::shape::{Shape, Shaped};

#[derive(Debug)]
pub struct BoundedCodec<T, U>(PhantomData<(T, U)>);

#[derive(Debug)]
pub struct MessageEncoder<T>(PhantomData<T>);

#[derive(Debug)]
pub struct BoundedDecoder<U>(PhantomData<U>);

impl<T, U> Default for BoundedCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for BoundedCodec<T, U>
where
    T: Message + 'static,
    U: Message + Default + Shaped + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = MessageEncoder<T>;
    type Decoder = BoundedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        MessageEncoder(PhantomData)
    }

    fn decoder(&mut self) -> Self::Decoder {
        BoundedDecoder(PhantomData)
    }
}

impl<T: Message> Encoder for MessageEncoder<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, message: T, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        let too_long = |error| Status::internal(format!("{}: {error}", type_name::<T>()));
        message.encode(buffer).map_err(too_long)
    }
}

impl<U: Message + Default + Shaped> Decoder for BoundedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        decode(&bytes).map(Some).map_err(Status::invalid_argument)
    }
}

/// The error is for the peer.
fn decode<U: Message + Default + Shaped>(bytes: &[u8]) -> Result<U, String> {
    let (name, n_max) = (U::SHAPE.name, Shape::max_elements(bytes.len()));
    let Some(n_elements) = U::SHAPE.count(bytes) else {
        return Err(format!("not a {name}: its {} bytes break the wire format", bytes.len()));
    };
    if n_elements > n_max {
        let n_bytes = bytes.len();
        return Err(format!(
            "a {name} of {n_bytes} bytes holds {n_elements} elements, expected at most {n_max}"
        ));
    }
    U::decode(bytes).map_err(|error| format!("not a {name}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SyncReply, SyncRequest};

    #[test]
    fn many_tiny_elements_are_refused_before_they_are_decoded() {
        // Two bytes each: a field's key and no length.
        let bytes = [0x32, 0x00].repeat(2 * 1024 * 1024);
        let error = decode::<SyncRequest>(&bytes).unwrap_err();
        assert!(error.contains("SyncRequest of 4194304 bytes holds 2097152 elements"), "{error}");
        let bytes = [0x1a, 0x00].repeat(1_000);
        assert!(decode::<SyncReply>(&bytes).is_err(), "replies are bounded as well");
    }

    #[test]
    fn a_small_message_may_be_all_elements() {
        assert_eq!(decode::<SyncRequest>(&[0x32, 0x00].repeat(40)).unwrap().running.len(), 40);
    }

    #[test]
    fn what_cannot_be_counted_is_not_decoded() {
        let flood = [0x32, 0x00].repeat(1024);
        // A group, which decoding would skip, and a field that breaks off.
        for tail in [&[0x7b, 0x7c][..], &[0xff]] {
            let error = decode::<SyncRequest>(&[&flood, tail].concat()).unwrap_err();
            assert!(error.contains("break the wire format"), "{error}");
        }
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let error = decode::<SyncRequest>(&[0xff; 40]).unwrap_err();
        assert!(error.starts_with("not a SyncRequest: "), "{error}");
    }
}
