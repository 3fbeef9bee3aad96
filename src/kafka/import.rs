//! Settings out of the files of other tools: kcat's and librdkafka's (`kcat.conf`), Java's (`client.properties`).

use super::client::property_names;
use super::settings::MECHANISMS;
use crate::config::{Imported, Problem};

/// What only Java's client has.
const OF_JAVA: &[&str] = &[
    "sasl.jaas.config",
    "ssl.truststore.",
    "ssl.keystore.",
    "key.serializer",
    "value.serializer",
    "key.deserializer",
    "value.deserializer",
    "client.dns.lookup",
];

/// What a command says that uses them, and no profile.
const OF_A_COMMAND: &[(&str, &str)] = &[
    ("group.id", "say --group"),
    ("auto.offset.reset", "say --from"),
    ("enable.auto.commit", "offsets are committed once the output is written"),
    ("enable.auto.offset.store", "offsets are committed once the output is written"),
    ("enable.partition.eof", "say --until-end"),
    ("transactional.id", "there are no transactions yet"),
];

/// Reads a file of properties; `None` when it is none of a Kafka client.
pub(crate) fn import(text: &str) -> Option<Result<Imported, Problem>> {
    let is_java = OF_JAVA.iter().any(|name| text.contains(name));
    let properties = properties(text, is_java);
    let is_one = |(name, _): &(String, String)| {
        matches!(name.as_str(), "bootstrap.servers" | "metadata.broker.list") || name == "security.protocol"
    };
    properties.iter().any(is_one).then(|| Ok(Found::of(&properties).imported))
}

/// What came of the properties so far.
#[derive(Default)]
struct Found {
    imported: Imported,
}

impl Found {
    fn of(properties: &[(String, String)]) -> Found {
        let mut found = Found::default();
        let get = |name: &str| properties.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let known = property_names();
        for (name, value) in properties {
            match name.as_str() {
                "bootstrap.servers" | "metadata.broker.list" => {
                    let brokers: Vec<&str> = value.split(',').map(str::trim).collect();
                    found.set("server", brokers.join(","));
                }
                "security.protocol" => match value.to_ascii_uppercase().as_str() {
                    "SSL" | "SASL_SSL" => found.set("tls", "true"),
                    _ => {}
                },
                "sasl.mechanism" | "sasl.mechanisms" => match MECHANISMS.contains(&value.as_str()) {
                    true => found.set("sasl.mechanism", value),
                    false => {
                        found.leave(name, format!("{value} is not supported; there are {}", MECHANISMS.join(", ")))
                    }
                },
                "sasl.username" | "sasl.password" => found.set(name, value),
                "sasl.jaas.config" => found.jaas(name, value),
                "ssl.ca.location" => found.set("tls_ca", value),
                "ssl.certificate.location" => found.set("tls_cert", value),
                "ssl.key.location" => found.set("tls_key", value),
                "enable.ssl.certificate.verification" if value == "false" => found.set("insecure", "true"),
                "ssl.endpoint.identification.algorithm" if value.is_empty() => {
                    found.set("extra.ssl.endpoint.identification.algorithm", "none");
                }
                "ssl.truststore.location" | "ssl.keystore.location" => {
                    let store = name.trim_end_matches("location");
                    let is_pem = get(&format!("{store}type")).is_some_and(|kind| kind.eq_ignore_ascii_case("PEM"));
                    match (is_pem, store) {
                        (true, "ssl.truststore.") => found.set("tls_ca", value),
                        (true, _) => {
                            found.set("tls_cert", value);
                            found.set("tls_key", value);
                        }
                        (false, _) => found.leave(
                            name,
                            "a Java keystore cannot be read here: write it as PEM with `keytool -importkeystore \
                             -deststoretype PKCS12` and `openssl pkcs12 -nodes`, and name the files as tls_ca, tls_cert, tls_key",
                        ),
                    }
                }
                "ssl.truststore.type" | "ssl.keystore.type" => {}
                _ => match OF_A_COMMAND.iter().find(|(command, _)| command == name) {
                    Some((_, why)) => found.leave(name, *why),
                    None if known.iter().any(|property| property == name) => {
                        found.set(&format!("extra.{name}"), value);
                    }
                    None => found.leave(name, "librdkafka has no such property"),
                },
            }
        }
        found
    }

    fn set(&mut self, key: &str, value: impl Into<String>) {
        self.imported.values.push((key.to_owned(), value.into()));
    }

    fn leave(&mut self, name: &str, why: impl std::fmt::Display) {
        self.imported.left_out.push(format!("{name}: {why}"));
    }

    /// The login module of Java, its user and password, as `… required username="u" password="p";`.
    fn jaas(&mut self, name: &str, value: &str) {
        let option = |name: &str| {
            let at = value.find(&format!("{name}="))? + name.len() + 1;
            let rest = value[at..].strip_prefix('"')?;
            // A quote inside is written behind a backslash.
            let (mut text, mut is_escaped) = (String::new(), false);
            for c in rest.chars() {
                match c {
                    '\\' if !is_escaped => is_escaped = true,
                    '"' if !is_escaped => return Some(text),
                    c => {
                        text.push(c);
                        is_escaped = false;
                    }
                }
            }
            None
        };
        match (option("username"), option("password")) {
            (Some(username), Some(password)) => {
                self.set("sasl.username", username);
                self.set("sasl.password", password);
            }
            _ => self.leave(name, "it has no username and password in quotes"),
        }
    }
}

/// The properties of a file, in their order. Java's have its escapes, its separators and its long lines (java.util.Properties).
fn properties(text: &str, is_java: bool) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let mut line = line.trim_start().to_owned();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        while is_java && line.ends_with('\\') && !line.ends_with("\\\\") {
            line.pop();
            line.push_str(lines.next().unwrap_or_default().trim_start());
        }
        let separators: &[char] = if is_java { &['=', ':', ' ', '\t'] } else { &['='] };
        let at = line.find(separators).unwrap_or(line.len());
        let (name, rest) = line.split_at(at);
        let rest = rest.trim_start();
        let value = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start();
        let value = if is_java { unescaped(value) } else { value.trim_end().to_owned() };
        found.push((name.trim_end().to_owned(), value));
    }
    found
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some('t') => out.push('\t'),
                Some('f') => out.push('\u{c}'),
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    out.extend(u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32));
                }
                other => out.extend(other),
            },
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imported(text: &str) -> (Vec<String>, Vec<String>) {
        let Imported { values, left_out } = import(text).expect("Kafka's").expect("good");
        (values.into_iter().map(|(key, value)| format!("{key}={value}")).collect(), left_out)
    }

    #[test]
    fn of_kcat() {
        let (values, left_out) = imported(
            "# prod\nmetadata.broker.list=k1:9093, k2:9093\nsecurity.protocol=sasl_ssl\nsasl.mechanisms=SCRAM-SHA-512\n\
             sasl.username=app\nsasl.password=a\\b=c \nssl.ca.location=/ca.pem\nclient.rack=a\ngroup.id=g\nnosuch=1\n",
        );
        let expected = [
            "server=k1:9093,k2:9093",
            "tls=true",
            "sasl.mechanism=SCRAM-SHA-512",
            "sasl.username=app",
            "sasl.password=a\\b=c",
            "tls_ca=/ca.pem",
            "extra.client.rack=a",
        ];
        assert_eq!(values, expected);
        assert_eq!(left_out, ["group.id: say --group", "nosuch: librdkafka has no such property"]);
        assert!(import("a=b\n").is_none() && import("amqp://h").is_none());
    }

    #[test]
    fn of_java() {
        let (values, left_out) = imported(
            "bootstrap.servers: k1:9093\\\n   ,k2:9093\nsecurity.protocol=SASL_SSL\nsasl.mechanism=PLAIN\n\
             sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \\\n  \
             username=\"app\" password=\"p\\\\\"w\\u0041\";\nssl.truststore.type=PEM\nssl.truststore.location=/ca.pem\n\
             ssl.keystore.location=/k.jks\nssl.endpoint.identification.algorithm=\nkey.serializer=x.Y\n",
        );
        let expected = [
            "server=k1:9093,k2:9093",
            "tls=true",
            "sasl.mechanism=PLAIN",
            "sasl.username=app",
            "sasl.password=p\"wA",
            "tls_ca=/ca.pem",
            "extra.ssl.endpoint.identification.algorithm=none",
        ];
        assert_eq!(values, expected);
        assert!(left_out[0].starts_with("ssl.keystore.location: a Java keystore"), "{left_out:?}");
        assert_eq!(left_out[1..], ["key.serializer: librdkafka has no such property"]);
        let (_, left_out) = imported("bootstrap.servers=k\nsasl.mechanism=OAUTHBEARER\nsasl.jaas.config=x required;\n");
        assert!(left_out[0].contains("OAUTHBEARER is not supported") && left_out[1].contains("no username"));
    }
}
