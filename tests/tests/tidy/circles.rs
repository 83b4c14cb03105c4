//! Circles: files of one crate that import each other in a loop. An import is a `use` line or a path
//! in the code, outside of tests; `mod` lines and what a module hands on by `pub use` are none.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The names that lead from a crate's root to a module or an item.
type Names = Vec<String>;

/// A crate's source files by their modules.
struct Crate {
    modules: BTreeMap<Names, Module>,
}

struct Module {
    file: PathBuf,
    /// Without comments and tests.
    code: String,
    /// What it hands on, by its name here; `None` for what another crate defines.
    handed_on: BTreeMap<String, Option<Names>>,
    /// What it imports, by its name here.
    imports: BTreeMap<String, Names>,
}

/// Each circle in the crate whose root lies in `src`, as the files that it consists of.
pub fn circles(src: &Path) -> Vec<Vec<PathBuf>> {
    let source = Crate::read(src);
    let edges: BTreeMap<&Path, BTreeSet<&Path>> =
        source.modules.iter().map(|(at, module)| (&*module.file, source.imports_of(at))).collect();
    let reached: BTreeMap<&Path, BTreeSet<&Path>> =
        edges.keys().map(|file| (*file, reachable(&edges, file))).collect();
    let mut circles = BTreeSet::new();
    for (file, others) in &reached {
        let circle: Vec<PathBuf> = others
            .iter()
            .filter(|other| reached[*other].contains(file))
            .map(|other| other.to_path_buf())
            .collect();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

fn reachable<'a>(
    edges: &BTreeMap<&'a Path, BTreeSet<&'a Path>>,
    from: &'a Path,
) -> BTreeSet<&'a Path> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(file) = open.pop() {
        for next in &edges[file] {
            if reached.insert(*next) {
                open.push(*next);
            }
        }
    }
    reached
}

impl Crate {
    fn read(src: &Path) -> Self {
        let mut source = Self { modules: BTreeMap::new() };
        source.read_module(Names::new(), src.join("lib.rs"), src);
        let names: Vec<Names> = source.modules.keys().cloned().collect();
        for at in names {
            let uses = uses(&source.modules[&at].code);
            for (is_handed_on, path, name) in uses {
                let path = source.resolved(&at, &path);
                let module = source.modules.get_mut(&at).expect("it was read");
                module.imports.extend(path.clone().map(|path| (name.clone(), path)));
                if is_handed_on {
                    module.handed_on.insert(name, path);
                }
            }
        }
        source
    }

    /// Reads a module and those that it declares, `folder` being where these lie.
    fn read_module(&mut self, at: Names, file: PathBuf, folder: &Path) {
        let text = fs::read_to_string(&file).expect("a module has a file");
        let code = code_of(&text);
        for name in code.lines().filter_map(declared) {
            let (flat, deep) =
                (folder.join(format!("{name}.rs")), folder.join(&name).join("mod.rs"));
            let inner = [at.clone(), vec![name.clone()]].concat();
            if flat.exists() {
                self.read_module(inner, flat, &folder.join(&name));
            } else if deep.exists() {
                self.read_module(inner, deep, &folder.join(&name));
            }
        }
        let (handed_on, imports) = (BTreeMap::new(), BTreeMap::new());
        self.modules.insert(at, Module { file, code, handed_on, imports });
    }

    /// The files that a module takes something from.
    fn imports_of(&self, at: &Names) -> BTreeSet<&Path> {
        let module = &self.modules[at];
        let imported = module.imports.iter().filter(|(name, path)| {
            !module.handed_on.contains_key(*name) && !self.modules.contains_key(*path)
        });
        let named = paths(&module.code).into_iter().filter_map(|path| self.resolved(at, &path));
        imported
            .map(|(_, path)| path.clone())
            .chain(named)
            .filter_map(|path| self.home(&path, 0))
            .filter(|file| *file != module.file)
            .collect()
    }

    /// The names from the root, if what is written in the module `at` is of this crate.
    fn resolved(&self, at: &Names, written: &[String]) -> Option<Names> {
        let (first, rest) = written.split_first()?;
        let mut base = at.clone();
        match first.as_str() {
            "crate" => return Some(rest.to_vec()),
            "self" => {}
            "super" => {
                base.pop()?;
                return match rest.first().map(String::as_str) {
                    Some("super") => self.resolved(&base, rest),
                    _ => Some([base, rest.to_vec()].concat()),
                };
            }
            name => {
                if let Some(path) = self.modules[at].imports.get(name).filter(|_| written.len() > 1)
                {
                    return Some([path.clone(), rest.to_vec()].concat());
                }
                base.push(name.to_owned());
                if !self.modules.contains_key(&base) {
                    return None;
                }
            }
        }
        Some([base, rest.to_vec()].concat())
    }

    /// The file that defines what this path names, behind whatever hands it on.
    fn home(&self, path: &Names, depth: usize) -> Option<&Path> {
        // Names that hand each other on would never end.
        if depth > 8 {
            return None;
        }
        let n = (0..=path.len()).rev().find(|n| self.modules.contains_key(&path[..*n]))?;
        let module = &self.modules[&path[..n]];
        match path.get(n).and_then(|name| module.handed_on.get(name)) {
            Some(Some(other)) => {
                self.home(&[other.clone(), path[n + 1..].to_vec()].concat(), depth + 1)
            }
            Some(None) => None,
            None => Some(&module.file),
        }
    }
}

/// The file without comments, texts and tests.
fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line == "#[cfg(test)]" {
            let block = lines.next().unwrap_or_default();
            if block.ends_with('{') {
                lines.by_ref().find(|line| *line == "}");
            }
            continue;
        }
        let line = line.split("//").next().unwrap_or_default();
        code += &line.split('"').step_by(2).collect::<Vec<_>>().join("\"\"");
        code.push('\n');
    }
    code
}

/// `name` of `mod name;`.
fn declared(line: &str) -> Option<String> {
    let line = line.strip_suffix(';')?;
    let (before, name) = line.split_once("mod ")?;
    (before.is_empty() || before.starts_with("pub")).then(|| name.to_owned())
}

/// Whether each is handed on, its path and its name in the module.
fn uses(code: &str) -> Vec<(bool, Names, String)> {
    let mut found = Vec::new();
    for (head, rest) in items(code) {
        let is_handed_on = head.starts_with("pub");
        let (prefix, leaves) = match rest.split_once('{') {
            Some((prefix, leaves)) => (prefix.trim_end_matches("::"), leaves.trim_end_matches('}')),
            None => ("", rest.as_str()),
        };
        for leaf in leaves.split(',').map(str::trim).filter(|leaf| !leaf.is_empty()) {
            let (path, alias) = leaf.split_once(" as ").unwrap_or((leaf, ""));
            let mut names: Names =
                prefix.split("::").chain(path.split("::")).map(str::to_owned).collect();
            names.retain(|name| !name.is_empty());
            if names.last().is_some_and(|name| name == "self") && names.len() > 1 {
                names.pop();
            }
            let name =
                if alias.is_empty() { names.last().cloned() } else { Some(alias.to_owned()) };
            if let Some(name) = name.filter(|name| name != "*") {
                found.push((is_handed_on, names, name));
            }
        }
    }
    found
}

/// The `use` items at the file's edge: what stands before `use`, and what behind it.
fn items(code: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in code.lines() {
        if open.is_none() {
            let starts =
                line.starts_with("use ") || line.starts_with("pub") && line.contains(" use ");
            let Some((head, rest)) = line.split_once("use ").filter(|_| starts) else { continue };
            open = Some((head.to_owned(), rest.to_owned()));
        } else if let Some((_, rest)) = &mut open {
            *rest += line;
        }
        if line.ends_with(';') {
            found.extend(open.take().map(|(head, rest)| (head, rest.replace(';', ""))));
        }
    }
    found
}

/// Every path of two names or more outside of `use` items.
fn paths(code: &str) -> Vec<Names> {
    let mut found = Vec::new();
    let mut is_use = false;
    for line in code.lines() {
        is_use |= line.starts_with("use ") || line.starts_with("pub") && line.contains(" use ");
        if !is_use {
            let words = line.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
            for word in words.filter(|word| word.contains("::")) {
                let names =
                    word.split("::").take_while(|name| !name.is_empty() && !name.contains(':'));
                found.push(names.map(str::to_owned).collect());
            }
        }
        is_use &= !line.ends_with(';');
    }
    found
}
