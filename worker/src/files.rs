//! Files that are either whole or not there: written beside their place, synced, then renamed.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::faults;

/// Replaces `path` by `parts`, one after the other. When this returns, the new content is on the
/// disk; when it fails, the former content is still in place.
pub(crate) fn replace(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let temporary = beside(path);
    let written = write_and_rename(&temporary, path, parts);
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_and_rename(temporary: &Path, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    faults::point("worker.file.before");
    let mut file = File::create(temporary)?;
    for part in parts {
        file.write_all(part)?;
    }
    faults::point("worker.file.written");
    file.sync_all()?;
    faults::point("worker.file.synced");
    fs::rename(temporary, path)?;
    faults::point("worker.file.renamed");
    sync_folder_of(path)
}

/// Gives what lies at `from` the name `to`, for good: it is there after a loss of power too. Its
/// content has to be on the disk already.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    sync_folder_of(to)?;
    match from.parent() == to.parent() {
        true => Ok(()),
        false => sync_folder_of(from),
    }
}

/// Makes a folder and those above it that are missing, for good.
pub fn make_folder(path: &Path) -> io::Result<()> {
    let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.is_dir();
    let missing: Vec<&Path> = path.ancestors().take_while(is_missing).collect();
    fs::create_dir_all(path)?;
    missing.into_iter().rev().try_for_each(sync_folder_of)
}

/// A name that no other process uses, in the same folder.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

/// Makes a rename or a new file in `path`'s folder durable.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Removes a file; that it was not there is no error.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes the files of a folder that nobody has written to for `age`. What cannot be removed
/// stays.
pub(crate) fn remove_older_than(folder: &Path, age: Duration) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        if modified.is_ok_and(|time| time.elapsed().is_ok_and(|elapsed| elapsed > age)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_made_once_and_take_what_is_renamed() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b/c");
        make_folder(&deep).unwrap();
        make_folder(&deep).unwrap();
        fs::write(folder.path().join("file"), "content").unwrap();
        rename(&folder.path().join("file"), &deep.join("renamed")).unwrap();
        assert_eq!(fs::read_to_string(deep.join("renamed")).unwrap(), "content");
        assert!(make_folder(&deep.join("renamed")).is_err(), "a file is in the way");
    }
}
