//! The report built again from its own tables: one version gives the same bytes for the same trials,
//! so that every other byte of the folder was changed since.

use std::fs;
use std::path::Path;

use anyhow::Context;
use report::input::{DatasetMeta, Input, Provenance};
use report::{Manifest, Told};
use trial::Scale;

use crate::reporting::input as report_input;
use crate::reporting::report_folder::ReportFolder;
use crate::verbs::verify::findings::Findings;
use crate::view::terminal::n_of;

/// The longest part of a line or a cell that is shown.
const MAX_SHOWN: usize = 120;

/// Compares every file of an intact report with the one that its tables give. What no table tells
/// (times, workers and commands of the run) is taken from the page, where it stands in one place.
///
/// # Errors
/// When nothing can be built in a temporary folder.
pub fn check(
    folder: &Path,
    manifest: &Manifest,
    committed: &ReportFolder,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let page = fs::read_to_string(folder.join("report.md"))?;
    let (wrote, this) = (&manifest.version, env!("CARGO_PKG_VERSION"));
    let version = format!("\n- Version {wrote}, numerics {}.\n", manifest.numerics_version);
    if !page.contains(&version) {
        findings.wrong("report.md: another version than manifest.json says");
        return Ok(());
    }
    if wrote != this {
        findings.checked(format!(
            "(pages and figures cannot be built again and compared: version {} wrote them, this is {this}; its verify can)",
            report::shown(wrote)
        ));
        return Ok(());
    }
    let Some(input) = input(folder, manifest, committed, &page)? else {
        findings.wrong(
            "report.md: \"8. Experiment notes\" does not tell of the run as this version writes it, so that the page cannot be built again",
        );
        return Ok(());
    };
    let again = tempfile::tempdir().context("cannot build the report again to compare it")?;
    report::build(&input, again.path())?;
    let mut wrong = Vec::new();
    let mut n_alike = 0;
    let built = fs::read_dir(again.path())?.collect::<Result<Vec<_>, _>>()?;
    let mut names: Vec<String> =
        built.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    for name in &names {
        let expected = fs::read(again.path().join(name))?;
        let Ok(found) = fs::read(folder.join(name)) else {
            wrong.push(format!("{name}: is not there, the tables give it"));
            continue;
        };
        if found == expected {
            continue;
        }
        if name.ends_with(".png") && report::is_same_picture(&found, &expected) {
            n_alike += 1;
            continue;
        }
        wrong.push(format!("{name}: {}", difference(&found, &expected)));
    }
    for name in manifest.files.keys().filter(|name| !names.contains(name)) {
        wrong.push(format!("{name}: manifest.json lists it, and the tables do not give it"));
    }
    findings.wrong_alike(wrong);
    findings.checked(format!("{} against the report built again", n_of(names.len(), "file")));
    if n_alike > 0 {
        findings.checked(format!(
            "({} in other bytes than here, as another kind of processor draws them)",
            n_of(n_alike, "picture")
        ));
    }
    Ok(())
}

/// What the page tells of the run, as far as it can be read.
///
/// # Errors
/// A file that cannot be read.
pub fn told(
    folder: &Path,
    manifest: &Manifest,
    committed: &ReportFolder,
) -> anyhow::Result<Option<Provenance>> {
    let page = fs::read_to_string(folder.join("report.md"))?;
    Ok(input(folder, manifest, committed, &page)?.map(|input| input.provenance))
}

fn input(
    folder: &Path,
    manifest: &Manifest,
    committed: &ReportFolder,
    page: &str,
) -> anyhow::Result<Option<Input>> {
    let data = &manifest.data;
    // Reports of older builds do not tell it; theirs is another version.
    let Some(largest_valid_class_share) = data.largest_valid_class_share else { return Ok(None) };
    let expected = "expected \"unit\" or \"standard\"";
    let scale = Scale::ALL.into_iter().find(|scale| scale.name() == data.scale);
    let scale =
        scale.with_context(|| format!("manifest.json: scale {:?}, {expected}", data.scale))?;
    let mut trials = committed.trials.clone();
    let (version, numerics_version) = (&manifest.version, manifest.numerics_version);
    let told = report::read_told(page, version, numerics_version, &mut trials);
    let Some(Told { warnings, provenance }) = told else { return Ok(None) };
    let data = DatasetMeta {
        name: data.name.clone(),
        digest: data.digest.parse().context("manifest.json: the data set's digest")?,
        n_train: data.n_train,
        n_valid: data.n_valid,
        n_test: data.n_test,
        n_inputs: data.n_inputs,
        n_classes: data.n_classes,
        largest_valid_class_share,
        scale,
        warnings,
    };
    let sweep_toml = fs::read_to_string(folder.join("sweep.toml"))?;
    let layout = committed.layout.clone();
    Ok(Some(report_input::of_plan(&committed.plan, layout, sweep_toml, data, trials, provenance)))
}

/// The first place where two files differ.
fn difference(found: &[u8], expected: &[u8]) -> String {
    let text = |bytes| std::str::from_utf8(bytes).ok();
    let Some((found_text, expected_text)) = text(found).zip(text(expected)) else {
        let pairs = found.iter().zip(expected);
        let same = pairs.take_while(|(a, b)| a == b).count();
        return format!(
            "differs from byte {same} on from what the tables give ({} bytes, expected {})",
            found.len(),
            expected.len()
        );
    };
    let (mut lines, mut others) = (found_text.lines(), expected_text.lines());
    let mut number = 0;
    loop {
        number += 1;
        match (lines.next(), others.next()) {
            (None, None) => return "ends its lines otherwise than what the tables give".into(),
            (a, b) if a == b => {}
            (a, b) => {
                let [a, b] = around(a.unwrap_or_default(), b.unwrap_or_default());
                return format!("line {number} has {a:?}, the tables give {b:?}");
            }
        }
    }
}

/// Two lines, shortened to where they differ.
fn around(a: &str, b: &str) -> [String; 2] {
    const BEFORE: usize = 40;
    let n_same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let from = n_same.saturating_sub(BEFORE);
    [a, b].map(|line| {
        let part: String = line.chars().skip(from).take(MAX_SHOWN).collect();
        report::shown(&part)
    })
}
