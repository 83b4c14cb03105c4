//! The data set that a sweep file names: how it is loaded, and what planning needs to know of it.

use std::ops::Range;
use std::path::Path;

use data::{DatasetError, LoadedDataset};
use sweep::{DatasetMeta, DatasetSource, Problem};

/// Loads the data set; paths are relative to the sweep file's folder.
///
/// # Errors
/// As those of [`data::load_embedded`] and [`data::load_folder`].
pub fn load(source: &DatasetSource, sweep_folder: &Path) -> Result<LoadedDataset, DatasetError> {
    match source {
        DatasetSource::Embedded { name } => data::load_embedded(name),
        DatasetSource::Idx { path } => data::load_folder(path, &sweep_folder.join(path)),
    }
}

/// What planning needs to know of a data set.
pub fn facts(loaded: &LoadedDataset) -> DatasetMeta {
    let count = |n: usize| u32::try_from(n).expect("IDX files count by 32 bits");
    let dataset = &loaded.dataset;
    DatasetMeta {
        digest: loaded.digest,
        n_train_rows: count(dataset.n_train()),
        n_test_rows: count(dataset.n_test()),
        n_inputs: count(dataset.n_inputs()),
        n_classes: count(dataset.n_classes()),
        nonzero_share: dataset.nonzero_share(),
    }
}

/// An error as a problem of the sweep file, at the place that names the data set.
pub fn problem(error: DatasetError, span: Range<usize>) -> Problem {
    Problem {
        message: error.message,
        span: Some(span),
        label: format!("expected {}", error.expected),
        help: Some(error.help),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// An IDX file of unsigned bytes.
    fn idx(dims: &[u8], bytes: &[u8]) -> Vec<u8> {
        let head = [0, 0, 8, dims.len() as u8];
        let dims = dims.iter().flat_map(|dim| [0, 0, 0, *dim]);
        head.into_iter().chain(dims).chain(bytes.iter().copied()).collect()
    }

    #[test]
    fn an_error_is_told_at_the_place_that_names_the_data_set() {
        let source = DatasetSource::Idx { path: "data".into() };
        let error = load(&source, Path::new("/nonexistent")).err().expect("a refusal");
        let problem = problem(error, 3..9);
        assert_eq!(problem.span, Some(3..9));
        assert!(problem.message.contains("/nonexistent/data"), "{problem:?}");
        assert!(problem.label.starts_with("expected a folder"), "{problem:?}");
        assert!(problem.help.is_some_and(|help| help.contains("sweep file's folder")));
    }

    #[test]
    fn a_path_counts_from_the_sweep_file() {
        let root = tempfile::tempdir().expect("a folder");
        let (data, sweeps) = (root.path().join("data"), root.path().join("sweeps"));
        let pixels: Vec<u8> = (0..24).collect();
        for (name, file) in [
            ("train-images-idx3-ubyte", idx(&[6, 2, 2], &pixels)),
            ("train-labels-idx1-ubyte", idx(&[6], &[0, 1, 2, 0, 1, 2])),
            ("t10k-images-idx3-ubyte", idx(&[2, 2, 2], &pixels[..8])),
            ("t10k-labels-idx1-ubyte", idx(&[2], &[2, 0])),
        ] {
            fs::create_dir_all(&data).expect("a folder");
            fs::write(data.join(name), file).expect("a file");
        }
        fs::create_dir(&sweeps).expect("a folder");
        let source = DatasetSource::Idx { path: "../data".into() };
        let loaded = load(&source, &sweeps).expect("found from the sweep file's folder");
        assert_eq!(loaded.name, "../data");
        let facts = facts(&loaded);
        assert_eq!((facts.n_train_rows, facts.n_test_rows, facts.n_inputs), (6, 2, 4));
        assert_eq!((facts.digest, facts.n_classes), (loaded.digest, 3));
        assert_eq!(facts.nonzero_share, 23.0 / 24.0);
    }
}
