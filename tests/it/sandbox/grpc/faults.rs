//! Everything is checked before anything starts.

use super::{ORDERS, Shop};

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
            "stubs.json:2:26: shop.v1.Orders/Get[1].response: price: shop.v1.Money has no field `unitz`; did you mean `units`?",
        ),
        (
            r#"{"shop.v1.Orders/Get": {"response": {"id": "x"}}}"#,
            "shop.v1.Orders/Get.response: id: `x` is not a whole number from",
        ),
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
            "details[0]: google.rpc.ErrorInfo has no field `why`",
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
