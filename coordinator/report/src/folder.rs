//! The folder that receives a report: writes each file once and remembers its SHA-256.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use trial::hex::hex;

use crate::ReportError;

pub(crate) struct Folder {
    path: PathBuf,
    /// File name to 64 hex digits.
    digests: BTreeMap<String, String>,
}

impl Folder {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf(), digests: BTreeMap::new() }
    }

    pub(crate) fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), ReportError> {
        let path = self.path.join(name);
        std::fs::write(&path, bytes).map_err(|source| ReportError::Write { path, source })?;
        self.digests.insert(name.to_string(), sha256(bytes));
        Ok(())
    }

    pub(crate) fn digests(&self) -> &BTreeMap<String, String> {
        &self.digests
    }

    /// Every file written so far, by name.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.digests.keys().map(|name| self.path.join(name)).collect()
    }
}

/// 64 hex digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
