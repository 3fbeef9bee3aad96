//! Settings out of the files of other tools: kcat's and librdkafka's (`kcat.conf`), Java's (`client.properties`).

use super::client::is_property;
use super::settings::{MECHANISMS, OAUTHBEARER, known_mechanism};
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
    ("transactional.id", "say --transactional"),
];

/// Reads a file of properties; `None` when it is none of a Kafka client.
pub(crate) fn import(text: &str) -> Option<Result<Imported, Problem>> {
    // The last two are as Java itself writes them.
    let is_java = OF_JAVA.iter().chain(&["\\:", "\\="]).any(|name| text.contains(name));
    let (properties, odd) = properties(text, is_java);
    let is_one = |(name, _): &(String, String)| {
        matches!(name.as_str(), "bootstrap.servers" | "metadata.broker.list" | "security.protocol")
    };
    properties.iter().any(is_one).then(|| {
        let mut imported = Found::of(&properties)?.imported;
        // Not the line: there may be a password in it.
        imported.left_out.extend(odd.iter().map(|line| format!("line {line}: it is no NAME=VALUE")));
        Ok(imported)
    })
}

/// What `security.protocol` and the mechanism say of the connection: what does not belong to it is not used by the other tool either.
struct Security {
    tls: bool,
    /// Why nothing about SASL is used, where it is not.
    no_sasl: Option<String>,
}

impl Security {
    fn of(protocol: Option<&str>, mechanism: Option<&str>) -> Result<Security, Problem> {
        let protocol = protocol.unwrap_or("PLAINTEXT").to_ascii_uppercase();
        let (tls, sasl) = match protocol.as_str() {
            "PLAINTEXT" => (false, false),
            "SSL" => (true, false),
            "SASL_PLAINTEXT" => (false, true),
            "SASL_SSL" => (true, true),
            _ => {
                return Err(Problem::new(
                    "security.protocol says something unknown",
                    "allowed: PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL",
                ));
            }
        };
        let no_sasl = match (sasl, mechanism) {
            (false, _) => Some(format!("security.protocol is {protocol}, which does not log in")),
            (true, Some(mechanism)) if known_mechanism(mechanism).is_ok() => None,
            (true, Some("AWS_MSK_IAM")) => {
                Some(format!("it is {OAUTHBEARER} here, with a command that gives the tokens: `mscomm help logins`"))
            }
            (true, mechanism) => {
                let mechanism = mechanism.unwrap_or("GSSAPI, which it is without sasl.mechanism,");
                Some(format!("{mechanism} is not supported; there are {}", MECHANISMS.join(", ")))
            }
        };
        Ok(Security { tls, no_sasl })
    }
}

/// What came of the properties so far.
#[derive(Default)]
struct Found {
    imported: Imported,
}

impl Found {
    fn of(properties: &[(String, String)]) -> Result<Found, Problem> {
        let mut found = Found::default();
        // The last of a repeated name counts, as in both tools.
        let get = |name: &str| properties.iter().rev().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let mechanism = get("sasl.mechanism").or_else(|| get("sasl.mechanisms"));
        let security = Security::of(get("security.protocol"), mechanism)?;
        if security.tls {
            found.set("tls", "true");
        }
        // Only librdkafka itself reads a key that is encrypted.
        let encrypted = get("ssl.key.password").is_some();
        for (name, value) in properties {
            let is_empty = value.is_empty() && name != "ssl.endpoint.identification.algorithm";
            if get(name) != Some(value.as_str()) || is_empty {
                continue;
            }
            if let (true, Some(why)) = (name.starts_with("sasl."), &security.no_sasl) {
                found.leave(name, why);
                continue;
            }
            if (name.starts_with("ssl.") || name == "enable.ssl.certificate.verification") && !security.tls {
                found.leave(name, "security.protocol says that there is no TLS");
                continue;
            }
            if found.registry(name.strip_prefix("schema.registry.").unwrap_or(name), name, value) {
                continue;
            }
            match name.as_str() {
                "bootstrap.servers" | "metadata.broker.list" => {
                    let brokers: Vec<&str> = value.split(',').map(str::trim).collect();
                    found.set("server", brokers.join(","));
                }
                "security.protocol" => {}
                "sasl.mechanism" | "sasl.mechanisms" => found.set("sasl.mechanism", value),
                "sasl.username" | "sasl.password" => found.set(name, value),
                "sasl.jaas.config" if mechanism == Some(OAUTHBEARER) => found.client(name, value),
                "sasl.jaas.config" => found.jaas(name, value),
                "sasl.oauthbearer.token.endpoint.url" => found.set("sasl.token_url", value),
                "sasl.oauthbearer.client.id" | "sasl.oauthbearer.client.credentials.client.id" => {
                    found.set("sasl.client_id", value);
                }
                "sasl.oauthbearer.client.secret" | "sasl.oauthbearer.client.credentials.client.secret" => {
                    found.set("sasl.client_secret", value);
                }
                "sasl.oauthbearer.scope" => found.set("sasl.scope", value),
                "sasl.oauthbearer.extensions" => found.set("sasl.extensions", value),
                // What a token server is asked by is what is done with it here.
                "sasl.oauthbearer.method" | "sasl.login.callback.handler.class" if mechanism == Some(OAUTHBEARER) => {}
                "ssl.certificate.location" | "ssl.key.location" | "ssl.ca.location" if encrypted => {
                    found.set(&format!("extra.{name}"), value);
                }
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
                    None if is_property(name, value) => {
                        found.set(&format!("extra.{name}"), value);
                    }
                    None => found.leave(name, "librdkafka has no such property, or not this value of it"),
                },
            }
        }
        // One excludes the other here, and the other tools look at no authority then.
        let has = |key: &str| found.imported.values.iter().any(|(of, _)| of == key);
        if has("insecure") && has("tls_ca") {
            found.imported.values.retain(|(of, _)| of != "tls_ca");
            found.leave("ssl.ca.location", "certificates are not checked");
        }
        Ok(found)
    }

    fn set(&mut self, key: &str, value: impl Into<String>) {
        self.imported.values.push((key.to_owned(), value.into()));
    }

    fn leave(&mut self, name: &str, why: impl std::fmt::Display) {
        self.imported.left_out.push(format!("{name}: {why}"));
    }

    /// What Confluent's serializers say of the schema registry, with its prefix or without; false for anything else.
    fn registry(&mut self, short: &str, name: &str, value: &str) -> bool {
        match short {
            "url" if name != short => match value.split_once(',') {
                None => self.set("registry.url", value),
                Some((first, _)) => {
                    self.set("registry.url", first.trim());
                    self.leave(name, "only the first of several is used");
                }
            },
            "basic.auth.credentials.source" | "bearer.auth.credentials.source"
                if matches!(value, "USER_INFO" | "URL" | "STATIC_TOKEN") => {}
            "basic.auth.user.info" => match value.split_once(':') {
                Some((username, password)) => {
                    self.set("registry.username", username);
                    self.set("registry.password", password);
                }
                None => self.leave(name, "it has no user and password"),
            },
            "bearer.auth.token" => self.set("registry.token", value),
            _ => return false,
        }
        true
    }

    /// The login module of Java for tokens, as `… required clientId="c" clientSecret="s" scope="k" extension_logicalCluster="l";`.
    fn client(&mut self, name: &str, value: &str) {
        let options = options(value);
        let mut is_used = false;
        for (option, key) in [("clientId", "client_id"), ("clientSecret", "client_secret"), ("scope", "scope")] {
            if let Some((_, value)) = options.iter().find(|(of, _)| of == option) {
                self.set(&format!("sasl.{key}"), value);
                is_used = true;
            }
        }
        let extensions = options.iter().filter_map(|(of, value)| Some((of.strip_prefix("extension_")?, value)));
        let extensions: Vec<String> = extensions.map(|(key, value)| format!("{key}={value}")).collect();
        if !extensions.is_empty() {
            self.set("sasl.extensions", extensions.join(","));
        }
        if !is_used {
            self.leave(name, "it has no clientId and clientSecret");
        }
    }

    /// The login module of Java, its user and password, as `… required username="u" password="p";`.
    fn jaas(&mut self, name: &str, value: &str) {
        let options = options(value);
        let option = |name: &str| options.iter().find(|(of, _)| of == name).map(|(_, value)| value.clone());
        match (option("username"), option("password")) {
            (Some(username), Some(password)) => {
                self.set("sasl.username", username);
                self.set("sasl.password", password);
            }
            _ => self.leave(name, "it has no username and password"),
        }
    }
}

/// The options of a login module: words, in quotes of either kind or without, with a `=` between name and value. What stands behind
/// a backslash in quotes is as in Java (java.io.StreamTokenizer).
fn options(text: &str) -> Vec<(String, String)> {
    let mut words: Vec<String> = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' | '\'' => {
                let mut word = String::new();
                while let Some(inner) = chars.next() {
                    match inner {
                        _ if inner == c => break,
                        '\\' => word.extend(chars.next().map(|escaped| match escaped {
                            'n' => '\n',
                            't' => '\t',
                            'r' => '\r',
                            other => other,
                        })),
                        _ => word.push(inner),
                    }
                }
                words.push(word);
            }
            '=' | ';' => words.push(c.to_string()),
            _ if c.is_whitespace() => {}
            _ => {
                let mut word = String::from(c);
                while let Some(inner) = chars.next_if(|c| !c.is_whitespace() && !matches!(c, '=' | ';' | '"' | '\'')) {
                    word.push(inner);
                }
                words.push(word);
            }
        }
    }
    let pairs = words.windows(3).filter(|words| words[1] == "=");
    pairs.map(|words| (words[0].clone(), words[2].clone())).collect()
}

/// The properties of a file, in their order, and the lines that are none. Java's have its escapes, its separators and its long lines (java.util.Properties).
fn properties(text: &str, is_java: bool) -> (Vec<(String, String)>, Vec<usize>) {
    let (mut found, mut odd) = (Vec::new(), Vec::new());
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let mut line = line.trim_start().to_owned();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        while is_java && line.ends_with('\\') && !line.ends_with("\\\\") {
            line.pop();
            line.push_str(lines.next().map_or("", |(line, _)| line).trim_start());
        }
        let separators: &[char] = if is_java { &['=', ':', ' ', '\t'] } else { &['='] };
        let at = line.find(separators).unwrap_or(line.len());
        let (name, rest) = line.split_at(at);
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if at == line.len() || !name.trim_end().chars().all(is_name) {
            odd.push(number);
            continue;
        }
        let rest = rest.trim_start();
        let value = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start();
        let value = if is_java { unescaped(value) } else { value.trim_end().to_owned() };
        found.push((name.trim_end().to_owned(), value));
    }
    (found, odd)
}

fn unescaped(text: &str) -> String {
    // What is outside of the first plane has two escapes.
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let c = match c {
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('f') => '\u{c}',
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    units.extend(u16::from_str_radix(&digits, 16).ok());
                    continue;
                }
                Some(other) => other,
                None => continue,
            },
            c => c,
        };
        units.extend(c.encode_utf16(&mut [0; 2]).iter());
    }
    String::from_utf16_lossy(&units)
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
            "tls=true",
            "server=k1:9093,k2:9093",
            "sasl.mechanism=SCRAM-SHA-512",
            "sasl.username=app",
            "sasl.password=a\\b=c",
            "tls_ca=/ca.pem",
            "extra.client.rack=a",
        ];
        assert_eq!(values, expected);
        assert_eq!(
            left_out,
            ["group.id: say --group", "nosuch: librdkafka has no such property, or not this value of it"]
        );
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
            "tls=true",
            "server=k1:9093,k2:9093",
            "sasl.mechanism=PLAIN",
            "sasl.username=app",
            "sasl.password=p\"wA",
            "tls_ca=/ca.pem",
            "extra.ssl.endpoint.identification.algorithm=none",
        ];
        assert_eq!(values, expected);
        assert!(left_out[0].starts_with("ssl.keystore.location: a Java keystore"), "{left_out:?}");
        assert_eq!(left_out[1..], ["key.serializer: librdkafka has no such property, or not this value of it"]);
        let (values, left_out) = imported(
            "bootstrap.servers=k\nschema.registry.url=https://sr:8081, https://sr2\nbasic.auth.credentials.source=USER_INFO\n\
             schema.registry.basic.auth.user.info=app:p:w\nurl=x\n",
        );
        let expected = ["server=k", "registry.url=https://sr:8081", "registry.username=app", "registry.password=p:w"];
        assert_eq!(values, expected);
        assert_eq!(left_out.len(), 2, "{left_out:?}");
        let oauth = "bootstrap.servers=k\nsecurity.protocol=SASL_SSL\nsasl.mechanism=OAUTHBEARER\n";
        let (values, left_out) = imported(&format!(
            "{oauth}sasl.oauthbearer.token.endpoint.url=https://idp/token\nsasl.login.callback.handler.class=a.B\n\
             sasl.jaas.config=x.Y required clientId=\"c\" clientSecret='s' scope=\"a b\" extension_logicalCluster=\"lkc\" \
             extension_identityPoolId=\"p\";\n"
        ));
        let expected = [
            "tls=true",
            "server=k",
            "sasl.mechanism=OAUTHBEARER",
            "sasl.token_url=https://idp/token",
            "sasl.client_id=c",
            "sasl.client_secret=s",
            "sasl.scope=a b",
            "sasl.extensions=logicalCluster=lkc,identityPoolId=p",
        ];
        assert_eq!((values.iter().map(String::as_str).collect::<Vec<_>>(), left_out.len()), (expected.to_vec(), 0));
        let (_, left_out) = imported(&format!("{oauth}sasl.jaas.config=x required;\n"));
        assert_eq!(left_out, ["sasl.jaas.config: it has no clientId and clientSecret"]);
        let (_, left_out) = imported(&oauth.replace("OAUTHBEARER", "AWS_MSK_IAM"));
        assert!(left_out[0].contains("mscomm help logins"), "{left_out:?}");
    }

    #[test]
    fn options_of_a_login_module() {
        for (text, expected) in [
            (r#"x.Y required username="u" password="p w";"#, "p w"),
            (r#"x required user_password="no" password = 'p"q';"#, "p\"q"),
            (r#"x required truststore.password="password=no" username=u password=bare;"#, "bare"),
            (r#"x required password="a\nb\"c\\d";"#, "a\nb\"c\\d"),
        ] {
            let found = options(text);
            let password = found.iter().find(|(name, _)| name == "password").map(|(_, value)| value.as_str());
            assert_eq!(password, Some(expected), "{text}");
        }
        assert_eq!(unescaped("\\uD83D\\uDE00x\\:"), "\u{1f600}x:");
        let (values, _) = imported("bootstrap.servers=k1\\:9093\nsecurity.protocol=SSL\nssl.ca.location=\n");
        assert_eq!(values, ["tls=true", "server=k1:9093"]);
        let key = "bootstrap.servers=k\nsecurity.protocol=SSL\nssl.key.location=/k\nssl.key.password=x\n";
        assert_eq!(imported(key).0[2..], ["extra.ssl.key.location=/k", "extra.ssl.key.password=x"]);
    }

    /// What the other tool does not use is not sent here either, and what is no property is not shown.
    #[test]
    fn what_does_not_belong_to_the_protocol() {
        let sasl = "sasl.mechanism=PLAIN\nsasl.username=u\nsasl.password=hunter2\n";
        for (protocol, why) in [("", "is PLAINTEXT"), ("security.protocol=ssl\n", "is SSL")] {
            let (values, left_out) = imported(&format!("bootstrap.servers=k\n{protocol}{sasl}"));
            assert!(!values.iter().any(|value| value.starts_with("sasl")), "{values:?}");
            assert!(left_out.len() == 3 && left_out[0].contains(why), "{left_out:?}");
        }
        let bad = import(&format!("bootstrap.servers=k\nsecurity.protocol=SASL_SSSL\n{sasl}"));
        assert!(bad.is_some_and(|bad| bad.is_err()));
        let (_, left_out) = imported("bootstrap.servers=k\nsecurity.protocol=SASL_SSL\nsasl.username=u\n");
        assert!(left_out[0].contains("GSSAPI"), "{left_out:?}");
        let (values, left_out) = imported("bootstrap.servers=k\nsasl.password: hunter2\nhunter2 = x y\n");
        assert_eq!((values.len(), &left_out[0][..7]), (1, "hunter2"));
        assert!(left_out.iter().any(|why| why == "line 2: it is no NAME=VALUE"), "{left_out:?}");
        // The last of a repeated name.
        assert_eq!(imported("bootstrap.servers=a\nbootstrap.servers=b\n").0, ["server=b"]);
    }
}
