//! Makes a pool of files, each after what it imports.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use prost_reflect::DescriptorPool;
use prost_types::FileDescriptorProto;

use super::Files;
use super::built_in::built_in;
use super::imports::Names;
use crate::error::{Error, Result};
use crate::proto::schema::Schema;

/// How many files are added at most while broken ones are found out, each time from the beginning: prost-reflect does not
/// undo a file that failed to the last bit.
const MAX_ADDED: usize = 200_000;

/// The types of those files that make sense.
#[derive(Debug)]
pub struct Linked {
    /// The types.
    pub schema: Schema,
    /// The others by name, the causes before what they broke.
    broken: Vec<(String, Error)>,
    files: Files,
}

impl Linked {
    /// The file that defines this, or something that it can stand in, when it is a broken one, and what is wrong with it.
    pub fn fault(&self, symbol: &str) -> Option<(&str, &Error)> {
        let defines = |name: &str| self.files.files.get(name).is_some_and(|file| file.defines(symbol));
        self.broken.iter().find(|(name, _)| defines(name)).map(|(name, error)| (name.as_str(), error))
    }

    /// The first of the broken files, and what is wrong with it.
    pub fn first_fault(&self) -> Option<(&str, &Error)> {
        self.broken.first().map(|(name, error)| (name.as_str(), error))
    }

    /// The types of the file that defines this and of what it imports, when they make sense without the others: two files
    /// may define the same.
    pub fn alone(&self, symbol: &str) -> Option<Schema> {
        let of = &self.files.files;
        let mut open: Vec<&str> = of.iter().filter(|(_, file)| file.defines(symbol)).map(|(name, _)| &**name).collect();
        let mut few = Files { absent: self.files.absent.clone(), ..Files::default() };
        while let Some(name) = open.pop() {
            if let Some(file) = of.get(name).filter(|_| !few.contains(name)) {
                open.extend(file.parsed.dependency.iter().chain(&file.features.option_dependency).map(String::as_str));
                few.files.insert(name.to_owned(), file.clone());
            }
        }
        let pool = few.pool().ok()?;
        Some(few.schema_of(&pool))
    }
}

impl Files {
    /// The pool of all files.
    ///
    /// # Errors
    /// `Kind::Refused`, naming the file: a cycle, a type that is nowhere, a definition that contradicts itself.
    pub fn pool(&self) -> Result<DescriptorPool> {
        let (pool, broken) = self.build()?;
        match broken.into_iter().next() {
            Some((_, error)) => Err(error),
            None => Ok(pool),
        }
    }

    /// The types of all files but the broken ones: those cost what uses them, and nothing else.
    ///
    /// # Errors
    /// `Kind::Refused`: there are too many broken ones.
    pub fn linked(&self) -> Result<Linked> {
        let (pool, broken) = self.build()?;
        Ok(Linked { schema: self.schema_of(&pool), broken, files: self.clone() })
    }

    fn build(&self) -> Result<(DescriptorPool, Vec<(String, Error)>)> {
        let mut left_out = HashSet::new();
        let mut broken: Vec<(String, Error)> = Vec::new();
        loop {
            let mut building =
                Building { files: self, left_out: &left_out, pool: DescriptorPool::new(), open: Vec::new() };
            let Err((name, error)) = self.files.keys().try_for_each(|name| building.add(name)) else {
                return Ok((building.pool, broken));
            };
            if (broken.len() + 1).saturating_mul(self.files.len()) > MAX_ADDED {
                return Err(error);
            }
            left_out.insert(name);
            broken.push((name.to_owned(), error));
            self.leave_out_users(&mut left_out, &mut broken);
        }
    }

    /// What uses a type of the last broken file, and what uses that, cannot be linked, either.
    fn leave_out_users<'a>(&'a self, left_out: &mut HashSet<&'a str>, broken: &mut Vec<(String, Error)>) {
        let names: BTreeMap<&str, Names> =
            self.files.iter().map(|(name, file)| (&**name, Names::of(&file.parsed))).collect();
        let mut next = broken.len() - 1;
        while let Some((culprit, cause)) = broken.get(next).map(|(name, error)| (name.clone(), error)) {
            let kept = |name: &&str| !left_out.contains(name);
            let elsewhere: HashSet<&String> =
                names.iter().filter(|(name, _)| kept(name)).flat_map(|(_, names)| &names.defined).collect();
            let lost = names.get(&*culprit).into_iter().flat_map(|names| &names.defined);
            let lost: HashSet<&String> = lost.filter(|name| !elsewhere.contains(name)).collect();
            let users = names.iter().filter(|(name, _)| kept(name)).filter_map(|(name, names)| {
                let used = names.used.iter().filter(|used| lost.contains(used)).min()?;
                let error = Error::refused(format!("`{name}` needs `{used}` of `{culprit}`")).because(cause.chain());
                Some((*name, cause.fix().into_iter().fold(error, Error::hint)))
            });
            let users: Vec<_> = users.collect();
            left_out.extend(users.iter().map(|(name, _)| *name));
            broken.extend(users.into_iter().map(|(name, error)| (name.to_owned(), error)));
            next += 1;
        }
    }
}

struct Building<'a, 'b> {
    files: &'a Files,
    /// Files that are known to be broken.
    left_out: &'b HashSet<&'a str>,
    pool: DescriptorPool,
    /// The files on the way to the one that is being added.
    open: Vec<&'a str>,
}

impl<'a> Building<'a, '_> {
    /// Fails with the name of the file that is at fault.
    fn add(&mut self, name: &'a str) -> Result<(), (&'a str, Error)> {
        if self.left_out.contains(name) || self.pool.get_file_by_name(name).is_some() {
            return Ok(());
        }
        let Some(file) = self.files.files.get(name) else { return self.add_built_in(name).map_err(|e| (name, e)) };
        if self.open.contains(&name) {
            let circle = self.open.join(" → ");
            return Err((name, Error::refused(format!("the files import each other in a circle: {circle} → {name}"))));
        }
        // A thousand files in one chain are no schema.
        if self.open.len() > 1000 {
            return Err((name, Error::refused(format!("the imports are nested too deep at `{name}`"))));
        }
        self.open.push(name);
        for import in file.parsed.dependency.iter().chain(&file.features.option_dependency) {
            self.add(import)?;
        }
        self.open.pop();
        let is_absent = |import: &&str| self.pool.get_file_by_name(import).is_none();
        let absent: Vec<&str> = file.parsed.dependency.iter().map(String::as_str).filter(is_absent).collect();
        let mut linked = without_imports(&file.parsed, &absent);
        // The pool follows `import public` for one step alone, so it is told of all that can be seen.
        let known: HashSet<&str> = file.parsed.dependency.iter().map(String::as_str).chain([name]).collect();
        let beyond = self.files.visible(file).into_iter().filter(|seen| !known.contains(seen) && !is_absent(seen));
        let beyond: BTreeSet<&str> = beyond.collect();
        linked.dependency.extend(beyond.into_iter().map(str::to_owned));
        self.pool.add_file_descriptor_proto(linked).map_err(|e| {
            let error = Error::refused(format!("the descriptor of `{name}` is broken")).because(e);
            match absent.is_empty() {
                true => (name, error),
                false => (name, error.hint(self.files.lacking(&absent))),
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
pub(crate) fn without_imports(file: &FileDescriptorProto, absent: &[&str]) -> FileDescriptorProto {
    let mut file = file.clone();
    if absent.is_empty() {
        return file;
    }
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
