//! The broker's thread: a listener for each node, a task for each connection, and the clock. Everything shares one broker,
//! which is only borrowed between two waits.

use std::cell::RefCell;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::spawn_local;

use super::broker::cluster::Cluster;
use super::broker::time::Now;
use super::broker::wire::Frame;
use super::broker::{Broker, Caller, Shared, api};

/// Kafka's `socket.request.max.bytes`.
const MOST: usize = 100 << 20;

/// Serves until it is dropped. The listeners belong to the nodes, in their order.
pub(crate) async fn serve(listeners: Vec<TcpListener>, cluster: Cluster) {
    let ids: Vec<i32> = cluster.nodes.iter().map(|node| node.id).collect();
    let shared: Shared = Rc::new(RefCell::new(Broker::new(cluster)));
    for (listener, node) in listeners.into_iter().zip(ids) {
        if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
            spawn_local(accept(listener, node, shared.clone()));
        }
    }
    clock(shared).await;
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
            () = due => shared.borrow_mut().tick(Now::get()),
            () = earlier.notified() => {}
        }
    }
}

async fn accept(listener: tokio::net::TcpListener, node: i32, shared: Shared) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => drop(spawn_local(connection(shared.clone(), stream, peer, node))),
            // Out of file descriptors, as a rule: others will be closed.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// One client, from its connection to its end. Its requests are answered in their order, one at a time, as Kafka does.
async fn connection(shared: Shared, mut stream: TcpStream, peer: SocketAddr, node: i32) {
    let _ = stream.set_nodelay(true);
    let mut caller = Caller {
        node,
        client_id: StrBytes::default(),
        host: StrBytes::from_string(format!("/{}", peer.ip())),
        principal: StrBytes::from_static_str("User:ANONYMOUS"),
    };
    while let Ok(Some(bytes)) = frame(&mut stream).await {
        let Ok(frame) = Frame::read(&bytes) else { return };
        caller.client_id = frame.client_id.clone().unwrap_or_default();
        match api::answer(&shared, &caller, &frame).await {
            Ok(Some(mut answer)) => {
                if stream.write_all_buf(&mut answer).await.is_err() {
                    return;
                }
            }
            Ok(None) => {}
            Err(_) => return,
        }
    }
}

/// The next frame, without its size. None at the end.
async fn frame(stream: &mut TcpStream) -> std::io::Result<Option<Bytes>> {
    let size = stream.read_i32().await?;
    let Some(size) = usize::try_from(size).ok().filter(|size| *size <= MOST) else { return Ok(None) };
    let mut bytes = BytesMut::new();
    while bytes.len() < size {
        let room = (size - bytes.len()).min(64 << 10);
        bytes.reserve(room);
        let mut part = (&mut *stream).take(room as u64);
        if part.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(bytes.freeze()))
}
