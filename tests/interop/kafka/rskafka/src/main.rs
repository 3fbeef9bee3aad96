//! rskafka through what a cluster offers; prints what must be the same on every one. It knows neither groups nor transactions.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{TimeZone, Utc};
use rskafka::client::ClientBuilder;
use rskafka::client::partition::{Compression, OffsetAt, UnknownTopicHandling};
use rskafka::record::Record;

const FIRST_MS: i64 = 1_700_000_000_000;

fn record(key: Option<&str>, value: Option<String>, number: i64) -> Record {
    Record {
        key: key.map(|key| key.as_bytes().to_vec()),
        value: value.map(String::into_bytes),
        headers: BTreeMap::from([("codec".to_owned(), b"some".to_vec()), ("empty".to_owned(), Vec::new())]),
        timestamp: Utc.timestamp_millis_opt(FIRST_MS + number).unwrap(),
    }
}

fn text(bytes: Option<&Vec<u8>>) -> String {
    bytes.map_or("none".to_owned(), |bytes| String::from_utf8_lossy(bytes).chars().take(12).collect())
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let brokers = std::env::var("KAFKA_BROKERS").unwrap().split(',').map(str::to_owned).collect();
    let topic = format!("{}-rskafka", std::env::var("KAFKA_NAME").unwrap());
    let client = ClientBuilder::new(brokers).client_id("rskafka").build().await.unwrap();
    let controller = client.controller_client().unwrap();
    controller.create_topic(&topic, 2, 1, 5_000).await.unwrap();
    for bad in [topic.as_str(), "no/name"] {
        println!("bad {}", controller.create_topic(bad, 1, 1, 5_000).await.unwrap_err());
    }
    let listed = client.list_topics().await.unwrap();
    for it in listed.iter().filter(|it| it.name == topic) {
        println!("listed {} {:?}", it.name, it.partitions);
    }
    let mut number = 0;
    for index in 0..2 {
        let partition = client.partition_client(&topic, index, UnknownTopicHandling::Retry).await.unwrap();
        for codec in [Compression::NoCompression, Compression::Gzip, Compression::Lz4, Compression::Snappy, Compression::Zstd] {
            let records = (0..4).map(|i| {
                number += 1;
                record((i > 0).then_some("key"), (i != 2).then(|| format!("{codec:?} {i} ").repeat(30)), number)
            });
            let sent = partition.produce(records.collect(), codec).await.unwrap();
            println!("sent {index} {codec:?} {:?}", sent);
        }
        let mut offset = 0;
        while offset < 20 {
            let (came, end) = partition.fetch_records(offset, 1..1_000_000, 1_000).await.unwrap();
            for it in came.iter().filter(|it| it.offset >= offset) {
                let Record { key, value, headers, timestamp } = &it.record;
                println!("read {index}@{} {} {}={} {headers:?}", it.offset, timestamp.timestamp_millis(), text(key.as_ref()), text(value.as_ref()));
            }
            println!("end {end}");
            offset = came.last().map_or(offset, |last| last.offset + 1);
        }
        let time = Utc.timestamp_millis_opt(FIRST_MS + 7).unwrap();
        for at in [OffsetAt::Earliest, OffsetAt::Latest, OffsetAt::Timestamp(time)] {
            println!("offset {index} {at:?} {:?}", partition.get_offset(at).await);
        }
        partition.delete_records(3, 1_000).await.unwrap();
        println!("deleted {:?}", partition.get_offset(OffsetAt::Earliest).await);
        println!("before {}", partition.fetch_records(1, 1..1_000_000, 1_000).await.unwrap_err());
        println!("beyond {}", partition.fetch_records(99, 1..1_000_000, 1_000).await.unwrap_err());
    }
    let none = client.partition_client(format!("{topic}-none"), 0, UnknownTopicHandling::Error).await;
    println!("none {}", none.is_err());
    controller.delete_topic(&topic, 5_000).await.unwrap();
    let gone = async {
        while client.list_topics().await.unwrap().iter().any(|it| it.name == topic) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    println!("gone {}", tokio::time::timeout(Duration::from_secs(30), gone).await.is_ok());
}
