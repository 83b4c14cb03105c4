//! The version of a state.

use std::cmp::Ordering;
use std::path::Path;

use crate::store::error::StoreError;
use crate::store::schema::SCHEMA_VERSION;

pub fn check_version(path: &Path, found: i64) -> Result<(), StoreError> {
    let path = path.into();
    match found.cmp(&SCHEMA_VERSION) {
        _ if found == 0 => Err(StoreError::Unmade { path }),
        Ordering::Less => Err(StoreError::Older { path, found }),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(StoreError::Newer { path, found }),
    }
}
