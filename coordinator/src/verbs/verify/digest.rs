//! Digests as the manifest writes them.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use sha2::{Digest, Sha256};
use trial::hex::hex;

pub fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    let mut hasher = Sha256::new();
    loop {
        let bytes = file.fill_buf()?;
        if bytes.is_empty() {
            break;
        }
        hasher.update(bytes);
        let n_bytes = bytes.len();
        file.consume(n_bytes);
    }
    Ok(hex(&hasher.finalize()))
}
