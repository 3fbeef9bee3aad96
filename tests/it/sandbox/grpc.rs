//! The user's own gRPC services in the sandbox: schemas, stubs, the log of requests.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{BINARY, Done, Run, mscomm, test_env};

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

#[test]
fn all_four_kinds_of_calls_are_answered() {
    let shop = Shop::new(
        r#"{
          "shop.v1.Orders/Get": {"response": {"id": 7, "state": 2, "at": "2026-01-01T01:00:00+01:00"}},
          "shop.v1.Orders.Watch": {"responses": [{"id": "1"}, {"id": "2"}]},
          "/shop.v1.Orders/Import": {"response": {"count": 2}},
          "shop.v1.Orders/Talk": [{"match": {"id": 1}, "responses": [{"id": 10}, {"id": 11}]}, {"response": {"id": 20}}]
        }"#,
    );
    let line = "set -e
        mscomm grpc call shop.v1.Orders/Get -d '{}'
        mscomm grpc call shop.v1.Orders/Watch -d '{}'
        mscomm grpc call shop.v1.Orders/Import -d '{\"id\":1}{\"id\":2}'
        mscomm grpc call shop.v1.Orders/Talk -d '{\"id\":2}{\"id\":1}'
        mscomm grpc call shop.v1.Orders/Talk -d ''
        mscomm grpc call helloworld.Greeter/SayHello -d '{}'";
    let expected = [
        r#"{"id":"7","state":"PAID","at":"2026-01-01T00:00:00Z"}"#,
        r#"{"id":"1"}"#,
        r#"{"id":"2"}"#,
        r#"{"count":2}"#,
        r#"{"id":"20"}"#,
        r#"{"id":"10"}"#,
        r#"{"id":"11"}"#,
        r#"{"message":"Hello world"}"#,
    ];
    assert_eq!(shop.run(line).ok().lines(), expected);
}

#[test]
fn a_bidirectional_stream_is_answered_as_it_comes() {
    let shop = Shop::new(r#"{"shop.v1.Orders/Talk": {"response": {"id": 5}}}"#);
    // The second request is sent when the answer to the first is there, or never.
    let line = "mkfifo in out; mscomm grpc call shop.v1.Orders/Talk < in > out & exec 3> in 4< out
        echo '{}' >&3; read -r first <&4; echo \"$first\" '{\"id\":1}'; echo '{\"id\":1}' >&3; read -r second <&4
        echo \"$second\"; exec 3>&-; wait $!";
    let done = shop.run(line).ok();
    assert_eq!(done.lines(), [r#"{"id":"5"} {"id":1}"#, r#"{"id":"5"}"#]);
}

#[test]
fn status_details_and_metadata_are_sent() {
    let shop = Shop::new(
        r#"{
          "shop.v1.Orders/Get": {"headers": {"x-region": ["eu", "us"]}, "response": {"id": 1},
            "trailers": {"X-Cost": "3", "trace-bin": {"$base64": "AAE="}}},
          "shop.v1.Orders/Watch": {"responses": [{"id": 1}], "trailers": {"a": "b"}, "status": {
            "code": "RESOURCE_EXHAUSTED", "message": "too much\nof it", "details": [
              {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s"},
              {"@type": "type.googleapis.com/shop.v1.Money", "units": 3}]}}
        }"#,
    );
    let call = |method: &str| {
        let done = shop.run(&format!("mscomm grpc call shop.v1.Orders/{method} -d '{{}}' -o json"));
        let lines: Vec<Value> = done.lines().iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        (done.code, lines)
    };
    let (code, events) = call("Get");
    assert_eq!(code, 0);
    let headers = events[0]["metadata"].as_array().expect("pairs");
    assert!(
        headers.contains(&json!(["x-region", "eu"])) && headers.contains(&json!(["x-region", "us"])),
        "{headers:?}"
    );
    let trailers = events[2]["metadata"].as_array().expect("pairs");
    assert!(trailers.contains(&json!(["x-cost", "3"])), "{trailers:?}");
    assert!(trailers.contains(&json!(["trace-bin", {"$base64": "AAE="}])), "{trailers:?}");
    let (code, events) = call("Watch");
    assert_eq!(code, 64 + 8);
    assert_eq!(events[1]["value"], json!({"id": "1"}));
    let status = &events[2];
    assert_eq!((&status["name"], &status["message"]), (&json!("ResourceExhausted"), &json!("too much\nof it")));
    let details = json!([
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.500s"},
        {"@type": "type.googleapis.com/shop.v1.Money", "units": "3"}
    ]);
    assert_eq!((&status["details"], &status["metadata"]), (&details, &json!([["a", "b"]])));
    // What was answered is in the log in the same words.
    let log = shop.log();
    let logged = log.iter().find(|event| event["event"] == "status").expect("a status");
    assert_eq!((&logged["details"], &logged["metadata"]), (&details, &json!([["a", "b"]])));
}

#[test]
fn the_first_stub_that_matches_answers() {
    let shop = Shop::new(
        r#"{
          "shop.v1.Orders/Get": [
            {"match": {"id": 7, "state": null}, "match_metadata": {"authorization": null}, "status": 16},
            {"match": {"id": "7", "state": 0}, "match_metadata": {"authorization": "Bearer x"}, "response": {"id": 1}},
            {"match": {"id": 7, "state": 1}, "response": {"id": 2}},
            {"match": {"state": "PAID"}, "match_metadata": {"k-bin": {"$base64": "AAE="}}, "response": {"id": 3}}],
          "shop.v1.Orders/Import": [
            {"match": [{"id": 1, "price": {"units": 2}}, {}], "response": {"count": 1}},
            {"match": [], "response": {"count": 2}},
            {"match": {"id": 9}, "response": {"count": 3}}]
        }"#,
    );
    let line = r#"call() { mscomm grpc call "shop.v1.Orders/$@" || echo "$?"; }
        call Get -d '{"id":7}'
        call Get -d '{"id":7}' -H 'authorization: Bearer x'
        call Get -d '{"id":7,"state":"OPEN"}'
        call Get -d '{"id":1,"state":"PAID"}' -H k-bin=AAE=
        call Import -d '{"id":1,"price":{"units":2,"currency":"EUR"}}{"id":5}'
        call Import -d ''
        call Import -d '{"id":9}{}{}'
        call Get -d '{"id":8}'
        call Import -d '{"id":8}'"#;
    let done = shop.run(line).ok().says(&[
        "no stub of shop.v1.Orders/Get matches this request; stubs.json:3: `id`: \"7\" is asked for, \"8\" came",
        "stubs.json:6: `state`: \"PAID\" is asked for, nothing came",
        "stubs.json:8: 2 requests are asked for, 1 came",
    ]);
    let expected = ["80", r#"{"id":"1"}"#, r#"{"id":"2"}"#, r#"{"id":"3"}"#];
    assert_eq!(done.lines()[..4], expected);
    assert_eq!(done.lines()[4..], [r#"{"count":1}"#, r#"{"count":2}"#, r#"{"count":3}"#, "76", "76"]);
}

#[test]
fn a_stub_that_is_used_up_leaves_it_to_the_next() {
    let shop = Shop::new(
        r#"{
          "shop.v1.Orders/Get": [{"times": 2, "status": "UNAVAILABLE"}, {"times": 1, "response": {"id": 1}}],
          "shop.v1.Orders/Talk": [{"times": 1, "response": {"id": 1}}, {"response": {"id": 2}}]
        }"#,
    );
    let line = "tries=0; until mscomm grpc call shop.v1.Orders/Get -d '{}'; do tries=$((tries + 1)); done; echo $tries
        mscomm grpc call shop.v1.Orders/Get -d '{}'; echo $?
        mscomm grpc call shop.v1.Orders/Talk -d '{}{}{}'";
    let done = shop.run(line).ok().says(&["it has answered as often as it may"]);
    assert_eq!(done.lines(), [r#"{"id":"1"}"#, "2", "76", r#"{"id":"1"}"#, r#"{"id":"2"}"#, r#"{"id":"2"}"#]);
}

#[test]
fn a_chance_falls_alike_in_every_run() {
    let shop =
        Shop::new(r#"{"shop.v1.Orders/Talk": [{"probability": 0.3, "response": {"id": 1}}, {"response": {"id": 2}}]}"#);
    let run = || shop.run("yes '{}' | head -n 200 | mscomm grpc call shop.v1.Orders/Talk").ok().lines();
    let first = run();
    let often = first.iter().filter(|line| line.contains("\"1\"")).count();
    assert!(first.len() == 200 && (30..90).contains(&often), "{often} of {}", first.len());
    assert_eq!(first, run());
}

#[test]
fn a_delay_is_longer_than_the_callers_deadline() {
    let shop = Shop::new(
        r#"{
          "shop.v1.Orders/Get": {"delay": "1h", "response": {}},
          "shop.v1.Orders/Watch": {"responses": [{"id": 1}, {"id": 2}], "interval": "1h"},
          "shop.v1.Orders/Import": {"delay": "30ms", "response": {}}
        }"#,
    );
    let line = "mscomm grpc call shop.v1.Orders/Get -d '{}' --timeout 300ms; echo $?
        mscomm grpc call shop.v1.Orders/Watch -d '{}' --timeout 300ms; echo $?
        mscomm grpc call shop.v1.Orders/Import -d '' --timeout 60s; echo $?
        until [ \"$(grep -c cancelled log)\" -eq 2 ]; do :; done";
    assert_eq!(shop.run(line).ok().lines(), ["7", r#"{"id":"1"}"#, "7", "{}", "0"]);
    let timeouts = shop.log().iter().filter(|e| e["metadata"].to_string().contains("grpc-timeout")).count();
    assert_eq!(timeouts, 3, "{:?}", shop.log());
}

#[test]
fn a_call_is_broken_off() {
    let shop = Shop::new(
        r#"{
          "shop.v1.Orders/Get": [{"match": {"id": 1}, "reset": "stream"}, {"reset": "connection"}],
          "shop.v1.Orders/Watch": [
            {"match": {"id": 1}, "responses": [{"id": 1}, {"id": 2}], "reset": "stream"},
            {"responses": [{"id": 3}], "reset": "connection"}],
          "shop.v1.Orders/Import": {"when": "first", "status": "ABORTED"}
        }"#,
    );
    let line = r#"call() { mscomm grpc call "shop.v1.Orders/$@"; echo "$?"; }
        call Get -d '{"id":1}'
        call Get -d '{}'
        call Watch -d '{"id":1}'
        call Watch -d '{}'
        yes '{}' | call Import"#;
    let done = shop.run(line).ok().says(&["the server reset it"]);
    assert_eq!(done.lines(), ["9", "9", r#"{"id":"1"}"#, r#"{"id":"2"}"#, "9", r#"{"id":"3"}"#, "9", "74"]);
    let ends: Vec<Value> = told(&shop.log()).into_iter().filter(|e| e[1] != "headers" && e[1] != "message").collect();
    let expected = [
        json!([1, "reset", "stream"]),
        json!([2, "reset", "connection"]),
        json!([3, "reset", "stream"]),
        json!([4, "reset", "connection"]),
        json!([5, "status", 10]),
    ];
    assert_eq!(ends, expected);
}

#[test]
fn what_comes_in_is_logged_while_the_sandbox_runs() {
    let shop = Shop::new(r#"{"shop.v1.Orders/Import": {"response": {"count": 1}}}"#);
    shop.write("log", "of an earlier run\n");
    let line = "mscomm grpc list > /dev/null
        mscomm grpc call shop.v1.Orders/Import -d '{\"id\":1}{\"state\":\"PAID\"}' -H 'x: y' -H k-bin=AAE=
        mscomm grpc call helloworld.Greeter/SayHello -d '{\"name\":\"you\"}'
        mscomm grpc call grpc.health.v1.Health/Check -d '{}'
        cp log first; : > log
        mscomm grpc call shop.v1.Orders/Get -d '{}'; echo $?";
    let done = shop.run(line).ok().says(&["the sandbox has no stub of shop.v1.Orders/Get; give one with --stub FILE"]);
    let lines = [r#"{"count":1}"#, r#"{"message":"Hello you"}"#, r#"{"status":"SERVING"}"#, "76"];
    assert_eq!(done.lines(), lines);
    let first: Vec<Value> = shop.read("first").lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let expected = [
        json!([1, "headers"]),
        json!([1, "message", {"id": "1"}]),
        json!([1, "message", {"state": "PAID"}]),
        json!([1, "status", 0]),
        json!([2, "headers"]),
        json!([2, "message", {"name": "you"}]),
        json!([2, "status", 0]),
    ];
    assert_eq!(told(&first), expected);
    assert_eq!(first[0]["protocol"], "grpc");
    assert_eq!(first[0]["method"], "shop.v1.Orders/Import");
    let metadata = first[0]["metadata"].as_array().expect("pairs");
    assert!(metadata.contains(&json!(["x", "y"])), "{metadata:?}");
    assert!(metadata.contains(&json!(["k-bin", {"$base64": "AAE="}])), "{metadata:?}");
    // What the script emptied goes on from its beginning.
    assert_eq!(told(&shop.log()), [json!([3, "headers"]), json!([3, "status", 12])]);
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(shop.0.path().join("log")).expect("is there"));
    assert_eq!(mode & 0o777, 0o644, "a file that was there keeps its mode");
}

#[test]
fn a_new_log_is_its_owners_alone() {
    let shop = Shop::new("{}");
    let done = shop.run("stat -c %a log").ok();
    assert_eq!(done.lines(), ["600"]);
}

#[test]
fn concurrent_calls_do_not_mix_in_the_log() {
    let shop = Shop::new(r#"{"shop.v1.Orders/Talk": {"response": {}}}"#);
    let line = "for i in 1 2 3 4 5 6; do
            for n in $(seq 100); do echo \"{\\\"id\\\":$i$n}\"; done | mscomm grpc call shop.v1.Orders/Talk > out$i &
        done; wait; cat out*";
    assert_eq!(shop.run(line).ok().lines().len(), 600);
    let log = shop.log();
    assert_eq!(log.len(), 6 * 102);
    for call in 1..=6 {
        let events: Vec<&Value> = log.iter().filter(|event| event["call"] == call).collect();
        assert_eq!(events.len(), 102);
        assert!(events[0]["event"] == "headers" && events[101]["event"] == "status");
        let first = events[1]["value"]["id"].as_str().and_then(|id| id.strip_suffix('1')).expect("an id");
        for (n, event) in events[1..=100].iter().enumerate() {
            assert_eq!(event["value"]["id"], format!("{first}{}", n + 1));
        }
    }
}

#[test]
fn built_in_services_can_be_stubbed_and_give_way() {
    let shop = Shop::new(
        r#"{
          "helloworld.Greeter/SayHello": {"match": {"name": "x"}, "response": {"message": "stubbed"}},
          "grpc.health.v1.Health/Check": {"response": {"status": "NOT_SERVING"}}
        }"#,
    );
    let line = "mscomm grpc call helloworld.Greeter/SayHello -d '{\"name\":\"x\"}'
        mscomm grpc call grpc.health.v1.Health/Check -d '{}'
        mscomm grpc call mscomm.sandbox.v1.Echo/Unary -d '{}'";
    let expected = [r#"{"message":"stubbed"}"#, r#"{"status":"NOT_SERVING"}"#, r#"{"number":1}"#];
    assert_eq!(shop.run(line).ok().lines(), expected);
    // The user's own Greeter is another.
    shop.write(
        "hello.proto",
        r#"syntax = "proto3"; package helloworld;
        service Greeter { rpc SayHello(HelloRequest) returns (HelloRequest); }
        message HelloRequest { int32 age = 1; }"#,
    );
    shop.write("stubs.json", r#"{"helloworld.Greeter/SayHello": {"response": {"age": 3}}}"#);
    let line = "mscomm grpc call helloworld.Greeter/SayHello -d '{\"age\":1}'; mscomm grpc list";
    let done = shop.sandbox(&["--proto", "hello.proto", "--stub", "stubs.json"], line).run().ok();
    assert_eq!(done.lines()[0], r#"{"age":3}"#);
    assert!(done.text().contains("mscomm.sandbox.v1.Echo"), "{}", done.text());
}

#[test]
fn schemas_of_any_form_are_served() {
    let shop = Shop::new(r#"{"shop.v1.Orders/Get": {"response": {"id": 1}}}"#);
    shop.write("other/z.proto", "syntax = \"proto3\"; package z; message M {} service Z { rpc F(M) returns (M); }");
    shop.write("more.json", r#"{"shop.v1.Orders/Get": {"response": {"id": 2}}, "z.Z/F": {"response": {}}}"#);
    let orders = "protos/shop/v1/orders.proto";
    let export = "$MSCOMM_TEST_GRPCURL -plaintext -protoset-out set $MSCOMM_SANDBOX_GRPC describe shop.v1.Orders >&2";
    shop.sandbox(&["--proto", orders], export).env("MSCOMM_TEST_GRPCURL", test_env("GRPCURL")).run().ok();
    for flags in [
        &["--proto", orders, "other/z.proto"][..],
        &["--proto", orders, "--proto", "other/z.proto"],
        &["--proto", orders, "other/z.proto", "-I", "protos", "."],
        &[
            "--proto",
            "shop/v1/orders.proto",
            "shop/v1/money.proto",
            "z.proto",
            "-I",
            "protos",
            "--import-path",
            "other",
        ],
        &["--descriptor-set", "set", "--proto", "other/z.proto"],
        &["--descriptor-set", "set", "--proto", "other/z.proto", "protos/shop/v1/money.proto", "-I", "protos", "."],
    ] {
        let line = "mscomm grpc call shop.v1.Orders/Get -d '{}'; mscomm grpc call z.Z/F -d '{}'; mscomm grpc describe shop.v1.Money";
        let done = shop.sandbox(&[flags, &["--stub", "stubs.json", "more.json"]].concat(), line).run().ok();
        assert_eq!(done.lines()[..2], [r#"{"id":"1"}"#, "{}"], "{flags:?}");
        assert!(done.text().contains("string currency = 1;"), "{flags:?}: {}", done.text());
    }
}

#[test]
fn grpcurl_lists_describes_and_calls() {
    let shop = Shop::new(
        r#"{
          "shop.v1.Orders/Get": [{"match": {"id": 1}, "response": {"id": 1, "price": {"units": "2"}}},
            {"status": {"code": 5, "message": "no such order", "details": [
              {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "GONE"}]}}],
          "shop.v1.Orders/Talk": {"response": {"state": "OPEN"}},
          "old.Old/Get": {"response": {"name": "n", "[old.extra]": 3}}
        }"#,
    );
    shop.write(
        "old.proto",
        r#"syntax = "proto2"; package old;
        import "google/protobuf/descriptor.proto";
        extend google.protobuf.MethodOptions { optional string path = 50001; }
        message M { required string name = 1; extensions 100 to 200; }
        extend M { optional int32 extra = 100; }
        service Old { rpc Get(M) returns (M) { option (path) = "/old"; } }"#,
    );
    let flags = ["--proto", "protos/shop/v1/orders.proto", "old.proto", "--stub", "stubs.json"];
    let grpcurl = |args: &str| {
        let line = format!("$MSCOMM_TEST_GRPCURL -plaintext {}", args.replace("AT", "$MSCOMM_SANDBOX_GRPC"));
        shop.sandbox(&flags, &line).env("MSCOMM_TEST_GRPCURL", test_env("GRPCURL")).run()
    };
    let all = [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "helloworld.Greeter",
        "mscomm.sandbox.v1.Echo",
        "old.Old",
        "shop.v1.Orders",
    ];
    assert_eq!(grpcurl("AT list").ok().lines(), all);
    assert_eq!(grpcurl("AT list old.Old").ok().lines(), ["old.Old.Get"]);
    for (symbol, text) in [
        ("shop.v1.Orders", "rpc Talk ( stream .shop.v1.Ask ) returns ( stream .shop.v1.Order );"),
        ("shop.v1.Order", ".google.protobuf.Timestamp at = 4;"),
        ("shop.v1.State", "PAID = 2;"),
        ("old.Old", "option (.old.path) = \"/old\";"),
        ("old.extra", "optional int32 extra = 100;"),
        ("grpc.health.v1.Health", "rpc Check"),
    ] {
        let done = grpcurl(&format!("AT describe {symbol}")).ok();
        assert!(done.text().contains(text), "{symbol}: {}", done.text());
    }
    let compact = |done: Done| done.text().split_whitespace().collect::<String>();
    let got = grpcurl(r#"-d '{"id":1}' AT shop.v1.Orders/Get"#).ok();
    assert_eq!(compact(got), r#"{"id":"1","price":{"units":"2"}}"#);
    let talked = grpcurl(r#"-d '{"id":1}{"id":2}' AT shop.v1.Orders/Talk"#).ok();
    assert_eq!(compact(talked), r#"{"state":"OPEN"}{"state":"OPEN"}"#);
    let old = grpcurl(r#"-d '{"name":"x","[old.extra]":1}' AT old.Old/Get"#).ok();
    assert_eq!(compact(old), r#"{"name":"n","[old.extra]":3}"#);
    grpcurl(r#"-d '{"id":2}' AT shop.v1.Orders/Get"#).exits(69).says(&["no such order", "\"reason\": \"GONE\""]);
    grpcurl("-d '{\"service\":\"shop.v1.Orders\"}' AT grpc.health.v1.Health/Check").ok();
}

#[test]
fn what_is_wrong_in_a_stub_file_is_said_before_anything_starts() {
    let shop = Shop::new("");
    for (text, says) in [
        ("", "stubs.json:1:1: EOF while parsing"),
        ("[]", "expected an object of methods and their stubs"),
        ("{\"shop.v1.Orders/Get\":\n  {\"response\": {},}}", "stubs.json:2:19: "),
        (r#"{"shop.v1.Orders/Gett": {}}"#, "did you mean `shop.v1.Orders/Get`?"),
        (r#"{"x/y": {}}"#, "there is no method `x/y`"),
        (r#"{"shop.v1.Orders/Get": {"respons": {}}}"#, "unknown field `respons`, expected one of `match`"),
        (
            "{\"shop.v1.Orders/Get\": [{\"response\": {}},\n {\"response\": {\"price\": {\"unitz\": 3}}}]}",
            "stubs.json:2:32: shop.v1.Orders/Get[1].response: shop.v1.Money has no field `price.unitz`; did you mean `units`?",
        ),
        (r#"{"shop.v1.Orders/Get": {"response": {"id": "x"}}}"#, "shop.v1.Orders/Get.response: id: invalid digit"),
        (
            r#"{"shop.v1.Orders/Get": {"match": {"idd": 1}, "response": {}}}"#,
            "Get.match: shop.v1.Ask has no field `idd`",
        ),
        (r#"{"shop.v1.Orders/Get": {"status": "FOUND"}}"#, "Get.status: \"FOUND\" is no status code"),
        (r#"{"shop.v1.Orders/Get": {"status": {"code": 17}}}"#, "Get.status.code: 17 is no status code"),
        (r#"{"shop.v1.Orders/Get": {"status": {"code": 5, "msg": ""}}}"#, "unknown field `msg`"),
        (
            r#"{"shop.v1.Orders/Get": {"status": {"code": 5, "details": [{}]}}}"#,
            "details[0]: a detail needs its `@type`",
        ),
        (r#"{"shop.v1.Orders/Get": {"status": {"code": 5, "details": [{"@type": "t/x.Y"}]}}}"#, "no message `x.Y`"),
        (
            r#"{"shop.v1.Orders/Get": {"status": {"code": 5, "details": [{"@type": "t/google.rpc.ErrorInfo", "why": 1}]}}}"#,
            "details[0]: unrecognized field name 'why'",
        ),
        (r#"{"shop.v1.Orders/Get": {}}"#, "the method has one response: give `response`"),
        (r#"{"shop.v1.Orders/Get": {"responses": [{}, {}]}}"#, "the method has one response, and here are 2"),
        (r#"{"shop.v1.Orders/Get": {"response": {}, "responses": []}}"#, "either `response` or `responses`"),
        (r#"{"shop.v1.Orders/Get": {"response": {}, "delay": "5"}}"#, "did you mean `5s`?"),
        (r#"{"shop.v1.Orders/Get": {"response": {}, "times": 0}}"#, "Get.times: "),
        (r#"{"shop.v1.Orders/Get": {"response": {}, "probability": 2}}"#, "2 is no probability"),
        (r#"{"shop.v1.Orders/Get": {"response": {}, "headers": {"grpc-status": "1"}}}"#, "set by gRPC itself"),
        (r#"{"shop.v1.Orders/Get": {"response": {}, "headers": {"a": 1}}}"#, "metadata `a` takes a string"),
        (
            r#"{"shop.v1.Orders/Get": {"response": {}, "trailers": {"a-bin": "x"}}}"#,
            "Get.trailers: metadata `a-bin` takes {",
        ),
        (
            r#"{"shop.v1.Orders/Get": {"response": {}, "when": "end"}}"#,
            "`when` is for methods with a stream of requests",
        ),
        (r#"{"shop.v1.Orders/Import": {"response": {}, "when": "each"}}"#, "cannot answer each request"),
        (r#"{"shop.v1.Orders/Talk": {"match": [{}]}}"#, "answered at their end"),
        (r#"{"shop.v1.Orders/Talk": [{"when": "each"}, {"when": "end"}]}"#, "give each the same `when`"),
        (r#"{"shop.v1.Orders/Get": {"reset": "stream", "status": 1}}"#, "either with a `status` or a `reset`"),
        (r#"{"shop.v1.Orders/Get": {"reset": "all"}}"#, "expected `stream` or `connection`"),
        (r#"{"z/Z": {}, "z/Z": {}}"#, "`z/Z` comes twice"),
    ] {
        shop.write("stubs.json", text);
        shop.run("echo started").fails(2).says(&["stubs.json:", says]);
        assert!(!shop.0.path().join("log").exists(), "{text}: a log was made");
    }
}

#[test]
fn files_that_cannot_be_used_are_said_before_anything_starts() {
    let shop = Shop::new("{}");
    shop.write("bad.proto", "syntax = \"proto3\";\nmessage M { X x = 1; }\n");
    shop.write("v1/orders.proto", ORDERS);
    shop.write("empty", "");
    shop.write("twice.proto", "syntax = \"proto3\"; package shop.v1; message Money {}");
    for (flags, code, says) in [
        (&["--stub", "nowhere.json"][..], 10, "cannot read nowhere.json: No such file"),
        (&["--stub", "."], 10, "cannot read ."),
        (&["--proto", "nowhere.proto"], 10, "cannot read nowhere.proto: No such file"),
        (&["--proto", "v1"], 10, "cannot read v1: is a directory"),
        (&["--proto", "bad.proto"], 2, "bad.proto:2:13: name 'X' is not defined"),
        (&["--proto", "stubs.json"], 2, "stubs.json:1:1: expected"),
        (&["--proto", "v1/orders.proto"], 2, "import 'shop/v1/money.proto' not found"),
        (&["--proto", "v1/orders.proto"], 2, "with -I"),
        (&["--proto", "bad.proto", "-I", "protos"], 2, "with -I"),
        (&["--proto", "protos/shop/v1/money.proto", "twice.proto"], 2, "'shop.v1.Money' is already defined"),
        (&["--descriptor-set", "nowhere"], 10, "cannot read nowhere"),
        (&["--descriptor-set", "bad.proto"], 2, "bad.proto is no descriptor set"),
        (&["--descriptor-set", "empty"], 2, "the descriptor set empty is empty"),
        (&["--log", "nowhere/log"], 10, "cannot write the log nowhere/log: No such file"),
        (&["--log", "."], 10, "cannot write the log .: Is a directory"),
    ] {
        shop.sandbox(flags, "echo started").run().fails(code).says(&[says]);
    }
}

#[test]
fn a_log_that_cannot_be_written_does_not_stop_the_answers() {
    let shop = Shop::new("{}");
    let line = "mscomm grpc call helloworld.Greeter/SayHello -d '{}'";
    let done = shop.sandbox(&["--log", "/dev/full"], line).run().ok();
    assert_eq!(done.lines(), [r#"{"message":"Hello world"}"#]);
    assert_eq!(done.stderr.matches("cannot write the log /dev/full").count(), 1, "{}", done.stderr);
}

#[test]
fn a_caller_that_leaves_is_logged() {
    let shop = Shop::new(r#"{"shop.v1.Orders/Talk": {"response": {}}}"#);
    let line = "mkfifo in; mscomm grpc call shop.v1.Orders/Talk < in > out & exec 3> in; echo '{}' >&3
        until grep -q message log; do :; done; kill -9 $!; until grep -q cancelled log; do :; done";
    shop.run(line).ok();
    assert_eq!(told(&shop.log()), [json!([1, "headers"]), json!([1, "message", {}]), json!([1, "cancelled"])]);
}
