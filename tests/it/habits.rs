//! What people type who know another tool is answered with what it is here, and touches no network.

use crate::support::mscomm;

#[test]
fn flags_and_verbs_of_others() {
    for (line, says) in [
        // grpcurl, buf
        ("grpc call -plaintext localhost:1 a.B/C", "here it is --plaintext"),
        ("grpc call a.B/C -max-time 5", "here it is --timeout, as --timeout 5s"),
        ("grpc call a.B/C -cacert=x", "here it is --ca"),
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
        // amqp-tools, rabtap, nats
        ("amqp publish -r orders -d x", "here it is -k KEY"),
        ("amqp publish -k q -d x --ttl 5", "here it is --expiration"),
        ("amqp publish -k q -d x --delivery-mode 2", "here it is --persistent for 2"),
        ("amqp publish orders -d x", "a queue is named with -k"),
        ("amqp publish -k orders @order.json", "a file is given with -d"),
        ("amqp sub orders", "here it is mscomm amqp consume"),
        ("amqp peek orders", "here it is mscomm amqp get"),
        ("amqp consume --queue orders", "queues are arguments"),
        // Whatever it is, there is a list.
        ("kafka nonsense", "there are: produce, tail, topic"),
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
