//! A server for tests, which answers as it is told and counts what it is asked.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What was asked: the method, the path, the head and the body.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// As `GET /subjects`.
    pub line: String,
    /// The lines of the head behind the first.
    pub head: String,
    /// The body.
    pub body: String,
}

/// What is answered: the status, more lines of the head, and the body; `None` closes the connection without a word.
pub(crate) type Reply = Option<(u16, String, String)>;

/// An answer with a JSON body.
pub(crate) fn json(status: u16, body: impl Into<String>) -> Reply {
    Some((status, String::new(), body.into()))
}

/// It runs until the tests end.
pub(crate) struct Fake {
    /// As `http://127.0.0.1:1234`.
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    /// Answers on each connection so many times, and closes it then without having said so.
    pub(crate) fn start(each: usize, answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (all, answer) = (asked.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (all, answer) = (all.clone(), answer.clone());
                std::thread::spawn(move || serve(&stream, each, &all, &*answer));
            }
        });
        Fake { url, asked }
    }

    /// All that it was asked.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("not poisoned").clone()
    }

    /// The first lines of it.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

fn serve(stream: &TcpStream, each: usize, all: &Mutex<Vec<Asked>>, answer: &dyn Fn(&Asked) -> Reply) {
    let mut reader = BufReader::new(stream);
    for _ in 0..each {
        let Some(asked) = read(&mut reader) else { return };
        all.lock().expect("not poisoned").push(asked.clone());
        let Some((status, head, body)) = answer(&asked) else { return };
        let length = match head.contains("content-length") {
            true => String::new(),
            false => format!("content-length: {}\r\n", body.len()),
        };
        let text = format!("HTTP/1.1 {status} X\r\n{length}{head}\r\n{body}");
        if (&mut &*stream).write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Asked> {
    let mut next = || {
        let mut line = String::new();
        (reader.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
    };
    let first = next()?;
    let mut head = String::new();
    loop {
        match next()? {
            line if line.is_empty() => break,
            line => head.push_str(&format!("{}\n", line.to_lowercase())),
        }
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let line = first.strip_suffix(" HTTP/1.1")?.to_owned();
    Some(Asked { line, head, body: String::from_utf8(body).ok()? })
}
