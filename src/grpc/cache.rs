//! What servers told of themselves, kept for a while, for who asks for it; and the verbs that show and drop it.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use etcetera::BaseStrategy;
use prost::Message;
use serde_json::json;

use super::client::Target;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::output::{Layout, Table};
use crate::proto::Files;

/// The largest file that is read: what a server may tell at most is bounded, too.
const SIZE_LIMIT: u64 = 256 << 20;

/// The verbs.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List the servers whose descriptions are kept
    List {
        /// table, tsv or json
        #[arg(short, long, value_name = "LAYOUT", value_enum)]
        output: Option<Layout>,
    },
    /// Drop what is kept of a server, or of all
    Clear {
        /// The server as `list` names it; all of them without it
        #[arg(value_name = "SERVER")]
        server: Option<String>,
    },
}

/// Shows or drops what is kept.
///
/// # Errors
/// `Kind::Refused` when nothing is kept of the server, `Kind::Io`.
pub fn run(command: Command, cx: &Context) -> Result<()> {
    let kept = kept()?;
    match command {
        Command::List { output } => {
            let mut table = Table::new(["server", "age", "services", "files"]);
            for (path, content) in &kept {
                let age = humantime::format_duration(Duration::from_secs(age(path).unwrap_or_default().as_secs()));
                let counts = (content.services.len(), content.files.len());
                table.row([json!(content.server), json!(age.to_string()), json!(counts.0), json!(counts.1)]);
            }
            table.print(output, &cx.terminal)
        }
        Command::Clear { server } => {
            let chosen: Vec<_> = kept.iter().filter(|(_, c)| server.as_ref().is_none_or(|s| *s == c.server)).collect();
            if let (Some(server), []) = (&server, chosen.as_slice()) {
                let names = kept.iter().map(|(_, content)| content.server.as_str());
                return Err(super::catalog::unknown("the cache has no", "server", server, names));
            }
            for (path, _) in &chosen {
                std::fs::remove_file(path).map_err(|e| Error::io(format!("cannot remove {}", path.display()), e))?;
            }
            cx.terminal.note(format!("{} dropped", chosen.len()));
            Ok(())
        }
    }
}

/// A file of the cache.
#[derive(Clone, PartialEq, Message)]
struct Content {
    #[prost(string, tag = "1")]
    server: String,
    #[prost(string, repeated, tag = "2")]
    services: Vec<String>,
    #[prost(bytes = "vec", repeated, tag = "3")]
    files: Vec<Vec<u8>>,
}

fn folder() -> Result<PathBuf> {
    let base = etcetera::choose_base_strategy()
        .map_err(|e| Error::io("cannot find a folder for the cache", std::io::Error::other(e)))?;
    Ok(base.cache_dir().join("mscomm/descriptors"))
}

fn age(path: &Path) -> Option<Duration> {
    SystemTime::now().duration_since(std::fs::metadata(path).ok()?.modified().ok()?).ok()
}

fn read(path: &Path) -> Option<Content> {
    std::fs::metadata(path).ok().filter(|m| m.is_file() && m.len() <= SIZE_LIMIT)?;
    Content::decode(std::fs::read(path).ok()?.as_slice()).ok()
}

/// All files that can be read, in the order of their servers.
fn kept() -> Result<Vec<(PathBuf, Content)>> {
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
pub struct Cache {
    server: String,
    path: PathBuf,
    max_age: Duration,
}

impl Cache {
    /// The place for a server. Two names of one server are two servers: they may lead to different ones.
    ///
    /// # Errors
    /// `Kind::Io` when there is no home.
    pub fn of(target: &Target, max_age: Duration) -> Result<Cache> {
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
    pub fn load(&self) -> Option<(Vec<String>, Files)> {
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
    pub fn save(&self, services: &[String], files: &Files) -> Result<()> {
        let failed = |e: std::io::Error| Error::io(format!("cannot write the cache {}", self.path.display()), e);
        let content = Content {
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
