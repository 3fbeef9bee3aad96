//! The socket of a running sandbox, in a folder of its own that nobody else may enter: a request a line, an answer a line.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use super::{Answer, Disconnected, Request};
use crate::error::{Error, Kind, Result};
use crate::sandbox::{amqp, kafka};

/// Longest request.
const LONGEST: u64 = 1 << 20;

/// What is done to the servers.
#[derive(Clone)]
pub(in crate::sandbox) struct Controls {
    pub amqp: Option<amqp::Handle>,
    pub kafka: Option<kafka::Handle>,
    /// What each server is called, and where it is.
    pub servers: Vec<(&'static str, String)>,
}

impl Controls {
    async fn answer(&self, request: Request) -> Answer {
        match self.done(request).await {
            Ok(found) => Answer { found, refused: None },
            Err(why) => Answer { found: None, refused: Some(why) },
        }
    }

    /// What is found, or why it is refused.
    async fn done(&self, request: Request) -> std::result::Result<Option<serde_json::Value>, String> {
        let amqp = || self.amqp.as_ref().ok_or("this sandbox has no AMQP broker".to_owned());
        let kafka = || self.kafka.as_ref().ok_or("this sandbox has no Kafka brokers".to_owned());
        match request {
            Request::List => {
                let mut all = serde_json::Map::new();
                for (name, address) in &self.servers {
                    all.insert((*name).to_owned(), json!({"server": address}));
                }
                let amqp = match &self.amqp {
                    Some(amqp) => amqp.shown().await,
                    None => None,
                };
                let kafka = match &self.kafka {
                    Some(kafka) => kafka.shown().await,
                    None => None,
                };
                for (name, shown) in [("amqp", amqp), ("kafka", kafka)] {
                    if let (Some(entry), Some(shown)) = (all.get_mut(name).and_then(|e| e.as_object_mut()), shown) {
                        entry.extend(shown);
                    }
                }
                Ok(Some(all.into()))
            }
            Request::Block { blocked } => {
                amqp()?.block(blocked);
                Ok(None)
            }
            Request::Disconnect { services } => {
                let all = services.is_empty();
                if all || services.contains(&Disconnected::Amqp) {
                    match &self.amqp {
                        None if all => {}
                        _ => amqp()?.disconnect(),
                    }
                }
                if all || services.contains(&Disconnected::Kafka) {
                    match &self.kafka {
                        None if all => {}
                        _ => kafka()?.disconnect(),
                    }
                }
                Ok(None)
            }
            Request::Fault { rules } => kafka()?.set_faults(&rules).await.map(|()| None),
            Request::Broker { id, alive } => kafka()?.set_alive(id, alive).await.map(|()| None),
        }
    }
}

/// A socket that is served until this is dropped; its file is gone then.
pub(in crate::sandbox) struct Socket {
    path: PathBuf,
    serving: JoinHandle<()>,
    _folder: TempDir,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Socket {
    /// Opens a socket, in the runtime folder of the user if there is one.
    ///
    /// # Errors
    /// `Kind::Io`.
    pub(in crate::sandbox) fn open(controls: Controls) -> Result<Socket> {
        let failed = |e| Error::io("cannot open the socket of `mscomm sandbox ctl`", e);
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_dir());
        let mut builder = tempfile::Builder::new();
        let owner_alone = |mode| std::fs::Permissions::from_mode(mode);
        builder.prefix("mscomm-").permissions(owner_alone(0o700));
        let made = match runtime {
            Some(runtime) => builder.tempdir_in(runtime).or_else(|_| builder.tempdir()),
            None => builder.tempdir(),
        };
        let folder = made.map_err(failed)?;
        let path = folder.path().join("ctl");
        let listener = UnixListener::bind(&path).map_err(failed)?;
        std::fs::set_permissions(&path, owner_alone(0o600)).map_err(failed)?;
        let serving = tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => drop(tokio::spawn(serve(stream, controls.clone()))),
                    Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
                }
            }
        });
        Ok(Socket { path, serving, _folder: folder })
    }

    /// Where it is.
    pub(in crate::sandbox) fn path(&self) -> &Path {
        &self.path
    }
}

async fn serve(stream: UnixStream, controls: Controls) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read.take(LONGEST)).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = match serde_json::from_str(&line) {
            Ok(request) => controls.answer(request).await,
            Err(e) => Answer { found: None, refused: Some(format!("no request: {e}")) },
        };
        let Ok(mut text) = serde_json::to_vec(&answer) else { return };
        text.push(b'\n');
        if write.write_all(&text).await.is_err() {
            return;
        }
    }
}

/// Asks a sandbox by its socket.
///
/// # Errors
/// `Kind::Connect` when nobody listens there, `Kind::Io` when it goes without an answer.
pub(super) async fn ask(path: &Path, request: &Request) -> Result<Answer> {
    let stream = UnixStream::connect(path).await.map_err(|e| {
        Error::new(Kind::Connect, "no sandbox listens there").because(e).hint("it may have ended; start another")
    })?;
    let failed = |e| Error::io("the sandbox does not answer", e);
    let (read, mut write) = stream.into_split();
    let mut text = serde_json::to_vec(request).map_err(|e| failed(e.into()))?;
    text.push(b'\n');
    write.write_all(&text).await.map_err(failed)?;
    let mut line = String::new();
    BufReader::new(read).read_line(&mut line).await.map_err(failed)?;
    serde_json::from_str(&line).map_err(|e| failed(e.into()))
}
