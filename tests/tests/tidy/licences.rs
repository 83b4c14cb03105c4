//! The licences of all dependencies against the allowed ones of `deny.toml`, without a network.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use super::{assert_none, read, root};

/// Whether an SPDX expression can be met with these licences. `/` is the old form of OR.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let is_allowed = any_of(&mut words, allowed);
    is_allowed && words.next().is_none()
}

type Words<'a, 'b> = &'a mut std::iter::Peekable<std::str::SplitWhitespace<'b>>;

fn any_of(words: Words<'_, '_>, allowed: &BTreeSet<String>) -> bool {
    let mut is_met = all_of(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        is_met |= all_of(words, allowed);
    }
    is_met
}

fn all_of(words: Words<'_, '_>, allowed: &BTreeSet<String>) -> bool {
    let mut is_met = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        is_met &= one(words, allowed);
    }
    is_met
}

fn one(words: Words<'_, '_>, allowed: &BTreeSet<String>) -> bool {
    let Some(mut name) = words.next().map(str::to_owned) else { return false };
    if name == "(" {
        return any_of(words, allowed) & words.next_if_eq(&")").is_some();
    }
    if words.next_if_eq(&"WITH").is_some() {
        name = format!("{name} WITH {}", words.next().unwrap_or_default());
    }
    allowed.contains(&name)
}

#[test]
fn every_dependency_has_an_allowed_licence() {
    let deny: toml::Table = read(&root().join("deny.toml")).parse().expect("TOML");
    let allowed = deny["licenses"]["allow"].as_array().expect("a list").iter();
    let allowed = allowed.map(|it| it.as_str().expect("a name").to_owned()).collect();
    let mut cargo = Command::new(std::env!("CARGO"));
    cargo.current_dir(root());
    cargo.args(["metadata", "--locked", "--offline", "--format-version", "1"]);
    let output = cargo.output().expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("a list");
    assert!(packages.len() > 100, "{} packages found", packages.len());
    let refused = packages.iter().filter_map(|package| {
        let licence = package["license"].as_str().unwrap_or("none");
        let is_refused = !is_allowed(licence, &allowed);
        is_refused.then(|| format!("{}: {licence}", package["name"].as_str().unwrap_or_default()))
    });
    assert_none("licences that deny.toml does not allow", &refused.collect::<Vec<_>>());
}

#[test]
fn an_expression_is_met_as_spdx_means_it() {
    let allowed = ["MIT", "Zlib", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
    for (expression, is_met) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("Unlicense/MIT", true),
        ("MIT AND GPL-3.0", false),
        ("MIT AND Zlib", true),
        ("MIT OR GPL-3.0 AND GPL-2.0", true),
        ("(MIT OR GPL-3.0) AND Unicode-3.0", false),
        ("(MIT OR GPL-3.0) AND Zlib", true),
        ("Apache-2.0", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("MIT)", false),
        ("(MIT", false),
        ("", false),
    ] {
        assert_eq!(is_allowed(expression, &allowed), is_met, "{expression:?}");
    }
}
