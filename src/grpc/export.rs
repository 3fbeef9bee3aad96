//! `grpc export`: what describes services, as a descriptor set or as .proto files.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use prost::Message;
use prost_reflect::FileDescriptor;

use super::settings::Settings;
use super::shared::elements::{self, Each};
use super::shared::lookup::Lookup;
use crate::context::Context;
use crate::error::{Error, Result, counted};
use crate::output::Printer;
use crate::proto::schema::Schema;
use crate::proto::{file_source, find, is_same_file};

/// Writes what describes services.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Services, methods, messages… to describe, each by its full name; all services of the server if none is given
    #[arg(value_name = "SYMBOL")]
    symbols: Vec<String>,
    /// Write a descriptor set with all that is imported; - for standard output
    #[arg(long, visible_alias = "protoset-out", value_name = "FILE", required_unless_present = "proto_out")]
    descriptor_set_out: Option<PathBuf>,
    /// Write .proto files into this folder, each where imports look for it
    #[arg(long, visible_alias = "proto-out-dir", value_name = "FOLDER")]
    proto_out: Option<PathBuf>,
    /// Replace files that have another content
    #[arg(long)]
    force: bool,
    /// Connection.
    #[command(flatten)]
    connection: Settings,
}

/// Writes what describes services.
///
/// # Errors
/// As [`Lookup::open`] and reflection; `Kind::Refused` for an unknown symbol and for a file whose name leads elsewhere;
/// `Kind::Usage` for a file that exists with another content; `Kind::Io`.
pub(crate) async fn run(args: Args, cx: &Context) -> Result<()> {
    let (files, each) = cx.shutdown.or_stop(files(&args, cx)).await?;
    // Nothing is written when nothing was found.
    let failed = each.failed(files.is_empty() || !args.symbols.is_empty(), cx);
    if files.is_empty()
        && let Err(error) = failed
    {
        return Err(error);
    }
    if let Some(path) = &args.descriptor_set_out {
        let set = Set { file: files.iter().map(|(file, schema)| schema.raw(file).to_vec()).collect() };
        let bytes = set.encode_to_vec();
        match path.as_os_str() == "-" {
            true => {
                let mut printer = Printer::stdout()?;
                printer.record(|out| out.extend_from_slice(&bytes))?;
                printer.flush()?;
            }
            false => write(path, &bytes, args.force)?,
        }
        cx.terminal.note(format!("{} went into {}", counted(files.len() as u64, "file"), path.display()));
    }
    if let Some(folder) = &args.proto_out {
        // Every compiler has these.
        let own: Vec<_> = files.iter().filter(|(file, _)| !file.name().starts_with("google/protobuf/")).collect();
        // All names are looked at before anything is written.
        let paths = own.iter().map(|(file, _)| below(folder, file.name())).collect::<Result<Vec<_>>>()?;
        for ((file, schema), path) in own.iter().zip(&paths) {
            write(path, file_source(schema, file).as_bytes(), args.force)?;
        }
        cx.terminal.note(format!("{} went below {}", counted(own.len() as u64, "file"), folder.display()));
    }
    failed
}

/// `google.protobuf.FileDescriptorSet`, each file as it came.
#[derive(Clone, PartialEq, Message)]
struct Set {
    #[prost(bytes = "vec", repeated, tag = "1")]
    file: Vec<Vec<u8>>,
}

/// A file, and the schema that it is part of.
type InSchema = (FileDescriptor, Schema);

/// The files of the symbols and of all that they import, imports first; and what is said of symbols that have none.
async fn files(args: &Args, cx: &Context) -> Result<(Vec<InSchema>, Each<()>)> {
    let mut lookup = Lookup::open(&args.connection, cx).await?;
    let mut catalog = lookup.catalog(cx);
    let symbols = match args.symbols.is_empty() {
        true => catalog.services().await?,
        false => args.symbols.clone(),
    };
    let (found, mut each) = elements::each(&mut catalog, &symbols).await?.split();
    for (element, _) in &found {
        catalog.fetch_extensions(&element.messages()).await?;
    }
    let mut exported = Exported::default();
    for full in found.iter().map(|(element, _)| element.full_name()) {
        // Extensions that came since are in it.
        let added = catalog.schema_of(&full).and_then(|schema| match find(schema.pool(), &full) {
            Some(element) => exported.add(&schema, &element.file()),
            None => Ok(()),
        });
        each.take(&full, added)?;
    }
    Ok((exported.files, each))
}

/// Files that go out together: each behind what it imports, and none beside another one of its name.
#[derive(Default)]
struct Exported {
    files: Vec<InSchema>,
    known: HashMap<String, Bytes>,
    /// What the files define, with the file.
    defined: HashMap<String, String>,
}

impl Exported {
    /// Adds a file with what it imports, and with what extends a message of these.
    fn add(&mut self, schema: &Schema, file: &FileDescriptor) -> Result<()> {
        let mut sorted = Sorted { schema: schema.clone(), seen: HashSet::new(), files: Vec::new() };
        sorted.add(file);
        sorted.add_extensions();
        let differs = |file: &&FileDescriptor| {
            let known = self.known.get(file.name());
            known.is_some_and(|known| !is_same_file(known, &schema.raw(file)))
        };
        if let Some(file) = sorted.files.iter().find(differs) {
            let what = format!("`{}` differs between the server and the given files", file.name());
            return Err(Error::refused(what).hint("take one of them, with --reflection only or --reflection off"));
        }
        let new: Vec<_> = sorted.files.into_iter().filter(|file| !self.known.contains_key(file.name())).collect();
        for (file, name) in new.iter().flat_map(|file| defined(file).map(move |name| (file, name))) {
            if let Some(other) = self.defined.get(&name) {
                let what = format!("`{}` defines `{name}`, and so does `{other}`", file.name());
                return Err(Error::refused(what).hint("export it by itself, by its name"));
            }
        }
        for file in new {
            self.defined.extend(defined(&file).map(|name| (name, file.name().to_owned())));
            self.known.insert(file.name().to_owned(), schema.raw(&file));
            self.files.push((file, schema.clone()));
        }
        Ok(())
    }
}

/// The full names of what a file defines outside of any message, but for extensions.
fn defined(file: &FileDescriptor) -> impl Iterator<Item = String> {
    let messages = file.messages().map(|message| message.full_name().to_owned());
    let enums = file.enums().map(|e| e.full_name().to_owned());
    messages
        .chain(enums)
        .chain(file.services().map(|service| service.full_name().to_owned()))
        .collect::<Vec<_>>()
        .into_iter()
}

/// Files, each behind what it imports.
struct Sorted {
    schema: Schema,
    seen: HashSet<String>,
    files: Vec<FileDescriptor>,
}

impl Sorted {
    /// The pool has no circles, and no chain longer than a thousand files.
    fn add(&mut self, file: &FileDescriptor) {
        if self.seen.insert(file.name().to_owned()) {
            let for_options = self.schema.option_imports(file);
            file.dependencies().chain(for_options).for_each(|import| self.add(&import));
            self.files.push(file.clone());
        }
    }

    /// What extends a message of these files belongs to them, and no file imports it. What it imports may be extended again.
    fn add_extensions(&mut self) {
        let schema = self.schema.clone();
        loop {
            let known = self.files.len();
            for extension in schema.pool().all_extensions() {
                let of = extension.containing_message();
                // Options are extended where they are used.
                if of.package_name() != "google.protobuf" && self.seen.contains(of.parent_file().name()) {
                    self.add(&extension.parent_file());
                }
            }
            if self.files.len() == known {
                return;
            }
        }
    }
}

/// The path of a file below a folder.
///
/// # Errors
/// `Kind::Refused` when its name leads out of the folder: servers choose the names.
fn below(folder: &Path, name: &str) -> Result<PathBuf> {
    let path = Path::new(name);
    let plain = path.components().all(|c| matches!(c, Component::Normal(_)));
    match plain && !name.is_empty() && !name.ends_with('/') && !name.contains('\0') {
        true => Ok(folder.join(path)),
        false => Err(Error::refused(format!("the file `{name}` would be written outside of {}", folder.display()))
            .hint("take the descriptor set instead, with --descriptor-set-out")),
    }
}

/// Writes a file at once, so that nobody sees a part of it.
fn write(path: &Path, bytes: &[u8], force: bool) -> Result<()> {
    let failed = |e: std::io::Error| Error::io(format!("cannot write {}", path.display()), e);
    match std::fs::metadata(path) {
        // A device or a pipe is written to, never replaced.
        Ok(metadata) if !metadata.is_file() => {
            return std::fs::OpenOptions::new()
                .write(true)
                .open(path)
                .and_then(|mut f| f.write_all(bytes))
                .map_err(failed);
        }
        Ok(_) if std::fs::read(path).is_ok_and(|there| there == bytes) => return Ok(()),
        Ok(_) if !force => {
            return Err(Error::usage(format!("{} exists, with another content", path.display()))
                .hint("pass --force to replace it"));
        }
        Ok(_) | Err(_) => {}
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut file = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder)
        .map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_folder() {
        assert_eq!(below(Path::new("out"), "a/b.proto").expect("plain"), Path::new("out/a/b.proto"));
        for name in ["", "../a", "/etc/a", "a/../../b", "a/", "a\0b", "./../a"] {
            assert!(below(Path::new("out"), name).is_err(), "{name:?}");
        }
    }
}
