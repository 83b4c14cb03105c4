//! Files of a report that were changed in any way: reading them gives trials that can be, or an error.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;

use super::site::Site;
use crate::reporting::report_folder::{ReportFolder, read_manifest};

const FAILED_BEFORE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/read_back.txt");

const FILES: [&str; 5] =
    ["results.csv", "manifest.json", "sweep.toml", "history.parquet", "timings.parquet"];

/// What replaces a few bytes; of text, often something that looks right.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "-1",
        "1e308",
        "NaN",
        "inf",
        "",
        "0",
        "18446744073709551616",
        "4294967296",
        ",",
        "\n",
        "\"",
        "true",
        "diverged",
        "completed",
        "confirm",
        "null",
        "\u{202e}",
        "{",
        "]",
    ];
    prop_oneof![
        prop::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..4),
    ]
}

fn check(folder: &Path, signs: bool, name: &str) -> Result<(), TestCaseError> {
    if signs {
        sign(folder, name);
    }
    match ReportFolder::open(folder) {
        Ok(committed) => {
            let manifest = read_manifest(folder).unwrap();
            prop_assert_eq!(committed.breaches(&manifest), Vec::<String>::new());
        }
        Err(error) => prop_assert!(format!("{error:#}").len() > 10, "{error:#}"),
    }
    Ok(())
}

/// Makes the manifest agree with the file, if it still can be read.
fn sign(folder: &Path, name: &str) {
    use sha2::{Digest, Sha256};
    let path = folder.join("manifest.json");
    let Ok(mut manifest) = serde_json::from_slice::<serde_json::Value>(&fs::read(&path).unwrap())
    else {
        return;
    };
    let bytes = fs::read(folder.join(name)).unwrap();
    let digest = trial::hex::hex(&Sha256::digest(bytes));
    if let Some(files) = manifest.get_mut("files").and_then(|files| files.as_object_mut()) {
        files.insert(name.into(), digest.into());
    }
    fs::write(path, manifest.to_string()).unwrap();
}

#[test]
fn changed_files_give_trials_that_can_be_or_an_error() {
    let site = Site::new();
    let pristine = FILES.map(|name| fs::read(site.report.join(name)).unwrap());
    let change = (any::<Index>(), 0..12_usize, pieces());
    let cases = (0..FILES.len(), prop::collection::vec(change, 1..4), any::<bool>());
    properties::check(FAILED_BEFORE, 300, &cases, |(file, changes, signs)| {
        let mut bytes = pristine[file].clone();
        for (at, n_bytes, piece) in changes {
            let at = at.index(bytes.len().max(1)).min(bytes.len());
            let end = usize::min(at + n_bytes, bytes.len());
            bytes.splice(at..end, piece);
        }
        fs::write(site.report.join(FILES[file]), bytes).unwrap();
        // A Parquet file that is not the manifest's is refused unread. One that is may break the
        // reader's own code beyond an error, whatever we make of its panics.
        let is_text = FILES[file].ends_with(".csv") || FILES[file].ends_with(".toml");
        let checked = check(&site.report, signs && is_text, FILES[file]);
        for (name, bytes) in FILES.iter().zip(&pristine) {
            fs::write(site.report.join(name), bytes).unwrap();
        }
        checked
    });
}
