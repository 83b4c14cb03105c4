//! Changes that somebody planted and made the manifest agree with, where the tables are as they were.

use std::fs;

use rusqlite::Connection;

use super::report_changes::forge;
use super::site::Site;
use crate::reporting::report_folder::read_manifest;

fn text(site: &Site, name: &str) -> String {
    fs::read_to_string(site.report.join(name)).unwrap()
}

/// Replaces text wherever it stands in some files.
fn replace(site: &Site, names: &[&str], old: &str, new: &str) {
    for name in names {
        let former = text(site, name);
        let changed = former.replace(old, new);
        assert_ne!(former, changed, "{name} has no {old}");
        forge(site, name, changed.as_bytes());
    }
}

#[track_caller]
fn assert_found(site: &Site, name: &str) {
    let wrong = site.wrong(true, false);
    assert!(wrong.iter().any(|line| line.starts_with(name)), "{name}: {wrong:?}");
}

const BOTH: [&str; 2] = ["report.md", "report.html"];

#[test]
fn whatever_is_planted_in_the_pages_is_found() {
    let changes: [(&str, &[&str], &str, &str); 6] = [
        ("report.md", &BOTH, "sgd", "adam"),
        ("report.md", &BOTH, "attempts granted", "attempts granted to the best of workers"),
        ("report.md", &BOTH, "numerics", "exact numerics"),
        ("report.html", &BOTH[1..], "</body>", "<p>All results were checked twice.</p></body>"),
        ("report.html", &BOTH[1..], "</body>", "<script>alert(1)</script></body>"),
        ("report.html", &BOTH[1..], "</style>", "table{display:none}</style>"),
    ];
    assert_eq!(Site::new().wrong(true, false), Vec::<String>::new());
    for (name, files, old, new) in changes {
        let site = Site::new();
        replace(&site, files, old, new);
        assert_found(&site, name);
    }
    let site = Site::new();
    let page = text(&site, "report.md");
    let number = page.split(' ').find(|word| word.len() == 5 && word[2..].starts_with('.'));
    replace(&site, &BOTH, number.expect("a per cent"), "99.99");
    assert_found(&site, "report.md");
}

#[test]
fn whatever_is_planted_in_the_figures_is_found() {
    let site = Site::new();
    let manifest = read_manifest(&site.report).unwrap();
    let figures: Vec<&str> =
        manifest.files.keys().filter_map(|name| name.strip_suffix(".svg")).collect();
    let [one, other] = figures[..2] else { panic!("two figures") };
    let [svg, other_svg] = [one, other].map(|name| format!("{name}.svg"));
    let [png, other_png] = [one, other].map(|name| format!("{name}.png"));

    forge(&site, &svg, b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>");
    assert_found(&site, &svg);

    let site = Site::new();
    let swapped = [&svg, &other_svg].map(|name| text(&site, name));
    forge(&site, &svg, swapped[1].as_bytes());
    forge(&site, &other_svg, swapped[0].as_bytes());
    assert_found(&site, &svg);

    let site = Site::new();
    let picture = fs::read(site.report.join(&png)).unwrap();
    forge(&site, &other_png, &picture);
    assert_found(&site, &other_png);
}

#[test]
fn a_manifest_with_more_than_its_own_is_found() {
    let site = Site::new();
    let note = "{\n  \"note\": \"checked twice\",";
    let manifest = text(&site, "manifest.json").replacen('{', note, 1);
    fs::write(site.report.join("manifest.json"), manifest).unwrap();
    assert_found(&site, "manifest.json");
}

/// Also those that the reader of Parquet does not notice, or that break it.
#[test]
fn single_bits_of_the_tables_are_found() {
    for name in ["results.parquet", "history.parquet", "timings.parquet"] {
        let site = Site::new();
        let pristine = fs::read(site.report.join(name)).unwrap();
        for at in (3..pristine.len()).step_by(pristine.len() / 8) {
            let mut changed = pristine.clone();
            changed[at] ^= 1 << (at % 8);
            forge(&site, name, &changed);
            // Beside its state, since a number of the history alone may be any that fits.
            let wrong = site.wrong(true, true);
            assert!(!wrong.is_empty(), "byte {at} of {name}");
        }
    }
}

/// Which the page alone tells, beside a state that knows.
#[test]
fn more_than_a_run_had_is_found_beside_the_state() {
    for (old, new) in [
        (" attempts granted", "0 attempts granted"),
        (" lost with", "1 lost with"),
        (
            "No trial gave two different digests",
            "**3 results contradicted an earlier one of the same trial: some worker's arithmetic cannot be trusted.**",
        ),
        (" of running time", "59m00s"),
    ] {
        let site = Site::new();
        let page = text(&site, "report.md");
        let line = page.lines().find(|line| line.contains(old)).unwrap().to_owned();
        let changed = match line.find(old).unwrap() {
            at if old.ends_with("time") => format!("- {new}{}", &line[at..]),
            _ if old.starts_with("No") => format!("- {new}"),
            _ => line.replace(old, new),
        };
        forge(&site, "report.md", page.replace(&line, &changed).as_bytes());
        let wrong = site.wrong(true, true);
        assert!(wrong.iter().any(|it| it.contains("the state has")), "{changed}: {wrong:?}");
    }
}

#[test]
fn a_report_of_another_version_says_that_it_is_not_compared() {
    let site = Site::new();
    replace(&site, &BOTH, "Version 0.1.0", "Version 0.0.9");
    assert_found(&site, "report.md");
    let path = site.report.join("manifest.json");
    let manifest = text(&site, "manifest.json").replace("\"0.1.0\"", "\"0.0.9\"");
    fs::write(path, manifest).unwrap();
    assert_eq!(site.wrong(true, false), Vec::<String>::new());
    let told = site.told();
    assert!(
        told.contains("cannot be built again and compared: version 0.0.9 wrote them"),
        "{told}"
    );
}

#[test]
fn what_lies_beside_a_report_is_told() {
    let site = Site::new();
    fs::write(site.report.join("results2.csv"), "x").unwrap();
    fs::write(site.report.join("zz.svg"), "<svg/>").unwrap();
    assert_eq!(site.wrong(true, false), Vec::<String>::new(), "it may be the user's own");
    let told = site.told();
    assert!(told.contains("not of the report: results2.csv, zz.svg"), "{told}");
}

#[test]
fn whatever_is_planted_in_the_state_is_found() {
    for (sql, word) in [
        ("UPDATE trials SET phase = 'confirm' WHERE trial = 1", "phase"),
        ("UPDATE terms SET ran_ms = 9223372036854775807", "ran_ms"),
        ("CREATE TABLE extra (x)", "table extra"),
        ("CREATE VIEW v AS SELECT 1", "view v"),
        (
            "CREATE TRIGGER tr AFTER INSERT ON outcomes BEGIN DELETE FROM outcomes; END",
            "trigger tr",
        ),
        ("DROP TABLE conflicts", "without the table \"conflicts\""),
    ] {
        let site = Site::new();
        Connection::open(site.database()).unwrap().execute_batch(sql).unwrap();
        let wrong = site.wrong(true, true);
        assert!(wrong.iter().any(|line| line.contains(word)), "{sql}: {wrong:?}");
    }
}
