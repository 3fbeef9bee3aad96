//! The log of what comes in.

use serde_json::{Value, json};

use super::{Shop, told};

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
    let done = shop.run(line).ok();
    assert_eq!((done.stderr.as_str(), done.lines().len()), ("", 600));
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
