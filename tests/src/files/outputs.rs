//! What a sweep leaves behind, read as a user would: files, `results.csv`, `status`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};
use worker::parts::hex;

/// The files that are the same bytes for every complete run of the same sweep.
const CANONICAL: [&str; 4] = ["results.csv", "results.parquet", "history.parquet", "sweep.toml"];

/// SHA-256 in hex.
pub fn sha256_of(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    hex(&Sha256::digest(bytes))
}

/// The canonical files of a report folder, with their SHA-256.
pub fn canonical_files(report: &Path) -> BTreeMap<&'static str, String> {
    CANONICAL.into_iter().map(|name| (name, sha256_of(&report.join(name)))).collect()
}

/// All files right in a folder, with their SHA-256.
pub fn files_in(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let paths = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file());
    let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    paths.map(|path| (name(&path), sha256_of(&path))).collect()
}

/// A row of `results.csv`, by column.
pub type Row = BTreeMap<String, String>;

/// The rows of a report folder's `results.csv`.
pub fn results(report: &Path) -> Vec<Row> {
    rows(&report.join("results.csv"))
}

/// The rows of a table of results. None of its values needs quotes.
pub fn rows(path: &Path) -> Vec<Row> {
    let text = fs::read_to_string(path).expect("a table of results");
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().expect("a header").split(',').collect();
    let row = |line: &str| {
        let values: Vec<&str> = line.split(',').collect();
        assert_eq!(values.len(), header.len(), "{line}");
        header.iter().zip(values).map(|(&key, value)| (key.to_owned(), value.to_owned())).collect()
    };
    lines.map(row).collect()
}

/// What `coordinator status` prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub text: String,
    pub n_completed: usize,
    pub n_diverged: usize,
    pub n_failed: usize,
    pub n_waiting: usize,
    pub n_attempts: usize,
    pub n_lost: usize,
    /// Name and attempts of each worker.
    pub workers: BTreeMap<String, usize>,
}

impl Status {
    pub(crate) fn parse(text: &str) -> Self {
        let rows: Vec<Vec<&str>> =
            text.lines().map(|line| line.split_whitespace().collect()).collect();
        let count = |word: &str| {
            let found = rows.iter().find(|row| row.len() == 2 && row[0] == word);
            number(found.unwrap_or_else(|| panic!("no `{word}` in {text}"))[1])
        };
        let attempts = rows.iter().find(|row| row.get(1).is_some_and(|it| it.contains("attempt")));
        let attempts = attempts.unwrap_or_else(|| panic!("no attempts in {text}"));
        let workers = rows.iter().skip_while(|row| !row.starts_with(&["worker", "slots"])).skip(1);
        let workers = workers.take_while(|row| 5 <= row.len());
        Self {
            text: text.to_owned(),
            n_completed: count("completed"),
            n_diverged: count("diverged"),
            n_failed: count("failed"),
            n_waiting: count("waiting") + count("running"),
            n_attempts: number(attempts[0]),
            n_lost: number(attempts[2]),
            workers: workers.map(|row| (row[0].to_owned(), number(row[2]))).collect(),
        }
    }
}

fn number(text: &str) -> usize {
    let digits = text.replace(',', "");
    digits.parse().unwrap_or_else(|_| panic!("{text:?} is not a count"))
}
