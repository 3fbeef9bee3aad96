//! Clients of Kafka that others wrote, in the programs of tests/interop/kafka: what each tells of the sandbox is what it tells of
//! Kafka itself.

use std::process::Command;

use crate::support::{mscomm, test_env, unique};

/// Runs a program on both, at once, and compares what they print, line by line.
#[track_caller]
fn alike(program: &[&str]) {
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
    let got = ours.text();
    let same = wanted.lines().zip(got.lines()).take_while(|(wanted, got)| wanted == got).count();
    let from = |text: &str| text.lines().skip(same.saturating_sub(3)).take(6).collect::<Vec<_>>().join("\n");
    assert!(
        wanted == got,
        "they differ from line {} on; Kafka:\n{}\nthe sandbox:\n{}\n{}",
        same + 1,
        from(&wanted),
        from(&got),
        ours.stderr
    );
    ours.ok();
    assert!(same > 50, "only {same} lines:\n{got}");
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
