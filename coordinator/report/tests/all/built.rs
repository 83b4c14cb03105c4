//! A report built into a temporary folder and read back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use report::Built;
use report::input::Input;

/// File name to bytes.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

pub(crate) fn build(input: &Input) -> (Built, Files) {
    let folder = tempfile::tempdir().unwrap();
    let built = report::build(input, folder.path()).unwrap();
    let files: Files = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect();
    let name = |path: &PathBuf| Path::new(path).file_name().unwrap().to_owned();
    let listed: Vec<_> = built.files.iter().map(name).collect();
    assert!(files.keys().map(std::ffi::OsString::from).eq(listed), "files listed are files there");
    (built, files)
}

pub(crate) fn text<'f>(files: &'f Files, name: &str) -> &'f str {
    std::str::from_utf8(&files[name]).unwrap()
}
