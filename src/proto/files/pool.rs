//! Makes a pool of files, each after what it imports.

use prost_reflect::DescriptorPool;
use prost_types::FileDescriptorProto;

use super::Files;
use crate::error::{Error, Result};

impl Files {
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

/// Google's own files, which servers may leave out.
pub fn built_in(name: &str) -> Option<FileDescriptorProto> {
    name.starts_with("google/protobuf/")
        .then(|| DescriptorPool::global().get_file_by_name(name).map(|f| f.file_descriptor_proto().clone()))
        .flatten()
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
        for import in file.parsed.dependency.iter().chain(&file.features.option_dependency) {
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
                false => error.hint(format!(
                    "what it imports is missing: {}; give it with --proto or --descriptor-set",
                    absent.join(", ")
                )),
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
