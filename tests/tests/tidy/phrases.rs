//! The English of programs and pages: phrases that are out, and what to say instead.

use super::{assert_none, files, read};

/// In halves, so that this file passes too.
const PHRASES: [(&str, &str); 5] = [
    (concat!("at the", " most"), "at most"),
    (concat!("for", " ever"), "forever"),
    (concat!("for", " whoever"), "name who it is"),
    (concat!("needs", " not"), "need not"),
    (concat!("so", " many"), "this many"),
];

/// What is wrong with a line, if anything.
fn fault(line: &str) -> Option<String> {
    let marks = ["///", "//!", "//", "--"];
    let comment = marks.iter().find_map(|mark| line.trim_start().strip_prefix(mark));
    if comment.is_some_and(|text| text.starts_with(" Of ")) {
        return Some("say what it is, not whose".into());
    }
    let is_told = |phrase: &str| {
        line.match_indices(phrase).any(|(at, _)| {
            let is_letter = |it: Option<char>| it.is_some_and(char::is_alphabetic);
            let before = is_letter(line[..at].chars().next_back());
            !before && !is_letter(line[at + phrase.len()..].chars().next())
        })
    };
    let (phrase, instead) = PHRASES.iter().find(|(phrase, _)| is_told(phrase))?;
    Some(format!("`{phrase}`: {instead}"))
}

#[test]
fn phrases_are_found_and_what_looks_like_them_is_not() {
    for line in [
        "/// Of the worker.",
        "    // Of the worker.",
        concat!("    // at the", " most two"),
        concat!("-- needs", " not"),
        concat!("let text = \"for", " ever\"; // twice"),
        concat!("It waits for", " ever."),
    ] {
        assert!(fault(line).is_some(), "{line}");
    }
    for line in ["fn of() {}", "// Offers", "/// A list Of", concat!("It needs", " nothing.")] {
        assert_eq!(fault(line), None, "{line}");
    }
}

#[test]
fn programs_and_pages_are_plain_english() {
    let mut found = Vec::new();
    for path in [files(".rs"), files(".proto"), files(".sql"), files(".md"), files(".sh")].concat()
    {
        // What changed is told as it was told then; the report's page is the report's own.
        if path.ends_with("CHANGELOG.md") || path.ends_with("report.md") {
            continue;
        }
        for (number, line) in (1..).zip(read(&path).lines()) {
            if let Some(fault) = fault(line) {
                found.push(format!("{}:{number}: {fault}", path.display()));
            }
        }
    }
    assert_none("say these plainly", &found);
}
