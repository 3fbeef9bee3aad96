//! What files define, use and import, and what of it is nowhere.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use prost_reflect::DescriptorPool;
use prost_types::FileDescriptorProto;

use super::built_in::built_in;
use super::{File, Files};
use crate::proto::dynamic::wire::{self, WireType};
use crate::proto::dynamic::{DecodeError, MAX_DEPTH};
use crate::proto::schema::joined;

/// `FileDescriptorProto.dependency`.
const DEPENDENCY: u32 = 3;

impl Files {
    /// The types that fields and methods refer to and no file defines, while an import is missing; without a dot before.
    pub fn undefined(&self) -> Vec<String> {
        if self.absent.is_empty() && self.hollow.is_empty() {
            return Vec::new();
        }
        let mut names = Names::default();
        self.files.values().for_each(|file| names.file(&file.parsed));
        let unknown = |name: &&String| !names.defined.contains(*name) && !is_built_in_type(name);
        let undefined: BTreeSet<&String> = names.used.iter().filter(unknown).collect();
        undefined.into_iter().cloned().collect()
    }

    /// The imports that are still to be fetched, in the order of their names.
    pub fn missing(&self) -> Vec<String> {
        let imports = self.files.values().flat_map(|f| &f.parsed.dependency);
        self.nowhere(imports)
    }

    /// The imports that are nowhere, given up or not.
    pub fn lacks(&self) -> Vec<String> {
        let imports = self.files.values().flat_map(|f| &f.parsed.dependency);
        let lacking: BTreeSet<&String> = imports.filter(|name| self.is_nowhere(name)).collect();
        lacking.into_iter().cloned().collect()
    }

    /// The same for imports that options alone need, and nothing on the wire.
    pub fn missing_for_options(&self) -> Vec<String> {
        let imports = self.files.values().flat_map(|f| &f.features.option_dependency);
        self.nowhere(imports)
    }

    fn nowhere<'a>(&'a self, imports: impl Iterator<Item = &'a String>) -> Vec<String> {
        let missing: BTreeSet<&String> =
            imports.filter(|name| !self.absent.contains_key(*name) && self.is_nowhere(name)).collect();
        missing.into_iter().cloned().collect()
    }

    /// Says that an import cannot be had, and why if that is known. What needs nothing of it still works.
    pub fn give_up(&mut self, name: String, why: Option<String>) {
        self.absent.insert(name, why);
        self.version += 1;
    }

    /// Lets files that import what nobody has import the files that define what they use instead: a file may be registered
    /// by another name than the one that it is imported by (grpcurl#451).
    pub fn mend(&mut self) {
        if self.absent.is_empty() && self.hollow.is_empty() {
            return;
        }
        let names: BTreeMap<&str, Names> =
            self.files.iter().map(|(name, file)| (&**name, Names::of(&file.parsed))).collect();
        let definers: HashMap<&str, &str> =
            names.iter().flat_map(|(file, names)| names.defined.iter().map(|name| (&**name, *file))).collect();
        let mended: Vec<(String, File)> = self
            .files
            .iter()
            .filter_map(|(name, file)| {
                let lacking: Vec<&str> = file
                    .parsed
                    .dependency
                    .iter()
                    .map(String::as_str)
                    .filter(|i| self.hollow.contains(*i) || self.absent.contains_key(*i) && self.is_nowhere(i))
                    .collect();
                let seen = if lacking.is_empty() { return None } else { self.visible(file) };
                let used = names.get(&**name)?.used.iter().filter_map(|used| definers.get(&**used).copied());
                let others: BTreeSet<&str> = used.filter(|other| other != name && !seen.contains(other)).collect();
                Some((name.clone(), file.importing(&lacking, others)?))
            })
            .collect();
        self.files.extend(mended.into_iter().map(|(name, file)| (name, Arc::new(file))));
        self.version += 1;
    }

    /// What helps a file whose imports are not there.
    pub(super) fn lacking(&self, absent: &[&str]) -> String {
        let why = |name: &&str| match self.absent.get(*name) {
            Some(Some(why)) => format!("{name} ({why})"),
            _ => (*name).to_owned(),
        };
        let all: Vec<String> = absent.iter().map(why).collect();
        format!("what it imports is missing: {}; give it with --proto or --descriptor-set", all.join(", "))
    }

    pub(super) fn is_nowhere(&self, import: &str) -> bool {
        !self.files.contains_key(import) && built_in(import).is_none()
    }

    /// The files whose types a file may use: its imports, and what those import publicly.
    pub(super) fn visible<'a>(&'a self, file: &'a File) -> HashSet<&'a str> {
        let mut open: Vec<&str> = file.parsed.dependency.iter().map(String::as_str).collect();
        let mut seen = HashSet::new();
        while let Some(name) = open.pop() {
            if seen.insert(name)
                && let Some(file) = self.files.get(name)
            {
                let public = file.parsed.public_dependency.iter().filter_map(|at| usize::try_from(*at).ok());
                open.extend(public.filter_map(|at| file.parsed.dependency.get(at)).map(String::as_str));
            }
        }
        seen
    }
}

impl File {
    /// The same with imports of `others`: in the place of one that lacks when it ends in the same file name, else behind
    /// all. `None` when there is nothing to import.
    fn importing(&self, lacking: &[&str], mut others: BTreeSet<&str>) -> Option<File> {
        if others.is_empty() {
            return None;
        }
        let last = |path: &str| path.rsplit('/').next().map(str::to_owned);
        let mut parsed = self.parsed.clone();
        for import in parsed.dependency.iter_mut().filter(|import| lacking.contains(&import.as_str())) {
            if let Some(other) = others.iter().copied().find(|other| last(other) == last(import)) {
                others.remove(other);
                *import = other.to_owned();
            }
        }
        parsed.dependency.extend(others.into_iter().map(str::to_owned));
        let raw = with_imports(self.raw.clone(), &parsed.dependency).ok()?;
        Some(File { raw, features: self.features.clone(), parsed, json_names: self.json_names.clone() })
    }
}

/// An encoded file with other imports. Everything else stays as it is.
fn with_imports(raw: Bytes, imports: &[String]) -> Result<Bytes, DecodeError> {
    let mut out = Vec::with_capacity(raw.len() + 64);
    let mut rest = raw.clone();
    while !rest.is_empty() {
        let start = raw.len() - rest.len();
        let (number, wire) = wire::tag(&mut rest)?;
        wire::skip(&mut rest, number, wire, MAX_DEPTH)?;
        if number != DEPENDENCY {
            out.extend_from_slice(&raw[start..raw.len() - rest.len()]);
        }
    }
    for import in imports {
        wire::put_tag(&mut out, DEPENDENCY, WireType::Length);
        wire::put_varint(&mut out, import.len() as u64);
        out.extend_from_slice(import.as_bytes());
    }
    Ok(out.into())
}

/// The full names of what a file defines outside of any message.
pub(crate) fn top_level(file: &FileDescriptorProto) -> Vec<String> {
    let names = file.message_type.iter().map(|m| m.name());
    let names = names.chain(file.enum_type.iter().map(|e| e.name())).chain(file.service.iter().map(|s| s.name()));
    names.chain(file.extension.iter().map(|e| e.name())).map(|name| joined(file.package(), name)).collect()
}

/// The types that files define and use.
#[derive(Default)]
pub(super) struct Names {
    pub defined: HashSet<String>,
    pub used: HashSet<String>,
}

impl Names {
    pub(crate) fn of(file: &FileDescriptorProto) -> Names {
        let mut names = Names::default();
        names.file(file);
        names
    }

    fn file(&mut self, file: &FileDescriptorProto) {
        let package = file.package();
        self.defined.extend(file.enum_type.iter().map(|e| joined(package, e.name())));
        file.message_type.iter().for_each(|m| self.message(m, package));
        file.extension.iter().for_each(|f| self.field(f));
        for method in file.service.iter().flat_map(|s| &s.method) {
            self.used(method.input_type());
            self.used(method.output_type());
        }
    }

    fn message(&mut self, message: &prost_types::DescriptorProto, scope: &str) {
        let name = joined(scope, message.name());
        self.defined.extend(message.enum_type.iter().map(|e| joined(&name, e.name())));
        message.nested_type.iter().for_each(|m| self.message(m, &name));
        message.field.iter().chain(&message.extension).for_each(|f| self.field(f));
        self.defined.insert(name);
    }

    fn field(&mut self, field: &prost_types::FieldDescriptorProto) {
        self.used(field.type_name());
        self.used(field.extendee());
    }

    fn used(&mut self, name: &str) {
        // A relative name means different things in different scopes, and protoc writes none.
        if let Some(name) = name.strip_prefix('.') {
            self.used.insert(name.to_owned());
        }
    }
}

fn is_built_in_type(name: &str) -> bool {
    name.starts_with("google.protobuf.") && DescriptorPool::global().get_message_by_name(name).is_some()
}
