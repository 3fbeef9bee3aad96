//! Clients that mean the sandbox's Kafka no good, or know no better: they get an answer or lose their connection, and nobody else
//! is harmed.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use crate::support::{DEADLINE, Running, mscomm};

/// A sandbox with the topic `t`, in which something has been written.
struct Sandbox {
    running: Running,
    address: String,
}

impl Sandbox {
    fn start() -> Sandbox {
        let running = mscomm(&["sandbox", "--only", "kafka", "--topic", "t:1"]).start();
        let lines = running.wait_for_lines(1);
        let (_, address) = lines[0].split_once('\t').expect("two columns");
        let sandbox = Sandbox { address: address.to_owned(), running };
        sandbox.write("before");
        sandbox
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("connects");
        stream.set_read_timeout(Some(DEADLINE)).expect("sets");
        stream.set_write_timeout(Some(DEADLINE)).expect("sets");
        stream
    }

    fn write(&self, record: &str) {
        mscomm(&["kafka", "produce", "t", "-s", &self.address, "-d", record]).run().ok().says(&["confirmed 1"]);
    }

    /// Most memory that the process has had, in MiB.
    fn most_memory(&self) -> usize {
        let status = format!("/proc/{}/status", self.running.child.id());
        let status = std::fs::read_to_string(status).expect("the process is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux");
        line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") / 1024
    }

    /// It serves others as if nothing had been, and ends when it is told to.
    fn end(self) {
        self.write("after");
        let tail = ["kafka", "tail", "t", "-s", &self.address, "--from", "begin", "--until-end"];
        assert_eq!(mscomm(&tail).run().ok().lines(), ["before", "after"]);
        self.running.signal("INT");
        self.running.wait().exits(130);
    }
}

/// A request behind its size. No header of these versions has tagged fields.
fn frame(key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let header = [&key.to_be_bytes()[..], &version.to_be_bytes(), b"\0\0\0\x07\0\x01c"].concat();
    let size = u32::try_from(header.len() + body.len()).expect("fits").to_be_bytes();
    [&size, &header[..], body].concat()
}

/// The answer to a request, without its size; none when the connection is closed instead.
fn answer(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut size = [0; 4];
    stream.read_exact(&mut size).ok()?;
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(size)).expect("fits")];
    stream.read_exact(&mut answer).ok().map(|()| answer)
}

/// What comes until the connection is closed, once this has been sent and no more.
fn all(sandbox: &Sandbox, bytes: &[u8]) -> Vec<u8> {
    let mut stream = sandbox.connect();
    // It may be closed before all of it is written.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    if let Err(e) = stream.read_to_end(&mut answer) {
        assert_eq!(e.kind(), std::io::ErrorKind::ConnectionReset, "{bytes:?}");
    }
    answer
}

/// Metadata of version 1 for the topic `t`.
const METADATA: &[u8] = b"\0\0\0\x01\0\x01t";

#[test]
fn requests_that_are_cut() {
    let sandbox = Sandbox::start();
    // Groups, offsets, a batch that is none.
    let join = b"\0\x01g\0\0\x27\x10\0\0\x27\x10\0\0\0\x08consumer\0\0\0\x01\0\x05range\0\0\0\x04abcd";
    let produce = b"\xff\xff\0\x01\0\0\x03\xe8\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\0\0\0\0\x05abcde";
    let fetch =
        b"\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\0\x10\0\0\0\0\0\x01\0\x01t\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\0";
    for (key, version, body) in [(3, 1, METADATA), (11, 1, join), (0, 3, produce), (1, 4, fetch)] {
        let whole = frame(key, version, body);
        let mut stream = sandbox.connect();
        stream.write_all(&whole).expect("writes");
        assert!(answer(&mut stream).is_some(), "API {key} is answered");
        for end in 0..whole.len() {
            // With the size of the whole, and with the size that it has.
            let cut = &whole[..end];
            assert!(all(&sandbox, cut).is_empty(), "{cut:?}");
            if let Some(rest) = cut.get(4..) {
                let size = u32::try_from(rest.len()).expect("fits").to_be_bytes();
                assert!(all(&sandbox, &[&size, rest].concat()).is_empty(), "{rest:?}");
            }
        }
    }
    sandbox.end();
}

#[test]
fn nonsense_for_every_api() {
    let sandbox = Sandbox::start();
    for size in [-1, i32::MIN, i32::MAX, 100 << 20 | 1] {
        assert!(all(&sandbox, &[&size.to_be_bytes()[..], &[0; 64]].concat()).is_empty(), "{size}");
    }
    for key in -1..95 {
        for version in [-1, 0, 1, 4, 9, i16::MAX] {
            for body in [&[][..], &[0; 80], &[0xff; 80], &[0x7f; 80], b"\0\xff\xff\xff\x0f\x7f\xff\xff\xff"] {
                all(&sandbox, &frame(key, version, body));
            }
        }
    }
    assert!(sandbox.most_memory() < 128, "{} MiB", sandbox.most_memory());
    sandbox.end();
}

/// Whoever sends half of a request, or announces much and sends little, is waited for, and waits alone.
#[test]
fn slow_requests() {
    let sandbox = Sandbox::start();
    let request = frame(3, 1, METADATA);
    let (begin, rest) = request.split_at(request.len() - 3);
    let mut slow: Vec<TcpStream> = (0..100).map(|_| sandbox.connect()).collect();
    slow.iter_mut().for_each(|stream| stream.write_all(begin).expect("writes"));
    let mut large: Vec<TcpStream> = (0..50).map(|_| sandbox.connect()).collect();
    for stream in &mut large {
        stream.write_all(&(100_u32 << 20).to_be_bytes()).expect("writes");
        stream.write_all(&[0; 1000]).expect("writes");
    }
    sandbox.write("meanwhile");
    for stream in &mut slow {
        stream.write_all(rest).expect("writes");
        assert!(answer(stream).is_some());
    }
    assert!(sandbox.most_memory() < 128, "{} MiB", sandbox.most_memory());
    let tail = ["kafka", "tail", "t", "-s", &sandbox.address, "--from", "begin", "--until-end"];
    assert_eq!(mscomm(&tail).run().ok().lines(), ["before", "meanwhile"]);
    sandbox.running.signal("INT");
    sandbox.running.wait().exits(130);
}

/// As many as there may be, while other tests need some too.
#[test]
fn many_connections() {
    let sandbox = Sandbox::start();
    let limits = std::fs::read_to_string("/proc/self/limits").expect("Linux");
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("a limit");
    let limit: usize = limit.split_whitespace().next().and_then(|soft| soft.parse().ok()).unwrap_or(usize::MAX);
    let mut streams: Vec<TcpStream> = (0..(limit / 4).min(2000)).map(|_| sandbox.connect()).collect();
    let request = frame(3, 1, METADATA);
    streams.iter_mut().for_each(|stream| stream.write_all(&request).expect("writes"));
    streams.iter_mut().for_each(|stream| assert!(answer(stream).is_some()));
    assert!(sandbox.most_memory() < 128, "{} MiB", sandbox.most_memory());
    sandbox.end();
}

#[test]
fn a_million_topics_are_asked_for() {
    let sandbox = Sandbox::start();
    let mut names = 1_000_000_u32.to_be_bytes().to_vec();
    for number in 0..1_000_000 {
        names.extend([0, 7]);
        names.extend(format!("{number:07}").as_bytes());
    }
    let mut stream = sandbox.connect();
    stream.write_all(&frame(3, 1, &names)).expect("writes");
    let answered = answer(&mut stream).expect("an answer");
    assert!(answered.len() > 10_000_000, "{}", answered.len());
    assert!(sandbox.most_memory() < 768, "{} MiB", sandbox.most_memory());
    sandbox.end();
}

/// Who asks and asks, and takes no answer, is not asked what else it wants.
#[test]
fn answers_that_nobody_takes() {
    let sandbox = Sandbox::start();
    // The settings of the broker, which are long.
    let request = frame(32, 1, b"\0\0\0\x01\x04\0\x011\xff\xff\xff\xff\0").repeat(2000);
    let mut greedy: Vec<TcpStream> = (0..20).map(|_| sandbox.connect()).collect();
    for stream in &mut greedy {
        // Until nothing more is taken.
        stream.set_write_timeout(Some(std::time::Duration::from_millis(200))).expect("sets");
        let _ = stream.write_all(&request);
    }
    assert!(sandbox.most_memory() < 256, "{} MiB", sandbox.most_memory());
    sandbox.end();
}
