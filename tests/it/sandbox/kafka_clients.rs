//! Clients of Kafka that others wrote, in the programs of tests/interop/kafka: what each tells of the sandbox is what it tells of
//! Kafka itself.

use std::process::Command;

use crate::support::{mscomm, test_env, unique};

/// Runs a program on both, at once: what it prints on Kafka, and in the sandbox.
#[track_caller]
fn both(program: &[&str]) -> (String, String) {
    let name = unique("client");
    // A client that waits for ever is ended by `timeout`.
    let line = [&["timeout", "55"], program].concat();
    let mut real = Command::new(line[0]);
    real.args(&line[1..]).env("KAFKA_BROKERS", test_env("KAFKA")).env("KAFKA_NAME", &name);
    let real = std::thread::spawn(move || real.output().expect("starts"));
    let sandbox = ["sandbox", "--only", "kafka", "--no-auto-create", "--"];
    let ours = mscomm(&[&sandbox, &*line].concat()).env("KAFKA_NAME", &name).run();
    let real = real.join().expect("no panic");
    let (wanted, errors) = (String::from_utf8_lossy(&real.stdout), String::from_utf8_lossy(&real.stderr));
    assert!(real.status.success(), "on Kafka: {}\n{wanted}\n{errors}", real.status);
    (wanted.into_owned(), format!("{}{}", ours.text(), if ours.code == 0 { "" } else { &ours.stderr }))
}

/// Compares what a program prints on both, line by line.
#[track_caller]
fn alike(program: &[&str]) {
    let (wanted, got) = both(program);
    let same = wanted.lines().zip(got.lines()).take_while(|(wanted, got)| wanted == got).count();
    let from = |text: &str| text.lines().skip(same.saturating_sub(3)).take(12).collect::<Vec<_>>().join("\n");
    let (kafka, sandbox) = (from(&wanted), from(&got));
    assert!(wanted == got, "they differ from line {} on; Kafka:\n{kafka}\nthe sandbox:\n{sandbox}", same + 1);
    assert!(same > 10, "only {same} lines:\n{got}");
}

/// Kafka's jars and the classes of tests/interop/kafka/java.
#[track_caller]
fn java(line: &[&str]) {
    let jars = format!("{}/java:{}/*", test_env("KAFKA_CLIENTS"), test_env("KAFKA_LIB"));
    let silent = "-Dorg.slf4j.simpleLogger.defaultLogLevel=off";
    let java = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m", silent, "-cp", &jars];
    alike(&[&java, line].concat());
}

#[track_caller]
fn python(script: &str) {
    let path = format!("{}/tests/interop/kafka/python/{script}", env!("CARGO_MANIFEST_DIR"));
    alike(&[&test_env("PYTHON"), "-B", &path]);
}

#[test]
fn java_records_and_administration() {
    java(&["Clients", "records", "admin"]);
}

#[test]
fn java_groups() {
    java(&["Clients", "classic", "consumer"]);
}

#[test]
fn java_transactions() {
    java(&["Clients", "transactions"]);
}

#[test]
fn the_tools_of_kafka() {
    java(&["Tools"]);
}

#[test]
fn librdkafka_in_python() {
    python("confluent.py");
}

#[test]
fn kafka_python() {
    python("kafka_python.py");
}

#[test]
fn franz_go() {
    alike(&[&format!("{}/franz", test_env("KAFKA_CLIENTS"))]);
}

/// What tests/interop/kafka/build has built, for tests/soak.
fn more() -> String {
    std::env::var("MSCOMM_SOAK_CLIENTS").expect("MSCOMM_SOAK_CLIENTS is what tests/interop/kafka/build prints")
}

#[test]
#[ignore = "tests/soak runs it"]
fn more_aiokafka() {
    let path = format!("{}/tests/interop/kafka/python/aio.py", env!("CARGO_MANIFEST_DIR"));
    alike(&[&format!("{}/python/bin/python", more()), "-B", &path]);
}

#[test]
#[ignore = "tests/soak runs it"]
fn more_sarama() {
    alike(&[&format!("{}/sarama", more())]);
}

#[test]
#[ignore = "tests/soak runs it"]
fn more_kafka_go() {
    alike(&[&format!("{}/segmentio", more())]);
}

#[test]
#[ignore = "tests/soak runs it"]
fn more_kafkajs() {
    alike(&["node", &format!("{}/kafkajs/main.js", more())]);
}

#[test]
#[ignore = "tests/soak runs it"]
fn more_rskafka() {
    alike(&[&format!("{}/target/debug/mscomm-interop-rskafka", more())]);
}

#[test]
#[ignore = "tests/soak runs it"]
fn more_kcat() {
    let path = format!("{}/tests/interop/kafka/kcat.sh", env!("CARGO_MANIFEST_DIR"));
    alike(&["sh", &path, &test_env("PYTHON")]);
}

#[test]
#[ignore = "tests/soak runs it"]
fn more_streams() {
    let (jars, more) = (test_env("KAFKA_LIB"), more());
    let path = format!("{more}/streams:{}/java:{jars}/*:{more}/streams-lib/*", test_env("KAFKA_CLIENTS"));
    let silent = "-Dorg.slf4j.simpleLogger.defaultLogLevel=off";
    alike(&["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m", silent, "-cp", &path, "WordCount"]);
}

/// Kafka's own measures of speed, which print no two times the same: what they have counted is compared.
#[test]
#[ignore = "tests/soak runs it"]
fn more_performance_tools() {
    let script = "set -e
        tool() { java -XX:+UseSerialGC -Xmx512m -cp \"$0\" org.apache.kafka.tools.\"$@\"; }
        tool TopicCommand --bootstrap-server $KAFKA_BROKERS --create --topic $KAFKA_NAME --partitions 3
        tool ProducerPerformance --topic $KAFKA_NAME --num-records 200000 --record-size 100 --throughput -1 \
            --producer-props bootstrap.servers=$KAFKA_BROKERS acks=all | tail -1 | cut -d' ' -f1-3
        tool ConsumerPerformance --bootstrap-server $KAFKA_BROKERS --topic $KAFKA_NAME --messages 200000 \
            | tail -1 | cut -d, -f5
        tool TopicCommand --bootstrap-server $KAFKA_BROKERS --delete --topic $KAFKA_NAME";
    let (wanted, got) = both(&["bash", "-c", script, &format!("{}/*", test_env("KAFKA_LIB"))]);
    assert_eq!(wanted, got);
    assert!(got.contains("200000 records sent,\n 200000\n"), "{got}");
}
