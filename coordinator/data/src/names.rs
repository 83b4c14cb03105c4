//! Names of files: which file of a folder has which role. `train-images-idx3-ubyte` and its three
//! companions, with `.` for `-`, in any case, with or without `.gz`, `test` for `t10k`, and behind a
//! prefix such as EMNIST's `emnist-letters-`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::files::Role;

/// Files of a folder that can be of a data set: by prefix, and for each role those that hold it, the
/// one that is read first.
pub(crate) type Found = BTreeMap<String, [Vec<PathBuf>; 4]>;

/// Looks at the names in a folder. A folder that is named as a file is, as some archives are
/// unpacked to, is looked into.
pub(crate) fn find(folder: &Path) -> std::io::Result<Found> {
    let mut found = Found::new();
    for path in sorted_entries(folder)? {
        let Some((prefix, role)) = parse(&path) else { continue };
        let files = if path.is_dir() {
            let is_same = |inner: &PathBuf| {
                inner.is_file() && parse(inner).is_some_and(|(_, other)| other == role)
            };
            sorted_entries(&path)?.into_iter().filter(is_same).collect()
        } else if path.metadata().is_ok_and(|facts| !facts.is_file()) {
            // Reading a pipe or a device may never end.
            continue;
        } else {
            vec![path]
        };
        found.entry(prefix).or_default()[role as usize].extend(files);
    }
    for files in found.values_mut().flatten() {
        files.sort_by_key(|path| preference(path));
    }
    Ok(found)
}

fn sorted_entries(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = folder.read_dir()?.map(|entry| Ok(entry?.path()));
    let mut paths = entries.collect::<std::io::Result<Vec<PathBuf>>>()?;
    paths.sort();
    Ok(paths)
}

/// Plain before gzip, and `-` before `.`.
fn preference(path: &Path) -> (bool, bool, PathBuf) {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let stem = name.trim_end_matches(".gz");
    (stem.len() < name.len(), stem.contains('.'), path.to_owned())
}

/// The prefix and the role that a name has; `None` for the names of other files.
fn parse(path: &Path) -> Option<(String, Role)> {
    let name = path.file_name()?.to_str()?.to_lowercase();
    let name = name.trim_end_matches(".gz").replace(['.', '_'], "-");
    let words: Vec<&str> = name.split('-').collect();
    let place = words.windows(3).position(|words| words[2].starts_with("idx"))?;
    let role = match (words[place], words[place + 1]) {
        ("train", "images") => Role::TrainImages,
        ("train", "labels") => Role::TrainLabels,
        ("t10k" | "test", "images") => Role::TestImages,
        ("t10k" | "test", "labels") => Role::TestLabels,
        _ => return None,
    };
    Some((words[..place].join("-"), role))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_known_data_sets_have_their_roles() {
        for (name, prefix, role) in [
            ("train-images-idx3-ubyte", "", Role::TrainImages),
            ("T10K-LABELS-IDX1-UBYTE.GZ", "", Role::TestLabels),
            ("train-images.idx3-ubyte", "", Role::TrainImages),
            ("emnist-letters-test-images-idx3-ubyte.gz", "emnist-letters", Role::TestImages),
            ("qmnist-train-labels-idx2-int", "qmnist", Role::TrainLabels),
            ("Train-Labels.idx1-ubyte.gz", "", Role::TrainLabels),
        ] {
            assert_eq!(parse(Path::new(name)), Some((prefix.to_owned(), role)), "{name}");
        }
        for name in ["emnist-letters-mapping.txt", "train-images", "idx", "README.md", "train.csv"]
        {
            assert_eq!(parse(Path::new(name)), None, "{name}");
        }
    }
}
