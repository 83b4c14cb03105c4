//! The data of a recorded sweep, found again by its digest: where the run found it, beside the report,
//! or in the caches of workers. A sweep file that was recorded is never to be changed for it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use data::{self, LoadedDataset};
use report::Manifest;
use sweep::DatasetSource;
use worker::parts::default_cache_dir;

use crate::cli;
use crate::store::meta::SweepMeta;
use crate::store::{Reader, database_in};

/// Where the data may be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// A folder of four IDX files, or such a folder and the prefix of the four that are meant.
    Files(PathBuf),
    /// The canonical bytes in a cache.
    Blob(PathBuf),
}

/// The data set that the report in a folder is about.
///
/// # Errors
/// It is at none of the places, each of which is named.
pub fn find(
    source: &DatasetSource,
    arguments: &cli::Replay,
    manifest: &Manifest,
) -> anyhow::Result<LoadedDataset> {
    let (name, places) = match source {
        DatasetSource::Embedded { name } => {
            let loaded = data::load_embedded(name)?;
            check(&loaded, manifest).map_err(|problem| anyhow!("{}: {problem}", loaded.name))?;
            return Ok(loaded);
        }
        DatasetSource::Idx { path } => (path, places(path, arguments, manifest)),
    };
    let mut looked_at = String::new();
    for place in places {
        match load(name, &place).and_then(|loaded| check(&loaded, manifest).map(|()| loaded)) {
            Ok(loaded) => return Ok(loaded),
            Err(problem) => {
                let (Place::Files(path) | Place::Blob(path)) = &place;
                let path = path.display().to_string();
                let names_it = problem.contains(&path);
                let path = if names_it { String::new() } else { format!("{path}: ") };
                looked_at += &format!("\n  {path}{problem}");
            }
        }
    }
    bail!(
        "the data set `{name}` with the digest {} is at none of these places:{looked_at}\n\
         say with --data DIR where its four files are; sweep.toml is a record and stays as it is",
        manifest.data.digest
    )
}

/// What the user says is the only place; otherwise all that may be meant, the likeliest first.
fn places(path: &str, arguments: &cli::Replay, manifest: &Manifest) -> Vec<Place> {
    if let Some(data) = &arguments.data {
        // The data set of the run's name, if there are several.
        let named = Path::new(path).file_name().map(|name| Place::Files(data.join(name)));
        return [Place::Files(data.clone())].into_iter().chain(named).collect();
    }
    if let Some(from) = &arguments.from {
        return vec![Place::Files(from.join(path))];
    }
    let folder = absolute(&arguments.folder);
    let above: Vec<&Path> = folder.ancestors().skip(1).take(3).collect();
    // The report may be the one in `partial/`.
    let states: Vec<PathBuf> =
        [&*folder].into_iter().chain(above.first().copied()).map(|it| it.join(".state")).collect();
    let recorded = states.iter().filter_map(|state| recorded_folder(state));
    let here = std::env::current_dir().ok();
    let folders = recorded.chain([folder.clone()]).chain(here);
    let folders = folders.chain(above.into_iter().map(Path::to_path_buf));
    let files = folders.map(|folder| Place::Files(folder.join(path)));
    let set_by_user = std::env::var_os("SWEEP_CACHE_DIR").map(PathBuf::from);
    let caches = states.iter().map(|state| state.join("cache")).chain(set_by_user);
    let caches = caches.chain(default_cache_dir().ok());
    let digest = &manifest.data.digest;
    let blobs = caches.map(|cache| Place::Blob(cache.join("datasets").join(digest)));
    let mut places = Vec::new();
    for place in files.chain(blobs) {
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

fn absolute(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.into())
}

/// What the run's paths counted from, if its state is here and knows it.
fn recorded_folder(state: &Path) -> Option<PathBuf> {
    let database = database_in(state);
    let reader = database.is_file().then(|| Reader::open(&database).ok())??;
    Some(SweepMeta::of_reader(&reader).ok()??.sweep_folder?.into())
}

fn load(name: &str, place: &Place) -> Result<LoadedDataset, String> {
    match place {
        Place::Files(path) => data::load_folder(name, path).map_err(|error| error.message),
        Place::Blob(path) => {
            let blob = fs::read(path).map_err(|error| error.to_string())?;
            data::from_blob(name.into(), blob).map_err(|error| error.to_string())
        }
    }
}

fn check(loaded: &LoadedDataset, manifest: &Manifest) -> Result<(), String> {
    let digest = loaded.digest.to_string();
    match digest == manifest.data.digest {
        true => Ok(()),
        false => Err(format!("other data, with the digest {digest}")),
    }
}
