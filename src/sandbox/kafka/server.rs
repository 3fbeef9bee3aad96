//! The broker's thread: a listener for each node, a task for each connection, and the clock. Everything shares one broker,
//! which is only borrowed between two waits.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Buf;
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::StrBytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::task::spawn_local;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::broker::auth::login::{self, Login, Next};
use super::broker::time::{Now, Turn};
use super::broker::tls::CLIENT_PRINCIPAL;
use super::broker::wire::guard::Malformed;
use super::broker::wire::input::{Input, Room};
use super::broker::wire::reply::Reply;
use super::broker::wire::{Answer, Frame};
use super::broker::{Broker, Caller, Shared, api};

/// How long a client may leave an answer where it is.
const PATIENCE: Duration = Duration::from_secs(600);

/// The same when too much waits to be written.
const IMPATIENCE: Duration = Duration::from_secs(10);

/// The same when nobody is answered before some of it has been written.
const LEAST_PATIENCE: Duration = Duration::from_secs(1);

/// How long a handshake of TLS may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// What the owner of the broker wants.
pub(crate) enum Order {
    /// A broker is taken away, or comes back.
    Alive(i32, bool),
    /// All connections are closed.
    Disconnect,
    /// Something is done with it.
    With(Box<dyn FnOnce(&mut Broker) + Send>),
    /// It ends.
    End,
}

/// Serves until it is told to end, or nobody can tell it any more. The listeners belong to the nodes, in their order, and do not
/// block.
pub(crate) async fn run(listeners: Vec<TcpListener>, broker: Broker, mut orders: UnboundedReceiver<Order>) {
    let ids: Vec<i32> = broker.cluster.nodes.iter().map(|node| node.id).collect();
    let shared: Shared = Rc::new(RefCell::new(broker));
    let room = Room::new();
    let mut ends = Vec::new();
    for (listener, node) in listeners.into_iter().zip(ids) {
        let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
        let (end, ended) = watch::channel(());
        ends.push((node, end));
        let server = Server { shared: shared.clone(), room: room.clone(), node, ended };
        spawn_local(server.accept(listener));
    }
    spawn_local(clock(shared.clone()));
    let tell = |whom: &dyn Fn(i32) -> bool| {
        for (_, end) in ends.iter().filter(|(node, _)| whom(*node)) {
            end.send_replace(());
        }
    };
    while let Some(order) = orders.recv().await {
        match order {
            Order::Alive(id, alive) => {
                if shared.borrow_mut().set_alive(id, alive) {
                    tell(&|node| node == id);
                }
            }
            Order::Disconnect => tell(&|_| true),
            Order::With(work) => work(&mut shared.borrow_mut()),
            Order::End => return,
        }
    }
}

/// Does what is due, when it is.
async fn clock(shared: Shared) {
    let earlier = shared.borrow().earlier.clone();
    loop {
        let next = shared.borrow().next_wake();
        let due = async {
            match next {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {
                shared.borrow_mut().tick(Now::get());
                tokio::task::yield_now().await;
            }
            () = earlier.notified() => {}
        }
    }
}

/// What the connections of a node share.
#[derive(Clone)]
struct Server {
    shared: Shared,
    room: Rc<Room>,
    node: i32,
    /// Told when its connections are to be closed, as when the node goes or is back.
    ended: watch::Receiver<()>,
}

impl Server {
    async fn accept(mut self, mut listener: tokio::net::TcpListener) {
        let Ok(address) = listener.local_addr() else { return };
        loop {
            if !self.is_alive() {
                drop(listener);
                let Some(again) = self.stay_away(address).await else { return };
                listener = again;
            }
            tokio::select! {
                ended = self.ended.changed() => {
                    if ended.is_err() {
                        return;
                    }
                }
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => drop(spawn_local(self.clone().connection(stream, peer))),
                    // Out of file descriptors, as a rule: others will be closed.
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                },
            }
        }
    }

    fn is_alive(&self) -> bool {
        self.shared.borrow().cluster.is_alive(self.node)
    }

    /// Keeps the port of a broker that is not there, so that no other process takes it, but refuses connections to it: a socket
    /// that is bound and does not listen. The listener, once the broker is back.
    async fn stay_away(&mut self, address: SocketAddr) -> Option<tokio::net::TcpListener> {
        loop {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
            let bound = socket.and_then(|socket| {
                socket.set_reuseaddr(true)?;
                socket.bind(address)?;
                Ok(socket)
            });
            if let Ok(socket) = bound {
                while !self.is_alive() {
                    self.ended.changed().await.ok()?;
                }
                if let Ok(listener) = socket.listen(1024) {
                    return Some(listener);
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// One client, from its connection to its end.
    async fn connection(mut self, stream: TcpStream, peer: SocketAddr) {
        // Answers are small, and waited for.
        let _ = stream.set_nodelay(true);
        let caller = Caller {
            node: self.node,
            client_id: StrBytes::default(),
            host: StrBytes::from_string(format!("/{}", peer.ip())),
            principal: StrBytes::from_static_str("User:ANONYMOUS"),
            faults: None,
            behind: Rc::default(),
        };
        let mut ended = self.ended.clone();
        ended.mark_unchanged();
        let tls = self.shared.borrow().options.tls.as_ref().map(|tls| TlsAcceptor::from(tls.config.clone()));
        let talk = async {
            match tls {
                Some(tls) => self.talk_tls(tls, stream, caller).await,
                None => self.talk(stream, caller).await,
            }
        };
        tokio::select! {
            biased;
            _ = ended.changed() => {}
            () = talk => {}
        }
    }

    /// The same over TLS. Who shows the certificate that there is for clients, is who that says.
    async fn talk_tls(&mut self, tls: TlsAcceptor, stream: TcpStream, mut caller: Caller) {
        let Ok(Ok(stream)) = timeout(HANDSHAKE, tls.accept(stream)).await else { return };
        if stream.get_ref().1.peer_certificates().is_some_and(|shown| !shown.is_empty()) {
            caller.principal = StrBytes::from_static_str(CLIENT_PRINCIPAL);
        }
        // In a box: a connection without TLS takes no room for one.
        Box::pin(self.talk(stream, caller)).await;
    }

    /// Answers its requests until it ends.
    async fn talk(&mut self, mut stream: impl AsyncRead + AsyncWrite + Unpin, caller: Caller) {
        let mut unwritten = Reply::default();
        self.answer_all(&mut stream, caller, &mut unwritten).await;
        // What was answered before something was wrong.
        let _ = self.write(&mut stream, &mut unwritten).await;
    }

    /// Answers its requests in their order, one at a time, as Kafka does. Answers to requests that have come together, as a
    /// producer's do, are written together, unless one of them has to wait.
    async fn answer_all(
        &mut self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        mut caller: Caller,
        unwritten: &mut Reply,
    ) {
        let mut input = Input::new(&self.room);
        let mut login = Login::new(self.shared.borrow().security.login);
        input.bound(login.most());
        let mut turn = Turn::begin();
        loop {
            if (unwritten.is_long() || !input.has_frame()) && self.write(stream, unwritten).await.is_err() {
                return;
            }
            let Ok(Some(bytes)) = input.frame(stream).await else { return };
            let next = login.take(&mut self.shared.borrow_mut().security, &bytes, Now::get());
            drop(bytes);
            let frame = match next {
                Ok(Next::Pass(frame)) => frame,
                Ok(Next::Answer { reply, ends }) => {
                    if ends {
                        tokio::time::sleep(login::DELAY).await;
                    }
                    unwritten.append(reply);
                    if ends {
                        return;
                    }
                    caller.principal = login.principal().cloned().unwrap_or(caller.principal);
                    input.bound(login.most());
                    continue;
                }
                Err(_) => return,
            };
            caller.client_id = frame.client_id.clone().unwrap_or_default();
            caller.behind.see(input.pending());
            let unsent = self.shared.borrow().unsent.clone();
            unsent.wait_for_room(IMPATIENCE).await;
            match self.answer(stream, &mut input, &caller, &frame, unwritten).await {
                Ok(Some(answer)) => unwritten.append(answer),
                Ok(None) => {}
                Err(_) => return,
            }
            // Who asks for much at once is not the only one.
            turn.pass().await;
        }
    }

    /// Answers a request. When that has to wait, what was answered before is written first.
    ///
    /// # Errors
    /// When the connection is to be closed, or is gone.
    async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        input: &mut Input,
        caller: &Caller,
        frame: &Frame,
        unwritten: &mut Reply,
    ) -> Answer {
        // In a box, so that a connection that waits for a request takes no room for all that an answer may need.
        let mut answer = Box::pin(api::answer(&self.shared, caller, frame));
        if let Poll::Ready(answer) = poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await {
            return answer;
        }
        let written = self.write(stream, unwritten).await.map_err(|_| Malformed);
        // All records are stored, also when their producer does not wait for that.
        if frame.key == ApiKey::Produce {
            let answer = answer.await;
            return written.and(answer);
        }
        written?;
        tokio::select! {
            biased;
            answer = &mut answer => answer,
            () = input.gone(stream, |pending| caller.behind.see(pending)) => Err(Malformed),
        }
    }

    /// Writes answers to a client that takes them.
    async fn write(&self, stream: &mut (impl AsyncWrite + Unpin), unwritten: &mut Reply) -> std::io::Result<()> {
        if !unwritten.has_remaining() {
            return Ok(());
        }
        let mut answer = std::mem::take(unwritten);
        let unsent = self.shared.borrow().unsent.clone();
        let _counted = unsent.count(answer.copied());
        let mut waited = Duration::ZERO;
        while answer.has_remaining() {
            match timeout(LEAST_PATIENCE, stream.write_buf(&mut answer)).await {
                Ok(Ok(0)) => return Err(std::io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    written?;
                    waited = Duration::ZERO;
                }
                Err(_) => {
                    waited += LEAST_PATIENCE;
                    if unsent.is_full() || waited >= if unsent.is_much() { IMPATIENCE } else { PATIENCE } {
                        return Err(std::io::ErrorKind::TimedOut.into());
                    }
                }
            }
        }
        stream.flush().await
    }
}
