//! A TCP proxy that a test can cut, make deaf or make speak.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::support::test_env;

/// What a client says in place of [`NOT_UTF8`], which no library of ours would send.
pub const PLACEHOLDER: &str = "@@@@";
/// What the broker hears.
pub const NOT_UTF8: [u8; 4] = [0xff, 0xfe, 0xff, 0xfe];

#[derive(Clone)]
pub struct Proxy {
    port: u16,
    /// What the broker says is dropped.
    mute: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<(TcpStream, TcpStream)>>>,
}

impl Proxy {
    /// In front of the test broker, on a free port.
    pub fn start() -> Proxy {
        Proxy::on(TcpListener::bind("127.0.0.1:0").expect("binds"))
    }

    pub fn on(listener: TcpListener) -> Proxy {
        let port = listener.local_addr().expect("an address").port();
        let proxy = Proxy { port, mute: Arc::default(), streams: Arc::default() };
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
        self.streams.lock().expect("not poisoned").push((copies(&client), copies(&broker)));
        let (from, to) = (copies(&client), copies(&broker));
        std::thread::spawn(move || {
            pump(from, to, |bytes| {
                for at in 0..bytes.len().saturating_sub(NOT_UTF8.len() - 1) {
                    let here = &mut bytes[at..at + NOT_UTF8.len()];
                    if here == PLACEHOLDER.as_bytes() {
                        here.copy_from_slice(&NOT_UTF8);
                    }
                }
                true
            });
        });
        let mute = self.mute.clone();
        std::thread::spawn(move || pump(broker, client, |_| !mute.load(Ordering::SeqCst)));
    }

    pub fn uri(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/", self.port)
    }

    /// Drops what the broker says from now on.
    pub fn mute(&self) {
        self.mute.store(true, Ordering::SeqCst);
    }

    /// Says something in the broker's name, between two of its frames.
    pub fn say(&self, bytes: &[u8]) {
        for (client, _) in self.streams.lock().expect("not poisoned").iter_mut() {
            client.write_all(bytes).expect("writes");
        }
    }

    /// Cuts every connection.
    pub fn cut(&self) {
        for (client, broker) in self.streams.lock().expect("not poisoned").drain(..) {
            // One of the two may be gone already.
            let _ = client.shutdown(Shutdown::Both);
            let _ = broker.shutdown(Shutdown::Both);
        }
    }
}

/// `host:port` of the test broker.
pub fn address() -> String {
    let uri = test_env("AMQP");
    uri.rsplit('@').next().expect("an address").trim_end_matches('/').to_owned()
}

/// Copies; `look` may change what passes, or drop it.
fn pump(mut from: TcpStream, mut to: TcpStream, look: impl Fn(&mut [u8]) -> bool) {
    let mut buffer = [0; 16 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(n) if n > 0 => {
                if look(&mut buffer[..n]) && to.write_all(&buffer[..n]).is_err() {
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
