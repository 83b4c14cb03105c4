//! Data sets: finds the one that a sweep file names, checks it, and holds it ready to be served to
//! workers by its SHA-256.

mod classes;
mod convert;
mod embedded;
mod folder;
mod names;
mod unpack;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use coordinator_core::sweep::{DatasetFacts, DatasetSource, Problem};
use sha2::{Digest, Sha256};
use trainer::{DataError, Dataset};

pub use classes::ClassCounts;

/// Most bytes of one unpacked file, so that a small archive cannot fill the memory.
pub const MAX_FILE_BYTES: u64 = 2 << 30;

/// A data set that was read and checked, in every form that the coordinator needs.
#[derive(Clone)]
pub struct LoadedDataset {
    pub dataset: Dataset,
    /// `Dataset::encode()`: what workers fetch.
    pub blob: Arc<[u8]>,
    /// SHA-256 of the blob.
    pub digest: [u8; 32],
    /// Such as "mnist", or the folder as the sweep file wrote it.
    pub name: String,
    /// What planning needs to know.
    pub facts: DatasetFacts,
}

/// Why a data set cannot be used. `message` says what is wrong and names the path, `expected` what
/// should be there, `help` what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}; expected {expected}; {help}")]
pub struct DatasetError {
    pub message: String,
    pub expected: String,
    pub help: String,
}

impl DatasetError {
    /// The same as a problem of the sweep file, at the place that names the data set.
    pub fn into_problem(self, span: Range<usize>) -> Problem {
        Problem {
            message: self.message,
            span: Some(span),
            label: format!("expected {}", self.expected),
            help: Some(self.help),
        }
    }
}

/// The four files of a data set in IDX form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    TrainImages,
    TrainLabels,
    TestImages,
    TestLabels,
}

impl Role {
    const ALL: [Self; 4] =
        [Self::TrainImages, Self::TrainLabels, Self::TestImages, Self::TestLabels];

    /// As the trainer's errors name it.
    fn name(self) -> &'static str {
        match self {
            Self::TrainImages => "train images",
            Self::TrainLabels => "train labels",
            Self::TestImages => "test images",
            Self::TestLabels => "test labels",
        }
    }

    /// The canonical one.
    fn file_name(self) -> &'static str {
        match self {
            Self::TrainImages => "train-images-idx3-ubyte",
            Self::TrainLabels => "train-labels-idx1-ubyte",
            Self::TestImages => "t10k-images-idx3-ubyte",
            Self::TestLabels => "t10k-labels-idx1-ubyte",
        }
    }
}

/// Four unpacked files, in the order of [`Role::ALL`].
type Files = [Vec<u8>; 4];

/// Reads and checks the data set; paths are relative to the sweep file's folder.
///
/// # Errors
/// A name that is not embedded, a folder or file that is missing or unreadable, and content that
/// is not four matching IDX files.
pub fn load(source: &DatasetSource, sweep_folder: &Path) -> Result<LoadedDataset, DatasetError> {
    match source {
        DatasetSource::Embedded { name } => {
            let files = embedded::unpack_files(name)?;
            let place = |role: Role| PathBuf::from(format!("embedded {name}, {}", role.name()));
            finish(name.clone(), &files, place)
        }
        DatasetSource::Idx { path } => {
            let (files, paths) = folder::read(&sweep_folder.join(path))?;
            let place = |role: Role| paths[role as usize].clone();
            finish(path.clone(), &files, place)
        }
    }
}

/// The data set of a canonical blob, as caches hold it.
///
/// # Errors
/// Bytes that are not such a blob.
pub fn from_blob(name: String, blob: Vec<u8>) -> Result<LoadedDataset, DataError> {
    let dataset = Dataset::decode(&blob)?;
    let digest = Sha256::digest(&blob).into();
    let facts = facts(&dataset, digest);
    Ok(LoadedDataset { dataset, blob: blob.into(), digest, name, facts })
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
    let digest = Sha256::digest(&blob).into();
    let facts = facts(&dataset, digest);
    Ok(LoadedDataset { dataset, blob, digest, name, facts })
}

fn facts(dataset: &Dataset, digest: [u8; 32]) -> DatasetFacts {
    let count = |n: usize| u32::try_from(n).expect("IDX files count by 32 bits");
    DatasetFacts {
        digest,
        n_train_rows: count(dataset.n_train()),
        n_test_rows: count(dataset.n_test()),
        n_inputs: count(dataset.n_inputs()),
        n_classes: count(dataset.n_classes()),
        nonzero_share: dataset.nonzero_share(),
    }
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
