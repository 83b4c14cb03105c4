//! The version of a state.

use std::cmp::Ordering;
use std::path::Path;

use crate::store::error::StoreError;
use crate::store::schema::SCHEMA_VERSION;

pub fn check_version(path: &Path, found: i64) -> Result<(), StoreError> {
    let path = path.into();
    match found.cmp(&SCHEMA_VERSION) {
        _ if found == 0 => {
            let found = "empty, and no sweep was started on it".into();
            Err(StoreError::NotState { path, found })
        }
        Ordering::Less => Err(StoreError::Older { path, found }),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(StoreError::Newer { path, found }),
    }
}
