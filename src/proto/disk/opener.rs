//! Opens sources for the compiler, in a form that it takes, and keeps what it was not told of them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use prost_types::{EnumDescriptorProto, FileDescriptorProto};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver};

use crate::proto::Files;
use crate::proto::dynamic::{DynamicMessage, Value};
use crate::proto::edition::{self, Edition};
use crate::proto::google::{self, Embedded};
use crate::proto::names::{self, Refused};
use crate::proto::schema::JsonNames;

/// What the compiler was not told of a source.
#[derive(Debug, Default, Clone)]
pub(crate) struct Untold {
    edition: Option<Edition>,
    /// It stands in the descriptor sets, which have all of it.
    pub is_given: bool,
    /// It was told to be proto2, and is proto3.
    is_proto3: bool,
    json_names: JsonNames,
    /// How many of its imports, the last ones, are none of its own.
    added_imports: usize,
}

/// By the names of files.
type All = Arc<Mutex<BTreeMap<String, Untold>>>;

/// Sources below folders, files of descriptor sets, and Google's own.
pub(crate) struct Opener {
    places: ChainFileResolver,
    /// Files that were opened for the sake of others.
    ahead: Mutex<HashMap<String, File>>,
    /// The public imports of files.
    public: Mutex<HashMap<String, Vec<String>>>,
    untold: All,
}

impl Opener {
    /// Looks below the folders first. What the compiler is not told is kept in `untold`.
    pub(crate) fn new(folders: &[PathBuf], sets: &Arc<Files>, untold: &All) -> Opener {
        let mut places = ChainFileResolver::new();
        for folder in folders {
            let plain = IncludeFileResolver::new(folder.clone());
            places.add(Sources { folder: folder.clone(), plain, untold: untold.clone() });
        }
        Opener::behind(places, sets, untold)
    }

    /// Takes sources by their names.
    pub(crate) fn of_texts(texts: BTreeMap<String, String>, sets: &Arc<Files>, untold: &All) -> Opener {
        let mut places = ChainFileResolver::new();
        places.add(Texts { texts, untold: untold.clone() });
        Opener::behind(places, sets, untold)
    }

    fn behind(mut places: ChainFileResolver, sets: &Arc<Files>, untold: &All) -> Opener {
        places.add(Given { sets: sets.clone(), untold: untold.clone() });
        places.add(GoogleFileResolver::new());
        places.add(Embedded(google::SOURCES));
        Opener { places, ahead: Mutex::default(), public: Mutex::default(), untold: untold.clone() }
    }

    fn opened(&self, name: &str) -> Result<File, protox::Error> {
        if let Some(file) = locked(&self.ahead).remove(name) {
            return Ok(file);
        }
        let file = self.places.open_file(name)?;
        let of = file.file_descriptor_proto();
        let at = |at: &i32| usize::try_from(*at).ok().and_then(|at| of.dependency.get(at)).cloned();
        locked(&self.public).insert(name.to_owned(), of.public_dependency.iter().filter_map(at).collect());
        Ok(file)
    }

    /// What a file imports publicly; nothing when it cannot be read, which the compiler will find out.
    fn public_imports(&self, name: &str) -> Vec<String> {
        if let Some(known) = locked(&self.public).get(name) {
            return known.clone();
        }
        if let Ok(file) = self.opened(name) {
            locked(&self.ahead).insert(name.to_owned(), file);
        }
        locked(&self.public).get(name).cloned().unwrap_or_default()
    }

    /// What a file can see by `import public`, where that goes over more than one file: the compiler follows it no further.
    fn beyond(&self, file: &FileDescriptorProto) -> Vec<String> {
        let mut seen: HashSet<String> = file.dependency.iter().cloned().chain([file.name().to_owned()]).collect();
        let (mut beyond, mut steps) = (Vec::new(), 0);
        let mut open = file.dependency.clone();
        while !open.is_empty() {
            let mut next: Vec<String> = open.iter().flat_map(|name| self.public_imports(name)).collect();
            next.retain(|name| seen.insert(name.clone()));
            steps += usize::from(!next.is_empty());
            beyond.extend(next.iter().cloned());
            open = next;
        }
        if steps > 1 { beyond } else { Vec::new() }
    }
}

impl FileResolver for Opener {
    fn resolve_path(&self, path: &Path) -> Option<String> {
        self.places.resolve_path(path)
    }

    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let file = self.opened(name)?;
        let beyond = self.beyond(file.file_descriptor_proto());
        if beyond.is_empty() {
            return Ok(file);
        }
        locked(&self.untold).entry(name.to_owned()).or_default().added_imports = beyond.len();
        let mut descriptor = file.file_descriptor_proto().clone();
        descriptor.dependency.extend(beyond);
        Ok(descriptor.into())
    }
}

/// Sources below a folder, those in an edition read by ourselves.
struct Sources {
    folder: PathBuf,
    plain: IncludeFileResolver,
    untold: All,
}

impl FileResolver for Sources {
    fn resolve_path(&self, path: &Path) -> Option<String> {
        self.plain.resolve_path(path)
    }

    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        // What is wrong with reading it, the other reader says.
        let Ok(source) = std::fs::read_to_string(self.folder.join(name)) else { return self.plain.open_file(name) };
        // A byte order mark, which protox does not know.
        let text = source.strip_prefix('\u{feff}').unwrap_or(&source);
        opened(name, text, &self.untold, || match text.len() == source.len() {
            true => self.plain.open_file(name),
            false => File::from_source(name, text),
        })
    }
}

/// A source, those in an edition read by ourselves and the others by `plain`.
fn opened(
    name: &str,
    text: &str,
    all: &All,
    plain: impl FnOnce() -> Result<File, protox::Error>,
) -> Result<File, protox::Error> {
    let number = edition::edition_of(text).map_err(|what| edition::fault(format!("{name}:{what}")))?;
    let mut untold = Untold::default();
    let file: File = match number {
        Some(number) => {
            let (file, edition) = edition::parse(name, text, number)?;
            untold.edition = Some(edition);
            file.into()
        }
        None => plain()?,
    };
    let file = untold.for_compiler(file)?;
    locked(all).insert(name.to_owned(), untold);
    Ok(file)
}

/// Sources in memory.
struct Texts {
    texts: BTreeMap<String, String>,
    untold: All,
}

impl FileResolver for Texts {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let source = self.texts.get(name).ok_or_else(|| protox::Error::file_not_found(name))?;
        let text = source.strip_prefix('\u{feff}').unwrap_or(source);
        opened(name, text, &self.untold, || File::from_source(name, text))
    }
}

/// Files of the descriptor sets, for sources that import them.
struct Given {
    sets: Arc<Files>,
    untold: All,
}

impl FileResolver for Given {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        // The compiler has these itself, and nobody else's fit to it.
        let file = (!name.starts_with("google/protobuf/")).then(|| self.sets.importable(name)).flatten();
        let file = file.ok_or_else(|| protox::Error::file_not_found(name))?;
        locked(&self.untold).insert(name.to_owned(), Untold { is_given: true, ..Untold::default() });
        Ok(file.into())
    }
}

impl Untold {
    /// The file with other JSON names, where the compiler would refuse those that protoc takes.
    fn for_compiler(&mut self, file: File) -> Result<File, protox::Error> {
        let parsed = file.file_descriptor_proto();
        let refused = |Refused { path, what }: Refused| edition::fault(format!("{} {what}", place(parsed, &path)));
        names::check(parsed, self.edition.is_some()).map_err(refused)?;
        let mut told = parsed.clone();
        self.json_names = names::for_pool(&mut told);
        self.is_proto3 = told.syntax != parsed.syntax;
        if self.is_proto3 {
            check_first_values(parsed).map_err(refused)?;
        }
        let is_same = !self.is_proto3 && self.json_names.is_empty();
        Ok(if is_same { file } else { told.into() })
    }

    /// The encoded descriptor of the source, with all that it says.
    pub(crate) fn raw(&self, mut raw: Vec<u8>) -> Vec<u8> {
        let is_told = !self.is_proto3 && self.json_names.is_empty() && self.added_imports == 0;
        let of = google::DESCRIPTOR.message("google.protobuf.FileDescriptorProto").filter(|_| !is_told);
        if let Some(mut file) = of.and_then(|of| DynamicMessage::decode(of, raw.clone().into()).ok()) {
            if self.is_proto3 {
                file.set_named("syntax", Value::String("proto3".to_owned().into()));
            }
            names::put_back(&mut file, &self.json_names);
            if let Some(Value::List(mut imports)) = file.get_named("dependency").cloned() {
                imports.truncate(imports.len().saturating_sub(self.added_imports));
                file.set_named("dependency", Value::List(imports));
            }
            raw = file.encode_to_vec();
        }
        match &self.edition {
            Some(edition) => edition.raw(raw),
            None => raw,
        }
    }
}

/// What the compiler looks at in proto3 alone: the first value of an enum is 0.
fn check_first_values(file: &FileDescriptorProto) -> Result<(), Refused> {
    let check = |path: Vec<i32>, descriptor: &EnumDescriptorProto| match descriptor.value.first() {
        Some(value) if value.number() != 0 => {
            let what = format!("the first value of the enum `{}` must be 0 in proto3", descriptor.name());
            // EnumDescriptorProto.value, EnumValueDescriptorProto.number
            Err(Refused { path: [&path[..], &[2, 0, 2]].concat(), what })
        }
        _ => Ok(()),
    };
    // FileDescriptorProto.enum_type and .message_type, DescriptorProto.enum_type and .nested_type
    (0..).zip(&file.enum_type).try_for_each(|(at, e)| check(vec![5, at], e))?;
    let mut open: Vec<_> = (0..).zip(&file.message_type).map(|(at, message)| (vec![4, at], message)).collect();
    while let Some((path, message)) = open.pop() {
        let below = |list: i32, at: i32| [&path[..], &[list, at]].concat();
        (0..).zip(&message.enum_type).try_for_each(|(at, e)| check(below(4, at), e))?;
        open.extend((0..).zip(&message.nested_type).map(|(at, inner)| (below(3, at), inner)));
    }
    Ok(())
}

/// `file.proto:line:column:`, as far as it is known.
fn place(file: &FileDescriptorProto, path: &[i32]) -> String {
    let locations = file.source_code_info.as_ref().map_or(&[][..], |info| &info.location);
    let span = locations.iter().find(|location| location.path == path).map(|location| location.span.as_slice());
    match span {
        Some([line, column, ..]) => format!("{}:{}:{}:", file.name(), line + 1, column + 1),
        _ => format!("{}:", file.name()),
    }
}

fn locked<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
