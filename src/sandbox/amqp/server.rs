//! The broker's thread: its listener, a task for each connection, and the clock. Everything shares one broker, which is
//! only borrowed between two waits.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::spawn_local;
use tokio::time::{sleep_until, timeout};

use super::broker::{Broker, ConnectionId, ConnectionState, Limits};

/// How much is read at once.
const CHUNK: usize = 64 << 10;

/// How much may wait to be written before nothing more is read: a client that asks and does not listen.
const BACKLOG: usize = 8 << 20;

/// How much is read of a blocked publisher: as much as shows that it is still there, or not.
const HELD: usize = 1 << 20;

/// How often in a row the output of a connection is taken and written.
const ROUNDS: usize = 4;

/// How long a client may take to log in, or to answer when it is told to go (RabbitMQ's handshake timeout).
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a connection that is over waits for the client to close it, so that the last words are not lost.
const LINGER: Duration = Duration::from_secs(1);

/// What the owner of the broker wants.
pub(crate) enum Order {
    /// Something is done with it.
    With(Box<dyn FnOnce(&mut Broker) + Send>),
    /// It ends.
    End,
}

/// What the tasks share.
struct Shared {
    broker: RefCell<Broker>,
    /// Wakes the task of a connection to which something has happened.
    tasks: RefCell<HashMap<ConnectionId, Rc<Notify>>>,
    /// Something is due earlier than was known.
    earlier: Notify,
}

impl Shared {
    /// Does something with the broker, and wakes whom it concerned.
    fn with<T>(&self, work: impl FnOnce(&mut Broker) -> T) -> T {
        let mut broker = self.broker.borrow_mut();
        let before = broker.next_wake();
        let done = work(&mut broker);
        let touched = broker.take_touched();
        let after = broker.next_wake();
        drop(broker);
        if !touched.is_empty() {
            let tasks = self.tasks.borrow();
            touched.iter().filter_map(|id| tasks.get(id)).for_each(|task| task.notify_one());
        }
        if after.is_some_and(|after| before.is_none_or(|before| after < before)) {
            self.earlier.notify_one();
        }
        done
    }
}

/// Serves until it is told to end, or nobody can tell it any more.
pub(crate) async fn serve(listener: TcpListener, limits: Limits, mut orders: UnboundedReceiver<Order>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let shared = Rc::new(Shared {
        broker: RefCell::new(Broker::new(limits)),
        tasks: RefCell::default(),
        earlier: Notify::new(),
    });
    spawn_local(clock(shared.clone()));
    loop {
        tokio::select! {
            biased;
            order = orders.recv() => match order {
                Some(Order::With(work)) => shared.with(work),
                Some(Order::End) | None => return,
            },
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(spawn_local(connection(shared.clone(), stream))),
                // Out of file descriptors, as a rule: others will be closed.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
        }
    }
}

/// Tells the broker the time when something is due.
async fn clock(shared: Rc<Shared>) {
    loop {
        let next = shared.broker.borrow().next_wake();
        let wait = async {
            match next {
                Some(at) => sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = wait => {
                shared.with(|broker| broker.tick(Instant::now()));
                tokio::task::yield_now().await;
            }
            () = shared.earlier.notified() => {}
        }
    }
}

/// One client, from its connection to its end.
async fn connection(shared: Rc<Shared>, stream: TcpStream) {
    // Answers are small, and waited for.
    let _ = stream.set_nodelay(true);
    let id = shared.with(Broker::connect);
    let notify = Rc::new(Notify::new());
    shared.tasks.borrow_mut().insert(id, notify.clone());
    let mut session =
        Session { shared: &shared, id, stream, out: Vec::new(), written: 0, held: Vec::new(), would_block: false };
    let ended_well = session.run(&notify).await;
    shared.tasks.borrow_mut().remove(&id);
    shared.with(|broker| broker.disconnect(id, Instant::now()));
    if ended_well {
        linger(session.stream).await;
    }
}

/// Closes so that what was written last arrives: a socket that is closed with something unread takes it back.
async fn linger(mut stream: TcpStream) {
    let _ = tokio::io::AsyncWriteExt::shutdown(&mut stream).await;
    let mut sink = tokio::io::sink();
    let _ = timeout(LINGER, tokio::io::copy(&mut stream, &mut sink)).await;
}

struct Session<'a> {
    shared: &'a Shared,
    id: ConnectionId,
    stream: TcpStream,
    /// What is being written, and how much of it was.
    out: Vec<u8>,
    written: usize,
    /// What came and is not used: an incomplete frame, or what a blocked publisher sent.
    held: Vec<u8>,
    /// The last time there was nothing to read.
    would_block: bool,
}

/// Since when things are as they are: what patience is counted from.
struct Since {
    /// The client was heard, or had no chance to be.
    heard: Instant,
    /// The client was written to.
    said: Instant,
    /// It has been connected, or told to go, without having done what it must.
    unsettled: Instant,
}

impl Session<'_> {
    /// Reads and writes. True when the broker ended it, false when the client went.
    async fn run(&mut self, notify: &Notify) -> bool {
        let now = Instant::now();
        let mut since = Since { heard: now, said: now, unsettled: now };
        let mut chunk = vec![0; CHUNK];
        let mut before = ConnectionState::default();
        let mut had_read = true;
        loop {
            match self.write() {
                Ok(true) => since.said = Instant::now(),
                Ok(false) => {}
                Err(_) => return false,
            }
            let status = self.shared.broker.borrow().status(self.id);
            let unwritten = self.out.len() - self.written;
            if status.ended && unwritten == 0 {
                return true;
            }
            if before.open && !status.open {
                since.unsettled = Instant::now();
            }
            let goes_on = before.blocked && !status.blocked;
            before = status;
            if goes_on {
                // What it had sent before goes on first.
                self.use_held();
                continue;
            }
            let room = if status.blocked { self.held.len() < HELD } else { unwritten + status.queued < BACKLOG };
            let reads = !status.ended && room;
            if reads && !had_read {
                // It had no chance to be heard.
                since.heard = Instant::now();
            }
            had_read = reads;
            let mut interest = Interest::ERROR;
            if reads {
                interest |= Interest::READABLE;
            }
            if unwritten > 0 {
                interest |= Interest::WRITABLE;
            }
            let ready = tokio::select! {
                ready = self.stream.ready(interest) => ready,
                () = notify.notified() => continue,
                () = sleep_until(due(status, &since, reads).into()) => {
                    // It may have spoken, and nobody had the time to listen.
                    let late = Instant::now() >= silent_until(status, &since, reads);
                    if late && (!status.open || !self.read(&mut chunk, &mut since)) {
                        return false;
                    }
                    if status.open && status.heartbeat > 0 && since.said + half(status.heartbeat) <= Instant::now() {
                        self.shared.with(|broker| broker.heartbeat(self.id));
                    }
                    continue;
                }
            };
            match ready {
                Ok(ready) if ready.is_error() && !ready.is_readable() => return false,
                Ok(ready) if ready.is_readable() && reads => {
                    if !self.read(&mut chunk, &mut since) && !self.would_block {
                        return false;
                    }
                    // A client that always has something to say would keep the others from being heard.
                    tokio::task::yield_now().await;
                }
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }

    /// Reads a chunk. False when nothing came: it would block, or the client is gone.
    fn read(&mut self, chunk: &mut [u8], since: &mut Since) -> bool {
        self.would_block = false;
        match self.stream.try_read(chunk) {
            Ok(n @ 1..) => {
                since.heard = Instant::now();
                self.take(chunk.get(..n).unwrap_or_default());
                true
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                self.would_block = true;
                false
            }
            Ok(_) | Err(_) => false,
        }
    }

    /// Writes what it can. True when something was written.
    fn write(&mut self) -> std::io::Result<bool> {
        let mut any = false;
        // What is left after that is written when the others have had their turn.
        for _ in 0..ROUNDS {
            if self.written == self.out.len() {
                self.written = 0;
                self.shared.broker.borrow_mut().take_output(self.id, &mut self.out);
                if self.out.is_empty() {
                    return Ok(any);
                }
            }
            match self.stream.try_write(self.out.get(self.written..).unwrap_or_default()) {
                Ok(n) => {
                    any = true;
                    self.written += n;
                    if self.written == self.out.len() {
                        self.shared.with(|broker| broker.drained(self.id, Instant::now()));
                    }
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(any),
                Err(e) => return Err(e),
            }
        }
        Ok(any)
    }

    /// Gives the broker what has come.
    fn take(&mut self, bytes: &[u8]) {
        if self.held.is_empty() {
            let used = self.shared.with(|broker| broker.receive(self.id, bytes, Instant::now()));
            self.held.extend_from_slice(bytes.get(used..).unwrap_or_default());
            return;
        }
        self.held.extend_from_slice(bytes);
        self.use_held();
    }

    fn use_held(&mut self) {
        let used = self.shared.with(|broker| broker.receive(self.id, &self.held, Instant::now()));
        self.held.drain(..used);
        if self.held.is_empty() && self.held.capacity() > 4 * CHUNK {
            self.held = Vec::new();
        }
    }
}

/// When a client is given up: after two heartbeats without a word, or when it takes too long to log in or to leave,
/// whatever it says meanwhile.
fn silent_until(status: ConnectionState, since: &Since, reads: bool) -> Instant {
    match status {
        ConnectionState { open: false, .. } => since.unsettled + PATIENCE,
        ConnectionState { heartbeat: 1.., .. } if reads => since.heard + 4 * half(status.heartbeat),
        _ => since.heard + FOREVER,
    }
}

/// As good as never.
const FOREVER: Duration = Duration::from_secs(30 * 24 * 3600);

/// Half of the time between two heartbeats.
fn half(seconds: u16) -> Duration {
    Duration::from_secs(seconds.into()) / 2
}

/// When a task has something to do although nothing has happened.
fn due(status: ConnectionState, since: &Since, reads: bool) -> Instant {
    let silent = silent_until(status, since, reads);
    match status {
        ConnectionState { open: true, heartbeat: 1.., .. } => silent.min(since.said + half(status.heartbeat)),
        _ => silent,
    }
}
