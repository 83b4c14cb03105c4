//! Data sets: finds the one that a sweep file names, checks it, and holds it ready to be served to
//! workers by its SHA-256.

mod classes;
mod convert;
mod embedded;
mod error;
mod files;
mod folder;
mod names;
mod unpack;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use trainer::{DataError, Dataset};
use trial::Digest;

pub use classes::ClassCounts;
pub use error::DatasetError;
pub use files::MAX_FILE_BYTES;
use files::{Files, Role};

/// A data set that was read and checked, in every form that the coordinator needs.
#[derive(Clone)]
pub struct LoadedDataset {
    pub dataset: Dataset,
    /// `Dataset::encode()`: what workers fetch.
    pub blob: Arc<[u8]>,
    /// SHA-256 of the blob.
    pub digest: Digest,
    /// Such as "mnist", or the folder as the sweep file wrote it.
    pub name: String,
}

/// Reads and checks a data set that is part of this program.
///
/// # Errors
/// A name that is not embedded.
pub fn load_embedded(name: &str) -> Result<LoadedDataset, DatasetError> {
    let files = embedded::unpack_files(name)?;
    let place = |role: Role| PathBuf::from(format!("embedded {name}, {}", role.name()));
    finish(name.to_owned(), &files, place)
}

/// Reads and checks the four IDX files of a folder, whose data set gets this name.
///
/// # Errors
/// A folder or file that is missing or unreadable, and content that is not four matching IDX files.
pub fn load_folder(name: &str, folder: &Path) -> Result<LoadedDataset, DatasetError> {
    let (files, paths) = folder::read(folder)?;
    finish(name.to_owned(), &files, |role| paths[role as usize].clone())
}

/// The data set of a canonical blob, as caches hold it.
///
/// # Errors
/// Bytes that are not such a blob.
pub fn from_blob(name: String, blob: Vec<u8>) -> Result<LoadedDataset, DataError> {
    let dataset = Dataset::decode(&blob)?;
    let digest = Digest::of(&blob);
    Ok(LoadedDataset { dataset, blob: blob.into(), digest, name })
}

/// Makes a data set of the files; `place` names a file for an error.
fn finish(
    name: String,
    files: &Files,
    place: impl Fn(Role) -> PathBuf,
) -> Result<LoadedDataset, DatasetError> {
    let [train_images, train_labels, test_images, test_labels] = files;
    let dataset = Dataset::from_idx(train_images, train_labels, test_images, test_labels)
        .map_err(|error| content_error(&error, place))?;
    let blob: Arc<[u8]> = dataset.encode().into();
    let digest = Digest::of(&blob);
    Ok(LoadedDataset { dataset, blob, digest, name })
}

/// Puts the file's path where the trainer, which never sees it, names the file's role.
fn content_error(error: &DataError, place: impl Fn(Role) -> PathBuf) -> DatasetError {
    let path = |file: &str| {
        let role = Role::ALL.into_iter().find(|role| role.name() == file);
        role.map_or_else(|| file.into(), &place)
    };
    match error {
        DataError::Pixels { file, problem } => {
            let path = path(file);
            DatasetError {
                message: format!("{}: {problem}", path.display()),
                expected: "images of bytes".to_owned(),
                help: format!(
                    "this writes a folder beside it, with -bytes in its name, whose pixels go from 0 to 255: {}",
                    convert::images_command(&path)
                ),
            }
        }
        DataError::Labels { file, problem } => {
            let path = path(file);
            DatasetError {
                message: format!("{}: {problem}", path.display()),
                expected: "one number of a class for each image".to_owned(),
                help: format!(
                    "if each number, or the largest of each row, stands for a class, this writes a folder beside it, with -classes in its name, whose labels number the classes from 0: {}",
                    convert::labels_command(&path)
                ),
            }
        }
        DataError::ByteOrder { file, .. } => DatasetError {
            message: error.to_string().replacen(file, &path(file).display().to_string(), 1),
            expected: "big-endian elements".to_owned(),
            help: "turn the bytes of each element around; with numpy, `array.byteswap()` does before it is written".to_owned(),
        },
        DataError::NotFinite { file, .. } => DatasetError {
            message: error.to_string().replacen(file, &path(file).display().to_string(), 1),
            expected: "finite numbers".to_owned(),
            help: "it stands for no pixel and no class: see what wrote it, or leave its image out of both files"
                .to_owned(),
        },
        DataError::OneClass { label } => DatasetError {
            message: format!("{}: every label is {label}", path("train labels").display()),
            expected: "at least two classes".to_owned(),
            help: "there is nothing to tell apart; check that these are the labels of the images"
                .to_owned(),
        },
        DataError::File { file, problem } => {
            files_do_not_match(format!("{}: {problem}", path(file).display()))
        }
        other => files_do_not_match(other.to_string()),
    }
}

fn files_do_not_match(message: String) -> DatasetError {
    DatasetError {
        message,
        expected: "four IDX files whose counts and image sizes match".to_owned(),
        help:
            "correct the file, or replace it by an intact copy of the same data set as the others"
                .to_owned(),
    }
}

#[cfg(test)]
mod tests;
