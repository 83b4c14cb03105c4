//! Where an export goes: made beside its place, synced, and given its name at the end.

use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::{NamedTempFile, TempDir};
use worker::parts::{make_folder, rename, sync_folder_of};

/// A file that must not exist yet.
pub fn new_file<T>(
    to: &Path,
    write: impl FnOnce(&mut NamedTempFile) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    file(to, false, write)
}

/// A file; with `replace` it takes the place of the one that is there.
pub fn file<T>(
    to: &Path,
    replace: bool,
    write: impl FnOnce(&mut NamedTempFile) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let refused = || format!("{}: cannot be written", to.display());
    let mut file = tempfile::Builder::new()
        .prefix(".export-")
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(parent_of(to).with_context(refused)?)
        .with_context(refused)?;
    let written = write(&mut file)?;
    file.as_file().sync_all().with_context(refused)?;
    match replace {
        true => drop(file.persist(to).with_context(refused)?),
        false => drop(file.persist_noclobber(to).with_context(refused)?),
    }
    sync_folder_of(to).with_context(refused)?;
    Ok(written)
}

/// A folder; with `replace` it takes the place of the one that is there, which is removed.
pub fn folder<T>(
    to: &Path,
    replace: bool,
    write: impl FnOnce(&Path) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let refused = || format!("{}: cannot be written", to.display());
    let folder = beside(to).with_context(refused)?;
    let written = write(folder.path())?;
    sync_all(folder.path()).with_context(refused)?;
    match replace && to.exists() {
        // What was there is in the temporary folder's place now, and goes with it.
        true => exchange(folder.path(), to).with_context(refused)?,
        false => {
            rename(folder.path(), to).with_context(refused)?;
            // It has its own name now; there is nothing left to remove.
            let _ = folder.keep();
        }
    }
    Ok(written)
}

/// A temporary folder in the same file system, outside of the export.
pub fn beside(to: &Path) -> io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix(".export-")
        .permissions(Permissions::from_mode(0o755))
        .tempdir_in(parent_of(to)?)
}

/// At once where the file system can do that, in two steps otherwise.
fn exchange(new: &Path, old: &Path) -> io::Result<()> {
    if renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE).is_err() {
        let mut aside = new.as_os_str().to_owned();
        aside.push("-old");
        fs::rename(old, &aside)?;
        fs::rename(new, old)?;
        fs::rename(&aside, new)?;
    }
    sync_folder_of(old)
}

/// Every file and folder below.
pub fn sync_all(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            sync_all(&entry?.path())?;
        }
    }
    File::open(path)?.sync_all()
}

pub fn begins_with(path: &Path, bytes: &[u8]) -> bool {
    let mut first = vec![0; bytes.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut first));
    read.is_ok() && first == bytes
}

/// The folder that a new file goes to, made if need be.
fn parent_of(path: &Path) -> io::Result<PathBuf> {
    let parent = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    make_folder(parent)?;
    Ok(parent.into())
}
