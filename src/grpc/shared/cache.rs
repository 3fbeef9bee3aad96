//! What servers told of themselves, kept for a while, for who asks for it.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use etcetera::BaseStrategy;
use prost::Message;

use crate::error::{Error, Result};
use crate::grpc::settings::Target;
use crate::proto::Files;

/// The largest file that is read: what a server may tell at most is bounded, too.
const SIZE_LIMIT: u64 = 256 << 20;

/// A file of the cache.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct CacheFile {
    /// The server, as [`Cache::of`] names it.
    #[prost(string, tag = "1")]
    pub server: String,
    /// The names of its services.
    #[prost(string, repeated, tag = "2")]
    pub services: Vec<String>,
    /// What describes them: a `FileDescriptorProto` each.
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub files: Vec<Vec<u8>>,
}

fn folder() -> Result<PathBuf> {
    let base = etcetera::choose_base_strategy()
        .map_err(|e| Error::io("cannot find a folder for the cache", std::io::Error::other(e)))?;
    Ok(base.cache_dir().join("mscomm/descriptors"))
}

/// How long ago a file was written.
pub(crate) fn age(path: &Path) -> Option<Duration> {
    SystemTime::now().duration_since(std::fs::metadata(path).ok()?.modified().ok()?).ok()
}

fn read(path: &Path) -> Option<CacheFile> {
    std::fs::metadata(path).ok().filter(|m| m.is_file() && m.len() <= SIZE_LIMIT)?;
    CacheFile::decode(std::fs::read(path).ok()?.as_slice()).ok()
}

/// All files that can be read, in the order of their servers.
///
/// # Errors
/// `Kind::Io`.
pub(crate) fn kept() -> Result<Vec<(PathBuf, CacheFile)>> {
    let entries = match std::fs::read_dir(folder()?) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|e| Error::io("cannot read the cache", e))?,
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut kept: Vec<_> = paths.filter_map(|path| read(&path).map(|content| (path, content))).collect();
    kept.sort_by(|a, b| a.1.server.cmp(&b.1.server));
    Ok(kept)
}

/// What is kept of one server.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    server: String,
    path: PathBuf,
    max_age: Duration,
}

impl Cache {
    /// The place for a server. Two names of one server are two servers: they may lead to different ones.
    ///
    /// # Errors
    /// `Kind::Io` when there is no home.
    pub(crate) fn of(target: &Target, max_age: Duration) -> Result<Cache> {
        let scheme = if target.tls { "https" } else { "http" };
        let (authority, address) = (target.authority.as_str(), target.address.to_string());
        let elsewhere = if authority == address { String::new() } else { format!(" at {address}") };
        let server = format!("{scheme}://{authority}{}{elsewhere}", target.prefix);
        // A name for a file, whatever stands in it.
        let name: String = server.bytes().map(|b| format!("{b:02x}")).collect();
        let name = match name.len() {
            0..=200 => name,
            _ => format!("{}-{:016x}", &name[..180], hash(server.as_bytes())),
        };
        Ok(Cache { server, path: folder()?.join(name), max_age })
    }

    /// The services and files, unless they are too old or cannot be used.
    pub(crate) fn load(&self) -> Option<(Vec<String>, Files)> {
        age(&self.path).filter(|age| *age <= self.max_age)?;
        let content = read(&self.path).filter(|content| content.server == self.server)?;
        let mut files = Files::default();
        for raw in &content.files {
            files.add(raw).ok()?;
        }
        files.missing().into_iter().for_each(|name| files.give_up(name, None));
        Some((content.services, files))
    }

    /// Keeps what a server told. The files are for their owner alone; a reader sees the old one or the new one.
    ///
    /// # Errors
    /// `Kind::Io`.
    pub(crate) fn save(&self, services: &[String], files: &Files) -> Result<()> {
        let failed = |e: std::io::Error| Error::io(format!("cannot write the cache {}", self.path.display()), e);
        let content = CacheFile {
            server: self.server.clone(),
            services: services.to_vec(),
            files: files.all_raw().map(<[u8]>::to_vec).collect(),
        };
        let folder = self.path.parent().unwrap_or(Path::new("."));
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let mut file = tempfile::Builder::new()
            .permissions(std::fs::Permissions::from_mode(0o600))
            .tempfile_in(folder)
            .map_err(failed)?;
        file.write_all(&content.encode_to_vec()).map_err(failed)?;
        file.persist(&self.path).map_err(|e| failed(e.error))?;
        Ok(())
    }
}

/// FNV-1a, which tells long names apart; no secret depends on it.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
