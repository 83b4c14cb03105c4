//! Calls below the generated clients: any bytes as a message, and messages that never end.

use bytes::{Buf, BufMut};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Status};

/// Messages as bytes; answers are dropped.
#[derive(Clone, Copy)]
struct Bytewise;

impl Codec for Bytewise {
    type Encode = Vec<u8>;
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Bytewise {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Bytewise {
    type Item = ();
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        buffer.advance(buffer.remaining());
        Ok(Some(()))
    }
}

/// Calls a method, such as `/sweep.v1.Session/Sync`, with these bytes for a message.
pub async fn call(channel: Channel, path: &'static str, message: Vec<u8>) -> Result<(), Status> {
    let mut client = Grpc::new(channel);
    client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    client.unary(Request::new(message), PathAndQuery::from_static(path), Bytewise).await?;
    Ok(())
}

const PREFACE_AND_SETTINGS: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const HEADERS: u8 = 1;
const DATA: u8 = 0;
const END_HEADERS: u8 = 4;
const FRAME_BYTES: usize = 16 * 1024;

/// What a server lets come of one call ahead of reading it.
const HALF_BYTES: usize = 448 * 1024;

/// A connection whose one Sync announces 3 MiB, sends a part of them, and never ends.
pub async fn half_sent_sync(address: &str) -> std::io::Result<TcpStream> {
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/sweep.v1.Session/Sync"),
        (":authority", "coordinator"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    // Each name and value as it is, by its length: HPACK without its tables.
    let headers = fields.iter().flat_map(|(name, value)| {
        let lengths = [name, value].map(|text| u8::try_from(text.len()).expect("short"));
        [&[0, lengths[0]], name.as_bytes(), &[lengths[1]], value.as_bytes()].concat()
    });
    let mut message = vec![0];
    message.extend((3_u32 << 20).to_be_bytes());
    message.resize(HALF_BYTES, 0);
    let mut bytes = PREFACE_AND_SETTINGS.to_vec();
    bytes.extend(frame(HEADERS, END_HEADERS, &headers.collect::<Vec<u8>>()));
    for part in message.chunks(FRAME_BYTES) {
        bytes.extend(frame(DATA, 0, part));
    }
    let mut connection = TcpStream::connect(address).await?;
    connection.write_all(&bytes).await?;
    Ok(connection)
}

/// A frame of the first stream.
fn frame(kind: u8, flags: u8, content: &[u8]) -> Vec<u8> {
    let n_bytes = u32::try_from(content.len()).expect("short").to_be_bytes();
    [&n_bytes[1..], &[kind, flags, 0, 0, 0, 1], content].concat()
}
