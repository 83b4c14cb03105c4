//! The page against the other files: its figures are there, and the HTML tells the same.

use std::fs;
use std::path::Path;

use report::Manifest;

use crate::verbs::verify::findings::Findings;

pub fn check(folder: &Path, manifest: &Manifest, findings: &mut Findings) -> anyhow::Result<()> {
    let page = fs::read_to_string(folder.join("report.md"))?;
    let html = fs::read_to_string(folder.join("report.html"))?;
    let mut wrong = Vec::new();
    for name in linked(&page) {
        if !manifest.files.contains_key(name) {
            wrong.push(format!("report.md: shows {name}, which manifest.json does not list"));
        }
    }
    for name in manifest.files.keys() {
        let is_figure = name.ends_with(".svg") || name.ends_with(".png");
        if is_figure && !linked(&page).any(|linked| linked == name) {
            wrong.push(format!("{name}: manifest.json lists it, and report.md does not show it"));
        }
    }
    if let Some(text) = report::html_lacks(&page, &html) {
        wrong.push(format!("report.html: lacks {:?} of report.md", report::shown(&text)));
    }
    findings.wrong_alike(wrong);
    findings.checked("report.md against its figures and report.html");
    Ok(())
}

/// The figures that a page names.
fn linked(page: &str) -> impl Iterator<Item = &str> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|it| (it.ends_with(".svg") || it.ends_with(".png")) && !it.contains('/'))
}
