//! Schemas in files: .proto sources, and the descriptor sets that protoc and buf write.

mod opener;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use prost::Message;
use prost_types::FileDescriptorProto;
use protox::Compiler;

use self::opener::{Opener, Untold};
use super::{Files, is_same_file};
use crate::closed::check_stdin;
use crate::error::{Error, Kind, Result};
use crate::message::json::decode_base64;
use crate::secret::read_within;
use crate::values::{CONVERT, TextStart, text_start};

/// The largest descriptor set that is taken.
const SIZE_LIMIT: usize = 256 << 20;

/// A `FileDescriptorSet` whose files stay encoded, because custom options survive only so.
#[derive(Clone, PartialEq, Message)]
struct Set {
    #[prost(bytes = "vec", repeated, tag = "1")]
    file: Vec<Vec<u8>>,
}

/// Reads descriptor sets, and compiles sources with all that they import.
///
/// Without import paths, those of the sources are looked for: the working folder, and then the folders that the sources
/// are in, from the inside out.
///
/// # Errors
/// `Kind::Io` for a file that cannot be read; `Kind::Usage` for bad source (with its place), an import that is nowhere,
/// a descriptor set that does not decode or lacks an import, and a file that is given twice and differs.
pub(crate) fn load(sources: &[PathBuf], import_paths: &[PathBuf], sets: &[PathBuf]) -> Result<Files> {
    let files = load_part(sources, import_paths, sets)?;
    match files.missing().as_slice() {
        [] => Ok(files),
        missing => Err(Error::usage(format!("the descriptor sets lack an import: {}", missing.join(", ")))
            .hint("write them with `protoc --include_imports`, or give the missing ones, too")),
    }
}

/// As [`load`], where imports that the descriptor sets lack may be known elsewhere. `-` is standard input.
///
/// # Errors
/// As [`load`], but for missing imports.
pub(crate) fn load_part(sources: &[PathBuf], import_paths: &[PathBuf], sets: &[PathBuf]) -> Result<Files> {
    let mut files = Files::default();
    for path in sets {
        let shown = path.display();
        let is_stdin = path.as_os_str() == "-";
        if is_stdin {
            check_stdin()?;
        }
        let file = if is_stdin { Path::new("/dev/stdin") } else { path };
        let bytes = read_within(file, SIZE_LIMIT, None).map_err(|e| Error::io(format!("cannot read {shown}"), e))?;
        const FIX: &str = "write one with `protoc --include_imports -o FILE` or `buf build -o FILE`";
        if bytes.trim_ascii_start().starts_with(b"{") {
            return Err(Error::usage(format!("{shown} is JSON, and a descriptor set is binary"))
                .hint("write a binary image with `buf build -o image.binpb`"));
        }
        let set = Set::decode(bytes.as_slice())
            .map_err(|e| Error::usage(format!("{shown} is no descriptor set")).because(e).hint(FIX))?;
        if set.file.is_empty() {
            return Err(Error::usage(format!("the descriptor set {shown} is empty")).hint(FIX));
        }
        add(&mut files, set, path)?;
    }
    if !sources.is_empty() {
        check_readable(sources, import_paths)?;
        let compiled = compile(sources, import_paths, &Arc::new(files.clone()))?;
        add(&mut files, compiled.set()?, Path::new("--proto"))?;
    }
    Ok(files)
}

/// Compiles files that stand in memory, by the names that imports have for them: sources, or descriptors in base64.
///
/// # Errors
/// `Kind::Usage`: bad source (with its place), or an import that is nowhere.
pub(crate) fn load_texts(texts: BTreeMap<String, String>) -> Result<Files> {
    let (mut files, mut sources) = (Files::default(), BTreeMap::new());
    for (name, text) in texts {
        match descriptor(&name, &text) {
            Some(raw) => drop(files.add(&raw).map_err(|e| e.with_kind(Kind::Usage))?),
            None => drop(sources.insert(name, text)),
        }
    }
    let names: Vec<String> = sources.keys().cloned().collect();
    if !names.is_empty() {
        let untold = Arc::default();
        let opener = Opener::of_texts(sources, &Arc::new(files.clone()), &untold);
        let mut compiler = Compiler::with_file_resolver(opener);
        compiler.include_imports(true);
        compiler.open_files(names).map_err(|e| fault(&e))?;
        add(&mut files, Compiled { compiler, untold }.set()?, Path::new("the schema"))?;
    }
    match files.missing().as_slice() {
        [] => Ok(files),
        missing => Err(Error::usage(format!("nobody has what it imports: {}", missing.join(", ")))),
    }
}

/// A descriptor in base64, by another name: no source is one.
fn descriptor(name: &str, text: &str) -> Option<Vec<u8>> {
    let raw = decode_base64(text.trim()).ok()?;
    let mut file = FileDescriptorProto::decode(raw.as_slice()).ok()?;
    if file.name() == name {
        return Some(raw);
    }
    file.name = Some(name.to_owned());
    Some(file.encode_to_vec())
}

fn add(files: &mut Files, set: Set, from: &Path) -> Result<()> {
    for raw in set.file {
        let name = FileDescriptorProto::decode(raw.as_slice()).map(|file| file.name().to_owned()).unwrap_or_default();
        if files.raw(&name).is_some_and(|known| !is_same_file(known, &raw)) {
            return Err(Error::usage(format!("{}: `{name}` was given before, and differs", from.display()))
                .hint("leave one of the two out"));
        }
        files.add(&raw).map_err(|e| {
            let shown = from.display();
            e.context(format!("cannot use {shown}")).with_kind(Kind::Usage)
        })?;
    }
    Ok(())
}

/// Tells a file that is not there from an import that is not there.
fn check_readable(sources: &[PathBuf], import_paths: &[PathBuf]) -> Result<()> {
    // As with protoc, a source may be named as imports name it.
    let is_below = |path: &&PathBuf| import_paths.iter().any(|folder| folder.join(path).is_file());
    for path in sources.iter().filter(|path| !is_below(path)) {
        let opened = std::fs::File::open(path).and_then(|file| match file.metadata()?.is_dir() {
            true => Err(std::io::ErrorKind::IsADirectory.into()),
            false => {
                let mut first = Vec::new();
                file.take(4).read_to_end(&mut first).map(|_| first)
            }
        });
        let first = opened.map_err(|e| Error::io(format!("cannot read {}", path.display()), e))?;
        if let TextStart::Foreign(name) = text_start(&first, true) {
            return Err(Error::usage(format!("{} is {name} and not UTF-8", path.display())).hint(CONVERT));
        }
    }
    Ok(())
}

/// Compiles sources, which may import what stands in descriptor sets.
fn compile(sources: &[PathBuf], import_paths: &[PathBuf], sets: &Arc<Files>) -> Result<Compiled> {
    if !import_paths.is_empty() {
        return compile_in(import_paths, sources, sets).map_err(|e| {
            let error = fault(&e);
            match e.is_file_not_found() {
                true => error.hint("name the folder that it is looked up in with -I"),
                false => error,
            }
        });
    }
    let sources: Vec<PathBuf> = sources.iter().map(|path| absolute(path)).collect::<Result<_>>()?;
    match root_of(&sources, sets)? {
        Ok((_, compiled)) => Ok(compiled),
        Err(_) if sources.len() > 1 => compile_apart(&sources, sets),
        Err(error) => Err(error),
    }
}

/// Sources of several trees: each has a folder of its own that its imports start from.
fn compile_apart(sources: &[PathBuf], sets: &Arc<Files>) -> Result<Compiled> {
    let mut found = Vec::new();
    for source in sources {
        found.push(root_of(std::slice::from_ref(source), sets)??.0);
    }
    let depth = |root: &PathBuf| root.components().count();
    found.sort_by_key(depth);
    // A source without imports is content with any folder: it goes with one that others need.
    let fits = |root: &&PathBuf, source: &PathBuf| {
        source.starts_with(root) && compile_in(std::slice::from_ref(root), std::slice::from_ref(source), sets).is_ok()
    };
    let mut roots: Vec<PathBuf> =
        sources.iter().filter_map(|source| found.iter().find(|root| fits(root, source)).cloned()).collect();
    // The innermost first, so that a source has the name that imports know it by.
    roots.sort_by_key(|root| std::cmp::Reverse(depth(root)));
    roots.dedup();
    compile_in(&roots, sources, sets).map_err(|e| fault(&e).hint("name the folders that imports start from with -I"))
}

/// The first folder that the imports of these sources can start from, and the sources compiled. The inner error says
/// that there is none.
fn root_of(sources: &[PathBuf], sets: &Arc<Files>) -> Result<Result<(PathBuf, Compiled)>> {
    let mut first = None;
    let roots = roots(sources)?;
    // Descriptor sets help when no folder has all: with them any folder might seem to be right.
    let without = Arc::<Files>::default();
    let tries = [Some(&without), Some(sets).filter(|sets| !sets.is_empty())];
    for (sets, root) in tries.into_iter().flatten().flat_map(|sets| roots.iter().map(move |root| (sets, root))) {
        match compile_in(std::slice::from_ref(root), sources, sets) {
            Ok(compiled) => return Ok(Ok((root.clone(), compiled))),
            // Another folder may have it; what is wrong inside of a file is wrong everywhere.
            Err(e) if e.is_file_not_found() => {
                first.get_or_insert(e);
            }
            Err(e) => return Err(fault(&e)),
        }
    }
    let error = first.as_ref().map_or_else(|| Error::usage("no folder holds all the sources"), fault);
    Ok(Err(error.hint("name the folder that imports start from with -I")))
}

fn compile_in(import_paths: &[PathBuf], sources: &[PathBuf], sets: &Arc<Files>) -> Result<Compiled, protox::Error> {
    let untold = Arc::default();
    let mut compiler = Compiler::with_file_resolver(Opener::new(import_paths, sets, &untold));
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(sources)?;
    Ok(Compiled { compiler, untold })
}

/// Sources that were compiled.
struct Compiled {
    compiler: Compiler,
    untold: Arc<Mutex<BTreeMap<String, Untold>>>,
}

impl Compiled {
    /// The descriptors, with all that the sources say.
    fn set(&self) -> Result<Set> {
        let mut set = Set::decode(self.compiler.encode_file_descriptor_set().as_slice())
            .map_err(|e| Error::usage("the compiled sources do not decode").because(e))?;
        let untold = self.untold();
        for raw in std::mem::take(&mut set.file) {
            let name = FileDescriptorProto::decode(raw.as_slice()).map(|file| file.name().to_owned());
            match name.ok().and_then(|name| untold.get(&name)) {
                Some(Untold { is_given: true, .. }) => {}
                Some(untold) => set.file.push(untold.raw(raw)),
                None => set.file.push(raw),
            }
        }
        Ok(set)
    }

    fn untold(&self) -> BTreeMap<String, Untold> {
        self.untold.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// protox's words with the place, which it keeps for its debug form.
fn fault(error: &protox::Error) -> Error {
    Error::usage(format!("{error:?}"))
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|e| Error::io(format!("cannot find {}", path.display()), e))
}

/// Folders that hold all of the sources: the working folder, and then from the inside out.
fn roots(sources: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let current = absolute(Path::new("."))?;
    let inside = sources.first().into_iter().flat_map(|path| path.ancestors().skip(1)).map(Path::to_owned);
    let plain = |path: &Path| !path.components().any(|c| c == Component::ParentDir);
    Ok(std::iter::once(current)
        .chain(inside)
        .filter(|root| sources.iter().all(|path| path.strip_prefix(root).is_ok_and(plain)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMON: &str = "syntax = \"proto3\";\npackage a.b;\nmessage M {}\n";
    const USER: &str =
        "syntax = \"proto3\";\npackage a;\nimport \"a/b/m.proto\";\nservice S { rpc F(b.M) returns (b.M); }\n";

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("writes");
        }
        folder
    }

    #[test]
    fn import_paths_are_found() {
        let other = "syntax = \"proto3\";\npackage z;\nmessage Z {}\n";
        let folder = folder(&[("x/a/b/m.proto", COMMON), ("x/a/s.proto", USER), ("y/z.proto", other)]);
        let path = |name: &str| folder.path().join(name);
        for import_paths in [vec![], vec![path("x")]] {
            let files = load(&[path("x/a/s.proto"), path("x/a/b/m.proto")], &import_paths, &[]).expect("compiles");
            assert!(files.pool().expect("a pool").get_service_by_name("a.S").is_some());
        }
        // In another tree, and so without a common folder that imports could start from.
        let files = load(&[path("y/z.proto"), path("x/a/s.proto"), path("x/a/b/m.proto")], &[], &[]).expect("compiles");
        assert!(files.pool().expect("a pool").get_message_by_name("z.Z").is_some());
        std::fs::write(path("y/z.proto"), format!("\u{feff}{other}")).expect("writes");
        load(&[path("y/z.proto")], &[], &[]).expect("a byte order mark is no fault");
        let error = load(&[path("x/a/s.proto")], &[path("x/a")], &[]).expect_err("not there");
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.chain().contains("s.proto:3:1: import 'a/b/m.proto' not found"), "{}", error.chain());
    }

    #[test]
    fn a_set_and_a_source_may_overlap_but_not_differ() {
        let all = folder(&[("a/b/m.proto", COMMON), ("a/s.proto", USER)]);
        let set = all.path().join("set");
        let compiled =
            compile_in(&[all.path().to_owned()], &[all.path().join("a/s.proto")], &Arc::default()).expect("compiles");
        std::fs::write(&set, compiled.compiler.encode_file_descriptor_set()).expect("writes");
        let source = all.path().join("a/b/m.proto");
        let paths = [all.path().to_owned()];
        assert!(load(std::slice::from_ref(&source), &paths, std::slice::from_ref(&set)).is_ok());
        std::fs::write(&source, format!("{COMMON}message N {{}}\n")).expect("writes");
        let error = load(&[source], &paths, &[set]).expect_err("differs");
        assert!(error.chain().contains("`a/b/m.proto` was given before"), "{}", error.chain());
    }
}
