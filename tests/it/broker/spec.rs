//! The methods of AMQP 0-9-1 with RabbitMQ's extensions, as a table: what the test client knows of the protocol.
//!
//! The client has a codec of its own, because the broker under test uses a library for its frames: a fault of that library
//! must not be on both ends. It also keeps what the library drops: type letters, two entries of one name, bytes that are no text.

use std::sync::LazyLock;

/// One field of a method or one property.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Field {
    /// Its name, as it is written in a script.
    pub name: &'static str,
    /// `o` octet, `h` short, `l` long, `q` long long, `s` short string, `S` long string, `b` bit, `t` table.
    pub kind: u8,
}

/// One method.
pub(crate) struct Method {
    /// Class and method number.
    pub id: (u16, u16),
    /// `class.method`.
    pub name: &'static str,
    /// In their order on the wire.
    pub fields: Vec<Field>,
}

impl Method {
    /// Whether a header and a body follow.
    pub(crate) fn has_content(&self) -> bool {
        matches!(self.name, "basic.publish" | "basic.return" | "basic.deliver" | "basic.get-ok")
    }

    /// Whether the server answers it, unless it has the bit `nowait`.
    pub(crate) fn is_answered(&self) -> bool {
        self.name == "basic.get" || METHODS.iter().any(|m| m.name.strip_suffix("-ok") == Some(self.name))
    }
}

/// The method of this name.
pub(crate) fn by_name(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|m| m.name == name)
}

/// The method of this class and number.
pub(crate) fn by_id(id: (u16, u16)) -> Option<&'static Method> {
    METHODS.iter().find(|m| m.id == id)
}

/// All methods.
static METHODS: LazyLock<Vec<Method>> = LazyLock::new(|| {
    TABLE
        .lines()
        .map(|line| {
            let mut words = line.split(' ');
            let mut number = || words.next().and_then(|w| w.parse().ok()).expect("a number");
            let id = (number(), number());
            let name = words.next().expect("a name");
            Method { id, name, fields: words.map(field).collect() }
        })
        .collect()
});

/// The properties of a content, first flag first.
pub(crate) static PROPERTIES: LazyLock<Vec<Field>> = LazyLock::new(|| {
    "content_type:s content_encoding:s headers:t delivery_mode:o priority:o correlation_id:s reply_to:s expiration:s \
     message_id:s timestamp:q type:s user_id:s app_id:s cluster_id:s"
        .split_whitespace()
        .map(field)
        .collect()
});

fn field(word: &'static str) -> Field {
    let (name, kind) = word.split_once(':').expect("name:kind");
    Field { name, kind: kind.as_bytes()[0] }
}

const TABLE: &str = "\
10 10 connection.start version_major:o version_minor:o server_properties:t mechanisms:S locales:S
10 11 connection.start-ok client_properties:t mechanism:s response:S locale:s
10 20 connection.secure challenge:S
10 21 connection.secure-ok response:S
10 30 connection.tune channel_max:h frame_max:l heartbeat:h
10 31 connection.tune-ok channel_max:h frame_max:l heartbeat:h
10 40 connection.open vhost:s capabilities:s insist:b
10 41 connection.open-ok reserved:s
10 50 connection.close code:h text:s class:h method:h
10 51 connection.close-ok
10 60 connection.blocked reason:s
10 61 connection.unblocked
10 70 connection.update-secret secret:S reason:s
10 71 connection.update-secret-ok
20 10 channel.open reserved:s
20 11 channel.open-ok reserved:S
20 20 channel.flow active:b
20 21 channel.flow-ok active:b
20 40 channel.close code:h text:s class:h method:h
20 41 channel.close-ok
30 10 access.request realm:s exclusive:b passive:b active:b write:b read:b
30 11 access.request-ok ticket:h
40 10 exchange.declare reserved:h exchange:s type:s passive:b durable:b auto_delete:b internal:b nowait:b arguments:t
40 11 exchange.declare-ok
40 20 exchange.delete reserved:h exchange:s if_unused:b nowait:b
40 21 exchange.delete-ok
40 30 exchange.bind reserved:h destination:s source:s routing_key:s nowait:b arguments:t
40 31 exchange.bind-ok
40 40 exchange.unbind reserved:h destination:s source:s routing_key:s nowait:b arguments:t
40 51 exchange.unbind-ok
50 10 queue.declare reserved:h queue:s passive:b durable:b exclusive:b auto_delete:b nowait:b arguments:t
50 11 queue.declare-ok queue:s messages:l consumers:l
50 20 queue.bind reserved:h queue:s exchange:s routing_key:s nowait:b arguments:t
50 21 queue.bind-ok
50 30 queue.purge reserved:h queue:s nowait:b
50 31 queue.purge-ok messages:l
50 40 queue.delete reserved:h queue:s if_unused:b if_empty:b nowait:b
50 41 queue.delete-ok messages:l
50 50 queue.unbind reserved:h queue:s exchange:s routing_key:s arguments:t
50 51 queue.unbind-ok
60 10 basic.qos prefetch_size:l prefetch_count:h global:b
60 11 basic.qos-ok
60 20 basic.consume reserved:h queue:s consumer_tag:s no_local:b no_ack:b exclusive:b nowait:b arguments:t
60 21 basic.consume-ok consumer_tag:s
60 30 basic.cancel consumer_tag:s nowait:b
60 31 basic.cancel-ok consumer_tag:s
60 40 basic.publish reserved:h exchange:s routing_key:s mandatory:b immediate:b
60 50 basic.return code:h text:s exchange:s routing_key:s
60 60 basic.deliver consumer_tag:s delivery_tag:q redelivered:b exchange:s routing_key:s
60 70 basic.get reserved:h queue:s no_ack:b
60 71 basic.get-ok delivery_tag:q redelivered:b exchange:s routing_key:s messages:l
60 72 basic.get-empty reserved:s
60 80 basic.ack delivery_tag:q multiple:b
60 90 basic.reject delivery_tag:q requeue:b
60 100 basic.recover-async requeue:b
60 110 basic.recover requeue:b
60 111 basic.recover-ok
60 120 basic.nack delivery_tag:q multiple:b requeue:b
85 10 confirm.select nowait:b
85 11 confirm.select-ok
90 10 tx.select
90 11 tx.select-ok
90 20 tx.commit
90 21 tx.commit-ok
90 30 tx.rollback
90 31 tx.rollback-ok";
