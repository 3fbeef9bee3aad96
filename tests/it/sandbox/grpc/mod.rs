//! The user's own gRPC services in the sandbox: schemas, stubs, the log of requests.

mod answers;
mod encodings;
mod faults;
mod log;
mod schemas;

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{BINARY, Done, Run, mscomm};

const ORDERS: &str = r#"syntax = "proto3";
package shop.v1;
import "shop/v1/money.proto";
import "google/protobuf/timestamp.proto";
service Orders {
  rpc Get(Ask) returns (Order);
  rpc Watch(Ask) returns (stream Order);
  rpc Import(stream Order) returns (Imported);
  rpc Talk(stream Ask) returns (stream Order);
}
message Ask { int64 id = 1; State state = 2; }
message Order { int64 id = 1; State state = 2; Money price = 3; google.protobuf.Timestamp at = 4; }
message Imported { int32 count = 1; }
enum State { UNKNOWN = 0; OPEN = 1; PAID = 2; }
"#;

const MONEY: &str = r#"syntax = "proto3";
package shop.v1;
message Money { string currency = 1; int64 units = 2; }
"#;

/// A folder with the schema and, when there are any, stubs.
struct Shop(tempfile::TempDir);

impl Shop {
    fn new(stubs: &str) -> Shop {
        let shop = Shop(tempfile::tempdir().expect("a folder"));
        shop.write("protos/shop/v1/orders.proto", ORDERS);
        shop.write("protos/shop/v1/money.proto", MONEY);
        shop.write("stubs.json", stubs);
        shop
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("writes");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.path().join(name)).expect(name)
    }

    /// A sandbox with these flags that runs a shell line, in the folder.
    fn sandbox(&self, flags: &[&str], line: &str) -> Run {
        let folder = Path::new(BINARY).parent().expect("a folder");
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("PATH"));
        let mut run = mscomm(&[&["sandbox"], flags, &["--", "sh", "-c", line]].concat()).env("PATH", path);
        run.command.current_dir(self.0.path());
        run
    }

    fn run(&self, line: &str) -> Done {
        let flags = ["--proto", "protos/shop/v1/orders.proto", "--stub", "stubs.json", "--log", "log"];
        self.sandbox(&flags, line).run()
    }

    fn log(&self) -> Vec<Value> {
        let text = self.read("log");
        assert!(text.is_empty() || text.ends_with('\n'), "{text}");
        text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }
}

/// The members of each event that do not depend on who calls.
fn told(log: &[Value]) -> Vec<Value> {
    let told = |event: &Value| match event["event"].as_str() {
        Some("headers") => json!([event["call"], "headers"]),
        Some("message") => json!([event["call"], "message", event["value"]]),
        Some("status") => json!([event["call"], "status", event["code"]]),
        Some("reset") => json!([event["call"], "reset", event["what"]]),
        _ => json!([event["call"], event["event"]]),
    };
    log.iter().map(told).collect()
}
