//! The sandbox's Kafka cluster: what it serves to mscomm and to kcat, its flags, and strangers.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::{free_port, in_sandbox, sandbox};
use crate::support::{eventually, mscomm};

#[test]
fn topics_are_there_at_the_start() {
    let flags = [
        "--kafka-brokers",
        "3",
        "--topic",
        "orders:6",
        "--topic",
        "plain,cleanup.policy=compact,delete,retention.ms=60000",
    ];
    let done = sandbox(&flags, "mscomm kafka topic list").run().ok();
    assert_eq!(done.lines(), ["orders\t6\t3\t0\t7days\tdelete", "plain\t1\t3\t0\t1m\tcompact,delete"]);
    for (topic, says) in [
        ("t,retention.ms=x", "Not a number of type LONG"),
        ("t,retention=1", "Unknown topic config name: retention"),
        ("t,x", "is no SETTING=VALUE"),
        ("t:0", "1 to 1000"),
        ("a/b", "a-z A-Z 0-9"),
    ] {
        mscomm(&["sandbox", "--topic", topic, "--", "true"]).run().fails(2).says(&[says]);
    }
    mscomm(&["sandbox", "--topic", "t", "--topic", "t:2", "--", "true"]).run().fails(2).says(&["given twice"]);
}

/// A client that asks for it gets a topic, as from Kafka, and the owner is told once by whom; mscomm does not ask.
#[test]
fn a_topic_is_made_for_whoever_asks() {
    let line = "echo x | kcat -b $KAFKA_BROKERS -P -t made -X client.id=shop
        echo y | kcat -b $KAFKA_BROKERS -P -t made -X client.id=shop
        mscomm kafka topic list; mscomm kafka produce other -d x";
    let done = sandbox(&["--only", "kafka"], line).run().exits(8);
    assert_eq!(done.lines(), ["made\t1\t1\t2\t7days\tdelete"]);
    let told = "kafka: topic made with 1 partition was made for client \"shop\"";
    assert_eq!(done.stderr.matches(told).count(), 1, "{}", done.stderr);
    done.says(&["there is no topic `other`"]);
    let line =
        "echo x | kcat -b $KAFKA_BROKERS -P -t made -X message.timeout.ms=3000 2> /dev/null || mscomm kafka topic list";
    assert_eq!(sandbox(&["--only", "kafka", "--no-auto-create"], line).run().ok().text(), "");
}

#[test]
fn it_asks_for_what_it_was_told_to() {
    let line = "set -e; mscomm -q kafka topic create t; echo x | mscomm -q kafka produce t
        mscomm kafka tail t --from begin --until-end
        mscomm -q kafka user add billing --mechanism SCRAM-SHA-256 --new-password pw2
        mscomm -q kafka acl add --principal billing --operation read,describe --topic t > rules
        mscomm kafka tail t --from begin --until-end --username billing --password pw2
        ! mscomm kafka produce t -d y --username billing --password pw2
        ! mscomm kafka produce t -d y --username billing --password wrong
        tls='-X security.protocol=sasl_ssl -X ssl.ca.location='$KAFKA_CA
        kcat -b $KAFKA_BROKERS $tls -X sasl.mechanism=PLAIN -X sasl.username=$KAFKA_USERNAME \\
            -X sasl.password=$KAFKA_PASSWORD -C -t t -e -q
        stat -c %a $KAFKA_CA; echo $KAFKA_SASL_MECHANISM";
    let flags = ["--only", "kafka", "--kafka-tls", "--kafka-user", "admin:pw", "--kafka-acl"];
    let folder = tempfile::tempdir().expect("a folder");
    let mut run = sandbox(&flags, line);
    run.command.current_dir(folder.path());
    let done = run.run().ok();
    assert_eq!(done.lines(), ["x", "x", "x", "600", "SCRAM-SHA-256"]);
    done.says(&["cluster authorization failed", "SASL"]);
    let done =
        sandbox(&["--only", "kafka"], "mscomm kafka tail t --sasl-mechanism PLAIN --username a --password b").run();
    done.fails(6).says(&["SASL"]);
    let done = sandbox(&["--only", "kafka"], "mscomm kafka tail t --tls").run();
    done.fails(5).says(&["does not speak TLS"]);
    mscomm(&["sandbox", "--only", "amqp", "--kafka-acl", "--", "true"]).run().fails(2).says(&["--only"]);
}

/// The memory is bounded: the oldest records go, and that is told once.
#[test]
fn the_oldest_records_go_when_there_is_no_room() {
    let line = "seq 60000 | sed 's/$/ 0123456789012345678901234567890123456789/' | mscomm -q kafka produce t
        mscomm kafka tail t --from -1 -n 1; mscomm kafka tail t --from begin --until-end | wc -l";
    let done = sandbox(&["--only", "kafka", "--topic", "t", "--kafka-memory", "1MiB"], line).run().ok();
    let lines = done.lines();
    assert!(lines[0].starts_with("60000 "), "{lines:?}");
    let left: usize = lines[1].trim().parse().expect("a number");
    assert!((1..60_000).contains(&left), "{left}");
    assert_eq!(done.stderr.matches("the oldest go").count(), 1, "{}", done.stderr);
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
    let lines = done.lines();
    assert!(lines[0] == "hello" && lines[1].starts_with(&format!("127.0.0.1:{port},127.0.0.1:")), "{lines:?}");
    assert_eq!(lines[1].split(',').count(), 3);
}

#[test]
fn many_clients_at_once() {
    let line = "for i in 1 2 3 4 5 6; do seq 500 | mscomm -q kafka produce t & done; wait
        mscomm kafka tail t --from begin --until-end | wc -l";
    let done = sandbox(&["--only", "kafka", "--kafka-brokers", "3", "--topic", "t:4"], line).run().ok();
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
