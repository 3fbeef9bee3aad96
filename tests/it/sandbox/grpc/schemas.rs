//! Schemas of any form, and grpcurl, which finds them by reflection.

use super::Shop;
use crate::support::{Done, test_env};

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
fn a_large_schema_is_told_in_parts() {
    let shop = Shop::new("{}");
    let comment = "// A long explanation of what this is about.\n".repeat(30_000);
    let mut user = "syntax = \"proto3\"; package big;\n".to_owned();
    for n in 1..=5 {
        shop.write(&format!("m{n}.proto"), &format!("syntax = \"proto3\"; package big;\n{comment}message M{n} {{}}\n"));
        user.push_str(&format!("import \"m{n}.proto\";\n"));
    }
    user.push_str(
        "service Big { rpc F(M1) returns (M5); }\nmessage All { M1 m1 = 1; M2 m2 = 2; M3 m3 = 3; M4 m4 = 4; }\n",
    );
    shop.write("big.proto", &user);
    // grpcurl takes 4 MiB at once, and all of it has more.
    let line = "$MSCOMM_TEST_GRPCURL -plaintext -d '{}' $MSCOMM_SANDBOX_GRPC big.Big/F; mscomm grpc describe big.All";
    let run = shop.sandbox(&["--proto", "big.proto"], line).env("MSCOMM_TEST_GRPCURL", test_env("GRPCURL")).run();
    let done = run.ok().says(&["Code: Unimplemented", "no stub of big.Big/F"]);
    assert!(done.text().contains(".big.M4 m4 = 4;"), "{}", done.text());
}
