//! File descriptors as a server or a file hands them out, made into a pool without trusting them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use prost_reflect::DescriptorPool;
use prost_types::FileDescriptorProto;

use super::schema::Schema;
use super::schema::features::{EDITION_2023, EDITION_2024, FileFeatures};
use crate::error::{Error, Result};

/// Deepest nesting of messages in messages that is taken; protoc itself stops at 32.
const MAX_NESTING: usize = 64;

/// Files by name, whatever the order they came in.
#[derive(Debug, Default, Clone)]
pub struct Files {
    files: BTreeMap<String, Arc<File>>,
    /// Imports that nobody could give.
    absent: BTreeSet<String>,
}

#[derive(Debug)]
struct File {
    raw: Bytes,
    features: FileFeatures,
    /// In a language that prost-reflect knows.
    parsed: FileDescriptorProto,
}

/// What [`Files::add`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It was not there.
    New,
    /// It was there already.
    Known,
}

impl Files {
    /// Takes one encoded `FileDescriptorProto`.
    ///
    /// # Errors
    /// `Kind::Refused`: it does not decode, has no name, or is in a language that is not supported.
    pub fn add(&mut self, raw: &[u8]) -> Result<Added> {
        let bad = |e: prost::DecodeError| Error::refused("a file descriptor does not decode").because(e);
        let language = FileFeatures::decode(raw).map_err(bad)?;
        check_language(&language)?;
        if self.files.contains_key(&language.name) {
            return Ok(Added::Known);
        }
        let mut parsed = FileDescriptorProto::decode(raw).map_err(bad)?;
        // The pool links names alone, and proto2 is what it lets everything pass in. An empty syntax makes it panic.
        if language.is_edition() || parsed.syntax.as_deref() == Some("") {
            parsed.syntax = None;
        }
        strip(&mut parsed);
        check_nesting(&parsed.message_type, MAX_NESTING)
            .and_then(|()| check_names(&parsed))
            .map_err(|e| Error::refused(format!("the descriptor of `{}` is broken: {e}", language.name)))?;
        let name = language.name.clone();
        let file = File { raw: Bytes::copy_from_slice(raw), features: language, parsed };
        self.files.insert(name, Arc::new(file));
        Ok(Added::New)
    }

    /// True when there is no file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The full names of all services.
    pub fn services(&self) -> Vec<String> {
        let of = |file: &Arc<File>| {
            let package = file.parsed.package().to_owned();
            file.parsed.service.iter().map(|s| joined(&package, s.name())).collect::<Vec<_>>()
        };
        self.files.values().flat_map(of).collect()
    }

    /// These files, and those of `others` that are not among them and define nothing that is defined here: the same
    /// definitions may stand in files of other names.
    pub fn with(&self, others: &Files) -> Files {
        let mut all = self.clone();
        let known: HashSet<String> = self.files.values().flat_map(|f| top_level(&f.parsed)).collect();
        for (name, file) in &others.files {
            if !all.files.contains_key(name) && !top_level(&file.parsed).iter().any(|name| known.contains(name)) {
                all.files.insert(name.clone(), file.clone());
            }
        }
        all.absent.extend(others.absent.iter().cloned());
        all
    }

    /// The types that fields and methods refer to and no file defines, while an import is missing; without a dot before.
    pub fn undefined(&self) -> Vec<String> {
        if self.absent.is_empty() {
            return Vec::new();
        }
        let mut names = Names::default();
        self.files.values().for_each(|file| names.file(&file.parsed));
        let unknown = |name: &&String| !names.defined.contains(*name) && !is_built_in_type(name);
        let undefined: BTreeSet<&String> = names.used.iter().filter(unknown).collect();
        undefined.into_iter().cloned().collect()
    }

    /// All files as they came, in the order of their names.
    pub fn all_raw(&self) -> impl Iterator<Item = &[u8]> {
        self.files.values().map(|file| &*file.raw)
    }

    /// A file as it came.
    pub fn raw(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(|file| &*file.raw)
    }

    /// The imports that are still to be fetched, in the order of their names.
    pub fn missing(&self) -> Vec<String> {
        let imports = self.files.values().flat_map(|f| &f.parsed.dependency);
        let missing: BTreeSet<&String> = imports
            .filter(|name| !self.files.contains_key(*name) && !self.absent.contains(*name) && built_in(name).is_none())
            .collect();
        missing.into_iter().cloned().collect()
    }

    /// Says that an import cannot be had. What needs nothing of it still works.
    pub fn give_up(&mut self, name: String) {
        self.absent.insert(name);
    }

    /// The types of all files.
    ///
    /// # Errors
    /// As [`Files::pool`].
    pub fn schema(&self) -> Result<Schema> {
        let pool = self.pool()?;
        Ok(self.schema_of(&pool))
    }

    /// The types of a pool that has these files among others.
    pub fn schema_of(&self, pool: &DescriptorPool) -> Schema {
        Schema::new(pool, |name| self.files.get(name).map(|file| (file.raw.clone(), &file.features)))
    }

    /// The pool of all files.
    ///
    /// # Errors
    /// `Kind::Refused`, naming the file: a cycle, a type that is nowhere, a definition that contradicts itself.
    pub fn pool(&self) -> Result<DescriptorPool> {
        let mut building = Building { files: self, pool: DescriptorPool::new(), open: Vec::new() };
        for name in self.files.keys() {
            building.add(name)?;
        }
        Ok(building.pool)
    }
}

fn joined(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}

fn is_built_in_type(name: &str) -> bool {
    name.starts_with("google.protobuf.") && DescriptorPool::global().get_message_by_name(name).is_some()
}

/// The full names of what a file defines outside of any message.
fn top_level(file: &FileDescriptorProto) -> Vec<String> {
    let names = file.message_type.iter().map(|m| m.name());
    let names = names.chain(file.enum_type.iter().map(|e| e.name())).chain(file.service.iter().map(|s| s.name()));
    names.chain(file.extension.iter().map(|e| e.name())).map(|name| joined(file.package(), name)).collect()
}

/// The types that files define and use.
#[derive(Default)]
struct Names {
    defined: HashSet<String>,
    used: HashSet<String>,
}

impl Names {
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

fn check_nesting(messages: &[prost_types::DescriptorProto], left: usize) -> Result<(), String> {
    if left == 0 && !messages.is_empty() {
        return Err("its messages are nested too deep".to_owned());
    }
    messages.iter().try_for_each(|m| check_nesting(&m.nested_type, left - 1))
}

/// Takes out what the pool does not link by, and looks at for long: options, and where things stood in a source. Both are
/// read from the bytes when somebody asks for them; an option that stays makes the pool load all of Google's own types.
fn strip(file: &mut FileDescriptorProto) {
    file.options = None;
    file.source_code_info = None;
    file.message_type.iter_mut().for_each(strip_message);
    file.enum_type.iter_mut().for_each(strip_enum);
    file.extension.iter_mut().for_each(|field| field.options = None);
    for service in &mut file.service {
        service.options = None;
        service.method.iter_mut().for_each(|method| method.options = None);
    }
}

fn strip_message(message: &mut prost_types::DescriptorProto) {
    message.options = None;
    message.field.iter_mut().chain(&mut message.extension).for_each(|field| field.options = None);
    message.oneof_decl.iter_mut().for_each(|oneof| oneof.options = None);
    message.extension_range.iter_mut().for_each(|range| range.options = None);
    message.enum_type.iter_mut().for_each(strip_enum);
    message.nested_type.iter_mut().for_each(strip_message);
}

fn strip_enum(descriptor: &mut prost_types::EnumDescriptorProto) {
    // What allows two names for one number is checked by the pool.
    let alias = descriptor.options.as_ref().is_some_and(prost_types::EnumOptions::allow_alias);
    if !alias {
        descriptor.options = None;
    }
    descriptor.value.iter_mut().for_each(|value| value.options = None);
}

/// Whether everything in a file is named as a language lets it. The pool panics on names that are none, and what `export`
/// writes is made of them.
fn check_names(file: &FileDescriptorProto) -> Result<(), String> {
    let enums = |e: &prost_types::EnumDescriptorProto| {
        check_name(e.name())?;
        e.value.iter().try_for_each(|value| check_name(value.name()))
    };
    if !file.package().is_empty() {
        file.package().split('.').try_for_each(check_name)?;
    }
    file.enum_type.iter().try_for_each(enums)?;
    file.extension.iter().try_for_each(|field| check_name(field.name()))?;
    for service in &file.service {
        check_name(service.name())?;
        service.method.iter().try_for_each(|method| check_name(method.name()))?;
    }
    let mut open: Vec<&prost_types::DescriptorProto> = file.message_type.iter().collect();
    while let Some(message) = open.pop() {
        check_name(message.name())?;
        message.field.iter().chain(&message.extension).try_for_each(|field| check_name(field.name()))?;
        message.oneof_decl.iter().try_for_each(|oneof| check_name(oneof.name()))?;
        message.enum_type.iter().try_for_each(enums)?;
        open.extend(&message.nested_type);
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), String> {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match name.chars().all(good) && name.starts_with(|c: char| !c.is_ascii_digit()) {
        true => Ok(()),
        false => Err(format!("`{}` is no name", name.escape_debug())),
    }
}

/// Google's own files, which servers may leave out.
fn built_in(name: &str) -> Option<FileDescriptorProto> {
    name.starts_with("google/protobuf/")
        .then(|| DescriptorPool::global().get_file_by_name(name).map(|f| f.file_descriptor_proto().clone()))
        .flatten()
}

fn check_language(language: &FileFeatures) -> Result<()> {
    let name = &language.name;
    if name.is_empty() {
        return Err(Error::refused("a file descriptor without a name"));
    }
    match (language.syntax.as_str(), language.edition) {
        ("editions", EDITION_2023 | EDITION_2024) | ("" | "proto2" | "proto3", _) => Ok(()),
        ("editions", edition) => {
            Err(Error::refused(format!("`{name}` is written in a Protobuf edition of number {edition}"))
                .hint("supported are proto2, proto3, and the editions 2023 (1000) and 2024 (1001)"))
        }
        (other, _) => Err(Error::refused(format!("`{name}` has the unknown syntax `{other}`"))),
    }
}

struct Building<'a> {
    files: &'a Files,
    pool: DescriptorPool,
    /// The files on the way to the one that is being added.
    open: Vec<&'a str>,
}

impl<'a> Building<'a> {
    fn add(&mut self, name: &'a str) -> Result<()> {
        if self.pool.get_file_by_name(name).is_some() {
            return Ok(());
        }
        let Some(file) = self.files.files.get(name) else { return self.add_built_in(name) };
        if self.open.contains(&name) {
            return Err(Error::refused(format!(
                "the files import each other in a circle: {} → {name}",
                self.open.join(" → ")
            )));
        }
        // A thousand files in one chain are no schema.
        if self.open.len() > 1000 {
            return Err(Error::refused(format!("the imports are nested too deep at `{name}`")));
        }
        self.open.push(name);
        for import in &file.parsed.dependency {
            self.add(import)?;
        }
        self.open.pop();
        let absent: Vec<&str> = file
            .parsed
            .dependency
            .iter()
            .map(String::as_str)
            .filter(|d| self.pool.get_file_by_name(d).is_none())
            .collect();
        let added = match absent.is_empty() {
            true => self.pool.add_file_descriptor_proto(file.parsed.clone()),
            false => self.pool.add_file_descriptor_proto(without_imports(&file.parsed, &absent)),
        };
        added.map_err(|e| {
            let error = Error::refused(format!("the descriptor of `{name}` is broken")).because(e);
            match absent.is_empty() {
                true => error,
                false => error.hint(format!("what it imports is missing: {}", absent.join(", "))),
            }
        })
    }

    fn add_built_in(&mut self, name: &str) -> Result<()> {
        let Some(file) = built_in(name) else { return Ok(()) };
        for import in &file.dependency {
            if self.pool.get_file_by_name(import).is_none() {
                self.add_built_in(import)?;
            }
        }
        self.pool
            .add_file_descriptor_proto(file)
            .map_err(|e| Error::refused(format!("cannot add the built-in `{name}`")).because(e))
    }
}

/// The file without some of its imports; the numbers of the public and weak ones count anew.
fn without_imports(file: &FileDescriptorProto, absent: &[&str]) -> FileDescriptorProto {
    let mut file = file.clone();
    let kept: Vec<usize> =
        (0..file.dependency.len()).filter(|i| !absent.contains(&file.dependency[*i].as_str())).collect();
    let renumber = |numbers: &[i32]| -> Vec<i32> {
        let new = |n: &i32| kept.iter().position(|k| usize::try_from(*n).is_ok_and(|n| n == *k));
        numbers.iter().filter_map(new).filter_map(|n| i32::try_from(n).ok()).collect()
    };
    file.public_dependency = renumber(&file.public_dependency);
    file.weak_dependency = renumber(&file.weak_dependency);
    file.dependency.retain(|d| !absent.contains(&d.as_str()));
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn file(name: &str, imports: &[&str]) -> FileDescriptorProto {
        FileDescriptorProto {
            name: Some(name.to_owned()),
            syntax: Some("proto3".to_owned()),
            dependency: imports.iter().map(|i| (*i).to_owned()).collect(),
            ..FileDescriptorProto::default()
        }
    }

    fn built(files: &[FileDescriptorProto]) -> Result<DescriptorPool> {
        let mut all = Files::default();
        for file in files {
            all.add(&file.encode_to_vec())?;
        }
        for name in all.missing() {
            all.give_up(name);
        }
        all.pool()
    }

    #[test]
    fn order_and_missing_imports_do_not_matter() {
        let pool =
            built(&[file("b", &["a", "nowhere", "google/protobuf/timestamp.proto"]), file("a", &[])]).expect("builds");
        assert!(pool.get_file_by_name("b").is_some());
        assert!(pool.get_message_by_name("google.protobuf.Timestamp").is_some());
    }

    /// The pool panics on a package that begins with a dot; found by fuzzing.
    #[test]
    fn what_is_no_name_is_refused() {
        for package in [".a", "a.", "a..b", "1a", "a b", "a\nb"] {
            let file = FileDescriptorProto { package: Some(package.to_owned()), ..file("a", &[]) };
            let error = built(&[file]).expect_err(package);
            assert!(error.chain().contains("is no name"), "{}", error.chain());
        }
    }

    /// The pool panics on an empty syntax; found by fuzzing.
    #[test]
    fn an_empty_syntax_is_proto2() {
        let file = FileDescriptorProto { syntax: Some(String::new()), ..file("a", &[]) };
        assert!(built(&[file]).is_ok());
    }

    #[test]
    fn circles_are_an_error() {
        let error = built(&[file("a", &["b"]), file("b", &["a"])]).expect_err("a circle");
        assert_eq!(error.kind(), Kind::Refused);
        assert!(error.chain().contains("a → b → a"), "{}", error.chain());
        assert!(built(&[file("a", &["a"])]).is_err());
    }

    #[test]
    fn editions_that_nobody_knows_are_refused_by_name() {
        let raw = FileFeatures {
            name: "new.proto".to_owned(),
            syntax: "editions".to_owned(),
            edition: 9999,
            ..FileFeatures::default()
        }
        .encode_to_vec();
        let error = Files::default().add(&raw).expect_err("an edition");
        assert_eq!(error.kind(), Kind::Refused);
        assert!(
            error.chain().contains("`new.proto` is written in a Protobuf edition of number 9999"),
            "{}",
            error.chain()
        );
        assert!(Files::default().add(b"\xff\xff").is_err());
        assert!(Files::default().add(b"").is_err());
    }
}
