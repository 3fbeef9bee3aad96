//! The sandbox's Kafka cluster: what it serves to mscomm and to kcat, what it says that it does not, and strangers.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::{free_port, in_sandbox, sandbox};
use crate::support::{eventually, mscomm};

#[test]
fn topics_are_there_at_the_start() {
    let flags = ["--kafka-brokers", "3", "--topic", "orders:6", "--topic", "plain"];
    let done =
        sandbox(&flags, "mscomm kafka topic list; echo x | mscomm -q kafka produce new; mscomm kafka topic list").run();
    let done = done.ok();
    assert_eq!(done.lines()[..2], ["orders\t6\t3\t0\t\t", "plain\t4\t3\t0\t\t"]);
    assert_eq!(done.lines()[2..], ["new\t4\t3\t1\t\t", "orders\t6\t3\t0\t\t", "plain\t4\t3\t0\t\t"]);
}

#[test]
fn what_the_mock_cannot_do_is_said_at_once() {
    for (verb, says) in [
        ("topic create t", "no admin calls"),
        ("topic delete t", "no admin calls"),
        ("topic delete ^t", "no admin calls"),
        ("topic alter t --partitions 9", "no admin calls"),
        ("topic truncate t --before end", "no admin calls"),
        ("acl list", "no admin calls"),
        ("user list", "no admin calls"),
        ("broker config 1 --set a=1", "no admin calls"),
        ("tail t --from @1h --until-end", "cannot find offsets by time"),
        // The same cluster, reached without the profile.
        ("topic create t -p local -s $KAFKA_BROKERS", "no admin calls"),
        ("topic delete t -p local -s $KAFKA_BROKERS", "no admin calls"),
        ("tail t -p local -s $KAFKA_BROKERS --from @1h", "cannot find offsets by time"),
    ] {
        let started = std::time::Instant::now();
        sandbox(&["--only", "kafka", "--topic", "t"], &format!("mscomm kafka {verb}")).run().fails(8).says(&[says]);
        assert!(started.elapsed().as_secs() < 5, "{verb} took {:?}", started.elapsed());
    }
    in_sandbox("mscomm kafka tail t --sasl-mechanism PLAIN --username a --password b").fails(6).says(&["SASL"]);
    in_sandbox("mscomm kafka tail t --tls").fails(5).says(&["does not speak TLS"]);
}

#[test]
fn a_topic_is_described_without_its_settings() {
    let line = "echo x | mscomm -q kafka produce t && mscomm kafka topic describe t";
    let done = sandbox(&["--only", "kafka", "--topic", "t:1"], line).run().ok();
    assert_eq!(done.lines(), ["t\t0\t1\t1\t1\t0\t1\t"]);
    done.says(&["keeps no settings"]);
}

#[test]
fn a_server_named_by_flag_is_no_sandbox() {
    // Refused by nobody: the flag leads elsewhere, where nothing listens.
    in_sandbox("mscomm kafka topic create t -s 127.0.0.1:1").fails(4).says(&["127.0.0.1:1"]);
}

#[test]
fn groups_commit_and_come_again() {
    let line =
        "seq 4 | mscomm -q kafka produce t; mscomm kafka tail t --group g -n 4; echo 5 | mscomm -q kafka produce t;
        mscomm kafka tail t --group g -n 1";
    let done = sandbox(&["--only", "kafka", "--topic", "t:1"], line).run().ok();
    assert_eq!(done.lines(), ["1", "2", "3", "4", "5"]);
}

#[test]
fn kcat_finds_its_way() {
    let line = "set -e
        printf 'a:1\\nb:2\\n' | kcat -b $KAFKA_BROKERS -P -t fresh -K : -H trace=7
        mscomm kafka tail fresh --from begin --until-end -o '%k=%s %h\\n' | sort
        printf 'x:3\\n' | mscomm -q kafka produce fresh -K :
        kcat -b $KAFKA_BROKERS -C -t fresh -e -q -f '%k=%s\\n' | sort
        kcat -b $KAFKA_BROKERS -X auto.offset.reset=earliest -G group -c 3 -q fresh | sort
        kcat -b $KAFKA_BROKERS -L | grep -c 'broker.* at 127.0.0.1:'";
    let done = sandbox(&["--only", "kafka", "--kafka-brokers", "2"], line).run().ok();
    assert_eq!(done.lines(), ["a=1 trace=7", "b=2 trace=7", "a=1", "b=2", "x=3", "1", "2", "3", "2"]);
}

#[test]
fn kcat_finds_its_way_from_a_fixed_port() {
    let port = free_port();
    let line = format!(
        "echo hello | kcat -b 127.0.0.1:{port} -P -t t && kcat -b 127.0.0.1:{port} -C -t t -e -q && echo $KAFKA_BROKERS"
    );
    let done = sandbox(&["--kafka-port", &port.to_string(), "--kafka-brokers", "3"], &line).run().ok();
    assert_eq!(done.lines(), ["hello".to_owned(), format!("127.0.0.1:{port}")]);
}

#[test]
fn many_clients_at_once() {
    let line = "for i in 1 2 3 4 5 6; do seq 500 | mscomm -q kafka produce t & done; wait
        mscomm kafka tail t --from begin --until-end | wc -l";
    let done = sandbox(&["--only", "kafka", "--kafka-brokers", "3"], line).run().ok();
    assert_eq!(done.text().trim(), "3000");
}

/// Bytes that are no request of Kafka close their own connection, and nobody else's.
#[test]
fn strangers_do_no_harm() {
    let running = mscomm(&["sandbox", "--only", "kafka", "--topic", "t:1"]).start();
    let lines = running.wait_for_lines(1);
    let (_, address) = lines[0].split_once('\t').expect("two columns");
    let mut noise = [0; 300];
    let mut state = 1_u64;
    let mut requests: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        // A TLS hello, and AMQP's first bytes.
        [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(), &[7; 300]].concat(),
        b"AMQP\0\0\x09\x01".to_vec(),
        // Metadata with sizes that cannot be: the largest, a negative one, one that is too small.
        b"\x7f\xff\xff\xff\0\x03\0\x01\0\0\0\x01\0\x01x".to_vec(),
        b"\xff\xff\xff\xfb\0\x03\0\x01\0\0\0\x01\0\x01x".to_vec(),
        b"\0\0\0\x01\0\x03\0\x01\0\0\0\x01\0\x01x".to_vec(),
        // An API that nobody has, and a version.
        b"\0\0\0\x10\x03\xe7\0\0\0\0\0\x01\0\x06mscomm".to_vec(),
        b"\0\0\0\x10\0\x03\x03\xe7\0\0\0\x01\0\x06mscomm".to_vec(),
        vec![0; 64],
        vec![0xff; 64],
    ];
    for _ in 0..50 {
        for byte in &mut noise {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = state.to_be_bytes()[0];
        }
        // Not the length of a request that could be read, by chance: no broker takes so much.
        noise[0] |= 0x80;
        requests.push(noise.to_vec());
    }
    for request in &requests {
        let mut stream = TcpStream::connect(address).expect("connects");
        stream.set_read_timeout(Some(crate::support::DEADLINE)).expect("sets");
        // The broker may close before all of it is written, or still wait for more.
        let _ = stream.write_all(request);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty(), "{request:?} is answered with {answer:?}");
    }
    // One that begins and never goes on holds nobody up.
    let mut half = TcpStream::connect(address).expect("connects");
    half.write_all(b"\0\0\0\x10\0").expect("writes");
    let done = mscomm(&["kafka", "produce", "t", "-s", address, "-d", "still here"]).run().ok();
    assert!(done.stderr.contains("confirmed 1"), "{}", done.stderr);
    eventually("it is read", || {
        let done = mscomm(&["kafka", "tail", "t", "-s", address, "--from", "begin", "--until-end"]).run();
        (done.text() == "still here\n").then_some(())
    });
    running.signal("INT");
    running.wait().exits(130);
}

#[test]
fn the_help_says_which_clients_work() {
    let help = crate::support::mscomm(&["sandbox", "--help"]).run().ok();
    for text in ["librdkafka", "aiokafka work", "Java client bootstraps again for ever", "kafka-python cannot"] {
        assert!(help.text().split_whitespace().collect::<Vec<_>>().join(" ").contains(text), "no {text:?}");
    }
}
