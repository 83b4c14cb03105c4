//! A folder of four IDX files, under their canonical names, gzip or plain.

use super::unpack::{UnpackError, unpack};
use super::{DatasetError, Files, MAX_FILE_BYTES, Role};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// Reads the four files, and says where each was found.
///
/// # Errors
/// A folder or file that is missing, unreadable, damaged or too large.
pub(super) fn read(folder: &Path) -> Result<(Files, [PathBuf; 4]), DatasetError> {
    if !folder.is_dir() {
        return Err(no_folder(folder));
    }
    let found = Role::ALL.map(|role| find(folder, role));
    let [Some(train_images), Some(train_labels), Some(test_images), Some(test_labels)] = found
    else {
        return Err(missing_files(folder));
    };
    let paths = [train_images, train_labels, test_images, test_labels];
    let mut files = Files::default();
    for (file, path) in files.iter_mut().zip(&paths) {
        *file = read_file(path)?;
    }
    Ok((files, paths))
}

/// The names under which a file may lie, the one we ask for first.
fn file_names(role: Role) -> [String; 4] {
    let (first, rest) = role.file_name_parts();
    [("-", ""), ("-", ".gz"), (".", ""), (".", ".gz")]
        .map(|(joint, packed)| format!("{first}{joint}{rest}{packed}"))
}

fn find(folder: &Path, role: Role) -> Option<PathBuf> {
    file_names(role).into_iter().map(|name| folder.join(name)).find(|path| path.is_file())
}

fn read_file(path: &Path) -> Result<Vec<u8>, DatasetError> {
    let opened = File::open(path).map_err(UnpackError::Read);
    opened.and_then(|file| unpack(BufReader::new(file), MAX_FILE_BYTES)).map_err(|error| {
        DatasetError {
            message: format!("{} {error}", path.display()),
            expected: "an IDX file, gzip or plain".to_owned(),
            help: match error {
                UnpackError::Read(_) => "check its permissions and the disk".to_owned(),
                UnpackError::Gzip(_) => "download it again, or unpack it yourself".to_owned(),
                UnpackError::TooLarge { .. } => "use a smaller part of the data set".to_owned(),
            },
        }
    })
}

fn no_folder(folder: &Path) -> DatasetError {
    let path = folder.display();
    let message = match folder.symlink_metadata() {
        Ok(_) => format!("the data set's path {path} is not a folder"),
        Err(error) => format!("the data set's folder {path} cannot be opened: {error}"),
    };
    DatasetError {
        message,
        expected: "a folder of four IDX files".to_owned(),
        help: "`path` counts from the sweep file's folder; correct it, or make it absolute".into(),
    }
}

fn missing_files(folder: &Path) -> DatasetError {
    let missing = Role::ALL.into_iter().filter(|role| find(folder, *role).is_none());
    let names: Vec<_> = missing.map(|role| file_names(role)[0].clone()).collect();
    DatasetError {
        message: format!("the data set's folder {} lacks {}", folder.display(), names.join(", ")),
        expected: "the four files train-images-idx3-ubyte, train-labels-idx1-ubyte, \
                   t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, each plain or with .gz"
            .to_owned(),
        help: "copy the missing ones there, or rename what you have".to_owned(),
    }
}
