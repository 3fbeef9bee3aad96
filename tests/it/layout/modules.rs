//! The modules of a crate as its files declare them, and where what each of them names is defined. Parsed, so that neither
//! a brace nor a comment hides anything.

use std::collections::{BTreeMap, BTreeSet};

use super::naming::{Naming, Reader};

/// A module by the names on the way to it; the crate itself is empty.
pub(crate) type Path = Vec<String>;

/// What stands in one module, without what only tests compile.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// The file that holds it, below src. A module between braces is in the file of its parent.
    pub file: String,
    /// Modules that it declares.
    pub children: BTreeSet<String>,
    /// Items that it defines, and whether each is a type (or a trait).
    pub items: BTreeMap<String, bool>,
    /// Names that its `use` bring in, and the paths that they stand for.
    pub brought: BTreeMap<String, Vec<Path>>,
    /// What it brings in whole, with `*`.
    pub whole: Vec<Path>,
    /// All that it names.
    pub namings: Vec<Naming>,
}

/// A crate, from its lib.rs on.
#[derive(Debug, Default)]
pub(crate) struct Modules {
    /// Each by its path.
    pub of: BTreeMap<Path, Module>,
    /// Modules that only tests compile, which are not read.
    pub for_tests: BTreeSet<Path>,
}

/// What a path means.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Meaning {
    /// Where it is.
    pub module: Path,
    /// The item that is meant; `None` is the module itself.
    pub item: Option<String>,
    /// It is not defined here, but given out again.
    pub passed: bool,
}

impl Modules {
    /// Parses a crate whose files `read` gives by their path below src.
    pub(crate) fn parse(read: &dyn Fn(&str) -> Option<String>) -> Modules {
        let mut modules = Modules::default();
        modules.add_file(read, Vec::new(), "lib.rs");
        modules
    }

    fn add_file(&mut self, read: &dyn Fn(&str) -> Option<String>, path: Path, file: &str) {
        let text = read(file).unwrap_or_else(|| panic!("{file} is not there"));
        let syntax = syn::parse_file(&text).unwrap_or_else(|e| panic!("{file}: {e}"));
        self.add_items(read, path, file, &syntax.items);
    }

    fn add_items(&mut self, read: &dyn Fn(&str) -> Option<String>, path: Path, file: &str, items: &[syn::Item]) {
        let module = Reader::read(items);
        for item in items {
            let syn::Item::Mod(declared) = item else { continue };
            let child = declared.ident.to_string();
            let mut below = path.clone();
            below.push(child.clone());
            let is_compiled = module.children.contains(&child);
            match &declared.content {
                Some((_, items)) if is_compiled => self.add_items(read, below, file, items),
                Some(_) => {}
                None if is_compiled => {
                    let flat = below.join("/") + ".rs";
                    let file = if read(&flat).is_some() { flat } else { below.join("/") + "/mod.rs" };
                    self.add_file(read, below, &file);
                }
                None => drop(self.for_tests.insert(below)),
            }
        }
        self.of.insert(path, Module { file: file.to_owned(), ..module });
    }

    /// What a path means that is written in the module `from`, with every module on the way that only gives it out again;
    /// empty for what is not of this crate.
    pub(crate) fn resolve(&self, from: &Path, names: &[String]) -> BTreeSet<Meaning> {
        let mut found = BTreeSet::new();
        self.follow(from, names, 0, &mut found);
        found
    }

    fn follow(&self, from: &Path, names: &[String], depth: usize, found: &mut BTreeSet<Meaning>) {
        let Some((first, rest)) = names.split_first() else { return };
        // As deep as names stand for names; two globs may name each other.
        if depth > 20 {
            return;
        }
        match first.as_str() {
            "crate" => self.descend(Vec::new(), rest, depth, found),
            "self" => self.descend(from.clone(), rest, depth, found),
            "super" => {
                let ups = names.iter().take_while(|name| *name == "super").count();
                let above = from[..from.len().saturating_sub(ups)].to_vec();
                self.descend(above, &names[ups..], depth, found);
            }
            _ => self.descend(from.clone(), names, depth, found),
        }
    }

    /// From a module downwards.
    fn descend(&self, at: Path, names: &[String], depth: usize, found: &mut BTreeSet<Meaning>) {
        let Some(module) = self.of.get(&at) else { return };
        let Some((first, rest)) = names.split_first() else {
            found.insert(Meaning { module: at, item: None, passed: false });
            return;
        };
        let meant = |passed| Meaning { module: at.clone(), item: Some(first.clone()), passed };
        if module.items.contains_key(first) {
            found.insert(meant(false));
            return;
        }
        let is_child = module.children.contains(first);
        if is_child {
            let below = at.iter().chain([first]).cloned().collect();
            self.descend(below, rest, depth, found);
        }
        // A module and a function in it that is given out again can have one name.
        if is_child && !rest.is_empty() {
            return;
        }
        for path in module.brought.get(first).into_iter().flatten() {
            found.insert(meant(true));
            // `use clap;` stands for a crate.
            if path.len() > 1 || path.first() != Some(first) {
                let path: Path = path.iter().chain(rest).cloned().collect();
                self.follow(&at, &path, depth + 1, found);
            }
        }
        if !is_child && !module.brought.contains_key(first) {
            for path in &module.whole {
                let mut whole = BTreeSet::new();
                self.follow(&at, path, depth + 1, &mut whole);
                // `use Kind::*` brings in variants.
                for whole in whole.into_iter().filter(|whole| whole.item.is_none() && whole.module != at) {
                    self.descend(whole.module, names, depth + 1, found);
                }
            }
        }
    }
}
