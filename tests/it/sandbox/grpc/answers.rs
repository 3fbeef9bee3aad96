//! What stubs answer, and when.

use serde_json::{Value, json};

use super::{Shop, told};

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
          "shop.v1.Orders/Import": {"when": "first", "status": "ABORTED"},
          "shop.v1.Orders/Talk": [{"match": {"id": 3}, "responses": [{"id": 4}], "status": "DATA_LOSS"}, {"response": {}}]
        }"#,
    );
    let line = r#"call() { mscomm grpc call "shop.v1.Orders/$@"; echo "$?"; }
        call Get -d '{"id":1}'
        call Get -d '{}'
        call Watch -d '{"id":1}'
        call Watch -d '{}'
        yes '{}' | call Import
        call Talk -d '{}{"id":3}{}'"#;
    let done = shop.run(line).ok().says(&["the server reset it"]);
    assert_eq!(
        done.lines(),
        ["9", "9", r#"{"id":"1"}"#, r#"{"id":"2"}"#, "9", r#"{"id":"3"}"#, "9", "74", "{}", r#"{"id":"4"}"#, "79"]
    );
    let ends: Vec<Value> = told(&shop.log()).into_iter().filter(|e| e[1] != "headers" && e[1] != "message").collect();
    let expected = [
        json!([1, "reset", "stream"]),
        json!([2, "reset", "connection"]),
        json!([3, "reset", "stream"]),
        json!([4, "reset", "connection"]),
        json!([5, "status", 10]),
        json!([6, "status", 15]),
    ];
    assert_eq!(ends, expected);
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
