//! That the tests of the layout find what they look for.

use super::circles::circles;
use super::modules::{Meaning, Modules};
use super::rules::faults;

fn of(files: &[(&str, &str)]) -> Modules {
    let text = |name: &str| files.iter().find(|(file, _)| *file == name).map(|(_, text)| (*text).to_owned());
    Modules::parse(&text)
}

/// A crate of the usual folders, with this in one file of amqp's client.
fn with(text: &str) -> Modules {
    of(&[
        ("lib.rs", "mod amqp; mod kafka; mod output; mod flow; mod error;"),
        ("amqp/mod.rs", "mod client; pub use client::Client;"),
        ("amqp/client/mod.rs", "mod wire; pub struct Client;"),
        ("amqp/client/wire.rs", text),
        ("kafka/mod.rs", "pub mod ffi; pub fn run() {}"),
        ("kafka/ffi.rs", "pub struct Feed;"),
        ("output/mod.rs", "mod sink; pub use sink::{self as given, Sink}; pub fn show() {}"),
        ("output/sink.rs", "pub struct Sink;"),
        ("flow.rs", "pub struct Flow;"),
        ("error.rs", "pub struct Error;"),
    ])
}

#[test]
fn whatever_is_named_is_found() {
    for (text, found) in [
        ("use super::super::super::kafka;", "kafka"),
        ("use super::super::super::kafka::{self, run};", "kafka run"),
        ("use crate::{error::Error, kafka::ffi::Feed};", "kafka ffi Feed"),
        ("use crate::{kafka as k}; fn f() { k::ffi::Feed; }", "kafka ffi Feed"),
        ("use crate::kafka::*; fn f() { ffi::Feed; }", "kafka ffi Feed"),
        ("fn f() { crate::output::show() }", "output show"),
        ("fn f(x: Option<&'_ [crate::output::Sink]>) {}", "output sink Sink"),
        ("fn f() { use crate::output::Sink; }", "output sink Sink"),
        ("fn f() { crate::output::given::Sink; }", "output sink Sink"),
        ("fn f() { format!(\"{}\", [(crate::output::show(), 1)]) }", "output show"),
        ("#[derive(crate::output::Sink)] struct A;", "output sink Sink"),
        ("struct A { #[serde(with = \"crate::output::show\")] b: u8 }", "output show"),
        ("impl<T: Into<crate::output::Sink>> A for T {}", "output sink Sink"),
        ("#[cfg(test)] fn a() {} fn f() { crate::output::show() }", "output show"),
        ("#[cfg(test)] mod tests { fn a() {} } impl A { fn f() { crate::output::show() } }", "output show"),
        ("#[cfg(not(test))] fn f() { crate::output::show() }", "output show"),
        ("mod inner { fn f() { super::super::super::super::kafka::run() } }", "kafka run"),
    ] {
        let modules = with(text);
        let here = |path: &[String]| path.iter().take(3).eq(["amqp", "client", "wire"]);
        let all =
            modules.of.iter().filter(|(path, _)| here(path)).flat_map(|(path, module)| {
                module.namings.iter().flat_map(|naming| modules.resolve(path, &naming.path))
            });
        let all = all.map(|Meaning { module, item, .. }| module.into_iter().chain(item).collect::<Vec<_>>().join(" "));
        let all: Vec<String> = all.collect();
        assert!(all.iter().any(|meaning| meaning == found), "{text}: {all:?}");
        assert!(!faults(&modules).is_empty(), "{text}");
    }
}

#[test]
fn what_may_be_named_is_no_fault() {
    for text in [
        "use crate::flow::Flow; use crate::error::Error; use super::Client; use std::fmt;",
        "#[cfg(test)] mod tests { use crate::output::show; }",
        "#[cfg(all(test, unix))] fn f() { crate::output::show() }",
        "impl A { #[cfg(test)] fn f() { crate::output::show() } }",
        "/// See [`crate::output::show`].\npub(in crate::output) fn f() { output::show(); }",
    ] {
        assert_eq!(faults(&with(text)), Vec::<String>::new(), "{text}");
    }
    assert_eq!(faults(&with("#[derive(clap::Args)] struct A;")).len(), 1);
}

#[test]
fn circles_are_found_in_every_folder() {
    let found = |a: &str, own: &str, b: &str| {
        circles(&of(&[
            ("lib.rs", "mod f; mod error;"),
            ("error.rs", "pub struct Error;"),
            ("f/mod.rs", &format!("mod a; mod b; pub struct Own; {own}")),
            ("f/a/mod.rs", &format!("mod c; {a}")),
            ("f/a/c.rs", "pub struct C; use crate::f::b::B;"),
            ("f/b.rs", &format!("pub struct B; pub fn b() {{}} {b}")),
        ]))
    };
    // What is below a module is its own.
    assert_eq!(found("", "", "").len(), 0);
    let circle = found("", "", "use super::a::c::C;");
    assert_eq!(circle.len(), 1);
    assert!(
        circle[0].starts_with("a circle in src/f:\n  a → b: src/f/a/c.rs:1 names crate::f::b::B\n  b → a:"),
        "{circle:?}"
    );
    // A re-export is no step, and hides none.
    assert_eq!(found("", "pub use a::D; pub use b::B;", "").len(), 0);
    assert_eq!(found("pub struct D;", "pub use a::D;", "use super::D;").len(), 1);
    // Types of the parent, and functions of it.
    assert_eq!(found("", "fn f() { b::b() }", "fn g(x: super::Own) {}").len(), 0);
    assert_eq!(found("", "fn f() { b::b() } fn own() {}", "fn g() { super::own() }").len(), 1);
    assert_eq!(found("", "fn f() { b::b() } const OWN: u8 = 0;", "use super::OWN;").len(), 1);
    assert_eq!(found("", "fn own() {}", "fn g() { super::own() }").len(), 0);
}
