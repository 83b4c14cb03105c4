//! A folder of the four IDX files of one data set, gzip or plain.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use super::names::{self, Found};
use super::unpack::{UnpackError, unpack};
use crate::error::DatasetError;
use crate::files::{Files, MAX_FILE_BYTES, Role};

/// Reads the four files, and says where each was found.
///
/// # Errors
/// A folder or file that is missing, unreadable, damaged or too large, two files of one role that
/// differ, and several data sets in one folder.
pub(crate) fn read(folder: &Path) -> Result<(Files, [PathBuf; 4]), DatasetError> {
    let candidates = if folder.is_dir() {
        choose(folder, find(folder)?)?
    } else {
        behind_prefix(folder)?.ok_or_else(|| no_folder(folder))?
    };
    let mut files = Files::default();
    for (file, candidates) in files.iter_mut().zip(&candidates) {
        *file = read_file(&candidates[0])?;
        check_same(file, candidates)?;
    }
    Ok((files, candidates.map(|candidates| candidates[0].clone())))
}

fn find(folder: &Path) -> Result<Found, DatasetError> {
    names::find(folder).map_err(|error| DatasetError {
        message: format!("the data set's folder {} cannot be read: {error}", folder.display()),
        expected: "a folder of four IDX files".to_owned(),
        help: "check its permissions and the disk".to_owned(),
    })
}

/// The files of a path such as `gzip/emnist-letters`: those with this prefix in the folder `gzip`.
fn behind_prefix(path: &Path) -> Result<Option<[Vec<PathBuf>; 4]>, DatasetError> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
    // The parent of a bare name is empty.
    let folder = if folder == Path::new("") { Path::new(".") } else { folder };
    if path.exists() || !folder.is_dir() {
        return Ok(None);
    }
    let prefix = name.to_string_lossy().to_lowercase().replace(['.', '_'], "-");
    let Some(files) = find(folder)?.remove(prefix.trim_end_matches('-')) else { return Ok(None) };
    let found = Found::from([(prefix.trim_end_matches('-').to_owned(), files)]);
    choose(folder, found).map(Some)
}

/// The files of the one data set, at least one for each role: those without a prefix, or those of
/// the only prefix that has all four.
fn choose(folder: &Path, mut found: Found) -> Result<[Vec<PathBuf>; 4], DatasetError> {
    let is_whole = |files: &[Vec<PathBuf>; 4]| files.iter().all(|files| !files.is_empty());
    if found.get("").is_some_and(is_whole) {
        return Ok(found.remove("").unwrap_or_default());
    }
    let whole: Vec<&String> =
        found.iter().filter(|(_, files)| is_whole(files)).map(|(prefix, _)| prefix).collect();
    match whole.as_slice() {
        [prefix] => {
            let prefix = (*prefix).clone();
            Ok(found.remove(&prefix).unwrap_or_default())
        }
        [] => Err(missing_files(folder, &found)),
        several => {
            let names: Vec<&str> = several.iter().map(|prefix| prefix.as_str()).collect();
            Err(DatasetError {
                message: format!(
                    "the data set's folder {} holds several data sets: {}",
                    folder.display(),
                    names.join(", ")
                ),
                expected: "the four files of one data set".to_owned(),
                help: format!(
                    "name the one that you mean: path = \".../{}\"",
                    names.first().expect("there are several")
                ),
            })
        }
    }
}

/// A file that is there twice, say packed and unpacked, must be the same twice.
fn check_same(file: &[u8], candidates: &[PathBuf]) -> Result<(), DatasetError> {
    let (first, others) = candidates.split_first().expect("each role has a file");
    for other in others {
        // One that cannot be read is not what was trained on before, and its intact twin is.
        if read_file(other).is_ok_and(|bytes| bytes != file) {
            return Err(DatasetError {
                message: format!("{} and {} differ", first.display(), other.display()),
                expected: "one file, or the same one plain and packed".to_owned(),
                help: "remove the one that is not meant".to_owned(),
            });
        }
    }
    Ok(())
}

fn read_file(path: &Path) -> Result<Vec<u8>, DatasetError> {
    let opened = File::open(path).map_err(UnpackError::Read);
    opened.and_then(|file| unpack(BufReader::new(file), MAX_FILE_BYTES)).map_err(|error| {
        DatasetError {
            message: format!("{} {error}", path.display()),
            expected: "an IDX file, gzip or plain".to_owned(),
            help: match error {
                UnpackError::Read(_) => "check its permissions and the disk".to_owned(),
                UnpackError::Gzip(_) => "it may be cut: download it again".to_owned(),
                UnpackError::Garbage => {
                    "download it again, or unpack it yourself: `gzip -dc` keeps what is gzip"
                        .to_owned()
                }
                UnpackError::TooLarge { .. } => "use a smaller part of the data set".to_owned(),
                UnpackError::TooLong { .. } | UnpackError::NotIdx { .. } => {
                    "download it again, and look at what came".to_owned()
                }
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

/// What the data set lacks that has most of its files.
fn missing_files(folder: &Path, found: &Found) -> DatasetError {
    let n_there =
        |files: &[Vec<PathBuf>; 4]| files.iter().filter(|files| !files.is_empty()).count();
    let nearest = found.iter().max_by_key(|(prefix, files)| (n_there(files), prefix.is_empty()));
    let prefix = nearest.map_or(String::new(), |(prefix, _)| format!("{prefix}-"));
    let prefix = prefix.trim_start_matches('-');
    let is_missing =
        |role: &Role| nearest.is_none_or(|(_, files)| files[*role as usize].is_empty());
    let missing = Role::ALL.into_iter().filter(is_missing);
    let names: Vec<String> = missing.map(|role| format!("{prefix}{}", role.file_name())).collect();
    DatasetError {
        message: format!("the data set's folder {} lacks {}", folder.display(), names.join(", ")),
        expected: "the four files train-images-idx3-ubyte, train-labels-idx1-ubyte, \
                   t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, each plain or with .gz"
            .to_owned(),
        help: "copy the missing ones there, or rename what you have".to_owned(),
    }
}
