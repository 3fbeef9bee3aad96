//! One run of the command.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::process::{Child, Command};

use crate::shutdown::Shutdown;

/// How many bytes a command may print: RabbitMQ takes no larger messages, and Kafka far smaller ones, unless they are told
/// to.
const LARGEST: usize = 16 * 1024 * 1024;

/// What a command prints is read from then on, or when it has exited: one that takes no longer, and prints no more than fits
/// into a pipe, wakes us once, where its output and the end of that would do so twice more, a tenth of its time.
const SHORT: Duration = Duration::from_millis(2);

/// How long a command that is ended may tidy up before it is killed.
const GRACE: Duration = Duration::from_secs(1);

/// What to run.
#[derive(Debug)]
pub(super) struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// Its name as it was typed.
    pub name: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables of this process that it does not get: those of a command around this one are about another message.
    pub stale: Vec<OsString>,
    /// How long it may take.
    pub timeout: Option<Duration>,
}

/// How a run ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// By itself, having printed this.
    Exited(ExitStatus, Vec<u8>),
    /// It was ended: why.
    Stopped(String),
}

impl Program {
    /// Starts it, with this input.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn start(
        &self,
        variables: Vec<(String, OsString)>,
        mut input: Vec<u8>,
        shutdown: &Shutdown,
    ) -> io::Result<Running> {
        let (its_input, feed) = io::pipe()?;
        let (output, its_output) = io::pipe()?;
        let (feed, output) = (OwnedFd::from(feed), OwnedFd::from(output));
        for ours in [&feed, &output] {
            rustix::fs::fcntl_setfl(ours, OFlags::NONBLOCK)?;
        }
        // What fits into the pipe need not be waited for.
        input.drain(..fill(feed.as_fd(), &input));
        let feed = (!input.is_empty()).then_some((feed, input));
        let mut command = Command::new(&self.path);
        command.arg0(&self.name).args(&self.args).stdin(its_input).stdout(its_output).process_group(0);
        for name in &self.stale {
            command.env_remove(name);
        }
        let child = command.envs(variables).spawn()?;
        let group = Group::of(&child, shutdown);
        Ok(Running { child, group, feed, output, timeout: self.timeout })
    }
}

/// A run.
pub(super) struct Running {
    child: Child,
    group: Group,
    /// What is left of its input, and where that goes.
    feed: Option<(OwnedFd, Vec<u8>)>,
    output: OwnedFd,
    timeout: Option<Duration>,
}

impl Running {
    /// All that was started with it.
    pub(super) fn group(&self) -> Option<Pid> {
        self.group.id
    }

    /// Waits for its end. Dropped before, it is killed.
    ///
    /// # Errors
    /// The system's.
    pub(super) async fn ended(self) -> io::Result<Ended> {
        let Running { mut child, mut group, feed, output: pipe, timeout } = self;
        let mut feeds = feed.is_some();
        let feed = async move {
            if let Some((fd, input)) = feed
                && let Ok(mut sender) = Sender::from_owned_fd(fd)
            {
                // A command need not read all that it is given.
                let _ = sender.write_all(&input).await;
            }
        };
        let late = async {
            match timeout {
                Some(timeout) => {
                    tokio::time::sleep(timeout).await;
                    timeout
                }
                None => std::future::pending().await,
            }
        };
        let (mut feed, mut late) = (std::pin::pin!(feed), std::pin::pin!(late));
        let mut short = std::pin::pin!(tokio::time::sleep(SHORT));
        let (mut pipe, mut receiver, mut reads) = (Some(pipe), None, false);
        let mut output = Vec::new();
        let why = loop {
            let read = async {
                match &mut receiver {
                    Some(receiver) => Receiver::read_buf(receiver, &mut output).await,
                    None => Ok(0),
                }
            };
            tokio::select! {
                biased;
                status = child.wait() => {
                    let status = status?;
                    let rest = receiver.as_ref().map(AsFd::as_fd).or(pipe.as_ref().map(AsFd::as_fd));
                    let whole = rest.is_none_or(|rest| is_rest_read(rest, &mut output));
                    // What it left behind goes on by itself, as it does behind a shell.
                    group.leave();
                    if !whole {
                        break flood();
                    }
                    return Ok(Ended::Exited(status, output));
                }
                () = &mut short, if pipe.is_some() => {
                    receiver = pipe.take().map(Receiver::from_owned_fd).transpose()?;
                    reads = true;
                }
                read = read, if reads => {
                    reads = matches!(read, Ok(1..));
                    if output.len() > LARGEST {
                        break flood();
                    }
                }
                () = &mut feed, if feeds => feeds = false,
                timeout = &mut late => {
                    break format!("was ended after {} (--exec-timeout)", humantime::format_duration(timeout));
                }
            }
        };
        drop((pipe, receiver));
        group.end(&mut child).await?;
        Ok(Ended::Stopped(why))
    }
}

fn flood() -> String {
    format!("printed more than {} MiB", LARGEST >> 20)
}

/// Writes what a pipe has room for: how many bytes that was.
fn fill(pipe: BorrowedFd<'_>, bytes: &[u8]) -> usize {
    let mut written = 0;
    while let Some(rest @ [_, ..]) = bytes.get(written..)
        && let Ok(more @ 1..) = rustix::io::retry_on_intr(|| rustix::io::write(pipe, rest))
    {
        written += more;
    }
    written
}

/// Reads what is in the pipe, without waiting for whoever else may hold its other end. False when that is too much.
fn is_rest_read(pipe: BorrowedFd<'_>, output: &mut Vec<u8>) -> bool {
    let mut piece = [0; 16 * 1024];
    while let Ok(read @ 1..) = rustix::io::retry_on_intr(|| rustix::io::read(pipe, &mut piece)) {
        output.extend_from_slice(piece.get(..read).unwrap_or_default());
        if output.len() > LARGEST {
            return false;
        }
    }
    true
}

/// The code with which it exited, if it did.
pub(super) fn code(status: ExitStatus) -> Option<u8> {
    status.code().and_then(|code| u8::try_from(code).ok())
}

/// How it ended, as a sentence without a subject.
pub(super) fn words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended in an unknown way".to_owned(),
    }
}

/// A process group of our own, which does not outlive what waits for it.
struct Group {
    id: Option<Pid>,
    shutdown: Shutdown,
}

impl Group {
    fn of(child: &Child, shutdown: &Shutdown) -> Group {
        let id = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        id.iter().for_each(|id| shutdown.adopt(*id));
        Group { id, shutdown: shutdown.clone() }
    }

    /// It is left alone.
    fn leave(&mut self) {
        if let Some(id) = self.id.take() {
            self.shutdown.disown(id);
        }
    }

    /// It is asked to end, and killed.
    async fn end(&mut self, child: &mut Child) -> io::Result<()> {
        self.tell(Signal::TERM);
        if let Ok(ended) = tokio::time::timeout(GRACE, child.wait()).await {
            ended?;
        }
        self.tell(Signal::KILL);
        self.leave();
        child.wait().await.map(drop)
    }

    fn tell(&self, signal: Signal) {
        tell(self.id, signal);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.tell(Signal::KILL);
        self.leave();
    }
}

/// Sends a signal to a group. That nobody of it is there any more is no matter.
pub(super) fn tell(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        let _ = kill_process_group(group, signal);
    }
}
