//! Bytes that pass by a test on their way.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Passes bytes on between clients and a server until it is cut.
pub(crate) struct Proxy {
    pub address: String,
    connections: Arc<Mutex<Vec<TcpStream>>>,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Proxy {
    /// Cuts by itself once a client sent `trigger`.
    #[cfg_attr(not(feature = "sandbox"), expect(dead_code, reason = "whose connections are cut are the sandbox's"))]
    pub(crate) fn start(server: &str, trigger: Option<&'static [u8]>) -> Proxy {
        Proxy::with(server, trigger, false)
    }

    /// Writes down what clients say.
    pub(crate) fn listening(server: &str) -> Proxy {
        Proxy::with(server, None, true)
    }

    /// What all clients have said so far.
    pub(crate) fn heard(&self) -> Vec<u8> {
        self.heard.lock().expect("not poisoned").clone()
    }

    fn with(server: &str, trigger: Option<&'static [u8]>, listens: bool) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let address = listener.local_addr().expect("an address").to_string();
        let connections = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (server, all, ears) = (server.to_owned(), connections.clone(), heard.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(&server).expect("the server is there");
                let copy = |stream: &TcpStream| stream.try_clone().expect("clones");
                all.lock().expect("not poisoned").extend([copy(&client), copy(&server)]);
                let (from_server, to_client) = (copy(&server), copy(&client));
                std::thread::spawn(move || pass(from_server, to_client, None, None));
                let ears = listens.then(|| ears.clone());
                std::thread::spawn(move || pass(client, server, trigger, ears));
            }
        });
        Proxy { address, connections, heard }
    }

    #[cfg_attr(not(feature = "sandbox"), expect(dead_code, reason = "whose connections are cut are the sandbox's"))]
    pub(crate) fn cut(&self) {
        for stream in self.connections.lock().expect("not poisoned").drain(..) {
            drop(stream.shutdown(std::net::Shutdown::Both));
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, trigger: Option<&[u8]>, ears: Option<Arc<Mutex<Vec<u8>>>>) {
    let mut chunk = [0; 4096];
    while let Ok(n) = from.read(&mut chunk) {
        let bytes = &chunk[..n];
        if let Some(ears) = &ears {
            ears.lock().expect("not poisoned").extend_from_slice(bytes);
        }
        let done = n == 0 || to.write_all(bytes).is_err();
        if done || trigger.is_some_and(|t| bytes.windows(t.len()).any(|w| w == t)) {
            drop((from.shutdown(std::net::Shutdown::Both), to.shutdown(std::net::Shutdown::Both)));
            return;
        }
    }
}
