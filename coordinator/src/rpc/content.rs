//! What a transfer sends, piece by piece.

use std::sync::Arc;

use bytes::Bytes;
use proto::Chunk;
use worker::parts::Disk;

use crate::rpc::status::{RpcError, on_disk};
use crate::store::WholeCheckpoint;

/// Bytes in a chunk on its way out. What an unread stream holds is a few of them.
const CHUNK_BYTES: usize = 64 * 1024;

/// What is sent, from where it goes on.
pub enum Content {
    Memory(Bytes),
    File { disk: Disk, checkpoint: Arc<WholeCheckpoint>, offset: u64 },
}

impl Content {
    /// The next chunk; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Chunk>, RpcError> {
        let bytes = match self {
            Self::Memory(rest) => rest.split_to(CHUNK_BYTES.min(rest.len())).to_vec(),
            Self::File { disk, checkpoint, offset } => {
                let (checkpoint, from) = (checkpoint.clone(), *offset);
                let read = move || checkpoint.read_at(from, CHUNK_BYTES);
                let bytes: Vec<u8> = on_disk(disk, read).await?;
                *offset += bytes.len() as u64;
                bytes
            }
        };
        Ok((!bytes.is_empty()).then_some(Chunk { bytes }))
    }
}
