//! Schemas out of a registry that answers as it is told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;
use crate::codec::schemas::{Reference, SchemaKind};
use crate::kafka::settings::RegistryServer;
use crate::net::http::fake::{self, Asked, Fake, Reply};
use crate::net::http::{Endpoint, Login};
use crate::net::{Policy, TlsSettings};
use crate::shutdown::{Reason, Shutdown};

fn registry(url: &str, shutdown: &Shutdown) -> Registry {
    let (endpoint, _) = Endpoint::parse(url).expect("a URL");
    let policy = Policy { connect_timeout: Duration::from_secs(20), wait: None, on_wait: &|_| (), say: &|_| () };
    let server = RegistryServer { endpoint, login: Login::Nobody, tls: TlsSettings::default() };
    Registry::new(Api::new(server, policy, shutdown.clone()).expect("a client")).expect("a thread")
}

fn entry(subject: &str, version: u32, references: &[(&str, &str, u32)]) -> Reply {
    let pointer =
        |(name, subject, version): &(&str, &str, u32)| json!({ "name": name, "subject": subject, "version": version });
    let references: Vec<Value> = references.iter().map(pointer).collect();
    let entry = json!({
        "subject": subject, "version": version, "id": version + 100, "schemaType": "PROTOBUF",
        "schema": format!("// {subject}"), "references": references,
    });
    fake::json(200, entry.to_string())
}

fn refused(status: u16, code: u32) -> Reply {
    fake::json(status, json!({ "error_code": code, "message": "no such thing" }).to_string())
}

/// `top` refers to `left` and `right`, and both to `base`; `a` and `b` to each other.
fn answer(asked: &Asked) -> Reply {
    match asked.line.as_str() {
        "GET /schemas/ids/7" => entry("top", 1, &[("l.proto", "left", 1), ("r.proto", "right", 2)]),
        "GET /subjects/left/versions/1?deleted=true" => entry("left", 1, &[("b.proto", "base", 3)]),
        "GET /subjects/right/versions/2?deleted=true" => entry("right", 2, &[("b.proto", "base", 3)]),
        "GET /subjects/base/versions/3?deleted=true" => entry("base", 3, &[]),
        "GET /subjects/a/versions/latest" => entry("a", 1, &[("b", "b", 1)]),
        "GET /subjects/b/versions/1?deleted=true" => entry("b", 1, &[("a", "a", 1)]),
        "GET /schemas/ids/9" => refused(500, 50001),
        "GET /schemas/guids/00000000-0000-0000-0000-000000000001" => entry("g", 1, &[]),
        "POST /subjects/new" | "POST /subjects/old" => match asked.body.contains("v2") {
            true => refused(404, 40403),
            false => entry("new", 4, &[]),
        },
        "POST /subjects/new/versions" => fake::json(200, "{\"id\":55}"),
        "POST /subjects/old/versions" => refused(409, 409),
        "GET /subjects" => fake::json(200, "[\"orders-value\"]"),
        line if line.starts_with("GET /") => refused(404, 40403),
        _ => None,
    }
}

#[test]
fn each_schema_is_fetched_once() {
    let fake = Fake::start(usize::MAX, answer);
    let registry = Arc::new(registry(&fake.url, &Shutdown::new(None)));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let registry = registry.clone();
            std::thread::spawn(move || registry.by_id(SchemaId::Number(7)).expect("a schema"))
        })
        .collect();
    let found: Vec<Arc<Schema>> = threads.into_iter().map(|thread| thread.join().expect("ends")).collect();
    assert!(found.iter().all(|schema| Arc::ptr_eq(schema, &found[0])));
    let schema = &found[0];
    assert_eq!((schema.kind, schema.text.as_str(), schema.id), (SchemaKind::Protobuf, "// top", Some(101)));
    let base = |at: usize| schema.references[at].schema.references[0].schema.clone();
    assert!(Arc::ptr_eq(&base(0), &base(1)) && base(0).text == "// base");
    assert_eq!(fake.lines().len(), 4, "{:?}", fake.lines());
    // One that referred to it is known by its version, too.
    assert_eq!(registry.version("right", Some(2)).expect("a schema").references.len(), 1);
    let guid = SchemaId::Guid([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(registry.by_id(guid).expect("a schema").text, "// g");
    assert_eq!(fake.lines().len(), 5);
}

#[test]
fn what_is_not_there() {
    let fake = Fake::start(usize::MAX, answer);
    let registry = registry(&fake.url, &Shutdown::new(None));
    for _ in 0..3 {
        let error = registry.by_id(SchemaId::Number(8)).expect_err("no such id");
        assert_eq!(error.kind(), Kind::Refused);
        for says in ["no schema with the id 8", "no such thing (error code 40403)"] {
            assert!(error.chain().contains(says), "{}", error.chain());
        }
    }
    assert_eq!(fake.lines().len(), 1);
    // What failed may work the next time.
    for asked in 2..4 {
        assert!(registry.by_id(SchemaId::Number(9)).is_err());
        assert_eq!(fake.lines().len(), asked);
    }
    let error = registry.version("order-value", None).expect_err("no such subject");
    assert!(error.fix().is_some_and(|fix| fix.contains("did you mean `orders-value`?")), "{error:?}");
    let error = registry.version("a", None).expect_err("a circle");
    assert!(error.chain().contains("go in a circle: a:1 → b:1 → a:1"), "{}", error.chain());
}

#[test]
fn what_is_written_with_is_looked_for_or_registered() {
    let fake = Fake::start(usize::MAX, answer);
    let registry = registry(&fake.url, &Shutdown::new(None));
    let base = Schema {
        id: Some(1),
        subject: Some("base".to_owned()),
        version: Some(3),
        kind: SchemaKind::Avro,
        text: "{}".to_owned(),
        references: Vec::new(),
    };
    let reference = Reference { name: "shop.Base".to_owned(), schema: Arc::new(base.clone()) };
    let schema = Schema { subject: None, version: None, id: None, references: vec![reference], ..base.clone() };
    for _ in 0..2 {
        let registered = registry.register("new", &schema).expect("registers");
        assert_eq!((registered.id, registered.version), (Some(55), Some(4)));
        assert_eq!(registry.find("new", &schema).expect("is there").and_then(|found| found.id), Some(104));
    }
    let bodies: Vec<String> = fake.asked().into_iter().map(|asked| asked.body).collect();
    let expected = r#"{"schema":"{}","references":[{"name":"shop.Base","subject":"base","version":3}]}"#;
    assert_eq!(bodies, [expected; 3]);
    let other = Schema { text: "v2".to_owned(), ..base.clone() };
    assert_eq!(registry.find("new", &other).expect("an answer"), None);
    let refused = registry.register("old", &other).expect_err("incompatible");
    assert_eq!(refused.kind(), Kind::Refused);
    let loose = Reference { name: "x".to_owned(), schema: Arc::new(Schema { subject: None, ..base.clone() }) };
    let unregistered = registry.register("new", &Schema { references: vec![loose], ..base });
    assert_eq!(unregistered.expect_err("unregistered").kind(), Kind::Usage);
}

/// A stage that waits for a registry blocks the loop that would stop it.
#[test]
fn whoever_has_to_stop_is_not_kept() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    let shutdown = Shutdown::new(None);
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let registry = registry(&url, &shutdown);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let started = Instant::now();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        shutdown.stop(Reason::Interrupt);
    });
    let asked = runtime.block_on(async { registry.by_id(SchemaId::Number(1)) });
    assert_eq!(asked.expect_err("stopped").kind(), Kind::Interrupted);
    assert!(started.elapsed() < Duration::from_secs(10));
}
