//! The English of comments and pages: phrases that are out, and what to say instead.

use super::{assert_none, files, read};

/// In halves, so that this file passes too.
const PHRASES: [(&str, &str); 5] = [
    (concat!("at the", " most"), "at most"),
    (concat!("for", " ever"), "forever"),
    (concat!("for", " whoever"), "name who it is"),
    (concat!("needs", " not"), "need not"),
    (concat!("so", " many"), "this many"),
];

/// What is wrong with a line, if anything. `is_prose` says that it is a page's, not a program's.
fn fault(line: &str, is_prose: bool) -> Option<String> {
    let marks = ["///", "//!", "//", "--"];
    let trimmed = line.trim_start();
    let comment = marks.iter().find_map(|mark| trimmed.strip_prefix(mark));
    let is_doc = ["/// Of ", "//! Of "].iter().any(|start| trimmed.starts_with(start));
    if !is_prose && is_doc {
        return Some("say what it is, not whose".into());
    }
    let is_told = |phrase: &str| {
        line.match_indices(phrase).any(|(at, _)| {
            let is_letter = |it: Option<char>| it.is_some_and(char::is_alphabetic);
            let before = is_letter(line[..at].chars().next_back());
            !before && !is_letter(line[at + phrase.len()..].chars().next())
        })
    };
    let found = PHRASES.iter().find(|(phrase, _)| is_told(phrase));
    let (phrase, instead) = found.filter(|_| is_prose || comment.is_some())?;
    Some(format!("`{phrase}`: {instead}"))
}

#[test]
fn phrases_are_found_in_comments_and_pages_alone() {
    for line in
        ["/// Of the worker.", concat!("    // at the", " most two"), concat!("-- needs", " not")]
    {
        assert!(fault(line, false).is_some(), "{line}");
    }
    for line in
        ["fn of() {}", concat!("let text = \"for", " ever\";"), "// Offers", "/// A list Of"]
    {
        assert_eq!(fault(line, false), None, "{line}");
    }
    assert!(fault(concat!("It waits for", " ever."), true).is_some());
    assert_eq!(fault(concat!("It needs", " nothing."), true), None);
}

#[test]
fn comments_and_pages_are_plain_english() {
    let mut found = Vec::new();
    for path in [files(".rs"), files(".proto"), files(".sql"), files(".md")].concat() {
        let is_prose = path.extension().is_some_and(|ending| ending == "md");
        // What changed is told as it was told then; the report's page is of its own.
        if path.ends_with("CHANGELOG.md") || path.ends_with("report.md") {
            continue;
        }
        for (number, line) in (1..).zip(read(&path).lines()) {
            if let Some(fault) = fault(line, is_prose) {
                found.push(format!("{}:{number}: {fault}", path.display()));
            }
        }
    }
    assert_none("say these plainly", &found);
}
