//! File descriptors as a server or a file hands them out, made into a pool without trusting them.

mod built_in;
mod check;
mod imports;
mod pool;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use prost_reflect::DescriptorPool;
use prost_types::FileDescriptorProto;

use self::check::{check, check_language, is_hollow, is_placeholder, strip};
use self::imports::top_level;
pub(crate) use self::pool::Linked;
use super::names;
use super::schema::features::FileFeatures;
use super::schema::{JsonNames, Original, Schema, joined};
use crate::error::{Error, Result};

/// Files by name, whatever the order they came in.
#[derive(Debug, Default, Clone)]
pub struct Files {
    files: BTreeMap<String, Arc<File>>,
    /// Imports that nobody could give, each with the reason where there is one.
    absent: BTreeMap<String, Option<String>>,
    /// Files that may stand for an import that could not be had: they have nothing but a name.
    hollow: BTreeSet<String>,
    /// Grows with each change.
    version: u64,
}

#[derive(Debug)]
struct File {
    raw: Bytes,
    features: FileFeatures,
    /// In a language that prost-reflect knows.
    parsed: FileDescriptorProto,
    /// What its fields are named in JSON, where that is not in `parsed`.
    json_names: JsonNames,
}

/// What [`Files::add`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It was not there.
    New,
    /// It was there already.
    Known,
    /// It only says that an import could not be had.
    Nothing,
}

impl Files {
    /// Takes one encoded `FileDescriptorProto`.
    ///
    /// # Errors
    /// `Kind::Refused`: it does not decode, has no name, or is in a language that is not supported.
    pub fn add(&mut self, raw: &[u8]) -> Result<Added> {
        let bad = |e: prost::DecodeError| Error::refused("a file descriptor does not decode").because(e);
        let language = FileFeatures::decode(raw).map_err(bad)?;
        if is_placeholder(&language) {
            return Ok(Added::Nothing);
        }
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
        check(&parsed).map_err(|e| Error::refused(format!("the descriptor of `{}` is broken: {e}", language.name)))?;
        let json_names = names::for_pool(&mut parsed);
        let name = language.name.clone();
        if is_hollow(&parsed) {
            self.hollow.insert(name.clone());
        }
        let file = File { raw: Bytes::copy_from_slice(raw), features: language, parsed, json_names };
        self.files.insert(name, Arc::new(file));
        self.version += 1;
        Ok(Added::New)
    }

    /// Another number after each change.
    pub fn version(&self) -> u64 {
        self.version
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
                all.hollow.extend(others.hollow.get(name).cloned());
            }
        }
        all.absent.extend(others.absent.iter().map(|(name, why)| (name.clone(), why.clone())));
        all.mend();
        all
    }

    /// Whether a file defines this, or something that it can stand in.
    pub fn defines(&self, symbol: &str) -> bool {
        self.files.values().any(|file| file.defines(symbol))
    }

    /// Whether there is a file of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// A file as a compiler that knows no options can import it, without the imports that nobody has.
    pub fn importable(&self, name: &str) -> Option<FileDescriptorProto> {
        let file = self.files.get(name)?;
        let absent: Vec<&str> =
            file.parsed.dependency.iter().map(String::as_str).filter(|import| self.is_nowhere(import)).collect();
        Some(pool::without_imports(&file.parsed, &absent))
    }

    /// All files as they came, in the order of their names.
    pub fn all_raw(&self) -> impl Iterator<Item = &[u8]> {
        self.files.values().map(|file| &*file.raw)
    }

    /// A file as it came.
    pub fn raw(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(|file| &*file.raw)
    }

    /// The types of a pool that has these files among others.
    pub fn schema_of(&self, pool: &DescriptorPool) -> Schema {
        Schema::new(pool, |name| {
            self.files.get(name).map(|file| Original {
                raw: file.raw.clone(),
                features: &file.features,
                json_names: &file.json_names,
            })
        })
    }
}

impl File {
    fn defines(&self, symbol: &str) -> bool {
        let inside = |name: &String| {
            symbol.strip_prefix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '/']))
        };
        top_level(&self.parsed).iter().any(inside)
    }
}

/// Whether two encoded descriptors say the same, but for comments and places in a source. Google's own count as the same:
/// everybody has them.
pub(crate) fn is_same_file(one: &[u8], other: &[u8]) -> bool {
    let schema = |raw: &[u8]| {
        let mut file = FileDescriptorProto::decode(raw).ok()?;
        file.source_code_info = None;
        Some(file)
    };
    match (schema(one), schema(other)) {
        (Some(one), Some(other)) => one == other || one.name().starts_with("google/protobuf/"),
        // What does not decode is for somebody else to say.
        _ => true,
    }
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
            all.give_up(name, None);
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
