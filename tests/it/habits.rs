//! What people type who know another tool is answered with what it is here, and touches no network.

use crate::support::{mscomm, test_env};

#[test]
fn flags_and_verbs_of_others() {
    for (line, says) in [
        // grpcurl, buf
        ("grpc call -plaintext localhost:1 a.B/C", "here it is --plaintext"),
        ("grpc call a.B/C -max-time 5", "here it is --timeout, as --timeout 5s"),
        ("grpc call a.B/C -cacert=x", "here it is --tls-ca"),
        ("grpc call a.B/C -msg-template", "here it is mscomm grpc call METHOD --template"),
        ("grpc call localhost:1 a.B/C", "the server is given with -s"),
        ("grpc list localhost:1 a.B", "the server is given with -s"),
        ("grpc call a.B/C --schema x", "here it is --descriptor-set FILE"),
        ("grpc invoke a.B/C", "here it is mscomm grpc call"),
        // kcat, Kafka's console tools
        ("kafka tail -t orders", "topics are arguments"),
        ("kafka tail orders -c 5", "here it is -n COUNT"),
        ("kafka tail orders -e", "here it is --until-end"),
        ("kafka tail orders --since 1d", "here it is --from @TIME"),
        ("kafka tail orders --from-beginning", "here it is --from begin"),
        ("kafka tail --bootstrap-server h:1 --topic t", "here it is -s BROKERS"),
        ("kafka produce t -l x", "here it is -d @FILE"),
        ("kafka produce t x", "data is given with -d"),
        ("kafka consume t", "here it is mscomm kafka tail"),
        ("kafka topics", "here it is mscomm kafka topic list"),
        ("kafka groups", "here it is mscomm kafka group list"),
        ("kafka group describe --group g", "groups are arguments"),
        ("kafka group describe --all-groups", "here it is --all"),
        ("kafka group describe g --topic t", "reset, export and delete have it"),
        ("kafka group reset g --to-earliest", "here it is --to begin"),
        ("kafka group reset g --to begin --execute", "here it is -y"),
        ("kafka group reset g --to begin --dry-run", "without -y it is only shown"),
        ("kafka group rm g", "here it is mscomm kafka group delete"),
        // amqp-tools, rabtap, nats
        ("amqp publish -r orders -d x", "here it is -k KEY"),
        ("amqp publish -k q -d x --ttl 5", "here it is --expiration"),
        ("amqp publish -k q -d x --delivery-mode 2", "here it is --persistent for 2"),
        ("amqp publish orders -d x", "a queue is named with -k"),
        ("amqp publish -k orders @order.json", "a file is given with -d"),
        ("amqp sub orders", "here it is mscomm amqp consume"),
        ("amqp peek orders", "here it is mscomm amqp get"),
        ("amqp consume --queue orders", "queues are arguments"),
        // What was called otherwise, or is in another system.
        ("amqp get q --ca x", "here it is --tls-ca FILE"),
        ("kafka topic list --cacert x", "here it is --tls-ca FILE"),
        ("amqp queue info q --cert x --key y", "here it is --tls-cert FILE"),
        ("kafka tail t --key k.pem", "TLS has --tls-key FILE"),
        ("amqp consume q --offset first", "here it is --from WHERE"),
        ("kafka topic create t --topic-config a=b", "here it is --set KEY=VALUE"),
        // Whatever it is, there is a list.
        ("kafka nonsense", "there are: produce, tail, request, topic"),
        ("nonsense", "there are: grpc, amqp, kafka"),
        ("amqp queue create q", "here it is mscomm amqp queue declare"),
    ] {
        let args: Vec<&str> = line.split(' ').collect();
        let done = mscomm(&args).run().fails(2).says(&[says]);
        assert!(!done.stderr.contains("use '--") && !done.stderr.contains("--insecure"), "{line}: {}", done.stderr);
    }
    // What is near is still told, and data may look like a flag.
    mscomm(&["kafka", "tail", "t", "--untl-end"]).run().fails(2).says(&["a similar argument exists: '--until-end'"]);
    mscomm(&["grpc", "call", "a.B/C", "-s", "127.0.0.1:1", "-d", "-plaintext"]).run().fails(2).says(&["no JSON"]);
    // No secret is repeated in a tip.
    let done = mscomm(&["amqp", "publish", "-k", "q", "u:hunter2@h"]).run().fails(2);
    assert!(!done.stderr.contains("hunter2"), "{}", done.stderr);
}

/// Sent as the key of a message, all who read it would see where it is, and the server would refuse the client.
#[test]
fn a_key_of_tls_is_no_key_of_a_message() {
    let key = test_env("KEY");
    let joined = format!("--key={key}");
    for args in [
        &["kafka", "produce", "t", "-d", "x", "--key", &key][..],
        &["kafka", "produce", "t", "-d", "x", &joined],
        &["amqp", "publish", "-d", "x", "--key", &key],
        &["amqp", "request", "-d", "x", "--key", &key],
        &["bridge", "stdin", "--to", "kafka", "produce", "t", "--key", &key],
        &["bridge", "grpc", "call", "a.B/C", "--key", "x", "--to", "amqp", "publish", &joined],
    ] {
        mscomm(args).run().fails(2).says(&["PEM file", &format!("--tls-key {key}")]);
    }
    // It may be meant, and is nobody's file where it is none.
    let server = ["-s", "127.0.0.1:1"];
    for typed in [["-k", &key], ["--message-key", &key], ["--key", "client.key"], ["--key", "/"]] {
        mscomm(&[&["kafka", "produce", "t", "-d", "x"], &typed[..], &server].concat()).run().fails(4);
    }
    for typed in [["-k", &key], ["--routing-key", &key], ["--key", "client.key"]] {
        mscomm(&[&["amqp", "publish", "-d", "x"], &typed[..], &server].concat()).run().fails(4);
    }
    let pem = ["--cert", &test_env("CERT"), "--key", &key, "--tls"];
    mscomm(&[&["grpc", "list"], &pem[..], &server].concat()).run().fails(4);
}

#[test]
fn an_address_without_a_scheme() {
    let server = test_env("AMQP");
    let (address, tls) = (server.rsplit_once('@').expect("a user").1.trim_end_matches('/'), test_env("AMQPS"));
    let info = |server: &str, flags: &[&str]| {
        mscomm(&[&["amqp", "queue", "info", "no-such-queue", "-s", server], flags].concat()).run()
    };
    for server in [address, &format!("{address}/%2F")] {
        info(server, &[]).fails(8).says(&["404"]);
    }
    let tls = tls.rsplit_once('@').expect("a user").1.trim_end_matches('/');
    info(tls, &[]).fails(5).says(&["the server speaks TLS", "pass --tls"]);
    info(tls, &["--tls", "--tls-ca", &test_env("CA")]).fails(8).says(&["404"]);
    for server in ["guest:hunter2", &format!("guest:hunter2@{address}")] {
        let done = info(server, &[]).fails(2).says(&["neither host:port nor a URI"]);
        assert!(!done.stderr.contains("hunter2"), "{}", done.stderr);
    }
}
