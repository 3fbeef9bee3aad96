//! A TCP proxy that a test can cut, make deaf or make speak.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::support::{DEADLINE, eventually, test_env};

/// What a client says in place of [`NOT_UTF8`], which no library of ours would send.
pub(crate) const PLACEHOLDER: &str = "@@@@";
/// What the broker hears.
pub(crate) const NOT_UTF8: [u8; 4] = [0xff, 0xfe, 0xff, 0xfe];

#[derive(Clone)]
pub(crate) struct Proxy {
    port: u16,
    /// What the broker says is dropped.
    mute: Arc<AtomicBool>,
    /// How many bytes of the broker pass in a second; 0 is no limit.
    rate: Arc<AtomicU64>,
    /// A client has agreed to the end of a channel.
    agreed: Arc<AtomicBool>,
    /// The interval of heartbeats that a client agreed to.
    heartbeat: Arc<Mutex<Option<u16>>>,
    /// Nothing is read any more.
    stopped: Arc<(Mutex<bool>, Condvar)>,
    streams: Arc<Mutex<Vec<Streams>>>,
}

/// A connection: the client's side and the broker's, and how far the broker's frames have passed.
struct Streams {
    client: TcpStream,
    broker: TcpStream,
    frames: Arc<(Mutex<Frames>, Condvar)>,
}

/// Where a stream of frames stands.
#[derive(Default)]
struct Frames {
    head: Vec<u8>,
    left: usize,
}

impl Frames {
    fn is_between(&self) -> bool {
        self.left == 0 && self.head.is_empty()
    }

    /// Goes on, and says how much may pass: no further than to the next frame when the broker is to be silent.
    fn pass(&mut self, bytes: &[u8], mute: bool) -> usize {
        let mut at = 0;
        while at < bytes.len() && !(mute && self.is_between()) {
            if self.left > 0 {
                let part = self.left.min(bytes.len() - at);
                self.left -= part;
                at += part;
                continue;
            }
            self.head.push(bytes[at]);
            at += 1;
            // Type, channel and size; behind the payload comes one byte.
            if let [_, _, _, size @ ..] = self.head.as_slice()
                && let Ok(size) = <[u8; 4]>::try_from(size)
            {
                self.left = usize::try_from(u32::from_be_bytes(size)).expect("fits") + 1;
                self.head.clear();
            }
        }
        at
    }
}

impl Proxy {
    /// In front of the test broker, on a free port.
    pub(crate) fn start() -> Proxy {
        Proxy::on(TcpListener::bind("127.0.0.1:0").expect("binds"))
    }

    pub(crate) fn on(listener: TcpListener) -> Proxy {
        let port = listener.local_addr().expect("an address").port();
        let (mute, agreed, stopped) = (Arc::default(), Arc::default(), Arc::default());
        let rate = Arc::default();
        let proxy = Proxy { port, mute, rate, agreed, heartbeat: Arc::default(), stopped, streams: Arc::default() };
        let serving = proxy.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                serving.serve(client);
            }
        });
        proxy
    }

    fn serve(&self, client: TcpStream) {
        let broker = TcpStream::connect(address()).expect("connects to the broker");
        let copies = |s: &TcpStream| s.try_clone().expect("a second handle");
        let frames = Arc::<(Mutex<Frames>, Condvar)>::default();
        let streams = Streams { client: copies(&client), broker: copies(&broker), frames: frames.clone() };
        self.streams.lock().expect("not poisoned").push(streams);
        let (from, to) = (copies(&client), copies(&broker));
        let (stopped, agreed, heartbeat) = (self.stopped.clone(), self.agreed.clone(), self.heartbeat.clone());
        std::thread::spawn(move || {
            pump(from, to, |bytes, to| {
                let (stopped, changed) = &*stopped;
                drop(changed.wait_while(stopped.lock().expect("not poisoned"), |stopped| *stopped));
                // `channel.close-ok` (class 20, method 41).
                if bytes.windows(4).any(|id| id == [0, 20, 0, 41]) {
                    agreed.store(true, Ordering::SeqCst);
                }
                // `connection.tune-ok` (class 10, method 31): the interval stands behind two limits.
                if let Some(tuned) = bytes.windows(12).find(|id| id[..4] == [0, 10, 0, 31]) {
                    *heartbeat.lock().expect("not poisoned") = Some(u16::from_be_bytes([tuned[10], tuned[11]]));
                }
                for at in 0..bytes.len().saturating_sub(NOT_UTF8.len() - 1) {
                    let here = &mut bytes[at..at + NOT_UTF8.len()];
                    if here == PLACEHOLDER.as_bytes() {
                        here.copy_from_slice(&NOT_UTF8);
                    }
                }
                to.write_all(bytes)
            });
        });
        let (mute, rate) = (self.mute.clone(), self.rate.clone());
        std::thread::spawn(move || {
            pump(broker, client, |bytes, to| {
                let (now, changed) = &*frames;
                let mut now = now.lock().expect("not poisoned");
                let passes = now.pass(bytes, mute.load(Ordering::SeqCst));
                let wrote = to.write_all(&bytes[..passes]);
                changed.notify_all();
                drop(now);
                if let Some(micros) =
                    (u64::try_from(passes).expect("fits") * 1_000_000).checked_div(rate.load(Ordering::SeqCst))
                {
                    std::thread::sleep(Duration::from_micros(micros));
                }
                wrote
            });
        });
    }

    pub(crate) fn uri(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/", self.port)
    }

    /// The interval of heartbeats that a client agreed to.
    pub(crate) fn heartbeat(&self) -> Option<u16> {
        *self.heartbeat.lock().expect("not poisoned")
    }

    /// As a slow network: so many bytes of what the broker says pass in a second.
    pub(crate) fn slow(self, rate: u64) -> Proxy {
        self.rate.store(rate, Ordering::SeqCst);
        self
    }

    /// Drops what the broker says from now on.
    pub(crate) fn mute(&self) {
        self.mute.store(true, Ordering::SeqCst);
    }

    /// As a broker whose process is stopped: it says nothing and reads nothing, and the connection stays.
    pub(crate) fn stop(&self) {
        self.mute();
        *self.stopped.0.lock().expect("not poisoned") = true;
    }

    /// Waits until a client has agreed to the end of a channel.
    pub(crate) fn has_agreed(&self) {
        eventually("the answer to a channel's end", || self.agreed.load(Ordering::SeqCst).then_some(()));
    }

    /// Says something in the broker's name, between two of its frames.
    pub(crate) fn say(&self, bytes: &[u8]) {
        for Streams { client, frames, .. } in self.streams.lock().expect("not poisoned").iter_mut() {
            let (now, changed) = &**frames;
            let now = now.lock().expect("not poisoned");
            let (_now, late) =
                changed.wait_timeout_while(now, DEADLINE, |now| !now.is_between()).expect("not poisoned");
            assert!(!late.timed_out(), "the broker is in the middle of a frame");
            client.write_all(bytes).expect("writes");
        }
    }

    /// Cuts every connection.
    pub(crate) fn cut(&self) {
        *self.stopped.0.lock().expect("not poisoned") = false;
        self.stopped.1.notify_all();
        for Streams { client, broker, .. } in self.streams.lock().expect("not poisoned").drain(..) {
            // One of the two may be gone already.
            let _ = client.shutdown(Shutdown::Both);
            let _ = broker.shutdown(Shutdown::Both);
        }
    }
}

/// A frame in the broker's words: its type, its channel, its payload.
pub(crate) fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).expect("fits");
    [&[kind][..], &channel.to_be_bytes(), &size.to_be_bytes(), payload, &[0xce]].concat()
}

/// `channel.close` (class 20, method 40).
pub(crate) fn channel_close(channel: u16, code: u16, text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("a short string");
    frame(1, channel, &[&[0, 20, 0, 40][..], &code.to_be_bytes(), &[length], text.as_bytes(), &[0; 4]].concat())
}

/// `host:port` of the test broker.
pub(crate) fn address() -> String {
    let uri = test_env("AMQP");
    uri.rsplit('@').next().expect("an address").trim_end_matches('/').to_owned()
}

/// Reads on one side; `pass` writes on the other what passes.
fn pump(
    mut from: TcpStream,
    mut to: TcpStream,
    mut pass: impl FnMut(&mut [u8], &mut TcpStream) -> std::io::Result<()>,
) {
    let mut buffer = [0; 16 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(n) if n > 0 => {
                if pass(&mut buffer[..n], &mut to).is_err() {
                    return;
                }
            }
            _ => {
                // The other side may be gone already.
                let _ = to.shutdown(Shutdown::Both);
                return;
            }
        }
    }
}
