//! What servers told of themselves, kept for who asks for it.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use super::servers::sandbox;
use crate::support::{Done, Run, mscomm};

fn run(cache: &tempfile::TempDir, args: &[&str]) -> Done {
    let run: Run = mscomm(&[&["grpc"], args].concat());
    run.env("XDG_CACHE_HOME", cache.path()).run()
}

fn kept(cache: &tempfile::TempDir) -> Vec<Value> {
    let lines = run(cache, &["cache", "list", "-o", "json"]).ok().lines();
    lines.iter().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[test]
fn descriptions_are_kept_only_on_demand_and_dropped() {
    let cache = tempfile::tempdir().expect("a folder");
    let call = |extra: &[&str]| {
        let fixed = ["call", "helloworld.Greeter/SayHello", "-s", sandbox(), "-d", r#"{"name":"a"}"#, "-v"];
        run(&cache, &[&fixed, extra].concat()).ok()
    };
    call(&[]);
    assert_eq!(kept(&cache), Vec::<Value>::new());
    call(&["--descriptor-cache", "1h"]);
    let server = format!("http://{}", sandbox());
    assert_eq!(kept(&cache)[0]["server"], server);
    let folder = cache.path().join("mscomm/descriptors");
    let file = std::fs::read_dir(&folder).expect("reads").next().expect("a file").expect("reads").path();
    assert_eq!(std::fs::metadata(&file).expect("is there").permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(&folder).expect("is there").permissions().mode() & 0o777, 0o700);
    // It is believed: with another description in its place, the method is not there, and the server is asked again.
    let good = std::fs::read(&file).expect("reads");
    for broken in [b"\xff".to_vec(), Vec::new(), good[..good.len() / 2].to_vec()] {
        std::fs::write(&file, broken).expect("writes");
        assert_eq!(call(&["--descriptor-cache", "1h"]).text(), "{\"message\":\"Hello a\"}\n");
        assert_eq!(std::fs::read(&file).expect("reads"), good);
    }
    run(&cache, &["cache", "clear", "nosuch"]).fails(8).says(&["the cache has no server `nosuch`", &server]);
    run(&cache, &["cache", "clear", &server]).ok();
    assert_eq!(kept(&cache), Vec::<Value>::new());
}

#[test]
fn what_is_kept_is_used_without_asking() {
    let cache = tempfile::tempdir().expect("a folder");
    let list = |age: &str| run(&cache, &["list", "-s", sandbox(), "--descriptor-cache", age]);
    let names = list("1h").ok().text();
    let file = std::fs::read_dir(cache.path().join("mscomm/descriptors")).expect("reads").next().expect("a file");
    let file = file.expect("reads").path();
    let text = std::fs::read(&file).expect("reads");
    let at = text.windows(7).position(|w| w == b"Greeter").expect("a service");
    let mut other = text.clone();
    other[at..at + 7].copy_from_slice(b"Grooter");
    std::fs::write(&file, &other).expect("writes");
    assert_eq!(list("1h").ok().text(), names.replace("Greeter", "Grooter"));
    // Too old.
    assert_eq!(list("1ns").ok().text(), names);
}
