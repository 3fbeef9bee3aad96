//! Fuzzes the sandbox's Kafka brokers: clients that do what clients do, and what none should, in any order and at any time.
//!
//! They must not panic; what they answer must be an answer of the version that was asked for; what is read must have been
//! written, where it is read; what was committed must come back; and when the topics are gone their records must be gone.

#![no_main]

#[path = "kafka/asks.rs"]
mod asks;
#[path = "../../src/sandbox/kafka/broker/mod.rs"]
mod broker;
#[path = "kafka/records.rs"]
mod records;
#[path = "kafka/world.rs"]
mod world;

use std::time::Duration;

use arbitrary::Arbitrary;
use bytes::Bytes;
use kafka_protocol::messages::{ApiKey, RequestHeader};
use kafka_protocol::protocol::{Encodable, StrBytes};
use libfuzzer_sys::fuzz_target;

use asks::Ask;
use world::World;

/// What a client does, or what befalls it.
#[derive(Debug, Arbitrary)]
enum Step {
    Ask(u8, Ask),
    /// The same, with some bytes changed, put in or cut off behind the header.
    Mutated(u8, Ask, Vec<(u16, Change)>),
    /// Anything, behind the header of a request.
    Body {
        api: u8,
        version: u8,
        body: Vec<u8>,
    },
    /// A frame of anything.
    Bytes(Vec<u8>),
    Wait(u16),
    WaitForHours(u8),
    Reconnect,
    Alive(u8, bool),
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Change {
    Flip(u8),
    Set(u8),
    Insert(u8),
    Cut,
    Largest,
}

/// How the brokers are started.
#[derive(Debug, Arbitrary)]
struct Start {
    three: bool,
    users: bool,
    acl: bool,
    topics: u8,
}

fuzz_target!(|input: (Start, Vec<(u8, Step)>)| {
    let (start, steps) = input;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(tokio::task::unconstrained(async {
        let mut world = World::new(start.three, start.users, start.acl, start.topics % 4);
        for (client, step) in steps {
            take(&mut world, usize::from(client) % world::CLIENTS, step).await;
        }
        world.end().await;
    }));
});

async fn take(world: &mut World, client: usize, step: Step) {
    match step {
        Step::Ask(version, ask) => {
            if let Some((key, version, body, about)) = world.body(client, version, ask) {
                world.send(client, &framed(key, version, &body), about);
            }
        }
        Step::Mutated(version, ask, changes) => {
            if let Some((key, version, mut body, _)) = world.body(client, version, ask) {
                changes.iter().take(8).for_each(|(at, change)| change.make(&mut body, usize::from(*at)));
                world.strange(client, &framed(key, version, &body));
            }
        }
        Step::Body { api, version, body } => {
            let (key, min, max) = broker::announced::VERSIONS[usize::from(api) % broker::announced::VERSIONS.len()];
            let version = min + i16::from(version) % (max - min + 1);
            world.strange(client, &framed(key, version, &body));
        }
        Step::Bytes(bytes) => world.strange(client, &bytes.into()),
        Step::Wait(millis) => world.wait(Duration::from_millis(millis.into())).await,
        Step::WaitForHours(hours) => world.wait(Duration::from_secs(3600 * u64::from(hours))).await,
        Step::Reconnect => world.reconnect(client),
        Step::Alive(node, alive) => world.set_alive(node, alive),
    }
    world.settle();
}

/// A frame without its size.
fn framed(key: ApiKey, version: i16, body: &[u8]) -> Bytes {
    let header = RequestHeader::default().with_request_api_key(key as i16).with_request_api_version(version);
    let header = header.with_correlation_id(7).with_client_id(Some(StrBytes::from_static_str("client")));
    let mut bytes = bytes::BytesMut::new();
    header.encode(&mut bytes, key.request_header_version(version)).expect("a header");
    bytes.extend_from_slice(body);
    bytes.freeze()
}

impl Change {
    fn make(self, body: &mut Vec<u8>, at: usize) {
        let at = at % (body.len() + 1);
        match self {
            Change::Insert(byte) => body.insert(at, byte),
            Change::Cut => body.truncate(at),
            Change::Largest => body.iter_mut().skip(at).zip([0x7f, 0xff, 0xff, 0xff]).for_each(|(to, byte)| *to = byte),
            Change::Flip(bits) => body.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= bits),
            Change::Set(is) => body.iter_mut().skip(at).take(1).for_each(|byte| *byte = is),
        }
    }
}
